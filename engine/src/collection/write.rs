//! The write path: validate, queue, and one writer that groups what waits, appends, syncs, publishes and acknowledges.

pub mod operation;
mod payloads;
mod prepare;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use operation::WriteOperation;
use prepare::prepare;

use super::{Collection, TAIL_BYTES_MAX, TAIL_ROWS_MAX, Writer};
use crate::error::{Error, Result};
use crate::ids::{CommitTime, Lsn};
use crate::log::record::{Record, RecordDraft};
use crate::log::sealed::SealedFile;
use crate::log::writer::LogWriter;

/// An unindexed tail this many times its bound makes writers wait for the indexer.
const TAIL_SLACK: u64 = 2;

/// What is known once a write holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Points that it touched.
    pub points: u64,
    /// Position behind it: a state that reaches this position contains it.
    pub lsn: Lsn,
    /// Its commit time.
    pub commit_time: CommitTime,
}

/// A write that waits, and the place for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    operation: WriteOperation,
    answer: Arc<Mutex<Option<Result<Ack>>>>,
}

/// An operation as records, ready to append.
#[derive(Clone)]
struct Prepared {
    drafts: Vec<RecordDraft>,
    points: u64,
    /// Whether it gives room back and may use the reserve.
    frees: bool,
    answer: Arc<Mutex<Option<Result<Ack>>>>,
}

/// An operation appended to the log and not yet synced.
struct Appended {
    records: Vec<Arc<Record>>,
    ack: Ack,
    answer: Arc<Mutex<Option<Result<Ack>>>>,
}

impl Collection {
    /// Writes one operation, all or nothing; it is durable and visible when this returns.
    ///
    /// # Errors
    /// `InvalidInput` when the operation does not fit the collection, `NoSpace` when the disk is full, `Io` when the log fails (nothing is
    /// acknowledged then, and the log takes no further writes until it is opened again), `Locked` when this is a reader.
    ///
    /// # Panics
    /// When an invariant of the collection is broken.
    pub fn write(&self, operation: WriteOperation) -> Result<Ack> {
        let mut answers = self.write_all(vec![operation])?;
        answers.pop().expect("one operation has one answer")
    }

    /// Writes operations in their order with one sync where they do not depend on each other; each is all or nothing, and has its own answer.
    ///
    /// # Errors
    /// `Locked` when this is a reader; otherwise each answer fails as [`Collection::write`] does.
    ///
    /// # Panics
    /// When an invariant of the collection is broken.
    pub fn write_all(&self, operations: Vec<WriteOperation>) -> Result<Vec<Result<Ack>>> {
        let writer = self.writer()?;
        self.check_backlog()?;
        let answers: Vec<_> = operations.iter().map(|_| Arc::new(Mutex::new(None))).collect();
        let pending = operations.into_iter().zip(&answers).map(|(operation, answer)| Pending { operation, answer: answer.clone() });
        self.queue.lock().extend(pending);
        // Whoever gets the writer commits for all that wait; the others find their answers when they get it in turn.
        let mut writer = writer.lock();
        if answers.iter().any(|answer| answer.lock().is_none()) {
            let waiting = std::mem::take(&mut *self.queue.lock());
            self.commit_all(&mut writer, waiting);
        }
        let taken = answers.iter().map(|answer| answer.lock().take());
        Ok(taken.map(|answer| answer.expect("the group that held this operation was committed")).collect())
    }

    fn commit_all(&self, writer: &mut Writer, waiting: Vec<Pending>) {
        let mut group = Vec::new();
        for Pending { operation, answer } in waiting {
            // What depends on the state is resolved against everything before it.
            let (frees, depends) = (operation.frees(), operation.depends_on_state());
            if depends {
                self.commit_group(writer, std::mem::take(&mut group));
            }
            match prepare(&writer.version, operation) {
                Ok((drafts, points)) => group.push(Prepared { drafts, points, frees, answer }),
                Err(error) => *answer.lock() = Some(Err(error)),
            }
            if depends {
                self.commit_group(writer, std::mem::take(&mut group));
            }
        }
        self.commit_group(writer, group);
    }

    /// Appends a group, syncs once, applies, publishes, answers.
    fn commit_group(&self, writer: &mut Writer, group: Vec<Prepared>) {
        if group.is_empty() {
            return;
        }
        let mut appended = Vec::with_capacity(group.len());
        for prepared in group {
            let answer = prepared.answer.clone();
            let appended_one =
                if prepared.frees { self.with_reserve(|| self.append(writer, prepared.clone())) } else { self.append(writer, prepared) };
            match appended_one {
                Ok(done) => appended.push(done),
                Err(error) => *answer.lock() = Some(Err(error)),
            }
        }
        let synced = match &mut writer.log {
            Some(log) if !self.world.known_bad.ack_before_sync => self.sync(log),
            _ => Ok(()),
        };
        let result = synced.and_then(|()| self.apply_and_publish(writer, &appended));
        for done in appended {
            *done.answer.lock() = Some(result.clone().map(|()| done.ack));
        }
    }

