//! Simulated archives: whatever crashes, fails or is lost, every promised state is restored, and each deliberate mistake is caught.

use std::path::Path;
use std::sync::Arc;

use engine::catalog::{ArchiveSettings, Durability};
use engine::collection::WriteOperation;
use engine::database::{Database, DatabaseOptions};
use engine::schema::Numbers;
use engine::{Batch, Distance, ErrorKind, Point, PointId, Schema, VectorSchema};
use pitr::archiver::{Archiver, Mode};
use pitr::{RestoreRequest, Target};
use platform::KnownBad;
use platform::object_store::ObjectStore;
use platform::object_store::sim::SimStore;
use platform::sim::SimWorld;
use vectra_tests::archiving::{Extent, known_bads, run, run_seeds};

/// Seeds of an ordinary run; `cargo run -p vectra-tests --bin archiving -- --seeds 1000` goes further.
const SEEDS: u64 = 36;
/// Seeds within which every deliberate mistake must show.
const CAUGHT_WITHIN: u64 = 150;
const EXTENT: Extent = Extent { operations: 80, stride: 3 };

#[test]
fn every_promised_state_is_restored_whatever_crashes_fails_or_is_lost() {
    let (seeds, sums, failures) = run_seeds(0, SEEDS, KnownBad::default(), EXTENT, 3);
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert_eq!(seeds, SEEDS);
    // A suite that met none of its faults would prove nothing.
    assert!(sums.passes.0 > 200 && sums.passes.1 > 50 && sums.crashes.0 > 50 && sums.crashes.1 > 15, "{sums:?}");
    assert!(sums.cleanings.0 > 3 && sums.cleanings.1 > 3, "{sums:?}");
    assert!(sums.lost > 2 && sums.rewinds > 5 && sums.clock_steps > 15 && sums.unreached > 10, "{sums:?}");
    assert!(sums.restores.0 > 500 && sums.restores.1 > 50 && sums.copies.0 > 10 && sums.copies.1 > 20, "{sums:?}");
}

#[test]
fn a_seed_names_one_run() {
    for seed in 0..3 {
        let extent = Extent { operations: 40, stride: 20 };
        let [first, second] = [0, 1].map(|_| run(seed, KnownBad::default(), extent).map_err(|failure| failure.to_string()));
        assert!(first.is_ok() && first == second, "seed {seed} gave two different runs: {first:?} and {second:?}");
    }
}

#[test]
fn every_deliberate_mistake_of_the_archiver_is_caught() {
    for (name, switch) in known_bads() {
        let (seeds, _, failures) = run_seeds(0, CAUGHT_WITHIN, switch, EXTENT, 1);
        assert!(!failures.is_empty(), "the suite passes {seeds} seeds with {name} switched on: it does not bite");
    }
}

/// A machine with one archived collection, and its archive.
fn archived(sim: &SimWorld) -> (Database, Arc<dyn ObjectStore>) {
    let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).expect("a database opens");
    let schema = Schema { vectors: vec![VectorSchema::dense("", 2, Distance::Euclid, Numbers::F32)], ..Schema::default() };
    database.create_collection("c", &schema).expect("a collection is created");
    let settings = ArchiveSettings { url: "/archive".to_owned(), durability: Durability::Fsync, backlog_limit: 1 << 40, delay: 0 };
    database.set_archive("c", Some(settings)).expect("it is archived");
    let store = SimStore::open(sim.disk.file_system(), Path::new("/archive"), KnownBad::default()).expect("a store opens");
    (database, Arc::new(store))
}

fn put(database: &Database, id: u64) -> u64 {
    let collection = database.collection("c").expect("it opens");
    let point = Point { id: PointId::Number(id), vectors: vec![(String::new(), vec![1.0, 2.0])], payload: None };
    let batch = Batch::of_points(&collection.version().schema, &[point]).expect("a batch");
    collection.write(WriteOperation::Upsert(batch)).expect("it is written").commit_time
}

fn pass(database: &Database, store: &Arc<dyn ObjectStore>) -> Option<u64> {
    let collection = database.collection("c").ok();
    let mut archiver = Archiver::open(database, store).expect("the archive opens");
    archiver.pass(database, &collection.iter().collect::<Vec<_>>(), Mode::Closing).expect("a pass succeeds").closed
}

/// Gives how many points there are in the state of a time, restored on another machine.
fn points_at(store: &Arc<dyn ObjectStore>, time: u64) -> u64 {
    let sim = SimWorld::new(99);
    let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).expect("a database opens");
    let request = RestoreRequest { name: "c", target: Target::Time(time), ..RestoreRequest::default() };
    pitr::restore(&database, store, &request, &|_, _| ()).unwrap_or_else(|error| panic!("restored to {time}: {error}")).points
}

#[test]
fn what_is_written_between_an_undrop_and_the_next_drop_is_archived() {
    let sim = SimWorld::new(1);
    let (database, store) = archived(&sim);
    put(&database, 1);
    pass(&database, &store);
    database.drop_collection("c", false).expect("it is dropped");
    pass(&database, &store);
    database.undrop("c").expect("it is back");
    let written = put(&database, 2);
    database.drop_collection("c", false).expect("it is dropped again");
    pass(&database, &store);
    assert_eq!(points_at(&store, written), 2);
}

#[test]
fn a_closed_time_counts_for_a_collection_that_was_restored_in_place() {
    let sim = SimWorld::new(2);
    let (database, store) = archived(&sim);
    let first = put(&database, 1);
    put(&database, 2);
    pass(&database, &store);
    let request = RestoreRequest { name: "c", target: Target::Time(first), replace: true, ..RestoreRequest::default() };
    pitr::restore(&database, &store, &request, &|_, _| ()).expect("it is restored");
    put(&database, 3);
    put(&database, 4);
    let closed = pass(&database, &store).expect("a time is closed");
    assert_eq!((points_at(&store, closed), points_at(&store, first)), (3, 1));
}

#[test]
fn a_copy_that_has_a_closed_time_and_not_the_log_below_it_says_so() {
    let sim = SimWorld::new(3);
    let (database, store) = archived(&sim);
    put(&database, 1);
    pass(&database, &store);
    put(&database, 2);
    let closed = pass(&database, &store).expect("a time is closed");
    let life = database.collection("c").expect("it opens").version().manifest.timeline();
    let log = store.list(&format!("timelines/{life}/log/")).expect("it lists");
    let last = &log.last().expect("there is a log").key;
    assert_eq!(points_at(&store, closed), 2);
    store.delete(last).expect("it is gone");
    let sim = SimWorld::new(98);
    let other = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).expect("a database opens");
    let request = RestoreRequest { name: "c", target: Target::Time(closed), ..RestoreRequest::default() };
    let error = pitr::restore(&other, &store, &request, &|_, _| ()).expect_err("a part is missing");
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}
