//! `vectra collections create`: a new, empty collection.

use super::session::Session;
use crate::args::{CreateArgs, Datatype, Distance, IndexSettings, VectorSpec};
use crate::exit::Failure;
use engine::schema::Numbers;
use engine::{Schema, VectorSchema};
use serde_json::json;

/// Creates the collection.
pub(super) fn run(session: &Session<'_>, args: &CreateArgs) -> Result<(), Failure> {
    let schema = schema_of(args)?;
    schema.check()?;
    let incarnation = session.change(|database| database.create_collection(&args.name, &schema))?;
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": args.name, "incarnation": incarnation.to_string()}));
    }
    session.out.result(&format!("created {}", args.name))
}

fn schema_of(args: &CreateArgs) -> Result<Schema, Failure> {
    let unnamed = args.dim.map(|dim| VectorSpec { name: String::new(), dim, distance: args.distance, datatype: args.datatype });
    let vectors = unnamed.iter().chain(&args.vector).map(|spec| vector(spec, &args.settings)).collect::<Result<_, Failure>>()?;
    Ok(Schema { vectors, ..Schema::default() })
}

fn vector(spec: &VectorSpec, settings: &IndexSettings) -> Result<VectorSchema, Failure> {
    let distance = match spec.distance {
        Distance::Cosine => engine::Distance::Cosine,
        Distance::Dot => engine::Distance::Dot,
        Distance::Euclid => engine::Distance::Euclid,
        Distance::Manhattan => engine::Distance::Manhattan,
    };
    let datatype = match spec.datatype {
        Datatype::F32 => Numbers::F32,
        Datatype::F16 => Numbers::F16,
        Datatype::U8 => Numbers::U8,
    };
    let mut vector = VectorSchema::dense(&spec.name, spec.dim, distance, datatype);
    vector.index = settings.of_vector(&spec.name).applied_to(&vector.index)?;
    Ok(vector)
}
