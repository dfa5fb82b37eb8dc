//! Restores to a time: after any history, every operation restored by its time and by its position gives exactly the state that it left.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::catalog::{ArchiveSettings, Durability};
use engine::collection::Step;
use engine::collection::indexer::{Goal, Threads};
use engine::database::DatabaseOptions;
use engine::error::ErrorKind;
use engine::{Collection, Database};
use pitr::archiver::{Archiver, Mode};
use pitr::{BackupRequest, RestoreRequest, Target};
use platform::object_store::ObjectStore;
use platform::object_store::sim::SimStore;
use platform::random::Stream;
use platform::sim::SimWorld;
use vectra_tests::model::{Points, SeenPoints, difference, seen};
use vectra_tests::simulate::check::read_all;
use vectra_tests::simulate::generate::{Shape, Sizes, bulk, change, operation};
use vectra_tests::simulate::recovery::CLEANING;

const NAME: &str = "c";
const SIZES: Sizes = Sizes { pool: 40, batch: 6, long_payloads: false };

/// A state that the collection had: from the commit of one operation to that of the next.
struct Moment {
    commit_time: u64,
    lsn: u64,
    points: SeenPoints,
    /// The same, for the model to go on from.
    rows: Points,
}

/// A machine that writes, archives, and remembers every state.
struct Writer {
    sim: SimWorld,
    stream: Stream,
    shape: Shape,
    points: Points,
    moments: Vec<Moment>,
    bulk_from: u64,
}

