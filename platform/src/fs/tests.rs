//! What holds on every file system: each promise is kept by the machine's and by the simulated one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;

/// Runs `promise` in an empty directory of each file system.
fn everywhere(promise: impl Fn(&dyn FileSystem, &Path)) {
    let directory = tempfile::tempdir().unwrap();
    promise(&OsFileSystem::new(), directory.path());
    let disk = SimDisk::new(1);
    let fs = disk.file_system();
    fs.create_dir_all(Path::new("/base")).unwrap();
    promise(&*fs, Path::new("/base"));
}

fn create(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> Arc<dyn File> {
    let file = fs.open(path, OpenMode::CreateNew).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn names(fs: &dyn FileSystem, dir: &Path) -> Vec<String> {
    fs.list(dir).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_file_reads_back_what_was_written_wherever_it_was_written() {
    everywhere(|fs, base| {
        let file = create(fs, &base.join("a"), b"hello");
        file.write_all_at(b"XY", 8).unwrap();
        assert_eq!(file.len().unwrap(), 10);
        let mut bytes = [1; 10];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"hello\0\0\0XY");
        assert_eq!(file.read_at(&mut bytes, 8).unwrap(), 2);
        assert_eq!(file.read_at(&mut bytes, 10).unwrap(), 0);
        assert_eq!(file.read_at(&mut bytes, 1 << 40).unwrap(), 0);
        let error = file.read_exact_at(&mut bytes, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        file.set_len(3).unwrap();
        file.set_len(5).unwrap();
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        assert_eq!(read_file(fs, &base.join("a")).unwrap(), b"hel\0\0");
        assert_eq!(file.path(), base.join("a"));
    });
}

#[test]
fn opening_says_what_is_wrong() {
    everywhere(|fs, base| {
        let path = base.join("a");
        for mode in [OpenMode::Read, OpenMode::ReadWrite] {
            let error = fs.open(&path, mode).unwrap_err();
            assert!(error.is_not_found());
            let shown = error.to_string();
            assert!(shown.starts_with(&format!("cannot open \"{}\": ", path.display())), "{shown}");
        }
        create(fs, &path, b"");
        let error = fs.open(&path, OpenMode::CreateNew).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(fs.open(&path, OpenMode::Read).unwrap().write_all_at(b"x", 0).is_err());
        fs.open(&path, OpenMode::ReadWrite).unwrap().write_all_at(b"x", 0).unwrap();
        assert!(fs.open(&base.join("no/such"), OpenMode::CreateNew).unwrap_err().is_not_found());
    });
}

#[test]
fn metadata_tells_files_directories_and_nothing_apart() {
    everywhere(|fs, base| {
        create(fs, &base.join("a"), b"four");
        let file = fs.metadata(&base.join("a")).unwrap().unwrap();
        let directory = fs.metadata(base).unwrap().unwrap();
        assert!((file.len, file.is_dir, directory.is_dir) == (4, false, true));
        assert_eq!(file.device, directory.device);
        for missing in ["b", "b/c", "a/b"] {
            assert_eq!(fs.metadata(&base.join(missing)).unwrap(), None, "{missing}");
        }
    });
}

#[test]
fn directories_are_made_listed_in_order_and_removed_whole() {
    everywhere(|fs, base| {
        let deep = base.join("x/y/z");
        fs.create_dir_all(&deep).unwrap();
        fs.create_dir_all(&deep).unwrap();
        for name in ["b", "a", "C"] {
            create(fs, &base.join("x").join(name), b"1");
        }
        let listed = fs.list(&base.join("x")).unwrap();
        let shown: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.is_dir)).collect();
        assert_eq!(shown, [("C", false), ("a", false), ("b", false), ("y", true)]);
        assert!(fs.list(&base.join("none")).unwrap_err().is_not_found());
        assert!(fs.list(&base.join("x/a")).is_err());
        assert!(fs.create_dir_all(&base.join("x/a/b")).is_err());
        fs.sync_dir(base).unwrap();
        fs.remove_dir_all(&base.join("x")).unwrap();
        fs.remove_dir_all(&base.join("x")).unwrap();
        assert_eq!(names(fs, base), Vec::<String>::new());
    });
}

#[test]
fn a_rename_replaces_files_moves_directories_and_refuses_full_ones() {
    everywhere(|fs, base| {
        create(fs, &base.join("a"), b"new");
        create(fs, &base.join("b"), b"old");
        let reader = fs.open(&base.join("b"), OpenMode::Read).unwrap();
        fs.rename(&base.join("a"), &base.join("b")).unwrap();
        assert_eq!(read_file(fs, &base.join("b")).unwrap(), b"new");
        let mut old = [0; 3];
        reader.read_exact_at(&mut old, 0).unwrap();
        assert_eq!(&old, b"old", "an open handle keeps what it opened");
        fs.create_dir_all(&base.join("d/e")).unwrap();
        fs.rename(&base.join("b"), &base.join("d/e/f")).unwrap();
        fs.rename(&base.join("d/e"), &base.join("g")).unwrap();
        assert_eq!(read_file(fs, &base.join("g/f")).unwrap(), b"new");
        assert!(fs.rename(&base.join("d"), &base.join("g")).is_err(), "a full directory stays");
        assert!(fs.rename(&base.join("g"), &base.join("g/in")).is_err(), "not into itself");
        assert!(fs.rename(&base.join("none"), &base.join("h")).unwrap_err().is_not_found());
        fs.remove_file(&base.join("g/f")).unwrap();
        assert!(fs.remove_file(&base.join("g/f")).unwrap_err().is_not_found());
        assert!(fs.remove_file(&base.join("g")).is_err(), "a directory is no file");
    });
}

#[test]
fn a_lock_excludes_within_one_process_and_ends_when_dropped() {
    everywhere(|fs, base| {
        let path = base.join("LOCK");
        let held = fs.lock(&path, LockKind::Exclusive).unwrap().unwrap();
        held.write_contents(b"a long holder").unwrap();
        held.write_contents(b"pid 1").unwrap();
        assert_eq!(read_file(fs, &path).unwrap(), b"pid 1");
        assert!(fs.lock(&path, LockKind::Exclusive).unwrap().is_none());
        assert!(fs.lock(&path, LockKind::Shared).unwrap().is_none());
        drop(held);
        let first = fs.lock(&path, LockKind::Shared).unwrap().unwrap();
        let second = fs.lock(&path, LockKind::Shared).unwrap().unwrap();
        drop(first);
        assert!(fs.lock(&path, LockKind::Exclusive).unwrap().is_none());
        drop(second);
        assert!(fs.lock(&path, LockKind::Exclusive).unwrap().is_some());
        assert!(fs.lock(&base.join("none/LOCK"), LockKind::Shared).is_err());
    });
}

#[test]
fn a_mapping_holds_the_bytes_and_its_parts_outlive_it() {
    everywhere(|fs, base| {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| i as u8).collect();
        let mapping = create(fs, &base.join("a"), &bytes).map().unwrap();
        assert_eq!(&mapping[..], &bytes[..]);
        for advice in [Advice::Sequential, Advice::Random, Advice::WillNeed, Advice::HugePages] {
            mapping.advise(advice);
        }
        let part = mapping.bytes(5_000..5_010);
        assert_eq!(part.as_ptr(), mapping[5_000..].as_ptr(), "no copy is made");
        drop(mapping);
        assert_eq!(&part[..], &bytes[5_000..5_010]);
        let empty = create(fs, &base.join("b"), b"").map().unwrap();
        assert!(empty.is_empty() && empty.bytes(0..0).is_empty());
    });
}

