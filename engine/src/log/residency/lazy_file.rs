//! Reads a log file that is not whole on the local disk: records are found and checked with as few bytes as that takes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use platform::fs::{File, Mapping};

use super::{Piece, RangeSource, RecordGuide, Residency};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Lsn;
use crate::log::record::{FIXED_HEAD_LEN, GRANULE, RECORD_ALIGN, Record, RecordHead, SectionKind};
use crate::log::sealed::Checked;
use crate::log::writer::SealedName;

/// Bytes of a head that are fetched together with the vectors of its record; a longer one is fetched when it is read.
const HEAD_LEN: u64 = 4096;
/// The sections that a payload is read from.
const PAYLOAD: [SectionKind; 3] = [SectionKind::Payload, SectionKind::PayloadBlocks, SectionKind::PayloadRows];

/// Where a lazy file gets its bytes, and what helps to find its records.
#[derive(Debug, Clone)]
pub struct LazySource {
    /// Gives the bytes.
    pub ranges: Arc<dyn RangeSource>,
    /// Knows where records begin.
    pub guide: Option<Arc<dyn RecordGuide>>,
}

/// A log file of which some bytes are elsewhere.
#[derive(Debug)]
pub struct LazyFile {
    pub(super) sealed: SealedName,
    pub(super) path: PathBuf,
    pub(super) residency: Residency,
    guide: Option<Arc<dyn RecordGuide>>,
    /// Records whose heads were read: position and end.
    known: Mutex<BTreeMap<Lsn, Lsn>>,
    checked: Checked,
}

impl LazyFile {
    /// Begins with nothing brought; `file` is the open file for who may write it.
    pub(in crate::log) fn new(sealed: SealedName, path: &Path, source: &LazySource, map: Mapping, file: Option<Arc<dyn File>>) -> Self {
        LazyFile {
            sealed,
            path: path.to_path_buf(),
            residency: Residency::new(sealed, source.ranges.clone(), map, file),
            guide: source.guide.clone(),
            known: Mutex::new(BTreeMap::new()),
            checked: Checked::new(sealed.end - sealed.name.start),
        }
    }

    fn relative(&self, range: &Range<Lsn>) -> Range<u64> {
        range.start - self.sealed.name.start..range.end - self.sealed.name.start
    }

    fn at(&self, error: Error, lsn: Lsn) -> Error {
        error.with_file(&self.path).with_offset(self.sealed.name.offset(lsn))
    }

    /// Finds where to begin looking for the record that holds a position: the start of one at or before it.
    fn record_before(&self, lsn: Lsn) -> Lsn {
        let known = self.known.lock().range(..=lsn).next_back().map(|(&start, &end)| if end <= lsn { end } else { start });
        let guided = self.guide.as_ref().and_then(|guide| guide.record_before(lsn));
        let guided = guided.filter(|&start| start >= self.sealed.name.start && start <= lsn && start.is_multiple_of(RECORD_ALIGN as u64));
        known.max(guided).unwrap_or(self.sealed.name.start)
    }

    /// Finds the head of the record that holds a position. From a record that is known the way leads forward, from head to head: what looks like
    /// a head in the middle of somebody's vector is never taken for one.
    fn head_at(&self, lsn: Lsn) -> Result<RecordHead> {
        let mut at = self.record_before(lsn);
        loop {
            let head = self.head_of(at)?;
            if head.end() > lsn {
                return Ok(head);
            }
            at = head.end();
        }
    }

    /// Reads the head of the record that begins at a position.
    pub(in crate::log) fn head_of(&self, start: Lsn) -> Result<RecordHead> {
        let head = again(|| self.read_head(start)).map_err(|error| self.at(error, start))?;
        self.known.lock().insert(start, head.end());
        Ok(head)
    }

    fn read_head(&self, start: Lsn) -> Result<RecordHead> {
        let rest = (self.sealed.end - start) as usize;
        let doubt = |what: &str, len: usize| {
            self.residency.doubt(&(start..start + len.min(rest) as u64));
            Error::corrupt(what).with_expected("the head of a record", "other bytes")
        };
        let get = |len: usize| self.residency.piece(&(start..start + len.min(rest) as u64));
        // Lengths are believed once the checksum over them is right, so that garbage does not ask for megabytes.
        let fixed = get(FIXED_HEAD_LEN)?;
        let table_len = Some(&*fixed)
            .filter(|fixed| fixed.len() == FIXED_HEAD_LEN)
            .and_then(|fixed| RecordHead::table_len(fixed, start, self.sealed.name.timeline))
            .ok_or_else(|| doubt("no record begins here", FIXED_HEAD_LEN))?;
        let table = get(table_len)?;
        let head_len = Some(&*table)
            .filter(|table| table.len() == table_len && RecordHead::table_is_whole(table))
            .and_then(RecordHead::claimed_lens)
            .filter(|lens| lens.0 <= rest)
            .ok_or_else(|| doubt("record head checksum mismatch", table_len))?
            .1;
        let bytes = get(head_len)?;
        let head = RecordHead::parse(&bytes, start).inspect_err(|error| {
            if error.kind == ErrorKind::Corrupt {
                self.residency.doubt(&(start..start + bytes.len() as u64));
            }
        })?;
        let agrees = head.record_len <= rest && head.lineage == self.sealed.name.timeline;
        if agrees { Ok(head) } else { Err(doubt("a record of another place lies here", head_len)) }
    }

