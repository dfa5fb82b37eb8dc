//! Archives and backups of collections whose log was cleaned: every archived moment comes back though its log files are gone here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use engine::collection::Step;
use engine::collection::cleaning::policy::Cleaning;
use engine::collection::indexer::Goal;
use engine::error::ErrorKind;
use engine::{Collection, Database};
use pitr::archive_verify::{ArchiveVerifyRequest, verify_archive};
use pitr::archiver::{Archiver, Mode};
use pitr::{Candidates, Level, RestoreRequest, Scratch, Target};
use platform::sim::SimWorld;

use crate::machine::{Content, Machine, backup, content, create, delete, step, upsert};
use crate::source::{ARCHIVE, Source};

/// Does everything that the indexer wants to do; gives how many steps moved rows.
fn settle(collection: &Collection) -> usize {
    let (mut moved, mut steps) = (0, 0);
    while let Some(next) = collection.next_step(Goal::Indexed) {
        step(collection, &next);
        steps += 1;
        assert!(steps < 100, "there is still {next:?} to be done");
        moved += usize::from(matches!(next, Step::Clean(Cleaning::Move(_))));
    }
    moved
}

/// Overwrites all but a few points; seals before and after.
fn thin_out(source: &mut Source, collection: &Collection, round: u64) -> (u64, Content) {
    step(collection, &Step::Seal);
    let last = source.write(collection, 0..550 - round * 40);
    step(collection, &Step::Seal);
    last
}

fn verified(source: &Source) {
    for level in [Level::List, Level::Data, Level::Index, Level::Restore] {
        let scratch = Some(Scratch { world: SimWorld::new(source.machine.seed + 1_000).world(), dir: "/scratch".into() });
        let request = ArchiveVerifyRequest { level, max_age: None, notes: false, candidates: Candidates::default(), scratch };
        let report = verify_archive(&source.machine.sim.world(), &source.store, &request, &|_, _| ()).expect("a verification ends");
        assert!(report.ok && report.problems.is_empty(), "{level:?}: {:?}", report.problems);
    }
}

#[test]
fn every_archived_moment_comes_back_though_its_log_is_gone_here() {
    let mut source = Source::cleaning(41);
    let collection = source.create("c");
    source.pass(&[&collection]);
    let mut moments = Vec::new();
    moments.push(source.write(&collection, 0..600));
    let mut moved = 0;
    for round in 0..4 {
        moments.push(thin_out(&mut source, &collection, round));
        source.pass(&[&collection]);
        for _ in 0..6 {
            let Some(next) = collection.next_cleaning(Goal::Indexed) else { break };
            step(&collection, &next);
            moved += usize::from(matches!(next, Step::Clean(Cleaning::Move(_))));
            // Writes and archived moments between the steps.
            moments.push(source.write(&collection, 700 + round..702 + round));
            delete(&collection, 701 + round);
            moments.push((collection.version().commit_time, content(&collection)));
            if round % 2 == 0 {
                source.pass(&[&collection]);
            }
        }
        source.pass(&[&collection]);
    }
    moved += settle(&collection);
    source.pass(&[&collection]);
    let info = collection.version().info();
    assert!(moved > 1 && info.moved_bytes > 0, "{moved} steps moved rows");
    assert!(collection.kept_from().unwrap() > 0 && info.log_bytes < collection.version().lsn_end, "files are gone");
    for (time, expected) in &moments {
        let (report, found) = source.at("c", *time).unwrap_or_else(|error| panic!("{time}: {error}"));
        assert_eq!((report.commit_time, &found == expected), (*time, true), "{time}");
    }
    let (_, last) = moments.last().expect("there are moments");
    let (report, found) = source.elsewhere(&RestoreRequest { name: "c", target: Target::Latest, ..RestoreRequest::default() }).unwrap();
    assert_eq!((&found, report.gap.missing_records), (last, Some(0)), "a move is no write that could be missing");
    verified(&source);
}

