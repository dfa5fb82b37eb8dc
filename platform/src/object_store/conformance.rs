//! What every store must do, as one suite that runs on each of them.

use bytes::Bytes;

use super::{Body, ObjectStore, PutOutcome, StoreErrorKind};

/// Checks an empty store against the interface's promises; some objects are left in it.
///
/// # Panics
///
/// Panics at the first promise that the store breaks.
pub fn conformance(store: &dyn ObjectStore) {
    conformance_but_for_equal_bytes(store);
    a_taken_key_is_taken_for_equal_bytes_too(store);
}

/// Checks what [`conformance`] does but for one promise, which a store cannot keep that has lost the
/// reply to a put and finds its bytes: that they are its own is the better guess.
///
/// # Panics
///
/// Panics at the first promise that the store breaks.
pub fn conformance_but_for_equal_bytes(store: &dyn ObjectStore) {
    assert!(!store.describe().is_empty(), "a store has a name");
    assert_eq!(keys(store, ""), Vec::<String>::new(), "the suite begins with an empty store");
    objects_come_back_as_they_were_put(store);
    a_taken_key_is_never_written_to(store);
    a_unique_put_keeps_what_is_there(store);
    what_is_missing_is_said_to_be_missing(store);
    ranges_are_exact(store);
    lists_are_sorted_and_respect_parts(store);
    forbidden_keys_are_refused(store);
    a_deleted_object_is_gone_and_its_key_free(store);
    one_of_many_racing_puts_wins(store);
}

fn body(bytes: &'static [u8]) -> Body {
    vec![Bytes::from_static(bytes)]
}

fn put(store: &dyn ObjectStore, key: &str, bytes: &'static [u8]) -> PutOutcome {
    store.put_if_absent(key, body(bytes)).expect("a put succeeds")
}

fn keys(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let listed = store.list(prefix).expect("a list succeeds");
    listed.into_iter().map(|object| object.key).collect()
}

fn objects_come_back_as_they_were_put(store: &dyn ObjectStore) {
    let pieces = [&b"a chained "[..], b"", b"body"].map(Bytes::from_static).to_vec();
    let large = Bytes::from((0..3_000_000_u32).map(|i| (i >> 3) as u8).collect::<Vec<_>>());
    for (key, body, expected) in [
        ("same/chained", pieces, Bytes::from_static(b"a chained body")),
        ("same/empty", Vec::new(), Bytes::new()),
        ("same/large", vec![large.slice(..7), large.slice(7..)], large),
    ] {
        let outcome = store.put_if_absent(key, body).expect("a put succeeds");
        assert_eq!(outcome, PutOutcome::Created, "{key} is new");
        assert!(store.get(key).expect("a get succeeds") == expected, "{key} comes back");
        let size = store.head(key).expect("a head succeeds");
        assert_eq!(size, Some(expected.len() as u64), "the size of {key}");
    }
}

fn a_taken_key_is_never_written_to(store: &dyn ObjectStore) {
    assert_eq!(put(store, "taken/a", b"first"), PutOutcome::Created);
    for other in [&b"second, longer"[..], b""] {
        assert_eq!(put(store, "taken/a", other), PutOutcome::Exists);
        assert_eq!(store.get("taken/a").expect("a get succeeds"), "first");
    }
}

fn a_taken_key_is_taken_for_equal_bytes_too(store: &dyn ObjectStore) {
    for outcome in [PutOutcome::Created, PutOutcome::Exists] {
        assert_eq!(put(store, "taken/equal", b"first"), outcome);
    }
}

fn a_unique_put_keeps_what_is_there(store: &dyn ObjectStore) {
    for (bytes, outcome) in [(&b"first"[..], PutOutcome::Created), (b"second, longer", PutOutcome::Exists)] {
        assert_eq!(store.put_unique("unique/a", body(bytes)).expect("a put succeeds"), outcome);
        assert_eq!(store.get("unique/a").expect("a get succeeds"), "first");
    }
}

fn what_is_missing_is_said_to_be_missing(store: &dyn ObjectStore) {
    put(store, "missing/here", b"x");
    // The directory of an object is no object, and nothing lies below an object.
    for key in ["nowhere", "missing/no", "missing", "missing/here/below"] {
        assert_eq!(store.head(key).expect("a head succeeds"), None, "{key}");
        for error in [store.get(key), store.get_range(key, 0..1)].map(|got| got.expect_err(key)) {
            assert_eq!(error.kind, StoreErrorKind::NotFound, "{error}");
            assert!(error.to_string().contains(key), "{error}");
        }
    }
    store.delete("nowhere").expect("what is absent is deleted already");
    assert_eq!(keys(store, "nowhere/"), Vec::<String>::new());
}

