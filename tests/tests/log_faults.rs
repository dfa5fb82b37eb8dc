//! Single faults of the log: torn and foreign tails, rot in proven records, broken chains, crashes of recoveries, newer formats.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use engine::codec::FileHeader;
use engine::log::file::{LOG_MAGIC, LOG_VERSION};
use engine::log::scan::{ScanOptions, scan};
use engine::{Error, ErrorKind};
use platform::fs::{CrashKeep, SECTOR};
use platform::random::Stream;
use platform::sim::SimWorld;
use vectra_tests::faults::{create, ids, log_name, only, open, overwrite};

/// A machine whose process was killed after five batches of three points; the log file and the end of each batch in it.
fn five_batches(seed: u64) -> (SimWorld, PathBuf, Vec<u64>) {
    let machine = SimWorld::new(seed);
    let opened = create(&machine).unwrap();
    let ends: Vec<u64> = (0..5).map(|n| opened.put(n * 3..n * 3 + 3).unwrap().lsn).collect();
    let path = opened.log_files(&machine).pop().unwrap();
    let name = log_name(&path);
    machine.disk.crash_keeping(CrashKeep::Everything);
    (machine, path, ends.into_iter().map(|lsn| name.offset(lsn)).collect())
}

/// Opens, expects these points, writes another batch, loses power twice, and expects both.
fn goes_on_with(machine: &SimWorld, expected: &BTreeSet<u64>, what: &str) {
    let opened = open(machine).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(opened.ids().unwrap(), *expected, "{what}");
    opened.put(100..102).unwrap();
    for _ in 0..2 {
        machine.disk.crash();
        let opened = open(machine).unwrap_or_else(|error| panic!("{what}, after a crash: {error}"));
        assert_eq!(opened.ids().unwrap(), expected.union(&only(100..102)).copied().collect(), "{what}, after a crash");
    }
}

fn refused<T>(result: Result<T, Error>, kind: ErrorKind, what: &str) -> Error {
    match result {
        Ok(_) => panic!("{what}: was accepted"),
        Err(error) => {
            assert_eq!(error.kind, kind, "{what}: {error}");
            error
        }
    }
}

/// F13: any length that a crash leaves opens with exactly the whole records, and the log goes on behind them.
#[test]
fn a_log_cut_at_any_byte_keeps_its_whole_records_and_goes_on() {
    let (_, _, ends) = five_batches(13);
    for len in ends[1]..=ends[4] {
        let (machine, path, ends) = five_batches(13);
        machine.disk.truncate(&path, len);
        let whole = ends.iter().filter(|end| **end <= len).count() as u64;
        let what = format!("cut to {len} bytes");
        // Every length opens; what comes after is the same between two records, so every eleventh goes on, and all around a bound.
        if len % 11 == 0 || ends.iter().any(|end| end.abs_diff(len) < 3) {
            goes_on_with(&machine, &only(0..whole * 3), &what);
        } else {
            let opened = open(&machine).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(opened.ids().unwrap(), only(0..whole * 3), "{what}");
        }
    }
}

/// F13: the same for any set of sectors of the last record.
#[test]
fn a_last_record_that_lost_any_sectors_is_whole_or_gone() {
    for seed in 0..60 {
        let machine = SimWorld::new(seed);
        let opened = create(&machine).unwrap();
        opened.put(0..3).unwrap();
        machine.disk.crash_after_ops(Some(2));
        // Long enough for many sectors; the power goes at its sync.
        assert!(opened.put(10..200).is_err());
        machine.disk.crash();
        let found = open(&machine).unwrap().ids().unwrap();
        let whole = ids(&[0..3, 10..200]);
        assert!(found == only(0..3) || found == whole, "seed {seed}: {} points", found.len());
        goes_on_with(&machine, &found, &format!("seed {seed}"));
    }
}

