//! What every store in a directory shares: keys as paths, the listing, and durable names.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{MOST_PARTS, ObjectMeta, StoreError, StoreErrorKind, is_key_part};
use crate::fs::{FileSystem, IoError, OpenMode, parent};

/// A directory that holds objects, one file each.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) root: PathBuf,
    /// Directories whose names this process has made durable, up to the root.
    durable: Mutex<BTreeSet<PathBuf>>,
}

impl Directory {
    /// Opens the directory at `root`, which is made when `create` is set and it is missing.
    pub(super) fn open(fs: Arc<dyn FileSystem>, root: &Path, create: bool) -> Result<Self, StoreError> {
        let directory = Self { fs, root: root.to_owned(), durable: Mutex::new(BTreeSet::new()) };
        let found = directory.fs.metadata(root).map_err(|error| directory.error("open", "", &error))?;
        match found {
            Some(found) if !found.is_dir => {
                let error = IoError::new("open", root, ErrorKind::NotADirectory.into());
                return Err(directory.error("open", "", &error));
            }
            // Also where it exists: the name may be one that a killed process did not sync.
            _ if create => {
                let made = directory.fs.create_dir_all(root);
                made.map_err(|error| directory.error("create", "", &error))?;
            }
            Some(_) => {}
            None => {
                let error = IoError::new("open", root, ErrorKind::NotFound.into());
                return Err(directory.error("open", "", &error));
            }
        }
        Ok(directory)
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        debug_assert!(key.split('/').all(is_key_part), "keys are checked before they become paths");
        self.root.join(key)
    }

    pub(super) fn error(&self, op: &'static str, key: &str, error: &IoError) -> StoreError {
        StoreError {
            kind: kind_of(&error.source),
            op,
            key: key.to_owned(),
            store: self.root.display().to_string(),
            message: error.to_string(),
        }
    }

    /// Returns the size of the object at `key`.
    pub(super) fn head(&self, key: &str) -> crate::fs::Result<Option<u64>> {
        let found = self.fs.metadata(&self.path(key))?;
        Ok(found.filter(|found| !found.is_dir).map(|found| found.len))
    }

    /// Lists the files below `prefix` whose names a key can have, sorted by key.
    ///
    /// The walk is ours and not the store crate's, which fails the whole list at one name that is
    /// not UTF-8 or one directory (`lost+found`) that it may not read.
    pub(super) fn list(&self, prefix: Option<&str>) -> crate::fs::Result<Vec<ObjectMeta>> {
        // A root that is gone (unmounted) is an error: an empty list would read as "no backups".
        self.fs.list(&self.root)?;
        let mut objects = Vec::new();
        let mut open = vec![prefix.unwrap_or("").to_owned()];
        while let Some(below) = open.pop() {
            let entries = match self.fs.list(&self.root.join(&below)) {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                entries => entries?,
            };
            for entry in entries.into_iter().filter(|entry| is_key_part(&entry.name)) {
                let key = if below.is_empty() { entry.name } else { format!("{below}/{}", entry.name) };
                if !entry.is_dir {
                    let (size, modified_micros) = (entry.len, entry.modified_micros);
                    objects.push(ObjectMeta { key, size, modified_micros });
                } else if key.split('/').count() < MOST_PARTS {
                    open.push(key);
                }
            }
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// Makes the names on the way from the root to `key` durable, where this process has not yet:
    /// a process that was killed may have made any of them without syncing it.
    pub(super) fn sync_way_to(&self, key: &str) -> crate::fs::Result<()> {
        let path = self.path(key);
        let last = parent(&path).to_owned();
        if self.durable.lock().contains(&last) {
            return Ok(());
        }
        for directory in last.ancestors().take_while(|directory| directory.starts_with(&self.root)) {
            self.fs.sync_dir(directory)?;
        }
        self.durable.lock().insert(last);
        Ok(())
    }

    /// Makes an object that somebody else put durable: its content, its name, and the way to it.
    pub(super) fn sync_found(&self, key: &str) -> crate::fs::Result<()> {
        let path = self.path(key);
        self.fs.open(&path, OpenMode::Read)?.sync_all()?;
        self.fs.sync_dir(parent(&path))?;
        self.sync_way_to(key)
    }
}

/// Sorts an error of the system by what a caller can do about it.
pub(super) fn kind_of(error: &std::io::Error) -> StoreErrorKind {
    match error.kind() {
        // Below a file nothing can exist.
        ErrorKind::NotFound | ErrorKind::NotADirectory => StoreErrorKind::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreErrorKind::AccessDenied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreErrorKind::NoSpace,
        ErrorKind::TimedOut
        | ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::StaleNetworkFileHandle => StoreErrorKind::Unreachable,
        _ => StoreErrorKind::Other,
    }
}
