//! `vectra collections field-index`: a payload field gets an index, in the segments that exist and in those to come.

use super::session::Session;
use super::settle::{self, Deadline};
use crate::args::{FieldIndexArgs, FieldType};
use crate::exit::Failure;
use engine::collection::merge::Work;
use engine::collection::{Step, WriteOperation};
use engine::payload::field_index;
use engine::schema::FieldSchema;
use engine::{Collection, ErrorKind};
use serde_json::json;

/// Indexes the field.
pub(super) fn run(session: &Session<'_>, args: &FieldIndexArgs) -> Result<(), Failure> {
    let field = FieldSchema { name: args.field.clone(), field_type: field_type(args.field_type) };
    session.write(&args.name, |_, collection| {
        refuse_other_type(collection, &field)?;
        collection.write(WriteOperation::IndexField(field.clone()))?;
        index_segments(session, collection, &field)
    })?;
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": args.name, "field": args.field, "type": field.field_type.name()}));
    }
    session.out.result(&format!("{} of {} is indexed as {}", args.field, args.name, field.field_type.name()))
}

fn field_type(field_type: FieldType) -> field_index::FieldType {
    match field_type {
        FieldType::Keyword => field_index::FieldType::Keyword,
        FieldType::Integer => field_index::FieldType::Integer,
        FieldType::Float => field_index::FieldType::Float,
        FieldType::Bool => field_index::FieldType::Bool,
        FieldType::Datetime => field_index::FieldType::Datetime,
        FieldType::Uuid => field_index::FieldType::Uuid,
        FieldType::Text => field_index::FieldType::Text,
        FieldType::Geo => field_index::FieldType::Geo,
    }
}

fn refuse_other_type(collection: &Collection, field: &FieldSchema) -> Result<(), Failure> {
    let version = collection.version();
    match version.schema.fields.iter().find(|known| known.name == field.name && known.field_type != field.field_type) {
        None => Ok(()),
        Some(known) => Err(Failure::new(ErrorKind::Conflict, format!("field \"{}\" has an index of another type", field.name))
            .with_object(collection.name())
            .with_expected(known.field_type.name(), field.field_type.name())),
    }
}

/// Runs the step for each segment that has no such index; the places of segments do not change meanwhile.
fn index_segments(session: &Session<'_>, collection: &Collection, field: &FieldSchema) -> Result<(), Failure> {
    let version = collection.version();
    for (at, open) in version.segments.iter().enumerate() {
        let is_current = open.fields.iter().any(|index| index.path().to_string() == field.name && index.field_type() == field.field_type);
        if !is_current {
            settle::run(session, collection, &Step::Segments(Work::Fields(at)), Deadline::default())?;
        }
    }
    Ok(())
}
