//! What is above the encryption works unchanged: backup, verify, restore; and damage below is found.

use engine::collection::indexer::Goal;
use engine::{Database, ErrorKind, Result};
use pitr::encryption::{self, check_stored, format};
use pitr::{Candidates, Level, RestoreRequest, Scratch, VerifyReport, VerifyRequest};
use platform::object_store::ObjectStore;
use platform::random::Stream;
use platform::sim::SimWorld;
use std::sync::Arc;

use crate::machine::{Machine, backup, content, create, delete, dump, index_all, upsert};
use crate::place::{Place, key, random, unlock};

fn verify(store: &Arc<dyn ObjectStore>, level: Level) -> Result<VerifyReport> {
    let other = SimWorld::new(9_000);
    let scratch = Some(Scratch { world: other.world(), dir: "/scratch".into() });
    let request = VerifyRequest { level, scratch, snapshot_id: None, candidates: Candidates::default() };
    pitr::verify(&SimWorld::new(9_001).world(), store, &request, &|_, _| ())
}

/// Verifies every byte and gives the kind of what is wrong, unlocking included.
fn kind(place: &Place) -> Option<ErrorKind> {
    match place.open().and_then(|open| verify(&open, Level::Data)) {
        Ok(report) => report.error.map(|error| error.kind),
        Err(error) => Some(error.kind),
    }
}

fn restored(store: &Arc<dyn ObjectStore>, seed: u64) -> Result<crate::machine::Content> {
    let database: Database = Machine::new(seed).database();
    pitr::restore(&database, store, &RestoreRequest { name: "c", ..RestoreRequest::default() }, &|_, _| ())?;
    Ok(content(&database.collection("c")?))
}

#[test]
fn backups_of_an_encrypted_archive_restore_to_the_same_points_and_the_same_index() {
    let machine = Machine::new(1);
    let (database, locked) = (machine.database(), machine.store("/b"));
    let open = encryption::create(&locked, &key(1), &random(1)).unwrap();
    let collection = create(&database, "c");
    let mut stream = Stream::new(1);
    upsert(&collection, 0..3_000, &mut stream);
    index_all(&collection);
    assert!(collection.next_step(Goal::Indexed).is_none());
    let full = backup(&database, &collection, &open, "full");
    upsert(&collection, 2_990..3_010, &mut stream);
    delete(&collection, 3);
    let next = backup(&database, &collection, &open, "next");
    assert!(next.bytes_new * 20 < full.bytes_new, "an incremental backup stays one: {} of {}", next.bytes_new, full.bytes_new);

    let again = unlock(&locked, 1).unwrap();
    let report = verify(&again, Level::Restore).unwrap();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.snapshots.len(), 2);
    assert!(report.strays.iter().all(|key| key.starts_with("keys/")), "{:?}", report.strays);
    assert_eq!(restored(&again, 7).unwrap(), content(&collection));

    // A copy needs the key and nothing else, wherever it is.
    let copy = machine.store("/elsewhere/copy");
    crate::machine::lay_out(&copy, &dump(&locked));
    assert_eq!(restored(&unlock(&copy, 1).unwrap(), 8).unwrap(), content(&collection));
    let whole = check_stored(&copy, &|_, _| ()).unwrap();
    assert!(whole.problems.is_empty() && whole.objects == dump(&copy).len() as u64, "{:?}", whole.problems);
}

#[test]
fn only_description_and_wrapped_keys_are_stored_as_they_are() {
    let place = Place::new(2);
    let (stored, shown) = (dump(&place.locked), dump(&place.open().unwrap()));
    assert!(stored.keys().eq(shown.keys()), "keys are the same above and below");
    for (key, bytes) in &stored {
        if key == "archive.json" || key.starts_with("keys/") {
            let text = String::from_utf8_lossy(bytes);
            assert!(text.contains("\"cipher\": \"aes-256-gcm\"") && text.contains("\"key_id\""), "{text}");
        } else {
            assert_eq!(format::stored_len(shown[key].len() as u64), bytes.len() as u64, "{key}");
            assert!(bytes.starts_with(b"VECENCR\0"), "{key}");
        }
    }
    assert!(String::from_utf8_lossy(&stored["archive.json"]).contains("\"format\": 2"));
    assert!(String::from_utf8_lossy(&shown["archive.json"]).contains("\"format\": 1"));
}

