//! Every write operation on a collection: what it does in the tail and in segments, that it is all or nothing, and that a replay does the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Collection, Mode, PayloadPatch, SearchRequest, Selector, Step, UpsertCondition, UpsertMode, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::payload::{FieldType, Filter};
use engine::schema::{Distance, FieldSchema, Numbers, Schema, VectorSchema};
use engine::{Error, ErrorKind, PointId};
use index::Kernels;
use platform::sim::SimWorld;

/// How a collection is brought into the state in which it is looked at.
#[derive(Clone, Copy, Debug)]
enum Through {
    Tail,
    Segments,
    Replay,
}

struct Opened {
    sim: SimWorld,
    database: Option<Database>,
    collection: Option<Collection>,
}

impl Opened {
    /// Makes a collection of ten points with two vectors and a payload each; what is written later meets them in the tail or in a segment.
    fn new(is_sealed: bool) -> Self {
        let sim = SimWorld::new(11);
        let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
        let vector = |name: &str| VectorSchema::dense(name, 4, Distance::Euclid, Numbers::F32);
        database.create_collection("c", &Schema { vectors: vec![vector("a"), vector("b")], ..Schema::default() }).unwrap();
        let collection = database.collection("c").unwrap();
        let opened = Opened { sim, database: Some(database), collection: Some(collection) };
        let points: Vec<Point> =
            (0..10).map(|id| point(id, &["a", "b"], id as f32, Some(&format!("{{\"n\":{id},\"o\":{{\"x\":1}}}}")))).collect();
        opened.write(WriteOperation::Upsert(opened.batch(&points))).unwrap();
        if is_sealed {
            opened.seal();
        }
        opened
    }

    fn collection(&self) -> &Collection {
        self.collection.as_ref().unwrap()
    }

    fn batch(&self, points: &[Point]) -> Batch {
        Batch::of_points(&self.collection().version().schema, points).unwrap()
    }

    fn write(&self, operation: WriteOperation) -> Result<u64, Error> {
        self.collection().write(operation).map(|ack| ack.points)
    }

    fn seal(&self) {
        self.collection().step(&Step::Seal, &Threads(1), &|_, _| true).unwrap();
        while let Some(step) = self.collection().next_step(Goal::Indexed) {
            self.collection().step(&step, &Threads(1), &|_, _| true).unwrap();
        }
    }

