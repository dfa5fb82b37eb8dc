//! Stores outside of the process, through the `object_store` crate; tokio stays in here.
//!
//! A store in a directory runs with the crate's fsync option, which syncs each file, its directory
//! and the directories that it makes. Two things are added. A directory or object that was there
//! already may have been left unsynced by a killed process: its name and content are synced before
//! a put is acknowledged. The listing is ours (see `local.rs`). Deletes are not synced: what a
//! power cut brings back is garbage that the next collection removes.

use std::error::Error;
use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::local::{Directory, kind_of};
use super::{Body, ObjectMeta, ObjectStore, PutOutcome, StoreError, StoreErrorKind, check_key, check_prefix};
use crate::fs::{IoError, OsFileSystem};

/// Opens the store in the directory at `path`. When `create` is set it is made where it is missing,
/// with its parents, durably; a directory that cannot be written serves reads.
///
/// # Errors
///
/// Fails with `NotFound` if it is missing and `create` is not set or if it is a file, and with
/// `AccessDenied` if it may not be made or read.
pub fn open_directory(path: &Path, create: bool) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let directory = Directory::open(Arc::new(OsFileSystem::new()), path, create)?;
    let failed = |error: &(dyn Error + 'static)| StoreError {
        kind: kind_of_chain(error),
        op: "open",
        key: String::new(),
        store: path.display().to_string(),
        message: error.to_string(),
    };
    let inner = LocalFileSystem::new_with_prefix(path).map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().map_err(|error| failed(&error))?;
    Ok(Arc::new(DirectoryStore { inner: inner.with_fsync(true), directory, runtime }))
}

/// A store in a directory of this machine.
#[derive(Debug)]
struct DirectoryStore {
    inner: LocalFileSystem,
    directory: Directory,
    /// Drives the crate's futures; any number of threads may wait on it at once.
    runtime: tokio::runtime::Runtime,
}

impl DirectoryStore {
    fn wait<T>(&self, work: impl Future<Output = object_store::Result<T>>) -> object_store::Result<T> {
        self.runtime.block_on(work)
    }

    fn refused(&self, op: &'static str, key: &str, message: String) -> StoreError {
        self.error(StoreErrorKind::Other, op, key, message)
    }

    fn error(&self, kind: StoreErrorKind, op: &'static str, key: &str, message: String) -> StoreError {
        StoreError { kind, op, key: key.to_owned(), store: self.describe(), message }
    }

    fn failed(&self, op: &'static str, key: &str, error: &object_store::Error) -> StoreError {
        self.error(kind_of_crate(error), op, key, error.to_string())
    }

    fn location(&self, op: &'static str, key: &str) -> Result<object_store::path::Path, StoreError> {
        check_key(key).map_err(|why| self.refused(op, key, why))?;
        object_store::path::Path::parse(key).map_err(|error| self.refused(op, key, error.to_string()))
    }

    fn put_new(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        let location = self.location("put", key)?;
        let payload: PutPayload = body.into_iter().collect();
        let options = PutOptions::from(PutMode::Create);
        let put = self.wait(object_store::ObjectStore::put_opts(&self.inner, &location, payload, options));
        match put {
            Ok(_) => Ok(PutOutcome::Created),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(PutOutcome::Exists),
            Err(error) => Err(self.failed("put", key, &error)),
        }
    }
}

impl ObjectStore for DirectoryStore {
    fn describe(&self) -> String {
        self.directory.root.display().to_string()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        // Asked first, since the crate writes the whole body before it finds the key taken.
        let outcome = match self.head(key)? {
            Some(_) => PutOutcome::Exists,
            None => self.put_new(key, body)?,
        };
        let synced = match outcome {
            PutOutcome::Created => self.directory.sync_way_to(key),
            PutOutcome::Exists => match self.directory.sync_found(key) {
                // On read-only media nothing of it can be unsynced.
                Err(error) if error.is_read_only() => Ok(()),
                synced => synced,
            },
        };
        synced.map_err(|error: IoError| self.directory.error("put", key, &error))?;
        Ok(outcome)
    }

    fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        let location = self.location("get", key)?;
        let body = self.wait(async { self.inner.get(&location).await?.bytes().await });
        body.map_err(|error| self.failed("get", key, &error))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let location = self.location("get", key)?;
        // The size first: a length out of a damaged manifest must not become an allocation.
        let Some(size) = self.head(key)? else {
            let message = "there is no such object".to_owned();
            return Err(self.error(StoreErrorKind::NotFound, "get", key, message));
        };
        if range.start > range.end || range.end > size {
            let message = format!("bytes {range:?} are not in an object of {size} bytes");
            return Err(self.refused("get", key, message));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let expected = range.end - range.start;
        let part = self.wait(self.inner.get_range(&location, range));
        let part = part.map_err(|error| self.failed("get", key, &error))?;
        if part.len() as u64 != expected {
            let message = format!("{} bytes came instead of {expected}", part.len());
            return Err(self.refused("get", key, message));
        }
        Ok(part)
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        let location = self.location("look at", key)?;
        match self.wait(self.inner.head(&location)) {
            Ok(found) => Ok(Some(found.size)),
            Err(error) if kind_of_crate(&error) == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("look at", key, &error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let below = check_prefix(prefix).map_err(|why| self.refused("list", prefix, why))?;
        self.directory.list(below).map_err(|error| self.directory.error("list", prefix, &error))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        let location = self.location("delete", key)?;
        match self.wait(self.inner.delete(&location)) {
            Err(error) if kind_of_crate(&error) == StoreErrorKind::NotFound => Ok(()),
            deleted => deleted.map_err(|error| self.failed("delete", key, &error)),
        }
    }
}

fn kind_of_crate(error: &object_store::Error) -> StoreErrorKind {
    match error {
        object_store::Error::NotFound { .. } => StoreErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => StoreErrorKind::AccessDenied,
        other => kind_of_chain(other),
    }
}

/// Sorts an error by the system's error somewhere below it.
fn kind_of_chain(error: &(dyn Error + 'static)) -> StoreErrorKind {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(cause) = error.downcast_ref::<std::io::Error>() {
            return kind_of(cause);
        }
        next = error.source();
    }
    StoreErrorKind::Other
}

#[cfg(test)]
mod tests;
