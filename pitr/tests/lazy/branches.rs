//! Branches, and reads of the past: their own history beside an untouched source.

use std::time::Duration;

use engine::error::ErrorKind;
use pitr::archive::pin::{Holds, PinFile};
use pitr::archive::retention::{DAY, Policy};
use pitr::archive::{Archive, Listing};
use pitr::branch::Holders;
use pitr::lazy::{Stay, hydrate, places_of};
use pitr::prune::PruneRequest;
use pitr::{BranchRequest, RestoreRequest, Target};
use platform::random::Stream;

use crate::machine::{Machine, content, delete, dump, upsert};
use crate::place::{archived, pins, reaching, to};
use crate::source::{ARCHIVE, Source};

fn of_c<'a>(time: u64, new_name: &'a str) -> BranchRequest<'a> {
    BranchRequest { name: "c", target: Target::Time(time), new_name, location: ARCHIVE, ..BranchRequest::default() }
}

fn reopened(mut source: Source) -> Source {
    drop(source.database);
    source.database = reaching(&source.machine, &source.store);
    source
}

#[test]
fn what_is_written_to_a_branch_is_in_no_other_collection() {
    let (source, collection, moments) = archived(11);
    let before = content(&collection);
    drop(collection);
    let source = reopened(source);
    let (time, expected) = &moments[5];
    let archive = dump(&source.store);
    let report = pitr::branch(&source.database, &source.store, &of_c(*time, "b"), &|_, _| ()).unwrap();
    let branch = source.database.collection("b").unwrap();
    assert!(branch.lazy_marker().unwrap().keep && report.full_speed_s.is_none());
    assert_eq!(&content(&branch), expected);
    upsert(&branch, 9_000..9_020, &mut Stream::new(11));
    delete(&branch, 7);
    let mut changed = expected.clone();
    changed.retain(|id, _| *id != engine::PointId::Number(7));
    assert_eq!(content(&branch).len(), changed.len() + 20);
    let collection = source.database.collection("c").unwrap();
    assert_eq!(content(&collection), before, "the source is as it was");
    assert_ne!(branch.version().manifest.timeline(), collection.version().manifest.timeline());
    let mut after = dump(&source.store);
    after.retain(|key, _| !key.starts_with("readers/"));
    assert_eq!(after, archive, "the archive got a pin and nothing else");
}

#[test]
fn a_branch_holds_the_log_that_it_refers_to_until_it_is_gone() {
    let (source, collection, moments) = archived(12);
    let timeline = collection.version().manifest.timeline();
    drop(collection);
    let source = reopened(source);
    let (time, expected) = &moments[5];
    pitr::branch(&source.database, &source.store, &of_c(*time, "b"), &|_, _| ()).unwrap();
    let archive = Archive::open(&source.store).unwrap();
    let name = Listing::read(&*source.store).unwrap().readers[0];
    let pin = PinFile::read(&archive, name).unwrap();
    let branch = source.database.collection("b").unwrap();
    let end = branch.lazy_marker().unwrap().files.last().unwrap().end;
    assert_eq!(
        (pin.lease, pin.holds),
        (None, vec![Holds::Log { timeline, lsn: end }]),
        "exactly what the branch refers to, without an end"
    );
    let places = places_of(source.database.world(), branch.dir().root()).unwrap().unwrap();
    assert_eq!((places.archives[0].location.as_str(), places.archives[0].pin), (ARCHIVE, Some(name)), "and it knows its pin");
    upsert(&branch, 9_000..9_020, &mut Stream::new(12));
    drop(branch);
    let open = |_: &str, _: Option<&str>| Ok(source.store.clone());
    let holders = Holders::look(&source.database);
    source.database.drop_collection("b", false).unwrap();
    holders.release_gone(&source.database, &open).unwrap();
    assert_eq!(pins(&source.store).len(), 1, "it can still be brought back");
    source.database.undrop("b").unwrap();
    assert_eq!(content(&source.database.collection("b").unwrap()).len(), expected.len() + 20);
    source.database.drop_collection("b", false).unwrap();
    let holders = Holders::look(&source.database);
    source.database.purge().unwrap();
    holders.release_gone(&source.database, &open).unwrap();
    assert_eq!(pins(&source.store).len(), 0);
}

#[test]
fn a_branch_that_is_detached_needs_the_archive_no_more() {
    let (source, collection, moments) = archived(13);
    drop(collection);
    let source = reopened(source);
    let (time, expected) = &moments[6];
    pitr::branch(&source.database, &source.store, &of_c(*time, "b"), &|_, _| ()).unwrap();
    let branch = source.database.collection("b").unwrap();
    branch.detach().unwrap();
    assert!(hydrate(&branch, &|_, _| Ok(source.store.clone()), &|| false, &|_, _| ()).unwrap());
    assert_eq!((pins(&source.store).len(), branch.lazy_marker()), (0, None));
    drop(branch);
    let machine = source.machine;
    drop(source.database);
    assert_eq!(&content(&machine.database().collection("b").unwrap()), expected);
}

