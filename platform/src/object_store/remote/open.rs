//! Opens a store in a network: the provider's builder with our settings, and a look at the bucket.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use object_store::{ClientOptions, RetryConfig};

use super::failure::Failure;
use super::http::Connector;
use super::store::{RemoteStore, runtime};
use super::{RemoteOptions, not_in_this_build};
use crate::World;
use crate::object_store::retry::RetryingStore;
use crate::object_store::{ObjectStore, Scheme, StoreError, StoreErrorKind, StoreUrl, check_endpoint};
use crate::process::interrupted;

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// What a builder made.
struct Built {
    store: Arc<dyn object_store::ObjectStore>,
    server: String,
}

/// Opens the store at `url`, and looks whether its bucket is there.
///
/// A plain `http://` server is spoken to as such; certificates are checked against those of the system.
/// Calls are tried again as [`RemoteOptions::retry`] says, and not after an interrupt.
///
/// # Errors
///
/// Fails with `NotFound` if there is no such bucket, with `AccessDenied` if it may not be listed or there
/// are no credentials, with `Unreachable` if the server does not answer in time, and with `Other` if this
/// build or the settings do not allow it.
pub fn open_url(url: &StoreUrl, options: &RemoteOptions) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let secrets = secrets(options);
    let failed = |kind: StoreErrorKind, message: String| {
        let message = secrets.iter().fold(message, |message, secret| message.replace(secret, "***"));
        StoreError { kind, op: "open", key: String::new(), store: url.to_string(), message }
    };
    let endpoint = endpoint(url.scheme(), options);
    if let Some(endpoint) = &endpoint {
        check_endpoint(endpoint).map_err(|why| failed(StoreErrorKind::Other, why))?;
    }
    if !url.scheme().is_in_this_build() {
        return Err(not_in_this_build(url));
    }
    choose_cryptography();
    let built = build(url, endpoint.as_deref(), options).map_err(|error| {
        let failure = Failure::read(&error, url, "the server");
        failed(failure.kind, failure.message)
    })?;
    let runtime = runtime().map_err(|error| failed(StoreErrorKind::Other, error.to_string()))?;
    let Built { store: inner, server } = built;
    let remote = Arc::new(RemoteStore { inner, url: url.clone(), server, secrets, runtime });
    let retrying = RetryingStore::new(Arc::clone(&remote) as _, &World::real(), options.retry, interrupted);
    retrying.call(|| remote.probe())?;
    Ok(Arc::new(retrying))
}

/// Returns the address that the user gave, the more particular variable first.
fn endpoint(scheme: Scheme, options: &RemoteOptions) -> Option<String> {
    let names: &[&str] = match scheme {
        Scheme::S3 => &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
        Scheme::Gcs => &["GOOGLE_BASE_URL"],
        Scheme::Azure => &["AZURE_STORAGE_ENDPOINT"],
    };
    let variable = || names.iter().find_map(|name| options.variables.get(*name));
    options.endpoint.as_ref().or_else(variable).cloned()
}

/// Returns the values that no message may hold.
fn secrets(options: &RemoteOptions) -> Vec<String> {
    let is_secret = |name: &str| ["SECRET", "TOKEN", "KEY", "PASSWORD", "SAS", "CREDENTIAL"].iter().any(|word| name.contains(word));
    // A file's name is no secret, and a short value would tear holes into every message.
    let is_file = |name: &str| name.ends_with("_FILE") || name.ends_with("_URI") || name == "GOOGLE_APPLICATION_CREDENTIALS";
    let secret = options.variables.iter().filter(|(name, value)| is_secret(name) && !is_file(name) && value.len() >= 4);
    secret.map(|(_, value)| value.clone()).collect()
}

