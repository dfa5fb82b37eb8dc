//! One timeline or catalog as a source of operations, read a few at a time.

use std::collections::VecDeque;

use engine::catalog::CatalogEntry;
use engine::error::Result;
use engine::ids::{CommitTime, Incarnation, Lsn, Timeline};
use engine::log::record::{RecordHead, RecordKind, SectionKind};

use super::{LogEntry, told};
use crate::archive::Listing;
use crate::history::Lives;
use crate::history::walk::{Held, walk_heads};

/// Operations that are read ahead.
const AHEAD: usize = 256;

/// What happened, before it has a name.
#[derive(Debug)]
pub(super) struct Operation {
    pub time: CommitTime,
    kind: &'static str,
    rows: u64,
    end: Lsn,
    entry: Option<CatalogEntry>,
}

/// A timeline or a catalog.
#[derive(Debug)]
pub(super) struct Source {
    timeline: Timeline,
    owner: Option<Incarnation>,
    ready: VecDeque<Operation>,
    /// Where the log goes on; `None`: everything is in `ready`.
    at: Option<Lsn>,
    /// Stretches that are missing.
    pub holes: Vec<(Timeline, Lsn, Lsn)>,
}

impl Source {
    /// Takes the entries of a catalog.
    pub fn of_catalog(database: Timeline, entries: Vec<(CommitTime, CatalogEntry)>) -> Self {
        let operation =
            |(time, entry): (CommitTime, CatalogEntry)| Operation { time, kind: told(&entry).0, rows: 0, end: 0, entry: Some(entry) };
        Source { timeline: database, owner: None, ready: entries.into_iter().map(operation).collect(), at: None, holes: Vec::new() }
    }

    /// Begins at the newest base before a time, which says where that is in the log, or at the beginning.
    pub fn of_log(listing: &Listing, timeline: Timeline, owner: Option<Incarnation>, from: Option<CommitTime>) -> Self {
        let first = listing.extents_of(timeline).first().map_or(0, |extent| extent.start);
        let bases = listing.bases.get(&timeline).into_iter().flatten();
        let before = bases.filter(|name| from.is_some_and(|from| name.commit_time < from)).map(|name| name.covered_lsn).max();
        Source { timeline, owner, ready: VecDeque::new(), at: Some(before.unwrap_or(first).max(first)), holes: Vec::new() }
    }

    /// Gives the next operation, and none behind a time.
    pub fn next(&mut self, held: &[Held<'_>], to: Option<CommitTime>) -> Result<Option<Operation>> {
        while self.ready.is_empty() {
            let Some(at) = self.at else { return Ok(None) };
            self.read(held, at)?;
        }
        let next = self.ready.pop_front();
        if next.as_ref().is_some_and(|next| to.is_some_and(|to| next.time > to)) {
            // Times rise along a log.
            (self.at, self.ready) = (None, VecDeque::new());
            return Ok(None);
        }
        Ok(next)
    }

    /// Reads some more operations from a position on.
    fn read(&mut self, held: &[Held<'_>], at: Lsn) -> Result<()> {
        let mut open: Option<Operation> = None;
        let (ready, timeline) = (&mut self.ready, self.timeline);
        let (reached, stopped) = walk_heads(held, timeline, at, Lsn::MAX, &mut |head| {
            let kind = kind_of(head);
            if let Some(kind) = kind {
                let operation = open.get_or_insert(Operation { time: head.commit_time, kind, rows: 0, end: 0, entry: None });
                operation.rows += head.rows as u64;
                operation.end = head.end();
            }
            if head.more_follows {
                return Ok(true);
            }
            ready.extend(open.take());
            Ok(ready.len() < AHEAD)
        })?;
        self.at = Some(reached);
        if !stopped {
            // The log ends here, or has a hole.
            let behind =
                held.iter().flat_map(|held| held.listing.extents_of(timeline)).map(|extent| extent.start).filter(|&start| start > reached);
            self.at = behind.min();
            self.holes.extend(self.at.map(|next| (timeline, reached, next)));
        }
        Ok(())
    }

    /// Names an operation.
    pub fn entry(&self, operation: Operation, lives: &Lives) -> LogEntry {
        let Operation { time, kind, rows, end, entry } = operation;
        let Some(entry) = entry else {
            let collection = self.owner.and_then(|owner| name_at(lives, owner, time));
            return LogEntry { time, kind, collection, rows, lsn: Some(end), timeline: self.timeline, detail: None };
        };
        let (kind, name, detail) = told(&entry);
        let collection = match &entry {
            CatalogEntry::Purge { incarnation } => name_at(lives, *incarnation, time),
            _ => name.map(str::to_owned),
        };
        LogEntry { time, kind, collection, rows, lsn: None, timeline: self.timeline, detail }
    }
}

/// Gives the name that a life had at a time, or had last before, or got first.
fn name_at(lives: &Lives, incarnation: Incarnation, time: CommitTime) -> Option<String> {
    let tenures = lives.databases.iter().flat_map(|database| &database.tenures).filter(|tenure| tenure.incarnation == incarnation);
    let held = tenures.clone().filter(|tenure| tenure.from <= time).max_by_key(|tenure| tenure.from);
    let first = held.or_else(|| tenures.min_by_key(|tenure| tenure.from));
    first.map(|tenure| tenure.name.clone()).or_else(|| lives.described.get(&incarnation).map(|(name, _)| name.clone()))
}

/// Names what a record does; `None` for records that change nothing that a user sees.
fn kind_of(head: &RecordHead) -> Option<&'static str> {
    match head.kind {
        RecordKind::Upsert => {
            let replaces = head.section(SectionKind::RowFlags, 0).is_none();
            let has_vectors = head.sections.iter().any(|section| section.kind == SectionKind::Vectors);
            Some(if replaces || has_vectors { "upsert" } else { "payload" })
        }
        RecordKind::Delete => Some("delete"),
        RecordKind::DeleteVectors => Some("delete vectors"),
        RecordKind::Schema => Some("schema"),
        RecordKind::Move | RecordKind::Durable | RecordKind::Catalog => None,
    }
}
