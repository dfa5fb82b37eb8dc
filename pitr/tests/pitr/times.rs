//! Times inside, at the bounds of, and outside what can be restored.

use std::time::Duration;

use engine::error::ErrorKind;
use pitr::{RestoreRequest, Target};

use crate::machine::{backup, content, index_all, seal};
use crate::source::Source;

#[test]
fn a_time_between_two_operations_means_the_first() {
    let mut source = Source::new(1);
    let collection = source.create("c");
    let (first, one) = source.write(&collection, 0..10);
    let (second, two) = source.write(&collection, 5..20);
    source.pass(&[&collection]);
    let (report, found) = source.at("c", first).unwrap();
    assert_eq!((report.commit_time, report.next_time, &found), (first, Some(second), &one));
    assert_eq!(source.at("c", second - 1).unwrap().1, one, "the instant before the next operation");
    let (report, found) = source.at("c", second).unwrap();
    assert_eq!((report.next_time, report.gap.missing_records, found), (None, Some(0), two));
}

#[test]
fn what_was_closed_can_be_restored_and_what_was_not_cannot() {
    let mut source = Source::new(2);
    let collection = source.create("c");
    let (_, content) = source.write(&collection, 0..10);
    source.machine.sim.clock.advance(Duration::from_secs(60));
    source.pass(&[&collection]);
    let closed = source.archiver.newest_closed().unwrap().unwrap();
    assert_eq!(source.at("c", closed).unwrap().1, content, "nothing happened until it was closed");
    let request = RestoreRequest { name: "c", target: Target::Time(closed), ..RestoreRequest::default() };
    let window = pitr::dry_run(&crate::machine::Machine::new(98).database(), &source.store, &request).unwrap().window;
    assert_eq!((window.to, source.at("c", window.from).unwrap().0.points), (closed, 0), "the beginning is the empty collection");
    for (time, nearest) in [(closed + 1, closed), (source.now() + 86_400_000_000, closed), (window.from - 1, window.from), (1, window.from)]
    {
        let error = source.at("c", time).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
        let hint = error.hint.unwrap_or_default();
        assert!(error.expected.is_some() && hint.ends_with(&pitr::time_text::format(nearest)), "{hint}");
    }
    let error = source.at("other", closed).unwrap_err();
    assert!(error.kind == ErrorKind::NotFound && error.hint.unwrap().contains('c'));
}

#[test]
fn what_was_written_while_nobody_archived_is_not_passed_over() {
    let mut source = Source::new(8);
    let (collection, other) = (source.create("c"), source.create("other"));
    let (last, content) = source.write(&collection, 0..10);
    source.pass(&[&collection, &other]);
    source.database.set_archive("c", None).unwrap();
    let (unseen, _) = source.write(&collection, 0..20);
    source.write(&other, 0..5);
    source.pass(&[&other]);
    let closed = source.archiver.newest_closed().unwrap().unwrap();
    assert!(closed > unseen, "the database went on closing times");
    for time in [unseen, closed] {
        assert_eq!(source.at("c", time).unwrap_err().kind, ErrorKind::NotFound, "at {time}");
    }
    assert_eq!(source.at("c", last).unwrap().1, content);
    source.enable("c");
    let (again, all) = source.write(&collection, 30..40);
    source.pass(&[&collection, &other]);
    assert_eq!(source.at("c", again).unwrap().1, all, "what was written in between is sent with what comes after");
    assert!(source.at("c", unseen).is_ok());
}

#[test]
fn an_older_state_and_more_of_the_log_give_the_same() {
    let mut source = Source::new(3);
    let collection = source.create("c");
    let mut moments = Vec::new();
    for round in 0..6_u64 {
        moments.push(source.write(&collection, round * 300..round * 300 + 400));
        match round {
            1 | 3 => seal(&collection),
            4 => index_all(&collection),
            _ => {}
        }
        source.pass(&[&collection]);
    }
    for (time, content) in &moments {
        assert_eq!(source.at("c", *time).unwrap().1, *content);
    }
    // The newest manifest before the end loses an object: the one before it takes its place.
    let listing = pitr::archive::Listing::read(&*source.store).unwrap();
    let newest = *listing.bases.values().next().unwrap().last().unwrap();
    let archive = pitr::archive::Archive::open(&source.store).unwrap();
    let timeline = *listing.bases.keys().next().unwrap();
    let base = pitr::archive::base::read_base(&archive, timeline, newest).unwrap();
    let object = base.objects.last().unwrap();
    source.store.delete(&pitr::archive::Key::Object(object.name).to_string()).unwrap();
    let (time, content) = moments.last().unwrap();
    let (report, found) = source.at("c", *time).unwrap();
    assert_eq!(&found, content);
    assert!(report.warnings.iter().any(|warning| warning.contains(&newest.to_string())), "{:?}", report.warnings);
}

