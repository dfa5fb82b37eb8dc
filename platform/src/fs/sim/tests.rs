//! The simulated disk's own rules: what a cut takes, what a sync saves, what a fault leaves.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::super::{File, LockKind, OpenMode, read_file, write_file_durably};
use super::*;

/// A disk with a durable, empty file /a, and the handle to it.
fn with_file(seed: u64) -> (SimDisk, Arc<dyn File>) {
    let disk = SimDisk::new(seed);
    let fs = disk.file_system();
    let file = fs.open(Path::new("/a"), OpenMode::CreateNew).unwrap();
    file.sync_all().unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    (disk, file)
}

fn read(disk: &SimDisk, path: &str) -> Vec<u8> {
    read_file(&*disk.file_system(), Path::new(path)).unwrap()
}

fn exists(disk: &SimDisk, path: &str) -> bool {
    disk.file_system().metadata(Path::new(path)).unwrap().is_some()
}

#[test]
fn what_was_synced_survives_every_kind_of_crash() {
    for seed in 0..40 {
        let (disk, file) = with_file(seed);
        file.write_all_at(&[7; 5_000], 0).unwrap();
        file.sync_data().unwrap();
        match seed % 4 {
            0 => disk.crash(),
            1 => disk.crash_keeping(CrashKeep::Nothing),
            2 => disk.crash_keeping(CrashKeep::Everything),
            _ => disk.crash_keeping(CrashKeep::Random),
        }
        assert_eq!(read(&disk, "/a"), [7; 5_000], "seed {seed}");
    }
}

#[test]
fn a_cut_keeps_any_subset_of_unsynced_sectors_and_nothing_in_between() {
    let mut subsets = BTreeSet::new();
    for seed in 0..300 {
        let (disk, file) = with_file(seed);
        file.write_all_at(&[1; 4 * SECTOR], 0).unwrap();
        file.sync_data().unwrap();
        file.write_all_at(&[2; 4 * SECTOR], 0).unwrap();
        disk.crash();
        let bytes = read(&disk, "/a");
        assert_eq!(bytes.len(), 4 * SECTOR, "seed {seed}");
        let kept: Vec<u8> = bytes.chunks(SECTOR).map(|sector| sector[0]).collect();
        for (sector, byte) in bytes.chunks(SECTOR).zip(&kept) {
            assert!(sector.iter().all(|other| other == byte), "seed {seed}: a torn sector");
        }
        subsets.insert(kept);
    }
    assert_eq!(subsets.len(), 16, "every subset of four sectors comes up");
}

#[test]
fn an_unsynced_append_may_leave_its_length_its_bytes_or_neither() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let (disk, file) = with_file(seed);
        file.write_all_at(&[1; SECTOR], 0).unwrap();
        file.write_all_at(&[2; SECTOR], SECTOR as u64).unwrap();
        disk.crash();
        let bytes = read(&disk, "/a");
        assert_eq!(bytes.len() % SECTOR, 0, "seed {seed}");
        seen.insert(bytes.chunks(SECTOR).map(|sector| sector[0]).collect::<Vec<_>>());
    }
    let expected: [&[u8]; 7] = [&[], &[0], &[0, 0], &[0, 2], &[1], &[1, 0], &[1, 2]];
    assert_eq!(seen.iter().map(Vec::as_slice).collect::<Vec<_>>(), expected);
}

#[test]
fn an_earlier_unsynced_version_of_a_sector_can_be_what_survives() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let (disk, file) = with_file(seed);
        file.set_len(SECTOR as u64).unwrap();
        file.sync_data().unwrap();
        for version in 1..=2 {
            file.write_all_at(&[version; SECTOR], 0).unwrap();
        }
        disk.crash();
        seen.insert(read(&disk, "/a")[0]);
    }
    assert_eq!(seen, BTreeSet::from([0, 1, 2]));
}

