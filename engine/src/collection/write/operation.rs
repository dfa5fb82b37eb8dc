//! What can be written: the operations, before they are resolved against the state that they meet.

use super::super::filter::Selector;
use crate::batch::Batch;
use crate::payload::Filter;
use crate::schema::{FieldSchema, IndexConfig};

/// Something to write.
#[derive(Debug, Clone)]
pub enum WriteOperation {
    /// Whole points: what was there under their ids is gone.
    Upsert(Batch),
    /// Whole points, as far as a condition lets them be written; the batch was not laid out.
    UpsertIf(Batch, UpsertCondition),
    /// Vectors (and payloads, where given) of the batch's rows alone; other vectors of existing points stay. New ids become points.
    Patch(Batch),
    /// Vectors of points that exist: other vectors and the payload stay. An id without a point refuses the whole batch, and where a filter
    /// is given, points that do not pass it stay as they are.
    PatchVectors(Batch, Option<Filter>),
    /// Ends vectors of points, by their names; the points stay.
    DeleteVectors(Selector, Vec<String>),
    /// Ends points.
    Delete(Selector),
    /// Sets keys of payloads, keeping the others.
    SetPayload(PayloadPatch),
    /// Puts a payload in the place of what was there.
    OverwritePayload(Selector, String),
    /// Takes what lies at these paths out of payloads.
    DeletePayload(Selector, Vec<String>),
    /// Takes payloads away.
    ClearPayload(Selector),
    /// Begins to index a payload field; segments that exist get the index by a background step.
    IndexField(FieldSchema),
    /// Ends the index of a payload field, which filters may go on to ask for; segments lose it when they are made anew.
    DropField(String),
    /// Changes how vectors and fields are indexed; what exists is indexed anew by the background steps.
    Configure(IndexConfig),
}

/// Keys that are set in payloads.
#[derive(Debug, Clone)]
pub struct PayloadPatch {
    /// In which.
    pub selector: Selector,
    /// The keys with their values, as the JSON text of an object. A value that is null takes its key away.
    pub payload: String,
    /// Where the object lies whose keys they are, as a path; without it, the payload itself. What is missing on the way is made.
    pub key: Option<String>,
}

/// Which points of a batch may be written.
#[derive(Debug, Clone, Default)]
pub struct UpsertCondition {
    /// Whether points may be new, or must be.
    pub mode: UpsertMode,
    /// What a point that exists must pass to be replaced; new points are not asked.
    pub filter: Option<Filter>,
}

/// Whether the points of a batch may be new, or must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UpsertMode {
    /// New points are made, existing ones replaced.
    #[default]
    Upsert,
    /// Only new points are made.
    InsertOnly,
    /// Only existing points are replaced.
    UpdateOnly,
}

impl WriteOperation {
    /// Sets keys of payloads, at their top.
    #[must_use]
    pub fn set_payload(selector: Selector, payload: String) -> Self {
        WriteOperation::SetPayload(PayloadPatch { selector, payload, key: None })
    }

    /// Says whether the operation gives room back, so that a full disk has a reserve for it.
    pub(super) fn frees(&self) -> bool {
        matches!(self, WriteOperation::Delete(_) | WriteOperation::DeleteVectors(..))
    }

    /// Says whether what it becomes depends on the state that it meets.
    pub(super) fn depends_on_state(&self) -> bool {
        !matches!(self, WriteOperation::Upsert(_))
    }
}
