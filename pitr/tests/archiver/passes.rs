//! Passes of the archiver: everything synced arrives, once, in an order that never names what is not there.

use std::sync::Arc;

use engine::catalog::{ArchiveSettings, Durability};
use engine::error::ErrorKind;
use engine::{Collection, Database};
use pitr::archive::base::read_base;
use pitr::archive::{Archive, Listing};
use pitr::archiver::{Archiver, Mode, PassReport};
use platform::object_store::ObjectStore;
use platform::object_store::faulty::{FaultyStore, Rates};
use platform::random::Stream;

use crate::machine::{Machine, create, seal, step, upsert};

pub fn settings() -> ArchiveSettings {
    ArchiveSettings { url: "/archive".to_owned(), durability: Durability::Fsync, backlog_limit: 1 << 30, delay: 1_000_000 }
}

fn pass(archiver: &mut Archiver, database: &Database, collection: &Collection, mode: Mode) -> PassReport {
    archiver.pass(database, &[collection], mode).expect("a pass succeeds")
}

/// Everything below the log's end is in the archive, and the newest base is whole.
fn check(store: &Arc<dyn ObjectStore>, database: &Database, collection: &Collection) {
    let (archive, listing) = (Archive::open(store).expect("the archive reads"), Listing::read(&**store).expect("the archive reads"));
    let version = collection.version();
    for span in &version.manifest.ancestry {
        let end = span.to.unwrap_or(version.lsn_end);
        assert!(listing.reached(span.timeline, span.from) >= end, "the log of {span:?} up to {end}");
    }
    let id = database.id().expect("the archive reads").expect("the archive reads");
    assert_eq!(listing.reached(id, 0), database.catalog_end().expect("the archive reads"));
    let timeline = version.manifest.timeline();
    let base = read_base(&archive, timeline, version.manifest.file_name()).expect("the newest manifest has a base");
    for object in &base.objects {
        assert_eq!(listing.objects.get(&object.name), Some(&object.bytes));
    }
    base.agree(&version.manifest).expect("the archive reads");
}

#[test]
fn everything_synced_arrives_and_a_second_pass_sends_nothing() {
    let machine = Machine::new(1);
    let (database, store, mut stream) = (machine.database(), machine.store("/archive"), Stream::new(1));
    let collection = create(&database, "a");
    database.set_archive("a", Some(settings())).unwrap();
    let mut archiver = Archiver::open(&database, &store).unwrap();
    for round in 0..4 {
        upsert(&collection, round * 600..round * 600 + 600, &mut stream);
        if round % 2 == 1 {
            seal(&collection);
        }
        let report = pass(&mut archiver, &database, &collection, Mode::Closing);
        assert!(report.sent.log > 0 && report.operations > 0 && report.closed.is_some());
        check(&store, &database, &collection);
        let again = pass(&mut archiver, &database, &collection, Mode::Closing);
        assert_eq!((again.sent.log, again.sent.segments, again.closed), (0, 0, None), "nothing while idle");
    }
    drop(archiver);
    let mut archiver = Archiver::open(&database, &store).unwrap();
    let report = pass(&mut archiver, &database, &collection, Mode::Closing);
    assert_eq!((report.sent.log, report.sent.segments + report.sent.codes + report.sent.adjacency), (0, 0), "a new process goes on");
}

#[test]
fn an_archiver_that_forgot_adopts_what_is_there() {
    let machine = Machine::new(2);
    let (database, store, mut stream) = (machine.database(), machine.store("/archive"), Stream::new(2));
    let collection = create(&database, "a");
    database.set_archive("a", Some(settings())).unwrap();
    upsert(&collection, 0..500, &mut stream);
    crate::machine::backup(&database, &collection, &store, "before");
    upsert(&collection, 500..700, &mut stream);
    let mut archiver = Archiver::open(&database, &store).unwrap();
    let first = pass(&mut archiver, &database, &collection, Mode::Closing);
    assert!(first.sent.log > 0);
    check(&store, &database, &collection);
    for dir in [collection.dir().root().to_path_buf(), database.catalog_dir()] {
        database.world().fs.remove_file(&dir.join("ARCHIVED")).unwrap();
    }
    let logs =
        |store: &Arc<dyn ObjectStore>| crate::machine::dump(store).into_keys().filter(|key| key.contains("/log/")).collect::<Vec<_>>();
    let before = logs(&store);
    let mut archiver = Archiver::open(&database, &store).unwrap();
    pass(&mut archiver, &database, &collection, Mode::Closing);
    assert_eq!(logs(&store), before, "the same bytes are adopted");
    check(&store, &database, &collection);
}