#[test]
fn a_file_that_was_cut_and_extended_reads_zeros_once_synced() {
    let (disk, file) = with_file(1);
    file.write_all_at(&[9; 2_000], 0).unwrap();
    file.sync_data().unwrap();
    file.set_len(700).unwrap();
    file.set_len(2_000).unwrap();
    file.sync_data().unwrap();
    disk.crash_keeping(CrashKeep::Nothing);
    let bytes = read(&disk, "/a");
    assert_eq!(bytes[..700], [9; 700]);
    assert_eq!(bytes[700..], [0; 1_300]);
}

#[test]
fn names_are_as_they_were_when_their_directory_was_synced() {
    let disk = SimDisk::new(1);
    let fs = disk.file_system();
    write_file_durably(&*fs, Path::new("/kept"), b"1").unwrap();
    write_file_durably(&*fs, Path::new("/removed"), b"2").unwrap();
    write_file_durably(&*fs, Path::new("/renamed"), b"3").unwrap();
    fs.open(Path::new("/created"), OpenMode::CreateNew).unwrap().sync_all().unwrap();
    fs.remove_file(Path::new("/removed")).unwrap();
    fs.rename(Path::new("/renamed"), Path::new("/new")).unwrap();
    assert_eq!(disk.durable_bytes("/renamed").unwrap(), b"3");
    assert_eq!(disk.durable_bytes("/new"), None);
    disk.crash();
    let paths: Vec<_> = disk.paths().iter().map(|path| path.display().to_string()).collect();
    assert_eq!(paths, ["/kept", "/removed", "/renamed"]);
}

#[test]
fn a_synced_name_does_not_carry_unsynced_content() {
    let disk = SimDisk::new(1);
    let fs = disk.file_system();
    let file = fs.open(Path::new("/tmp"), OpenMode::CreateNew).unwrap();
    file.write_all_at(b"content", 0).unwrap();
    fs.rename(Path::new("/tmp"), Path::new("/final")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    disk.crash_keeping(CrashKeep::Nothing);
    assert_eq!(read(&disk, "/final"), b"");
    assert!(!exists(&disk, "/tmp"));
}

#[test]
fn a_directory_whose_name_was_not_synced_takes_everything_in_it_along() {
    let disk = SimDisk::new(1);
    let fs = disk.file_system();
    fs.create_dir_all(Path::new("/d/e")).unwrap();
    write_file_durably(&*fs, Path::new("/d/e/f"), b"x").unwrap();
    fs.rename(Path::new("/d"), Path::new("/moved")).unwrap();
    disk.crash();
    assert_eq!(read(&disk, "/d/e/f"), b"x");
    disk.file_system().rename(Path::new("/d"), Path::new("/moved")).unwrap();
    disk.file_system().sync_dir(Path::new("/")).unwrap();
    disk.crash();
    assert_eq!(read(&disk, "/moved/e/f"), b"x");
    assert!(!exists(&disk, "/d"));
}

#[test]
fn directories_left_by_a_killed_process_are_durable_once_they_were_asked_for() {
    for kill in 1..8 {
        let disk = SimDisk::new(kill);
        disk.crash_after_ops(Some(kill));
        let made = disk.file_system().create_dir_all(Path::new("/a/b/c"));
        assert_eq!(made.is_ok(), kill > 6, "kill at change {kill}");
        disk.crash_keeping(CrashKeep::Everything);
        let fs = disk.file_system();
        fs.create_dir_all(Path::new("/a/b/c")).unwrap();
        write_file_durably(&*fs, Path::new("/a/b/c/x"), b"x").unwrap();
        disk.crash_keeping(CrashKeep::Nothing);
        assert!(exists(&disk, "/a/b/c/x"), "kill at change {kill}");
    }
}

#[test]
fn a_move_between_directories_leaves_exactly_one_name() {
    for (seed, synced) in (0..30).flat_map(|seed| [(seed, "/from"), (seed, "/to"), (seed, "")]) {
        let disk = SimDisk::new(seed);
        let fs = disk.file_system();
        fs.create_dir_all(Path::new("/from")).unwrap();
        fs.create_dir_all(Path::new("/to")).unwrap();
        fs.open(Path::new("/from/x"), OpenMode::CreateNew).unwrap();
        if seed % 2 == 0 {
            fs.sync_dir(Path::new("/from")).unwrap();
        }
        fs.rename(Path::new("/from/x"), Path::new("/to/x")).unwrap();
        if !synced.is_empty() {
            fs.sync_dir(Path::new(synced)).unwrap();
        }
        disk.crash_keeping(CrashKeep::Random);
        let names = (exists(&disk, "/from/x"), exists(&disk, "/to/x"));
        let allowed: &[_] = match (synced.is_empty(), seed % 2) {
            (false, _) => &[(false, true)],
            (true, 0) => &[(true, false), (false, true)],
            (true, _) => &[(false, false), (true, false), (false, true)],
        };
        assert!(allowed.contains(&names), "seed {seed}, synced {synced:?}: {names:?}");
    }
}

#[test]
fn a_random_crash_keeps_a_prefix_of_the_changes_of_names() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        for name in ["/1", "/2", "/3"] {
            disk.file_system().open(Path::new(name), OpenMode::CreateNew).unwrap();
        }
        disk.crash_keeping(CrashKeep::Random);
        let count = disk.paths().len();
        let first: Vec<_> = ["/1", "/2", "/3"][..count].iter().map(PathBuf::from).collect();
        assert_eq!(disk.paths(), first, "seed {seed}");
        seen.insert(count);
    }
    assert_eq!(seen, BTreeSet::from([0, 1, 2, 3]));
}