#[test]
fn a_position_inside_an_operation_means_the_one_before() {
    let mut source = Source::new(4);
    let collection = source.create("c");
    source.write(&collection, 0..10);
    let first = (collection.version().lsn_end, content(&collection));
    source.write(&collection, 0..40);
    let second = (collection.version().lsn_end, content(&collection));
    source.pass(&[&collection]);
    let at = |lsn| source.elsewhere(&RestoreRequest { name: "c", target: Target::Lsn(lsn), ..RestoreRequest::default() });
    assert_eq!(at(second.0).unwrap().1, second.1);
    let (report, found) = at(second.0 - 1).unwrap();
    assert_eq!((report.lsn, found), first);
    assert_eq!(at(second.0 + 640).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(at(1).unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn without_an_archiver_only_the_moments_of_backups_can_be_restored() {
    let mut source = Source::new(5);
    let collection = crate::machine::create(&source.database, "c");
    let store = source.machine.store("/only-backups");
    source.write(&collection, 0..10);
    let first = (collection.version().commit_time, content(&collection));
    source.machine.sim.clock.advance(Duration::from_secs(5));
    backup(&source.database, &collection, &store, "one");
    let pinned = pitr::list(&store).unwrap().snapshots[0].pin_time;
    let (between, _) = source.write(&collection, 0..20);
    source.write(&collection, 0..30);
    let last = content(&collection);
    backup(&source.database, &collection, &store, "two");
    source.store = store;
    for time in [first.0, pinned] {
        let (report, found) = source.at("c", time).unwrap();
        assert_eq!((report.snapshot_id.as_deref(), found), (Some("one"), first.1.clone()));
    }
    let error = source.at("c", between).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let hint = error.hint.unwrap();
    assert!(hint.contains(&pitr::time_text::format(pinned)), "the nearest before: {hint}");
    let latest = RestoreRequest { name: "c", target: Target::Latest, ..RestoreRequest::default() };
    assert_eq!(source.elsewhere(&latest).unwrap().1, last);
}

#[test]
fn without_a_target_the_newest_backup_or_else_what_was_archived_last_is_restored() {
    let mut source = Source::new(6);
    let collection = source.create("c");
    source.write(&collection, 0..10);
    source.pass(&[&collection]);
    let (_, newest) = source.write(&collection, 0..20);
    source.pass(&[&collection]);
    let request = RestoreRequest { name: "c", ..RestoreRequest::default() };
    let (report, found) = source.elsewhere(&request).unwrap();
    assert_eq!((report.snapshot_id, &found), (None, &newest));
    backup(&source.database, &collection, &source.store, "one");
    source.write(&collection, 0..30);
    source.write(&collection, 0..40);
    source.pass(&[&collection]);
    let (report, found) = source.elsewhere(&request).unwrap();
    assert_eq!((report.snapshot_id.as_deref(), &found), (Some("one"), &newest));
    assert_eq!(report.gap.missing_records, Some(2), "what was archived since is counted");
    assert_eq!(report.gap.newest_known_time, collection.version().commit_time);
}

#[test]
fn threads_restore_the_same_and_a_dry_run_says_what_they_will_do() {
    let mut source = Source::new(7);
    let collection = source.create("c");
    for round in 0..4_u64 {
        source.write(&collection, round * 500..round * 500 + 600);
        seal(&collection);
        source.pass(&[&collection]);
    }
    source.database.set_alias("shop", "c").unwrap();
    let (time, content) = source.write(&collection, 0..50);
    source.write(&collection, 0..60);
    source.pass(&[&collection]);
    let request = RestoreRequest { name: "c", target: Target::Time(time), threads: 4, ..RestoreRequest::default() };
    let planned = pitr::dry_run(&crate::machine::Machine::new(99).database(), &source.store, &request).unwrap();
    let (report, found) = source.elsewhere(&request).unwrap();
    assert_eq!(found, content);
    assert_eq!((planned.bytes, planned.lsn, planned.commit_time), (report.bytes, report.lsn, report.commit_time));
    assert_eq!((planned.next_time, planned.snapshot_id, planned.warnings.len()), (report.next_time, None, 0));
    assert!(planned.window.from < time && planned.window.to > time && planned.expected_seconds > 0.0);
    assert_eq!(report.aliases, ["shop"], "as the catalog had it then");
}
