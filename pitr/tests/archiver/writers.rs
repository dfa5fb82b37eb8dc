//! Two writers of one history: one takes over and the other is turned away; copies of one database that diverged; a log that lost its end.

use std::sync::Arc;

use engine::error::ErrorKind;
use engine::{Collection, Database, Error};
use pitr::archiver::{Archiver, Mode, fetch_lost};
use pitr::takeover::{TakeoverRequest, take_over_collection};
use platform::fs::OpenMode;
use platform::object_store::ObjectStore;
use platform::random::Stream;

use crate::machine::{Content, Machine, content, create, seal, upsert};
use crate::passes::settings;

/// A machine with points that are archived.
fn primary(machine: &Machine, store: &Arc<dyn ObjectStore>) -> (Database, Archiver) {
    let database = machine.database();
    let collection = create(&database, "a");
    database.set_archive("a", Some(settings())).expect("this machine works");
    let mut stream = Stream::new(7);
    upsert(&collection, 0..300, &mut stream);
    seal(&collection);
    upsert(&collection, 200..400, &mut stream);
    let mut archiver = Archiver::open(&database, store).expect("this machine works");
    archiver.pass(&database, &[&collection], Mode::Closing).expect("this machine works");
    (database, archiver)
}

fn take_over(machine: &Machine, store: &Arc<dyn ObjectStore>) -> (Database, Collection) {
    let database = machine.database();
    take_over_collection(&database, store, &TakeoverRequest { name: "a", ..TakeoverRequest::default() }, &|_, _| ())
        .expect("this machine works");
    let collection = database.collection("a").expect("this machine works");
    (database, collection)
}

fn pass(archiver: &mut Archiver, database: &Database, collection: &Collection) -> Result<(), Error> {
    archiver.pass(database, &[collection], Mode::Closing).map(drop)
}

#[test]
fn who_was_taken_over_is_fenced_and_the_new_writer_goes_on() {
    let (old, new) = (Machine::new(11), Machine::new(12));
    let store = old.store("/archive");
    let (old_database, mut old_archiver) = primary(&old, &store);
    let old_collection = old_database.collection("a").unwrap();
    let (new_database, new_collection) = take_over(&new, &store);
    assert_eq!(content(&new_collection), content(&old_collection), "everything archived is there");
    upsert(&old_collection, 1_000..1_010, &mut Stream::new(1));
    let error = pass(&mut old_archiver, &old_database, &old_collection).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Fenced, "{error}");
    let mut again = Archiver::open(&old_database, &store).unwrap();
    assert_eq!(pass(&mut again, &old_database, &old_collection).unwrap_err().kind, ErrorKind::Fenced, "a restart changes nothing");
    new_database.set_archive("a", Some(settings())).unwrap();
    upsert(&new_collection, 2_000..2_010, &mut Stream::new(2));
    let mut archiver = Archiver::open(&new_database, &store).unwrap();
    pass(&mut archiver, &new_database, &new_collection).unwrap();
    // A third machine takes the second one over: histories of two takeovers are followed.
    let third = Machine::new(13);
    let (_third_database, third_collection) = take_over(&third, &store);
    assert_eq!(content(&third_collection), content(&new_collection));
    upsert(&new_collection, 3_000..3_001, &mut Stream::new(3));
    assert_eq!(pass(&mut archiver, &new_database, &new_collection).unwrap_err().kind, ErrorKind::Fenced);
}

#[test]
fn copies_that_diverged_are_told_apart_and_a_fork_keeps_both() {
    // The same seed and the same steps give the same machine, ids included: a copy of the whole data directory.
    let (one, two) = (Machine::new(21), Machine::new(21));
    let store = Machine::new(22).store("/archive");
    let own = Machine::new(23).store("/own");
    let (database, mut archiver) = primary(&one, &store);
    let (copy, _) = primary(&two, &own);
    let (first, second) = (database.collection("a").unwrap(), copy.collection("a").unwrap());
    assert_eq!(first.version().lsn_end, second.version().lsn_end);
    upsert(&first, 500..520, &mut Stream::new(5));
    pass(&mut archiver, &database, &first).unwrap();
    upsert(&second, 600..640, &mut Stream::new(6));
    upsert(&second, 640..650, &mut Stream::new(8));
    let (of_first, of_second) = (content(&first), content(&second));
    let mut late = Archiver::open(&copy, &store).unwrap();
    assert_eq!(pass(&mut late, &copy, &second).unwrap_err().kind, ErrorKind::Diverged);
    drop(second);
    pitr::fork::fork(&copy, &store, "a", 1, &|_, _| ()).unwrap();
    let forked = copy.collection("a").unwrap();
    assert_eq!(content(&forked), of_second, "every write of this machine is kept");
    let mut late = Archiver::open(&copy, &store).unwrap();
    // The catalog of the copy diverged too: the database as a whole goes to a location of its own.
    assert_eq!(pass(&mut late, &copy, &forked).unwrap_err().kind, ErrorKind::Diverged);
    let mut apart = Archiver::open(&copy, &own).unwrap();
    pass(&mut apart, &copy, &forked).unwrap();
    assert_eq!(content(&first), of_first);
    drop(first);
    let error = pitr::fork::fork(&database, &store, "a", 1, &|_, _| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "the other one has not diverged");
}

#[test]
fn a_log_that_lost_its_end_takes_it_back_before_it_is_written() {
    let machine = Machine::new(31);
    let store = machine.store("/archive");
    let (database, _) = primary(&machine, &store);
    let (whole, dir, manifest, end): (Content, _, _, _) = {
        let collection = database.collection("a").unwrap();
        (content(&collection), collection.dir().clone(), collection.version().manifest.clone(), collection.version().lsn_end)
    };
    let fs = machine.sim.disk.file_system();
    let name = engine::log::LogFileName { start: manifest.covered_lsn, timeline: manifest.timeline() };
    let file = fs.open(&name.path(&dir.log()), OpenMode::ReadWrite).unwrap();
    file.set_len(name.offset(manifest.covered_lsn)).unwrap();
    file.sync_all().unwrap();
    assert_eq!(database.collection("a").unwrap_err().kind, ErrorKind::Corrupt, "a loss below what was archived is known");
    let unreachable = Err(Error::new(ErrorKind::Unreachable, "the link is down"));
    let world = machine.sim.world();
    let refused = fetch_lost(&world, unreachable, &dir.log(), dir.root(), manifest.covered_lsn, manifest.timeline());
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Unreachable, "no write goes over what was lost");
    let fetched = fetch_lost(&world, Ok(store), &dir.log(), dir.root(), manifest.covered_lsn, manifest.timeline()).unwrap();
    assert_eq!(fetched, end - manifest.covered_lsn);
    assert_eq!(content(&database.collection("a").unwrap()), whole);
}
