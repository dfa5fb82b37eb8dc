//! Vectors of existing points: replaced by name, deleted by name.

use engine::collection::WriteOperation;
use engine::{Batch, Error, Point, Result, Schema};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::{self, Vectors};
use super::chosen::selector;
use super::payloads::write;
use crate::api::Call;
use crate::api::answer::Outcome;
use crate::api::label::Label;

/// Vectors of points.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateBody<'a> {
    points: Vec<PointVectors>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    update_filter: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PointVectors {
    id: Label,
    vector: Vectors,
}

/// Names of vectors, and the points that lose them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteBody<'a> {
    #[serde(default)]
    points: Option<Vec<Label>>,
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    vector: Vec<String>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
}

impl UpdateBody<'_> {
    /// Makes the operation of it.
    ///
    /// # Errors
    /// `InvalidInput` when vectors do not fit the schema.
    pub(super) fn operation(self, schema: &Schema) -> Result<WriteOperation> {
        let condition = body::filter(self.update_filter)?;
        if self.points.is_empty() {
            return Err(Error::invalid("must specify points to update"));
        }
        let points: Vec<Point> = self
            .points
            .into_iter()
            .map(|PointVectors { id, vector }| Point { id: id.0, vectors: vector.into_named(), payload: None })
            .collect();
        Ok(WriteOperation::PatchVectors(Batch::of_points(schema, &points)?, condition))
    }
}

impl DeleteBody<'_> {
    /// Makes the operation of it.
    ///
    /// # Errors
    /// `InvalidInput` when it does not say which points or vectors.
    pub(super) fn operation(self) -> Result<WriteOperation> {
        if self.vector.is_empty() {
            return Err(Error::invalid("must specify vector names to delete"));
        }
        Ok(WriteOperation::DeleteVectors(selector(self.points, self.filter)?, self.vector))
    }
}

/// Replaces vectors of points.
pub(in crate::api) fn update_vectors(name: &str, call: &Call<'_>) -> Outcome {
    let schema = call.host.served(name)?.version().schema.clone();
    write(name, call, call.json::<UpdateBody<'_>>()?.operation(&schema)?)
}

/// Deletes vectors of points.
pub(in crate::api) fn delete_vectors(name: &str, call: &Call<'_>) -> Outcome {
    write(name, call, call.json::<DeleteBody<'_>>()?.operation()?)
}
