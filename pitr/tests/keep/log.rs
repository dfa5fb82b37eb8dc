//! The log of an archive: what happened, in the order of time, with names as of then.

use engine::ErrorKind;
use engine::PointId;
use engine::collection::{Selector, WriteOperation};
use pitr::archive_log::{LogEntry, LogRequest, LogSummary, archive_log};
use pitr::archiver::Mode;
use pitr::{RestoreRequest, Target};

use crate::machine::{create, delete, step, upsert};
use crate::site::Site;

fn log(site: &Site, request: &LogRequest<'_>) -> (Vec<LogEntry>, LogSummary) {
    let mut entries = Vec::new();
    let summary = archive_log(&site.store(), request, &mut |entry| {
        entries.push(entry.clone());
        Ok(())
    });
    (entries, summary.expect("the log is listed"))
}

fn shown(entries: &[LogEntry]) -> Vec<String> {
    entries.iter().map(|e| format!("{} {} {}", e.kind, e.collection.as_deref().unwrap_or("?"), e.rows)).collect()
}

/// A site on which something of each kind happened.
fn eventful(seed: u64) -> Site {
    let mut site = Site::new(seed);
    let database = site.machine.database();
    let a = create(&database, "a");
    let mut archiver = site.archiver(&database, &["a", "b"]);
    archiver.pass(&database, &[&a], Mode::Closing).expect("a pass succeeds");
    upsert(&a, 0..5, &mut site.stream);
    delete(&a, 3);
    let ids = Selector::Ids(vec![PointId::Number(0), PointId::Number(2)]);
    a.write(WriteOperation::set_payload(ids, "{\"k\":1}".to_owned())).expect("payloads are set");
    step(&a, &engine::collection::Step::Seal);
    upsert(&a, 10..12, &mut site.stream);
    archiver.pass(&database, &[&a], Mode::Closing).expect("a pass succeeds");
    let request = RestoreRequest { name: "a", target: Target::Latest, new_name: Some("b"), ..RestoreRequest::default() };
    pitr::restore(&database, &site.store(), &request, &|_, _| ()).expect("a restore succeeds");
    let b = database.collection("b").expect("it opens");
    upsert(&b, 20..21, &mut site.stream);
    database.set_alias("other", "b").expect("an alias is set");
    archiver.pass(&database, &[&a, &b], Mode::Closing).expect("a pass succeeds");
    drop(a);
    database.drop_collection("a", false).expect("it is dropped");
    archiver.pass(&database, &[&b], Mode::Closing).expect("a pass succeeds");
    site
}

#[test]
fn everything_that_happened_is_listed_in_the_order_of_time() {
    let site = eventful(90);
    let (entries, summary) = log(&site, &LogRequest::default());
    let expected = [
        "schema a 0",
        "create a 0",
        "archive a 0",
        "archive b 0",
        "upsert a 5",
        "delete a 1",
        "payload a 2",
        "upsert a 2",
        "restore b 0",
        "upsert b 1",
        "alias b 0",
        "drop a 0",
    ];
    assert_eq!(shown(&entries), expected);
    assert!(entries.windows(2).all(|pair| pair[0].time <= pair[1].time));
    assert_eq!((summary.entries, summary.holes.len(), summary.warnings.len()), (12, 0, 0));
    assert!(entries.iter().all(|entry| entry.lsn.is_some() == matches!(entry.kind, "schema" | "upsert" | "delete" | "payload")));
}

#[test]
fn a_position_in_the_log_restores_to_just_behind_that_entry() {
    let site = eventful(91);
    let (entries, _) = log(&site, &LogRequest { collection: Some("a"), ..LogRequest::default() });
    let deleted = entries.iter().find(|entry| entry.kind == "delete").unwrap();
    let after = site.restored("a", Target::Lsn(deleted.lsn.unwrap()));
    assert_eq!(after.len(), 4);
    assert_eq!(site.restored("a", Target::Time(deleted.time)), after);
    assert_eq!(site.restored("a", Target::Time(deleted.time - 1)).len(), 5);
}

#[test]
fn times_names_and_timelines_narrow_the_list() {
    let site = eventful(92);
    let (all, _) = log(&site, &LogRequest::default());
    for (index, entry) in all.iter().enumerate() {
        let (from, _) = log(&site, &LogRequest { from: Some(entry.time), ..LogRequest::default() });
        assert_eq!(from, all.iter().filter(|other| other.time >= entry.time).cloned().collect::<Vec<_>>(), "from entry {index}");
        let (to, _) = log(&site, &LogRequest { to: Some(entry.time), ..LogRequest::default() });
        assert_eq!(to, all.iter().filter(|other| other.time <= entry.time).cloned().collect::<Vec<_>>(), "to entry {index}");
    }
    let (b, _) = log(&site, &LogRequest { collection: Some("b"), ..LogRequest::default() });
    assert_eq!(shown(&b), ["archive b 0", "restore b 0", "upsert b 1", "alias b 0"]);
    let timeline = b[2].timeline;
    let (of_timeline, _) = log(&site, &LogRequest { timeline: Some(timeline), ..LogRequest::default() });
    assert_eq!(shown(&of_timeline), ["upsert b 1"]);
    let unknown = archive_log(&site.store(), &LogRequest { collection: Some("z"), ..LogRequest::default() }, &mut |_| Ok(())).unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
}

#[test]
fn a_hole_is_stated_and_the_rest_is_listed() {
    let mut site = Site::new(93);
    let database = site.machine.database();
    let collection = create(&database, "a");
    let mut archiver = site.archiver(&database, &["a"]);
    for round in 0..5 {
        site.write(&database, &mut archiver, &collection, round * 3..round * 3 + 3);
    }
    let timeline = collection.version().manifest.timeline();
    let extents = site.listing().extents_of(timeline);
    let lost = extents[2];
    site.store().delete(&lost.key(timeline).to_string()).unwrap();
    let (entries, summary) = log(&site, &LogRequest { collection: Some("a"), ..LogRequest::default() });
    assert_eq!(summary.holes, [(timeline, lost.start, lost.end)]);
    assert_eq!(entries.iter().filter(|entry| entry.kind == "upsert").count(), 4);
}

#[test]
fn a_long_log_is_listed_a_few_entries_at_a_time() {
    let mut site = Site::new(94);
    let database = site.machine.database();
    let collection = create(&database, "a");
    let mut archiver = site.archiver(&database, &["a"]);
    for id in 0..700 {
        upsert(&collection, id..id + 1, &mut site.stream);
    }
    site.archive(&database, &mut archiver, &collection);
    let (entries, _) = log(&site, &LogRequest { collection: Some("a"), ..LogRequest::default() });
    assert_eq!(entries.iter().filter(|entry| entry.kind == "upsert").count(), 700);
    assert!(entries.windows(2).all(|pair| pair[0].time <= pair[1].time));
}