#[test]
fn a_killed_process_loses_its_handles_and_locks_and_nothing_else() {
    let (disk, file) = with_file(1);
    let fs = disk.file_system();
    let held = fs.lock(Path::new("/LOCK"), LockKind::Exclusive).unwrap().unwrap();
    file.write_all_at(b"unsynced", 0).unwrap();
    disk.crash_keeping(CrashKeep::Everything);
    for error in [
        file.write_all_at(b"x", 0).unwrap_err(),
        file.len().unwrap_err(),
        fs.metadata(Path::new("/a")).unwrap_err(),
        held.write_contents(b"x").unwrap_err(),
    ] {
        assert!(is_power_cut(&error), "{error}");
    }
    assert_eq!(read(&disk, "/a"), b"unsynced");
    let again = disk.file_system().lock(Path::new("/LOCK"), LockKind::Exclusive).unwrap();
    assert!(again.is_some());
    drop(held);
    let third = disk.file_system().lock(Path::new("/LOCK"), LockKind::Exclusive).unwrap();
    assert!(third.is_none(), "a dead process releases nothing a second time");
    disk.crash_keeping(CrashKeep::Nothing);
    assert_eq!(read(&disk, "/a"), b"");
}

#[test]
fn the_power_goes_at_the_planned_change_and_stays_off_until_the_crash() {
    let (disk, file) = with_file(1);
    let before = disk.op_count();
    disk.crash_after_ops(Some(3));
    file.write_all_at(b"1", 0).unwrap();
    file.sync_data().unwrap();
    assert!(is_power_cut(&file.write_all_at(b"2", 0).unwrap_err()));
    assert!(is_power_cut(&file.read_at(&mut [0], 0).unwrap_err()));
    assert!(is_power_cut(&disk.file_system().list(Path::new("/")).unwrap_err()));
    assert_eq!(disk.op_count() - before, 3);
    disk.crash_keeping(CrashKeep::Nothing);
    assert_eq!(read(&disk, "/a"), b"1");
    disk.crash_after_ops(Some(1));
    disk.crash_after_ops(None);
    disk.file_system().remove_file(Path::new("/a")).unwrap();
}

