//! Several operations in one request, carried out in their order.

use engine::collection::WriteOperation;
use engine::{Result, Schema};
use serde::Deserialize;
use serde_json::json;

use super::chosen::PointsBody;
use super::payloads::{self, SetBody};
use super::vectors::{self, UpdateBody};
use super::write::UpsertBody;
use crate::api::Call;
use crate::api::answer::{Answer, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    operations: Vec<Operation<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operation<'a> {
    #[serde(borrow)]
    Upsert(UpsertBody<'a>),
    #[serde(borrow)]
    Delete(PointsBody<'a>),
    #[serde(borrow)]
    SetPayload(SetBody<'a>),
    #[serde(borrow)]
    OverwritePayload(SetBody<'a>),
    #[serde(borrow)]
    DeletePayload(payloads::DeleteBody<'a>),
    #[serde(borrow)]
    ClearPayload(PointsBody<'a>),
    #[serde(borrow)]
    UpdateVectors(UpdateBody<'a>),
    #[serde(borrow)]
    DeleteVectors(vectors::DeleteBody<'a>),
}

impl Operation<'_> {
    fn into_write(self, schema: &Schema) -> Result<WriteOperation> {
        match self {
            Operation::Upsert(body) => body.operation(schema),
            Operation::Delete(body) => body.selector().map(WriteOperation::Delete),
            Operation::SetPayload(body) => body.set(),
            Operation::OverwritePayload(body) => body.overwrite(),
            Operation::DeletePayload(body) => body.operation(),
            Operation::ClearPayload(body) => body.selector().map(WriteOperation::ClearPayload),
            Operation::UpdateVectors(body) => body.operation(schema),
            Operation::DeleteVectors(body) => body.operation(),
        }
    }
}

/// Carries operations out in their order; all are read before the first is written, each is all or nothing.
pub(in crate::api) fn batch(name: &str, call: &Call<'_>) -> Outcome {
    let served = call.host.served(name)?;
    let body: Body<'_> = call.json()?;
    let schema = served.version().schema.clone();
    let operations = body.operations.into_iter().map(|operation| operation.into_write(&schema)).collect::<Result<Vec<_>>>()?;
    let mut done = Vec::with_capacity(operations.len());
    for ack in served.write_all(operations)? {
        done.push(json!({"operation_id": ack?.lsn, "status": call.status()}));
    }
    Answer::of(&done)
}
