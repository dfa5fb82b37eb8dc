//! Payloads changed: members set, the whole replaced, members deleted, everything cleared.

use engine::collection::{PayloadPatch, Selector, WriteOperation};
use engine::{Error, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::chosen::{PointsBody, check_exist, selector};
use super::write::acknowledged;
use crate::api::Call;
use crate::api::answer::Outcome;
use crate::api::label::Label;

/// A payload, and the points that get it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetBody<'a> {
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(default)]
    points: Option<Vec<Label>>,
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
    #[serde(default)]
    key: Option<String>,
}

/// Members of payloads, and the points that lose them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteBody<'a> {
    keys: Vec<String>,
    #[serde(default)]
    points: Option<Vec<Label>>,
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
}

impl SetBody<'_> {
    /// Makes the operation that sets members and keeps the others.
    ///
    /// # Errors
    /// `InvalidInput` when it does not say which points.
    pub(super) fn set(self) -> Result<WriteOperation> {
        let payload = self.payload.get().to_owned();
        let selector = selector(self.points, self.filter)?;
        Ok(WriteOperation::SetPayload(PayloadPatch { selector, payload, key: self.key }))
    }

    /// Makes the operation that replaces payloads.
    ///
    /// # Errors
    /// As [`SetBody::set`], and when a key is given: the whole is replaced.
    pub(super) fn overwrite(self) -> Result<WriteOperation> {
        if self.key.is_some() {
            return Err(
                Error::invalid("a payload that is overwritten has no key").with_hint("set the payload to change what lies below a key")
            );
        }
        let payload = self.payload.get().to_owned();
        Ok(WriteOperation::OverwritePayload(selector(self.points, self.filter)?, payload))
    }
}

impl DeleteBody<'_> {
    /// Makes the operation of it.
    ///
    /// # Errors
    /// `InvalidInput` when it does not say which points.
    pub(super) fn operation(self) -> Result<WriteOperation> {
        Ok(WriteOperation::DeletePayload(selector(self.points, self.filter)?, self.keys))
    }
}

/// Gives the selector of an operation on payloads or vectors.
pub(super) fn selector_of(operation: &WriteOperation) -> Option<&Selector> {
    match operation {
        WriteOperation::SetPayload(PayloadPatch { selector, .. })
        | WriteOperation::OverwritePayload(selector, _)
        | WriteOperation::DeletePayload(selector, _)
        | WriteOperation::ClearPayload(selector)
        | WriteOperation::DeleteVectors(selector, _) => Some(selector),
        _ => None,
    }
}

/// Sets members of payloads.
pub(in crate::api) fn set_payload(name: &str, call: &Call<'_>) -> Outcome {
    write(name, call, call.json::<SetBody<'_>>()?.set()?)
}

/// Replaces payloads.
pub(in crate::api) fn overwrite_payload(name: &str, call: &Call<'_>) -> Outcome {
    write(name, call, call.json::<SetBody<'_>>()?.overwrite()?)
}

/// Deletes members of payloads.
pub(in crate::api) fn delete_payload(name: &str, call: &Call<'_>) -> Outcome {
    write(name, call, call.json::<DeleteBody<'_>>()?.operation()?)
}

/// Clears payloads.
pub(in crate::api) fn clear_payload(name: &str, call: &Call<'_>) -> Outcome {
    write(name, call, WriteOperation::ClearPayload(call.json::<PointsBody<'_>>()?.selector()?))
}

/// Writes to points that must exist where they are named.
pub(super) fn write(name: &str, call: &Call<'_>, operation: WriteOperation) -> Outcome {
    let served = call.host.served(name)?;
    if let Some(selector) = selector_of(&operation) {
        check_exist(selector, &served.version())?;
    }
    acknowledged(served.write(operation)?, call)
}
