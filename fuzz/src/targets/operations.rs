//! A collection under operations and power cuts, compared with a map.
//!
//! Input: pairs of bytes, each an operation and its argument. Whatever was acknowledged before a cut is there after it; the operation that
//! the cut interrupted is there whole or not at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use engine::batch::{Batch, Point};
use engine::clock::CommitClock;
use engine::collection::indexer::{Goal, Threads};
use engine::collection::open::create;
use engine::collection::{Collection, Selector, WriteOperation};
use engine::manifest::store::CollectionDir;
use engine::payload::Filter;
use engine::schema::{Distance, Numbers, Schema, VectorSchema};
use engine::{Error, ErrorKind, PointId};
use platform::fs::{CrashKeep, SyncFault};
use platform::sim::SimWorld;

use super::{Target, fixture};

/// See the top of this file.
pub const TARGET: Target = Target { name: "operations", run, seeds, words: &[] };

/// Operations of one run: more make a run slow, not better.
const OPERATIONS_MAX: usize = 48;
/// Ids that points have.
const IDS: u64 = 64;

/// What is known of a point: its first number, and its payload.
type Model = BTreeMap<u64, (f32, Option<String>)>;

struct Machine {
    sim: SimWorld,
    open: Option<Collection>,
    /// What is there for sure.
    model: Model,
    /// What is there if the last, unacknowledged operation came through.
    maybe: Option<Model>,
    /// Rises with each write, so that no two write the same.
    counter: u32,
}

fn schema() -> Schema {
    Schema { vectors: vec![VectorSchema::dense("", 2, Distance::Euclid, Numbers::F32)], ..Schema::default() }
}

fn run(input: &[u8]) -> bool {
    let seed = input.first_chunk().map_or(0, |bytes| u64::from(u16::from_le_bytes(*bytes)));
    let sim = SimWorld::new(seed);
    let world = sim.world();
    let clock = CommitClock::new(world.clock.clone());
    create(&world, &CollectionDir::new(PathBuf::from(fixture::ROOT)), fixture::INCARNATION, &schema(), &clock).expect("it is created");
    let mut machine = Machine { sim, open: None, model: Model::new(), maybe: None, counter: 0 };
    machine.reopen();
    for pair in input.get(2..).unwrap_or_default().chunks_exact(2).take(OPERATIONS_MAX) {
        machine.act(pair[0], u64::from(pair[1]));
    }
    machine.cut(CrashKeep::Random);
    machine.counter > 0
}

impl Machine {
    fn act(&mut self, operation: u8, argument: u64) {
        match operation % 12 {
            0..=2 => self.upsert(argument, 1 + argument / 16),
            3 => self.delete(argument),
            4 => self.set_payload(argument),
            5 => self.delete_by_filter(argument),
            6 => self.background(Goal::Indexed),
            7 => self.sim.disk.crash_after_ops(Some(argument)),
            8 => self.cut([CrashKeep::Nothing, CrashKeep::Everything, CrashKeep::Random][argument as usize % 3]),
            9 => self.close(),
            10 => self.sim.disk.fail_syncs(if argument.is_multiple_of(2) { SyncFault::Once } else { SyncFault::From(argument / 8 + 1) }),
            _ => self.upsert(argument, 200),
        }
    }

    /// Writes, and tells the model what became of it.
    fn write(&mut self, operation: WriteOperation, change: impl FnOnce(&mut Model)) {
        let Some(collection) = &self.open else { return };
        let mut after = self.model.clone();
        change(&mut after);
        match collection.write(operation) {
            Ok(_) => self.model = after,
            Err(error) => {
                assert!(matches!(error.kind, ErrorKind::Io | ErrorKind::NoSpace), "a disk that fails is the only excuse: {error}");
                self.maybe = Some(after);
                // Nobody may go on with a collection whose log failed; the machine restarts.
                self.cut(CrashKeep::Random);
            }
        }
    }

    fn upsert(&mut self, first: u64, count: u64) {
        self.counter += 1;
        let (stamp, count) = (self.counter as f32, count.min(IDS * 4));
        let payload = |id: u64| (!id.is_multiple_of(3)).then(|| format!("{{\"n\":{id},\"stamp\":{stamp}}}"));
        let rows: BTreeMap<u64, Option<String>> = (first..first + count).map(|id| (id % (IDS * 4), payload(id))).collect();
        let points: Vec<Point> = rows
            .iter()
            .map(|(id, payload)| Point {
                id: PointId::Number(*id),
                vectors: vec![(String::new(), vec![stamp, *id as f32])],
                payload: payload.clone(),
            })
            .collect();
        let batch = Batch::of_points(&schema(), &points).expect("the points are valid");
        self.write(WriteOperation::Upsert(batch), |model| model.extend(rows.into_iter().map(|(id, payload)| (id, (stamp, payload)))));
    }

