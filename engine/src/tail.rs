//! The rows that no segment covers yet: whole records in memory, found by id, each part with a mark of when it ended.

mod append_list;
pub mod codes;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::error::{Error, Result};
use crate::ids::{Lsn, PointId};
use crate::log::payload_blocks::PayloadBlocks;
use crate::log::record::{ROW_HAS_POINT, ROW_REPLACES, Record, SectionKind};
use crate::log::sealed::payload_address;
use crate::schema::Schema;
use append_list::AppendList;
use codes::{Chunk, Open, Spaces};

/// A row of the tail: the number of its record (rising through the collection's life in memory) and the row there.
pub type TailPlace = (u32, u32);

/// An upsert record of the tail.
#[derive(Debug)]
pub struct TailRecord {
    /// The record.
    pub record: Arc<Record>,
    /// Its ids, one a row.
    pub ids: Vec<PointId>,
    flags: Vec<u8>,
    /// Vectors of part i at `parts[i - 1]`.
    parts: Vec<TailPart>,
    has_payload: Vec<bool>,
    /// Marks, row by row and within a row part by part: 0 while alive, else the LSN of the record that ended it.
    marks: Box<[AtomicU64]>,
    /// The tail's previous row of the same point.
    previous: Vec<Option<TailPlace>>,
}

/// Where the vectors of one part lie in a record.
#[derive(Debug)]
struct TailPart {
    offset: usize,
    bytes_per_vector: usize,
    /// Rank among the present ones of each row that has the vector; `None`: every row has it.
    ranks: Option<Vec<Option<u32>>>,
    present: bool,
}

impl TailRecord {
    /// Opens an upsert record.
    ///
    /// # Errors
    /// `Corrupt` when the record's sections do not fit the schema.
    pub fn open(record: Arc<Record>, schema: &Schema) -> Result<Self> {
        let rows = record.head.rows;
        let ids = record.ids()?;
        let flags = match record.checked(SectionKind::RowFlags, 0)? {
            None => vec![ROW_HAS_POINT | ROW_REPLACES; rows],
            Some(flags) if flags.len() == rows => flags.to_vec(),
            Some(flags) => return Err(misfit(&record, "row flags", rows, flags.len())),
        };
        let parts = (1..schema.parts()).map(|part| TailPart::open(&record, schema, part)).collect::<Result<Vec<_>>>()?;
        let has_payload = PayloadBlocks::open(&record)?.map_or_else(|| vec![false; rows], |blocks| blocks.presence());
        let marks = (0..rows * schema.parts()).map(|_| AtomicU64::new(0)).collect();
        Ok(TailRecord { ids, flags, parts, has_payload, marks, previous: vec![None; rows], record })
    }

