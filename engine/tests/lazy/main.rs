//! Collections whose log is partly elsewhere: they answer like the original, whatever the source does and whenever the power goes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crashes;
mod original;
mod sources;

use std::sync::Arc;

use engine::ErrorKind;
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Selector, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::{Batch, Incarnation, PointId};
use original::{Original, answers, install, open, open_read, sources_of};
use platform::World;
use platform::sim::SimWorld;
use sources::{Behaviour, MapSource};

/// A collection whose search touches little: 48 groups of points that lie close to each other, in the log too.
fn large() -> Original {
    Original::build(1, 256, 3, 1600)
}

fn small() -> Original {
    Original::build(2, 64, 3, 400)
}

#[test]
fn a_lazy_collection_answers_like_the_original_and_fetches_little_for_it() {
    let original = large();
    let sim = SimWorld::new(11);
    let source = Arc::new(MapSource::new(&original));
    install(&sim.world(), &original, false);
    let collection = open(&sim.world(), Some(&sources_of(&source))).unwrap();
    assert!(collection.is_lazy());
    let (missing, all) = collection.lazy_bytes();
    assert!(missing > 4 << 20 && missing * 10 > all * 9, "{missing} of {all} bytes are missing, all but the tail");
    assert_eq!(source.fetched(), 0, "opening fetches nothing");
    let query = &original.queries[0];
    assert_eq!(original::walk(&collection, query), original.walks[0]);
    let one_search = source.fetched();
    assert!(one_search > 0 && one_search * 8 < all, "one search fetched {one_search} of {all} bytes");
    assert_eq!(original::walk(&collection, query), original.walks[0]);
    assert_eq!(source.fetched(), one_search, "what was fetched is not fetched again");
    assert_eq!(answers(&collection, &original), original.answers);
    assert!(source.most_at_once() > 1, "far stores are asked several at a time");
}

#[test]
fn a_reader_beside_a_writer_answers_too_and_writes_nothing() {
    let original = large();
    let sim = SimWorld::new(12);
    let source = Arc::new(MapSource::new(&original));
    install(&sim.world(), &original, false);
    let before = original::log_content(&sim);
    let reader = open_read(&sim.world(), Some(&sources_of(&source))).unwrap();
    assert_eq!(original::walk(&reader, &original.queries[0]), original.walks[0]);
    let (one_search, (_, all)) = (source.fetched(), reader.lazy_bytes());
    assert!(one_search * 8 < all, "one search fetched {one_search} of {all} bytes");
    assert_eq!(answers(&reader, &original), original.answers);
    assert_eq!(answers(&reader, &original), original.answers);
    assert!(source.fetched() <= 2 * all, "blocks stay in memory");
    assert_eq!(original::log_content(&sim), before);
    assert_eq!(reader.hydrate(&|| false, &|_, _| {}).unwrap_err().kind, ErrorKind::Locked);
}

#[test]
fn hydration_goes_on_after_a_restart_and_ends_with_an_ordinary_collection() {
    let original = small();
    let sim = SimWorld::new(13);
    let source = Arc::new(MapSource::new(&original));
    install(&sim.world(), &original, false);
    let collection = open(&sim.world(), Some(&sources_of(&source))).unwrap();
    let (missing, all) = collection.lazy_bytes();
    // Stops behind the first file.
    let first_is_whole = || collection.lazy_marker().is_some_and(|marker| marker.files.len() < original.away());
    assert!(!collection.hydrate(&first_is_whole, &|_, _| {}).unwrap());
    assert_eq!(collection.lazy_marker().unwrap().files.len(), original.away() - 1);
    let left = collection.lazy_bytes().0;
    assert!(left < missing);
    assert_eq!(answers(&collection, &original), original.answers);
    collection.close().unwrap();
    drop(collection);
    sim.disk.crash();
    let fetched_before = source.fetched();
    let collection = open(&sim.world(), Some(&sources_of(&source))).unwrap();
    assert_eq!(collection.lazy_bytes(), (left, all), "a whole file stays whole");
    let seen = std::sync::Mutex::new(Vec::new());
    assert!(collection.hydrate(&|| false, &|missing, _| seen.lock().unwrap().push(missing)).unwrap());
    assert_eq!(seen.lock().unwrap().last(), Some(&0), "progress ends with nothing missing");
    assert_eq!(source.fetched() - fetched_before, left, "and is not fetched again");
    assert_eq!((collection.is_lazy(), collection.lazy_marker()), (false, None));
    assert_eq!(answers(&collection, &original), original.answers);
    collection.close().unwrap();
    drop(collection);
    sim.disk.crash();
    let whole = open(&sim.world(), None).unwrap();
    assert_eq!(answers(&whole, &original), original.answers, "without the source");
    original::check_log(&whole, &original);
}

