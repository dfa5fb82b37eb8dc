//! The machine's own file system.
#![expect(clippy::disallowed_methods, reason = "the door to the machine's files")]

use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rustix::fs::FlockOperation;

use super::create_dirs::create_dirs_durably;
use super::lock::HeldLock;
use super::{DirEntry, File, FileLock, FileSystem, IoError, LockKind, Mapping, Metadata, OpenMode, Result};

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFileSystem;

impl OsFileSystem {
    /// Returns the machine's file system.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

/// Turns what the system says into an error that names operation and path.
fn named<'a>(op: &'static str, path: &'a Path) -> impl Fn(io::Error) -> IoError + 'a {
    move |source| IoError::new(op, path, source)
}

impl FileSystem for OsFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::ReadWrite => {
                options.write(true);
            }
            OpenMode::CreateNew => {
                options.write(true).create_new(true);
            }
        }
        let op = if mode == OpenMode::CreateNew { "create" } else { "open" };
        let file = options.open(path).map_err(named(op, path))?;
        Ok(Arc::new(OsFile { file, path: path.to_owned() }))
    }

    fn metadata(&self, path: &Path) -> Result<Option<Metadata>> {
        match std::fs::metadata(path) {
            Ok(found) => Ok(Some(Metadata { len: found.len(), is_dir: found.is_dir(), device: found.dev() })),
            // A file where a directory was expected: nothing can exist below it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(IoError::new("look at", path, error)),
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(named("list", dir))? {
            let entry = entry.map_err(named("list", dir))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Links are followed: a directory moved to another disk and linked back still counts.
            let found = match std::fs::metadata(entry.path()) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(IoError::new("look at", entry.path(), error)),
            };
            entries.push(DirEntry { name, len: found.len(), is_dir: found.is_dir(), modified_micros: modified_micros(&found) });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        create_dirs_durably(self, path, |directory| std::fs::create_dir(directory).map_err(named("create directory", directory)))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to).map_err(named("rename", from))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(named("remove", path))
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(named("remove", path)),
        }
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let directory = std::fs::File::open(dir).map_err(named("sync directory", dir))?;
        match directory.sync_all() {
            // Some network file systems know no sync of a directory and keep names at once.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.map_err(named("sync directory", dir)),
        }
    }

    fn available_bytes(&self, path: &Path) -> Result<u64> {
        let found = rustix::fs::statvfs(path).map_err(|errno| IoError::new("measure the space at", path, errno.into()))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn lock(&self, path: &Path, kind: LockKind) -> Result<Option<FileLock>> {
        let operation = match kind {
            LockKind::Shared => FlockOperation::NonBlockingLockShared,
            LockKind::Exclusive => FlockOperation::NonBlockingLockExclusive,
        };
        loop {
            let mut options = std::fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(path).map_err(named("lock", path))?;
            match rustix::fs::flock(&file, operation) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(IoError::new("lock", path, errno.into())),
            }
            // Another holder may have removed the file between our open and our lock: a lock on a
            // file that has no name any more excludes nobody.
            let held = file.metadata().map_err(named("lock", path))?;
            match std::fs::metadata(path) {
                Ok(named_now) if (named_now.dev(), named_now.ino()) == (held.dev(), held.ino()) => {
                    return Ok(Some(FileLock::new(OsLock { file, path: path.to_owned() })));
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(IoError::new("lock", path, error));
                }
                _ => {}
            }
        }
    }
}

fn modified_micros(found: &std::fs::Metadata) -> u64 {
    let since = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[derive(Debug)]
struct OsFile {
    file: std::fs::File,
    path: PathBuf,
}

impl OsFile {
    fn named(&self, op: &'static str) -> impl Fn(io::Error) -> IoError + '_ {
        named(op, &self.path)
    }
}

impl File for OsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(self.named("look at"))?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        loop {
            match self.file.read_at(buf, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(self.named("read")),
            }
        }
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        // The standard library goes on after a short write and after an interruption.
        self.file.write_all_at(buf, offset).map_err(self.named("write"))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(self.named("set the length of"))
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data().map_err(self.named("sync"))
    }

    fn sync_all(&self) -> Result<()> {
        self.file.sync_all().map_err(self.named("sync"))
    }

    fn map(&self) -> Result<Mapping> {
        Mapping::of_file(&self.file, self.len()?).map_err(self.named("map"))
    }
}

#[derive(Debug)]
struct OsLock {
    file: std::fs::File,
    path: PathBuf,
}

impl HeldLock for OsLock {
    fn write_contents(&self, bytes: &[u8]) -> Result<()> {
        self.file.set_len(0).map_err(named("write", &self.path))?;
        self.file.write_all_at(bytes, 0).map_err(named("write", &self.path))
    }
}

#[cfg(test)]
mod tests;
