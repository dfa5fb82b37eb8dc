//! Object stores: the blocking interface, and what holds for every store.
//!
//! A key is a path of parts joined by '/'; an object is put once and never changed, and no key is
//! the directory of another. [`open_directory`] and [`open_url`] give stores outside of the process,
//! [`sim`] is one on any [`crate::fs::FileSystem`] (so on a simulated disk that loses power),
//! [`faulty`] spoils the replies of another store, [`retry`] tries again where replies are spoilt, and
//! [`conformance`] holds what each of them must do.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

pub mod conformance;
pub mod faulty;
mod local;
mod real;
mod remote;
pub mod retry;
pub mod sim;
mod url;

pub use real::open_directory;
pub use remote::{RemoteOptions, open_url};
pub use url::{Scheme, StoreUrl, check_endpoint};

/// The content of an object, in pieces that are chained and not copied.
pub type Body = Vec<Bytes>;

/// What kind of failure a store reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The object, or the store itself, does not exist.
    NotFound,
    /// The store refuses this user, or is read-only.
    AccessDenied,
    /// The store does not answer; whether a put or delete took effect is unknown.
    Unreachable,
    /// The store has no room.
    NoSpace,
    /// What is stored is not what was put.
    Corrupt,
    /// Everything else, a key that is not allowed included.
    Other,
}

/// Why a call on an object store failed.
#[derive(Clone, Debug)]
pub struct StoreError {
    /// What kind of failure it is.
    pub kind: StoreErrorKind,
    /// What was tried, as a verb: "get", "put".
    pub op: &'static str,
    /// The key or prefix that it was tried on; empty for the store itself.
    pub key: String,
    /// The store, as [`ObjectStore::describe`] names it.
    pub store: String,
    /// What the store said.
    pub message: String,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} ", self.op)?;
        if !self.key.is_empty() {
            write!(f, "\"{}\" in ", self.key)?;
        }
        write!(f, "object store \"{}\": {}", self.store, self.message)
    }
}

impl std::error::Error for StoreError {}

/// What a put found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The key was free; the object now exists.
    Created,
    /// The key was taken; what is there was not touched.
    Exists,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The whole key.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was put, microseconds since 1970 UTC by the store's clock.
    pub modified_micros: u64,
}

/// A place that keeps objects. Calls block; an object is seen whole or not at all.
pub trait ObjectStore: Send + Sync + Debug {
    /// Returns the name of the store for messages: a directory, a URL.
    fn describe(&self) -> String;

    /// Puts an object if its key is free. It is durable when this returns, and so is the object
    /// that was found when this returns [`PutOutcome::Exists`].
    ///
    /// # Errors
    ///
    /// Fails if the key is not allowed or the store fails. After any failure the object may exist:
    /// who must know reads it back.
    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError>;

    /// Puts an object under a key that nobody else ever puts to, a random one.
    ///
    /// The promises are those of [`ObjectStore::put_if_absent`], except that two puts of one key at
    /// the same moment may both say that they created it. A store in a network may send a large body
    /// in parts, several at a time.
    ///
    /// # Errors
    ///
    /// Fails as [`ObjectStore::put_if_absent`] does.
    fn put_unique(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.put_if_absent(key, body)
    }

    /// Returns an object.
    ///
    /// # Errors
    ///
    /// Fails with `NotFound` if there is no such object, or if the store fails.
    fn get(&self, key: &str) -> Result<Bytes, StoreError>;

    /// Returns the bytes `range` of an object, exactly; nothing for an empty range in it.
    ///
    /// # Errors
    ///
    /// Fails with `NotFound` if there is no such object, with `Other` if the range reaches behind
    /// its end, or if the store fails.
    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// Returns the size of an object in bytes; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    fn head(&self, key: &str) -> Result<Option<u64>, StoreError>;

    /// Returns every object below `prefix` ("" or a path ending in '/'), at any depth, sorted by
    /// key. Unfinished puts and names that no key can have are left out.
    ///
    /// # Errors
    ///
    /// Fails if the prefix is not allowed or the store fails; never returns a part of the list.
    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError>;

    /// Removes an object; done when it is absent. A power cut may bring it back.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    fn delete(&self, key: &str) -> Result<(), StoreError>;
}

impl<S: ObjectStore + ?Sized> ObjectStore for Arc<S> {
    fn describe(&self) -> String {
        (**self).describe()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        (**self).put_if_absent(key, body)
    }

    fn put_unique(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        (**self).put_unique(key, body)
    }

    fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        (**self).get(key)
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        (**self).get_range(key, range)
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        (**self).head(key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        (**self).list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        (**self).delete(key)
    }
}

/// Tells whether `part` may stand between two slashes of a key: letters, digits, '.', '_' and '-',
/// at most 255 of them, and no leading dot. Such names are those of temporaries and of `.` and `..`.
fn is_key_part(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=255).contains(&part.len()) && !part.starts_with('.') && part.bytes().all(allowed)
}

/// The most parts that a key has: a listing goes no deeper, whatever links in a directory say.
const MOST_PARTS: usize = 16;

/// Checks that `key` is one that every store can hold.
fn check_key(key: &str) -> Result<(), String> {
    if key.split('/').count() <= MOST_PARTS && key.split('/').all(is_key_part) {
        return Ok(());
    }
    Err("the key is not allowed: parts of letters, digits, '.', '_' and '-', joined by '/', \
         at most 16, none empty or beginning with '.'"
        .to_owned())
}

/// Checks that `prefix` is "" or a key followed by '/', and returns it without the '/'.
fn check_prefix(prefix: &str) -> Result<Option<&str>, String> {
    if prefix.is_empty() {
        return Ok(None);
    }
    let path = prefix.strip_suffix('/').ok_or("the prefix does not end in '/'")?;
    check_key(path)?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_leave_the_store_or_collide_are_refused() {
        for good in ["a", "a/b-c_d.json", "timelines/00/log/00000000000000000042", "A.b/c..d"] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        let long = "x".repeat(256);
        let deep = "x/".repeat(16) + "x";
        let bad = [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a b", "a\\b", "a\0b", "é", "a#1", ".hidden", "a%2e", "c:d",
            "a/.b.tmp", &long, &deep,
        ];
        for bad in bad {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_prefix_is_empty_or_ends_in_a_slash() {
        assert_eq!(check_prefix(""), Ok(None));
        assert_eq!(check_prefix("a/b/"), Ok(Some("a/b")));
        for bad in ["/", "a", "a/b", "../", "a//", "/a/"] {
            assert!(check_prefix(bad).is_err(), "{bad:?}");
        }
    }
}