fn open(sim: &SimWorld) -> Database {
    Database::open(&sim.world(), Path::new("/data"), DatabaseOptions { cleaning: CLEANING, ..DatabaseOptions::default() })
        .expect("a database opens")
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn content(collection: &Collection) -> SeenPoints {
    read_all(&collection.version()).expect("a restored collection reads")
}

impl Writer {
    fn new(seed: u64) -> Self {
        let mut stream = Stream::new(seed);
        let shape = Shape::draw(&mut stream);
        Writer { sim: SimWorld::new(seed), stream, shape, points: Points::new(), moments: Vec::new(), bulk_from: 100 }
    }

    fn write(&mut self, collection: &Collection) {
        let change = if self.stream.chance(1, 12) {
            self.bulk_from += 1_200;
            bulk(&mut self.stream, &self.shape, self.bulk_from, 1_200)
        } else {
            change(&mut self.stream, &self.shape, SIZES)
        };
        let before = collection.version().lsn_end;
        let written = collection.write(operation(&change, &collection.version().schema).expect("a drawn change is allowed"));
        if change.is_refused(&self.points) {
            assert_eq!(written.expect_err("it names a point that is not there").kind, ErrorKind::NotFound);
            assert_eq!(collection.version().lsn_end, before, "what is refused is not logged");
            return;
        }
        let ack = written.expect("it is written");
        change.apply(&mut self.points);
        if ack.lsn > before {
            self.moments.push(Moment { commit_time: ack.commit_time, lsn: ack.lsn, points: seen(&self.points), rows: self.points.clone() });
        }
    }

    fn index(&mut self, collection: &Collection) {
        let step = match self.stream.below(4) {
            0 | 1 => Some(Step::Seal),
            2 => collection.next_cleaning(Goal::Indexed),
            _ => collection.next_step(Goal::Indexed),
        };
        if let Some(step) = step {
            collection.step(&step, &Threads(1), &|_, _| true).expect("a step succeeds");
        }
    }

    /// Writes a history and archives it at random moments; gives the store.
    fn run(&mut self, operations: u64) -> Arc<dyn ObjectStore> {
        let mut store = self.store();
        let mut database = open(&self.sim);
        database.create_collection(NAME, &self.shape.schema()).expect("a collection is created");
        let settings = ArchiveSettings { url: "/archive".to_owned(), durability: Durability::Fsync, backlog_limit: 1 << 40, delay: 0 };
        database.set_archive(NAME, Some(settings)).expect("it is archived");
        let mut collection = database.collection(NAME).expect("it opens");
        let version = collection.version();
        // Its log begins a moment before the catalog names it.
        let created = database.state().collections[NAME].created;
        self.moments.push(Moment { commit_time: created, lsn: version.lsn_end, points: SeenPoints::new(), rows: Points::new() });
        let mut archiver = Archiver::open(&database, &store).expect("the archive opens");
        // What lies before the first archived manifest cannot be restored.
        archiver.pass(&database, &[&collection], Mode::Running).expect("the first pass succeeds");
        for round in 0..operations {
            self.sim.clock.advance(Duration::from_micros(self.stream.below(3_000_000)));
            self.write(&collection);
            match self.stream.below(10) {
                0 | 1 => self.index(&collection),
                2 | 3 => drop(archiver.pass(&database, &[&collection], Mode::Running).expect("a pass succeeds")),
                4 if self.stream.chance(1, 3) => {
                    let id = format!("backup-{round}");
                    let request = BackupRequest { snapshot_id: Some(&id), ..BackupRequest::default() };
                    pitr::backup(&database, &collection, &store, &request, &|_, _| ()).expect("a backup succeeds");
                }
                5 if self.stream.chance(1, 3) => {
                    drop((archiver, collection));
                    drop(database);
                    self.sim.disk.crash();
                    (store, database) = (self.store(), open(&self.sim));
                    collection = database.collection(NAME).expect("it opens again");
                    archiver = Archiver::open(&database, &store).expect("the archive opens again");
                }
                6 if self.stream.chance(1, 4) => {
                    archiver.pass(&database, &[&collection], Mode::Closing).expect("a pass succeeds");
                    drop(collection);
                    self.rewind(&database, &store);
                    collection = database.collection(NAME).expect("it opens");
                }
                _ => {}
            }
        }
        archiver.pass(&database, &[&collection], Mode::Closing).expect("the last pass succeeds");
        self.store()
    }

    /// Puts an earlier state in the place of the collection; what came after it is of another history from now on.
    fn rewind(&mut self, database: &Database, store: &Arc<dyn ObjectStore>) {
        let index = self.stream.below(self.moments.len() as u64) as usize;
        restored(database, store, Target::Time(self.moments[index].commit_time)).expect("an earlier state is restored");
        self.moments.truncate(index + 1);
        self.points.clone_from(&self.moments[index].rows);
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        let store = SimStore::open(self.sim.disk.file_system(), Path::new("/archive"), self.sim.known_bad);
        Arc::new(store.expect("the store opens"))
    }
}

fn restored(database: &Database, store: &Arc<dyn ObjectStore>, target: Target<'_>) -> engine::Result<(pitr::RestoreReport, SeenPoints)> {
    let request = RestoreRequest { name: NAME, target, replace: true, ..RestoreRequest::default() };
    let report = pitr::restore(database, store, &request, &|_, _| ())?;
    Ok((report, content(&database.collection(NAME)?)))
}

fn same(seed: u64, what: &str, expected: &Moment, got: engine::Result<(pitr::RestoreReport, SeenPoints)>) -> pitr::RestoreReport {
    let (report, points) = got.unwrap_or_else(|error| panic!("seed {seed}, {what}: {error} ({:?})", error.hint));
    assert!(points == expected.points, "seed {seed}, {what}: {}", difference(&expected.points, &points));
    assert!(report.lsn >= expected.lsn, "seed {seed}, {what}: reached {} of {}", report.lsn, expected.lsn);
    report
}

/// Restores every state by its own time, by the last microsecond before the next, and by its position.
fn check(seed: u64, operations: u64) -> usize {
    let mut writer = Writer::new(seed);
    let store = writer.run(operations);
    let other = SimWorld::new(seed + 1_000);
    other.clock.advance(Duration::from_hours(24 * 365));
    let database = open(&other);
    let moments = &writer.moments;
    for (index, moment) in moments.iter().enumerate() {
        let next = moments.get(index + 1).map(|next| next.commit_time);
        let report =
            same(seed, &format!("operation {index} by its time"), moment, restored(&database, &store, Target::Time(moment.commit_time)));
        assert_eq!(report.next_time, next, "seed {seed}, operation {index}");
        assert!(index == 0 || report.commit_time == moment.commit_time, "seed {seed}, operation {index}: {}", report.commit_time);
        let missing = (moments.len() - index - 1) as u64;
        assert_eq!(report.gap.missing_records, Some(missing), "seed {seed}, operation {index}");
        if let Some(next) = next {
            same(seed, &format!("just before operation {}", index + 1), moment, restored(&database, &store, Target::Time(next - 1)));
        }
        let report = same(seed, &format!("position of operation {index}"), moment, restored(&database, &store, Target::Lsn(moment.lsn)));
        assert_eq!(report.lsn, moment.lsn, "seed {seed}, operation {index}");
    }
    let last = moments.last().expect("there is a state");
    same(seed, "the newest state", last, restored(&database, &store, Target::Latest));
    for (target, what) in [(moments[0].commit_time - 1, "before the beginning"), (last.commit_time + 3_600_000_000, "in the future")] {
        let error = restored(&database, &store, Target::Time(target)).expect_err(what);
        assert_eq!(error.kind, ErrorKind::NotFound, "seed {seed}, {what}: {error}");
    }
    moments.len()
}

#[test]
fn every_operation_can_be_restored_by_its_time_and_by_its_position() {
    let (seeds, operations) = (number("VECTRA_PITR_SEEDS", 6), number("VECTRA_PITR_OPERATIONS", 60));
    let states: usize = (0..seeds).map(|seed| check(seed, operations)).sum();
    // A suite that rewinds everything away would prove nothing.
    assert!(states as u64 > seeds * operations / 6, "{states} states were restored");
}
