//! Walks along a log in archives by the heads of its records, without fetching what is between them.

use bytes::Bytes;
use engine::error::{Error, Result};
use engine::ids::{CommitTime, Lsn, Timeline};
use engine::log::record::{FIXED_HEAD_LEN, RecordHead, RecordKind};

use super::map::History;
use crate::archive::extent::RECORDS_OFFSET;
use crate::archive::stored::{at as named, get_exact};
use crate::archive::tiling::{Piece, Source, Stretch, tile};
use crate::archive::{Archive, Listing};

/// Bytes fetched at once.
const WINDOW: u64 = 256 << 10;

/// An archive with what lies in it.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The archive.
    pub archive: &'a Archive,
    /// Its listing.
    pub listing: &'a Listing,
}

/// A whole operation, seen by the heads of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The timeline that wrote it.
    pub timeline: Timeline,
    /// Its first position.
    pub start: Lsn,
    /// The position behind it.
    pub end: Lsn,
    /// Its commit time.
    pub commit_time: CommitTime,
    /// Whether it only marks what is synced, or moves rows: no write that anybody sees.
    pub is_mark: bool,
    /// The largest number that a client gave its records, or 0.
    pub client_sequence: u64,
}

/// Where a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// The position behind the last whole operation that was seen, or where the walk began.
    pub at: Lsn,
    /// The position that no extent holds; `None` when the visitor ended the walk.
    pub ran_out: Option<(Timeline, Lsn)>,
}

/// Visits the heads of a timeline's records in `[from, to)`, as far as extents reach without a hole; `visit` says whether to go on. Gives the
/// position behind the last record seen and whether the visitor ended the walk.
///
/// # Errors
/// `Corrupt` naming the extent and the offset when no record of this timeline is where one should be, those of the stores and of `visit`.
pub fn walk_heads(
    held: &[Held<'_>],
    timeline: Timeline,
    from: Lsn,
    to: Lsn,
    visit: &mut dyn FnMut(&RecordHead) -> Result<bool>,
) -> Result<(Lsn, bool)> {
    let sources: Vec<Source<'_>> = held.iter().map(|held| Source { listing: held.listing, only: None }).collect();
    let tiling = tile(&sources, Stretch { timeline, start: from, end: to });
    let mut at = from;
    for piece in &tiling.pieces {
        let mut window = Window { archive: held[piece.source].archive, timeline, piece, start: piece.from, bytes: Bytes::new() };
        while at < piece.to {
            let head = window.head(at)?;
            at = head.end();
            if !visit(&head)? {
                return Ok((at, true));
            }
        }
    }
    Ok((at, false))
}

/// Visits the whole operations of a history from a position on; `visit` says whether to go on.
///
/// # Errors
/// As [`walk_heads`]; `Corrupt` too when commit times do not rise along the log.
pub fn walk_operations(
    held: &[Held<'_>],
    history: &History,
    from: Lsn,
    visit: &mut dyn FnMut(&Operation) -> Result<bool>,
) -> Result<Walked> {
    let (mut at, mut position, mut last_time) = (from, from, 0);
    for span in &history.spans {
        let end = span.to.unwrap_or(Lsn::MAX);
        if end <= position {
            continue;
        }
        let mut open: Option<Operation> = None;
        let (reached, stopped) = walk_heads(held, span.timeline, position, end, &mut |head| {
            let operation = open.get_or_insert(Operation {
                timeline: span.timeline,
                start: head.lsn,
                end: head.end(),
                commit_time: head.commit_time,
                is_mark: matches!(head.kind, RecordKind::Durable | RecordKind::Move),
                client_sequence: 0,
            });
            operation.end = head.end();
            operation.client_sequence = operation.client_sequence.max(head.client_sequence);
            if head.commit_time < last_time {
                return Err(Error::corrupt("commit times fall along the log")
                    .with_offset(head.lsn)
                    .with_expected(format!("{last_time} or later"), head.commit_time));
            }
            last_time = head.commit_time;
            if head.more_follows {
                return Ok(true);
            }
            at = head.end();
            open.take().map_or(Ok(true), |operation| visit(&operation))
        })?;
        position = reached;
        if stopped {
            return Ok(Walked { at, ran_out: None });
        }
        if reached < end {
            return Ok(Walked { at, ran_out: Some((span.timeline, reached)) });
        }
        if let Some(operation) = open {
            let error = Error::corrupt("an operation does not end where its timeline was left").with_offset(operation.start);
            return Err(error.with_object(span.timeline.to_string()));
        }
    }
    Ok(Walked { at, ran_out: Some((history.tip(), position)) })
}

/// Finds the last whole operation of a history that ends at or before a position up to which extents reach.
///
/// # Errors
/// As [`walk_operations`].
pub fn last_operation(held: &[Held<'_>], history: &History, end: Lsn) -> Result<Option<Operation>> {
    let mut before = end;
    // An operation that is larger than an extent begins in an earlier one.
    while let Some(span) = history.span_before(before) {
        let Some(extent) = held.iter().find_map(|held| held.listing.extent_at(span.timeline, before - 1)) else { return Ok(None) };
        let (from, mut found) = (extent.start.max(span.from), None);
        walk_operations(held, history, from, &mut |operation| {
            let inside = operation.end <= end;
            if inside {
                found = Some(*operation);
            }
            Ok(inside && operation.end < end)
        })?;
        if found.is_some() {
            return Ok(found);
        }
        before = from;
    }
    Ok(None)
}

/// A piece of an extent, read through a sliding buffer.
struct Window<'a> {
    archive: &'a Archive,
    timeline: Timeline,
    piece: &'a Piece,
    start: Lsn,
    bytes: Bytes,
}

impl Window<'_> {
    fn head(&mut self, at: Lsn) -> Result<RecordHead> {
        let wrong = |error: Error, window: &Self| {
            let offset = RECORDS_OFFSET + (at - window.piece.extent.start);
            named(error.with_offset(offset), &*window.archive.store, &window.piece.extent.key(window.timeline).to_string())
        };
        let fixed = self.fetch(at, FIXED_HEAD_LEN as u64)?;
        let Some((record_len, head_len)) = RecordHead::claimed_lens(&fixed) else {
            return Err(wrong(Error::corrupt("no record begins here").with_expected("the head of a record", "other bytes"), self));
        };
        if record_len as u64 > self.piece.to - at {
            let error = Error::corrupt("a record reaches behind its extent").with_expected(self.piece.to - at, record_len);
            return Err(wrong(error, self));
        }
        let head = RecordHead::parse(&self.fetch(at, head_len as u64)?, at).map_err(|error| wrong(error, self))?;
        if head.lineage != self.timeline {
            let error = Error::corrupt("a record of another timeline lies here").with_expected(self.timeline, head.lineage);
            return Err(wrong(error, self));
        }
        Ok(head)
    }

    /// Gives `len` bytes at a position, fewer at the end of the piece.
    fn fetch(&mut self, at: Lsn, len: u64) -> Result<Bytes> {
        let end = at.saturating_add(len).min(self.piece.to);
        if at < self.start || end > self.start + self.bytes.len() as u64 {
            let to = end.max(at.saturating_add(WINDOW)).min(self.piece.to);
            let offset = |position: Lsn| RECORDS_OFFSET + (position - self.piece.extent.start);
            let key = self.piece.extent.key(self.timeline).to_string();
            self.bytes = get_exact(&*self.archive.store, &key, offset(at)..offset(to))?;
            self.start = at;
        }
        Ok(self.bytes.slice((at - self.start) as usize..(end - self.start) as usize))
    }
}
