//! Writing many points: one thread reads and checks batches, this one writes them, a third keeps the tail within its bounds.
//!
//! Batches are acknowledged in the order of their rows, so what is stored is always a prefix of the input.

mod lines;
mod vectors;

pub(super) use lines::LineBatches;
pub(super) use vectors::{VectorBatches, VectorInput, part_of};

use super::archiving;
use super::session::Session;
use crate::exit::Failure;
use crate::output::Unit;
use crate::time::format_time;
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Ack, WriteOperation};
use engine::{Batch, Collection, ErrorKind};
use platform::clock::Clock;
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Batches that wait between reader and writer: enough that neither waits for a slow one of the other.
const READ_AHEAD: usize = 4;
/// Bytes of vectors and payload after which a batch is cut, whatever its rows: a record holds 32 MiB.
const BATCH_BYTES: usize = 16 << 20;
/// How long the writer waits for a batch before it looks whether the user stopped the command.
const READER_LOOK: Duration = Duration::from_millis(100);
/// Between two looks of the indexer, and of a writer that waits for it.
const INDEXER_LOOK: Duration = Duration::from_millis(4);

/// Rows that were read and checked.
pub(super) struct RowBatch {
    /// The first row, counted from 0 in the input.
    pub first: u64,
    /// The points.
    pub batch: Batch,
}

/// An input, batch by batch.
pub(super) trait RowSource: Send {
    /// Gives the next rows, or `None` behind the last.
    fn next_batch(&mut self) -> Result<Option<RowBatch>, Failure>;

    /// Rows that will come, where that is known.
    fn total(&self) -> Option<u64>;

    /// The row that comes first.
    fn first_row(&self) -> u64;
}

/// What was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ingested {
    /// Points acknowledged.
    pub points: u64,
    /// The first row.
    pub first_row: u64,
    /// The row behind the last.
    pub end_row: u64,
    /// Of the last batch.
    pub last: Option<Ack>,
}

impl Ingested {
    /// The last row, where there is one.
    pub fn last_row(&self) -> Option<u64> {
        (self.end_row > self.first_row).then(|| self.end_row - 1)
    }

    /// Says how to go on behind what is stored.
    fn explain(&self, failure: Failure) -> Failure {
        let stored = match self.last_row() {
            None => "nothing was written".to_owned(),
            Some(last) => format!("rows {} to {last} are stored; go on with --from-row {}", self.first_row, self.end_row),
        };
        let hint = failure.hint.as_deref().map_or_else(|| stored.clone(), |hint| format!("{hint}; {stored}"));
        failure.with_hint(hint)
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// As whole points or not.
    pub writing: Writing,
    /// The number of the first batch, where the writer counts.
    pub sequence: Option<u64>,
    /// Whether each durable batch is announced.
    pub announce: bool,
}

/// Whether rows replace whole points, or one of their vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Whole points.
    Points,
    /// The vectors of the rows alone, where a point exists.
    Vectors,
}

enum Read {
    Rows(Box<RowBatch>),
    Bad(Failure),
    End,
}

/// Writes all rows of an input; `ack` prints what each durable batch is.
pub(super) fn ingest(
    session: &Session<'_>,
    collection: &Collection,
    source: Box<dyn RowSource>,
    manner: Manner,
) -> Result<Ingested, Failure> {
    let Manner { writing, sequence, announce } = manner;
    let mut done = Ingested { points: 0, first_row: source.first_row(), end_row: source.first_row(), last: None };
    let progress = session.out.progress("import", source.total(), Unit::Points);
    let (to, from) = sync_channel(READ_AHEAD);
    // Not joined: a reader may hang in a pipe from which nothing comes, and an interrupted command ends all the same.
    std::thread::spawn(move || read_all(source, writing, sequence, &to));
    let indexer = Indexer::default();
    std::thread::scope(|scope| {
        // Also when a writer's invariant breaks: the scope waits for the thread.
        let _stop = StopAtEnd(&indexer);
        scope.spawn(|| indexer.keep_up(collection, &*session.world.clock));
        while let Some((first, rows, ack)) = write_next(collection, &from, writing, &indexer, session)? {
            assert_eq!(first, done.end_row, "batches come in the order of their rows");
            done.points += rows;
            done.end_row += rows;
            done.last = Some(ack);
            progress.set(done.points);
            if announce {
                print_ack(session, rows, Some((first, done.end_row - 1)), ack)?;
            }
        }
        Ok(())
    })
    .and_then(|()| indexer.check())
    .map_err(|failure| done.explain(failure))?;
    Ok(done)
}

