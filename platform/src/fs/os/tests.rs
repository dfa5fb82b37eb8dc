//! What only the machine's own file system has: links, foreign names, files without a length.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::{FileSystem, LockKind, OpenMode, read_file};
use super::OsFileSystem;

#[test]
fn names_that_are_not_utf8_and_links_to_nothing_are_left_out_of_a_list() {
    let directory = tempfile::tempdir().unwrap();
    let fs = OsFileSystem::new();
    for name in [&b"good"[..], &b"bad\xff"[..]] {
        fs.open(&directory.path().join(OsStr::from_bytes(name)), OpenMode::CreateNew).unwrap();
    }
    symlink("nowhere", directory.path().join("dangling")).unwrap();
    symlink("/", directory.path().join("link")).unwrap();
    let listed = fs.list(directory.path()).unwrap();
    let shown: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.is_dir)).collect();
    assert_eq!(shown, [("good", false), ("link", true)]);
    assert!(listed[0].modified_micros > 1_577_836_800_000_000);
}

#[test]
fn a_file_that_names_no_length_is_read_to_its_end() {
    let status = read_file(&OsFileSystem::new(), Path::new("/proc/self/status")).unwrap();
    assert!(status.starts_with(b"Name:"));
}

#[test]
fn a_lock_on_a_removed_file_excludes_nobody_from_its_successor() {
    let directory = tempfile::tempdir().unwrap();
    let (fs, path) = (OsFileSystem::new(), directory.path().join("pin"));
    let old = fs.lock(&path, LockKind::Exclusive).unwrap().unwrap();
    fs.remove_file(&path).unwrap();
    let new = fs.lock(&path, LockKind::Exclusive).unwrap().unwrap();
    drop(old);
    assert!(fs.lock(&path, LockKind::Exclusive).unwrap().is_none());
    drop(new);
}

#[test]
fn a_mapping_of_a_file_that_shrank_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let file = std::fs::File::create_new(&path).unwrap();
    file.set_len(10).unwrap();
    assert!(super::Mapping::of_file(&file, 11).is_err());
    assert!(super::Mapping::of_file(&file, u64::MAX).is_err());
}
