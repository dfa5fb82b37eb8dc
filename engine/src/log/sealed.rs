//! Sealed log files: read by address, each granule checked the first time this process touches it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use platform::fs::{FileSystem, Mapping, OpenMode};

use super::file::LSN_MAX;
use super::payload_blocks::PayloadBlocks;
use super::record::{RECORD_ALIGN, Record, RecordHead};
use super::writer::SealedName;
use crate::codec::checksum::Hash;
use crate::error::{Error, Result};
use crate::ids::Lsn;
use crate::segment::VectorSource;

/// Bits of a payload address that hold the row.
const PAYLOAD_ROW_BITS: u32 = 20;
const _: () = assert!((LSN_MAX - RECORD_ALIGN as u64) / RECORD_ALIGN as u64 <= u64::MAX >> PAYLOAD_ROW_BITS);

/// Packs the address of a payload: its record and its row there.
///
/// # Panics
/// When the row is beyond the most rows of a record.
#[must_use]
pub fn payload_address(record: Lsn, row: usize) -> u64 {
    assert!(row < 1 << PAYLOAD_ROW_BITS && record.is_multiple_of(RECORD_ALIGN as u64), "a payload address names a row of a record");
    (record / RECORD_ALIGN as u64) << PAYLOAD_ROW_BITS | row as u64
}

/// Unpacks the address of a payload.
#[must_use]
pub fn payload_place(address: u64) -> (Lsn, usize) {
    ((address >> PAYLOAD_ROW_BITS) * RECORD_ALIGN as u64, (address & ((1 << PAYLOAD_ROW_BITS) - 1)) as usize)
}

/// One sealed file, mapped.
#[derive(Debug)]
pub struct SealedFile {
    /// Its name and end.
    pub sealed: SealedName,
    path: PathBuf,
    map: Mapping,
    /// One bit for each 64 bytes of records: set once they were checked. No two sections share 64 bytes.
    checked: Box<[AtomicU64]>,
    /// Positions of the records, relative to the start; found at the first touch.
    records: OnceLock<Result<Vec<u32>>>,
}

impl SealedFile {
    /// Maps a file of the log that will not change any more.
    ///
    /// # Errors
    /// `Corrupt` when the file is shorter than its range or its header is wrong, `Io` when it cannot be opened.
    pub fn open(fs: &dyn FileSystem, dir: &Path, sealed: SealedName) -> Result<Self> {
        let path = sealed.name.path(dir);
        let file = fs.open(&path, OpenMode::Read)?;
        sealed.name.check_header(&*file)?;
        let (len, expected) = (file.len()?, sealed.name.offset(sealed.end));
        if len < expected {
            return Err(Error::corrupt("the log file is cut off")
                .with_file(&path)
                .with_offset(len)
                .with_expected(format!("{expected} bytes"), len));
        }
        let granules = (sealed.end - sealed.name.start).div_ceil(RECORD_ALIGN as u64).div_ceil(64);
        let checked = (0..granules).map(|_| AtomicU64::new(0)).collect();
        Ok(SealedFile { sealed, path, map: file.map()?, checked, records: OnceLock::new() })
    }

    /// Gives the file's records as one piece, without the file header.
    #[must_use]
    pub fn record_bytes(&self) -> Bytes {
        let from = self.sealed.name.header_len() as usize;
        self.map.bytes(from..from + (self.sealed.end - self.sealed.name.start) as usize)
    }

