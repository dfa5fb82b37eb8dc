//! Draws schemas and changes from a seed, and says them to the engine.

use engine::collection::{PayloadPatch, Selector, UpsertCondition, UpsertMode, WriteOperation};
use engine::payload::{FieldType, Filter};
use engine::schema::{Distance, FieldSchema, IndexParams, Numbers, Schema, VectorSchema};
use engine::{Batch, Point, PointId, Result};
use platform::random::Stream;

use crate::model::{Change, Id, Measure, Only, Row, Which};

/// Names from here on become UUIDs, which the engine orders behind numbers.
const FIRST_UUID: Id = 1 << 40;
/// Values of "tag".
const TAGS: u64 = 4;
/// Values of "n".
const NUMBERS: u64 = 40;

/// The vectors of a collection.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Name, dimension, measure and datatype of each.
    pub vectors: Vec<(&'static str, u32, Measure, Numbers)>,
}

impl Shape {
    /// Draws one or two named vectors of few dimensions.
    pub fn draw(stream: &mut Stream) -> Self {
        let measures = [Measure::Euclid, Measure::Dot, Measure::Manhattan];
        let datatypes = [Numbers::F32, Numbers::F32, Numbers::F16, Numbers::U8];
        let mut vector = |name| {
            let measure = measures[stream.below(3) as usize];
            (name, 2 + stream.below(6) as u32, measure, datatypes[stream.below(4) as usize])
        };
        let (first, second) = (vector("a"), vector("b"));
        let vectors = if stream.chance(1, 2) { vec![first] } else { vec![first, second] };
        Shape { vectors }
    }

    /// Gives the schema that the engine is asked for. Graphs get little effort: what is searched through them is small.
    #[must_use]
    pub fn schema(&self) -> Schema {
        let vector = |(name, dim, measure, numbers): &(&str, u32, Measure, Numbers)| {
            let distance = match measure {
                Measure::Euclid => Distance::Euclid,
                Measure::Dot => Distance::Dot,
                Measure::Manhattan => Distance::Manhattan,
            };
            let index = IndexParams { m: 8, ef_construction: 40, ..IndexParams::default() };
            VectorSchema { index, ..VectorSchema::dense(name, *dim, distance, *numbers) }
        };
        Schema { vectors: self.vectors.iter().map(vector).collect(), ..Schema::default() }
    }

    /// Draws a vector of the n-th kind.
    pub fn vector(&self, n: usize, stream: &mut Stream) -> Vec<f32> {
        let (_, dim, _, numbers) = self.vectors[n];
        let lowest = if numbers == Numbers::U8 { 0.0 } else { -8.0 };
        (0..dim).map(|_| lowest + stream.below(17) as f32).collect()
    }
}

/// How large the drawn changes are.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// How many different points there are at most.
    pub pool: u64,
    /// Rows of a batch at most.
    pub batch: u64,
    /// Whether some payloads are larger than a block of the log.
    pub long_payloads: bool,
}

/// Draws the name of a point.
pub fn id(stream: &mut Stream, sizes: Sizes) -> Id {
    let number = stream.below(sizes.pool);
    if number.is_multiple_of(7) { FIRST_UUID + number } else { number }
}

fn payload(stream: &mut Stream, sizes: Sizes) -> Vec<(String, String)> {
    let mut members = Vec::new();
    if stream.chance(1, 5) {
        return members;
    }
    members.push(("n".to_owned(), stream.below(NUMBERS).to_string()));
    if stream.chance(3, 4) {
        members.push(("tag".to_owned(), format!("\"t{}\"", stream.below(TAGS))));
    }
    if stream.chance(1, 4) {
        let long = sizes.long_payloads && stream.chance(1, 30);
        let letters = if long { 20_000 + stream.below(40_000) } else { stream.below(200) };
        // Letters that do not compress, so that length in the file follows.
        let text: String = (0..letters).map(|_| char::from(b'a' + stream.below(26) as u8)).collect();
        members.push(("text".to_owned(), format!("\"{text}\"")));
    }
    members
}

fn rows(stream: &mut Stream, shape: &Shape, sizes: Sizes, absent: u64) -> Vec<(Id, Row)> {
    let wanted = 1 + stream.below(sizes.batch);
    let mut rows: Vec<(Id, Row)> = Vec::new();
    for _ in 0..wanted {
        let id = id(stream, sizes);
        if rows.iter().any(|(known, _)| *known == id) {
            continue;
        }
        let vectors = (0..shape.vectors.len()).map(|n| (!stream.chance(absent, 8)).then(|| shape.vector(n, stream))).collect();
        rows.push((id, Row { vectors, payload: payload(stream, sizes) }));
    }
    rows
}

