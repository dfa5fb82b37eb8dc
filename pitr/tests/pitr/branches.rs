//! Names that pass from life to life: drops, restores of restores, abandoned branches, several databases.

use std::time::Duration;

use engine::error::ErrorKind;
use pitr::{RestoreRequest, Target};

use crate::machine::{Machine, backup, content, create, upsert};
use crate::source::{ARCHIVE, Source};

fn to<'a>(name: &'a str, time: u64) -> RestoreRequest<'a> {
    RestoreRequest { name, target: Target::Time(time), ..RestoreRequest::default() }
}

#[test]
fn a_dropped_collection_comes_back_as_of_just_before_though_the_name_is_taken() {
    let mut source = Source::new(21);
    let collection = source.create("c");
    let (time, before) = source.write(&collection, 0..10);
    source.pass(&[&collection]);
    drop(collection);
    source.machine.sim.clock.advance(Duration::from_secs(10));
    source.database.drop_collection("c", false).unwrap();
    let dropped = source.database.state().dropped[0].dropped;
    // The first one sends what is missing of the dropped life, the second closes a time behind it.
    source.pass(&[]);
    source.pass(&[]);
    assert_eq!(source.at("c", dropped - 1).unwrap().1, before, "the name is free now");
    let error = source.at("c", dropped).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "there was none at that time");
    assert!(error.hint.unwrap().contains(&pitr::time_text::format(dropped - 1)));
    source.machine.sim.clock.advance(Duration::from_secs(10));
    let second = source.create("c");
    let (newer, after) = source.write(&second, 100..120);
    source.pass(&[&second]);
    assert_eq!(source.at("c", dropped - 1).unwrap().1, before, "the name is taken now");
    assert_eq!(source.at("c", time).unwrap().1, before);
    assert_eq!(source.at("c", newer).unwrap().1, after);
    assert_eq!(source.at("c", dropped + 1_000_000).unwrap_err().kind, ErrorKind::NotFound, "nobody held the name then");
}

