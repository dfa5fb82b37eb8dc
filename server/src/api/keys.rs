//! Who may do what: an admin key, a read-only key, and keys of single collections, compared in constant time.

use engine::{Error, ErrorKind, Result};
use platform::http::{Head, Method};

use super::route;

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// It has no key.
    Missing,
    /// Nobody has this key.
    Wrong,
    /// The key may only read.
    ReadOnly,
    /// The key is for another collection.
    Elsewhere,
    /// The key is for the points of its collection, and for nothing else.
    PointsAlone,
}

/// A key for the points of one collection.
#[derive(Clone)]
pub struct CollectionKey {
    /// The collection, by name or alias.
    pub collection: String,
    /// The key.
    pub key: String,
    /// Whether it may only read.
    pub read_only: bool,
}

/// The keys of a server; with none, everybody may do everything.
#[derive(Clone, Default)]
pub struct Keys {
    /// May do everything.
    pub admin: Option<String>,
    /// May read.
    pub read_only: Option<String>,
    /// May read, and perhaps write, the points of one collection.
    pub collections: Vec<CollectionKey>,
}

/// The collections that a request may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Every one.
    All,
    /// These, by name or alias.
    Only(Vec<String>),
}

impl std::fmt::Debug for CollectionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CollectionKey {{ collection: {:?}, key: set, read_only: {} }}", self.collection, self.read_only)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |key: &Option<String>| if key.is_some() { "set" } else { "none" };
        let (admin, read_only) = (shown(&self.admin), shown(&self.read_only));
        write!(f, "Keys {{ admin: {admin}, read_only: {read_only}, collections: {:?} }}", self.collections)
    }
}

impl Keys {
    /// Says whether there is none: everybody may do everything then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.admin.is_none() && self.read_only.is_none() && self.collections.is_empty()
    }

    /// Checks that the key of a request allows what it asks for, and says which collections it may touch. `resolve` gives the collection that a name
    /// or alias means now.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn check(&self, head: &Head, resolve: &dyn Fn(&str) -> String) -> std::result::Result<Scope, Denied> {
        if self.is_empty() {
            return Ok(Scope::All);
        }
        let bearer = head.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let given = head.headers.get("api-key").or(bearer);
        let given = given.ok_or(Denied::Missing)?;
        let is = |key: Option<&str>| key.is_some_and(|key| equal(key.as_bytes(), given.as_bytes()));
        // All are compared, whichever it is.
        let (is_admin, may_read) = (is(self.admin.as_deref()), is(self.read_only.as_deref()));
        let own: Vec<&CollectionKey> = self.collections.iter().filter(|of| is(Some(of.key.as_str()))).collect();
        match (is_admin, may_read) {
            (true, _) => Ok(Scope::All),
            (false, true) if reads(head) => Ok(Scope::All),
            (false, true) => Err(Denied::ReadOnly),
            (false, false) if own.is_empty() => Err(Denied::Wrong),
            (false, false) => check_own(&own, head, resolve),
        }
    }
}

/// Checks what a key of single collections asks for.
fn check_own(own: &[&CollectionKey], head: &Head, resolve: &dyn Fn(&str) -> String) -> std::result::Result<Scope, Denied> {
    let segments = route::split(&head.path).map_err(|_| Denied::PointsAlone)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["collections", name, rest @ ..] = segments.as_slice() else { return Err(Denied::PointsAlone) };
    if !is_of_points(head.method, name, rest) {
        return Err(Denied::PointsAlone);
    }
    let meant = resolve(name);
    let mut of_it = own.iter().filter(|of| resolve(&of.collection) == meant).peekable();
    if of_it.peek().is_none() {
        return Err(Denied::Elsewhere);
    }
    if !reads(head) && of_it.all(|of| of.read_only) {
        return Err(Denied::ReadOnly);
    }
    Ok(Scope::Only(own.iter().map(|of| of.collection.clone()).collect()))
}

/// Says whether a path below a collection is about its points and how they are indexed: not about which collections there are.
fn is_of_points(method: Method, name: &str, rest: &[&str]) -> bool {
    match rest {
        // `POST /collections/aliases` is about all of them.
        [] => name != "aliases" && matches!(method, Method::Get | Method::Patch),
        ["exists" | "aliases" | "cluster"] => method == Method::Get,
        ["points" | "index" | "facet", ..] => true,
        _ => false,
    }
}

impl Scope {
    /// Checks that a request may touch a collection that its body names, by name or alias.
    ///
    /// # Errors
    /// `Denied`.
    pub(super) fn check(&self, name: &str, resolve: &dyn Fn(&str) -> String) -> Result<()> {
        match self {
            Scope::All => Ok(()),
            Scope::Only(own) if own.iter().any(|own| resolve(own) == resolve(name)) => Ok(()),
            Scope::Only(_) => {
                let error = Error::new(ErrorKind::Denied, format!("this api key is not for collection \"{}\"", name.escape_debug()));
                Err(error.with_object(name))
            }
        }
    }
}

