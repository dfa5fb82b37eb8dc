//! A store on any file system, so that backups run on a simulated disk that loses power.
//!
//! It does what a store in a real directory does: write a temporary beside the place, sync it,
//! give it its name if that is free, sync the directory.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::local::Directory;
use super::{Body, ObjectMeta, ObjectStore, PutOutcome, StoreError, StoreErrorKind, check_key, check_prefix};
use crate::KnownBad;
use crate::fs::{self, File, FileSystem, IoError, OpenMode, parent, read_file};

/// Held while a name is looked at and taken: the file systems here have no rename that refuses to
/// replace. One lock for all, since several stores may share a disk.
static PUBLISH: Mutex<()> = Mutex::new(());

/// A store in a directory of a file system.
#[derive(Debug)]
pub struct SimStore {
    directory: Directory,
    /// From [`KnownBad::objects_not_synced`].
    not_synced: bool,
}

impl SimStore {
    /// Opens the store at `root`; the directory is made when it is missing.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be made.
    pub fn open(fs: Arc<dyn FileSystem>, root: &Path, known_bad: KnownBad) -> Result<Self, StoreError> {
        let directory = Directory::open(fs, root, true)?;
        Ok(Self { directory, not_synced: known_bad.objects_not_synced })
    }

    fn check(&self, op: &'static str, key: &str) -> Result<(), StoreError> {
        check_key(key).map_err(|why| self.refused(op, key, why))
    }

    fn refused(&self, op: &'static str, key: &str, message: String) -> StoreError {
        let (key, store) = (key.to_owned(), self.describe());
        StoreError { kind: StoreErrorKind::Other, op, key, store, message }
    }

    fn put(&self, key: &str, body: &Body) -> fs::Result<PutOutcome> {
        if self.directory.head(key)?.is_some() {
            return self.found(key);
        }
        let path = self.directory.path(key);
        let (temporary, file) = self.temporary(&path)?;
        let outcome = self.fill(&*file, body).and_then(|()| self.publish(&temporary, &path));
        if !matches!(outcome, Ok(PutOutcome::Created)) {
            // On a full disk the leftover would hold the very space that is missing.
            let _ = self.directory.fs.remove_file(&temporary);
        }
        match outcome? {
            PutOutcome::Exists => self.found(key),
            PutOutcome::Created if self.not_synced => Ok(PutOutcome::Created),
            PutOutcome::Created => {
                self.directory.fs.sync_dir(parent(&path))?;
                self.directory.sync_way_to(key)?;
                Ok(PutOutcome::Created)
            }
        }
    }

    fn found(&self, key: &str) -> fs::Result<PutOutcome> {
        if !self.not_synced {
            self.directory.sync_found(key)?;
        }
        Ok(PutOutcome::Exists)
    }

    /// Creates a file beside `path` under a name that no key can have.
    fn temporary(&self, path: &Path) -> fs::Result<(PathBuf, Arc<dyn File>)> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut number = 1;
        let mut made = false;
        loop {
            let temporary = path.with_file_name(format!("{name}#{number}"));
            match self.directory.fs.open(&temporary, OpenMode::CreateNew) {
                Ok(file) => return Ok((temporary, file)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) if error.is_not_found() && !made => {
                    self.directory.fs.create_dir_all(parent(path))?;
                    made = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn fill(&self, file: &dyn File, body: &Body) -> fs::Result<()> {
        let mut offset = 0;
        for piece in body {
            file.write_all_at(piece, offset)?;
            offset += piece.len() as u64;
        }
        if self.not_synced { Ok(()) } else { file.sync_all() }
    }

    fn publish(&self, temporary: &Path, path: &Path) -> fs::Result<PutOutcome> {
        let _one_at_a_time = PUBLISH.lock();
        match self.directory.fs.metadata(path)? {
            Some(found) if found.is_dir => Err(IoError::new("put", path, ErrorKind::IsADirectory.into())),
            Some(_) => Ok(PutOutcome::Exists),
            None => self.directory.fs.rename(temporary, path).map(|()| PutOutcome::Created),
        }
    }

    fn open_object(&self, key: &str) -> fs::Result<Arc<dyn File>> {
        let path = self.directory.path(key);
        match self.directory.fs.metadata(&path)? {
            Some(found) if !found.is_dir => self.directory.fs.open(&path, OpenMode::Read),
            _ => Err(IoError::new("open", path, ErrorKind::NotFound.into())),
        }
    }
}

impl ObjectStore for SimStore {
    fn describe(&self) -> String {
        self.directory.root.display().to_string()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.check("put", key)?;
        self.put(key, &body).map_err(|error| self.directory.error("put", key, &error))
    }

    fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        self.check("get", key)?;
        let read = self.open_object(key).and_then(|file| read_file(&*self.directory.fs, file.path()));
        read.map(Bytes::from).map_err(|error| self.directory.error("get", key, &error))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.check("get", key)?;
        let failed = |error: IoError| self.directory.error("get", key, &error);
        let file = self.open_object(key).map_err(failed)?;
        let size = file.len().map_err(failed)?;
        let Some(count) = range.end.checked_sub(range.start).filter(|_| range.end <= size) else {
            let message = format!("bytes {range:?} are not in an object of {size} bytes");
            return Err(self.refused("get", key, message));
        };
        let count = usize::try_from(count).map_err(|_| self.refused("get", key, "the range exceeds memory".to_owned()))?;
        let mut bytes = vec![0; count];
        file.read_exact_at(&mut bytes, range.start).map_err(failed)?;
        Ok(bytes.into())
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        self.check("look at", key)?;
        self.directory.head(key).map_err(|error| self.directory.error("look at", key, &error))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let below = check_prefix(prefix).map_err(|why| self.refused("list", prefix, why))?;
        self.directory.list(below).map_err(|error| self.directory.error("list", prefix, &error))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.check("delete", key)?;
        match self.open_object(key).and_then(|file| self.directory.fs.remove_file(file.path())) {
            Err(error) if error.is_not_found() => Ok(()),
            removed => removed.map_err(|error| self.directory.error("delete", key, &error)),
        }
    }
}

#[cfg(test)]
mod tests;
