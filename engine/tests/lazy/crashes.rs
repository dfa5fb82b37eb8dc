//! Power cuts, failing syncs and sources that lie, at any moment of the life of a lazy collection.

use std::sync::Arc;

use engine::{Collection, ErrorKind};
use platform::fs::SyncFault;
use platform::sim::SimWorld;

use super::original::{self, Original, answers, check_log, install, open, sources_of, try_answers};
use super::small;
use super::sources::{Behaviour, MapSource};

fn tiny() -> Original {
    Original::build(3, 64, 3, 300)
}

/// Reopens, compares, brings the rest, and reopens without the source.
fn goes_on_and_ends_whole(sim: &SimWorld, original: &Original, source: &Arc<MapSource>, what: &str) {
    let collection = open(&sim.world(), Some(&sources_of(source))).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(original::walk(&collection, &original.queries[1]), original.walks[1], "{what}");
    assert!(collection.hydrate(&|| false, &|_, _| {}).unwrap(), "{what}");
    collection.close().unwrap();
    drop(collection);
    sim.disk.crash();
    let whole = open(&sim.world(), None).unwrap_or_else(|error| panic!("{what}: {error}"));
    check_log(&whole, original);
    assert_eq!(original::walk(&whole, &original.queries[1]), original.walks[1], "{what}");
}

#[test]
fn a_power_cut_at_any_change_of_hydration_loses_nothing() {
    let original = tiny();
    let mut cut = 1;
    loop {
        let sim = SimWorld::new(100 + cut);
        let source = Arc::new(MapSource::new(&original));
        install(&sim.world(), &original, false);
        let collection = open(&sim.world(), Some(&sources_of(&source))).unwrap();
        sim.disk.crash_after_ops(Some(cut));
        // A search in between writes blocks in another order.
        let _ = original::try_walk(&collection, &original.queries[0]);
        let ended = collection.hydrate(&|| false, &|_, _| {});
        sim.disk.crash_after_ops(None);
        drop(collection);
        sim.disk.crash();
        goes_on_and_ends_whole(&sim, &original, &source, &format!("seed {}, power cut at change {cut}", 100 + cut));
        if ended.is_ok() {
            break;
        }
        cut += 1;
    }
    assert!(cut > 10, "hydration makes {cut} changes");
}

#[test]
fn a_power_cut_at_any_change_of_an_installation_leaves_nothing_that_opens_wrong() {
    let original = tiny();
    for cut in 1.. {
        let sim = SimWorld::new(500 + cut);
        sim.disk.crash_after_ops(Some(cut));
        let root = std::path::Path::new("/lazy");
        let done = original::try_install(&sim.world(), root, engine::Incarnation([9; 16]), &original, Some(false));
        sim.disk.crash_after_ops(None);
        sim.disk.crash();
        let source = Arc::new(MapSource::new(&original));
        // Nobody names a directory that was not finished; should somebody open it all the same, it is right or refused.
        if let Ok(collection) = open(&sim.world(), Some(&sources_of(&source))) {
            assert_eq!(original::walk(&collection, &original.queries[0]), original.walks[0], "seed {}, cut {cut}", 500 + cut);
        } else {
            assert!(done.is_err(), "seed {}: what was finished opens", 500 + cut);
        }
        if done.is_ok() {
            return;
        }
    }
}

#[test]
fn a_file_whose_sync_failed_is_written_anew() {
    let original = tiny();
    let sim = SimWorld::new(21);
    let source = Arc::new(MapSource::new(&original));
    install(&sim.world(), &original, false);
    let collection = open(&sim.world(), Some(&sources_of(&source))).unwrap();
    sim.disk.fail_syncs(SyncFault::Once);
    assert_eq!(collection.hydrate(&|| false, &|_, _| {}).unwrap_err().kind, ErrorKind::Io);
    let all = collection.lazy_bytes().1;
    assert!(collection.hydrate(&|| false, &|_, _| {}).unwrap());
    assert!(source.fetched() > all, "the bytes of a failed sync are not trusted");
    drop(collection);
    sim.disk.crash();
    let whole = open(&sim.world(), None).unwrap();
    check_log(&whole, &original);
}