#[test]
fn a_dead_link_keeps_a_backlog_and_its_limit_turns_writes_away() {
    let machine = Machine::new(3);
    let (database, mut stream) = (machine.database(), Stream::new(3));
    let faulty = Arc::new(FaultyStore::new(machine.store("/archive"), 3, Rates::default()));
    let store: Arc<dyn ObjectStore> = faulty.clone();
    let collection = create(&database, "a");
    database.set_archive("a", Some(ArchiveSettings { backlog_limit: 20_000, ..settings() })).unwrap();
    let mut archiver = Archiver::open(&database, &store).unwrap();
    pass(&mut archiver, &database, &collection, Mode::Closing);
    faulty.go_down_after(Some(0));
    let mut turned_away = None;
    for round in 0..100_u64 {
        if let Err(error) = crate::machine::try_upsert(&collection, round * 50..round * 50 + 50, &mut stream) {
            turned_away = Some(error);
            break;
        }
        let error = archiver.pass(&database, &[&collection], Mode::Running).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
    }
    let error = turned_away.expect("the limit is reached");
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.hint.unwrap().contains("archive"), "the next step is named");
    faulty.go_down_after(None);
    pass(&mut archiver, &database, &collection, Mode::Closing);
    check(&store, &database, &collection);
    upsert(&collection, 9_000..9_050, &mut stream);
}

#[test]
fn many_extents_of_a_sealed_file_become_one() {
    let machine = Machine::new(4);
    let (database, store, mut stream) = (machine.database(), machine.store("/archive"), Stream::new(4));
    let collection = create(&database, "a");
    database.set_archive("a", Some(settings())).unwrap();
    let mut archiver = Archiver::open(&database, &store).unwrap();
    for round in 0..6 {
        upsert(&collection, round * 50..round * 50 + 50, &mut stream);
        pass(&mut archiver, &database, &collection, Mode::Running);
    }
    step(&collection, &engine::collection::Step::Seal);
    pass(&mut archiver, &database, &collection, Mode::Closing);
    let sent = archiver.compact(&collection).unwrap();
    assert!(sent.whole > 0);
    assert_eq!(archiver.compact(&collection).unwrap().whole, 0, "once");
    let listing = Listing::read(&*store).unwrap();
    let extent = listing.extent_at(collection.version().manifest.timeline(), 64).unwrap();
    assert!(extent.whole, "the whole file is preferred");
    check(&store, &database, &collection);
}

#[test]
fn faults_of_the_store_delay_and_never_harm() {
    for seed in 0..20 {
        let machine = Machine::new(seed);
        let (database, mut stream) = (machine.database(), Stream::new(seed));
        let rates = Rates { error_before: 50, lost_reply: 50, truncated_get: 50 };
        let faulty = Arc::new(FaultyStore::new(machine.store("/archive"), seed, Rates::default()));
        let store: Arc<dyn ObjectStore> = faulty.clone();
        let collection = create(&database, "a");
        database.set_archive("a", Some(settings())).unwrap();
        let mut archiver = Archiver::open(&database, &store).unwrap();
        faulty.set_rates(rates);
        for round in 0..20_u64 {
            upsert(&collection, round * 20..round * 20 + 40, &mut stream);
            if round % 5 == 4 {
                step(&collection, &engine::collection::Step::Seal);
            }
            let _ = archiver.pass(&database, &[&collection], Mode::Running);
        }
        faulty.set_rates(Rates::default());
        let mut archiver = if seed % 2 == 0 { archiver } else { Archiver::open(&database, &store).unwrap() };
        archiver.pass(&database, &[&collection], Mode::Closing).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        check(&store, &database, &collection);
    }
}