    fn delete(&mut self, first: u64) {
        let ids = first..first + 5;
        let selector = Selector::Ids(ids.clone().map(PointId::Number).collect());
        self.write(WriteOperation::Delete(selector), |model| model.retain(|id, _| !ids.contains(id)));
    }

    fn delete_by_filter(&mut self, below: u64) {
        let text = format!("{{\"must\":[{{\"key\":\"n\",\"range\":{{\"lt\":{below}}}}}]}}");
        let filter = Filter::parse(&text).expect("the filter is one");
        let gone = move |payload: &Option<String>| {
            let number = payload.as_ref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
            number.and_then(|value| value["n"].as_u64()).is_some_and(|n| n < below)
        };
        self.write(WriteOperation::Delete(Selector::Filter(filter)), |model| model.retain(|_, row| !gone(&row.1)));
    }

    fn set_payload(&mut self, id: u64) {
        self.counter += 1;
        let text = format!("{{\"n\":{},\"stamp\":{}}}", id + 1, self.counter);
        let selector = Selector::Ids(vec![PointId::Number(id)]);
        let operation = WriteOperation::set_payload(selector, text.clone());
        self.write(operation, |model| {
            if let Some(row) = model.get_mut(&id) {
                row.1 = Some(text);
            }
        });
    }

    fn background(&mut self, goal: Goal) {
        let Some(collection) = &self.open else { return };
        for _ in 0..4 {
            let Some(step) = collection.next_step(goal) else { return self.compare() };
            if let Err(error) = collection.step(&step, &Threads(1), &|_, _| true) {
                assert!(matches!(error.kind, ErrorKind::Io | ErrorKind::NoSpace), "a disk that fails is the only excuse: {error}");
                return self.cut(CrashKeep::Random);
            }
        }
    }

    fn close(&mut self) {
        if let Some(collection) = self.open.take()
            && collection.close().is_err()
        {
            return self.cut(CrashKeep::Random);
        }
        self.reopen();
    }

    /// Cuts the power; what it takes with it is the disk's choice.
    fn cut(&mut self, keep: CrashKeep) {
        self.open = None;
        self.sim.disk.fail_syncs(SyncFault::None);
        self.sim.disk.crash_after_ops(None);
        self.sim.disk.crash_keeping(keep);
        self.reopen();
    }

    fn reopen(&mut self) {
        self.open = None;
        let opened = match self.try_open() {
            // A cut or a failing sync that was armed before may hit the recovery; the next one is undisturbed.
            Err(error) if error.kind == ErrorKind::Io => {
                self.sim.disk.fail_syncs(SyncFault::None);
                self.sim.disk.crash_after_ops(None);
                self.sim.disk.crash();
                self.try_open()
            }
            opened => opened,
        };
        self.open = Some(opened.unwrap_or_else(|error| panic!("a collection opens after a power cut: {error}")));
        self.compare();
    }

    fn try_open(&self) -> Result<Collection, Error> {
        let world = self.sim.world();
        fixture::open(&world, &Arc::new(CommitClock::new(world.clock.clone())))
    }

    fn compare(&mut self) {
        let found = self.read();
        if let Some(maybe) = self.maybe.take()
            && found == maybe
        {
            self.model = maybe;
        }
        assert!(found == self.model, "found {found:?}, expected {:?}", self.model);
    }

    fn read(&self) -> Model {
        let Some(collection) = &self.open else { return self.model.clone() };
        let version = collection.version();
        let mut found = Model::new();
        let read = version.for_each_point(true, &mut |view| {
            let PointId::Number(id) = view.id else { panic!("an invented point {}", view.id) };
            assert!(view.vectors.len() == 1 && view.vectors[0].1[1] == id as f32, "point {id} has its own vector");
            let again = found.insert(id, (view.vectors[0].1[0], view.payload));
            assert!(again.is_none(), "point {id} is there once");
            Ok(())
        });
        read.unwrap_or_else(|error| panic!("every point reads: {error}"));
        assert_eq!(version.points, found.len() as u64, "the count is that of the points");
        found
    }
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0, 0, 0, 3, 3, 1, 8, 0, 0, 40, 4, 5, 8, 2],
        vec![1, 0, 11, 0, 11, 200, 11, 100, 11, 0, 11, 50, 11, 9, 6, 0, 3, 4, 8, 2, 6, 0, 9, 0],
        vec![2, 0, 0, 17, 7, 3, 0, 90, 7, 9, 9, 0, 10, 3, 0, 1, 5, 30, 9, 0],
        vec![3, 0, 11, 1, 11, 2, 11, 3, 11, 4, 11, 5, 7, 12, 6, 0, 7, 2, 0, 0, 8, 1],
    ]
}