#[test]
fn on_a_real_disk_what_was_fetched_lies_in_the_file_and_the_mapping_shows_it() {
    let original = small();
    let directory = tempfile::tempdir().unwrap();
    let world = World::real();
    let source = Arc::new(MapSource::new(&original));
    original::install_at(&world, directory.path(), &original, false);
    let collection = original::open_at(&world, directory.path(), Some(&sources_of(&source))).unwrap();
    let missing = collection.lazy_bytes().0;
    assert_eq!(answers(&collection, &original), original.answers);
    let (fetched, now) = (source.fetched(), collection.lazy_bytes().0);
    assert_eq!(missing - now, fetched, "what was fetched is in the file");
    assert!(collection.hydrate(&|| false, &|_, _| {}).unwrap());
    assert_eq!(source.fetched(), missing, "nothing is fetched twice");
    assert_eq!(answers(&collection, &original), original.answers);
    drop(collection);
    let whole = original::open_at(&world, directory.path(), None).unwrap();
    assert_eq!(answers(&whole, &original), original.answers);
    original::check_log(&whole, &original);
}

#[test]
fn searches_beside_a_hydration_are_right_in_every_thread() {
    let original = small();
    let directory = tempfile::tempdir().unwrap();
    let world = World::real();
    let source = Arc::new(MapSource::new(&original));
    original::install_at(&world, directory.path(), &original, false);
    let collection = original::open_at(&world, directory.path(), Some(&sources_of(&source))).unwrap();
    std::thread::scope(|scope| {
        let searching: Vec<_> = (0..3).map(|_| scope.spawn(|| answers(&collection, &original))).collect();
        assert!(collection.hydrate(&|| false, &|_, _| {}).unwrap());
        for thread in searching {
            assert_eq!(thread.join().unwrap(), original.answers);
        }
    });
    original::check_log(&collection, &original);
}

#[test]
fn a_lazy_collection_takes_writes_seals_and_merges_and_stays_right() {
    let original = small();
    let sim = SimWorld::new(14);
    let source = Arc::new(MapSource::new(&original));
    install(&sim.world(), &original, true);
    let run = |world: &World, sources: Option<&_>, is_lazy: bool| {
        let collection = original::open(world, sources).unwrap();
        let points: Vec<_> = (0..1200).map(|id| original.other_point(id * 2)).collect();
        let batch = Batch::of_points(&collection.version().schema, &points).unwrap();
        collection.write(WriteOperation::Upsert(batch)).unwrap();
        collection.write(WriteOperation::Delete(Selector::Ids((0..90).map(|n| PointId::Number(n * 3)).collect()))).unwrap();
        while let Some(step) = collection.next_step(Goal::Indexed) {
            collection.step(&step, &Threads(1), &|_, _| true).unwrap();
        }
        assert_eq!(collection.is_lazy(), is_lazy);
        let after = answers(&collection, &original);
        collection.close().unwrap();
        after
    };
    let lazy = run(&sim.world(), Some(&sources_of(&source)), true);
    let ordinary = SimWorld::new(15);
    original::install_whole(&ordinary.world(), &original);
    assert_eq!(lazy, run(&ordinary.world(), None, false));
    sim.disk.crash();
    let again = open(&sim.world(), Some(&sources_of(&source))).unwrap();
    assert_eq!(answers(&again, &original), lazy, "reopened");
    assert!(again.lazy_marker().unwrap().keep);
    again.detach().unwrap();
    assert!(!again.lazy_marker().unwrap().keep);
    assert!(again.hydrate(&|| false, &|_, _| {}).unwrap());
    assert_eq!(answers(&again, &original), lazy, "hydrated");
}

#[test]
fn a_database_reaches_the_source_for_writers_and_readers_and_says_so_when_nobody_does() {
    let original = small();
    let sim = SimWorld::new(16);
    let source = Arc::new(MapSource::new(&original));
    let (world, root) = (sim.world(), std::path::Path::new("/data"));
    let mut database = Database::open(&world, root, DatabaseOptions::default()).unwrap();
    let incarnation = Incarnation::draw(&*world.random);
    original::install_life(&world, &database.collection_dir(incarnation), incarnation, &original, Some(false));
    let origin = engine::catalog::Origin::Restored { name: "c".to_owned(), timeline: original.manifest.timeline(), lsn: original.lsn };
    database.adopt("c", incarnation, origin, false).unwrap();
    let refused = database.collection("c").unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unreachable, "{refused}");
    assert!(refused.hint.is_some());
    database.set_range_sources(sources_of(&source));
    let collection = database.collection("c").unwrap();
    assert_eq!(answers(&collection, &original), original.answers);
    let mut reader = Database::open_read(&world, root, DatabaseOptions::default()).unwrap();
    assert_eq!(reader.collection("c").unwrap_err().kind, ErrorKind::Unreachable);
    reader.set_range_sources(sources_of(&source));
    assert_eq!(answers(&reader.collection("c").unwrap(), &original), original.answers);
    let writer = collection;
    let seen = reader.collection("c").unwrap();
    assert!(writer.hydrate(&|| false, &|_, _| {}).unwrap());
    source.set(Behaviour::Down);
    assert_eq!(answers(&reader.collection("c").unwrap(), &original), original.answers, "whole for who comes later");
    source.set(Behaviour::Right);
    assert_eq!(answers(&seen, &original), original.answers, "and right for who was there before");
}