#[test]
fn a_cut_in_the_middle_of_a_write_leaves_its_first_sectors_in_the_cache() {
    let mut lengths = BTreeSet::new();
    for seed in 0..100 {
        let (disk, file) = with_file(seed);
        file.write_all_at(b"head", 0).unwrap();
        disk.crash_after_ops(Some(1));
        assert!(file.write_all_at(&[5; 2 * SECTOR], 4).is_err());
        disk.crash_keeping(CrashKeep::Everything);
        let bytes = read(&disk, "/a");
        assert!(bytes[..4] == *b"head" && bytes[4..].iter().all(|byte| *byte == 5), "seed {seed}");
        lengths.insert(bytes.len());
    }
    assert_eq!(lengths, BTreeSet::from([4, SECTOR, 2 * SECTOR, 2 * SECTOR + 4]));
}

#[test]
fn a_full_disk_takes_what_fits_and_works_again_when_there_is_room() {
    let (disk, file) = with_file(1);
    let fs = disk.file_system();
    disk.set_capacity(Some(1_000));
    file.write_all_at(&[1; 600], 0).unwrap();
    assert_eq!(fs.available_bytes(Path::new("/")).unwrap(), 400);
    let error = file.write_all_at(&[2; 600], 600).unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert_eq!(file.len().unwrap(), 1_000, "a short write came first");
    file.write_all_at(&[3; 1_000], 0).unwrap();
    assert!(file.set_len(1_001).unwrap_err().is_no_space());
    assert!(write_file_durably(&*fs, Path::new("/b"), b"x").unwrap_err().is_no_space());
    assert_eq!(disk.paths(), [PathBuf::from("/a")], "a failed replacement leaves nothing behind");
    file.set_len(100).unwrap();
    file.write_all_at(&[4; 900], 100).unwrap();
    disk.set_capacity(None);
    file.write_all_at(&[5; 9_000], 0).unwrap();
}

#[test]
fn a_failed_sync_marks_clean_what_never_reaches_the_disk() {
    for seed in 0..20 {
        let (disk, file) = with_file(seed);
        file.write_all_at(&[1; SECTOR], 0).unwrap();
        file.sync_data().unwrap();
        file.write_all_at(&[2; SECTOR], 0).unwrap();
        disk.fail_syncs(SyncFault::Once);
        assert_eq!(file.sync_data().unwrap_err().kind(), ErrorKind::Other);
        file.sync_data().unwrap();
        assert_eq!(read(&disk, "/a")[0], 2, "the cache still shows it");
        disk.crash_keeping(CrashKeep::Everything);
        assert_eq!(read(&disk, "/a")[0], 2, "and a killed process changes nothing about that");
        disk.crash();
        assert_eq!(read(&disk, "/a")[0], 1, "seed {seed}: it was never written");
    }
}

#[test]
fn bytes_that_are_written_again_after_a_failed_sync_are_saved_by_the_next() {
    let (disk, file) = with_file(1);
    file.write_all_at(b"once", 0).unwrap();
    disk.fail_syncs(SyncFault::Once);
    file.sync_data().unwrap_err();
    file.write_all_at(b"once", 0).unwrap();
    file.sync_data().unwrap();
    disk.crash_keeping(CrashKeep::Nothing);
    assert_eq!(read(&disk, "/a"), b"once");
}

#[test]
fn syncs_fail_from_the_nth_on_directories_included() {
    let (disk, file) = with_file(1);
    let fs = disk.file_system();
    disk.fail_syncs(SyncFault::From(2));
    file.sync_data().unwrap();
    fs.open(Path::new("/b"), OpenMode::CreateNew).unwrap();
    for _ in 0..3 {
        assert!(fs.sync_dir(Path::new("/")).is_err());
        assert!(file.sync_all().is_err());
    }
    disk.fail_syncs(SyncFault::None);
    fs.sync_dir(Path::new("/")).unwrap();
    disk.crash_keeping(CrashKeep::Random);
    assert!(!exists(&disk, "/b"), "a name whose sync failed never reaches the disk");
}

#[test]
fn a_lying_device_acknowledges_and_forgets() {
    let (disk, file) = with_file(1);
    disk.lie_on_sync(true);
    file.write_all_at(b"lost", 0).unwrap();
    file.sync_all().unwrap();
    disk.crash_keeping(CrashKeep::Nothing);
    assert_eq!(read(&disk, "/a"), b"");
}