#[test]
fn histories_do_not_mix_after_a_restore_and_the_abandoned_one_stays() {
    let mut source = Source::new(22);
    let collection = source.create("c");
    let (first, one) = source.write(&collection, 0..10);
    let (second, two) = source.write(&collection, 0..20);
    source.pass(&[&collection]);
    let abandoned = collection.version().manifest.timeline();
    drop(collection);
    source.machine.sim.clock.advance(Duration::from_secs(10));
    let request = RestoreRequest { replace: true, ..to("c", first) };
    let report = pitr::restore(&source.database, &source.store, &request, &|_, _| ()).unwrap();
    assert_eq!((report.source_timeline, report.gap.missing_records), (abandoned, Some(1)));
    let collection = source.database.collection("c").unwrap();
    assert_eq!(content(&collection), one);
    let (third, three) = source.write(&collection, 50..60);
    source.pass(&[&collection]);
    assert_eq!(source.at("c", third).unwrap().1, three);
    assert_eq!(source.at("c", first).unwrap().1, one);
    let (report, found) = source.at("c", second).unwrap();
    assert_eq!(found, one, "along the ancestry of the name as it is held now");
    assert!(report.warnings.iter().any(|warning| warning.contains(&abandoned.to_string())), "{:?}", report.warnings);
    let branch = RestoreRequest { timeline: Some(abandoned), ..to("c", second) };
    assert_eq!(source.elsewhere(&branch).unwrap().1, two, "the abandoned branch is chosen by its timeline");
    // Restored again, from the restored life, and once more from that one.
    drop(collection);
    source.machine.sim.clock.advance(Duration::from_secs(10));
    pitr::restore(&source.database, &source.store, &RestoreRequest { replace: true, ..to("c", third) }, &|_, _| ()).unwrap();
    let collection = source.database.collection("c").unwrap();
    assert_eq!(content(&collection), three);
    let (fourth, four) = source.write(&collection, 70..80);
    source.pass(&[&collection]);
    for (time, content) in [(first, &one), (third, &three), (fourth, &four)] {
        assert_eq!(&source.at("c", time).unwrap().1, content);
    }
    // A backup of the newest life into the same place is told apart.
    backup(&source.database, &collection, &source.store, "newest");
    let (fifth, five) = source.write(&collection, 80..90);
    source.pass(&[&collection]);
    assert_eq!(source.at("c", fourth).unwrap().1, four);
    assert_eq!(source.at("c", fifth).unwrap().1, five);
    let unknown = RestoreRequest { timeline: Some(engine::Timeline([9; 16])), ..to("c", second) };
    assert_eq!(source.elsewhere(&unknown).unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn a_copy_under_another_name_goes_its_own_way() {
    let mut source = Source::new(23);
    let collection = source.create("c");
    let (first, one) = source.write(&collection, 0..10);
    source.write(&collection, 0..20);
    source.pass(&[&collection]);
    let copy = RestoreRequest { new_name: Some("d"), ..to("c", first) };
    let error = pitr::restore(&source.database, &source.store, &to("c", first), &|_, _| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Exists);
    for _ in 0..2 {
        pitr::restore(&source.database, &source.store, &copy, &|_, _| ()).unwrap();
        assert_eq!(content(&source.database.collection("d").unwrap()), one);
        source.database.drop_collection("d", true).unwrap();
    }
    pitr::restore(&source.database, &source.store, &copy, &|_, _| ()).unwrap();
    source.enable("d");
    let branch = source.database.collection("d").unwrap();
    let (time, other) = source.write(&branch, 100..110);
    let (_, own) = source.write(&collection, 30..40);
    source.pass(&[&collection, &branch]);
    assert_eq!(source.at("d", time).unwrap().1, other);
    assert_eq!(source.at("d", first).unwrap().1, one, "before it had that name, along its ancestry");
    assert_eq!(source.at("c", source.now() - 1_000_000).unwrap().1, own);
}

#[test]
fn a_name_that_two_databases_hold_is_a_conflict_until_a_timeline_is_named() {
    let mut source = Source::new(24);
    let collection = source.create("c");
    let (_, one) = source.write(&collection, 0..10);
    source.pass(&[&collection]);
    let mut other = Source::new(25);
    other.machine.sim.clock.advance(Duration::from_secs(30));
    other.store = source.machine.store(ARCHIVE);
    other.archiver = pitr::archiver::Archiver::open(&other.database, &other.store).unwrap();
    let theirs = other.create("c");
    other.write(&theirs, 100..120);
    other.pass(&[&theirs]);
    let latest = RestoreRequest { name: "c", target: Target::Latest, ..RestoreRequest::default() };
    let error = source.elsewhere(&latest).unwrap_err();
    let timeline = collection.version().manifest.timeline();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains(&timeline.to_string()), "{error}");
    let chosen = RestoreRequest { timeline: Some(timeline), ..latest };
    assert_eq!(source.elsewhere(&chosen).unwrap().1, one);
}

#[test]
fn lives_that_only_backups_tell_of_are_found_by_time() {
    let machine = Machine::new(26);
    let (database, store) = (machine.database(), machine.store("/backups"));
    let mut stream = platform::random::Stream::new(26);
    let first = create(&database, "c");
    upsert(&first, 0..10, &mut stream);
    let (time, one) = (first.version().commit_time, content(&first));
    backup(&database, &first, &store, "one");
    drop(first);
    machine.sim.clock.advance(Duration::from_secs(10));
    database.drop_collection("c", true).unwrap();
    let second = create(&database, "c");
    upsert(&second, 20..40, &mut stream);
    let (later, two) = (second.version().commit_time, content(&second));
    backup(&database, &second, &store, "two");
    let at = |time| {
        let other = Machine::new(27).database();
        pitr::restore(&other, &store, &to("c", time), &|_, _| ()).map(|_| content(&other.collection("c").unwrap()))
    };
    assert_eq!(at(time).unwrap(), one);
    assert_eq!(at(later).unwrap(), two);
    assert_eq!(at(later - 5_000_000).unwrap_err().kind, ErrorKind::NotFound);
}
