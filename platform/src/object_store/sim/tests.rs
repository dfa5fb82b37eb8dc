//! A store on a disk that loses power: what was acknowledged is there, whole or not at all.

use super::*;
use crate::fs::{CrashKeep, SimDisk};
use crate::random::Stream;

fn store(disk: &SimDisk, known_bad: KnownBad) -> Result<SimStore, StoreError> {
    SimStore::open(disk.file_system(), Path::new("/backups/store"), known_bad)
}

fn content(key: u64) -> Bytes {
    Bytes::from(vec![key as u8 + 1; 700 + key as usize * 100])
}

#[test]
fn a_simulated_store_keeps_every_promise_of_a_store() {
    let disk = SimDisk::new(1);
    super::super::conformance::conformance(&store(&disk, KnownBad::default()).unwrap());
}

/// Puts objects until the power goes; returns how many were acknowledged.
fn put_until_the_cut(disk: &SimDisk, cut: u64, known_bad: KnownBad) -> u64 {
    disk.crash_after_ops(Some(cut));
    let Ok(store) = store(disk, known_bad) else { return 0 };
    let put = |key: &u64| {
        let (name, whole) = (format!("d{}/{key}", key % 3), content(*key));
        store.put_if_absent(&name, vec![whole.slice(..300), whole.slice(300..)]).is_ok()
    };
    (0..8).take_while(put).count() as u64
}

/// Counts acknowledged objects that are gone or wrong; panics at one that is there in part.
fn lost(disk: &SimDisk, acknowledged: u64, seed: u64, sound: bool) -> u64 {
    let store = store(disk, KnownBad::default()).unwrap();
    let mut lost = 0;
    for key in 0..8 {
        let name = format!("d{}/{key}", key % 3);
        match store.get(&name) {
            Ok(found) if found == content(key) => {}
            Ok(_) if sound => panic!("seed {seed}: {name} is there in part"),
            _ => lost += u64::from(key < acknowledged),
        }
    }
    lost
}

#[test]
fn a_power_cut_at_any_change_keeps_what_was_acknowledged_and_tears_nothing() {
    let mut reached = 0;
    for cut in 1..90 {
        for keep in [CrashKeep::Nothing, CrashKeep::Everything, CrashKeep::Random] {
            let disk = SimDisk::new(cut);
            let acknowledged = put_until_the_cut(&disk, cut, KnownBad::default());
            reached = reached.max(acknowledged);
            disk.crash_keeping(keep);
            assert_eq!(lost(&disk, acknowledged, cut, true), 0, "seed {cut}, {keep:?}");
        }
    }
    assert_eq!(reached, 8, "the last cuts come after the last put");
}

#[test]
fn a_store_that_does_not_sync_is_caught() {
    let known_bad = KnownBad { objects_not_synced: true, ..KnownBad::default() };
    let caught = (1..60).any(|cut| {
        let disk = SimDisk::new(cut);
        let acknowledged = put_until_the_cut(&disk, cut, known_bad);
        disk.crash();
        lost(&disk, acknowledged, cut, false) > 0
    });
    assert!(caught, "the mistake went unnoticed");
}

#[test]
fn an_object_left_by_a_killed_process_is_durable_once_it_was_found() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let known_bad = KnownBad { objects_not_synced: true, ..KnownBad::default() };
        let left = store(&disk, known_bad).unwrap().put_if_absent("d/a", vec![content(1)]);
        assert_eq!(left.unwrap(), PutOutcome::Created);
        disk.crash_keeping(CrashKeep::Everything);
        let found = store(&disk, KnownBad::default()).unwrap().put_if_absent("d/a", vec![content(1)]);
        assert_eq!(found.unwrap(), PutOutcome::Exists);
        disk.crash_keeping(CrashKeep::Nothing);
        let read = store(&disk, KnownBad::default()).unwrap().get("d/a").unwrap();
        assert_eq!(read, content(1), "seed {seed}");
    }
}

#[test]
fn a_put_beside_what_a_killed_process_left_is_durable_with_the_way_to_it() {
    for kill in 1..20 {
        let disk = SimDisk::new(kill);
        disk.crash_after_ops(Some(kill));
        let first = store(&disk, KnownBad::default());
        let _ = first.and_then(|store| store.put_if_absent("d/e/a", vec![content(1)]));
        disk.crash_keeping(CrashKeep::Everything);
        let second = store(&disk, KnownBad::default()).unwrap();
        second.put_if_absent("d/e/b", vec![content(2)]).unwrap();
        disk.crash_keeping(CrashKeep::Nothing);
        let read = store(&disk, KnownBad::default()).unwrap().get("d/e/b");
        assert_eq!(read.unwrap(), content(2), "kill at change {kill}");
    }
}

#[test]
fn a_put_into_a_full_store_says_so_and_leaves_nothing_behind() {
    let disk = SimDisk::new(1);
    let store = store(&disk, KnownBad::default()).unwrap();
    disk.set_capacity(Some(1_000));
    let error = store.put_if_absent("a", vec![Bytes::from(vec![1; 2_000])]).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NoSpace, "{error}");
    assert_eq!(disk.paths(), Vec::<PathBuf>::new());
    disk.set_capacity(None);
    assert_eq!(store.put_if_absent("a", vec![content(1)]).unwrap(), PutOutcome::Created);
}

#[test]
fn a_flipped_bit_is_served_as_it_is_for_the_reader_to_find() {
    let disk = SimDisk::new(Stream::new(1).next_u64());
    let store = store(&disk, KnownBad::default()).unwrap();
    store.put_if_absent("a", vec![Bytes::from_static(b"aaaa")]).unwrap();
    disk.flip_bit("/backups/store/a", 1, 0);
    assert_eq!(store.get("a").unwrap(), "a`aa");
}
