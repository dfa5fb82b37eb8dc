//! Reads under filters that ask for vectors, of moments and of UUIDs, over the life of a collection: in the tail, in segments with field
//! indexes of every type, after changes of payloads and of vectors, compared with a plain map.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::PointId;
use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Collection, FacetValue, FieldOrder, Selector, Step, Version, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::payload::{FieldPath, FieldType, Filter, Number};
use engine::schema::{Distance, FieldSchema, Numbers, Schema, VectorSchema};
use platform::random::Stream;
use platform::sim::SimWorld;

/// What the map knows of a point.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The numbers of its field "n", those of moments as microseconds.
    numbers: Vec<f64>,
    /// The values of its field "k".
    words: Vec<FacetValue>,
    /// Its field "even".
    is_even: bool,
    has_b: bool,
    payload: String,
}

type Model = BTreeMap<PointId, Known>;

fn id(stream: &mut Stream) -> PointId {
    let number = stream.below(300);
    if number.is_multiple_of(3) { PointId::Uuid([number as u8; 16]) } else { PointId::Number(number) }
}

fn known(stream: &mut Stream) -> Known {
    let mut known = Known { is_even: stream.chance(1, 2), has_b: stream.chance(1, 2), ..Known::default() };
    let (mut numbers, mut words) = (Vec::new(), Vec::new());
    for _ in 0..stream.below(3) {
        let number = stream.below(20) as i64 - 5;
        let (text, value) = match stream.below(8) {
            0 => (format!("{number}.5"), if number < 0 { number as f64 - 0.5 } else { number as f64 + 0.5 }),
            1 => ("\"1970-01-01T00:00:00.000007Z\"".to_owned(), 7.0),
            2 => ("\"no moment\"".to_owned(), f64::NAN),
            3 => ("1e400".to_owned(), f64::NAN),
            _ => (number.to_string(), number as f64),
        };
        if text == "-0.5" {
            continue;
        }
        numbers.push(text);
        known.numbers.extend(Some(value).filter(|value| !value.is_nan()));
    }
    for _ in 0..stream.below(3) {
        let number = stream.below(6);
        let uuid = "00112233-4455-6677-8899-aabbccddeeff";
        let (text, value) = match stream.below(8) {
            0 => (number.to_string(), Some(FacetValue::Integer(number.into()))),
            1 => ("true".to_owned(), Some(FacetValue::Bool(true))),
            2 => (format!("{number}.0"), None),
            3 => (format!("\"{}\"", uuid.to_uppercase().replace('-', "")), Some(FacetValue::Text(uuid.to_owned()))),
            4 => (format!("\"{uuid}\""), Some(FacetValue::Text(uuid.to_owned()))),
            _ => (format!("\"w{number}\""), Some(FacetValue::Text(format!("w{number}")))),
        };
        words.push(text);
        known.words.extend(value);
    }
    known.payload = format!("{{\"n\":[{}],\"k\":[{}],\"even\":{}}}", numbers.join(","), words.join(","), known.is_even);
    known
}

fn point(id: PointId, known: &Known) -> Point {
    let mut vectors = vec![("a".to_owned(), vec![1.0, 2.0])];
    if known.has_b {
        vectors.push(("b".to_owned(), vec![3.0, 4.0]));
    }
    Point { id, vectors, payload: Some(known.payload.clone()) }
}

/// The filters under which is read, with what they mean to the map.
type Meaning = fn(&PointId, &Known) -> bool;
const FILTERS: [(&str, Meaning); 5] = [
    ("{}", |_, _| true),
    ("{\"must\":[{\"key\":\"even\",\"match\":{\"value\":true}}]}", |_, known| known.is_even),
    ("{\"must\":[{\"has_vector\":\"b\"}]}", |_, known| known.has_b),
    (
        "{\"must\":[{\"has_vector\":\"a\"},{\"key\":\"even\",\"match\":{\"value\":true}}],\"must_not\":[{\"has_vector\":\"b\"}]}",
        |_, known| known.is_even && !known.has_b,
    ),
    ("{\"must\":[{\"key\":\"k\",\"values_count\":{\"gt\":5}}]}", |_, _| false),
];

