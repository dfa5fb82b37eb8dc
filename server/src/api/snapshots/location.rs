//! Where a snapshot is fetched from: a location as a request names it.

use std::path::PathBuf;

use engine::{Error, Result};
use platform::http::Head;

use super::super::{query_string, route};

/// A place that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// A snapshot of this server: of a collection, or of all.
    Own {
        /// Whether it is one of all collections.
        is_full: bool,
        /// Its name.
        name: String,
    },
    /// A file of the server's machine.
    File(PathBuf),
    /// Another server.
    Remote {
        /// Scheme, host and port.
        base: String,
        /// What is asked for there.
        path: String,
    },
}

impl Location {
    /// Reads a location; `own` are the authorities (host and port) by which this server is known.
    ///
    /// # Errors
    /// `InvalidInput` when it is none.
    pub(super) fn parse(text: &str, own: &[&str]) -> Result<Self> {
        let refuse = || {
            Error::invalid("this is not a location of a snapshot")
                .with_expected("file:///path, or http://host/collections/NAME/snapshots/SNAPSHOT", shown(text))
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(refuse)?;
        match scheme {
            "file" => {
                let path = query_string::decoded(rest.strip_prefix("localhost").unwrap_or(rest))?;
                if path.starts_with('/') && !path.contains('\0') { Ok(Location::File(PathBuf::from(path))) } else { Err(refuse()) }
            }
            "http" | "https" => {
                let (authority, path) = rest.split_at(rest.find('/').ok_or_else(refuse)?);
                // A name and a password there would be sent to nobody, and logged by many.
                let is_sound =
                    !authority.is_empty() && !authority.contains(['@', '?', '#', '\\']) && rest.bytes().all(|byte| byte.is_ascii_graphic());
                if !is_sound {
                    return Err(refuse());
                }
                if own.iter().any(|own| own.eq_ignore_ascii_case(authority)) {
                    return Location::own(path).ok_or_else(refuse);
                }
                Ok(Location::Remote { base: format!("{scheme}://{authority}"), path: path.to_owned() })
            }
            _ => Err(refuse()),
        }
    }

    /// Reads the path of a snapshot of this server.
    fn own(path: &str) -> Option<Self> {
        let segments = route::split(path).ok()?;
        match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["snapshots", name] => Some(Location::Own { is_full: true, name: name.to_owned() }),
            ["collections", _, "snapshots", name] => Some(Location::Own { is_full: false, name: name.to_owned() }),
            _ => None,
        }
    }
}

/// Says a location in an error; what stands behind the scheme may hold a secret.
fn shown(text: &str) -> String {
    let scheme: String = text.split("://").next().unwrap_or_default().chars().take(20).collect();
    if text.contains("://") { format!("{}://...", scheme.escape_debug()) } else { "no URL".to_owned() }
}

/// Gives the authority by which a request names this server.
pub(super) fn authority_of(head: &Head) -> Option<&str> {
    head.headers.get("host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_file_a_snapshot_of_ours_or_another_server() {
        let parse = |text: &str| Location::parse(text, &["here:6333"]).unwrap();
        assert_eq!(parse("file:///mnt/a%20b.tar"), Location::File(PathBuf::from("/mnt/a b.tar")));
        let own = Location::Own { is_full: false, name: "s 1".to_owned() };
        assert_eq!(parse("http://HERE:6333/collections/c/snapshots/s%201"), own);
        assert_eq!(parse("https://here:6333/snapshots/x"), Location::Own { is_full: true, name: "x".to_owned() });
        let remote = Location::Remote { base: "http://there:6333".to_owned(), path: "/collections/c/snapshots/s?a=1".to_owned() };
        assert_eq!(parse("http://there:6333/collections/c/snapshots/s?a=1"), remote);
    }

    #[test]
    fn what_is_no_location_is_refused_and_shows_no_secret() {
        let bad = [
            "",
            "/mnt/secret",
            "file://secret",
            "file://host/secret",
            "file:///a%2",
            "ftp://secret/x",
            "http://secret",
            "http:///secret",
            "http://user:secret@host/x",
            "http://here:6333/collections/secret",
            "http://host/a b",
        ];
        for text in bad {
            let error = Location::parse(text, &["here:6333"]).unwrap_err();
            assert!(text.starts_with("file:///") || !error.to_string().contains("secret"), "{error}");
        }
    }
}