/// Draws which points are meant.
pub fn which(stream: &mut Stream, sizes: Sizes) -> Which {
    match stream.below(4) {
        0 | 1 => which_by_payload(stream),
        _ => Which::Ids((0..=stream.below(6)).map(|_| id(stream, sizes)).collect()),
    }
}

fn which_by_payload(stream: &mut Stream) -> Which {
    if stream.chance(1, 2) { Which::Tag(stream.below(TAGS)) } else { Which::Below(stream.below(NUMBERS / 4)) }
}

/// Draws whole points: changes that do not depend on each other, which the engine syncs together.
pub fn upsert(stream: &mut Stream, shape: &Shape, sizes: Sizes) -> Change {
    Change::Upsert(rows(stream, shape, sizes, 1))
}

/// Draws a change.
pub fn change(stream: &mut Stream, shape: &Shape, sizes: Sizes) -> Change {
    match stream.below(32) {
        0..12 => upsert(stream, shape, sizes),
        12..16 => Change::Patch(rows(stream, shape, sizes, 4)),
        16..19 => Change::Delete(which(stream, sizes)),
        19..21 => {
            let mut members = payload(stream, sizes);
            if members.is_empty() {
                members.push(("n".to_owned(), "7".to_owned()));
            }
            Change::SetPayload(which(stream, sizes), members)
        }
        21..27 => vector_change(stream, shape, sizes),
        27..30 => payload_change(stream, sizes),
        30 => Change::DropIndex(if stream.chance(1, 2) { "tag" } else { "n" }),
        _ => Change::Index(if stream.chance(1, 2) { "tag" } else { "n" }),
    }
}

/// Draws a change of vectors that depends on which points are there, and which vectors they have.
fn vector_change(stream: &mut Stream, shape: &Shape, sizes: Sizes) -> Change {
    let condition = stream.chance(1, 2).then(|| which_by_payload(stream));
    match stream.below(3) {
        0 => {
            let only = [Only::Any, Only::New, Only::Known][stream.below(3) as usize];
            Change::UpsertIf(rows(stream, shape, sizes, 1), only, condition)
        }
        1 => {
            // Few rows: one name that is not there refuses them all.
            let mut rows = rows(stream, shape, sizes, 4);
            rows.truncate(2);
            rows.iter_mut().for_each(|(_, row)| row.payload.clear());
            Change::PatchVectors(rows, condition)
        }
        _ => {
            let first = stream.below(shape.vectors.len() as u64) as usize;
            let places = if stream.chance(1, 4) { (0..shape.vectors.len()).collect() } else { vec![first] };
            Change::DeleteVectors(which(stream, sizes), places)
        }
    }
}

/// Draws a change of payloads that takes something away or puts it elsewhere.
fn payload_change(stream: &mut Stream, sizes: Sizes) -> Change {
    let meant = which(stream, sizes);
    match stream.below(4) {
        0 => Change::Overwrite(meant, payload(stream, sizes)),
        1 => Change::DeleteKeys(meant, if stream.chance(1, 2) { vec!["tag"] } else { vec!["n", "text", "o"] }),
        2 => Change::SetBelow(meant, stream.below(NUMBERS)),
        _ => Change::Clear(meant),
    }
}

/// Draws an upsert of a whole batch of new names, counted from `first`.
pub fn bulk(stream: &mut Stream, shape: &Shape, first: Id, count: u64) -> Change {
    let row = |id: Id, stream: &mut Stream| {
        let vectors = (0..shape.vectors.len()).map(|n| Some(shape.vector(n, stream))).collect();
        let payload = vec![("n".to_owned(), (id % NUMBERS).to_string()), ("tag".to_owned(), format!("\"t{}\"", id % TAGS))];
        (id, Row { vectors, payload })
    };
    Change::Upsert((first..first + count).map(|id| row(id, stream)).collect())
}

/// Gives the engine's id of a point.
#[must_use]
pub fn point_id(id: Id) -> PointId {
    if id < FIRST_UUID {
        return PointId::Number(id);
    }
    let mut bytes = [0x40; 16];
    bytes[8..].copy_from_slice(&id.to_be_bytes());
    PointId::Uuid(bytes)
}

