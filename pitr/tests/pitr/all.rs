//! Every collection of a database at the same instant.

use std::time::Duration;

use engine::error::ErrorKind;
use pitr::{RestoreAllRequest, Target};

use crate::machine::{Machine, content, create};
use crate::source::Source;

#[test]
fn every_collection_comes_back_as_of_the_same_instant() {
    let mut source = Source::new(61);
    let (a, b) = (source.create("a"), source.create("b"));
    let scratch = create(&source.database, "scratch");
    source.write(&a, 0..10);
    source.write(&b, 0..20);
    source.write(&scratch, 0..5);
    source.pass(&[&a, &b]);
    let (then, contents) = (source.now(), [content(&a), content(&b)]);
    source.machine.sim.clock.advance(Duration::from_secs(1));
    source.write(&a, 100..120);
    drop(b);
    source.database.drop_collection("b", false).unwrap();
    let late = source.create("late");
    source.write(&late, 0..5);
    source.pass(&[&a, &late]);
    let other = Machine::new(62);
    other.sim.clock.advance(Duration::from_hours(100));
    let database = other.database();
    let request = RestoreAllRequest { target: Target::Time(then), ..RestoreAllRequest::default() };
    let planned = pitr::dry_run_all(&database, &source.store, &request).unwrap();
    assert_eq!(planned.iter().map(|plan| plan.collection.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let reports = pitr::restore_all(&database, &source.store, &request, &|_, _| ()).unwrap();
    assert!(reports[0].warnings.iter().any(|warning| warning.contains("scratch")), "what was not archived is named");
    for (name, expected) in ["a", "b"].into_iter().zip(contents) {
        assert_eq!(content(&database.collection(name).unwrap()), expected);
    }
    assert_eq!(database.state().collections.len(), 2);
    let again = pitr::restore_all(&database, &source.store, &request, &|_, _| ()).unwrap_err();
    assert_eq!(again.kind, ErrorKind::Exists, "checked before anything is written");
    let latest = RestoreAllRequest { target: Target::Latest, replace: true, ..RestoreAllRequest::default() };
    let reports = pitr::restore_all(&database, &source.store, &latest, &|_, _| ()).unwrap();
    assert_eq!(reports.iter().map(|report| report.collection.as_str()).collect::<Vec<_>>(), ["a", "late"]);
    assert_eq!(content(&database.collection("a").unwrap()), content(&a));
}

#[test]
fn an_instant_that_is_not_closed_is_refused() {
    let mut source = Source::new(63);
    let a = source.create("a");
    source.write(&a, 0..10);
    source.pass(&[&a]);
    let closed = source.archiver.newest_closed().unwrap().unwrap();
    let database = Machine::new(64).database();
    for (target, kind) in [
        (Target::Time(closed + 1), ErrorKind::NotFound),
        (Target::Time(1), ErrorKind::NotFound),
        (Target::Lsn(64), ErrorKind::Usage),
        (Target::Snapshot(Some("x")), ErrorKind::Usage),
    ] {
        let request = RestoreAllRequest { target, ..RestoreAllRequest::default() };
        assert_eq!(pitr::restore_all(&database, &source.store, &request, &|_, _| ()).unwrap_err().kind, kind);
    }
}
