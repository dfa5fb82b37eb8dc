//! A store in a network as a blocking one: each call is one request, in a bounded time.

use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::runtime::Runtime;

use super::failure::Failure;
use super::multipart;
use crate::object_store::{Body, ObjectMeta, ObjectStore, PutOutcome, StoreError, StoreErrorKind, StoreUrl, check_key, check_prefix};

/// How long a request without a body may take. Three of them are over in half a minute.
const PATIENCE: Duration = Duration::from_secs(9);
/// The last request of an upload in parts: the server puts them together.
const PATIENCE_TO_JOIN: Duration = Duration::from_secs(60);
/// Bytes a second that a line must carry.
const SLOWEST_LINE: u64 = 256 << 10;
/// Bodies above this go in parts, where that is allowed.
const MULTIPART_ABOVE: u64 = 16 << 20;
/// Threads that drive the connections of all stores of this process.
const WORKERS: usize = 2;

/// A bucket, or a part of one.
pub(super) struct RemoteStore {
    pub inner: Arc<dyn object_store::ObjectStore>,
    pub url: StoreUrl,
    /// The server, for messages.
    pub server: String,
    /// What must never be printed.
    pub secrets: Vec<String>,
    pub runtime: &'static Runtime,
}

/// Shows the place alone: the client below knows credentials.
impl std::fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteStore").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Returns the runtime that all stores in a network share.
pub(super) fn runtime() -> std::io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let made = builder.worker_threads(WORKERS).thread_name("object-store").enable_io().enable_time().build()?;
    Ok(RUNTIME.get_or_init(|| made))
}

/// How long a request that moves `bytes` may take.
fn limit(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / SLOWEST_LINE)
}

fn len_of(body: &Body) -> u64 {
    body.iter().map(|piece| piece.len() as u64).sum()
}

impl RemoteStore {
    /// Looks whether the bucket is there and may be listed.
    ///
    /// # Errors
    ///
    /// Fails with `NotFound` if there is no such bucket, and with what else is wrong with it.
    pub fn probe(&self) -> Result<(), StoreError> {
        let prefix = Path::from(self.url.prefix());
        let listed = self.wait(PATIENCE, self.inner.list_with_delimiter(Some(&prefix)));
        let without_bucket = |failure: &Failure| failure.answer.as_ref().is_some_and(|answer| answer.status == 404);
        match listed {
            Ok(_) => Ok(()),
            Err(failure) if without_bucket(&failure) => {
                let message = format!("there is no bucket \"{}\"", self.url.bucket());
                Err(self.error(StoreErrorKind::NotFound, "open", "", message))
            }
            Err(failure) => Err(self.failed("open", "", failure)),
        }
    }

    fn wait<T>(&self, limit: Duration, work: impl Future<Output = object_store::Result<T>>) -> Result<T, Failure> {
        match self.runtime.block_on(async { tokio::time::timeout(limit, work).await }) {
            Ok(done) => done.map_err(|error| Failure::read(&error, &self.url, &self.server)),
            Err(_) => Err(Failure::timeout(&self.server, limit.as_secs())),
        }
    }

    fn error(&self, kind: StoreErrorKind, op: &'static str, key: &str, message: String) -> StoreError {
        let message = self.secrets.iter().fold(message, |message, secret| message.replace(secret, "***"));
        StoreError { kind, op, key: key.to_owned(), store: self.describe(), message }
    }

    fn failed(&self, op: &'static str, key: &str, failure: Failure) -> StoreError {
        self.error(failure.kind, op, key, failure.message)
    }

    fn refused(&self, op: &'static str, key: &str, message: String) -> StoreError {
        self.error(StoreErrorKind::Other, op, key, message)
    }

    fn location(&self, op: &'static str, key: &str) -> Result<Path, StoreError> {
        check_key(key).map_err(|why| self.refused(op, key, why))?;
        let prefix = self.url.prefix();
        let whole = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") };
        Path::parse(whole).map_err(|error| self.refused(op, key, error.to_string()))
    }

    /// The whole place, with a '/' behind it where it has a name.
    fn prefix_with_slash(&self) -> String {
        let prefix = self.url.prefix();
        if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
    }

    fn get_part(&self, key: &str, range: Option<Range<u64>>) -> Result<Bytes, StoreError> {
        let location = self.location("get", key)?;
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let got = self.wait(PATIENCE, self.inner.get_opts(&location, options)).map_err(|failure| self.failed("get", key, failure))?;
        // Before the body: a range may come out of a damaged manifest.
        if let Some(range) = range.filter(|range| *range != got.range) {
            return Err(self.outside("get", key, &range, got.meta.size));
        }
        let expected = got.range.end - got.range.start;
        let bytes = self.wait(limit(expected), got.bytes()).map_err(|failure| self.failed("get", key, failure))?;
        if bytes.len() as u64 != expected {
            let message = format!("{} bytes came instead of {expected}", bytes.len());
            return Err(self.error(StoreErrorKind::Unreachable, "get", key, message));
        }
        Ok(bytes)
    }

    fn outside(&self, op: &'static str, key: &str, range: &Range<u64>, size: u64) -> StoreError {
        self.refused(op, key, format!("bytes {range:?} are not in an object of {size} bytes"))
    }

    /// Lists from behind `from` on until the end or a failure; what came is kept either way.
    fn list_on(&self, prefix: &Path, from: Option<&Path>, into: &mut Vec<object_store::ObjectMeta>) -> Result<(), Failure> {
        let mut pages = match from {
            None => self.inner.list(Some(prefix)),
            Some(last) => self.inner.list_with_offset(Some(prefix), last),
        };
        loop {
            let next = self.wait(PATIENCE, async { pages.next().await.transpose() })?;
            let Some(object) = next else { return Ok(()) };
            into.push(object);
        }
    }

