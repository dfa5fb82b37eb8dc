//! What continuous archiving needs of a database: its settings, its catalog's log, closed times, and what was dropped before it was archived.

use std::path::{Path, PathBuf};

use platform::World;

use super::{Database, dropped_dir};
use crate::archived::Archived;
use crate::catalog::{self, ArchiveSettings, CatalogEntry};
use crate::codec::checksum::{seal, unseal};
use crate::collection::Collection;
use crate::error::{Error, Result};
use crate::ids::{CommitTime, Incarnation, Lsn};
use crate::log::Outgoing;

fn closed_path(dir: &Path) -> PathBuf {
    dir.join("CLOSED")
}

/// Reads the newest time that was closed: every later commit time is larger, whatever the clock says.
pub(super) fn closed(world: &World, dir: &Path) -> Result<CommitTime> {
    let path = closed_path(dir);
    if world.fs.metadata(&path)?.is_none() {
        return Ok(0);
    }
    let stored = platform::fs::read_file(&*world.fs, &path)?;
    let wrong =
        || Error::corrupt("the note of the closed time is damaged").with_file(&path).with_hint("remove the file when the clock is right");
    let text = unseal(&stored).map_err(|_| wrong())?;
    std::str::from_utf8(text).ok().and_then(|text| text.trim_end().parse().ok()).ok_or_else(wrong)
}

impl Database {
    /// Begins to archive what is written under a name, changes how, or ends it.
    ///
    /// # Errors
    /// `Locked` on a reader, `Io`, `NoSpace`.
    pub fn set_archive(&self, name: &str, archive: Option<ArchiveSettings>) -> Result<()> {
        let _changing = self.changing.lock();
        if self.state().archives.get(name) == archive.as_ref() {
            return Ok(());
        }
        self.commit(&CatalogEntry::SetArchive { name: name.to_owned(), archive })
    }

    /// Reads entries of the catalog from a position on, as bytes that may leave the machine; `None` when there are none.
    ///
    /// # Errors
    /// `Corrupt`, `Io`; `Locked` on a reader.
    pub fn catalog_outgoing(&self, from: Lsn, len_max: u64) -> Result<Option<Outgoing>> {
        self.writable()?.lock().outgoing(&self.world, &self.dir, from, len_max)
    }

    /// Reads bytes of the catalog's log between two positions, to compare them with others.
    ///
    /// # Errors
    /// `Corrupt` when the log does not hold them, `Io`.
    pub fn catalog_bytes(&self, from: Lsn, to: Lsn) -> Result<bytes::Bytes> {
        crate::log::outgoing::bytes(&*self.world.fs, &self.catalog_dir(), from, to)
    }

    /// Gives the position behind the last durable entry of the catalog.
    ///
    /// # Errors
    /// `Locked` on a reader.
    pub fn catalog_end(&self) -> Result<Lsn> {
        Ok(self.writable()?.lock().end())
    }

    /// Gives the directory of the catalog's log.
    #[must_use]
    pub fn catalog_dir(&self) -> PathBuf {
        catalog::dir(&self.dir)
    }

    /// Draws a commit time that lies behind everything that has one.
    #[must_use]
    pub fn draw_time(&self) -> CommitTime {
        self.clock.next()
    }

    /// Promises, durably, that nothing is committed at or before a time any more.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn close_time(&self, time: CommitTime) -> Result<()> {
        Ok(self.world.write_file_durably(&closed_path(&self.dir), &seal(format!("{time}\n").into_bytes()))?)
    }

    /// Opens a dropped life, for what of it is not archived yet.
    ///
    /// # Errors
    /// As [`Database::collection`].
    pub fn dropped_collection(&self, name: &str, incarnation: Incarnation) -> Result<Collection> {
        let root = self.dropped_dir(incarnation);
        Collection::open_read_with(&self.world, name, &root, incarnation, &self.clock, self.ranges.as_ref())
    }

    /// Gives the directory of a dropped life.
    #[must_use]
    pub fn dropped_dir(&self, incarnation: Incarnation) -> PathBuf {
        dropped_dir(&self.dir).join(incarnation.to_string())
    }

    /// Takes back the note that a dropped life is archived for good: it is about to be written to again.
    pub(super) fn note_incomplete(&self, incarnation: Incarnation) -> Result<()> {
        let dir = self.dropped_dir(incarnation);
        let mut archived = Archived::read(&*self.world.fs, &dir)?;
        if archived.archives.values().any(|reached| reached.complete) {
            archived.archives.values_mut().for_each(|reached| reached.complete = false);
            archived.write(&self.world, &dir)?;
        }
        Ok(())
    }

    /// Says whether everything of a dropped life is in every archive that it was sent to.
    pub(super) fn is_archived(&self, incarnation: Incarnation) -> bool {
        let read = Archived::read(&*self.world.fs, &self.dropped_dir(incarnation));
        read.is_ok_and(|archived| !archived.archives.is_empty() && archived.archives.values().all(|reached| reached.complete))
    }
}