    /// Leaves the state as it is, seals it, or opens it again from the log.
    fn through(&mut self, through: Through) {
        match through {
            Through::Tail => {}
            Through::Segments => self.seal(),
            Through::Replay => {
                self.collection = None;
                self.database = None;
                self.sim.disk.crash();
                let database = Database::open(&self.sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
                self.collection = Some(database.collection("c").unwrap());
                self.database = Some(database);
            }
        }
    }

    fn payload(&self, id: u64) -> Option<String> {
        self.collection().version().point(&PointId::Number(id), false).unwrap().unwrap().payload
    }

    /// Gives the first numbers of a point's vectors.
    fn vectors(&self, id: u64) -> Vec<(String, f32)> {
        let view = self.collection().version().point(&PointId::Number(id), true).unwrap().unwrap();
        view.vectors.into_iter().map(|(name, vector)| (name, vector[0])).collect()
    }

    fn count(&self) -> (u64, u64) {
        let version = self.collection().version();
        (version.points, version.points_with_payload)
    }
}

fn point(id: u64, names: &[&str], x: f32, payload: Option<&str>) -> Point {
    Point {
        id: PointId::Number(id),
        vectors: names.iter().map(|name| ((*name).to_owned(), vec![x; 4])).collect(),
        payload: payload.map(str::to_owned),
    }
}

fn ids(ids: &[u64]) -> Selector {
    Selector::Ids(ids.iter().map(|id| PointId::Number(*id)).collect())
}

fn below(bound: u64) -> Filter {
    Filter::parse(&format!("{{\"must\":[{{\"key\":\"n\",\"range\":{{\"lt\":{bound}}}}}]}}")).unwrap()
}

/// Does something to points that lie in the tail and in a segment, and looks at what is there then, in the tail, sealed, and replayed.
fn everywhere(write: impl Fn(&Opened), look: impl Fn(&Opened, &str)) {
    for is_sealed in [false, true] {
        for through in [Through::Tail, Through::Segments, Through::Replay] {
            let mut opened = Opened::new(is_sealed);
            write(&opened);
            opened.through(through);
            look(&opened, &format!("written to sealed points: {is_sealed}, looked at through {through:?}"));
        }
    }
}

#[test]
fn payloads_are_set_below_a_path_overwritten_cut_and_cleared() {
    let write = |opened: &Opened| {
        let patch = PayloadPatch { selector: ids(&[1, 99]), payload: "{\"y\":2,\"x\":null}".to_owned(), key: Some("o".to_owned()) };
        assert_eq!(opened.write(WriteOperation::SetPayload(patch)).unwrap(), 1);
        assert_eq!(opened.write(WriteOperation::set_payload(ids(&[2]), "{\"n\":null,\"m\":5}".to_owned())).unwrap(), 1);
        assert_eq!(opened.write(WriteOperation::OverwritePayload(ids(&[3, 4]), "{\"new\": true}".to_owned())).unwrap(), 2);
        assert_eq!(opened.write(WriteOperation::OverwritePayload(ids(&[4]), "{}".to_owned())).unwrap(), 1);
        let paths = vec!["o.x".to_owned(), "z[].y".to_owned(), "n".to_owned()];
        assert_eq!(opened.write(WriteOperation::DeletePayload(Selector::Filter(below(1)), paths)).unwrap(), 1);
        assert_eq!(opened.write(WriteOperation::ClearPayload(Selector::Filter(below(7)))).unwrap(), 3, "points 1, 5 and 6");
    };
    everywhere(write, |opened, context| {
        let texts: Vec<Option<String>> = (0..8).map(|id| opened.payload(id)).collect();
        let expected = [Some("{\"o\":{}}"), None, Some("{\"o\":{\"x\":1},\"m\":5}"), Some("{\"new\":true}"), None, None, None];
        assert_eq!(texts[..7], expected.map(|text| text.map(str::to_owned)), "{context}");
        assert_eq!(texts[7].as_deref(), Some("{\"n\":7,\"o\":{\"x\":1}}"), "{context}");
        assert_eq!(opened.count(), (10, 6), "{context}");
        assert!((0..8).all(|id| opened.vectors(id).len() == 2), "payloads change no vector: {context}");
    });
}

#[test]
fn vectors_end_by_themselves_and_are_found_no_more() {
    let write = |opened: &Opened| {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(opened.write(WriteOperation::DeleteVectors(ids(&[1, 2, 99]), named(&["b"]))).unwrap(), 2);
        assert_eq!(opened.write(WriteOperation::DeleteVectors(ids(&[3]), named(&["a", "b", "a"]))).unwrap(), 1);
        let before = opened.collection().version().lsn_end;
        assert_eq!(opened.write(WriteOperation::DeleteVectors(ids(&[3]), named(&["a"]))).unwrap(), 1);
        assert_eq!(opened.collection().version().lsn_end, before, "what is not there needs no record to end");
        // A vector that ended comes back when it is written again.
        assert_eq!(opened.write(WriteOperation::PatchVectors(opened.batch(&[point(2, &["b"], 70.0, None)]), None)).unwrap(), 1);
    };
    everywhere(write, |opened, context| {
        let named = |list: &[(&str, f32)]| list.iter().map(|(name, x)| ((*name).to_owned(), *x)).collect::<Vec<_>>();
        assert_eq!(opened.vectors(1), named(&[("a", 1.0)]), "{context}");
        assert_eq!(opened.vectors(2), named(&[("a", 2.0), ("b", 70.0)]), "{context}");
        assert_eq!(opened.vectors(3), [], "{context}");
        assert_eq!(opened.count(), (10, 10), "a point outlives its vectors: {context}");
        assert_eq!(opened.payload(3).as_deref(), Some("{\"n\":3,\"o\":{\"x\":1}}"), "{context}");
        for (part, gone) in [(1, vec![3]), (2, vec![1, 3])] {
            for mode in [Mode::Exact, Mode::Walk(50)] {
                let request = SearchRequest { part, query: &[1.0; 4], top: 20, mode, filter: None };
                let hits = opened.collection().version().search(Kernels::detect(), &request, &mut Default::default()).unwrap();
                let found: Vec<PointId> = hits.iter().map(|hit| hit.id).collect();
                assert_eq!(found.len(), 10 - gone.len(), "{context}");
                assert!(gone.iter().all(|id| !found.contains(&PointId::Number(*id))), "{context}");
            }
        }
    });
}

#[test]
fn vectors_of_a_point_that_is_not_there_refuse_the_whole_batch_by_its_name() {
    let opened = Opened::new(true);
    let before = opened.collection().version().lsn_end;
    let batch = opened.batch(&[point(1, &["a"], 50.0, None), point(77, &["a"], 50.0, None)]);
    let error = opened.write(WriteOperation::PatchVectors(batch, None)).unwrap_err();
    assert_eq!((error.kind, error.message.contains("77")), (ErrorKind::NotFound, true), "{error}");
    let with_payload = opened.batch(&[point(1, &["a"], 50.0, Some("{\"x\":1}"))]);
    assert_eq!(opened.write(WriteOperation::PatchVectors(with_payload, None)).unwrap_err().kind, ErrorKind::InvalidInput);
    let unknown = WriteOperation::DeleteVectors(ids(&[1]), vec!["a".to_owned(), "c".to_owned()]);
    assert_eq!(opened.write(unknown).unwrap_err().kind, ErrorKind::InvalidInput);
    assert_eq!(opened.write(WriteOperation::DeleteVectors(ids(&[1]), Vec::new())).unwrap_err().kind, ErrorKind::InvalidInput);
    assert_eq!(opened.write(WriteOperation::DeletePayload(ids(&[1]), vec!["a..b".to_owned()])).unwrap_err().kind, ErrorKind::InvalidInput);
    let patch = PayloadPatch { selector: ids(&[1]), payload: "{}".to_owned(), key: Some("[0]".to_owned()) };
    assert_eq!(opened.write(WriteOperation::SetPayload(patch)).unwrap_err().kind, ErrorKind::InvalidInput);
    assert_eq!(opened.collection().version().lsn_end, before, "nothing was written");
    let some = opened.batch(&[point(1, &["a"], 50.0, None), point(8, &["a"], 50.0, None), point(2, &[], 0.0, None)]);
    assert_eq!(opened.write(WriteOperation::PatchVectors(some, Some(below(5)))).unwrap(), 2, "point 8 does not pass");
    assert_eq!((opened.vectors(1)[0].1, opened.vectors(8)[0].1, opened.vectors(1)[1].1), (50.0, 8.0, 1.0));
}

#[test]
fn a_conditional_upsert_writes_the_points_that_may_be_written() {
    let write = |opened: &Opened| {
        let upsert = |list: &[u64], x: f32, mode: UpsertMode, filter: Option<Filter>| {
            let points: Vec<Point> = list.iter().map(|id| point(*id, &["a"], x, Some("{\"n\":100}"))).collect();
            opened.write(WriteOperation::UpsertIf(opened.batch(&points), UpsertCondition { mode, filter })).unwrap()
        };
        assert_eq!(upsert(&[0, 20, 21], 30.0, UpsertMode::InsertOnly, Some(below(100))), 2);
        assert_eq!(upsert(&[1, 22], 31.0, UpsertMode::UpdateOnly, None), 1);
        assert_eq!(upsert(&[2, 9, 23], 32.0, UpsertMode::Upsert, Some(below(5))), 2, "2 passes, 9 does not, 23 is new");
        assert_eq!(upsert(&[8, 24], 33.0, UpsertMode::UpdateOnly, Some(below(5))), 0);
        assert_eq!(upsert(&[3], 34.0, UpsertMode::default(), None), 1);
    };
    everywhere(write, |opened, context| {
        let first = |id| opened.vectors(id)[0].1;
        assert_eq!([0, 20, 1, 2, 9, 23, 8, 3].map(first), [0.0, 30.0, 31.0, 32.0, 9.0, 32.0, 8.0, 34.0], "{context}");
        assert_eq!(opened.vectors(2).len(), 1, "an upsert replaces the whole point: {context}");
        assert_eq!(opened.count(), (13, 13), "{context}");
    });
}

#[test]
fn operations_of_one_call_are_resolved_in_their_order() {
    let opened = Opened::new(true);
    let batch = |id: u64, x: f32| opened.batch(&[point(id, &["a"], x, Some("{\"n\":50}"))]);
    let insert = |id, x| WriteOperation::UpsertIf(batch(id, x), UpsertCondition { mode: UpsertMode::InsertOnly, filter: None });
    let n_is_50 = || Selector::Filter(Filter::parse("{\"must\":[{\"key\":\"n\",\"match\":{\"value\":50}}]}").unwrap());
    let answers = opened.collection().write_all(vec![
        insert(30, 1.0),
        insert(30, 2.0),
        WriteOperation::Upsert(batch(31, 3.0)),
        WriteOperation::set_payload(n_is_50(), "{\"seen\":1}".to_owned()),
        WriteOperation::PatchVectors(batch_without_payload(&opened, 99), None),
        WriteOperation::Delete(Selector::Ids(vec![PointId::Number(31)])),
        insert(31, 4.0),
        WriteOperation::ClearPayload(n_is_50()),
        WriteOperation::DeleteVectors(Selector::Ids(vec![PointId::Number(31)]), vec!["a".to_owned()]),
    ]);
    let points: Vec<Option<u64>> = answers.unwrap().into_iter().map(|answer| answer.ok().map(|ack| ack.points)).collect();
    assert_eq!(points, [Some(1), Some(0), Some(1), Some(2), None, Some(1), Some(1), Some(2), Some(1)]);
    assert_eq!((opened.vectors(30)[0].1, opened.payload(30), opened.payload(31), opened.vectors(31).len()), (1.0, None, None, 0));
}

fn batch_without_payload(opened: &Opened, id: u64) -> Batch {
    opened.batch(&[point(id, &["a"], 9.0, None)])
}

#[test]
fn the_index_of_a_field_ends_and_filters_on_it_go_on() {
    let opened = Opened::new(true);
    let field = FieldSchema { name: "n".to_owned(), field_type: FieldType::Integer };
    opened.write(WriteOperation::IndexField(field.clone())).unwrap();
    opened.seal();
    assert_eq!(opened.collection().version().schema.fields, [field]);
    opened.write(WriteOperation::DropField("n".to_owned())).unwrap();
    assert_eq!(opened.collection().version().schema.fields, []);
    assert_eq!(opened.collection().version().count(Some(&below(4))).unwrap(), 4);
    let before = opened.collection().version().lsn_end;
    opened.write(WriteOperation::DropField("n".to_owned())).unwrap();
    assert_eq!(opened.collection().version().lsn_end, before, "an index that is not there needs no record to end");
    let single = FieldSchema { name: "l[0]".to_owned(), field_type: FieldType::Integer };
    assert_eq!(opened.write(WriteOperation::IndexField(single)).unwrap_err().kind, ErrorKind::InvalidInput);
}
