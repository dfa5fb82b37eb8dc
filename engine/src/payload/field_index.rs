//! An immutable index of one field over the rows of a segment: which rows hold which values there.
//!
//! It describes a row fully or not at all. Rows it cannot describe (a value of another type, an object, a string above 64 KiB) are
//! kept in a set of their own, which every answer gives back as "may hold". So an answer is exact for every other row.

mod boolean;
mod build;
mod float;
mod format;
mod integer;
mod keyword;
mod moment;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use index::Bitmap;
use serde::{Deserialize, Serialize};

pub use build::FieldIndexBuilder;
pub use format::{FIELD_INDEX_MAGIC, FIELD_INDEX_VERSION};
pub use keyword::KEYWORD_BYTES_MAX;

use super::filter::{Bounds, Candidates, Test};
use super::path::FieldPath;
use crate::{Error, Result};
use format::Layout;

/// What an index of a field holds; values of other types are found through the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Strings.
    Keyword,
    /// Integers from -2^63 to 2^63-1.
    Integer,
    /// Numbers that an `f64` holds exactly, and those that were written as fractions.
    Float,
    /// Truth values.
    Bool,
    /// Strings that say a date or a moment, as microseconds UTC.
    Datetime,
    /// Strings, kept as they are written like those of a keyword.
    Uuid,
    /// The words of strings.
    Text,
    /// Places. They are not kept: filters on the field are answered from the payloads of the rows that have a value.
    Geo,
}

impl FieldType {
    /// Every type.
    pub const ALL: [FieldType; 8] = [
        FieldType::Keyword,
        FieldType::Integer,
        FieldType::Float,
        FieldType::Bool,
        FieldType::Datetime,
        FieldType::Uuid,
        FieldType::Text,
        FieldType::Geo,
    ];

    /// Names the type as users write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FieldType::Keyword => "keyword",
            FieldType::Integer => "integer",
            FieldType::Float => "float",
            FieldType::Bool => "bool",
            FieldType::Datetime => "datetime",
            FieldType::Uuid => "uuid",
            FieldType::Text => "text",
            FieldType::Geo => "geo",
        }
    }

    /// Says whether the values of an index are strings, and not keys of 8 bytes.
    fn holds_words(self) -> bool {
        matches!(self, FieldType::Keyword | FieldType::Uuid | FieldType::Text)
    }

    /// Reads the name of a type.
    ///
    /// # Errors
    /// `InvalidInput` on any other text.
    pub fn parse(name: &str) -> Result<FieldType> {
        FieldType::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            Error::invalid("unknown type of a field index").with_expected(
                "keyword, integer, float, bool, datetime, uuid, text or geo",
                format!("\"{}\"", name.chars().take(80).collect::<String>().escape_debug()),
            )
        })
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An open index over its bytes; nothing is copied or built.
#[derive(Debug, Clone)]
pub struct FieldIndex {
    bytes: Bytes,
    layout: Layout,
    path: FieldPath,
}

/// Values that answer a test, as ranges of places in the sorted list of distinct values.
#[derive(Debug, Default, PartialEq)]
struct Spans {
    /// These pass the test.
    sure: Vec<Range<u32>>,
    /// The index does not keep what tells whether these pass.
    maybe: Vec<Range<u32>>,
}

impl Spans {
    fn sure(spans: impl IntoIterator<Item = Range<u32>>) -> Spans {
        Spans { sure: spans.into_iter().collect(), maybe: Vec::new() }
    }
}

impl FieldIndex {
    /// Opens an index; the sizes of its parts are checked, the parts themselves are not read.
    ///
    /// Corrupted bytes that pass give wrong rows, never a panic: checksums belong to the file around the index.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are no index or of the wrong length, `NewerFormat` on a version or type that is not known.
    pub fn open(bytes: Bytes) -> Result<FieldIndex> {
        let (layout, path) = format::decode(&bytes)?;
        Ok(FieldIndex { bytes, layout, path })
    }

