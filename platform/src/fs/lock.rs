//! A held lock on a file, whichever file system gave it.

use std::fmt::Debug;

use super::Result;

/// A lock on a file; it is released when this is dropped.
#[derive(Debug)]
pub struct FileLock {
    held: Box<dyn HeldLock>,
}

/// What a file system keeps alive while a lock is held; dropping it releases the lock.
pub(crate) trait HeldLock: Send + Sync + Debug {
    fn write_contents(&self, bytes: &[u8]) -> Result<()>;
}

impl FileLock {
    pub(crate) fn new(held: impl HeldLock + 'static) -> Self {
        Self { held: Box::new(held) }
    }

    /// Replaces the content of the locked file, for others to read; not synced.
    ///
    /// # Errors
    ///
    /// Fails if the device does or has no room.
    pub fn write_contents(&self, bytes: &[u8]) -> Result<()> {
        self.held.write_contents(bytes)
    }
}
