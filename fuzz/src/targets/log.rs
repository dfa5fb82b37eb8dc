//! A log file: scanned, repaired, scanned again, read by address, and opened as the log of a collection.
//!
//! Input: a byte of switches, then the file. Switches: 1 leaves the checksums as they are; 2 opens a collection with the file as its log;
//! 4 puts another, empty file behind it; 8 says that the log was archived to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::clock::CommitClock;
use engine::collection::{Mode, SearchRequest};
use engine::log::record::{IDS_NUMBERS, RECORD_ALIGN, Record, RecordDraft, RecordKind, SectionKind};
use engine::log::scan::{self, ScanOptions};
use engine::log::sealed::{SealedFile, payload_address};
use engine::log::writer::SealedName;
use engine::log::{LogFileName, LogMap, recovery};
use engine::segment::VectorSource;
use index::Kernels;
use platform::World;
use platform::sim::SimWorld;

use super::{Target, fixture, payload};
use crate::fixup;

/// See the top of this file.
pub const TARGET: Target = Target { name: "log", run, seeds, words: &["VRC1", "{\"vectors\":[]}"] };

const RAW: u8 = 1;
const AS_COLLECTION: u8 = 2;
const MORE_FILES: u8 = 4;
const ARCHIVED: u8 = 8;

fn run(input: &[u8]) -> bool {
    let Some((&switches, rest)) = input.split_first() else { return false };
    let files = fixture::collection();
    let mut bytes = rest.to_vec();
    let name = files.log_name;
    let header_len = name.header_len() as usize;
    if switches & RAW == 0 {
        fixup::record::file(&mut bytes, name.timeline, name.start, header_len);
    }
    let world = SimWorld::new(1).world();
    let dir = Path::new(fixture::ROOT).join("log");
    fixture::put(&*world.fs, &name.path(&dir), &bytes);
    let end = bytes.len().saturating_sub(header_len).next_multiple_of(RECORD_ALIGN) as u64;
    if switches & MORE_FILES != 0 && end > 0 {
        let next = LogFileName { start: end, timeline: name.timeline };
        fixture::put(&*world.fs, &next.path(&dir), &next.header());
    }
    if switches & AS_COLLECTION == 0 {
        let archived = if switches & ARCHIVED == 0 { 0 } else { end };
        let accepted = scan_and_repair(&world, &dir, ScanOptions { archived, ..ScanOptions::default() });
        read_sealed(&world, &dir, SealedName { name, end });
        accepted
    } else {
        for (path, bytes) in &files.others {
            fixture::put(&*world.fs, path, bytes);
        }
        for empty in ["segments", "pins", "manifests"] {
            world.fs.create_dir_all(&PathBuf::from(fixture::ROOT).join(empty)).expect("a simulated disk makes directories");
        }
        open_collection(&world)
    }
}

/// Says whether any record was found.
fn scan_and_repair(world: &World, dir: &Path, options: ScanOptions) -> bool {
    let Ok(found) = scan::scan(&*world.fs, dir, options) else { return false };
    for record in &found.records {
        payload::read_everything(record);
    }
    recovery::repair(world, dir, &found.end).expect("a disk without faults takes the repair");
    let again = scan::scan(&*world.fs, dir, options).expect("a repaired log is whole");
    assert_eq!((again.records.len(), again.end.lsn), (found.records.len(), found.end.lsn), "the repair changes nothing that counts");
    assert_eq!(again.end.torn_to, again.end.lsn, "nothing is torn behind a repair");
    !found.records.is_empty()
}

/// Reads by address what the scan may have refused: sealed files are trusted until they are touched.
fn read_sealed(world: &World, dir: &Path, sealed: SealedName) {
    let Ok(file) = SealedFile::open(&*world.fs, dir, sealed) else { return };
    let map = LogMap::new(vec![Arc::new(file)]);
    let mut at = sealed.name.start;
    for _ in 0..64 {
        let Ok(record) = map.record(at) else { break };
        for row in [0, 1, record.head.rows.saturating_sub(1), record.head.rows].into_iter().filter(|row| *row < 1 << 20) {
            let _ = map.payload(payload_address(at, row));
        }
        for section in &record.head.sections {
            let start = at + section.offset as u64;
            for address in [start, start + 32, start + section.len as u64] {
                let _ = map.gather(&[address], 32, &mut Vec::new());
            }
        }
        let whole: Record = record;
        payload::read_everything(&whole);
        at = whole.head.end();
    }
    let _ = map.gather(&[u64::MAX - 3, sealed.end - sealed.end.min(8)], 16, &mut Vec::new());
}

fn open_collection(world: &World) -> bool {
    let clock = Arc::new(CommitClock::new(world.clock.clone()));
    let Ok(collection) = fixture::open(world, &clock) else { return false };
    let version = collection.version();
    let request = SearchRequest { part: 1, query: &[1.0; 8], top: 5, mode: Mode::Exact, filter: None };
    let _ = version.search(Kernels::detect(), &request, &mut Default::default());
    let mut points = 0;
    let read = version.for_each_point(true, &mut |_| {
        points += 1;
        Ok(())
    });
    assert!(read.is_err() || points == version.points, "{points} points are found, {} are counted", version.points);
    drop((version, collection));
    let again = Arc::new(CommitClock::new(world.clock.clone()));
    let collection = fixture::open(world, &again).expect("what opened once opens again");
    assert!(read.is_err() || collection.version().points == points, "opening twice gives the same points");
    points > 0
}

fn seeds() -> Vec<Vec<u8>> {
    let log = &fixture::collection().log;
    let switches = [0, RAW, AS_COLLECTION, MORE_FILES, AS_COLLECTION | MORE_FILES, ARCHIVED];
    let mut seeds: Vec<Vec<u8>> = switches.iter().map(|&switches| [&[switches], &log[..]].concat()).collect();
    // Operations of several records: a whole one, one that says in its second record that the first is synced, and one that is cut off.
    for (last_follows, synced) in [(false, false), (false, true), (true, false)] {
        let mut seed = [&[0], &log[..]].concat();
        for follows in [true, last_follows] {
            let lsn = (seed.len() - 1) as u64 - fixture::collection().log_name.header_len();
            let mut draft = RecordDraft::new(RecordKind::Delete, 1).more_follows(follows);
            draft.section(SectionKind::Ids, 0, IDS_NUMBERS, 1, 7_u64.to_le_bytes().to_vec());
            draft.encode(lsn, u64::MAX, if synced { lsn } else { 0 }, fixture::TIMELINE, &mut seed);
        }
        seeds.push(seed);
    }
    seeds
}