    /// Lists what reading a vector needs, as far as that is known without reading.
    pub(in crate::log) fn wants(&self, lsn: Lsn, len: usize, wanted: &mut Vec<Range<Lsn>>) {
        let range = lsn..lsn + len as u64;
        if self.good(&range).is_some() {
            return;
        }
        let (first, last) = (self.sealed.name.start, self.sealed.end);
        let record = self.record_before(lsn);
        wanted.push(record..(record + HEAD_LEN).min(last));
        wanted.push((range.start / GRANULE * GRANULE).max(first)..range.end.next_multiple_of(GRANULE).min(last));
    }

    /// Gives the position of the file's first record.
    pub(in crate::log) fn start(&self) -> Lsn {
        self.sealed.name.start
    }

    pub(in crate::log) fn residency(&self) -> &Residency {
        &self.residency
    }

    /// Gives a vector that was checked before.
    fn good(&self, range: &Range<Lsn>) -> Option<&[u8]> {
        let mapped = self.residency.shown(range).filter(|_| self.checked.all(&self.relative(range)));
        mapped.or_else(|| self.residency.pinned(range))
    }

    /// Gives a vector's bytes, checked.
    pub(in crate::log) fn vector(&self, lsn: Lsn, len: usize) -> Result<&[u8]> {
        let range = lsn..lsn + len as u64;
        match self.good(&range) {
            Some(bytes) => Ok(bytes),
            None => again(|| self.check_vector(&range)).map_err(|error| self.at(error, lsn)),
        }
    }

    fn check_vector(&self, range: &Range<Lsn>) -> Result<&[u8]> {
        let head = self.head_at(range.start)?;
        let whole = head.granule(range.start)?.0..head.granule(range.end - 1)?.1;
        let piece = self.residency.piece(&whole)?;
        let mut at = whole.start;
        while at < whole.end {
            let (from, to) = head.granule(at)?;
            let bytes = &piece[(from - whole.start) as usize..(to - whole.start) as usize];
            head.check_granule_bytes(at, bytes).inspect_err(|_| self.residency.doubt(&whole))?;
            at = to;
        }
        let all = match piece {
            Piece::Shown(bytes) => {
                self.checked.mark(&self.relative(&whole));
                bytes
            }
            Piece::Loose(bytes) => self.residency.pin(whole.clone(), bytes),
        };
        Ok(&all[(range.start - whole.start) as usize..(range.end - whole.start) as usize])
    }

    /// Reads something from the payload of a record. Of its other sections the record that `read` sees has no bytes.
    pub(in crate::log) fn payload<T>(&self, start: Lsn, read: &dyn Fn(&Record) -> Result<T>) -> Result<T> {
        let attempt = || {
            let head = self.head_of(start)?;
            let sections = head.sections.iter().filter(|section| PAYLOAD.contains(&section.kind) && section.len > 0);
            let places = sections.map(|section| start + section.offset as u64..start + (section.offset + section.len) as u64).collect();
            let record = self.part_of(head, &places)?;
            read(&record).inspect_err(|error| {
                if error.kind == ErrorKind::Corrupt {
                    places.iter().for_each(|place| self.residency.doubt(place));
                }
            })
        };
        again(attempt).map_err(|error| self.at(error, start))
    }

    /// Gives the whole record that begins at a position.
    pub(in crate::log) fn record(&self, start: Lsn) -> Result<Record> {
        let head = self.head_of(start)?;
        let all = start..head.end();
        self.part_of(head, &vec![all])
    }

    /// Gives a record with the bytes of some places of it.
    fn part_of(&self, head: RecordHead, places: &Vec<Range<Lsn>>) -> Result<Record> {
        super::fetch::bring(&[(&self.residency, places.clone())])?;
        let range = head.lsn..head.end();
        let bytes = match self.residency.shown_bytes(&range, places) {
            Some(bytes) => bytes,
            None => {
                let mut bytes = vec![0; head.record_len];
                for place in places {
                    let piece = self.residency.piece(place)?;
                    bytes[(place.start - head.lsn) as usize..(place.end - head.lsn) as usize].copy_from_slice(&piece);
                }
                Bytes::from(bytes)
            }
        };
        Ok(Record { head, bytes })
    }

    /// Gives all records of the file.
    pub(in crate::log) fn bytes(&self) -> Result<Bytes> {
        let all = self.sealed.name.start..self.sealed.end;
        super::fetch::bring(&[(&self.residency, vec![all.clone()])])?;
        match self.residency.shown_bytes(&all, std::slice::from_ref(&all)) {
            Some(bytes) => Ok(bytes),
            None => Ok(Bytes::copy_from_slice(&self.residency.piece(&all)?)),
        }
    }
}

/// Reads once more what came wrong the first time: what was brought earlier and is bad does not stand in the way of what is right now.
fn again<T>(mut read: impl FnMut() -> Result<T>) -> Result<T> {
    match read() {
        Err(error) if error.kind == ErrorKind::Corrupt => read(),
        other => other,
    }
}