/// F14: zeros, garbage, and valid records of this and of another log behind the end are no part of the log.
#[test]
fn a_tail_of_zeros_garbage_or_recycled_records_is_not_replayed() {
    let (other, other_path, other_ends) = five_batches(1414);
    let foreign = other.disk.durable_bytes(&other_path).unwrap();
    let foreign_records = foreign[other_ends[0] as usize..other_ends[4] as usize].to_vec();
    let (own, own_path, own_ends) = five_batches(14);
    let own_records = own.disk.durable_bytes(&own_path).unwrap()[own_ends[0] as usize..own_ends[3] as usize].to_vec();
    let mut garbage = vec![0; 9 * SECTOR + 5];
    Stream::new(14).fill(&mut garbage);
    let tails =
        [("zeros", vec![0; 64 << 10]), ("garbage", garbage), ("records of another log", foreign_records), ("older records", own_records)];
    for (what, tail) in tails {
        for gap in [0, 64, 4096] {
            let (machine, path, ends) = five_batches(14);
            overwrite(&machine, &path, ends[4] + gap, &tail);
            goes_on_with(&machine, &only(0..15), &format!("{what} {gap} bytes behind the end"));
        }
    }
}

/// F15: in records that are proven durable every flipped bit is refused, with file and offset.
#[test]
fn any_flipped_bit_of_a_proven_record_is_refused_with_file_and_offset() {
    let machine = SimWorld::new(15);
    let opened = create(&machine).unwrap();
    let end = (0..3).map(|n| opened.put(n..n + 1).unwrap().lsn).max().unwrap();
    let path = opened.log_files(&machine).pop().unwrap();
    let dir = opened.collection.dir().log();
    opened.close().unwrap();
    let (fs, name) = (machine.world().fs, log_name(&path));
    let flips = |offset: u64, bit: u8, in_database: bool| {
        machine.disk.flip_bit(&path, offset, bit);
        let error = if in_database { open(&machine).map(drop).err() } else { scan(&*fs, &dir, ScanOptions::default()).map(drop).err() };
        machine.disk.flip_bit(&path, offset, bit);
        let error = error.unwrap_or_else(|| panic!("bit {bit} of byte {offset} flipped and nobody noticed"));
        assert_eq!(error.kind, ErrorKind::Corrupt, "bit {bit} of byte {offset}: {error}");
        assert_eq!(error.file.as_deref(), path.to_str(), "bit {bit} of byte {offset}: {error}");
        let at = error.offset.unwrap_or_else(|| panic!("bit {bit} of byte {offset}: no offset in {error}"));
        assert!(at <= offset, "bit {bit} of byte {offset} is reported at {at}");
    };
    for offset in name.offset(0)..name.offset(end) {
        (0..8).for_each(|bit| flips(offset, bit, false));
        if offset % 61 == 0 {
            flips(offset, (offset % 8) as u8, true);
        }
    }
    // The header of the file, and the zeros that pad it to a page.
    for offset in 0..name.offset(0) {
        flips(offset, (offset % 8) as u8, false);
    }
    assert_eq!(open(&machine).unwrap().ids().unwrap(), only(0..3), "with every bit back in its place");
}

/// A log of four files, the first three covered by the manifest.
fn four_files(seed: u64) -> (SimWorld, Vec<PathBuf>) {
    let machine = SimWorld::new(seed);
    let opened = create(&machine).unwrap();
    for n in 0..3 {
        opened.put(n * 10..n * 10 + 5).unwrap();
        opened.seal().unwrap();
    }
    opened.put(30..35).unwrap();
    let paths = opened.log_files(&machine);
    assert_eq!(paths.len(), 4);
    machine.disk.crash_keeping(CrashKeep::Everything);
    (machine, paths)
}

/// F16: no file of the chain may be missing, the last one, which no manifest lists, included.
#[test]
fn a_missing_log_file_is_refused() {
    for missing in 0..4 {
        let (machine, paths) = four_files(16);
        machine.disk.remove(&paths[missing]);
        let error = refused(open(&machine), ErrorKind::Corrupt, &format!("without file {missing}"));
        assert!(error.file.is_some(), "{error}");
    }
}