#[test]
fn a_branch_of_a_branch_that_is_archived_too_has_the_history_of_both() {
    let (source, collection, moments) = archived(14);
    drop(collection);
    let mut source = reopened(source);
    let (time, _) = &moments[5];
    pitr::branch(&source.database, &source.store, &of_c(*time, "b"), &|_, _| ()).unwrap();
    source.enable("b");
    let (branch, collection) = (source.database.collection("b").unwrap(), source.database.collection("c").unwrap());
    let (later, expected) = source.write(&branch, 5_000..5_400);
    crate::machine::seal(&branch);
    source.pass(&[&collection, &branch]);
    let request = BranchRequest { name: "b", ..of_c(later, "bb") };
    pitr::branch(&source.database, &source.store, &request, &|_, _| ()).unwrap();
    let second = source.database.collection("bb").unwrap();
    assert!(second.is_lazy());
    assert_eq!(content(&second), expected);
    assert_eq!(source.at("b", later).unwrap().1, expected, "and restored in full");
    assert_eq!(pins(&source.store).len(), 2);
}

/// Deletes whatever may go, grace and all; gives how many objects that were.
fn prune(source: &Source) -> usize {
    let policy = Policy { keep_window: Some(DAY), keep_full: Some(0), ..Policy::default() };
    let request = PruneRequest { policy, ..PruneRequest::default() };
    let mut deleted = 0;
    for _ in 0..4 {
        source.machine.sim.clock.advance(Duration::from_hours(50));
        let report = pitr::prune::prune(&source.machine.sim.world(), &source.store, &request, &|_, _| ()).expect("an archive is pruned");
        deleted += report.deleted.objects;
    }
    deleted
}

#[test]
fn what_a_branch_refers_to_outlives_its_source_and_every_prune_and_goes_with_the_branch() {
    let (source, collection, moments) = archived(17);
    let timeline = collection.version().manifest.timeline();
    drop(collection);
    let mut source = reopened(source);
    let (time, expected) = &moments[5];
    pitr::branch(&source.database, &source.store, &of_c(*time, "b"), &|_, _| ()).unwrap();
    let end = source.database.collection("b").unwrap().lazy_marker().unwrap().files.last().unwrap().end;
    source.database.drop_collection("c", true).unwrap();
    source.pass(&[]);
    assert!(prune(&source) > 0, "what only the source needed is gone");
    let left = Listing::read(&*source.store).unwrap();
    assert!(left.reached(timeline, 0) >= end && !left.bases.contains_key(&timeline));
    assert_eq!(&content(&source.database.collection("b").unwrap()), expected);
    let holders = Holders::look(&source.database);
    source.database.drop_collection("b", true).unwrap();
    holders.release_gone(&source.database, &|_, _| Ok(source.store.clone())).unwrap();
    prune(&source);
    assert_eq!(Listing::read(&*source.store).unwrap().extents_of(timeline), [], "nothing needs it any more");
}

#[test]
fn a_branch_needs_a_free_name_and_a_moment_that_is_held() {
    let (source, collection, moments) = archived(15);
    drop(collection);
    let source = reopened(source);
    let (time, _) = &moments[5];
    for (request, kind) in [
        (of_c(*time, "c"), ErrorKind::Exists),
        (of_c(1, "b"), ErrorKind::NotFound),
        (BranchRequest { name: "other", ..of_c(*time, "b") }, ErrorKind::NotFound),
    ] {
        assert_eq!(pitr::branch(&source.database, &source.store, &request, &|_, _| ()).unwrap_err().kind, kind);
        assert_eq!(pins(&source.store).len(), 0);
    }
}

#[test]
fn the_past_reads_as_it_would_be_restored_at_every_moment() {
    let (source, _, moments) = archived(16);
    for (number, (time, expected)) in moments.iter().enumerate() {
        let machine = Machine::new(200 + number as u64);
        machine.sim.clock.advance(Duration::from_hours(1_000));
        let database = reaching(&machine, &source.store);
        let before = dump(&source.store);
        let report = pitr::restore(&database, &source.store, &to(*time, Stay::ForNow), &|_, _| ()).unwrap();
        assert_eq!(&content(&database.collection("c").unwrap()), expected, "at {time}");
        let full = source.elsewhere(&RestoreRequest { name: "c", target: Target::Time(*time), ..RestoreRequest::default() }).unwrap().0;
        assert_eq!((report.lsn, report.commit_time, report.points), (full.lsn, full.commit_time, full.points));
        assert_eq!(dump(&source.store), before, "reading changes nothing there");
    }
}