#[test]
fn with_an_archive_the_disk_holds_less_than_two_and_a_half_times_what_lives() {
    let mut source = Source::cleaning(42);
    let collection = source.create("c");
    let mut last = Content::new();
    for _ in 0..4 {
        for part in 0..4 {
            (_, last) = source.write(&collection, part * 250..part * 250 + 250);
            step(&collection, &Step::Seal);
        }
        settle(&collection);
        let before = log_files(&source, &collection);
        source.pass(&[&collection]);
        assert!(log_files(&source, &collection) <= before);
    }
    let live = collection.version().info().live_bytes;
    let log = log_files(&source, &collection);
    assert!(log * 2 < live * 5, "{log} bytes of log files for {live} that live");
    assert_eq!(content(&collection), last);
}

fn log_files(source: &Source, collection: &Collection) -> u64 {
    let (disk, dir) = (&source.machine.sim.disk, collection.dir().log());
    let paths = disk.paths();
    paths.iter().filter(|path| path.starts_with(&dir)).filter_map(|path| disk.durable_bytes(path)).map(|bytes| bytes.len() as u64).sum()
}

/// A collection that was cleaned before anybody archived it.
fn cleaned(seed: u64) -> (Source, Collection, Content) {
    let mut source = Source::cleaning(seed);
    let collection = create(&source.database, "c");
    source.write(&collection, 0..600);
    let (_, content) = thin_out(&mut source, &collection, 0);
    assert!(settle(&collection) > 0);
    assert!(collection.kept_from().unwrap() > 0, "files are gone");
    (source, collection, content)
}

#[test]
fn a_backup_of_a_cleaned_collection_is_complete_and_so_is_the_next() {
    let (mut source, collection, first) = cleaned(43);
    let store = source.machine.store("/backups");
    backup(&source.database, &collection, &store, "one");
    let (_, second) = source.write(&collection, 10..30);
    let report = backup(&source.database, &collection, &store, "two");
    assert!(report.bytes_new < report.bytes_total, "{report:?}");
    let (_, third) = thin_out(&mut source, &collection, 3);
    settle(&collection);
    backup(&source.database, &collection, &store, "three");
    for level in [Level::List, Level::Data, Level::Index, Level::Restore] {
        let report = source.machine.verify("/backups", level);
        assert!(report.ok && report.snapshots.len() == 3, "{level:?}: {report:?}");
    }
    for (id, expected) in [("one", &first), ("two", &second), ("three", &third)] {
        let (report, found) = source.machine.restored_elsewhere("/backups", "c", Some(id), Candidates::default()).unwrap();
        assert_eq!((&found, report.points), (expected, expected.len() as u64), "{id}");
    }
}

#[test]
fn an_archive_that_begins_with_a_cleaned_log_has_every_moment_from_then_on() {
    let (mut source, collection, first) = cleaned(44);
    let before = collection.version().commit_time;
    source.enable("c");
    source.pass(&[&collection]);
    let mut moments = vec![(before, first)];
    for round in 0..3 {
        moments.push(thin_out(&mut source, &collection, round));
        settle(&collection);
        source.pass(&[&collection]);
    }
    for (time, expected) in &moments {
        assert_eq!(&source.at("c", *time).unwrap_or_else(|error| panic!("{time}: {error}")).1, expected, "{time}");
    }
    let closed = source.archiver.newest_closed().unwrap().unwrap();
    assert_eq!(source.at("c", closed).unwrap().1, moments[3].1, "nothing happened until it was closed");
    assert_eq!(source.at("c", before - 1_000_000).unwrap_err().kind, ErrorKind::NotFound, "nobody archived that");
    verified(&source);
    // A new process finds what is there and goes on.
    source.archiver = Archiver::open(&source.database, &source.store).unwrap();
    source.database.world().fs.remove_file(&collection.dir().root().join("ARCHIVED")).unwrap();
    let (time, expected) = source.write(&collection, 800..810);
    // Sealed before it is archived: it is sent all the same, though what the note said is forgotten.
    step(&collection, &Step::Seal);
    source.write(&collection, 810..812);
    source.pass(&[&collection]);
    assert_eq!(source.at("c", time).unwrap().1, expected);
}

