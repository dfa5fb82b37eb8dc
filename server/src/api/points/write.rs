//! Upserts and deletes of points.

use std::collections::BTreeMap;

use engine::collection::{Ack, UpsertCondition, UpsertMode, WriteOperation};
use engine::payload::Filter;
use engine::{Batch, Error, Point, Result, Schema};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::body::{BatchBody, PointBody, filter};
use super::chosen::PointsBody;
use crate::api::Call;
use crate::api::answer::{Answer, Outcome};

/// A request to upsert, in either form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpsertBody<'a> {
    #[serde(borrow, default)]
    points: Option<Vec<PointBody<'a>>>,
    #[serde(borrow, default)]
    batch: Option<BatchBody<'a>>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    update_filter: Option<&'a RawValue>,
    #[serde(default)]
    update_mode: Option<String>,
}

/// Says that a write holds.
pub(super) fn acknowledged(ack: Ack, call: &Call<'_>) -> Outcome {
    Answer::of(&json!({"operation_id": ack.lsn, "status": call.status()}))
}

/// Upserts points: one atomic operation.
pub(in crate::api) fn upsert(name: &str, call: &Call<'_>) -> Outcome {
    let served = call.host.served(name)?;
    let body: UpsertBody<'_> = call.json()?;
    let operation = body.operation(&served.version().schema)?;
    acknowledged(served.write(operation)?, call)
}

/// Deletes points: one atomic operation.
pub(in crate::api) fn delete(name: &str, call: &Call<'_>) -> Outcome {
    let served = call.host.served(name)?;
    let body: PointsBody<'_> = call.json()?;
    acknowledged(served.write(WriteOperation::Delete(body.selector()?))?, call)
}

impl UpsertBody<'_> {
    /// Makes the operation of it.
    ///
    /// # Errors
    /// `InvalidInput` when points do not fit the schema.
    pub(super) fn operation(self, schema: &Schema) -> Result<WriteOperation> {
        let points = match (self.points, self.batch) {
            (Some(points), None) => points.into_iter().map(PointBody::into_point).collect(),
            (None, Some(batch)) => batch.into_points()?,
            _ => return Err(Error::invalid("an upsert has either \"points\" or \"batch\"")),
        };
        if points.is_empty() {
            return Err(Error::invalid("an upsert has at least one point"));
        }
        let condition = filter(self.update_filter)?;
        let mode = self.update_mode;
        let batch = Batch::of_points(schema, &last_of_each(points))?;
        upsert_operation(batch, mode.as_deref(), condition)
    }
}

/// Of points with the same id in one request, the last holds.
fn last_of_each(points: Vec<Point>) -> Vec<Point> {
    let mut last = BTreeMap::new();
    for (at, point) in points.iter().enumerate() {
        last.insert(point.id, at);
    }
    if last.len() == points.len() {
        return points;
    }
    points.into_iter().enumerate().filter(|(at, point)| last.get(&point.id) == Some(at)).map(|(_, point)| point).collect()
}

fn upsert_operation(batch: Batch, mode: Option<&str>, filter: Option<Filter>) -> Result<WriteOperation> {
    let mode = match mode {
        None | Some("upsert") => UpsertMode::Upsert,
        Some("insert_only") => UpsertMode::InsertOnly,
        Some("update_only") => UpsertMode::UpdateOnly,
        Some(other) => {
            let unknown = Error::invalid("unknown update_mode");
            return Err(unknown.with_expected("upsert, insert_only or update_only", other.escape_debug()));
        }
    };
    if mode == UpsertMode::Upsert && filter.is_none() {
        return Ok(WriteOperation::Upsert(batch));
    }
    Ok(WriteOperation::UpsertIf(batch, UpsertCondition { mode, filter }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::PointId;

    #[test]
    fn of_points_with_one_id_the_last_holds() {
        let point = |id, number| Point { id: PointId::Number(id), vectors: vec![(String::new(), vec![number])], payload: None };
        let kept = last_of_each(vec![point(1, 1.0), point(2, 2.0), point(1, 3.0)]);
        assert_eq!(kept, [point(2, 2.0), point(1, 3.0)]);
    }
}