#[test]
fn read_only_media_can_be_read_and_synced_and_not_changed() {
    let (disk, file) = with_file(1);
    file.write_all_at(b"x", 0).unwrap();
    disk.set_read_only(true);
    let fs = disk.file_system();
    assert_eq!(read(&disk, "/a"), b"x");
    file.sync_data().unwrap();
    fs.create_dir_all(Path::new("/")).unwrap();
    for error in [
        file.write_all_at(b"y", 0).unwrap_err(),
        fs.lock(Path::new("/a"), LockKind::Shared).unwrap_err(),
        fs.open(Path::new("/b"), OpenMode::CreateNew).unwrap_err(),
        fs.open(Path::new("/a"), OpenMode::ReadWrite).unwrap_err(),
        fs.create_dir_all(Path::new("/d")).unwrap_err(),
        fs.remove_file(Path::new("/a")).unwrap_err(),
    ] {
        assert!(error.is_read_only(), "{error}");
    }
}

#[test]
fn rot_shows_at_once_and_after_a_cut() {
    let (disk, file) = with_file(1);
    file.write_all_at(&[0; 10], 0).unwrap();
    file.sync_data().unwrap();
    disk.flip_bit("/a", 3, 7);
    assert_eq!(read(&disk, "/a")[3], 0x80);
    disk.truncate("/a", 4);
    disk.crash();
    assert_eq!(read(&disk, "/a"), [0, 0, 0, 0x80]);
    disk.remove("/a");
    assert!(!exists(&disk, "/a") && disk.durable_bytes("/a").is_none());
}

#[test]
#[should_panic(expected = "no byte 0")]
fn flipping_a_byte_that_is_not_there_is_a_mistake_of_the_test() {
    with_file(1).0.flip_bit("/a", 0, 0);
}

/// A run with every kind of call and fault in it, drawn from `seed`.
fn busy_run(seed: u64) -> (u64, u64, Vec<u8>) {
    let (disk, _) = with_file(seed);
    let mut choices = Stream::new(seed);
    for step in 0..200_u64 {
        let fs = disk.file_system();
        let file = fs.open(Path::new("/a"), OpenMode::ReadWrite).unwrap();
        let _ = match choices.below(9) {
            0 => file.set_len(choices.below(5_000)),
            1 => file.sync_data(),
            2 => write_file_durably(&*fs, Path::new("/b"), &[step as u8; 600]),
            3 => fs.remove_file(Path::new("/b")),
            4 => fs.create_dir_all(Path::new("/d/e")),
            5 => fs.remove_dir_all(Path::new("/d")),
            6 => {
                disk.crash_keeping(CrashKeep::Random);
                Ok(())
            }
            _ => file.write_all_at(&vec![step as u8; choices.below(2_000) as usize], choices.below(5_000)),
        };
    }
    (disk.trace_hash(), disk.op_count(), read(&disk, "/a"))
}

#[test]
fn one_seed_is_one_run_and_another_seed_another() {
    for seed in 0..10 {
        assert_eq!(busy_run(seed), busy_run(seed), "seed {seed}");
        assert_ne!(busy_run(seed).0, busy_run(seed + 1).0, "seed {seed}");
    }
}

#[test]
fn the_trace_tells_results_apart_and_not_only_calls() {
    let hash = |capacity| {
        let (disk, file) = with_file(1);
        disk.set_capacity(capacity);
        let _ = file.write_all_at(&[1; 100], 0);
        disk.trace_hash()
    };
    assert_eq!(hash(None), hash(Some(100)));
    assert_ne!(hash(None), hash(Some(50)));
}

#[test]
fn a_mapping_keeps_the_bytes_of_its_moment() {
    let (disk, file) = with_file(1);
    file.write_all_at(b"before", 0).unwrap();
    let mapping = file.map().unwrap();
    file.write_all_at(b"behind", 0).unwrap();
    disk.crash();
    assert_eq!(&mapping[..], b"before");
}
