//! The power goes at every change of a backup and of a restore: never a plausible lie, and the same command works again.

use std::sync::Arc;

use engine::ErrorKind;
use pitr::{Candidates, Level, RestoreRequest};
use platform::KnownBad;
use platform::fs::CrashKeep;
use platform::object_store::ObjectStore;
use platform::object_store::faulty::{FaultyStore, Rates};
use platform::random::Stream;

use crate::machine::{Content, Machine, backup, content, create, delete, dump, seal, try_backup, upsert};

/// A machine with a collection, one complete backup of it, and changes since.
fn machine_with_changes(seed: u64, known_bad: KnownBad) -> (Machine, Content, Content) {
    let mut machine = Machine::new(seed);
    machine.sim.known_bad = known_bad;
    let database = machine.database();
    let collection = create(&database, "c");
    let mut stream = Stream::new(seed);
    upsert(&collection, 0..20, &mut stream);
    seal(&collection);
    let old = content(&collection);
    let honest = KnownBad::default();
    let store: Arc<dyn ObjectStore> = Arc::new(
        platform::object_store::sim::SimStore::open(machine.sim.disk.file_system(), std::path::Path::new("/b"), honest)
            .expect("a store opens"),
    );
    backup(&database, &collection, &store, "old");
    upsert(&collection, 10..30, &mut stream);
    delete(&collection, 2);
    seal(&collection);
    upsert(&collection, 30..33, &mut stream);
    let new = content(&collection);
    collection.close().expect("it closes");
    drop(collection);
    database.close().expect("it closes");
    (machine, old, new)
}

fn reopen_and_backup(machine: &Machine, id: &str) -> engine::Result<()> {
    let store = machine.try_store("/b").map_err(|e| pitr::archive::stored::store_error(&e))?;
    let database = machine.try_database()?;
    let collection = database.collection("c")?;
    try_backup(&database, &collection, &store, id).map(drop)
}

fn restored(machine: &Machine, id: Option<&str>) -> engine::Result<Content> {
    machine.restored_elsewhere("/b", "c", id, Candidates::default()).map(|(_, content)| content)
}

/// Cuts the power after `cut` changes of a backup; gives whether the backup was acknowledged. Panics on a lie.
fn cut_a_backup(seed: u64, cut: u64, known_bad: KnownBad) -> bool {
    let (mut machine, old, new) = machine_with_changes(seed, known_bad);
    let label = format!("seed {seed} cut {cut}");
    machine.sim.disk.crash_after_ops(Some(cut));
    let done = reopen_and_backup(&machine, "new").is_ok();
    machine.sim.disk.crash_after_ops(None);
    machine.sim.disk.crash_keeping(CrashKeep::Random);
    machine.sim.known_bad = KnownBad::default();

    let report = machine.verify("/b", Level::Data);
    assert!(report.ok, "{label}: the complete backup is unharmed: {:?}", report.problems);
    let complete = report.snapshots.iter().any(|snapshot| snapshot.id == "new");
    assert!(complete || !done, "{label}: an acknowledged backup is there");
    assert_eq!(restored(&machine, Some("old")).expect("the old backup restores"), old, "{label}");
    if complete {
        assert_eq!(restored(&machine, None).expect("the new backup restores"), new, "{label}");
        return done;
    }
    // A mark that survived is listed, and the newest is never silently the one before it.
    for id in &report.unfinished {
        assert_eq!(id, "new", "{label}");
        let refused = restored(&machine, None).expect_err("nothing older is restored silently");
        assert_eq!(refused.kind, ErrorKind::Incomplete, "{label}");
        assert!(refused.hint.unwrap_or_default().contains("\"old\""), "{label}");
    }
    reopen_and_backup(&machine, "new").unwrap_or_else(|e| panic!("{label}: the same command works again: {e}"));
    let report = machine.verify("/b", Level::Data);
    assert!(report.ok && report.unfinished.is_empty(), "{label}: {:?}", report.problems);
    assert_eq!(restored(&machine, None).expect("the new backup restores"), new, "{label}");
    done
}

#[test]
fn a_power_cut_at_any_change_of_a_backup_leaves_the_old_one_whole_and_the_same_id_works_again() {
    let (seed, mut cut) = (100, 0);
    while !cut_a_backup(seed, cut, KnownBad::default()) {
        cut += 1;
        assert!(cut < 2_000, "a backup ends");
    }
    assert!(cut > 30, "seed {seed}: the cuts went through the whole backup");
}

#[test]
fn a_store_that_does_not_sync_is_caught() {
    let known_bad = KnownBad { objects_not_synced: true, ..KnownBad::default() };
    let caught = (0..20).filter(|seed| std::panic::catch_unwind(|| cut_a_backup(200 + seed, u64::MAX >> 1, known_bad)).is_err()).count();
    assert!(caught > 0, "a backup that was never synced survived every power cut");
}

