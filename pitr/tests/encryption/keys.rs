//! Keys: a wrong or missing one opens nothing, changing it changes no object, and an interrupted change can be finished.

use std::sync::Arc;

use engine::{Error, ErrorKind};
use pitr::encryption::{self, KeySource, UserKey, is_encrypted, rekey};
use platform::object_store::ObjectStore;
use platform::object_store::faulty::{FaultyStore, Rates};

use crate::machine::{Machine, content, create, dump, try_backup};
use crate::place::{Place, key, random, unlock};

fn assert_locked(error: &Error) {
    assert_eq!((error.kind, error.kind.exit_code()), (ErrorKind::Unreachable, 7), "{error}");
    let hint = error.hint.as_deref().unwrap_or_default();
    assert!(["--key-file", "VECTRA_KEY_FILE", "VECTRA_KEY_COMMAND"].iter().all(|way| hint.contains(way)), "{hint}");
}

#[test]
fn a_wrong_or_missing_key_opens_nothing() {
    let place = Place::new(20);
    assert_locked(&unlock(&place.locked, 21).map(drop).unwrap_err());
    assert_locked(&encryption::unlock(&place.locked, &None::<UserKey>, &random(1)).map(drop).unwrap_err());
    // Who forgets to unlock is told the same.
    assert_locked(&pitr::list(&place.locked).map(drop).unwrap_err());
    assert!(is_encrypted(&*place.locked).unwrap());
    assert!(place.open().is_ok());
}

/// A key that must not be asked for.
#[derive(Debug)]
struct Untouched;

impl KeySource for Untouched {
    fn key(&self) -> engine::Result<Option<UserKey>> {
        panic!("nobody asks for a key that is not needed");
    }
}

#[test]
fn an_archive_without_encryption_is_left_alone_and_asks_for_no_key() {
    let machine = Machine::new(22);
    let (database, store) = (machine.database(), machine.store("/plain"));
    let same = encryption::unlock(&store, &Untouched, &random(1)).unwrap();
    assert!(Arc::ptr_eq(&same, &store), "there is no archive");
    try_backup(&database, &create(&database, "c"), &store, "one").unwrap();
    assert!(Arc::ptr_eq(&encryption::unlock(&store, &Untouched, &random(1)).unwrap(), &store));
    assert!(!is_encrypted(&*store).unwrap());
    let before = dump(&store);
    let error = encryption::create(&store, &key(1), &random(1)).map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Exists);
    assert_eq!(rekey(&*store, &key(1), &key(2), &*random(1)).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(dump(&store), before, "nothing was written");
}

#[test]
fn another_key_changes_no_object_and_the_old_one_opens_nothing() {
    let place = Place::new(23);
    let before = dump(&place.locked);
    rekey(&*place.locked, &key(23), &key(24), &*random(9)).unwrap();
    assert_locked(&place.open().map(drop).unwrap_err());
    let open = unlock(&place.locked, 24).unwrap();
    let database = Machine::new(25).database();
    pitr::restore(&database, &open, &pitr::RestoreRequest { name: "c", ..Default::default() }, &|_, _| ()).unwrap();
    assert_eq!(content(&database.collection("c").unwrap()), place.content);
    let after = dump(&place.locked);
    let changed: Vec<&String> = before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)).collect();
    assert_eq!(changed, ["keys/00000000000000000000", "keys/00000000000000000001"]);
    assert_locked(&rekey(&*place.locked, &key(23), &key(30), &*random(9)).unwrap_err());
    rekey(&*place.locked, &key(24), &key(24), &*random(10)).unwrap();
    assert!(unlock(&place.locked, 24).is_ok(), "the same key again");
}

#[test]
fn a_change_of_the_key_that_was_cut_off_anywhere_leaves_one_key_that_opens_and_can_be_finished() {
    let mut cuts = 0;
    for calls in 0.. {
        let place = Place::new(26);
        let link = FaultyStore::new(place.locked.clone(), calls, Rates::default());
        link.go_down_after(Some(calls));
        let outcome = rekey(&link, &key(26), &key(27), &*random(calls));
        let opens = [26, 27].map(|seed| unlock(&place.locked, seed).is_ok());
        assert_eq!(opens.iter().filter(|opens| **opens).count(), 1, "after {calls} calls");
        if outcome.is_ok() {
            assert_eq!(opens, [false, true]);
            break;
        }
        cuts += 1;
        rekey(&*place.locked, &key(26), &key(27), &*random(calls)).unwrap();
        assert!(unlock(&place.locked, 27).is_ok());
        assert_eq!(place.locked.list("keys/").unwrap().len(), 1, "after {calls} calls");
    }
    assert!(cuts > 5, "{cuts} cuts");
}

#[test]
fn an_archive_whose_making_was_cut_off_is_none_and_can_be_made_again() {
    for calls in 0..3 {
        let below = Machine::new(28).store("/b");
        let link = Arc::new(FaultyStore::new(below.clone(), calls, Rates::default()));
        link.go_down_after(Some(calls));
        let store: Arc<dyn ObjectStore> = link.clone();
        assert!(encryption::create(&store, &key(1), &random(1)).is_err(), "after {calls} calls");
        assert!(Arc::ptr_eq(&unlock(&below, 1).unwrap(), &below), "there is no archive after {calls} calls");
        encryption::create(&below, &key(2), &random(2)).unwrap();
        assert_locked(&unlock(&below, 1).map(drop).unwrap_err());
        unlock(&below, 2).unwrap();
        assert_eq!(encryption::create(&below, &key(2), &random(3)).map(drop).unwrap_err().kind, ErrorKind::Exists);
    }
}

#[test]
fn a_key_that_was_damaged_is_no_wrong_key() {
    let place = Place::new(29);
    place.machine.sim.disk.flip_bit("/b/keys/00000000000000000000", 200, 1);
    assert_eq!(place.open().map(drop).unwrap_err().kind, ErrorKind::Corrupt);
    place.locked.delete("keys/00000000000000000000").unwrap();
    assert_eq!(place.open().map(drop).unwrap_err().kind, ErrorKind::Incomplete);
}