    fn multipart(&self, key: &str, body: &Body) -> Result<PutOutcome, StoreError> {
        let location = self.location("put", key)?;
        let whole = limit(len_of(body)) + PATIENCE_TO_JOIN;
        let sent = self.wait(whole, multipart::upload(&*self.inner, &location, body));
        sent.map(|()| PutOutcome::Created).map_err(|failure| self.failed("put", key, failure))
    }
}

impl ObjectStore for RemoteStore {
    fn describe(&self) -> String {
        self.url.to_string()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        let location = self.location("put", key)?;
        let limit = limit(len_of(&body));
        let payload: PutPayload = body.into_iter().filter(|piece| !piece.is_empty()).collect();
        let options = PutOptions::from(PutMode::Create);
        match self.wait(limit, self.inner.put_opts(&location, payload, options)) {
            Ok(_) => Ok(PutOutcome::Created),
            Err(failure) if failure.answer.as_ref().is_some_and(|answer| answer.is_taken()) => Ok(PutOutcome::Exists),
            Err(failure) => Err(self.failed("put", key, failure)),
        }
    }

    fn put_unique(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        if len_of(&body) <= MULTIPART_ABOVE {
            return self.put_if_absent(key, body);
        }
        // Joining the parts would replace what is there: asked first, since nobody else puts to this key.
        match self.head(key)? {
            Some(_) => Ok(PutOutcome::Exists),
            None => self.multipart(key, &body),
        }
    }

    fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        self.get_part(key, None)
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        // Such ranges have no form in a request, or none that every server takes: the size decides.
        if range.start >= range.end || i64::try_from(range.end).is_err() {
            let Some(size) = self.head(key)? else {
                return Err(self.error(StoreErrorKind::NotFound, "get", key, "there is no such object".to_owned()));
            };
            let is_inside = range.start <= range.end && range.end <= size;
            return if is_inside { Ok(Bytes::new()) } else { Err(self.outside("get", key, &range, size)) };
        }
        self.get_part(key, Some(range))
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        let location = self.location("look at", key)?;
        match self.wait(PATIENCE, self.inner.head(&location)) {
            Ok(found) => Ok(Some(found.size)),
            Err(failure) if failure.kind == StoreErrorKind::NotFound => Ok(None),
            Err(failure) => Err(self.failed("look at", key, failure)),
        }
    }

    /// Goes on behind the last object when a page fails: a long list would else never be whole on a bad day.
    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        check_prefix(prefix).map_err(|why| self.refused("list", prefix, why))?;
        let root = self.prefix_with_slash();
        let below = Path::from(format!("{root}{prefix}"));
        let mut found = Vec::new();
        loop {
            let known = found.len();
            let last = found.last().map(|object: &object_store::ObjectMeta| object.location.clone());
            match self.list_on(&below, last.as_ref(), &mut found) {
                Ok(()) => break,
                Err(failure) if failure.kind == StoreErrorKind::Unreachable && found.len() > known => {}
                Err(failure) => return Err(self.failed("list", prefix, failure)),
            }
        }
        Ok(listing(&root, found))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        let location = self.location("delete", key)?;
        match self.wait(PATIENCE, self.inner.delete(&location)) {
            Err(failure) if failure.kind == StoreErrorKind::NotFound => Ok(()),
            deleted => deleted.map_err(|failure| self.failed("delete", key, failure)),
        }
    }
}

/// Turns what the crate listed into ours: keys below the root that a key can be, sorted.
fn listing(root: &str, found: Vec<object_store::ObjectMeta>) -> Vec<ObjectMeta> {
    let object = |found: object_store::ObjectMeta| {
        let key = found.location.as_ref().strip_prefix(root).filter(|key| check_key(key).is_ok())?.to_owned();
        let modified_micros = u64::try_from(found.last_modified.timestamp_micros()).unwrap_or(0);
        Some(ObjectMeta { key, size: found.size, modified_micros })
    };
    let mut objects: Vec<ObjectMeta> = found.into_iter().filter_map(object).collect();
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    objects.dedup_by(|a, b| a.key == b.key);
    // Consoles make an empty "x/" to show a folder, which reads as the key "x".
    let is_folder = |object: &ObjectMeta, all: &[ObjectMeta]| {
        let below = format!("{}/", object.key);
        let next = all.partition_point(|other| other.key.as_str() < below.as_str());
        object.size == 0 && all.get(next).is_some_and(|other| other.key.starts_with(&below))
    };
    let folders: Vec<bool> = objects.iter().map(|object| is_folder(object, &objects)).collect();
    objects.into_iter().zip(folders).filter(|(_, is_folder)| !is_folder).map(|(object, _)| object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_leaves_out_folders_and_what_no_key_can_be() {
        let names = ["p/b", "p/a", "p/a/x", "p/.hidden", "p/c d", "p", "q/x", "p/empty", "p/a-1", "p/b"];
        let found = names.map(|name| object_store::ObjectMeta {
            location: Path::parse(name).unwrap(),
            last_modified: Default::default(),
            size: 0,
            e_tag: None,
            version: None,
        });
        let keys: Vec<String> = listing("p/", found.to_vec()).into_iter().map(|object| object.key).collect();
        assert_eq!(keys, ["a-1", "a/x", "b", "empty"]);
    }

    #[test]
    fn a_request_is_given_time_for_its_bytes() {
        assert_eq!(limit(0), PATIENCE);
        assert_eq!(limit(64 << 20), PATIENCE + Duration::from_secs(256));
    }
}
