//! The write path: validate, queue, and one writer that groups what waits, appends, syncs, publishes and acknowledges.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::filter::Selector;
use super::version::Version;
use super::{Collection, TAIL_BYTES_MAX, TAIL_ROWS_MAX, Writer};
use crate::batch::{Batch, add_ids};
use crate::error::{Error, Result};
use crate::ids::{CommitTime, Lsn, PointId};
use crate::log::record::{ROW_HAS_POINT, ROW_REPLACES, Record, RecordDraft, RecordKind, SectionKind};
use crate::log::sealed::SealedFile;
use crate::log::writer::LogWriter;
use crate::payload::{Limits, merge, minify_checked};
use crate::schema::{FieldSchema, IndexConfig, Schema};

/// Rows of one record of a large operation.
const OPERATION_ROWS: usize = 1 << 16;
/// Payload bytes of one record of a large operation.
const OPERATION_BYTES: usize = 8 << 20;
/// An unindexed tail this many times its bound makes writers wait for the indexer.
const TAIL_SLACK: u64 = 2;

/// Something to write.
#[derive(Debug, Clone)]
pub enum WriteOperation {
    /// Whole points: what was there under their ids is gone.
    Upsert(Batch),
    /// Vectors (and payloads, where given) of the batch's rows alone; other vectors of existing points stay. New ids become points.
    Patch(Batch),
    /// Ends points.
    Delete(Selector),
    /// Sets keys of payloads, keeping the others.
    SetPayload(Selector, String),
    /// Begins to index a payload field in segments sealed from now on.
    IndexField(FieldSchema),
    /// Changes how vectors and fields are indexed; what exists is indexed anew by the background steps.
    Configure(IndexConfig),
}

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
            let frees = matches!(operation, WriteOperation::Delete(_));
            let depends = !matches!(operation, WriteOperation::Upsert(_));
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
            Some(log) if !self.world.known_bad.ack_before_sync => log.sync(),
            _ => Ok(()),
        };
        let result = synced.and_then(|()| self.apply_and_publish(writer, &appended));
        for done in appended {
            *done.answer.lock() = Some(result.clone().map(|()| done.ack));
        }
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

/// Turns an operation into records, against the state that they will follow.
fn prepare(version: &Version, operation: WriteOperation) -> Result<(Vec<RecordDraft>, u64)> {
    match operation {
        WriteOperation::Upsert(batch) => {
            batch.check_ids()?;
            let points = batch.rows() as u64;
            Ok((if points == 0 { Vec::new() } else { vec![batch.into_draft()?] }, points))
        }
        WriteOperation::Patch(batch) => prepare_patch(version, batch),
        WriteOperation::Delete(selector) => {
            let ids = selector.resolve(version)?;
            Ok((ids.chunks(OPERATION_ROWS).map(delete_draft).collect(), ids.len() as u64))
        }
        WriteOperation::SetPayload(selector, patch) => prepare_payload(version, &selector, &patch),
        WriteOperation::IndexField(field) => prepare_field(version, field),
        WriteOperation::Configure(config) => Ok((prepare_schema(version, &config.applied_to(&version.schema)?), 0)),
    }
}

fn delete_draft(ids: &[PointId]) -> RecordDraft {
    let mut draft = RecordDraft::new(RecordKind::Delete, ids.len());
    add_ids(&mut draft, ids);
    draft
}

fn prepare_patch(version: &Version, mut batch: Batch) -> Result<(Vec<RecordDraft>, u64)> {
    batch.check_ids()?;
    let points = batch.rows() as u64;
    for (row, id) in batch.ids.iter().enumerate() {
        let exists = version.contains(id);
        let gives_payload = batch.payloads[row].is_some();
        batch.flags[row] = match (exists, gives_payload) {
            (false, _) => ROW_HAS_POINT | ROW_REPLACES,
            (true, true) => ROW_HAS_POINT,
            (true, false) => 0,
        };
    }
    Ok((if points == 0 { Vec::new() } else { vec![batch.draft()?] }, points))
}

/// Logs each row's whole resulting payload: a logged patch or filter would replay differently after an upgrade (rule S8).
fn prepare_payload(version: &Version, selector: &Selector, patch: &str) -> Result<(Vec<RecordDraft>, u64)> {
    let patch = minify_checked(patch, &Limits::default())?.unwrap_or_else(|| "{}".to_owned());
    let ids = selector.resolve(version)?;
    let mut drafts = Vec::new();
    let mut batch = Batch::new(&version.schema);
    let absent = vec![None; version.schema.vectors.len()];
    let mut bytes = 0;
    for id in &ids {
        let place = version.find(id, 0).ok_or_else(|| Error::internal(format!("point {id} went away while the writer held it")))?;
        let payload = merge(version.payload(&place)?.as_deref(), &patch)?;
        bytes += payload.as_ref().map_or(0, String::len);
        batch.push_row(&version.schema, *id, ROW_HAS_POINT, &absent, payload)?;
        if batch.rows() == OPERATION_ROWS || bytes > OPERATION_BYTES {
            drafts.push(batch.draft()?);
            (batch, bytes) = (Batch::new(&version.schema), 0);
        }
    }
    if batch.rows() > 0 {
        drafts.push(batch.draft()?);
    }
    Ok((drafts, ids.len() as u64))
}

fn prepare_field(version: &Version, field: FieldSchema) -> Result<(Vec<RecordDraft>, u64)> {
    crate::payload::FieldPath::parse(&field.name)?;
    let mut schema = Schema::clone(&version.schema);
    match schema.fields.iter_mut().find(|known| known.name == field.name) {
        Some(known) if *known == field => return Ok((Vec::new(), 0)),
        Some(known) => *known = field,
        None => schema.fields.push(field),
    }
    schema.check()?;
    Ok((prepare_schema(version, &schema), 0))
}

/// Gives the one record that changes the schema; none where nothing changes.
fn prepare_schema(version: &Version, schema: &Schema) -> Vec<RecordDraft> {
    assert!(schema.has_the_vectors_of(&version.schema), "only indexes are changed");
    if *schema == *version.schema {
        return Vec::new();
    }
    let mut draft = RecordDraft::new(RecordKind::Schema, 0);
    draft.section(SectionKind::Json, 0, 0, 1, schema.to_json().into_bytes());
    vec![draft]
}