/// A wrong answer is the one thing that must never come.
fn right_or(collection: &Collection, original: &Original, kind: ErrorKind) {
    match try_answers(collection, original) {
        Ok(answers) => assert_eq!(answers, original.answers),
        Err(error) => assert_eq!(error.kind, kind, "{error}"),
    }
}

#[test]
fn a_source_that_lies_is_corrupt_and_one_that_is_silent_unreachable_until_they_are_right_again() {
    let original = small();
    let cases = [
        (Behaviour::Garbage, ErrorKind::Corrupt),
        (Behaviour::Vectors, ErrorKind::Corrupt),
        (Behaviour::Cut, ErrorKind::Corrupt),
        (Behaviour::Down, ErrorKind::Unreachable),
    ];
    for (at, (behaviour, kind)) in cases.into_iter().enumerate() {
        for is_writer in [true, false] {
            let sim = SimWorld::new(30 + at as u64);
            let source = Arc::new(MapSource::new(&original));
            install(&sim.world(), &original, false);
            let sources = sources_of(&source);
            let world = sim.world();
            let collection = if is_writer { open(&world, Some(&sources)) } else { original::open_read(&world, Some(&sources)) }.unwrap();
            source.set(behaviour);
            let error = original::try_walk(&collection, &original.queries[0]).unwrap_err();
            assert_eq!(error.kind, kind, "{error}");
            right_or(&collection, &original, kind);
            if is_writer {
                assert_eq!(collection.hydrate(&|| false, &|_, _| {}).unwrap_err().kind, kind);
                right_or(&collection, &original, kind);
            }
            source.set(Behaviour::Right);
            assert_eq!(answers(&collection, &original), original.answers, "{behaviour:?}");
            if is_writer {
                assert!(collection.hydrate(&|| false, &|_, _| {}).unwrap());
                check_log(&collection, &original);
                assert_eq!(answers(&collection, &original), original.answers);
            }
        }
    }
}

#[test]
fn a_hydration_from_a_source_that_lies_makes_nothing_whole_and_can_be_repeated() {
    let original = tiny();
    for behaviour in [Behaviour::OneBit, Behaviour::Vectors, Behaviour::Garbage] {
        let sim = SimWorld::new(50);
        let source = Arc::new(MapSource::new(&original));
        install(&sim.world(), &original, false);
        let collection = open(&sim.world(), Some(&sources_of(&source))).unwrap();
        source.set(behaviour);
        assert_eq!(collection.hydrate(&|| false, &|_, _| {}).unwrap_err().kind, ErrorKind::Corrupt, "{behaviour:?}");
        assert_eq!(collection.lazy_marker().unwrap().files.len(), original.away(), "{behaviour:?}");
        right_or(&collection, &original, ErrorKind::Corrupt);
        source.set(Behaviour::Right);
        assert!(collection.hydrate(&|| false, &|_, _| {}).unwrap(), "{behaviour:?}");
        check_log(&collection, &original);
    }
}

#[test]
fn a_flipped_bit_on_the_way_never_becomes_an_answer_nor_a_part_of_the_log() {
    let original = tiny();
    for seed in 0..6 {
        let sim = SimWorld::new(60 + seed);
        let directory = tempfile::tempdir().unwrap();
        // Odd seeds on a real disk, where mapped bytes are served.
        let (world, root) = if seed % 2 == 0 {
            (sim.world(), std::path::PathBuf::from("/"))
        } else {
            (platform::World::real(), directory.path().to_path_buf())
        };
        let source = Arc::new(MapSource::new(&original));
        original::install_at(&world, &root, &original, false);
        let collection = original::open_at(&world, &root, Some(&sources_of(&source))).unwrap();
        source.set(Behaviour::OneBit);
        for _ in 0..4 {
            right_or(&collection, &original, ErrorKind::Corrupt);
        }
        let error = collection.hydrate(&|| false, &|_, _| {}).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Corrupt, "seed {seed}: {error}");
        source.set(Behaviour::Right);
        assert_eq!(answers(&collection, &original), original.answers, "seed {seed}");
        assert!(collection.hydrate(&|| false, &|_, _| {}).unwrap(), "seed {seed}");
        check_log(&collection, &original);
    }
}
