//! What a store in a real directory owes beyond the suite: making it, strangers in it, reading only.
#![expect(clippy::disallowed_methods, reason = "the tests put strange things into the directory")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;

fn body(bytes: &'static [u8]) -> Body {
    vec![Bytes::from_static(bytes)]
}

#[test]
fn a_directory_keeps_every_promise_of_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_directory(directory.path(), false).unwrap();
    super::super::conformance::conformance(&*store);
}

#[test]
fn a_missing_directory_is_made_only_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    let error = open_directory(&path, false).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NotFound);
    assert!(error.to_string().starts_with("cannot open object store \""), "{error}");
    assert!(!directory.path().join("a").exists());
    let store = open_directory(&path, true).unwrap();
    store.put_if_absent("x/y", body(b"1")).unwrap();
    drop(store);
    assert_eq!(open_directory(&path, false).unwrap().get("x/y").unwrap(), "1");
    assert!(open_directory(&path.join("x/y"), true).is_err(), "a file is no store");
}

#[test]
fn strangers_in_the_directory_are_not_listed_and_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_directory(directory.path(), false).unwrap();
    store.put_if_absent("a/good", body(b"1")).unwrap();
    let strangers: [&[u8]; 6] = [b"a/bad\xff", b"a/.good.Xy12", b"a/good~", b"a/good#3", b"a/with space", b"a/good.rsync (1)"];
    for name in strangers {
        std::fs::write(directory.path().join(OsStr::from_bytes(name)), b"x").unwrap();
    }
    std::fs::create_dir(directory.path().join("lost+found")).unwrap();
    let keys: Vec<_> = store.list("").unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["a/good"]);
}

#[test]
fn an_interrupted_put_leaves_a_key_free_and_the_next_put_takes_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key#1"), b"half of").unwrap();
    let store = open_directory(directory.path(), false).unwrap();
    assert_eq!(store.head("key").unwrap(), None);
    assert_eq!(store.put_if_absent("key", body(b"whole")).unwrap(), PutOutcome::Created);
    assert_eq!(store.get("key").unwrap(), "whole");
}

#[test]
fn a_store_that_vanished_is_an_error_and_not_an_empty_list() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mount");
    let store = open_directory(&path, true).unwrap();
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(store.list("").unwrap_err().kind, StoreErrorKind::NotFound);
    assert_eq!(store.list("a/").unwrap_err().kind, StoreErrorKind::NotFound);
}

#[test]
fn a_directory_that_cannot_be_written_serves_reads_and_refuses_puts() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    open_directory(&path, true).unwrap().put_if_absent("a", body(b"1")).unwrap();
    let allow = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    let store = open_directory(&path, false).unwrap();
    assert_eq!(store.get("a").unwrap(), "1");
    assert_eq!(store.head("a").unwrap(), Some(1));
    assert_eq!(store.list("").unwrap().len(), 1);
    assert_eq!(store.put_if_absent("a", body(b"2")).unwrap(), PutOutcome::Exists);
    // The superuser may write everywhere, so the refusal shows only to others.
    if !rustix::process::geteuid().is_root() {
        let error = store.put_if_absent("b", body(b"2")).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::AccessDenied, "{error}");
    }
    allow(0o755);
}

#[test]
fn errors_of_the_system_are_found_below_the_crates_own() {
    let wrapped = |kind: std::io::ErrorKind| object_store::Error::Generic { store: "test", source: Box::new(std::io::Error::from(kind)) };
    for (kind, expected) in [
        (std::io::ErrorKind::StorageFull, StoreErrorKind::NoSpace),
        (std::io::ErrorKind::ReadOnlyFilesystem, StoreErrorKind::AccessDenied),
        (std::io::ErrorKind::TimedOut, StoreErrorKind::Unreachable),
        (std::io::ErrorKind::InvalidData, StoreErrorKind::Other),
    ] {
        assert_eq!(kind_of_crate(&wrapped(kind)), expected);
    }
}

#[test]
fn many_threads_share_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_directory(directory.path(), false).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for i in 0..10 {
                    let key = format!("t{thread}/{i}");
                    store.put_if_absent(&key, vec![Bytes::from(key.clone())]).unwrap();
                    assert_eq!(store.get(&key).unwrap(), key);
                }
            });
        }
    });
    assert_eq!(store.list("").unwrap().len(), 40);
}