#[test]
fn a_power_cut_at_any_change_of_a_restore_is_invisible_and_the_restore_works_again() {
    let mut cut = 0;
    loop {
        let seed = 300;
        let (machine, old, _) = machine_with_changes(seed, KnownBad::default());
        let label = format!("seed {seed} cut {cut}");
        let run = |machine: &Machine| -> engine::Result<()> {
            let store = machine.try_store("/b").map_err(|e| pitr::archive::stored::store_error(&e))?;
            let database = machine.try_database()?;
            let request = RestoreRequest { name: "c", new_name: Some("again"), ..RestoreRequest::default() };
            pitr::restore(&database, &store, &request, &|_, _| ()).map(drop)
        };
        machine.sim.disk.crash_after_ops(Some(cut));
        let done = run(&machine).is_ok();
        machine.sim.disk.crash_after_ops(None);
        machine.sim.disk.crash_keeping(CrashKeep::Random);
        let database = machine.database();
        let visible = database.state().collections.contains_key("again");
        assert!(visible || !done, "{label}: an acknowledged restore is there");
        if visible {
            assert_eq!(content(&database.collection("again").unwrap()), old, "{label}");
        }
        let lives: usize = database.state().collections.len();
        let dirs = machine.sim.disk.file_system().list(std::path::Path::new("/data/collections")).unwrap().len();
        assert_eq!(dirs, lives, "{label}: leftovers are cleared away");
        database.close().unwrap();
        if done {
            break;
        }
        if !visible {
            run(&machine).unwrap_or_else(|e| panic!("{label}: the same command works again: {e}"));
            assert_eq!(content(&machine.database().collection("again").unwrap()), old, "{label}");
        }
        cut += 1;
        assert!(cut < 2_000, "a restore ends");
    }
    assert!(cut > 15, "the cuts went through the whole restore");
}

#[test]
fn a_store_that_goes_down_at_any_call_is_unreachable_and_the_attempt_is_resumed() {
    let mut calls = 0;
    loop {
        let (machine, _, new) = machine_with_changes(400, KnownBad::default());
        let faulty = Arc::new(FaultyStore::new(machine.store("/b"), 1, Rates::default()));
        let store: Arc<dyn ObjectStore> = faulty.clone();
        faulty.go_down_after(Some(calls));
        let database = machine.database();
        let collection = database.collection("c").unwrap();
        let result = try_backup(&database, &collection, &store, "new");
        faulty.go_down_after(None);
        match result {
            // The last call removes the mark; the backup is complete without it.
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind, ErrorKind::Unreachable, "after {calls} calls: {error}"),
        }
        let sent: u64 = dump(&store).values().map(|bytes| bytes.len() as u64).sum();
        try_backup(&database, &collection, &store, "new").unwrap_or_else(|e| panic!("after {calls} calls: {e}"));
        let again: u64 = dump(&store).values().map(|bytes| bytes.len() as u64).sum();
        assert!(again + 1_000 > sent, "after {calls} calls: nothing that was sent is lost");
        assert!(machine.verify("/b", Level::Data).strays.is_empty(), "after {calls} calls: what was sent is used");
        assert_eq!(machine.restored_elsewhere("/b", "c", None, Candidates::default()).unwrap().1, new);
        calls += 1;
    }
    assert!(calls > 15, "the link was cut in the middle of the backup");
}

#[test]
fn lost_replies_and_short_bodies_never_make_a_lie() {
    for seed in 500..530 {
        let (machine, _, new) = machine_with_changes(seed, KnownBad::default());
        let rates = Rates { error_before: 20, lost_reply: 20, truncated_get: 20 };
        let faulty: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(machine.store("/b"), seed, rates));
        let database = machine.database();
        let collection = database.collection("c").unwrap();
        let done = (0..100).any(|_| match try_backup(&database, &collection, &faulty, "new") {
            Ok(_) => true,
            Err(error) => error.kind == ErrorKind::Exists,
        });
        assert!(done, "seed {seed}: a backup succeeds in the end");
        let report = machine.verify("/b", Level::Data);
        assert!(report.ok, "seed {seed}: {:?}", report.problems);
        assert_eq!(machine.restored_elsewhere("/b", "c", Some("new"), Candidates::default()).unwrap().1, new, "seed {seed}");
    }
}

#[test]
fn a_full_destination_is_no_space_and_resumed_when_there_is_room() {
    let (machine, _, new) = machine_with_changes(600, KnownBad::default());
    let database = machine.database();
    let collection = database.collection("c").unwrap();
    let store = machine.store("/b");
    let used: u64 =
        machine.sim.disk.paths().iter().filter_map(|path| machine.sim.disk.durable_bytes(path)).map(|bytes| bytes.len() as u64).sum();
    machine.sim.disk.set_capacity(Some(used + 2_000));
    let error = try_backup(&database, &collection, &store, "new").unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoSpace, "{error}");
    machine.sim.disk.set_capacity(None);
    try_backup(&database, &collection, &store, "new").unwrap();
    assert_eq!(machine.restored_elsewhere("/b", "c", None, Candidates::default()).unwrap().1, new);
}
