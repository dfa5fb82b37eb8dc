//! Where restores may read from: prefixes of locations that somebody configured.

use engine::{Error, ErrorKind, Result};

/// Prefixes of locations: directories, or parts of buckets. Without any, whoever asks on the server's own machine may name every place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Vec<String>);

impl Sources {
    /// Allows these and what is below them.
    #[must_use]
    pub fn new(prefixes: Vec<String>) -> Self {
        Sources(prefixes)
    }

    /// Checks that a location, absolute and as it was understood, may be read from. `is_near`: whoever asks is on the server's own machine.
    ///
    /// # Errors
    /// `Denied` saying what is allowed.
    pub fn check(&self, location: &str, is_near: bool) -> Result<()> {
        let denied = |message: String| Error::new(ErrorKind::Denied, message);
        if self.0.is_empty() {
            if is_near {
                return Ok(());
            }
            return Err(denied("this server restores from places that its configuration names, and it names none".to_owned())
                .with_hint("set restore.sources, or ask on the server's own machine"));
        }
        // A step up leads out of what is allowed, wherever it leads then.
        let is_straight = !location.split('/').any(|part| part == "..");
        if is_straight && self.0.iter().any(|prefix| is_below(location, prefix)) {
            return Ok(());
        }
        Err(denied(format!("this server does not restore from \"{}\"", location.escape_debug()))
            .with_expected(format!("a place below {}", self.0.join(" or ")), format!("\"{}\"", location.escape_debug()))
            .with_hint("restore.sources in its configuration says what it may read"))
    }
}

fn is_below(location: &str, prefix: &str) -> bool {
    let rest = location.strip_prefix(prefix.strip_suffix('/').unwrap_or(prefix));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_prefix_may_be_read_and_nothing_beside_it() {
        let sources = Sources::new(vec!["/backups/".to_owned(), "s3://bucket/vectra".to_owned()]);
        for (location, is_allowed) in [
            ("/backups", true),
            ("/backups/products/full", true),
            ("/backups2/products", false),
            ("/backups/../etc", false),
            ("/backups/products/..", false),
            ("/etc/backups", false),
            ("/", false),
            ("s3://bucket/vectra", true),
            ("s3://bucket/vectra/a", true),
            ("s3://bucket/vectra-other", false),
            ("s3://bucket", false),
            ("s3://other/vectra", false),
            ("gs://bucket/vectra", false),
        ] {
            for is_near in [true, false] {
                let checked = sources.check(location, is_near);
                assert_eq!(checked.is_ok(), is_allowed, "{location}");
                assert!(checked.is_ok() || checked.is_err_and(|error| error.kind == ErrorKind::Denied && error.kind.http_status() == 403));
            }
        }
    }

    #[test]
    fn without_prefixes_every_place_is_for_those_on_this_machine_alone() {
        let sources = Sources::default();
        assert!(sources.check("/anything", true).is_ok());
        assert_eq!(sources.check("/anything", false).unwrap_err().kind, ErrorKind::Denied);
    }

    #[test]
    fn the_root_as_a_prefix_allows_every_directory_and_no_bucket() {
        let sources = Sources::new(vec!["/".to_owned()]);
        assert!(sources.check("/etc", true).is_ok() && sources.check("s3://bucket/x", true).is_err());
    }
}
