//! Points read in the order of their ids, in the order of a field, and counted by a field are those of a plain map.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::PointId;
use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Collection, FacetValue, FieldOrder, Selector, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::payload::{FieldPath, FieldType, Filter, Number};
use engine::schema::{Distance, FieldSchema, Numbers, Schema, VectorSchema};
use platform::random::Stream;
use platform::sim::SimWorld;

/// The number, the colours and nothing else of a point.
#[derive(Clone)]
struct Known {
    number: Option<i64>,
    colours: Vec<&'static str>,
}

const COLOURS: [&str; 5] = ["red", "green", "blue", "white", "black"];

struct Bench {
    _database: Database,
    collection: Collection,
    model: BTreeMap<PointId, Known>,
    stream: Stream,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let sim = SimWorld::new(seed);
        let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
        let vectors = vec![VectorSchema::dense("", 2, Distance::Euclid, Numbers::F32)];
        let fields = vec![FieldSchema { name: "number".to_owned(), field_type: FieldType::Integer }];
        database.create_collection("c", &Schema { vectors, fields, ..Schema::default() }).unwrap();
        let collection = database.collection("c").unwrap();
        Bench { _database: database, collection, model: BTreeMap::new(), stream: Stream::new(seed) }
    }

    fn id(&mut self) -> PointId {
        let number = self.stream.below(600);
        if number.is_multiple_of(4) { PointId::Uuid(u128::from(number).to_be_bytes()) } else { PointId::Number(number) }
    }

    fn step(&mut self) {
        match self.stream.below(10) {
            0 => {
                let ids: Vec<PointId> = (0..20).map(|_| self.id()).collect();
                ids.iter().for_each(|id| drop(self.model.remove(id)));
                self.collection.write(WriteOperation::Delete(Selector::Ids(ids))).unwrap();
            }
            1 => {
                let goal = if self.stream.below(2) == 0 { Goal::Bounded } else { Goal::Indexed };
                while let Some(step) = self.collection.next_step(goal) {
                    self.collection.step(&step, &Threads(1), &|_, _| true).unwrap();
                }
            }
            _ => self.upsert(),
        }
    }

    fn upsert(&mut self) {
        let mut points = BTreeMap::new();
        for _ in 0..self.stream.below(60) {
            let number = (self.stream.below(3) > 0).then(|| self.stream.below(40) as i64 - 20);
            let colours = (0..self.stream.below(4)).map(|_| COLOURS[self.stream.below(5) as usize]).collect();
            points.insert(self.id(), Known { number, colours });
        }
        let batch: Vec<Point> =
            points.iter().map(|(id, known)| Point { id: *id, vectors: vec![], payload: Some(payload(known)) }).collect();
        let schema = self.collection.version().schema.clone();
        self.collection.write(WriteOperation::Upsert(Batch::of_points(&schema, &batch).unwrap())).unwrap();
        self.model.extend(points);
    }

    fn passing(&self, filter: Option<i64>) -> Vec<(PointId, Known)> {
        let passes = |known: &Known| filter.is_none_or(|least| known.number.is_some_and(|number| number >= least));
        self.model.iter().filter(|(_, known)| passes(known)).map(|(id, known)| (*id, known.clone())).collect()
    }

    fn check(&mut self, seed: u64) {
        let least = (self.stream.below(2) == 0).then(|| self.stream.below(40) as i64 - 20);
        let filter = least.map(|n| Filter::parse(&format!("{{\"must\":[{{\"key\":\"number\",\"range\":{{\"gte\":{n}}}}}]}}")).unwrap());
        let passing = self.passing(least);
        let limit = self.stream.below(50) as usize + 1;
        let from = (self.stream.below(2) == 0).then(|| self.id());
        let version = self.collection.version();
        let expected: Vec<PointId> =
            passing.iter().map(|(id, _)| *id).filter(|id| from.is_none_or(|from| *id >= from)).take(limit).collect();
        assert_eq!(version.scroll(from, limit, filter.as_ref()).unwrap(), expected, "seed {seed}");

        let is_descending = self.stream.below(2) == 0;
        let start = (self.stream.below(2) == 0).then(|| i128::from(self.stream.below(40)) - 20);
        let mut ordered: Vec<(i128, PointId)> = passing.iter().filter_map(|(id, known)| Some((i128::from(known.number?), *id))).collect();
        ordered.sort_by_key(|(number, id)| (if is_descending { -number } else { *number }, *id));
        ordered.retain(|(number, _)| start.is_none_or(|start| if is_descending { *number <= start } else { *number >= start }));
        ordered.truncate(limit);
        let order = FieldOrder { is_descending, start: start.map(Number::Integer) };
        let found = version.ordered_by(&FieldPath::parse("number").unwrap(), order, limit, filter.as_ref()).unwrap();
        let found: Vec<(i128, PointId)> = found
            .into_iter()
            .map(|(id, number)| match number {
                Number::Integer(number) => (number, id),
                Number::Float(_) => unreachable!("every number here is an integer"),
            })
            .collect();
        assert_eq!(found, ordered, "seed {seed}");

        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, known) in &passing {
            known.colours.iter().collect::<BTreeSet<_>>().into_iter().for_each(|colour| *counts.entry(colour).or_insert(0) += 1);
        }
        let mut counts: Vec<(FacetValue, u64)> =
            counts.into_iter().map(|(colour, count)| (FacetValue::Text(colour.to_owned()), count)).collect();
        counts.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
        counts.truncate(limit);
        assert_eq!(version.facet(&FieldPath::parse("colours").unwrap(), limit, filter.as_ref()).unwrap(), counts, "seed {seed}");
    }
}

fn payload(known: &Known) -> String {
    let colours: Vec<String> = known.colours.iter().map(|colour| format!("\"{colour}\"")).collect();
    let number = known.number.map(|number| format!(",\"number\":{number}")).unwrap_or_default();
    format!("{{\"colours\":[{}]{number}}}", colours.join(","))
}

#[test]
fn pages_orders_and_counts_are_those_of_a_plain_map() {
    for seed in 0..12 {
        let mut bench = Bench::new(seed);
        for _ in 0..60 {
            bench.step();
            bench.check(seed);
        }
        assert_eq!(bench.collection.version().scroll(None, usize::MAX, None).unwrap(), bench.model.keys().copied().collect::<Vec<_>>());
    }
}

#[test]
fn a_point_with_several_values_is_ordered_by_each_of_them() {
    let bench = Bench::new(1);
    let schema = bench.collection.version().schema.clone();
    let payload = Some("{\"n\":[3,1.5,\"x\",null,3]}".to_owned());
    let batch = Batch::of_points(&schema, &[Point { id: PointId::Number(1), vectors: vec![], payload }]).unwrap();
    bench.collection.write(WriteOperation::Upsert(batch)).unwrap();
    let found = bench.collection.version().ordered_by(&FieldPath::parse("n").unwrap(), FieldOrder::default(), 9, None).unwrap();
    assert_eq!(found, [(PointId::Number(1), Number::Float(1.5)), (PointId::Number(1), Number::Integer(3))]);
}
