//! Sealed log files: read by address, each granule checked the first time this process touches it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use platform::fs::{File, FileSystem, Mapping, OpenMode};

use super::file::LSN_MAX;
use super::payload_blocks::PayloadBlocks;
use super::record::{RECORD_ALIGN, Record, RecordHead};
use super::residency::{LazyFile, LazySource, fetch};
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

/// Which bytes were checked: one bit for each 64. No two sections of a record share 64 bytes.
#[derive(Debug)]
pub(super) struct Checked(Box<[AtomicU64]>);

impl Checked {
    /// Begins with nothing checked of `len` bytes.
    pub(super) fn new(len: u64) -> Self {
        let words = len.div_ceil(RECORD_ALIGN as u64).div_ceil(64);
        Checked((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    /// Finds the first 64 bytes of a stretch that were not checked; gives their offset.
    #[inline]
    fn first_unchecked(&self, range: &Range<u64>) -> Option<u64> {
        let mut unit = range.start / RECORD_ALIGN as u64;
        while unit * (RECORD_ALIGN as u64) < range.end {
            if self.0[(unit / 64) as usize].load(Ordering::Relaxed) >> (unit % 64) & 1 == 0 {
                return Some(unit * RECORD_ALIGN as u64);
            }
            unit += 1;
        }
        None
    }

    /// Asks the CPU to bring near what is known of an offset.
    fn prefetch(&self, offset: u64) {
        if let Some(word) = self.0.get((offset / (64 * RECORD_ALIGN as u64)) as usize) {
            index::simd::prefetch_value(word);
        }
    }

    /// Says whether a whole stretch was checked.
    pub(super) fn all(&self, range: &Range<u64>) -> bool {
        self.first_unchecked(range).is_none()
    }

    /// Notes a granule as checked: it begins and ends on 64-byte bounds, or what is behind it is padding.
    pub(super) fn mark(&self, range: &Range<u64>) {
        for unit in range.start / RECORD_ALIGN as u64..range.end.div_ceil(RECORD_ALIGN as u64) {
            self.0[(unit / 64) as usize].fetch_or(1 << (unit % 64), Ordering::Relaxed);
        }
    }
}

/// One sealed file, mapped.
#[derive(Debug)]
pub struct SealedFile {
    /// Its name and end.
    pub sealed: SealedName,
    path: PathBuf,
    map: Mapping,
    checked: Checked,
    /// Positions of the records, relative to the start; found at the first touch.
    records: OnceLock<Result<Vec<u32>>>,
    /// What reads a file that is not whole here; everything above is not used then.
    lazy: Option<LazyFile>,
}

impl SealedFile {
    /// Maps a file of the log that will not change any more.
    ///
    /// # Errors
    /// `Corrupt` when the file is shorter than its range or its header is wrong, `Io` when it cannot be opened.
    pub fn open(fs: &dyn FileSystem, dir: &Path, sealed: SealedName) -> Result<Self> {
        let path = sealed.name.path(dir);
        let file = open_whole(fs, &path, sealed, OpenMode::Read)?;
        let checked = Checked::new(sealed.end - sealed.name.start);
        Ok(SealedFile { sealed, path, map: file.map()?, checked, records: OnceLock::new(), lazy: None })
    }

    /// Maps a file whose bytes are not all here. Nothing of it is believed before it was fetched; only a `writer` puts what comes into it.
    ///
    /// # Errors
    /// As [`SealedFile::open`].
    pub fn open_lazy(fs: &dyn FileSystem, dir: &Path, sealed: SealedName, source: &LazySource, writer: bool) -> Result<Self> {
        let path = sealed.name.path(dir);
        let file = open_whole(fs, &path, sealed, if writer { OpenMode::ReadWrite } else { OpenMode::Read })?;
        let map = file.map()?;
        let lazy = LazyFile::new(sealed, &path, source, map.clone(), writer.then_some(file));
        Ok(SealedFile { sealed, path, map, checked: Checked::new(0), records: OnceLock::new(), lazy: Some(lazy) })
    }

    /// Gives what there is to know of a file that is not whole here; `None` for an ordinary one.
    #[must_use]
    pub fn lazy(&self) -> Option<&LazyFile> {
        self.lazy.as_ref()
    }

    /// Gives the file's records as one piece, without the file header; what is missing of a lazy file is fetched.
    ///
    /// # Errors
    /// Of a lazy file only: those of its source.
    pub fn record_bytes(&self) -> Result<Bytes> {
        if let Some(lazy) = &self.lazy {
            return lazy.bytes();
        }
        let from = self.sealed.name.header_len() as usize;
        Ok(self.map.bytes(from..from + (self.sealed.end - self.sealed.name.start) as usize))
    }

    /// Hashes the file's records.
    ///
    /// # Errors
    /// As [`SealedFile::record_bytes`].
    pub fn hash(&self) -> Result<Hash> {
        Ok(Hash::of(&self.record_bytes()?))
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

    /// Asks the CPU to bring near what tells whether a position was checked, and the bytes there.
    fn prefetch(&self, lsn: Lsn) {
        if self.lazy.is_none() {
            self.checked.prefetch(lsn - self.sealed.name.start);
            index::simd::prefetch(&self.map, self.sealed.name.offset(lsn) as usize);
        }
    }

    /// Gives a vector's bytes, checked.
    fn vector(&self, lsn: Lsn, len: usize) -> Result<&[u8]> {
        if let Some(lazy) = &self.lazy {
            return lazy.vector(lsn, len);
        }
        let mut rest = lsn - self.sealed.name.start..lsn - self.sealed.name.start + len as u64;
        while let Some(unit) = self.checked.first_unchecked(&rest) {
            // A vector may begin behind the first of its 64 bytes.
            rest.start = rest.start.max(unit);
            self.check(self.sealed.name.start + rest.start)?;
        }
        Ok(self.slice(lsn, len))
    }

    /// Checks the granule that holds a position and remembers it.
    fn check(&self, at: Lsn) -> Result<()> {
        let head = self.head_at(at)?;
        let (from, to) = head
            .check_granule(self.slice(head.lsn, head.record_len), at)
            .map_err(|error| error.with_file(&self.path).with_offset(self.sealed.name.offset(at)))?;
        self.checked.mark(&(from - self.sealed.name.start..to - self.sealed.name.start));
        Ok(())
    }

    /// Gives the whole record that begins at a position.
    ///
    /// # Errors
    /// `Corrupt` when its head is not what was written; of a lazy file those of its source.
    pub fn record(&self, start: Lsn) -> Result<Record> {
        if let Some(lazy) = &self.lazy {
            return lazy.record(start);
        }
        let head = self.head_of(start)?;
        let from = self.sealed.name.offset(start) as usize;
        Ok(Record { bytes: self.map.bytes(from..from + head.record_len), head })
    }

    /// Reads something from the payload of the record that begins at a position; errors name the file.
    fn payload<T>(&self, start: Lsn, read: &dyn Fn(&Record) -> Result<T>) -> Result<T> {
        match &self.lazy {
            Some(lazy) => lazy.payload(start, read),
            None => read(&self.record(start)?).map_err(|error| error.with_file(&self.path)),
        }
    }
}

/// Opens a sealed file and checks its header and its length.
fn open_whole(fs: &dyn FileSystem, path: &Path, sealed: SealedName, mode: OpenMode) -> Result<Arc<dyn File>> {
    let file = fs.open(path, mode)?;
    sealed.name.check_header(&*file)?;
    let (len, expected) = (file.len()?, sealed.name.offset(sealed.end));
    if len < expected {
        let error = Error::corrupt("the log file is cut off").with_file(path).with_offset(len);
        return Err(error.with_expected(format!("{expected} bytes"), len));
    }
    Ok(file)
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
    /// Whether some of them are not whole here.
    is_lazy: bool,
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
        let is_lazy = files.iter().any(|file| file.lazy.is_some());
        LogMap { files, is_lazy }
    }

    /// Gives the map with one more file.
    #[must_use]
    pub fn with(&self, file: Arc<SealedFile>) -> Self {
        let mut files = self.files.clone();
        files.push(file);
        Self::new(files)
    }

    /// Gives the map without the files that begin at some positions, and those files.
    #[must_use]
    pub fn without(&self, starts: &[Lsn]) -> (Self, Vec<Arc<SealedFile>>) {
        let (gone, files) = self.files.iter().cloned().partition(|file| starts.contains(&file.sealed.name.start));
        (Self::new(files), gone)
    }

    /// Gives the map with a file in the place of the one of the same name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn replaced(&self, file: Arc<SealedFile>) -> Self {
        let mut files = self.files.clone();
        let place = files.iter_mut().find(|old| old.sealed == file.sealed);
        *place.expect("a file takes the place of one that is there") = file;
        Self::new(files)
    }

    /// Says whether some files are not whole on the local disk.
    #[must_use]
    pub fn is_lazy(&self) -> bool {
        self.is_lazy
    }

    /// Gives the files in order.
    #[must_use]
    pub fn files(&self) -> &[Arc<SealedFile>] {
        &self.files
    }

    /// Fetches what a gather needs of lazy files, as little and as few times as that takes.
    fn bring(&self, addresses: &[u64], len: usize) -> Result<()> {
        let mut wanted: BTreeMap<Lsn, (&LazyFile, Vec<Range<Lsn>>)> = BTreeMap::new();
        for &address in addresses {
            if let Some(lazy) = self.locate(address, len)?.lazy() {
                let (_, ranges) = wanted.entry(lazy.start()).or_insert_with(|| (lazy, Vec::new()));
                lazy.wants(address, len, ranges);
            }
        }
        let wanted: Vec<_> = wanted.into_values().map(|(lazy, ranges)| (lazy.residency(), ranges)).collect();
        fetch::bring(&wanted)
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
        self.locate(lsn, RECORD_ALIGN)?.payload(lsn, &|record| {
            if row >= record.head.rows {
                return Err(Error::corrupt("a payload address names no row").with_offset(lsn).with_expected(record.head.rows, row));
            }
            PayloadBlocks::open(record)?.map_or(Ok(None), |blocks| blocks.row(row))
        })
    }

    /// Reads the payload at an address like [`LogMap::payload`], for callers that go through a log in its order.
    ///
    /// # Errors
    /// As [`LogMap::payload`].
    pub fn payload_in_order(&self, address: u64, cache: &mut PayloadCache) -> Result<Option<String>> {
        let (lsn, row) = payload_place(address);
        if cache.record != Some(lsn) {
            cache.texts = self
                .locate(lsn, RECORD_ALIGN)?
                .payload(lsn, &|record| PayloadBlocks::open(record)?.map_or(Ok(vec![None; record.head.rows]), |blocks| blocks.all()))?;
            cache.record = Some(lsn);
        }
        let text = cache.texts.get(row).cloned();
        text.ok_or_else(|| Error::corrupt("a payload address names no row").with_offset(lsn).with_expected(cache.texts.len(), row))
    }

    /// Gives what a payload of the record at a position takes, about; 0 where that cannot be said from what is here.
    #[must_use]
    pub fn payload_share(&self, lsn: Lsn) -> u64 {
        let file = self.locate(lsn, RECORD_ALIGN).ok().filter(|file| file.lazy.is_none());
        file.and_then(|file| file.head_of(lsn).ok()).map_or(0, |head| head.payload_share())
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
        if self.is_lazy {
            self.bring(addresses, bytes_per_vector)?;
        }
        // Two looks: what the second reads is on its way while the first goes on.
        for &address in addresses {
            self.locate(address, bytes_per_vector)?.prefetch(address);
        }
        for &address in addresses {
            let file = self.locate(address, bytes_per_vector)?;
            out.push(file.vector(address, bytes_per_vector)?);
        }
        Ok(())
    }
}