/// Prints the `ack` line of a durable batch.
pub(super) fn print_ack(session: &Session<'_>, points: u64, rows: Option<(u64, u64)>, ack: Ack) -> Result<(), Failure> {
    session.out.result_json(&json!({
        "event": "ack", "points": points, "first_row": rows.map(|rows| rows.0), "last_row": rows.map(|rows| rows.1),
        "lsn": ack.lsn, "commit_time": format_time(ack.commit_time),
    }))
}

fn read_all(mut source: Box<dyn RowSource>, writing: Writing, mut sequence: Option<u64>, to: &SyncSender<Read>) {
    loop {
        let (read, last) = match next_laid_out(&mut *source, writing, &mut sequence) {
            Ok(Some(rows)) => (Read::Rows(Box::new(rows)), false),
            Ok(None) => (Read::End, true),
            Err(failure) => (Read::Bad(failure), true),
        };
        // A writer that went away has failed and says so itself.
        if to.send(read).is_err() || last {
            return;
        }
    }
}

/// Reads a batch and does all that can be done ahead of the writer.
fn next_laid_out(source: &mut dyn RowSource, writing: Writing, sequence: &mut Option<u64>) -> Result<Option<RowBatch>, Failure> {
    let mut read = source.next_batch()?;
    if let (Some(rows), Some(number)) = (&mut read, sequence) {
        rows.batch.set_client_sequence(*number);
        *number += 1;
    }
    if let Some(rows) = &mut read
        && writing == Writing::Points
    {
        let at_row = |error: Failure| Failure { message: format!("the batch from row {} on: {}", rows.first, error.message), ..error };
        rows.batch.lay_out().map_err(at_row)?;
    }
    Ok(read)
}

/// Writes the next batch: its first row, its rows and its acknowledgement; `None` behind the last.
fn write_next(
    collection: &Collection,
    from: &Receiver<Read>,
    writing: Writing,
    indexer: &Indexer,
    session: &Session<'_>,
) -> Result<Option<(u64, u64, Ack)>, Failure> {
    let read = loop {
        if platform::process::interrupted() {
            return Err(Failure::new(ErrorKind::Interrupted, "interrupted between two batches"));
        }
        match from.recv_timeout(READER_LOOK) {
            Ok(read) => break read,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::internal("the reader of the input stopped without a word")),
        }
    };
    let RowBatch { first, batch } = match read {
        Read::Rows(rows) => *rows,
        Read::Bad(failure) => return Err(failure),
        Read::End => return Ok(None),
    };
    while collection.tail_is_overfull() {
        indexer.check()?;
        session.world.clock.sleep(INDEXER_LOOK);
    }
    let rows = batch.rows() as u64;
    let operation = match writing {
        Writing::Points => WriteOperation::Upsert(batch),
        Writing::Vectors => WriteOperation::Patch(batch),
    };
    let ack = collection.write(operation)?;
    archiving::written(session, collection, ack)?;
    Ok(Some((first, rows, ack)))
}

/// The thread that lays log files out ahead and seals full tails while rows are written.
#[derive(Default)]
struct Indexer {
    stop: AtomicBool,
    failed: Mutex<Option<Failure>>,
}

/// Ends the thread when dropped.
struct StopAtEnd<'a>(&'a Indexer);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Release);
    }
}

impl Indexer {
    fn keep_up(&self, collection: &Collection, clock: &dyn Clock) {
        while !self.stop.load(Ordering::Acquire) {
            match step(collection) {
                Ok(true) => {}
                // Looking now and then: a wake-up by the writer would cost it a system call a batch.
                Ok(false) => clock.sleep(INDEXER_LOOK),
                Err(failure) => {
                    self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(failure);
                    return;
                }
            }
        }
    }

    /// Fails when the thread failed: without it the tail would grow without bound.
    fn check(&self) -> Result<(), Failure> {
        self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }
}

/// Does what is due; says whether there was something.
fn step(collection: &Collection) -> Result<bool, Failure> {
    match collection.next_step(Goal::Bounded) {
        None => Ok(false),
        Some(step) => collection.step(&step, &Threads(1), &|_, _| true).map(|()| true),
    }
}
