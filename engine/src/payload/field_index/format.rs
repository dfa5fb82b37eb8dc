//! The bytes of a field index, little-endian: written whole, read where they lie.
//!
//! | part | bytes |
//! | --- | --- |
//! | magic, version u16, type u8, flags u8 (1: some row has several values) | 12 |
//! | rows, distinct values, entries, rows with a value, rows not described, rows that hold null, length of the path: u32 each | 28 |
//! | length of the strings u64 | 8 |
//! | path of the field, UTF-8 | its length |
//! | rows with a value, rows not described, rows that hold null: a bitmap of u64 words each | 8 x ceil(rows / 64) each |
//! | values, ascending: keys u64; for strings: offsets u32, one more than values, and the strings themselves | 8 or 4 each |
//! | offset of each value's rows in the entries, and the end of the last: u32 each | 4 x (values + 1) |
//! | entries: the rows of each value, ascending: u32 each | 4 x entries |
//!
//! Each part behind the header begins at a multiple of 8; the bytes between are zero.
//!
//! Types are 1 keyword, 2 integer, 3 float, 4 bool, 5 datetime (keys as of integers, microseconds UTC), 6 uuid (as keyword), 7 text (the
//! words of the strings as strings) and 8 geo (no values). In version 2 a row holds null where a value is null or an array with null in
//! it; in version 1, which knew the types 1 to 4, only where a value is null itself.

use std::ops::Range;

use super::{FieldType, first_not};
use crate::codec::{Reader, Writer};
use crate::payload::path::FieldPath;
use crate::{Error, ErrorKind, Result};

/// The first eight bytes of a field index.
pub const FIELD_INDEX_MAGIC: [u8; 8] = *b"VECFIDX\0";
/// Version of the format.
pub const FIELD_INDEX_VERSION: u16 = 2;
/// The version in which null within an array did not count.
const VERSION_WITHOUT_INNER_NULLS: u16 = 1;
const HEADER_LEN: usize = 48;
const FLAG_SEVERAL: u8 = 1;
const _: () = assert!(8 + 2 + 1 + 1 + 7 * 4 + 8 == HEADER_LEN && HEADER_LEN.is_multiple_of(8));

/// Everything an index consists of, ready to be written.
pub(super) struct Parts<'a> {
    pub kind: FieldType,
    pub several: bool,
    pub rows: u32,
    pub path: &'a FieldPath,
    /// Rows with a value, rows not described, rows that hold null.
    pub sets: [&'a index::Bitmap; 3],
    pub values: Values,
    /// Where each value's rows begin in the entries, and the end of the last.
    pub starts: Vec<u32>,
    pub entries: Vec<u32>,
}

/// The distinct values of an index, ascending.
pub(super) enum Values {
    Keys(Vec<u64>),
    /// Offsets into the strings, one more than there are values.
    Words(Vec<u32>, Vec<u8>),
}

/// Where the parts of an open index lie.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub kind: FieldType,
    /// Whether the rows that hold null are all that do, or only those with a value that is null itself.
    pub knows_inner_nulls: bool,
    pub several: bool,
    pub rows: u32,
    pub distinct: u32,
    pub present_count: u32,
    pub other_count: u32,
    pub null_count: u32,
    pub present: Range<usize>,
    pub other: Range<usize>,
    pub null: Range<usize>,
    /// Keys, or the offsets of strings.
    values: Range<usize>,
    heap: Range<usize>,
    starts: Range<usize>,
    pub postings: Range<usize>,
}

