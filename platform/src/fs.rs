//! Files: the interface, and what every file system offers on top of it.
//!
//! [`OsFileSystem`] is the machine's; [`SimDisk`] is a disk in memory that keeps durable and
//! volatile bytes apart and can lose power. Nothing is durable until it was synced: the content of
//! a file by [`File::sync_data`], its name by [`FileSystem::sync_dir`] of its directory. A sync
//! that failed is never tried again: the system may have dropped the bytes and forgotten it.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod create_dirs;
mod lock;
mod mmap;
mod os;
mod sim;

pub use lock::FileLock;
pub use mmap::{Advice, Mapping};
pub use os::OsFileSystem;
pub use sim::{CrashKeep, SECTOR, SimDisk, SyncFault, is_power_cut};

/// Why a call on a file or directory failed.
#[derive(Debug)]
pub struct IoError {
    /// What was tried, as a verb: "open", "write".
    pub op: &'static str,
    /// The file or directory that it was tried on.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl IoError {
    /// Returns an error that names the operation, the path and the cause.
    pub fn new(op: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { op, path: path.into(), source }
    }

    /// Returns the kind of the system's error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Tells whether the file or directory does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == io::ErrorKind::NotFound
    }

    /// Tells whether there was no room: a full disk, a quota, or a limit on the size of a file.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }

    /// Tells whether this process may not write there: read-only media, or no permission.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        matches!(self.kind(), ReadOnlyFilesystem | PermissionDenied)
    }
}

impl std::fmt::Display for IoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} \"{}\": {}", self.op, self.path.display(), self.source)
    }
}

impl std::error::Error for IoError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The result of a call on a file or directory.
pub type Result<T> = std::result::Result<T, IoError>;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    ReadWrite,
    /// A new file, to read and write; an existing one is an error (`AlreadyExists`).
    CreateNew,
}

/// How many may hold a lock at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Any number of shared holders.
    Shared,
    /// One holder, and no shared ones.
    Exclusive,
}

/// What is known of a file or directory without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Length in bytes.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// The device that it lies on: two paths with the same number share one disk's fate.
    pub device: u64,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name, without its directory.
    pub name: String,
    /// Length in bytes; of no meaning for a directory.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// When its content last changed, microseconds since 1970 UTC; 0 where nobody knows.
    pub modified_micros: u64,
}

/// A tree of files and directories.
pub trait FileSystem: Send + Sync + Debug {
    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// Fails if the file is missing, exists already (`CreateNew`), or may not be accessed.
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>>;

    /// Returns what is known of `path`; `None` if nothing is there. Follows symbolic links.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot tell.
    fn metadata(&self, path: &Path) -> Result<Option<Metadata>>;

    /// Returns the entries of `dir`, sorted by name. Names that are not UTF-8 are left out, and so
    /// are entries that vanish while the directory is read.
    ///
    /// # Errors
    ///
    /// Fails if `dir` is not a directory or cannot be read.
    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>>;

    /// Creates the directory at `path` and what is missing above it, durably: each parent in which
    /// a name may be new is synced.
    ///
    /// # Errors
    ///
    /// Fails if a part of the path is a file, or may not be written or synced.
    fn create_dir_all(&self, path: &Path) -> Result<()>;

    /// Renames a file or directory; an existing file at `to` is replaced in one step. Durable once
    /// the directory of `to` (and for a move between directories that of `from`) is synced.
    ///
    /// # Errors
    ///
    /// Fails if `from` is missing, `to` is a directory with entries, or a directory is missing.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes the file at `path`.
    ///
    /// # Errors
    ///
    /// Fails if it is missing, is a directory, or may not be removed.
    fn remove_file(&self, path: &Path) -> Result<()>;

    /// Removes the directory at `path` with all that is in it; done when it is absent.
    ///
    /// # Errors
    ///
    /// Fails if something in it may not be removed; what was removed before stays removed.
    fn remove_dir_all(&self, path: &Path) -> Result<()>;

    /// Makes the names in `dir` durable: what was created, renamed and removed there.
    ///
    /// # Errors
    ///
    /// Fails if the device does. What is durable then is unknown; it must not be tried again.
    fn sync_dir(&self, dir: &Path) -> Result<()>;

    /// Returns how many bytes an ordinary user may still write where `path` (which exists) lies.
    ///
    /// # Errors
    ///
    /// Fails if `path` does not exist.
    fn available_bytes(&self, path: &Path) -> Result<u64>;

    /// Takes an advisory lock on the file at `path`, creating the file when it is missing; `None`
    /// if somebody else holds it, be it in this process. Never waits.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened for writing, as in a read-only directory.
    fn lock(&self, path: &Path, kind: LockKind) -> Result<Option<FileLock>>;
}

