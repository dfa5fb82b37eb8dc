//! Every flipped bit, every cut, every missing object of a small backup, and copies made in any order.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::ErrorKind;
use pitr::{Candidates, Level};
use platform::object_store::ObjectStore;
use platform::random::Stream;

use crate::machine::{Content, Machine, backup, content, create, delete, dump, lay_out, seal, upsert};

/// A machine with a small backup at `/b` that has a log, a segment and deletes; the location is under 16 KiB.
fn small_backup(seed: u64) -> (Machine, Arc<dyn ObjectStore>, Content) {
    let machine = Machine::new(seed);
    let (database, store) = (machine.database(), machine.store("/b"));
    let collection = create(&database, "c");
    upsert(&collection, 0..6, &mut Stream::new(seed));
    delete(&collection, 1);
    seal(&collection);
    upsert(&collection, 6..8, &mut Stream::new(seed));
    backup(&database, &collection, &store, "one");
    let content = content(&collection);
    let size: usize = dump(&store).values().map(Vec::len).sum();
    assert!(size < 16 << 10, "a backup of {size} bytes is too large to try every bit");
    (machine, store, content)
}

fn path(key: &str) -> String {
    format!("/b/{key}")
}

/// Verifies and gives the kind of what is wrong.
fn kind(machine: &Machine) -> Option<ErrorKind> {
    match machine.try_verify("/b", Level::Data, None, Candidates::default()) {
        Ok(report) => report.error.map(|error| error.kind),
        Err(error) => Some(error.kind),
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let (machine, store, _) = small_backup(70);
    assert_eq!(kind(&machine), None);
    for (key, bytes) in dump(&store) {
        for bit in 0..bytes.len() * 8 {
            let (offset, bit) = ((bit / 8) as u64, (bit % 8) as u8);
            machine.sim.disk.flip_bit(path(&key), offset, bit);
            assert_eq!(kind(&machine), Some(ErrorKind::Corrupt), "{key} byte {offset} bit {bit}");
            machine.sim.disk.flip_bit(path(&key), offset, bit);
        }
    }
    assert_eq!(kind(&machine), None);
}

#[test]
fn every_cut_and_every_missing_object_is_incomplete() {
    let (machine, store, _) = small_backup(71);
    for (key, bytes) in dump(&store) {
        for len in (0..bytes.len() as u64).rev() {
            machine.sim.disk.truncate(path(&key), len);
            assert_eq!(kind(&machine), Some(ErrorKind::Incomplete), "{key} cut to {len}");
        }
        store.delete(&key).unwrap();
        assert_eq!(kind(&machine), Some(ErrorKind::Incomplete), "{key} missing");
        store.put_if_absent(&key, vec![bytes.into()]).unwrap();
    }
    assert_eq!(kind(&machine), None);
}

#[test]
fn a_restore_of_a_damaged_backup_leaves_nothing_behind() {
    let (machine, store, before) = small_backup(72);
    let mut stream = Stream::new(72);
    for (key, bytes) in dump(&store) {
        for _ in 0..8 {
            let (offset, bit) = (stream.below(bytes.len() as u64), stream.below(8) as u8);
            machine.sim.disk.flip_bit(path(&key), offset, bit);
            let other = Machine::new(1);
            let database = other.database();
            let request = pitr::RestoreRequest { name: "c", ..pitr::RestoreRequest::default() };
            match pitr::restore(&database, &store, &request, &|_, _| ()) {
                // Descriptions of timelines and lives, headers and trailers of extents: a restore does without them.
                Ok(_) => assert_eq!(content(&database.collection("c").unwrap()), before, "{key} byte {offset} bit {bit}"),
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::Corrupt, "{key} byte {offset} bit {bit}: {error}");
                    assert!(database.state().collections.is_empty());
                    let left: Vec<_> = other
                        .sim
                        .disk
                        .paths()
                        .into_iter()
                        .filter(|path| path.starts_with("/data/collections") && path.components().count() > 3)
                        .collect();
                    assert_eq!(left, Vec::<std::path::PathBuf>::new());
                }
            }
            machine.sim.disk.flip_bit(path(&key), offset, bit);
        }
    }
}