/// Writes an index.
pub(super) fn encode(parts: &Parts<'_>) -> Vec<u8> {
    let path = parts.path.to_string();
    let (distinct, heap) = match &parts.values {
        Values::Keys(keys) => (keys.len(), 0),
        Values::Words(offsets, heap) => (offsets.len() - 1, heap.len()),
    };
    assert_eq!(parts.starts.len(), distinct + 1, "each value has a beginning, and the last an end");
    let mut out = Writer::new();
    out.bytes(&FIELD_INDEX_MAGIC);
    out.u16(FIELD_INDEX_VERSION);
    out.u8(type_code(parts.kind));
    out.u8(if parts.several { FLAG_SEVERAL } else { 0 });
    out.u32(parts.rows);
    // The builder stops describing rows before a count could exceed 32 bits.
    out.u32(distinct as u32);
    out.u32(parts.entries.len() as u32);
    parts.sets.iter().for_each(|set| out.u32(set.count()));
    out.u32(path.len() as u32);
    out.u64(heap as u64);
    assert_eq!(out.len(), HEADER_LEN, "the header has its length");
    out.bytes(path.as_bytes());
    out.pad_to(8);
    parts.sets.iter().for_each(|set| out.bytes(&set.to_bytes()));
    match &parts.values {
        Values::Keys(keys) => keys.iter().for_each(|key| out.u64(*key)),
        Values::Words(offsets, heap) => {
            offsets.iter().for_each(|offset| out.u32(*offset));
            out.pad_to(8);
            out.bytes(heap);
            out.pad_to(8);
        }
    }
    parts.starts.iter().for_each(|start| out.u32(*start));
    out.pad_to(8);
    parts.entries.iter().for_each(|row| out.u32(*row));
    out.pad_to(8);
    out.into_bytes()
}

/// Reads the header and finds the parts.
pub(super) fn decode(bytes: &[u8]) -> Result<(Layout, FieldPath)> {
    let mut header = Reader::new(bytes);
    if header.array::<8>()? != FIELD_INDEX_MAGIC {
        return Err(Error::corrupt("the bytes are no field index").with_offset(0));
    }
    let version = header.u16()?;
    if ![VERSION_WITHOUT_INNER_NULLS, FIELD_INDEX_VERSION].contains(&version) {
        return Err(newer("version", FIELD_INDEX_VERSION, version));
    }
    let code = header.u8()?;
    let Some(kind) = FieldType::ALL.into_iter().find(|kind| type_code(*kind) == code) else {
        return Err(newer("type", type_code(FieldType::Geo).into(), code.into()));
    };
    let flags = header.u8()?;
    if flags & !FLAG_SEVERAL != 0 {
        return Err(newer("set of flags", FLAG_SEVERAL.into(), flags.into()));
    }
    let rows = header.u32()?;
    let (distinct, entries) = (header.u32()?, header.u32()?);
    let (present_count, other_count, null_count) = (header.u32()?, header.u32()?, header.u32()?);
    let path_len = header.u32()?;
    let heap_len = header.u64()?;
    let mut parts = Carver { at: HEADER_LEN, len: bytes.len() };
    let path = parts.next(u64::from(path_len))?;
    let words = u64::from(rows).div_ceil(64) * 8;
    let (present, other, null) = (parts.next(words)?, parts.next(words)?, parts.next(words)?);
    let values = parts.next(if kind.holds_words() { (u64::from(distinct) + 1) * 4 } else { u64::from(distinct) * 8 })?;
    let heap = parts.next(if kind.holds_words() { heap_len } else { 0 })?;
    let starts = parts.next((u64::from(distinct) + 1) * 4)?;
    let postings = parts.next(u64::from(entries) * 4)?;
    if parts.at != bytes.len() {
        return Err(Error::corrupt("a field index has the wrong length").with_expected(parts.at, bytes.len()));
    }
    let path = std::str::from_utf8(&bytes[path]).ok().and_then(|text| FieldPath::parse(text).ok());
    let path = path.ok_or_else(|| Error::corrupt("the path of a field index is no path").with_offset(HEADER_LEN as u64))?;
    let several = flags & FLAG_SEVERAL != 0;
    Ok((
        Layout {
            kind,
            knows_inner_nulls: version != VERSION_WITHOUT_INNER_NULLS,
            several,
            rows,
            distinct,
            present_count,
            other_count,
            null_count,
            present,
            other,
            null,
            values,
            heap,
            starts,
            postings,
        },
        path,
    ))
}

fn type_code(kind: FieldType) -> u8 {
    match kind {
        FieldType::Keyword => 1,
        FieldType::Integer => 2,
        FieldType::Float => 3,
        FieldType::Bool => 4,
        FieldType::Datetime => 5,
        FieldType::Uuid => 6,
        FieldType::Text => 7,
        FieldType::Geo => 8,
    }
}

