//! Turns operations into records, against the state that the records will follow: replay needs no filter and no condition.

use super::super::filter::Selector;
use super::super::version::Version;
use super::operation::{UpsertCondition, UpsertMode, WriteOperation};
use super::payloads;
use crate::batch::{Batch, add_ids};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::PointId;
use crate::log::record::{ROW_HAS_POINT, ROW_REPLACES, RecordDraft, RecordKind, SectionKind};
use crate::payload::{FieldPath, Filter};
use crate::schema::{FieldSchema, Schema};

/// Rows of one record of a large operation.
pub(super) const OPERATION_ROWS: usize = 1 << 16;

/// An operation as records, and the points that it touches.
pub(super) type Drafts = (Vec<RecordDraft>, u64);

/// Turns an operation into records; nothing was written where this fails.
pub(super) fn prepare(version: &Version, operation: WriteOperation) -> Result<Drafts> {
    match operation {
        WriteOperation::Upsert(batch) => {
            batch.check_ids()?;
            let points = batch.rows() as u64;
            Ok((if points == 0 { Vec::new() } else { vec![batch.into_draft()?] }, points))
        }
        WriteOperation::UpsertIf(batch, condition) => prepare_conditional(version, batch, &condition),
        WriteOperation::Patch(batch) => prepare_patch(version, batch),
        WriteOperation::PatchVectors(batch, filter) => prepare_vectors(version, batch, filter.as_ref()),
        WriteOperation::DeleteVectors(selector, names) => prepare_vector_delete(version, &selector, &names),
        WriteOperation::Delete(selector) => {
            let ids = selector.resolve(version)?;
            Ok((ids.chunks(OPERATION_ROWS).map(|ids| ids_draft(RecordKind::Delete, ids)).collect(), ids.len() as u64))
        }
        WriteOperation::SetPayload(patch) => payloads::set(version, &patch),
        WriteOperation::OverwritePayload(selector, payload) => payloads::overwrite(version, &selector, &payload),
        WriteOperation::DeletePayload(selector, paths) => payloads::delete(version, &selector, &paths),
        WriteOperation::ClearPayload(selector) => payloads::clear(version, &selector),
        WriteOperation::IndexField(field) => prepare_field(version, field),
        WriteOperation::DropField(name) => {
            let mut schema = Schema::clone(&version.schema);
            schema.fields.retain(|field| field.name != name);
            Ok((prepare_schema(version, &schema), 0))
        }
        WriteOperation::Configure(config) => Ok((prepare_schema(version, &config.applied_to(&version.schema)?), 0)),
    }
}

fn ids_draft(kind: RecordKind, ids: &[PointId]) -> RecordDraft {
    let mut draft = RecordDraft::new(kind, ids.len());
    add_ids(&mut draft, ids);
    draft
}

/// Keeps the rows that the condition lets pass; they are logged like any others.
fn prepare_conditional(version: &Version, mut batch: Batch, condition: &UpsertCondition) -> Result<Drafts> {
    batch.check_ids()?;
    let mut keep = Vec::with_capacity(batch.rows());
    for id in &batch.ids {
        let is_written = match (version.contains(id), condition.mode) {
            (false, mode) => mode != UpsertMode::UpdateOnly,
            (true, UpsertMode::InsertOnly) => false,
            (true, _) => version.point_passes(id, condition.filter.as_ref())?,
        };
        keep.push(is_written);
    }
    batch.retain(&version.schema, &keep);
    let points = batch.rows() as u64;
    Ok((if points == 0 { Vec::new() } else { vec![batch.draft()?] }, points))
}

fn prepare_patch(version: &Version, mut batch: Batch) -> Result<Drafts> {
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

fn prepare_vectors(version: &Version, mut batch: Batch, filter: Option<&Filter>) -> Result<Drafts> {
    batch.check_ids()?;
    if let Some(row) = batch.payloads.iter().position(Option::is_some) {
        return Err(Error::invalid(format!("row {row} of the batch carries a payload, and vectors alone are written"))
            .with_hint("set payloads by an operation of their own"));
    }
    if let Some(id) = batch.ids.iter().find(|id| !version.contains(id)) {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no point {id}"))
            .with_hint("upsert the point first; nothing of the batch was written"));
    }
    let keep = batch.ids.iter().map(|id| version.point_passes(id, filter)).collect::<Result<Vec<_>>>()?;
    batch.retain(&version.schema, &keep);
    // A row that gives no vector says nothing.
    let gives: Vec<bool> = (0..batch.rows()).map(|row| batch.vectors.iter().any(|part| part.present[row])).collect();
    let points = batch.rows() as u64;
    batch.retain(&version.schema, &gives);
    batch.flags.fill(0);
    Ok((if batch.rows() == 0 { Vec::new() } else { vec![batch.draft()?] }, points))
}

fn prepare_vector_delete(version: &Version, selector: &Selector, names: &[String]) -> Result<Drafts> {
    let mut parts = names.iter().map(|name| version.schema.part(name)).collect::<Result<Vec<_>>>()?;
    if parts.is_empty() {
        return Err(Error::invalid("no vector is named that is to go").with_hint("name at least one"));
    }
    parts.sort_unstable();
    parts.dedup();
    let ids = selector.resolve(version)?;
    let has_one = |id: &&PointId| parts.iter().any(|&part| version.find(id, part).is_some());
    let ended: Vec<PointId> = ids.iter().filter(has_one).copied().collect();
    let bytes: Vec<u8> = parts.iter().flat_map(|&part| (part as u16).to_le_bytes()).collect();
    let draft = |ids: &[PointId]| {
        let mut draft = ids_draft(RecordKind::DeleteVectors, ids);
        draft.section(SectionKind::Parts, 0, 0, parts.len(), bytes.clone());
        draft
    };
    Ok((ended.chunks(OPERATION_ROWS).map(draft).collect(), ids.len() as u64))
}

fn prepare_field(version: &Version, field: FieldSchema) -> Result<Drafts> {
    FieldPath::parse_indexable(&field.name)?;
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
