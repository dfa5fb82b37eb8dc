//! Applies records to a version in the order of the log; the writer and recovery do the same here.

use std::sync::Arc;

use super::version::Version;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Lsn, PointId};
use crate::log::moves::Moves;
use crate::log::record::{Record, RecordKind};
use crate::schema::Schema;
use crate::tail::TailRecord;

/// What a part of a point was before it ended.
struct Ended {
    had_payload: bool,
}

impl Version {
    /// Applies a whole operation's record.
    ///
    /// # Errors
    /// `Corrupt` when the record does not fit the schema or breaks an invariant, `NewerFormat` when this version cannot apply it.
    pub fn apply(&mut self, record: &Arc<Record>) -> Result<()> {
        let head = &record.head;
        assert!(head.lsn >= self.lsn_end, "records are applied once, in order");
        match head.kind {
            RecordKind::Upsert => self.apply_upsert(record)?,
            RecordKind::Delete => {
                for id in record.ids()? {
                    self.end_point(&id, head.lsn)?;
                }
            }
            RecordKind::DeleteVectors => self.apply_vector_delete(record)?,
            RecordKind::Schema => self.apply_schema(record)?,
            RecordKind::Durable => {}
            // Nobody sees a move: what was read at the old addresses is read there until a manifest has the new ones.
            RecordKind::Move => {
                let moves = Moves::open(record, &self.schema)?;
                Arc::make_mut(&mut self.moves).push(Arc::new(moves));
                self.moved_bytes += head.record_len as u64;
            }
            RecordKind::Catalog => {
                return Err(Error::new(ErrorKind::NewerFormat, "the log holds a record that this version cannot apply")
                    .with_offset(head.lsn)
                    .with_hint("use a newer version of vectra"));
            }
        }
        self.lsn_end = head.end();
        self.commit_time = self.commit_time.max(head.commit_time);
        if self.points_with_payload > self.points {
            return Err(Error::corrupt("the manifest counts more payloads than points").with_offset(head.lsn));
        }
        Ok(())
    }

    fn apply_schema(&mut self, record: &Record) -> Result<()> {
        let schema = Schema::from_json(record.json()?)?;
        if !schema.has_the_vectors_of(&self.schema) {
            return Err(Error::corrupt("the log changes the vectors of the collection").with_offset(record.head.lsn));
        }
        self.schema = Arc::new(schema);
        Ok(())
    }

    fn apply_upsert(&mut self, record: &Arc<Record>) -> Result<()> {
        let lsn = record.head.lsn;
        let rows = TailRecord::open(record.clone(), &self.schema)?;
        let parts = self.schema.parts();
        for row in 0..rows.rows() {
            let id = rows.ids[row as usize];
            if rows.replaces(row) && !rows.has(0, row) {
                return Err(Error::corrupt("a row replaces a point without being one").with_offset(lsn));
            }
            let ends = |part: usize| rows.replaces(row) || rows.has(part, row);
            let before = self.end_parts(&id, lsn, parts, ends);
            if rows.has(0, row) {
                self.points += u64::from(before.is_none());
                let had_payload = before.is_some_and(|b| b.had_payload);
                self.points_with_payload = self.take(self.points_with_payload, had_payload, lsn)? + u64::from(rows.has_payload(row));
            }
        }
        self.tail_rows += u64::from(rows.rows());
        self.tail.push(rows);
        self.tail_end = self.tail.next_number();
        self.tail_last = Arc::default();
        Ok(())
    }

    /// Ends vectors of points; the points stay, and what they do not have cannot end.
    fn apply_vector_delete(&self, record: &Record) -> Result<()> {
        let (ids, parts) = (record.ids()?, record.ended_parts()?);
        if parts.last().is_some_and(|&last| last >= self.schema.parts()) {
            return Err(Error::corrupt("the log deletes a vector that the collection does not know").with_offset(record.head.lsn));
        }
        for id in &ids {
            let before = self.end_parts(id, record.head.lsn, self.schema.parts(), |part| parts.binary_search(&part).is_ok());
            assert!(before.is_none(), "a point outlives its vectors");
        }
        Ok(())
    }

    fn end_point(&mut self, id: &PointId, lsn: Lsn) -> Result<()> {
        if let Some(before) = self.end_parts(id, lsn, self.schema.parts(), |_| true) {
            self.points = self.take(self.points, true, lsn)?;
            self.points_with_payload = self.take(self.points_with_payload, before.had_payload, lsn)?;
        }
        Ok(())
    }

    /// Takes one from a count where `one` says so; a count that is too small was never right.
    fn take(&self, count: u64, one: bool, lsn: Lsn) -> Result<u64> {
        count.checked_sub(u64::from(one)).ok_or_else(|| Error::corrupt("the manifest counts fewer points than there are").with_offset(lsn))
    }

    /// Ends the chosen parts of a point wherever they stand; gives what part 0 was, if it ended here.
    fn end_parts(&self, id: &PointId, lsn: Lsn, parts: usize, ends: impl Fn(usize) -> bool) -> Option<Ended> {
        let mut before = None;
        let mut open: Vec<usize> = (0..parts).filter(|&part| ends(part)).collect();
        let in_tail = self.tail.knows(id);
        open.retain(|&part| {
            let Some((record, row)) = in_tail.then(|| self.tail.find(id, part, lsn)).flatten() else { return true };
            assert!(record.mark(part, row, lsn), "a visible part is alive");
            if part == 0 {
                before = Some(Ended { had_payload: record.has_payload(row) });
            }
            false
        });
        for segment in self.segments.iter().rev().map(|open| &open.segment) {
            if open.is_empty() {
                break;
            }
            for row in segment.rows_of(id) {
                open.retain(|&part| {
                    if !segment.is_visible(part as u32, row, lsn) {
                        return true;
                    }
                    assert!(segment.mark_deleted(part as u32, row, lsn), "a visible part is alive");
                    if part == 0 {
                        before = Some(Ended { had_payload: segment.has_payload(row) });
                    }
                    false
                });
            }
        }
        before
    }
}
