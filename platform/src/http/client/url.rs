//! The address of a server, as a user writes it.

use std::fmt::{Display, Formatter};
use std::io;

/// Where a server is, and what all paths begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl {
    pub is_tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// Host and port as a request names them.
    pub authority: String,
    /// Empty, or begins with `/` and does not end so.
    pub path: String,
}

impl BaseUrl {
    /// Reads a URL.
    pub(super) fn read(text: &str) -> io::Result<Self> {
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
        let (is_tls, rest) = match text.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err(invalid("a URL begins with http:// or https://")),
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains(['?', '#', '@']) {
            return Err(invalid("a server's URL is a scheme, a host, a port and a path, and nothing else"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(|| invalid("behind ] stands a port"))?)),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None if is_tls => 443,
            None => 80,
            Some(port) => port.parse().map_err(|_| invalid("a port is a number up to 65535"))?,
        };
        if host.is_empty() {
            return Err(invalid("there is no host in the URL"));
        }
        Ok(BaseUrl { is_tls, host: host.to_owned(), port, authority: authority.to_owned(), path: path.trim_end_matches('/').to_owned() })
    }
}

impl Display for BaseUrl {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", if self.is_tls { "https" } else { "http" }, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ports_and_paths_are_told_apart() {
        let read =
            |text| BaseUrl::read(text).map(|url| (url.is_tls, url.host.clone(), url.port, url.path.clone(), url.to_string())).unwrap();
        let url = |is_tls, host: &str, port, path: &str, shown: &str| (is_tls, host.to_owned(), port, path.to_owned(), shown.to_owned());
        assert_eq!(read("http://localhost:6333"), url(false, "localhost", 6333, "", "http://localhost:6333"));
        assert_eq!(read("https://db.example/a/b/"), url(true, "db.example", 443, "/a/b", "https://db.example/a/b"));
        assert_eq!(read("http://[::1]:80/"), url(false, "::1", 80, "", "http://[::1]:80"));
        assert_eq!(read("http://[::1]").2, 80);
    }

    #[test]
    fn what_is_no_address_of_a_server_is_refused() {
        for text in [
            "",
            "localhost",
            "ftp://a",
            "http://",
            "http://a:b",
            "http://a:70000",
            "http://k@a",
            "http://a?b",
            "http://[::1]x",
            "http://a b",
        ] {
            assert_eq!(BaseUrl::read(text).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{text}");
        }
    }
}