impl Keys {
    /// Says whether a request that was let in may do everything.
    pub(super) fn is_admin(&self, head: &Head) -> bool {
        let alone = Keys { admin: self.admin.clone(), ..Keys::default() };
        self.is_empty() || self.admin.is_some() && alone.check(head, &str::to_owned).is_ok()
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
    if super::v1::is_meant(&head.path) {
        return super::v1::is_for_readers(head.method, &head.path);
    }
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
        let scope = Keys::default().check(&head(Method::Delete, "/collections/c", None), &str::to_owned).unwrap();
        assert_eq!(scope, Scope::All);
    }

    #[test]
    fn each_key_allows_what_it_is_for() {
        let keys = Keys { admin: Some("boss".to_owned()), read_only: Some("eyes".to_owned()), ..Keys::default() };
        let allowed = |method, path, key| keys.check(&head(method, path, key), &str::to_owned).map(drop);
        assert_eq!(allowed(Method::Delete, "/collections/c", Some("boss")), Ok(()));
        assert_eq!(allowed(Method::Post, "/collections/c/points/query", Some("eyes")), Ok(()));
        assert_eq!(allowed(Method::Post, "/collections/c/points/delete", Some("eyes")), Err(Denied::ReadOnly));
        assert_eq!(allowed(Method::Put, "/collections/c/points", Some("eyes")), Err(Denied::ReadOnly));
        assert_eq!(allowed(Method::Get, "/collections", Some("boos")), Err(Denied::Wrong));
        assert_eq!(allowed(Method::Get, "/collections", None), Err(Denied::Missing));
    }

    #[test]
    fn a_key_of_a_collection_is_for_its_points_under_every_name_it_has_and_for_nothing_else() {
        let own =
            |collection: &str, key: &str, read_only| CollectionKey { collection: collection.to_owned(), key: key.to_owned(), read_only };
        let collections = vec![own("docs", "writer", false), own("docs", "reader", true), own("more", "reader", true)];
        let keys = Keys { admin: Some("boss".to_owned()), collections, ..Keys::default() };
        // `live` is a second name of docs.
        let resolve = |name: &str| if name == "live" { "docs".to_owned() } else { name.to_owned() };
        let allowed = |method, path, key| keys.check(&head(method, path, Some(key)), &resolve).map(drop);
        for path in ["/collections/docs/points", "/collections/live/points", "/collections/d%6Fcs/points", "//collections//docs/points"] {
            assert_eq!(allowed(Method::Put, path, "writer"), Ok(()), "{path}");
            assert_eq!(allowed(Method::Put, path, "reader"), Err(Denied::ReadOnly), "{path}");
        }
        for path in ["/collections/docs", "/collections/live/exists", "/collections/docs/points/7"] {
            assert_eq!(allowed(Method::Get, path, "reader"), Ok(()), "{path}");
        }
        assert_eq!(allowed(Method::Post, "/collections/docs/points/query", "reader"), Ok(()));
        assert_eq!(allowed(Method::Patch, "/collections/docs", "writer"), Ok(()));
        assert_eq!(allowed(Method::Get, "/collections/more", "writer"), Err(Denied::Elsewhere));
        assert_eq!(allowed(Method::Get, "/collections/more", "reader"), Ok(()));
        assert_eq!(allowed(Method::Get, "/collections/docs2/points/7", "writer"), Err(Denied::Elsewhere));
        assert_eq!(allowed(Method::Get, "/collections/docs", "writes"), Err(Denied::Wrong));
        for (method, path) in [
            (Method::Put, "/collections/docs"),
            (Method::Delete, "/collections/docs"),
            (Method::Post, "/collections/aliases"),
            (Method::Get, "/collections"),
            (Method::Get, "/aliases"),
            (Method::Post, "/vectra/v1/commands"),
            (Method::Put, "/collections/docs/snapshots/recover"),
            (Method::Post, "/collections/docs/snapshots"),
            (Method::Get, "/metrics"),
            (Method::Get, "/collections/docs%2Fpoints"),
            (Method::Get, "/collections/%ff/points"),
        ] {
            assert_ne!(allowed(method, path, "writer"), Ok(()), "{method:?} {path}");
        }
    }

    #[test]
    fn no_key_is_shown() {
        let of = CollectionKey { collection: "docs".to_owned(), key: "hunter2".to_owned(), read_only: true };
        let keys = Keys { admin: Some("hunter2".to_owned()), read_only: Some("hunter2".to_owned()), collections: vec![of] };
        assert!(!format!("{keys:?}").contains("hunter2"));
    }
}