/// Every byte of header and trailer of an object, and some of what is between: each bit of one is tried beside the format.
fn some_offsets(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |at| *at < 70 || at + 50 > len || at % 7 == 0)
}

#[test]
fn a_flipped_bit_anywhere_is_found_with_the_key_and_without() {
    let place = Place::new(3);
    assert_eq!(kind(&place), None);
    let objects = dump(&place.locked);
    assert!(objects.len() > 5);
    for (key, bytes) in objects {
        let path = format!("/b/{key}");
        for at in some_offsets(bytes.len()) {
            let (offset, bit) = (at as u64, (at % 8) as u8);
            place.machine.sim.disk.flip_bit(&path, offset, bit);
            assert_eq!(kind(&place), Some(ErrorKind::Corrupt), "{key} byte {offset} bit {bit}");
            let report = check_stored(&place.locked, &|_, _| ()).unwrap();
            let error = report.error().unwrap_or_else(|| panic!("{key} byte {offset} bit {bit} is not found without the key"));
            assert_eq!((error.kind, error.object.as_deref()), (ErrorKind::Corrupt, Some(key.as_str())), "byte {offset} bit {bit}");
            assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
            place.machine.sim.disk.flip_bit(&path, offset, bit);
        }
    }
    assert_eq!(kind(&place), None);
    assert!(check_stored(&place.locked, &|_, _| ()).unwrap().problems.is_empty());
}

#[test]
fn a_cut_anywhere_and_every_missing_object_is_incomplete() {
    let place = Place::new(4);
    for (key, bytes) in dump(&place.locked) {
        for len in some_offsets(bytes.len()).map(|at| at as u64).collect::<Vec<_>>().into_iter().rev() {
            place.machine.sim.disk.truncate(format!("/b/{key}"), len);
            assert_eq!(kind(&place), Some(ErrorKind::Incomplete), "{key} cut to {len}");
            let report = check_stored(&place.locked, &|_, _| ()).unwrap();
            let error = report.error().unwrap_or_else(|| panic!("{key} cut to {len} is not found without the key"));
            assert_eq!((error.kind, error.object.as_deref()), (ErrorKind::Incomplete, Some(key.as_str())), "cut to {len}");
        }
        place.locked.delete(&key).unwrap();
        assert_eq!(kind(&place), Some(ErrorKind::Incomplete), "{key} missing");
        place.locked.put_if_absent(&key, vec![bytes.into()]).unwrap();
    }
    assert_eq!(kind(&place), None);
    assert_eq!(restored(&place.open().unwrap(), 5).unwrap(), place.content);
}

#[test]
fn two_objects_that_change_places_are_refused_though_each_is_whole() {
    let place = Place::new(6);
    let objects = dump(&place.locked);
    let names: Vec<&String> = objects.keys().filter(|key| key.starts_with("objects/")).collect();
    assert!(names.len() >= 2);
    for (key, from) in [(names[0], names[1]), (names[1], names[0])] {
        place.locked.delete(key).unwrap();
        place.locked.put_if_absent(key, vec![objects[from].clone().into()]).unwrap();
    }
    assert!(check_stored(&place.locked, &|_, _| ()).unwrap().problems.is_empty(), "each object is whole");
    assert!(kind(&place).is_some());
    let open = place.open().unwrap();
    for key in &names[..2] {
        assert_eq!(open.get(key).map(drop).unwrap_err().kind, platform::object_store::StoreErrorKind::Corrupt);
    }
}
