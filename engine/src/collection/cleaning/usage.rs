//! What is alive in each sealed log file, counted from the addresses of the segments.
//!
//! Nothing of the tail stands in a file that a manifest covers, so the segments say it all.

use std::collections::BTreeSet;

use super::super::version::Version;
use crate::ids::{Lsn, PointId};
use crate::log::LogMap;
use crate::log::sealed::payload_place;
use crate::segment::Segment;

/// What a row takes in a move record besides its bytes: its id, its old address, its share of the tables.
const ROW_OVERHEAD: u64 = 24;
/// What a move record takes besides its rows, about: there is one at least for each part that moves.
const RECORD_OVERHEAD: u64 = 512;
/// Rows of a segment that are looked at where an estimate will do.
const ROWS_LOOKED_AT: u32 = 4_096;

/// A log file that the newest manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUse {
    /// Its first position.
    pub start: Lsn,
    /// The position behind its last record.
    pub end: Lsn,
    /// Bytes that what lives in it now would take, written anew.
    pub live_bytes: u64,
    /// Whether something stands in it that was alive at the position that the manifest covers.
    pub is_needed: bool,
    /// Whether it stays whatever it holds: the last one, and those whose bytes are in an archive.
    pub stays: bool,
}

impl FileUse {
    /// Gives the bytes of its records.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Says whether it has no records, which no file has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// Finds files by positions; neighbours are usually asked for in turn.
struct Finder {
    bounds: Vec<(Lsn, Lsn)>,
    last: usize,
}

impl Finder {
    fn new(version: &Version) -> Self {
        Finder { bounds: version.manifest.log.iter().map(|file| (file.start, file.end)).collect(), last: 0 }
    }