#[test]
#[should_panic(expected = "range outside of the mapping")]
fn a_part_behind_the_end_of_a_mapping_is_refused() {
    let _ = Mapping::from_memory(Arc::new(vec![0; 4])).bytes(2..5);
}

#[test]
fn a_durable_write_replaces_the_file_and_a_leftover_of_an_earlier_try() {
    everywhere(|fs, base| {
        let path = base.join("CURRENT");
        create(fs, &base.join(".CURRENT.tmp"), b"leftover of a longer try");
        write_file_durably(fs, &path, b"one").unwrap();
        write_file_durably(fs, &path, b"two").unwrap();
        assert_eq!(read_file(fs, &path).unwrap(), b"two");
        assert_eq!(names(fs, base), ["CURRENT"]);
        assert!(write_file_durably(fs, &base.join("none/x"), b"").unwrap_err().is_not_found());
        assert!(write_file_durably(fs, Path::new("/"), b"").is_err());
        assert!(fs.available_bytes(base).unwrap() > 0);
        assert!(fs.available_bytes(&base.join("none")).unwrap_err().is_not_found());
    });
}

#[test]
fn a_large_file_is_read_whole() {
    everywhere(|fs, base| {
        let bytes: Vec<u8> = (0..9_000_000_u32).map(|i| (i / 3) as u8).collect();
        create(fs, &base.join("a"), &bytes);
        assert!(read_file(fs, &base.join("a")).unwrap() == bytes);
    });
}

#[test]
fn the_parent_of_a_bare_name_is_here_and_of_the_root_the_root() {
    for (path, expected) in [("a", "."), ("a/b", "a"), ("/a", "/"), ("/", "/"), ("", "")] {
        assert_eq!(parent(Path::new(path)), Path::new(expected), "{path}");
    }
}

#[test]
fn errors_are_sorted_by_what_can_be_done_about_them() {
    let error = |kind: ErrorKind| IoError::new("write", PathBuf::from("x"), kind.into());
    assert!(error(ErrorKind::StorageFull).is_no_space());
    assert!(error(ErrorKind::QuotaExceeded).is_no_space());
    assert!(error(ErrorKind::ReadOnlyFilesystem).is_read_only());
    assert!(error(ErrorKind::PermissionDenied).is_read_only());
    assert!(!error(ErrorKind::NotFound).is_read_only() && !error(ErrorKind::Other).is_no_space());
}