/// Gives the name of the engine's id; `None` for one that was never drawn.
#[must_use]
pub fn name_of(id: &PointId) -> Option<Id> {
    let name = match id {
        PointId::Number(number) => *number,
        PointId::Uuid(bytes) => u64::from_be_bytes(bytes[8..].try_into().ok()?),
    };
    (point_id(name) == *id).then_some(name)
}

/// Gives the engine's filter for what [`Which`] says by payload; `None` for ids.
///
/// # Errors
/// Those of the engine's parser.
pub fn filter(which: &Which) -> Result<Option<Filter>> {
    let text = match which {
        Which::Ids(_) => return Ok(None),
        Which::Tag(tag) => format!("{{\"must\":[{{\"key\":\"tag\",\"match\":{{\"value\":\"t{tag}\"}}}}]}}"),
        Which::Below(bound) => format!("{{\"must\":[{{\"key\":\"n\",\"range\":{{\"lt\":{bound}}}}}]}}"),
    };
    Filter::parse(&text).map(Some)
}

fn selector(which: &Which) -> Result<Selector> {
    Ok(match (which, filter(which)?) {
        (_, Some(filter)) => Selector::Filter(filter),
        (Which::Ids(ids), None) => Selector::Ids(ids.iter().map(|id| point_id(*id)).collect()),
        (_, None) => Selector::Ids(Vec::new()),
    })
}

fn batch(rows: &[(Id, Row)], schema: &Schema) -> Result<Batch> {
    let point = |(id, row): &(Id, Row)| {
        let named = row.vectors.iter().zip(&schema.vectors);
        let vectors = named.filter_map(|(vector, spec)| vector.clone().map(|vector| (spec.name.clone(), vector))).collect();
        Point { id: point_id(*id), vectors, payload: row.payload_text() }
    };
    Batch::of_points(schema, &rows.iter().map(point).collect::<Vec<_>>())
}

fn condition(which: Option<&Which>) -> Result<Option<Filter>> {
    which.map_or(Ok(None), filter)
}

fn text(members: &[(String, String)]) -> Option<String> {
    Row { vectors: Vec::new(), payload: members.to_vec() }.payload_text()
}

/// Says a change to the engine.
///
/// # Errors
/// When the engine refuses it, which it never may.
pub fn operation(change: &Change, schema: &Schema) -> Result<WriteOperation> {
    Ok(match change {
        Change::Upsert(rows) => WriteOperation::Upsert(batch(rows, schema)?),
        Change::UpsertIf(rows, only, which) => {
            let mode = match only {
                Only::Any => UpsertMode::Upsert,
                Only::New => UpsertMode::InsertOnly,
                Only::Known => UpsertMode::UpdateOnly,
            };
            WriteOperation::UpsertIf(batch(rows, schema)?, UpsertCondition { mode, filter: condition(which.as_ref())? })
        }
        Change::PatchVectors(rows, which) => WriteOperation::PatchVectors(batch(rows, schema)?, condition(which.as_ref())?),
        Change::DeleteVectors(which, places) => {
            let names = places.iter().map(|place| schema.vectors[*place].name.clone()).collect();
            WriteOperation::DeleteVectors(selector(which)?, names)
        }
        Change::Patch(rows) => WriteOperation::Patch(batch(rows, schema)?),
        Change::Delete(which) => WriteOperation::Delete(selector(which)?),
        Change::SetPayload(which, members) => WriteOperation::set_payload(selector(which)?, text(members).unwrap_or_default()),
        Change::SetBelow(which, number) => {
            let (payload, key) = (format!("{{\"x\":{number}}}"), Some("o.p".to_owned()));
            WriteOperation::SetPayload(PayloadPatch { selector: selector(which)?, payload, key })
        }
        Change::Overwrite(which, members) => WriteOperation::OverwritePayload(selector(which)?, text(members).unwrap_or("{}".to_owned())),
        Change::DeleteKeys(which, keys) => {
            WriteOperation::DeletePayload(selector(which)?, keys.iter().map(|key| (*key).to_owned()).collect())
        }
        Change::Clear(which) => WriteOperation::ClearPayload(selector(which)?),
        Change::DropIndex(field) => WriteOperation::DropField((*field).to_owned()),
        Change::Index(field) => {
            let field_type = if *field == "tag" { FieldType::Keyword } else { FieldType::Integer };
            WriteOperation::IndexField(FieldSchema { name: (*field).to_owned(), field_type })
        }
    })
}
