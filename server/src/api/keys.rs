//! Who may do what: an admin key and a read-only key, compared in constant time.

use platform::http::{Head, Method};

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// It has no key.
    Missing,
    /// Nobody has this key.
    Wrong,
    /// The key may only read.
    ReadOnly,
}

/// The keys of a server; with none, everybody may do everything.
#[derive(Clone, Default)]
pub struct Keys {
    /// May do everything.
    pub admin: Option<String>,
    /// May read.
    pub read_only: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |key: &Option<String>| if key.is_some() { "set" } else { "none" };
        write!(f, "Keys {{ admin: {}, read_only: {} }}", shown(&self.admin), shown(&self.read_only))
    }
}

impl Keys {
    /// Checks that the key of a request allows what it asks for.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn check(&self, head: &Head) -> Result<(), Denied> {
        if self.admin.is_none() && self.read_only.is_none() {
            return Ok(());
        }
        let bearer = head.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let given = head.headers.get("api-key").or(bearer);
        let given = given.ok_or(Denied::Missing)?;
        let is = |key: &Option<String>| key.as_deref().is_some_and(|key| equal(key.as_bytes(), given.as_bytes()));
        // Both are compared, whichever it is.
        let (is_admin, may_read) = (is(&self.admin), is(&self.read_only));
        match (is_admin, may_read) {
            (true, _) => Ok(()),
            (false, true) if reads(head) => Ok(()),
            (false, true) => Err(Denied::ReadOnly),
            (false, false) => Err(Denied::Wrong),
        }
    }
}

/// Compares every byte, however early they differ; only the length shows.
fn equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Says whether a request changes nothing: those that read by `POST` are known by their paths.
fn reads(head: &Head) -> bool {
    const READS: [&str; 9] = [
        "/points",
        "/points/scroll",
        "/points/count",
        "/points/query",
        "/points/query/batch",
        "/points/query/groups",
        "/facet",
        "/points/search",
        "/points/search/batch",
    ];
    super::is_reading(&head.method)
        || head.method == Method::Post && head.path.starts_with("/collections/") && READS.iter().any(|read| head.path.ends_with(read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::http::Headers;

    fn head(method: Method, path: &str, key: Option<&str>) -> Head {
        let headers: Headers = key.iter().map(|key| ("api-key".to_owned(), (*key).to_owned())).collect();
        Head { method, path: path.to_owned(), query: String::new(), headers, peer: ([127, 0, 0, 1], 1).into(), is_tls: false }
    }

    #[test]
    fn without_keys_everybody_may_do_everything() {
        Keys::default().check(&head(Method::Delete, "/collections/c", None)).unwrap();
    }

    #[test]
    fn each_key_allows_what_it_is_for() {
        let keys = Keys { admin: Some("boss".to_owned()), read_only: Some("eyes".to_owned()) };
        let allowed = |method, path, key| keys.check(&head(method, path, key));
        assert_eq!(allowed(Method::Delete, "/collections/c", Some("boss")), Ok(()));
        assert_eq!(allowed(Method::Post, "/collections/c/points/query", Some("eyes")), Ok(()));
        assert_eq!(allowed(Method::Post, "/collections/c/points/delete", Some("eyes")), Err(Denied::ReadOnly));
        assert_eq!(allowed(Method::Put, "/collections/c/points", Some("eyes")), Err(Denied::ReadOnly));
        assert_eq!(allowed(Method::Get, "/collections", Some("boos")), Err(Denied::Wrong));
        assert_eq!(allowed(Method::Get, "/collections", None), Err(Denied::Missing));
    }
}