    /// Makes what was appended durable, and counts how long that took.
    fn sync(&self, log: &mut LogWriter) -> Result<()> {
        if log.durable() == log.end() {
            return log.sync();
        }
        let began = self.world.clock.monotonic_micros();
        let synced = log.sync();
        self.timings.syncs.count(self.world.clock.monotonic_micros().saturating_sub(began));
        synced
    }

    fn append(&self, writer: &mut Writer, prepared: Prepared) -> Result<Appended> {
        let Prepared { drafts, points, answer, .. } = prepared;
        if drafts.is_empty() {
            let ack = Ack { points, lsn: writer.version.lsn_end, commit_time: writer.version.commit_time };
            return Ok(Appended { records: Vec::new(), ack, answer });
        }
        let log = self.log_of(writer)?;
        let (before, commit_time) = (log.end(), self.clock.next());
        let mut records = Vec::with_capacity(drafts.len());
        let last = drafts.len() - 1;
        for (index, draft) in drafts.into_iter().enumerate() {
            let draft = draft.more_follows(index < last);
            let lsn = log.end();
            let bytes = log.append(&draft, commit_time).inspect_err(|_| log.take_back(before))?;
            records.push(Arc::new(Record::parse(Bytes::from(bytes), lsn)?));
        }
        Ok(Appended { ack: Ack { points, lsn: log.end(), commit_time }, records, answer })
    }

    /// Gives the log, with a file for what comes: the first of this timeline, or the next when the last is full.
    pub(super) fn log_of<'a>(&self, writer: &'a mut Writer) -> Result<&'a mut LogWriter> {
        if writer.log.is_none() {
            let timeline = writer.version.manifest.timeline();
            writer.log = Some(LogWriter::start(&self.world, &self.dir.log(), timeline, writer.version.lsn_end)?);
        }
        if writer.log.as_ref().is_some_and(|log| log.is_full() && log.end() == writer.version.lsn_end) {
            self.roll(writer)?;
        }
        Ok(writer.log.as_mut().expect("the log was started"))
    }

    /// Seals the log file that is being written and puts it where readers find it.
    pub(super) fn roll(&self, writer: &mut Writer) -> Result<()> {
        let Some(log) = writer.log.as_mut() else { return Ok(()) };
        if let Some(sealed) = log.roll()? {
            let file = SealedFile::open(&*self.world.fs, &self.dir.log(), sealed)?;
            writer.version.log = Arc::new(writer.version.log.with(Arc::new(file)));
        }
        Ok(())
    }

    fn apply_and_publish(&self, writer: &mut Writer, appended: &[Appended]) -> Result<()> {
        for record in appended.iter().flat_map(|done| &done.records) {
            writer.version.apply(record)?;
        }
        self.current.store(Arc::new(writer.version.clone()));
        Ok(())
    }

    /// Says whether the tail has outgrown its bounds and should be sealed.
    #[must_use]
    pub fn tail_is_full(&self) -> bool {
        let version = self.current.load();
        version.tail_rows >= TAIL_ROWS_MAX || version.lsn_end - version.tail.start >= TAIL_BYTES_MAX
    }

    /// Says whether writers should seal the tail themselves before they go on: the indexer does not keep up.
    #[must_use]
    pub fn tail_is_overfull(&self) -> bool {
        let version = self.current.load();
        version.tail_rows >= TAIL_SLACK * TAIL_ROWS_MAX || version.lsn_end - version.tail.start >= TAIL_SLACK * TAIL_BYTES_MAX
    }

    /// Gives why the log takes no more writes until the collection is opened anew: an append or a sync failed in a way that leaves its file
    /// unknown. A full disk is no such failure.
    #[must_use]
    pub fn log_failure(&self) -> Option<Error> {
        self.writer.as_ref().and_then(|writer| writer.lock().log.as_ref().and_then(LogWriter::failure))
    }

    /// Marks the log as synced by a record of its own and gives back the room laid out ahead.
    ///
    /// # Errors
    /// `Io` or `NoSpace`; a reader has nothing to close.
    pub fn close(&self) -> Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let mut writer = writer.lock();
        if let Some(log) = &mut writer.log {
            log.close(&self.clock)?;
            let end = log.end();
            writer.version.lsn_end = end;
            self.current.store(Arc::new(writer.version.clone()));
        }
        Ok(())
    }
}