    /// The field.
    #[must_use]
    pub fn path(&self) -> &FieldPath {
        &self.path
    }

    /// What the index holds.
    #[must_use]
    pub fn field_type(&self) -> FieldType {
        self.layout.kind
    }

    /// Number of rows of the segment, those without the field included.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.layout.rows
    }

    /// Number of rows that have a value at the path which is neither null nor an empty array.
    #[must_use]
    pub fn rows_with_value(&self) -> u32 {
        self.layout.present_count
    }

    /// Number of distinct values in the index.
    #[must_use]
    pub fn distinct_values(&self) -> u32 {
        self.layout.distinct
    }

    /// Finds the rows that pass a test of this field; `None` when the index tells nothing about it, or its bytes contradict themselves.
    #[must_use]
    pub fn candidates(&self, test: &Test) -> Option<Candidates> {
        match test {
            Test::IsEmpty => {
                let mut sure = Bitmap::full(self.layout.rows);
                sure.and_not(&self.bitmap(&self.layout.present)?);
                Some(Candidates { sure, maybe: Bitmap::new(self.layout.rows) })
            }
            Test::IsNull => {
                let sure = self.bitmap(&self.layout.null)?;
                let mut maybe = Bitmap::new(self.layout.rows);
                if !self.layout.knows_inner_nulls {
                    maybe.or(&self.bitmap(&self.layout.present)?);
                    maybe.and_not(&sure);
                }
                Some(Candidates { sure, maybe })
            }
            _ => {
                let spans = self.spans(test)?;
                let mut sure = Bitmap::new(self.layout.rows);
                self.add_rows(&spans.sure, &mut sure)?;
                let mut maybe = self.bitmap(&self.layout.other)?;
                self.add_rows(&spans.maybe, &mut maybe)?;
                maybe.and_not(&sure);
                Some(Candidates { sure, maybe })
            }
        }
    }

    /// Bounds the number of rows that pass a test from the lengths of the lists alone; `None` as for [`FieldIndex::candidates`].
    #[must_use]
    pub fn estimate_test(&self, test: &Test) -> Option<Bounds> {
        let rows = self.layout.rows as usize;
        match test {
            Test::IsEmpty => Some(Bounds::exactly(rows.checked_sub(self.layout.present_count as usize)?)),
            Test::IsNull => {
                let least = self.layout.null_count as usize;
                let more = if self.layout.knows_inner_nulls { 0 } else { self.layout.present_count as usize };
                Some(Bounds { least, most: rows.min(least + more).max(least) })
            }
            _ => {
                let spans = self.spans(test)?;
                let mut least = 0;
                let mut most = self.layout.other_count as usize;
                for span in &spans.sure {
                    let length = self.postings(span)?.len() / 4;
                    most += length;
                    // A row with several values may stand in several lists, so only one list bounds from below.
                    match self.layout.several {
                        false => least += length,
                        true if span.len() == 1 => least = least.max(length),
                        true => {}
                    }
                }
                for span in &spans.maybe {
                    most += self.postings(span)?.len() / 4;
                }
                let most = most.min(rows);
                Some(Bounds { least: least.min(most), most })
            }
        }
    }

    /// Reads the whole index and checks that its parts agree, for a verification that looks behind the checksums.
    ///
    /// # Errors
    /// `Corrupt` with the first contradiction.
    pub fn verify(&self) -> Result<()> {
        let corrupt = |what: &str| Err(Error::corrupt(format!("field index of \"{}\": {what}", self.path)));
        let (Some(present), Some(other), Some(null)) =
            (self.bitmap(&self.layout.present), self.bitmap(&self.layout.other), self.bitmap(&self.layout.null))
        else {
            return corrupt("a set of rows holds rows beyond the last");
        };
        if [&present, &other, &null].map(Bitmap::count) != [self.layout.present_count, self.layout.other_count, self.layout.null_count] {
            return corrupt("a set of rows differs from its count");
        }
        if !self.values_ascend() {
            return corrupt("the values do not ascend");
        }
        let mut behind = 0;
        let mut seen = Bitmap::new(self.layout.rows);
        for value in 0..self.layout.distinct {
            let span = value..value + 1;
            let Some(rows) = self.postings(&span).filter(|rows| !rows.is_empty()) else {
                return corrupt("the rows of a value are missing");
            };
            behind += rows.len();
            let mut last = None;
            for row in format::numbers(rows) {
                if row >= self.layout.rows || last.is_some_and(|last| last >= row) || other.get(row) {
                    return corrupt("the rows of a value do not ascend, or are beyond the last, or are said not to be described");
                }
                if !present.get(row) || (seen.get(row) && !self.layout.several) {
                    return corrupt("a row has a value and is said to have none, or several and is said to have one");
                }
                seen.set(row, true);
                last = Some(row);
            }
        }
        if behind != self.layout.postings.len() { corrupt("there are rows without a value") } else { Ok(()) }
    }

    fn values_ascend(&self) -> bool {
        let mut pairs = (1..self.layout.distinct).map(|value| (value - 1, value));
        match self.layout.kind.holds_words() {
            true => {
                let words = self.layout.words(&self.bytes);
                pairs.all(|(a, b)| words.get(a) < words.get(b))
            }
            false => {
                let keys = self.layout.keys(&self.bytes);
                pairs.all(|(a, b)| keys.get(a) < keys.get(b))
            }
        }
    }

    /// Finds the values that pass; `None` where values do not tell.
    fn spans(&self, test: &Test) -> Option<Spans> {
        // How many values a row has is not kept.
        if matches!(test, Test::ValuesCount(_)) {
            return None;
        }
        let keys = || self.layout.keys(&self.bytes);
        let words = || self.layout.words(&self.bytes);
        match self.layout.kind {
            FieldType::Keyword | FieldType::Uuid => Some(keyword::spans(&words(), test)),
            FieldType::Integer => Some(integer::spans(&keys(), test)),
            FieldType::Float => Some(float::spans(&keys(), test)),
            FieldType::Bool => Some(boolean::spans(&keys(), test)),
            FieldType::Datetime => Some(moment::spans(&keys(), test)),
            FieldType::Text => text::spans(&words(), test, |span| self.postings(span).map_or(0, <[u8]>::len)),
            FieldType::Geo => Some(Spans::default()),
        }
    }

    fn bitmap(&self, section: &Range<usize>) -> Option<Bitmap> {
        Bitmap::from_bytes(self.bytes.get(section.clone())?, self.layout.rows)
    }

    fn postings(&self, span: &Range<u32>) -> Option<&[u8]> {
        self.layout.postings_of(&self.bytes, span)
    }

    fn add_rows(&self, spans: &[Range<u32>], set: &mut Bitmap) -> Option<()> {
        for span in spans {
            for row in format::numbers(self.postings(span)?) {
                if row >= self.layout.rows {
                    return None;
                }
                set.set(row, true);
            }
        }
        Some(())
    }
}

/// Gives the first place from which on `before` is false; it must be true for a beginning of `0..count` only.
fn first_not(count: u32, before: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Makes a range of one place each; neighbours join.
fn joined(places: impl IntoIterator<Item = u32>) -> Vec<Range<u32>> {
    let mut spans: Vec<Range<u32>> = Vec::new();
    for place in places {
        match spans.last_mut() {
            Some(last) if last.end == place => last.end += 1,
            _ => spans.push(place..place + 1),
        }
    }
    spans
}

/// Gives what of `0..count` lies between ascending ranges.
fn gaps(count: u32, spans: &[Range<u32>]) -> Vec<Range<u32>> {
    let starts = std::iter::once(0).chain(spans.iter().map(|span| span.end));
    let ends = spans.iter().map(|span| span.start).chain([count]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty()).collect()
}