/// F16: a file that lost its content is not an empty log.
#[test]
fn an_emptied_or_shortened_log_file_is_refused() {
    for index in 0..4 {
        for len in [0, 10] {
            let (machine, paths) = four_files(16);
            machine.disk.truncate(&paths[index], len);
            let error = refused(open(&machine), ErrorKind::Corrupt, &format!("file {index} cut to {len} bytes"));
            assert_eq!(error.file.as_deref(), paths[index].to_str(), "{error}");
        }
    }
}

/// F16: a copy under another position or of another timeline does not join the chain.
#[test]
fn a_duplicated_log_file_is_refused() {
    for index in 0..4 {
        for (what, shift, timeline) in [("shifted", 64, false), ("of another timeline", 0, true)] {
            let (machine, paths) = four_files(16);
            let bytes = machine.disk.durable_bytes(&paths[index]).unwrap();
            let mut name = log_name(&paths[index]);
            name.start += shift;
            if timeline {
                name.timeline.0[3] ^= 1;
            }
            overwrite(&machine, &name.path(paths[index].parent().unwrap()), 0, &bytes);
            let error = refused(open(&machine), ErrorKind::Corrupt, &format!("a copy of file {index}, {what}"));
            assert!(error.file.is_some(), "{error}");
        }
    }
}

/// F18: blocks of a log file that changed places are noticed, at the latest when their points are read.
#[test]
fn swapped_blocks_of_a_log_file_are_never_read_as_data() {
    let (_, paths) = four_files(18);
    for (index, path) in paths.iter().enumerate() {
        let (machine, _) = four_files(18);
        let bytes = machine.disk.durable_bytes(path).unwrap();
        let start = log_name(path).header_len();
        let (first, second) = (bytes[start as usize..][..128].to_vec(), bytes[start as usize + 128..][..128].to_vec());
        overwrite(&machine, path, start, &second);
        overwrite(&machine, path, start + 128, &first);
        let error = open(&machine).and_then(|opened| opened.ids()).map(drop);
        // The unsealed file holds one batch that nothing proves: it is cut like a torn one.
        if index < 3 {
            refused(error, ErrorKind::Corrupt, &format!("blocks of file {index}"));
        } else {
            assert_eq!(open(&machine).unwrap().ids().unwrap(), ids(&[0..5, 10..15, 20..25]));
        }
    }
}

/// S5, F4: a recovery may be cut at each of its changes, again and again; what it served stays.
#[test]
fn a_recovery_cut_at_every_change_ends_in_the_same_state() {
    for keep in [CrashKeep::Nothing, CrashKeep::Random, CrashKeep::Everything] {
        for first in 1..30 {
            let (machine, path, ends) = five_batches(5);
            machine.disk.truncate(&path, ends[4] - 7);
            for again in [first, first / 2 + 1, 1] {
                machine.disk.crash_after_ops(Some(again));
                if let Ok(opened) = open(&machine) {
                    assert_eq!(opened.ids().unwrap(), only(0..12), "cut at change {again}, keeping {keep:?}");
                }
                machine.disk.crash_keeping(keep);
            }
            goes_on_with(&machine, &only(0..12), &format!("cut at change {first}, keeping {keep:?}"));
        }
    }
}

/// S26: a file of a later version is refused as that, not taken for damage.
#[test]
fn a_log_file_of_a_newer_format_is_refused_as_newer() {
    let (machine, path, _) = five_batches(26);
    let name = log_name(&path);
    let header = FileHeader { magic: LOG_MAGIC, version: LOG_VERSION + 1, subject: name.timeline.0, number: name.start };
    overwrite(&machine, &path, 0, &header.encode());
    let error = refused(open(&machine), ErrorKind::NewerFormat, "a later version");
    assert_eq!(error.file.as_deref(), path.to_str(), "{error}");
}
