//! What a piece of code may know of the outside: its files, its clock, its randomness.

use std::path::Path;
use std::sync::Arc;

use crate::clock::{Clock, OsClock};
use crate::fs::{self, FileSystem, OsFileSystem};
use crate::random::{OsRandom, Random};

/// The outside world that a database lives in; cheap to clone.
#[derive(Clone, Debug)]
pub struct World {
    /// Files and directories.
    pub fs: Arc<dyn FileSystem>,
    /// Wall time, monotonic time, and waiting.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids and seeds.
    pub random: Arc<dyn Random>,
    /// Deliberate mistakes; all off outside tests.
    pub known_bad: KnownBad,
}

impl World {
    /// Returns the machine that this process runs on.
    #[must_use]
    pub fn real() -> Self {
        Self {
            fs: Arc::new(OsFileSystem::new()),
            clock: Arc::new(OsClock::new()),
            random: Arc::new(OsRandom::new()),
            known_bad: KnownBad::default(),
        }
    }

    /// Replaces the file at `path` as [`fs::write_file_durably`] does, except that
    /// [`KnownBad::rename_without_dir_sync`] leaves the last step out.
    ///
    /// # Errors
    ///
    /// Fails as [`fs::write_file_durably`] does.
    pub fn write_file_durably(&self, path: &Path, bytes: &[u8]) -> fs::Result<()> {
        let sync_directory = !self.known_bad.rename_without_dir_sync;
        fs::replace_file(&*self.fs, path, bytes, sync_directory)
    }
}

/// Deliberate mistakes that the crash and simulation suites must catch.
///
/// Only tests set these: each one switches a rule that keeps data off, to prove that the suite
/// notices. Nothing that a user can reach writes to this struct.
#[expect(clippy::struct_excessive_bools, reason = "each switch is independent of the others")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownBad {
    /// A write is acknowledged before its bytes are synced.
    pub ack_before_sync: bool,
    /// A file is renamed into place and its directory is not synced.
    pub rename_without_dir_sync: bool,
    /// Recovery steps over a bad record and goes on behind it.
    pub skip_bad_record: bool,
    /// Recovery calls every bad record that has a valid one behind it corruption.
    pub valid_after_bad_is_corruption: bool,
    /// Recovery cuts the log at the first bad record, whatever follows.
    pub always_cut: bool,
    /// An object store says that a put is done and has synced nothing.
    pub objects_not_synced: bool,
    /// The archiver closes a time before what was committed below it is archived.
    pub close_before_sent: bool,
    /// The archiver sends bytes of the log that were appended and not synced.
    pub archive_unsynced: bool,
    /// The archiver puts the description of a state before the objects that it names.
    pub base_before_objects: bool,
    /// Cleaning removes log files before a manifest says that nothing stands in them.
    pub unlink_before_manifest: bool,
    /// Cleaning removes log files that are not archived yet.
    pub unlink_unarchived: bool,
    /// A move holds for whatever its point has now, though it was overwritten since.
    pub move_blindly: bool,
}
