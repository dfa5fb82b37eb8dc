//! Indexes of payload fields.

use engine::Error;
use engine::collection::WriteOperation;
use engine::payload::FieldType;
use engine::schema::FieldSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use super::answer::{Answer, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    field_name: String,
    field_schema: Option<Value>,
}

/// Begins to index a field.
pub(super) fn create(name: &str, call: &Call<'_>) -> Outcome {
    let Create { field_name, field_schema } = call.json()?;
    let field = FieldSchema { field_type: type_of(field_schema.as_ref())?, name: field_name };
    let ack = call.host.served(name)?.write(WriteOperation::IndexField(field))?;
    Answer::of(&json!({"operation_id": ack.lsn, "status": call.status()}))
}

/// Reads a type: its name, or an object that names it beside parameters that clients keep for themselves.
fn type_of(schema: Option<&Value>) -> Result<FieldType, Error> {
    let name = match schema {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Object(members)) => members.get("type").and_then(Value::as_str),
        _ => None,
    };
    let name = name.ok_or_else(|| {
        Error::invalid("an index of a field needs the type of its values").with_hint("give field_schema, for example \"keyword\"")
    })?;
    FieldType::parse(name)
}

/// Ends the index of a field; one that does not exist has ended already.
pub(super) fn delete(name: &str, field: &str, call: &Call<'_>) -> Outcome {
    let ack = call.host.served(name)?.write(WriteOperation::DropField(field.to_owned()))?;
    Answer::of(&json!({"operation_id": ack.lsn, "status": call.status()}))
}
