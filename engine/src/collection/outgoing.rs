//! What leaves a collection for its archive: synced operations, a manifest pinned while it is sent, and a limit to what may wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::Collection;
use super::snapshot::Snapshot;
use super::version::Version;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Lsn;
use crate::log::sealed::SealedFile;
use crate::log::{Outgoing, lost, outgoing};
use crate::manifest::store;

/// How far the archive has come with a collection that is written.
#[derive(Debug)]
pub(super) struct Archiving {
    archived: AtomicU64,
    backlog_limit: AtomicU64,
}

impl Default for Archiving {
    fn default() -> Self {
        Archiving { archived: AtomicU64::new(0), backlog_limit: AtomicU64::new(u64::MAX) }
    }
}

/// Finds the log file that holds a position and is not wholly here.
fn lazy_file(version: &Version, at: Lsn) -> Option<Arc<SealedFile>> {
    let holds = |file: &&Arc<SealedFile>| file.sealed.name.start <= at && at < file.sealed.end && file.lazy().is_some();
    version.log.files().iter().find(holds).cloned()
}

impl Collection {
    /// Reads operations from a position on, as bytes that may leave the machine: synced, every record checked. `None` when there are none.
    ///
    /// # Errors
    /// `Corrupt` naming file and offset, `Io`.
    pub fn outgoing(&self, from: Lsn, len_max: u64) -> Result<Option<Outgoing>> {
        let version = self.version();
        let Some(file) = lazy_file(&version, from) else {
            return outgoing::read(&*self.world.fs, &self.dir.log(), from, self.outgoing_end(), len_max);
        };
        let (bytes, sealed) = (file.record_bytes()?, file.sealed);
        let at = (from - sealed.name.start) as usize;
        let found = outgoing::cut(sealed.name, from, sealed.end, len_max, &mut |len| Ok(bytes.slice(at..at + len as usize)))?;
        Ok(Some(found))
    }

    /// Gives the position up to which the log may leave the machine.
    #[must_use]
    pub fn outgoing_end(&self) -> Lsn {
        let version = self.version();
        let appended = || lost::local_end(&self.world, &self.dir.log(), version.manifest.covered_lsn).map_or(0, |end| end.lsn);
        // What a version shows was synced before it was published.
        if self.world.known_bad.archive_unsynced { version.lsn_end.max(appended()) } else { version.lsn_end }
    }

    /// Reads log bytes between two positions as they lie here, to compare them with others.
    ///
    /// # Errors
    /// `Corrupt` when the log does not hold them, `Io`.
    pub fn outgoing_bytes(&self, from: Lsn, to: Lsn) -> Result<Bytes> {
        let version = self.version();
        let (mut at, mut parts) = (from, Vec::new());
        while let Some(file) = lazy_file(&version, at).filter(|_| at < to) {
            let (start, end) = (file.sealed.name.start, file.sealed.end.min(to));
            parts.extend_from_slice(&file.record_bytes()?[(at - start) as usize..(end - start) as usize]);
            at = end;
        }
        if parts.is_empty() {
            return outgoing::bytes(&*self.world.fs, &self.dir.log(), from, to);
        }
        if at < to {
            parts.extend_from_slice(&outgoing::bytes(&*self.world.fs, &self.dir.log(), at, to)?);
        }
        Ok(Bytes::from(parts))
    }

    /// Waits until every write that has its commit time is durable and visible, or refused.
    pub fn barrier(&self) {
        if let Some(writer) = &self.writer {
            drop(writer.lock());
        }
    }

    /// Takes a snapshot whose files stay though newer manifests are published meanwhile.
    ///
    /// # Errors
    /// As [`Collection::open_read`].
    pub fn pinned_snapshot(&self) -> Result<(Snapshot, store::Pin)> {
        loop {
            let pin = store::pin_newest(&self.world, &self.dir)?;
            let snapshot = self.snapshot();
            if snapshot.manifest().file_name() == pin.manifest.file_name() {
                return Ok((snapshot, pin));
            }
            // A manifest is on the disk a moment before the version that uses it.
            self.world.clock.sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Notes how far the archive has come, and how many bytes may wait for it.
    pub fn set_archived(&self, archived: Lsn, backlog_limit: u64) {
        self.archiving.archived.store(archived, Ordering::Release);
        self.archiving.backlog_limit.store(backlog_limit, Ordering::Release);
    }

    /// Gives the position that the archive has reached, as far as this process was told.
    #[must_use]
    pub fn archived(&self) -> Lsn {
        self.archiving.archived.load(Ordering::Acquire)
    }

    /// Refuses a write while too much waits to be archived.
    pub(super) fn check_backlog(&self) -> Result<()> {
        let limit = self.archiving.backlog_limit.load(Ordering::Acquire);
        let waiting = self.current.load().lsn_end.saturating_sub(self.archived());
        if waiting <= limit {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unreachable, "too much of the log waits to be archived; nothing was written")
            .with_object(&self.name)
            .with_expected(format!("at most {limit} bytes waiting"), format!("{waiting} bytes"))
            .with_hint("bring the archive back (\"vectra archive status\" says what fails), raise --backlog-limit, or \"vectra archive disable\" it"))
    }
}