fn check(version: &Version, model: &Model, stream: &mut Stream, context: &str) {
    let (text, means) = FILTERS[stream.below(FILTERS.len() as u64) as usize];
    let filter = Filter::parse(text).unwrap();
    let filter = (text != "{}" || stream.chance(1, 2)).then_some(&filter);
    let passing: Vec<(&PointId, &Known)> = model.iter().filter(|(id, known)| means(id, known)).collect();
    let context = format!("{context} under {text}");
    assert_eq!(version.count(filter).unwrap(), passing.len() as u64, "{context}");

    let limit = stream.below(40) as usize;
    let from = stream.chance(2, 3).then(|| id(stream));
    let expected: Vec<PointId> = passing.iter().map(|(id, _)| **id).filter(|id| from.is_none_or(|from| *id >= from)).take(limit).collect();
    assert_eq!(version.scroll(from, limit, filter).unwrap(), expected, "{context}: {limit} from {from:?}");

    let is_descending = stream.chance(1, 2);
    let start = stream.chance(1, 2).then(|| stream.below(20) as i64 - 5);
    let mut entries: Vec<(f64, PointId)> =
        passing.iter().flat_map(|(id, known)| known.numbers.iter().map(|number| (*number, **id))).collect();
    entries.retain(|(number, _)| start.is_none_or(|start| if is_descending { *number <= start as f64 } else { *number >= start as f64 }));
    entries.sort_by(|a, b| if is_descending { b.0.total_cmp(&a.0) } else { a.0.total_cmp(&b.0) }.then(a.1.cmp(&b.1)));
    entries.dedup();
    entries.truncate(limit);
    let key = FieldPath::parse("n").unwrap();
    let order = FieldOrder { is_descending, start: start.map(|start| Number::Integer(start.into())) };
    let found = version.ordered_by(&key, order, limit, filter).unwrap();
    let as_float = |number: Number| match number {
        Number::Integer(integer) => integer as f64,
        Number::Float(float) => float,
    };
    let found: Vec<(f64, PointId)> = found.into_iter().map(|(id, number)| (as_float(number), id)).collect();
    assert_eq!(found, entries, "{context}: {limit} in {order:?}");

    let mut counts: BTreeMap<&FacetValue, u64> = BTreeMap::new();
    for (_, known) in &passing {
        known.words.iter().collect::<BTreeSet<_>>().into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    let mut counted: Vec<(FacetValue, u64)> = counts.into_iter().map(|(value, count)| (value.clone(), count)).collect();
    counted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let limit = stream.below(12) as usize;
    counted.truncate(limit);
    assert_eq!(version.facet(&FieldPath::parse("k").unwrap(), limit, filter).unwrap(), counted, "{context}: {limit}");
}

fn change(collection: &Collection, model: &mut Model, stream: &mut Stream) {
    let schema = collection.version().schema.clone();
    let some: BTreeSet<PointId> = (0..=stream.below(20)).map(|_| id(stream)).collect();
    let here: Vec<PointId> = some.iter().filter(|id| model.contains_key(id)).copied().collect();
    match stream.below(8) {
        0..4 => {
            let points: Vec<(PointId, Known)> = some.into_iter().map(|id| (id, known(stream))).collect();
            let batch: Vec<Point> = points.iter().map(|(id, known)| point(*id, known)).collect();
            collection.write(WriteOperation::Upsert(Batch::of_points(&schema, &batch).unwrap())).unwrap();
            model.extend(points);
        }
        4 => {
            collection.write(WriteOperation::Delete(Selector::Ids(here.clone()))).unwrap();
            here.iter().for_each(|id| drop(model.remove(id)));
        }
        5 => {
            let new = known(stream);
            collection.write(WriteOperation::OverwritePayload(Selector::Ids(here.clone()), new.payload.clone())).unwrap();
            here.iter().for_each(|id| _ = model.get_mut(id).map(|old| *old = Known { has_b: old.has_b, ..new.clone() }));
        }
        6 => {
            collection.write(WriteOperation::DeleteVectors(Selector::Ids(here.clone()), vec!["b".to_owned()])).unwrap();
            here.iter().for_each(|id| _ = model.get_mut(id).map(|old| old.has_b = false));
        }
        _ => {
            let point = |id: &PointId| Point { id: *id, vectors: vec![("b".to_owned(), vec![5.0, 6.0])], payload: None };
            let batch: Vec<Point> = here.iter().map(point).collect();
            collection.write(WriteOperation::PatchVectors(Batch::of_points(&schema, &batch).unwrap(), None)).unwrap();
            here.iter().for_each(|id| _ = model.get_mut(id).map(|old| old.has_b = true));
        }
    }
}

#[test]
fn reads_under_any_filter_are_those_of_a_map() {
    for seed in 0..12 {
        let mut stream = Stream::new(seed);
        let sim = SimWorld::new(seed);
        let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
        let vector = |name: &str| VectorSchema::dense(name, 2, Distance::Euclid, Numbers::F32);
        database.create_collection("c", &Schema { vectors: vec![vector("a"), vector("b")], ..Schema::default() }).unwrap();
        let collection = database.collection("c").unwrap();
        let mut model = Model::new();
        for step in 0..60 {
            match stream.below(12) {
                0 => collection.step(&Step::Seal, &Threads(1), &|_, _| true).unwrap(),
                1 => {
                    let field_type = FieldType::ALL[stream.below(FieldType::ALL.len() as u64) as usize];
                    let name = if stream.chance(1, 2) { "n" } else { "k" }.to_owned();
                    collection.write(WriteOperation::IndexField(FieldSchema { name, field_type })).unwrap();
                }
                2 => {
                    while let Some(step) = collection.next_step(Goal::Indexed) {
                        collection.step(&step, &Threads(1), &|_, _| true).unwrap();
                    }
                }
                _ => change(&collection, &mut model, &mut stream),
            }
            check(&collection.version(), &model, &mut stream, &format!("seed {seed}, step {step}"));
        }
    }
}