#[test]
fn what_no_backup_needs_is_called_a_stray_and_foreign_names_are_left_alone() {
    let (machine, store, _) = small_backup(73);
    let stray = "objects/00112233445566778899aabbccddeeff";
    for key in [stray, "notes.txt", "objects/readme", "snapshots/one.json~".trim_end_matches('~').replace("one", "one.part").as_str()] {
        store.put_if_absent(key, vec![bytes::Bytes::from_static(b"x")]).unwrap();
    }
    let report = machine.verify("/b", Level::Data);
    // A cut description is a backup that is not whole; the rest is not.
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::Incomplete));
    store.delete("snapshots/one.part.json").unwrap();
    let report = machine.verify("/b", Level::Data);
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.strays, [stray]);
}

#[test]
fn a_copy_in_any_order_says_its_newest_complete_backup_or_what_is_missing() {
    for seed in 80..83 {
        let machine = Machine::new(seed);
        let (database, store) = (machine.database(), machine.store("/b"));
        let collection = create(&database, "c");
        let mut stream = Stream::new(seed);
        let mut contents: BTreeMap<String, Content> = BTreeMap::new();
        for number in 0..3_u64 {
            upsert(&collection, number * 10..number * 10 + 15, &mut stream);
            seal(&collection);
            let id = format!("n{number}");
            backup(&database, &collection, &store, &id);
            contents.insert(id, content(&collection));
        }
        let all: Vec<(String, Vec<u8>)> = dump(&store).into_iter().collect();
        for round in 0..16 {
            let root = format!("/copy/{round}");
            let copy = machine.store(&root);
            let mut order: Vec<usize> = (0..all.len()).collect();
            for at in (1..order.len()).rev() {
                order.swap(at, stream.below(at as u64 + 1) as usize);
            }
            let count = if round == 0 { all.len() } else { all.len() - 1 - stream.below(all.len() as u64 / 2) as usize };
            let part: BTreeMap<_, _> = order[..count].iter().map(|&at| all[at].clone()).collect();
            lay_out(&copy, &part);
            check_copy(&machine, &root, &part, &contents, &format!("seed {seed} round {round}"));
        }
    }
}

fn check_copy(machine: &Machine, root: &str, part: &BTreeMap<String, Vec<u8>>, contents: &BTreeMap<String, Content>, label: &str) {
    let present = |id: &str| part.contains_key(&format!("snapshots/{id}.json"));
    let report = match machine.try_verify(root, Level::Data, None, Candidates::default()) {
        Ok(report) => report,
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Incomplete, "{label}: {error}");
            assert!(!part.contains_key("archive.json"), "{label}: {error}");
            return;
        }
    };
    assert!(report.error.as_ref().is_none_or(|error| error.kind == ErrorKind::Incomplete), "{label}: {:?}", report.error);
    for snapshot in &report.snapshots {
        assert!(present(&snapshot.id), "{label}");
        let restored = machine.restored_elsewhere(root, "c", Some(&snapshot.id), Candidates::default());
        if snapshot.ok {
            assert_eq!(restored.expect("what is whole restores").1, contents[&snapshot.id], "{label}");
        }
    }
    let newest_good = report.snapshots.iter().rev().find(|snapshot| snapshot.ok).map(|snapshot| snapshot.id.clone());
    match machine.restored_elsewhere(root, "c", None, Candidates::default()) {
        Ok((report, restored)) => assert_eq!(restored, contents[report.snapshot_id.as_deref().unwrap_or_default()], "{label}"),
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Incomplete, "{label}: {error}");
            let hint = error.hint.unwrap_or_default();
            assert!(newest_good.is_none_or(|id| hint.contains(&id)), "{label}: {hint}");
        }
    }
}
