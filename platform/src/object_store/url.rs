//! Locations of object stores as a user writes them: `s3://bucket/prefix`, and what may not stand in them.

use super::MOST_PARTS;

/// The protocol behind a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Amazon S3 and compatible stores: `s3://`.
    S3,
    /// Google Cloud Storage: `gs://`.
    Gcs,
    /// Azure Blob Storage: `az://`.
    Azure,
}

impl Scheme {
    /// Returns the word before `://`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }

    /// Tells whether this build can open such URLs.
    #[must_use]
    pub fn is_in_this_build(self) -> bool {
        match self {
            Self::S3 => cfg!(feature = "s3"),
            Self::Gcs => cfg!(feature = "gcs"),
            Self::Azure => cfg!(feature = "azure"),
        }
    }

    fn of(name: &str) -> Option<Self> {
        match name {
            "s3" | "s3a" => Some(Self::S3),
            "gs" => Some(Self::Gcs),
            "az" | "azure" => Some(Self::Azure),
            _ => None,
        }
    }
}

/// A bucket, and the part of it below which all keys of a store lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreUrl {
    scheme: Scheme,
    bucket: String,
    /// Parts joined by '/', without one at either end; may be empty.
    prefix: String,
}

/// Parts of the prefix at most: what the keys below it may have is counted apart.
const PREFIX_PARTS_MAX: usize = MOST_PARTS;

impl StoreUrl {
    /// Reads a URL; `None` if its scheme is not that of an object store.
    ///
    /// # Errors
    ///
    /// Fails if bucket or prefix have characters that are not allowed. The message holds nothing of
    /// a URL with credentials in it.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = Scheme::of(&scheme.to_ascii_lowercase())?;
        Some(Self::parse_rest(scheme, rest))
    }

    fn parse_rest(scheme: Scheme, rest: &str) -> Result<Self, String> {
        let shape = format!("{}://bucket/prefix", scheme.name());
        if rest.contains('@') {
            return Err(format!("credentials do not belong into a URL: give {shape}, and the credentials in environment variables"));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let in_bucket = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !(1..=255).contains(&bucket.len()) || bucket.starts_with('.') || !bucket.bytes().all(in_bucket) {
            return Err(format!("a bucket has letters, digits, '.', '_' and '-': give {shape}"));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let in_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=+,!()".contains(&byte);
        let is_part = |part: &str| (1..=255).contains(&part.len()) && !part.starts_with('.') && part.bytes().all(in_part);
        let is_prefix = prefix.is_empty() || (prefix.split('/').count() <= PREFIX_PARTS_MAX && prefix.split('/').all(is_part));
        if !is_prefix {
            return Err(format!(
                "the part behind the bucket \"{bucket}\" has parts of letters, digits and ._-=+,!() joined by '/', \
                 at most {PREFIX_PARTS_MAX}, none empty or beginning with '.'"
            ));
        }
        Ok(Self { scheme, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Returns the protocol.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the place in the bucket, without a '/' at either end; "" for all of it.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl std::fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

/// Checks the address of a server: `http://` or `https://`, a host, perhaps a port and a path.
///
/// # Errors
///
/// Fails if it is anything else. The message does not hold the address: it may have a password in it.
pub fn check_endpoint(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:/[]".contains(&byte);
    match rest {
        Some(rest) if rest.contains('@') => {
            Err("credentials do not belong into an endpoint: give them in environment variables".to_owned())
        }
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[') && rest.bytes().all(allowed) => Ok(()),
        _ => Err("an endpoint is http://host:port or https://host:port".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> StoreUrl {
        StoreUrl::parse(text).unwrap().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn a_url_names_a_bucket_and_a_place_in_it() {
        for (text, bucket, prefix, shown) in [
            ("s3://my-dr-bucket-us-west-2/vectra/products_20231027", "my-dr-bucket-us-west-2", "vectra/products_20231027", None),
            ("s3://b", "b", "", None),
            ("s3://b/", "b", "", Some("s3://b")),
            ("S3A://b/x/", "b", "x", Some("s3://b/x")),
            ("gs://b/env=prod/x", "b", "env=prod/x", None),
            ("az://container/x", "container", "x", None),
        ] {
            let url = parsed(text);
            assert_eq!((url.bucket(), url.prefix()), (bucket, prefix), "{text}");
            assert_eq!(url.to_string(), shown.unwrap_or(text));
        }
        for other in ["/mnt/backups", "file:///x", "https://host/x", "s3:/b", ""] {
            assert_eq!(StoreUrl::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_could_be_a_secret_or_another_place_is_refused_and_not_repeated() {
        let deep = format!("s3://b/{}x", "x/".repeat(PREFIX_PARTS_MAX));
        let bad = [
            "s3://key:secret@bucket/x",
            "s3://secret@bucket",
            "s3://",
            "s3:///x",
            "s3://b//secret",
            "s3://b/../secret",
            "s3://b/.secret",
            "s3://b/secret?x=1",
            "s3://b:9000/secret",
            "s3://b/secret key",
            "s3://b/x//",
            "s3://b/a\\secret",
            "s3://é/x",
            &deep,
        ];
        for bad in bad {
            let why = StoreUrl::parse(bad).unwrap().expect_err(bad);
            assert!(!why.contains("secret"), "{bad}: {why}");
        }
    }

    #[test]
    fn an_endpoint_is_a_plain_address() {
        for good in ["http://127.0.0.1:9000", "https://s3.example.com", "http://[::1]:9000/", "https://host/minio"] {
            assert_eq!(check_endpoint(good), Ok(()), "{good}");
        }
        for bad in ["127.0.0.1:9000", "ftp://secret", "http://", "http://key:secret@host", "http://host/?secret", "http:///secret", ""] {
            let why = check_endpoint(bad).expect_err(bad);
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
