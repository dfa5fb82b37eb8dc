//! Sends the log: whole operations, one extent after the other, one put in flight.

use std::path::Path;

use engine::Database;
use engine::archived::{Archived, Reached};
use engine::error::Result;
use engine::ids::Lsn;
use engine::log::Outgoing;

use super::put::append_extent;
use super::{Archiver, EXTENT_BYTES, PassReport};
use crate::archive::Archive;

/// Reads operations from a position on: about so many bytes.
pub(super) type Source<'a> = &'a dyn Fn(Lsn, u64) -> Result<Option<Outgoing>>;

/// Reads the bytes between two positions, for comparing.
pub(super) type Own<'a> = &'a dyn Fn(Lsn, Lsn) -> Result<bytes::Bytes>;

/// How far a log is archived.
#[derive(Debug)]
pub(super) struct LogState {
    /// Everything below is archived.
    pub sent: Lsn,
}

impl LogState {
    pub fn new(sent: Lsn) -> Self {
        LogState { sent }
    }

    /// Sends everything below `end` that is not there yet.
    pub fn send(&mut self, archive: &Archive, end: Lsn, source: Source<'_>, own: Own<'_>, report: &mut PassReport) -> Result<()> {
        while self.sent < end {
            let Some(chunk) = source(self.sent, EXTENT_BYTES)? else { break };
            let appended = append_extent(archive, chunk.timeline, chunk.start, chunk.bytes.clone(), own);
            match appended {
                Ok(appended) => {
                    assert!(appended.end > self.sent, "an extent moves on");
                    self.sent = appended.end;
                    report.sent.log += appended.sent;
                    report.operations += if appended.sent > 0 { chunk.operations } else { 0 };
                }
                Err(error) => {
                    report.backlog += end - self.sent;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Archiver {
    /// Sends what is new of the catalog.
    pub(super) fn send_catalog(&mut self, database: &Database, report: &mut PassReport) -> Result<()> {
        if !self.catalog_is_described {
            super::identity::put_catalog(&self.archive, self.database)?;
            self.catalog_is_described = true;
        }
        let before = self.catalog.sent;
        let source: Source<'_> = &|from, len| database.catalog_outgoing(from, len);
        let own: Own<'_> = &|from, to| database.catalog_bytes(from, to);
        let sent = self.catalog.send(&self.archive, database.catalog_end()?, source, own, report);
        if self.catalog.sent > before {
            self.changed = true;
            let reached = Reached { lsn: self.catalog.sent, ..Reached::default() };
            keep(database, &database.catalog_dir(), self.archive.id.to_string(), reached)?;
        }
        sent
    }
}

fn keep(database: &Database, dir: &Path, archive: String, reached: Reached) -> Result<()> {
    let world = database.world();
    let mut kept = Archived::read(&*world.fs, dir)?;
    kept.archives.insert(archive, reached);
    kept.write(world, dir)
}