/// An open file. Reads and writes name their offset, so threads share one handle.
#[expect(clippy::len_without_is_empty, reason = "a length that can fail is not a container's")]
pub trait File: Send + Sync + Debug {
    /// Returns the path that the file was opened by.
    fn path(&self) -> &Path;

    /// Returns the length in bytes.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot tell.
    fn len(&self) -> Result<u64>;

    /// Reads into `buf` from `offset` and returns how many bytes came; 0 only at the end.
    ///
    /// # Errors
    ///
    /// Fails if the device does.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    ///
    /// Fails if the device does, or with `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while done < buf.len() {
            let count = self.read_at(&mut buf[done..], offset.saturating_add(done as u64))?;
            if count == 0 {
                let source = io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the file ends before byte {}", offset.saturating_add(buf.len() as u64)),
                );
                return Err(IoError::new("read", self.path(), source));
            }
            done += count;
        }
        Ok(())
    }

    /// Writes all of `buf` at `offset`; a gap before it reads as zeros.
    ///
    /// # Errors
    ///
    /// Fails if the device does or has no room; any part of `buf` may have been written then.
    fn write_all_at(&self, buf: &[u8], offset: u64) -> Result<()>;

    /// Cuts the file to `len` bytes, or extends it with zeros.
    ///
    /// # Errors
    ///
    /// Fails if the device does or has no room.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Makes the content and the length durable.
    ///
    /// # Errors
    ///
    /// Fails if the device does. The unsynced bytes may be lost even if a later sync succeeds, so
    /// it must not be tried again.
    fn sync_data(&self) -> Result<()>;

    /// Makes the content and all metadata durable.
    ///
    /// # Errors
    ///
    /// Fails as [`File::sync_data`] does.
    fn sync_all(&self) -> Result<()>;

    /// Maps the whole file, as long as it is now, read-only. Bytes written afterwards may or may
    /// not be seen, so only sealed files are mapped.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot map it.
    fn map(&self) -> Result<Mapping>;
}

/// Returns the content of the file at `path`, to its end, whatever length its metadata names.
///
/// # Errors
///
/// Fails if the file is missing or cannot be read.
pub fn read_file(fs: &dyn FileSystem, path: &Path) -> Result<Vec<u8>> {
    const STEP: usize = 64 << 10;
    let file = fs.open(path, OpenMode::Read)?;
    let expected = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    loop {
        let start = bytes.len();
        // One byte more than expected: the read behind the last one then says "end" at once.
        let room = expected.saturating_sub(start).saturating_add(1).clamp(64, 64 * STEP);
        bytes.resize(start + room, 0);
        let count = file.read_at(&mut bytes[start..], start as u64)?;
        bytes.truncate(start + count);
        if count == 0 {
            return Ok(bytes);
        }
    }
}

/// Puts `bytes` at `path`, replacing what is there; after a crash the old or the new content is
/// found, and the new one once this has returned. One writer at a time: the temporary name is
/// `.<name>.tmp` beside it, and a leftover of that name is replaced.
///
/// # Errors
///
/// Fails if there is no room or the device fails; the old content is untouched unless only the
/// last step, the sync of the directory, failed.
pub fn write_file_durably(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> Result<()> {
    replace_file(fs, path, bytes, true)
}

pub(crate) fn replace_file(fs: &dyn FileSystem, path: &Path, bytes: &[u8], sync_directory: bool) -> Result<()> {
    let invalid = |why| IoError::new("write", path, io::Error::new(io::ErrorKind::InvalidInput, why));
    let name = path.file_name().ok_or_else(|| invalid("the path has no file name"))?;
    let name = name.to_str().ok_or_else(|| invalid("the file name is not UTF-8"))?;
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    let written = write_new(fs, &temporary, bytes).and_then(|()| fs.rename(&temporary, path));
    if let Err(error) = written {
        // On a full disk the leftover would hold the very space that is missing.
        let _ = fs.remove_file(&temporary);
        return Err(error);
    }
    if sync_directory { fs.sync_dir(parent(path)) } else { Ok(()) }
}

fn write_new(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> Result<()> {
    let file = match fs.open(path, OpenMode::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs.remove_file(path)?;
            fs.open(path, OpenMode::CreateNew)?
        }
        opened => opened?,
    };
    file.write_all_at(bytes, 0)?;
    file.sync_all()
}

/// Returns the directory that holds the name of `path`: "." for a bare name, itself for a root.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

#[cfg(test)]
mod tests;