fn ranges_are_exact(store: &dyn ObjectStore) {
    put(store, "range/a", b"0123456789");
    for (range, expected) in [(0..10, "0123456789"), (3..5, "34"), (9..10, "9"), (4..4, ""), (10..10, "")] {
        let part = store.get_range("range/a", range).expect("a range in the object is served");
        assert_eq!(part, expected);
    }
    let backwards = std::ops::Range { start: 5, end: 3 };
    for range in [0..11, 10..11, 11..11, 0..u64::MAX, u64::MAX - 1..u64::MAX, backwards] {
        let shown = format!("{range:?}");
        let error = store.get_range("range/a", range).expect_err(&shown);
        assert_eq!(error.kind, StoreErrorKind::Other, "{shown}: {error}");
    }
}

fn lists_are_sorted_and_respect_parts(store: &dyn ObjectStore) {
    for key in ["list/b", "list/a/2", "list/a/10", "list/a-1", "list/ab/c", "lista"] {
        put(store, key, b"xyz");
    }
    assert_eq!(keys(store, "list/"), ["list/a-1", "list/a/10", "list/a/2", "list/ab/c", "list/b"]);
    assert_eq!(keys(store, "list/a/"), ["list/a/10", "list/a/2"]);
    assert_eq!(keys(store, "list/b/"), Vec::<String>::new(), "an object is no prefix");
    let all = keys(store, "");
    assert!(all.is_sorted() && all.contains(&"lista".to_owned()));
    let listed = store.list("list/").expect("a list succeeds");
    assert!(listed.iter().all(|object| object.size == 3), "sizes are those of the objects");
}

fn forbidden_keys_are_refused(store: &dyn ObjectStore) {
    let before = keys(store, "");
    for key in ["", "/", "/a", "a/", "a//b", "..", "a/../b", ".", ".x", "a b", "a#1", "é", "a\\b", "a\0"] {
        let results = [
            store.put_if_absent(key, body(b"x")).map(drop),
            store.get(key).map(drop),
            store.get_range(key, 0..1).map(drop),
            store.head(key).map(drop),
            store.delete(key),
        ];
        for error in results.map(|result| result.expect_err(key)) {
            assert_eq!(error.kind, StoreErrorKind::Other, "{key:?}: {error}");
        }
    }
    for prefix in ["a", "/", "../", "a//", "list"] {
        assert!(store.list(prefix).is_err(), "the prefix {prefix:?}");
    }
    assert_eq!(keys(store, ""), before, "nothing was written");
}

fn a_deleted_object_is_gone_and_its_key_free(store: &dyn ObjectStore) {
    put(store, "gone/a", b"old");
    store.delete("gone/a").expect("a delete succeeds");
    store.delete("gone/a").expect("a second delete does too");
    assert_eq!(store.head("gone/a").expect("a head succeeds"), None);
    assert_eq!(keys(store, "gone/"), Vec::<String>::new());
    assert_eq!(put(store, "gone/a", b"new"), PutOutcome::Created);
    assert_eq!(store.get("gone/a").expect("a get succeeds"), "new");
}

fn one_of_many_racing_puts_wins(store: &dyn ObjectStore) {
    for round in 0..8 {
        let key = format!("race/{round}");
        let created: Vec<u8> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8_u8)
                .map(|racer| {
                    let key = &key;
                    let body = vec![Bytes::from(vec![racer; 1_000])];
                    scope.spawn(move || (racer, store.put_if_absent(key, body)))
                })
                .collect();
            let outcomes = racers.into_iter().map(|racer| racer.join().expect("a racer finishes"));
            outcomes
                .filter(|(_, outcome)| *outcome.as_ref().expect("a put succeeds") == PutOutcome::Created)
                .map(|(racer, _)| racer)
                .collect()
        });
        assert_eq!(created.len(), 1, "exactly one put of {key} wins");
        assert_eq!(store.get(&key).expect("a get succeeds"), vec![created[0]; 1_000]);
    }
    let race = keys(store, "race/");
    assert_eq!(race.len(), 8, "no temporaries are listed: {race:?}");
}
