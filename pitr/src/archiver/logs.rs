//! Sends the log: whole operations, one extent after the other, one put in flight. The own timeline goes through the fence.

use std::path::Path;

use bytes::Bytes;
use engine::Database;
use engine::archived::{Archived, Reached};
use engine::collection::Collection;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use engine::log::Outgoing;
use engine::manifest::Span;

use super::cleaned::{self, Cleaned};
use super::{Archiver, EXTENT_BYTES, PassReport, ancestors};
use crate::archive::Archive;
use crate::fence::appender::Appender;
use crate::fence::drive::{LogSource, append_extent, open_appender, raise_boundary};

/// A log that is archived.
pub(super) trait Outbox {
    /// Gives the position up to which it is synced.
    fn end(&self) -> Lsn;
    /// Reads whole operations from a position on, about so many bytes.
    fn operations(&self, from: Lsn, len: u64) -> Result<Option<Outgoing>>;
    /// Reads the bytes between two positions.
    fn bytes(&self, from: Lsn, to: Lsn) -> Result<Bytes>;
    /// Gives the state whose log is to be sent piece by piece, where files behind a position are gone.
    fn cleaned(&self, from: Lsn) -> Result<Option<Cleaned>>;
}

impl Outbox for Collection {
    fn end(&self) -> Lsn {
        self.outgoing_end()
    }

    fn operations(&self, from: Lsn, len: u64) -> Result<Option<Outgoing>> {
        self.outgoing(from, len)
    }

    fn bytes(&self, from: Lsn, to: Lsn) -> Result<Bytes> {
        self.outgoing_bytes(from, to)
    }

    fn cleaned(&self, from: Lsn) -> Result<Option<Cleaned>> {
        let kept_from = self.kept_from()?;
        if kept_from <= from {
            return Ok(None);
        }
        let (snapshot, pin) = self.pinned_snapshot()?;
        Ok(Some(Cleaned { snapshot, pin, kept_from }))
    }
}

/// The catalog of a database, as a log.
pub(super) struct CatalogBox<'a>(pub &'a Database);

impl Outbox for CatalogBox<'_> {
    fn end(&self) -> Lsn {
        self.0.catalog_end().unwrap_or(0)
    }

    fn operations(&self, from: Lsn, len: u64) -> Result<Option<Outgoing>> {
        self.0.catalog_outgoing(from, len)
    }

    fn bytes(&self, from: Lsn, to: Lsn) -> Result<Bytes> {
        self.0.catalog_bytes(from, to)
    }

    fn cleaned(&self, _: Lsn) -> Result<Option<Cleaned>> {
        Ok(None)
    }
}

struct Source<'a>(&'a dyn Outbox);

impl LogSource for Source<'_> {
    fn durable_end(&self) -> Lsn {
        self.0.end()
    }

    fn read(&self, start: Lsn, end: Lsn) -> Result<Bytes> {
        self.0.bytes(start, end)
    }
}

/// How far a log is archived.
#[derive(Debug)]
pub(super) struct LogState {
    /// Everything below is archived.
    pub sent: Lsn,
    appender: Option<Appender>,
}

impl LogState {
    pub fn new(sent: Lsn) -> Self {
        LogState { sent, appender: None }
    }

    /// Sends everything that is synced and not there yet. `history` has the timelines of the log; the last one is its own.
    pub fn send(&mut self, archive: &Archive, history: &[Span], outbox: &dyn Outbox, report: &mut PassReport) -> Result<()> {
        let own = *history.last().ok_or_else(|| Error::internal("a log has a history"))?;
        if let Some(cleaned) = outbox.cleaned(self.sent)? {
            self.appender = None;
            self.sent = cleaned::send(archive, own, &cleaned, report)?;
            drop(cleaned.pin);
        }
        if self.sent < own.from {
            ancestors::send(archive, &history[..history.len() - 1], self.sent, outbox, report)?;
            self.sent = own.from;
        }
        let end = outbox.end();
        let done = self.send_own(archive, own.timeline, end, outbox, report);
        if done.is_err() {
            report.backlog += end.saturating_sub(self.sent);
        }
        done
    }

    fn send_own(&mut self, archive: &Archive, timeline: Timeline, end: Lsn, outbox: &dyn Outbox, report: &mut PassReport) -> Result<()> {
        while self.sent < end {
            let mut appender = match self.appender.take() {
                Some(appender) => appender,
                None => open_appender(archive, timeline, self.sent, outbox.end())?,
            };
            self.sent = appender.archived();
            let Some(chunk) = outbox.operations(self.sent, EXTENT_BYTES)? else {
                self.appender = Some(appender);
                break;
            };
            assert_eq!(chunk.timeline, timeline, "what lies behind the fork is of the own timeline");
            let reached = append_extent(archive, &mut appender, &Source(outbox), chunk.start, &chunk.bytes);
            // A machine that stopped is not used again; what it archived stands.
            self.sent = appender.archived();
            let reached = reached?;
            if reached == chunk.start {
                let message = "the archive holds more of this log than is synced here";
                return Err(Error::new(ErrorKind::Conflict, message).with_hint("another copy of this data directory is written to"));
            }
            if reached == chunk.end() {
                report.sent.log += chunk.bytes.len() as u64;
                report.operations += chunk.operations;
            }
            self.appender = Some(appender);
        }
        Ok(())
    }

    /// Lets extents below the archived end be deleted; after that end was noted durably, and by the owner alone.
    pub fn raise_boundary(&self, archive: &Archive) -> Result<()> {
        self.appender.as_ref().map_or(Ok(()), |appender| raise_boundary(archive, appender).map(drop))
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
        let history = [Span { timeline: self.database, from: 0, to: None }];
        let sent = self.catalog.send(&self.archive, &history, &CatalogBox(database), report);
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