/// Says once which implementation of TLS is used: the crates were built without a choice of their own.
fn choose_cryptography() {
    static CHOSEN: OnceLock<()> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        // Somebody else may have chosen before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

fn client_options(endpoint: Option<&str>) -> ClientOptions {
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    // Each request has its own limit, by its bytes; certificates are not even loaded where they are not used.
    let options = ClientOptions::new().with_timeout_disabled().with_connect_timeout(CONNECT_LIMIT);
    options.with_allow_http(is_plain).with_no_system_certificates(is_plain)
}

/// The crate tries nothing again: that is done above, where a lost reply is told from a failure.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn build(url: &StoreUrl, endpoint: Option<&str>, options: &RemoteOptions) -> object_store::Result<Built> {
    match url.scheme() {
        #[cfg(feature = "s3")]
        Scheme::S3 => s3(url, endpoint, options),
        #[cfg(feature = "gcs")]
        Scheme::Gcs => gcs(url, endpoint, options),
        #[cfg(feature = "azure")]
        Scheme::Azure => azure(url, endpoint, options),
        #[cfg(not(all(feature = "s3", feature = "gcs", feature = "azure")))]
        absent => unreachable!("{}:// was refused before: it is not in this build", absent.name()),
    }
}

#[cfg(feature = "s3")]
fn s3(url: &StoreUrl, endpoint: Option<&str>, options: &RemoteOptions) -> object_store::Result<Built> {
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
    let mut builder = AmazonS3Builder::new();
    for (name, value) in &options.variables {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = endpoint {
        // Under both names, so that the one given here is the one that is used.
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint).with_endpoint(endpoint);
    }
    let builder = builder.with_bucket_name(url.bucket()).with_conditional_put(S3ConditionalPut::ETagMatch).with_disable_bulk_delete(true);
    let builder = builder.with_client_options(client_options(endpoint)).with_retry(no_retries()).with_http_connector(Connector);
    let region = builder.get_config_value(&AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
    let server = endpoint.map_or_else(|| format!("https://s3.{region}.amazonaws.com"), str::to_owned);
    Ok(Built { store: Arc::new(builder.build()?), server })
}

#[cfg(feature = "gcs")]
fn gcs(url: &StoreUrl, endpoint: Option<&str>, options: &RemoteOptions) -> object_store::Result<Built> {
    use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
    let mut builder = GoogleCloudStorageBuilder::new();
    for (name, value) in &options.variables {
        if let Ok(key) = name.to_ascii_lowercase().parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_base_url(endpoint);
    }
    let builder = builder.with_bucket_name(url.bucket()).with_client_options(client_options(endpoint));
    let builder = builder.with_retry(no_retries()).with_http_connector(Connector);
    let server = endpoint.unwrap_or("https://storage.googleapis.com").to_owned();
    Ok(Built { store: Arc::new(builder.build()?), server })
}

#[cfg(feature = "azure")]
fn azure(url: &StoreUrl, endpoint: Option<&str>, options: &RemoteOptions) -> object_store::Result<Built> {
    use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
    let mut builder = MicrosoftAzureBuilder::new();
    for (name, value) in &options.variables {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.to_owned());
    }
    let builder = builder.with_container_name(url.bucket()).with_client_options(client_options(endpoint));
    let builder = builder.with_retry(no_retries()).with_http_connector(Connector);
    let server = endpoint.unwrap_or("the blob service").to_owned();
    Ok(Built { store: Arc::new(builder.build()?), server })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> RemoteOptions {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        RemoteOptions { variables, ..RemoteOptions::default() }
    }

    #[test]
    fn the_address_given_goes_before_the_variables() {
        let mut options = options(&[("AWS_ENDPOINT_URL", "http://general"), ("AWS_ENDPOINT_URL_S3", "http://particular")]);
        assert_eq!(endpoint(Scheme::S3, &options).as_deref(), Some("http://particular"));
        options.endpoint = Some("http://given".to_owned());
        assert_eq!(endpoint(Scheme::S3, &options).as_deref(), Some("http://given"));
        assert_eq!(endpoint(Scheme::S3, &RemoteOptions::default()), None);
    }

    #[test]
    fn keys_and_tokens_are_secrets_and_names_of_files_are_not() {
        let found = secrets(&options(&[
            ("AWS_ACCESS_KEY_ID", "hidden-1"),
            ("AWS_SECRET_ACCESS_KEY", "hidden-2"),
            ("AWS_SESSION_TOKEN", "hidden-3"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/a/file"),
            ("AWS_REGION", "us-east-1"),
            ("AZURE_STORAGE_SAS_KEY", "hidden-4"),
        ]));
        assert_eq!(found, ["hidden-1", "hidden-2", "hidden-3", "hidden-4"]);
    }
}
