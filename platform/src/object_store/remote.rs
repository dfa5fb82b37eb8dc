//! Stores in a network: what is opened, with which settings, and what a build without them says.

use std::collections::BTreeMap;

use super::retry::RetryPolicy;

#[cfg(feature = "remote")]
mod answer;
#[cfg(feature = "remote")]
mod failure;
#[cfg(feature = "remote")]
mod http;
#[cfg(feature = "remote")]
mod multipart;
#[cfg(feature = "remote")]
mod open;
#[cfg(feature = "remote")]
mod store;

#[cfg(feature = "remote")]
pub use open::open_url;

/// Prefixes of the environment variables that say who somebody is and where their store is.
const VARIABLE_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// How a store in a network is reached.
#[derive(Clone, Default)]
pub struct RemoteOptions {
    /// The address of the server, before what the variables say; `None` for theirs, or the provider's own.
    pub endpoint: Option<String>,
    /// Credentials and settings under the names that providers gave their environment variables.
    pub variables: BTreeMap<String, String>,
    /// How calls are tried again.
    pub retry: RetryPolicy,
}

impl RemoteOptions {
    /// Returns what the environment of this process says; empty variables count as unset.
    #[must_use]
    pub fn from_environment(endpoint: Option<&str>) -> Self {
        let known = |name: &str| VARIABLE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let all = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let variables = all.filter(|(name, value)| known(name) && !value.is_empty()).collect();
        Self { endpoint: endpoint.map(str::to_owned), variables, retry: RetryPolicy::default() }
    }
}

/// Shows which variables there are and none of their values.
impl std::fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteOptions").field("variables", &self.variables.keys()).field("retry", &self.retry).finish_non_exhaustive()
    }
}

/// Says that this build has no stores in a network.
///
/// # Errors
///
/// Fails with `Other`, always.
#[cfg(not(feature = "remote"))]
pub fn open_url(url: &super::StoreUrl, _options: &RemoteOptions) -> Result<std::sync::Arc<dyn super::ObjectStore>, super::StoreError> {
    Err(not_in_this_build(url))
}

/// The error on a URL whose protocol was left out of this build.
fn not_in_this_build(url: &super::StoreUrl) -> super::StoreError {
    super::StoreError {
        kind: super::StoreErrorKind::Other,
        op: "open",
        key: String::new(),
        store: url.to_string(),
        message: format!("this build has no support for {}:// locations", url.scheme().name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_do_not_show_the_values_of_variables() {
        let variables = BTreeMap::from([("AWS_SECRET_ACCESS_KEY".to_owned(), "hidden".to_owned())]);
        let options = RemoteOptions { endpoint: Some("http://hidden".to_owned()), variables, retry: RetryPolicy::default() };
        let shown = format!("{options:?}");
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hidden"), "{shown}");
    }
}