    fn find(&mut self, lsn: Lsn) -> Option<usize> {
        let holds = |&(start, end): &(Lsn, Lsn)| start <= lsn && lsn < end;
        if !self.bounds.get(self.last).is_some_and(holds) {
            self.last = self.bounds.partition_point(|&(start, _)| start <= lsn).checked_sub(1)?;
        }
        self.bounds.get(self.last).is_some_and(holds).then_some(self.last)
    }
}

/// Gives where the bytes of a part of a row stand; `None` when it has none: a point without payload has an address and no bytes.
fn position(segment: &Segment, part: u32, row: u32) -> Option<Lsn> {
    let address = segment.address(part, row)?;
    match part {
        0 => segment.has_payload(row).then(|| payload_place(address).0),
        _ => Some(address),
    }
}

/// Says how many bytes a payload takes, about: its share of its record.
#[derive(Default)]
struct Payloads {
    last: Option<(Lsn, u64)>,
}

impl Payloads {
    fn share(&mut self, log: &LogMap, lsn: Lsn) -> u64 {
        match self.last {
            Some((known, share)) if known == lsn => share,
            _ => {
                let share = log.payload_share(lsn);
                self.last = Some((lsn, share));
                share
            }
        }
    }
}

/// Counts what is alive in the files that the newest manifest names.
#[must_use]
pub fn count(version: &Version) -> Vec<FileUse> {
    let needed = needed(version);
    let covered = version.manifest.covered_lsn;
    let is_away = |start: Lsn| version.log.files().iter().any(|file| file.sealed.name.start == start && file.lazy().is_some());
    let mut uses: Vec<FileUse> = version
        .manifest
        .log
        .iter()
        .map(|file| FileUse {
            start: file.start,
            end: file.end,
            live_bytes: 0,
            is_needed: needed.contains(&file.start),
            stays: file.end == covered || is_away(file.start),
        })
        .collect();
    let (mut finder, mut payloads) = (Finder::new(version), Payloads::default());
    let parts = version.schema.parts();
    let mut seen = vec![false; uses.len() * parts];
    for segment in version.segments.iter().map(|open| &open.segment) {
        for part in (0..segment.parts()).rev() {
            let stored = if part == 0 { 0 } else { version.schema.vector(part as usize).bytes_per_vector() as u64 };
            for row in (0..segment.rows()).filter(|&row| segment.is_visible(part, row, version.lsn_end)) {
                let Some((at, file)) = position(segment, part, row).and_then(|at| finder.find(at).map(|file| (at, file))) else { continue };
                let bytes = match part {
                    // Heads of records are read only where it matters: not where vectors alone keep the file, nor where it stays anyway.
                    0 if uses[file].stays || uses[file].live_bytes * 2 >= uses[file].len() => 0,
                    0 => payloads.share(&version.log, at),
                    _ => stored,
                };
                let is_first = !std::mem::replace(&mut seen[file * parts + part as usize], true);
                uses[file].live_bytes += bytes + ROW_OVERHEAD + if is_first { RECORD_OVERHEAD } else { 0 };
            }
        }
    }
    uses
}

/// Gives the bytes of the vectors of a segment that are alive now.
#[must_use]
pub fn vector_bytes(version: &Version, segment: &Segment) -> u64 {
    let of_part = |part: u32| u64::from(segment.live(part)) * version.schema.vector(part as usize).bytes_per_vector() as u64;
    (1..segment.parts()).map(of_part).sum()
}

/// Gives the bytes of the payloads of a segment that are alive now, from as many rows as can be looked at while somebody waits.
#[must_use]
pub fn payload_bytes(version: &Version, segment: &Segment) -> u64 {
    // The heads of records that are not here would have to be fetched to know their payloads.
    if version.log.is_lazy() {
        return 0;
    }
    let mut payloads = Payloads::default();
    let step = segment.rows().div_ceil(ROWS_LOOKED_AT).max(1);
    let (mut looked_at, mut found) = (0, 0);
    for row in (0..segment.rows()).step_by(step as usize).filter(|&row| segment.is_visible(0, row, version.lsn_end)) {
        looked_at += 1;
        found += position(segment, 0, row).map_or(0, |at| payloads.share(&version.log, at));
    }
    if step == 1 { found } else { found / u64::max(looked_at, 1) * u64::from(segment.live(0)) }
}

/// Sums up the bytes of the log that are alive: vectors and payloads, without what is around them.
#[must_use]
pub fn live_bytes(version: &Version) -> u64 {
    let segments = version.segments.iter().map(|open| &open.segment);
    let mut live: u64 = segments.map(|segment| vector_bytes(version, segment) + payload_bytes(version, segment)).sum();
    for record in version.tail_records() {
        for row in 0..record.rows() {
            let vectors = (1..version.schema.parts()).filter(|&part| record.is_visible(part, row, version.lsn_end));
            live += vectors.map(|part| version.schema.vector(part).bytes_per_vector() as u64).sum::<u64>();
            if record.is_visible(0, row, version.lsn_end) && record.has_payload(row) {
                live += record.record.head.payload_share();
            }
        }
    }
    live
}

/// Lists the files, by their starts, that a manifest of this version's segments at its covered position has to name: those in which something stood
/// that was alive there, those that are not here, and the last.
#[must_use]
pub fn needed(version: &Version) -> BTreeSet<Lsn> {
    let covered = version.manifest.covered_lsn;
    let mut finder = Finder::new(version);
    let mut used = vec![false; finder.bounds.len()];
    for segment in version.segments.iter().map(|open| &open.segment) {
        for part in 0..segment.parts() {
            for row in (0..segment.rows()).filter(|&row| segment.is_visible(part, row, covered)) {
                if let Some(file) = position(segment, part, row).and_then(|at| finder.find(at)) {
                    used[file] = true;
                }
            }
        }
    }
    let mut needed: BTreeSet<Lsn> = finder.bounds.iter().zip(used).filter(|(_, used)| *used).map(|((start, _), _)| *start).collect();
    needed.extend(version.log.files().iter().filter(|file| file.lazy().is_some()).map(|file| file.sealed.name.start));
    needed.extend(version.manifest.log.last().map(|file| file.start));
    needed
}

/// Lists what is alive of a part in some files: where it stands, and whose it is.
#[must_use]
pub fn alive_in(version: &Version, part: u32, files: &[Lsn]) -> Vec<(u64, PointId)> {
    let mut finder = Finder::new(version);
    let wanted: Vec<bool> = finder.bounds.iter().map(|(start, _)| files.contains(start)).collect();
    let mut found = Vec::new();
    for segment in version.segments.iter().map(|open| &open.segment).filter(|segment| part < segment.parts()) {
        for row in (0..segment.rows()).filter(|&row| segment.is_visible(part, row, version.lsn_end)) {
            let is_there = position(segment, part, row).and_then(|at| finder.find(at)).is_some_and(|file| wanted[file]);
            if let Some(address) = segment.address(part, row).filter(|_| is_there) {
                found.push((address, segment.id(row)));
            }
        }
    }
    found
}