    /// Gives the record's position.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.record.head.lsn
    }

    /// Gives the number of rows.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.ids.len() as u32
    }

    /// Gives the number of named vectors that its rows can have.
    fn vectors(&self) -> usize {
        self.parts.len()
    }

    /// Says whether a row replaces the whole point.
    #[must_use]
    pub fn replaces(&self, row: u32) -> bool {
        self.flags[row as usize] & ROW_REPLACES != 0
    }

    /// Says whether a row carries a part.
    #[must_use]
    pub fn has(&self, part: usize, row: u32) -> bool {
        match part.checked_sub(1) {
            None => self.flags[row as usize] & ROW_HAS_POINT != 0,
            Some(index) => self.parts[index].rank(row).is_some(),
        }
    }

    /// Says whether a row's point has a payload.
    #[must_use]
    pub fn has_payload(&self, row: u32) -> bool {
        self.has_payload[row as usize]
    }

    /// Gives the stored bytes of a row's vector.
    #[must_use]
    pub fn vector(&self, part: usize, row: u32) -> Option<&[u8]> {
        let place = &self.parts[part - 1];
        let from = place.offset + place.rank(row)? as usize * place.bytes_per_vector;
        Some(&self.record.bytes[from..from + place.bytes_per_vector])
    }

    /// Gives the address under which a part of a row is found in the log.
    #[must_use]
    pub fn address(&self, part: usize, row: u32) -> Option<u64> {
        if part == 0 {
            return self.has(0, row).then(|| payload_address(self.lsn(), row as usize));
        }
        let place = &self.parts[part - 1];
        place.rank(row).map(|rank| self.lsn() + (place.offset + rank as usize * place.bytes_per_vector) as u64)
    }

    /// Reads a row's payload.
    ///
    /// # Errors
    /// `Corrupt` when memory does not hold what was written.
    pub fn payload(&self, row: u32) -> Result<Option<String>> {
        if !self.has_payload(row) {
            return Ok(None);
        }
        PayloadBlocks::open(&self.record)?.map_or(Ok(None), |blocks| blocks.row(row as usize))
    }

    fn mark_of(&self, part: usize, row: u32) -> &AtomicU64 {
        &self.marks[row as usize * (self.parts.len() + 1) + part]
    }

    /// Ends a part of a row; says whether it was alive.
    pub fn mark(&self, part: usize, row: u32, lsn: Lsn) -> bool {
        assert!(lsn >= self.lsn(), "a row is ended by a later record");
        self.has(part, row) && self.mark_of(part, row).compare_exchange(0, lsn, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Gives the LSN of the record that ended a part of a row, or 0.
    #[must_use]
    pub fn ended(&self, part: usize, row: u32) -> Lsn {
        self.mark_of(part, row).load(Ordering::Acquire)
    }

    /// Says whether a part of a row is seen by a version that ends at `lsn_end`.
    #[must_use]
    pub fn is_visible(&self, part: usize, row: u32, lsn_end: Lsn) -> bool {
        let mark = self.ended(part, row);
        self.lsn() < lsn_end && self.has(part, row) && (mark == 0 || mark >= lsn_end)
    }
}

impl TailPart {
    fn open(record: &Record, schema: &Schema, part: usize) -> Result<Self> {
        let bytes_per_vector = schema.vector(part).bytes_per_vector();
        let rows = record.head.rows;
        let section = record.head.section(SectionKind::Vectors, part as u16);
        let ranks = match record.checked(SectionKind::Presence, part as u16)? {
            None => None,
            Some(bits) if bits.len() == rows.div_ceil(8) => Some(ranks(bits, rows)),
            Some(bits) => return Err(misfit(record, "presence", rows.div_ceil(8), bits.len())),
        };
        let count = ranks.as_ref().map_or(rows, |ranks| ranks.iter().flatten().count());
        let (offset, len) = section.map_or((0, 0), |s| (s.offset, s.len));
        let expected = if section.is_none() && ranks.is_none() { 0 } else { count * bytes_per_vector };
        if len != expected {
            return Err(misfit(record, "vectors", expected, len));
        }
        Ok(TailPart { offset, bytes_per_vector, ranks, present: section.is_some() })
    }

    fn rank(&self, row: u32) -> Option<u32> {
        match &self.ranks {
            None => self.present.then_some(row),
            Some(ranks) => ranks[row as usize],
        }
    }
}

fn ranks(bits: &[u8], rows: usize) -> Vec<Option<u32>> {
    let mut next = 0;
    (0..rows)
        .map(|row| {
            (bits[row / 8] >> (row % 8) & 1 == 1).then(|| {
                next += 1;
                next - 1
            })
        })
        .collect()
}

fn misfit(record: &Record, what: &str, expected: usize, got: usize) -> Error {
    Error::corrupt(format!("the {what} of a record do not fit the schema")).with_offset(record.head.lsn).with_expected(expected, got)
}

/// The rows of the log behind the last segment.
#[derive(Debug)]
pub struct Tail {
    /// Position at which it begins.
    pub start: Lsn,
    /// Number of its first record.
    base: u32,
    records: AppendList<Arc<TailRecord>>,
    newest: RwLock<HashMap<PointId, TailPlace>>,
    /// The rows in full chunks, without gaps from the first row on.
    chunks: AppendList<Arc<Chunk>>,
    /// The rows behind them; only the one writer takes it.
    open: Mutex<Open>,
    spaces: Spaces,
}

impl Tail {
    /// Starts empty at a position.
    #[must_use]
    pub fn new(start: Lsn) -> Self {
        Self::starting(start, 0, HashMap::new(), Spaces::default())
    }

    fn starting(start: Lsn, base: u32, newest: HashMap<PointId, TailPlace>, spaces: Spaces) -> Self {
        let open = Mutex::new(Open::at((base, 0)));
        Tail { start, base, records: AppendList::new(), newest: RwLock::new(newest), chunks: AppendList::new(), open, spaces }
    }

    /// Gives the number that the next record will have.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        self.base + self.records.len() as u32
    }

    /// Gives the number of the first record.
    #[must_use]
    pub fn first_number(&self) -> u32 {
        self.base
    }

    /// Adds a record, which only the one writer does.
    ///
    /// # Panics
    /// When the record does not lie behind those that are there.
    pub fn push(&self, mut record: TailRecord) -> Arc<TailRecord> {
        let number = self.next_number();
        let last = self.records.len().checked_sub(1).and_then(|index| self.records.get(index));
        assert!(record.lsn() >= last.map_or(self.start, |last| last.lsn() + 1), "the tail grows in log order");
        let mut newest = self.newest.write();
        for (row, id) in record.ids.iter().enumerate() {
            record.previous[row] = newest.insert(*id, (number, row as u32));
        }
        let record = Arc::new(record);
        self.records.push(record.clone());
        self.open.lock().add(number, &record, &mut |chunk| self.chunks.push(Arc::new(chunk)));
        record
    }

    /// Gives the record of a number, unless a segment covers it already.
    #[must_use]
    pub fn record(&self, number: u32) -> Option<&Arc<TailRecord>> {
        number.checked_sub(self.base).and_then(|index| self.records.get(index as usize))
    }

    /// Says whether the tail has a row of a point, dead or alive: most points of an import are new, and one look is enough for them.
    #[must_use]
    pub fn knows(&self, id: &PointId) -> bool {
        self.newest.read().contains_key(id)
    }

    /// Finds the row that holds a part of a point, as a version that ends at `lsn_end` sees it.
    #[must_use]
    pub fn find(&self, id: &PointId, part: usize, lsn_end: Lsn) -> Option<(&Arc<TailRecord>, u32)> {
        let mut place = self.newest.read().get(id).copied();
        while let Some((number, row)) = place {
            let record = self.record(number)?;
            if record.is_visible(part, row, lsn_end) {
                return Some((record, row));
            }
            place = record.previous[row as usize];
        }
        None
    }

    /// Gives the tail that is left once everything below `start` is covered by a segment.
    #[must_use]
    pub fn rest(&self, start: Lsn) -> Tail {
        let covered = (0..self.records.len()).take_while(|&index| self.records.get(index).is_some_and(|r| r.lsn() < start)).count();
        let base = self.base + covered as u32;
        let newest = self.newest.read().iter().filter(|(_, place)| place.0 >= base).map(|(id, place)| (*id, *place)).collect();
        let rest = Tail::starting(start, base, newest, self.spaces.same());
        for chunk in self.chunks().filter(|chunk| chunk.to > (base, 0)) {
            rest.chunks.push(chunk.without(base));
        }
        let is_chunked = rest.chunks.len() > 0;
        let mut open = if is_chunked { *self.open.lock() } else { Open::at((base, 0)) };
        for number in base..self.next_number() {
            if let Some(record) = self.record(number) {
                rest.records.push(record.clone());
                if !is_chunked {
                    open.add(number, record, &mut |chunk| rest.chunks.push(Arc::new(chunk)));
                }
            }
        }
        *rest.open.lock() = open;
        rest
    }

    /// Gives the full chunks, in order.
    pub fn chunks(&self) -> impl Iterator<Item = &Arc<Chunk>> + '_ {
        (0..self.chunks.len()).map_while(|index| self.chunks.get(index))
    }

    /// Gives the rows from one place up to another: the number of each record, the record, and its rows.
    pub fn spans(&self, from: TailPlace, to: TailPlace) -> impl Iterator<Item = (u32, &Arc<TailRecord>, Range<u32>)> + '_ {
        (from.0..=to.0).filter_map(move |number| {
            let record = self.record(number)?;
            let first = if number == from.0 { from.1 } else { 0 };
            let end = if number == to.0 { to.1 } else { record.rows() };
            Some((number, record, first..end))
        })
    }

    /// Gives the bytes of memory that codes take.
    #[must_use]
    pub fn code_bytes(&self) -> u64 {
        self.chunks().map(|chunk| chunk.memory_bytes()).sum()
    }
}
