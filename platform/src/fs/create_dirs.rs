//! Creating a chain of directories durably, the same way on every file system.

use std::io::ErrorKind;
use std::path::Path;

use super::{FileSystem, IoError, Result, parent};

/// Creates what is missing of `path` with `make`, which creates one directory whose parent exists.
///
/// The parent of the deepest directory that existed is synced too: a process that was killed
/// between making that directory and syncing its name may have left it, and everything below would
/// be lost with it.
pub(super) fn create_dirs_durably(fs: &dyn FileSystem, path: &Path, make: impl Fn(&Path) -> Result<()>) -> Result<()> {
    let mut missing = Vec::new();
    let mut at = path;
    loop {
        match fs.metadata(at)? {
            Some(found) if found.is_dir => break,
            Some(_) => {
                let source = std::io::Error::from(ErrorKind::NotADirectory);
                return Err(IoError::new("create directory", at, source));
            }
            None if parent(at) == at => {
                let source = std::io::Error::from(ErrorKind::NotFound);
                return Err(IoError::new("create directory", at, source));
            }
            None => missing.push(at),
        }
        at = parent(at);
    }
    if parent(at) != at {
        match fs.sync_dir(parent(at)) {
            // Not ours to write, so not made by a killed process of ours either.
            Err(error) if error.is_read_only() => {}
            synced => synced?,
        }
    }
    for directory in missing.into_iter().rev() {
        match make(directory) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
        fs.sync_dir(parent(directory))?;
    }
    Ok(())
}