#[test]
fn what_was_cleaned_while_nobody_archived_is_a_gap_and_what_follows_is_not() {
    let mut source = Source::cleaning(45);
    let collection = source.create("c");
    let (first, one) = source.write(&collection, 0..600);
    step(&collection, &Step::Seal);
    source.pass(&[&collection]);
    source.database.set_archive("c", None).unwrap();
    drop(collection);
    let collection = source.database.collection("c").unwrap();
    let (unseen, _) = source.write(&collection, 0..560);
    step(&collection, &Step::Seal);
    source.write(&collection, 0..580);
    step(&collection, &Step::Seal);
    settle(&collection);
    assert!(collection.kept_from().unwrap() > source.archiver.reached(collection.incarnation()), "what was not archived is gone");
    source.enable("c");
    source.archiver = Archiver::open(&source.database, &source.store).unwrap();
    source.pass(&[&collection]);
    let (second, two) = source.write(&collection, 5..9);
    let (third, three) = source.write(&collection, 7..12);
    source.pass(&[&collection]);
    for (time, expected) in [(first, one), (second, two), (third, three.clone())] {
        assert_eq!(source.at("c", time).unwrap_or_else(|error| panic!("{time}: {error}")).1, expected, "{time}");
    }
    let closed = source.archiver.newest_closed().unwrap().unwrap();
    assert_eq!(source.at("c", closed).unwrap().1, three);
    assert!(source.at("c", unseen).is_err(), "never something else");
    verified(&source);
}

#[test]
fn a_restored_collection_whose_history_has_holes_is_archived_elsewhere() {
    let (mut source, collection, _) = cleaned(46);
    // What lies between the covered position and the fork is of the past, too.
    source.write(&collection, 10..30);
    let store = source.machine.store("/backups");
    backup(&source.database, &collection, &store, "one");
    let other = Machine::new(4_600);
    let database: Database = other.cleaning_database();
    let request = RestoreRequest { name: "c", target: Target::Snapshot(Some("one")), ..RestoreRequest::default() };
    pitr::restore(&database, &store, &request, &|_, _| ()).unwrap();
    let restored = database.collection("c").unwrap();
    let mut stream = platform::random::Stream::new(46);
    upsert(&restored, 0..40, &mut stream);
    let away = other.store(ARCHIVE);
    let settings = engine::catalog::ArchiveSettings {
        url: ARCHIVE.to_owned(),
        durability: engine::catalog::Durability::Fsync,
        backlog_limit: 1 << 40,
        delay: 0,
    };
    database.set_archive("c", Some(settings)).unwrap();
    let mut archiver = Archiver::open(&database, &away).unwrap();
    archiver.pass(&database, &[&restored], Mode::Closing).unwrap();
    let expected = content(&restored);
    let third = Machine::new(4_601);
    let empty = third.database();
    let latest = RestoreRequest { name: "c", target: Target::Latest, ..RestoreRequest::default() };
    pitr::restore(&empty, &away, &latest, &|_, _| ()).unwrap();
    assert_eq!(content(&empty.collection("c").unwrap()), expected);
}

/// A collection whose log was cleaned was rewound, written to and cleaned before anything of it was archived: its part of the archive once began at
/// the position that its manifest covered, so that what it had written before was missing, though it was there to be sent.
#[test]
fn what_a_rewound_collection_wrote_before_it_was_archived_is_archived_from_the_fork_on() {
    let mut source = Source::cleaning(47);
    let collection = source.create("c");
    source.write(&collection, 0..600);
    let (before, first) = thin_out(&mut source, &collection, 0);
    source.pass(&[&collection]);
    assert!(settle(&collection) > 0);
    source.pass(&[&collection]);
    assert!(collection.kept_from().unwrap() > 0, "files are gone");
    let last = source.write(&collection, 700..710).0;
    source.pass(&[&collection]);
    drop(collection);
    let request = RestoreRequest { name: "c", target: Target::Time(last), replace: true, ..RestoreRequest::default() };
    pitr::restore(&source.database, &source.store, &request, &|_, _| ()).unwrap();
    let collection = source.database.collection("c").unwrap();
    let mut moments = vec![(before, first)];
    moments.push(source.write(&collection, 0..20));
    moments.push(thin_out(&mut source, &collection, 1));
    settle(&collection);
    moments.push(source.write(&collection, 3..5));
    source.archiver = Archiver::open(&source.database, &source.store).unwrap();
    source.pass(&[&collection]);
    for (time, expected) in &moments {
        let (report, found) = source.at("c", *time).unwrap_or_else(|error| panic!("{time}: {error}"));
        assert_eq!((report.commit_time, &found == expected), (*time, true), "{time}");
    }
    verified(&source);
}