fn newer(what: &str, known: u16, got: u16) -> Error {
    Error::new(ErrorKind::NewerFormat, format!("a field index has a {what} that this version does not know"))
        .with_expected(format!("at most {known}"), got)
        .with_hint("open the data with the version that wrote it, or a later one")
}

/// Cuts the bytes behind the header into parts, each at a multiple of 8.
struct Carver {
    at: usize,
    len: usize,
}

impl Carver {
    fn next(&mut self, len: u64) -> Result<Range<usize>> {
        let here = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len)?.checked_next_multiple_of(8).map(|next| (len, next)));
        match here {
            Some((len, next)) if next <= self.len => {
                let part = self.at..self.at + len;
                self.at = next;
                Ok(part)
            }
            _ => Err(Error::corrupt("a field index ends too early")
                .with_offset(self.at as u64)
                .with_expected(format!("{len} more bytes"), self.len.saturating_sub(self.at))),
        }
    }
}

impl Layout {
    /// Shows the values of an index that does not hold strings.
    pub(super) fn keys<'a>(&self, bytes: &'a [u8]) -> Keys<'a> {
        Keys { bytes: bytes.get(self.values.clone()).unwrap_or_default() }
    }

    /// Shows the values of an index of strings.
    pub(super) fn words<'a>(&self, bytes: &'a [u8]) -> Words<'a> {
        Words {
            count: self.distinct,
            offsets: bytes.get(self.values.clone()).unwrap_or_default(),
            heap: bytes.get(self.heap.clone()).unwrap_or_default(),
        }
    }

    /// Shows the entries of a range of values; `None` when the offsets do not ascend within the entries.
    pub(super) fn postings_of<'a>(&self, bytes: &'a [u8], span: &Range<u32>) -> Option<&'a [u8]> {
        let starts = bytes.get(self.starts.clone())?;
        let (from, to) = (u32_in(starts, span.start)? as usize, u32_in(starts, span.end)? as usize);
        bytes.get(self.postings.clone())?.get(from.checked_mul(4)?..to.checked_mul(4)?)
    }
}

/// Reads the 32-bit numbers of a part one after the other.
pub(super) fn numbers(part: &[u8]) -> impl Iterator<Item = u32> + '_ {
    part.as_chunks::<4>().0.iter().map(|raw| u32::from_le_bytes(*raw))
}

fn u32_in(part: &[u8], at: u32) -> Option<u32> {
    part.as_chunks::<4>().0.get(at as usize).map(|raw| u32::from_le_bytes(*raw))
}

/// The distinct values of an index as sorted keys.
pub(super) struct Keys<'a> {
    bytes: &'a [u8],
}

impl Keys<'_> {
    pub(super) fn count(&self) -> u32 {
        // A count of 32 bits said how long this part is.
        (self.bytes.len() / 8) as u32
    }

    /// Gives a value; zero beyond the last.
    pub(super) fn get(&self, place: u32) -> u64 {
        self.bytes.as_chunks::<8>().0.get(place as usize).map_or(0, |raw| u64::from_le_bytes(*raw))
    }

    /// Gives the first place from which on `before` is false.
    pub(super) fn first_not(&self, before: impl Fn(u64) -> bool) -> u32 {
        first_not(self.count(), |place| before(self.get(place)))
    }

    pub(super) fn find(&self, key: u64) -> Option<u32> {
        let place = self.first_not(|other| other < key);
        (place < self.count() && self.get(place) == key).then_some(place)
    }
}

/// The distinct values of an index as sorted strings.
pub(super) struct Words<'a> {
    count: u32,
    offsets: &'a [u8],
    heap: &'a [u8],
}

impl<'a> Words<'a> {
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Gives the bytes of a string; none where the offsets contradict themselves.
    pub(super) fn get(&self, place: u32) -> Option<&'a [u8]> {
        let (from, to) = (u32_in(self.offsets, place)?, u32_in(self.offsets, place.checked_add(1)?)?);
        self.heap.get(from as usize..to as usize)
    }

    pub(super) fn find(&self, word: &str) -> Option<u32> {
        let word = word.as_bytes();
        let place = first_not(self.count, |place| self.get(place) < Some(word));
        (place < self.count && self.get(place) == Some(word)).then_some(place)
    }
}