    /// Hashes the file's records.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&self.record_bytes())
    }

    /// Gives the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn slice(&self, lsn: Lsn, len: usize) -> &[u8] {
        let from = self.sealed.name.offset(lsn) as usize;
        &self.map[from..from + len]
    }

    fn holds(&self, lsn: Lsn, len: usize) -> bool {
        lsn >= self.sealed.name.start && lsn.checked_add(len as u64).is_some_and(|end| end <= self.sealed.end)
    }

    /// Finds the head of the record that holds a position.
    fn head_at(&self, lsn: Lsn) -> Result<RecordHead> {
        let records = self.records.get_or_init(|| self.find_records()).as_ref().map_err(Clone::clone)?;
        let relative = lsn - self.sealed.name.start;
        let index = records.partition_point(|&start| u64::from(start) <= relative);
        assert!(index > 0, "the first record of a file begins at its start");
        let start = self.sealed.name.start + u64::from(records[index - 1]);
        self.head_of(start)
    }

    fn head_of(&self, start: Lsn) -> Result<RecordHead> {
        let rest = (self.sealed.end - start) as usize;
        RecordHead::parse(self.slice(start, rest), start)
            .and_then(
                |head| {
                    if head.record_len > rest { Err(Error::corrupt("the record runs over the end of its file")) } else { Ok(head) }
                },
            )
            .map_err(|error| error.with_file(&self.path).with_offset(self.sealed.name.offset(start)))
    }

    fn find_records(&self) -> Result<Vec<u32>> {
        let mut starts = Vec::new();
        let mut at = self.sealed.name.start;
        while at < self.sealed.end {
            starts.push((at - self.sealed.name.start) as u32);
            at = self.head_of(at)?.end();
        }
        Ok(starts)
    }

    /// Gives a vector's bytes, checked.
    fn vector(&self, lsn: Lsn, len: usize) -> Result<&[u8]> {
        let (mut unit, end) = ((lsn - self.sealed.name.start) / RECORD_ALIGN as u64, lsn - self.sealed.name.start + len as u64);
        while unit * (RECORD_ALIGN as u64) < end {
            let word = self.checked[(unit / 64) as usize].load(Ordering::Relaxed);
            if word >> (unit % 64) & 1 == 0 {
                self.check(self.sealed.name.start + unit * RECORD_ALIGN as u64, lsn)?;
            }
            unit += 1;
        }
        Ok(self.slice(lsn, len))
    }

    /// Checks the granule that holds 64 bytes from `unit_start` (or from `lsn`, where the vector begins behind it) and remembers it.
    fn check(&self, unit_start: Lsn, lsn: Lsn) -> Result<()> {
        let at = unit_start.max(lsn);
        let head = self.head_at(at)?;
        let (from, to) = head
            .check_granule(self.slice(head.lsn, head.record_len), at)
            .map_err(|error| error.with_file(&self.path).with_offset(self.sealed.name.offset(at)))?;
        // A section begins and ends on 64-byte bounds, granules too: whole units were checked, or the rest of one is padding.
        let first = (from - self.sealed.name.start) / RECORD_ALIGN as u64;
        let last = (to - self.sealed.name.start).div_ceil(RECORD_ALIGN as u64);
        for unit in first..last {
            self.checked[(unit / 64) as usize].fetch_or(1 << (unit % 64), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Gives the whole record that begins at a position.
    ///
    /// # Errors
    /// `Corrupt` when its head is not what was written.
    pub fn record(&self, start: Lsn) -> Result<Record> {
        let head = self.head_of(start)?;
        let from = self.sealed.name.offset(start) as usize;
        Ok(Record { bytes: self.map.bytes(from..from + head.record_len), head })
    }
}

/// The payloads of the record that was read last: rows that are read in the order of the log decompress each block once.
#[derive(Debug, Default)]
pub struct PayloadCache {
    record: Option<Lsn>,
    texts: Vec<Option<String>>,
}

/// The sealed files of a log, by position.
#[derive(Debug, Clone, Default)]
pub struct LogMap {
    files: Vec<Arc<SealedFile>>,
}

impl LogMap {
    /// Puts files in order.
    ///
    /// # Panics
    /// When two of them overlap.
    #[must_use]
    pub fn new(mut files: Vec<Arc<SealedFile>>) -> Self {
        files.sort_by_key(|file| file.sealed.name.start);
        let ordered = files.windows(2).all(|pair| pair[0].sealed.end <= pair[1].sealed.name.start);
        assert!(ordered, "sealed files do not overlap");
        LogMap { files }
    }

    /// Gives the map with one more file.
    #[must_use]
    pub fn with(&self, file: Arc<SealedFile>) -> Self {
        let mut files = self.files.clone();
        files.push(file);
        Self::new(files)
    }

    /// Gives the files in order.
    #[must_use]
    pub fn files(&self) -> &[Arc<SealedFile>] {
        &self.files
    }

    fn locate(&self, lsn: Lsn, len: usize) -> Result<&SealedFile> {
        let index = self.files.partition_point(|file| file.sealed.name.start <= lsn);
        let file = index.checked_sub(1).map(|index| &self.files[index]).filter(|file| file.holds(lsn, len));
        file.map(|file| &**file).ok_or_else(|| Error::corrupt("an address points outside the sealed log").with_offset(lsn))
    }

    /// Reads the payload at an address; `None` when the point has none.
    ///
    /// # Errors
    /// `Corrupt` when the address does not name a row or the bytes are not what was written.
    pub fn payload(&self, address: u64) -> Result<Option<String>> {
        let (lsn, row) = payload_place(address);
        let file = self.locate(lsn, RECORD_ALIGN)?;
        let record = file.record(lsn)?;
        if row >= record.head.rows {
            return Err(Error::corrupt("a payload address names no row").with_offset(lsn).with_expected(record.head.rows, row));
        }
        let text = match PayloadBlocks::open(&record) {
            Ok(Some(blocks)) => blocks.row(row),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        text.map_err(|error| error.with_file(&file.path))
    }

    /// Reads the payload at an address like [`LogMap::payload`], for callers that go through a log in its order.
    ///
    /// # Errors
    /// As [`LogMap::payload`].
    pub fn payload_in_order(&self, address: u64, cache: &mut PayloadCache) -> Result<Option<String>> {
        let (lsn, row) = payload_place(address);
        if cache.record != Some(lsn) {
            let file = self.locate(lsn, RECORD_ALIGN)?;
            let record = file.record(lsn)?;
            let texts =
                PayloadBlocks::open(&record).and_then(|blocks| blocks.map_or(Ok(vec![None; record.head.rows]), |blocks| blocks.all()));
            cache.texts = texts.map_err(|error| error.with_file(&file.path))?;
            cache.record = Some(lsn);
        }
        let text = cache.texts.get(row).cloned();
        text.ok_or_else(|| Error::corrupt("a payload address names no row").with_offset(lsn).with_expected(cache.texts.len(), row))
    }

    /// Gives the record that begins at a position.
    ///
    /// # Errors
    /// `Corrupt` when none does.
    pub fn record(&self, lsn: Lsn) -> Result<Record> {
        self.locate(lsn, RECORD_ALIGN)?.record(lsn)
    }
}

impl VectorSource for LogMap {
    fn gather<'a>(&'a self, addresses: &[u64], bytes_per_vector: usize, out: &mut Vec<&'a [u8]>) -> Result<()> {
        for &address in addresses {
            let file = self.locate(address, bytes_per_vector)?;
            out.push(file.vector(address, bytes_per_vector)?);
        }
        Ok(())
    }
}
