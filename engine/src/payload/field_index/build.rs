//! Building the index of one field: row after row in, one block of bytes out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use index::Bitmap;

use super::format::{Parts, Values, encode};
use super::{FieldType, boolean, float, integer, keyword, moment, text};
use crate::payload::path::FieldPath;
use crate::payload::value::{Value, elements};

/// The most bytes of distinct strings, so that offsets fit 32 bits; rows beyond are found through the payload.
const HEAP_BYTES_MAX: usize = u32::MAX as usize;

/// Collects the values of one field over the rows of a segment.
#[derive(Debug)]
pub struct FieldIndexBuilder {
    path: FieldPath,
    kind: FieldType,
    rows: u32,
    next: u32,
    present: Bitmap,
    other: Bitmap,
    null: Bitmap,
    found: Found,
    entries: usize,
    several: bool,
}

/// The values found so far with their rows.
#[derive(Debug)]
enum Found {
    Keys(Vec<(u64, u32)>),
    Words { lists: BTreeMap<String, Vec<u32>>, heap: usize },
}

impl FieldIndexBuilder {
    /// Starts an index over `rows` rows; a row that is never added is one without payload.
    #[must_use]
    pub fn new(path: &FieldPath, kind: FieldType, rows: u32) -> FieldIndexBuilder {
        let found = match kind {
            FieldType::Keyword | FieldType::Uuid | FieldType::Text => Found::Words { lists: BTreeMap::new(), heap: 0 },
            FieldType::Integer | FieldType::Float | FieldType::Bool | FieldType::Datetime | FieldType::Geo => Found::Keys(Vec::new()),
        };
        let set = Bitmap::new(rows);
        FieldIndexBuilder {
            path: path.clone(),
            kind,
            rows,
            next: 0,
            present: set.clone(),
            other: set.clone(),
            null: set,
            found,
            entries: 0,
            several: false,
        }
    }

    /// Adds a row with its payload.
    ///
    /// # Panics
    /// When `row` is not above the row added before and below the number of rows.
    pub fn add(&mut self, row: u32, payload: Option<&str>) {
        assert!(row >= self.next && row < self.rows, "row {row} of {} is added after row {}", self.rows, self.next);
        self.next = row + 1;
        let Some(payload) = payload else { return };
        let kind = self.kind;
        let seen = match &mut self.found {
            Found::Keys(pairs) => {
                let (seen, keys) = look(&self.path, payload, |leaf, keys| {
                    let key = match kind {
                        FieldType::Integer => integer::key(leaf),
                        FieldType::Float => float::key(leaf),
                        FieldType::Bool => boolean::key(leaf),
                        FieldType::Datetime => moment::key(leaf),
                        // No key says where a place lies: every row with a value is found through its payload.
                        FieldType::Geo | FieldType::Keyword | FieldType::Uuid | FieldType::Text => None,
                    };
                    keys.extend(key);
                    key.is_some()
                });
                let keys = keys.filter(|keys| fits(self.entries, keys.len()));
                seen.with(keys.map(|keys| {
                    pairs.extend(keys.iter().map(|key| (*key, row)));
                    keys.len()
                }))
            }
            Found::Words { lists, heap } => {
                let (seen, words) = look(&self.path, payload, |leaf, words| match (kind, keyword::key(leaf)) {
                    (FieldType::Text, _) => text::add_words(leaf, words),
                    (_, word) => {
                        let is_kept = word.is_some();
                        words.extend(word.map(|word| word.into_owned()));
                        is_kept
                    }
                });
                let grown = |words: &[String]| -> usize { words.iter().filter(|word| !lists.contains_key(*word)).map(String::len).sum() };
                let words = words.filter(|words| fits(self.entries, words.len()) && *heap + grown(words) <= HEAP_BYTES_MAX);
                seen.with(words.map(|words| {
                    let count = words.len();
                    for word in words {
                        let length = word.len();
                        let list = lists.entry(word).or_default();
                        *heap += if list.is_empty() { length } else { 0 };
                        list.push(row);
                    }
                    count
                }))
            }
        };
        self.present.set(row, seen.value);
        self.null.set(row, seen.null);
        self.other.set(row, seen.entries.is_none());
        self.entries += seen.entries.unwrap_or(0);
        self.several |= seen.entries.is_some_and(|count| count > 1);
    }

    /// Gives the bytes of the index: the same rows, the same bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut starts = vec![0];
        let mut entries = Vec::with_capacity(self.entries);
        let values = match self.found {
            Found::Keys(mut pairs) => {
                pairs.sort_unstable();
                let mut keys = Vec::new();
                for group in pairs.chunk_by(|a, b| a.0 == b.0) {
                    keys.push(group[0].0);
                    entries.extend(group.iter().map(|(_, row)| *row));
                    starts.push(entries.len() as u32);
                }
                Values::Keys(keys)
            }
            Found::Words { lists, heap } => {
                let mut offsets = vec![0];
                let mut bytes = Vec::with_capacity(heap);
                for (word, rows) in lists {
                    bytes.extend_from_slice(word.as_bytes());
                    offsets.push(bytes.len() as u32);
                    entries.extend(rows);
                    starts.push(entries.len() as u32);
                }
                Values::Words(offsets, bytes)
            }
        };
        assert_eq!(entries.len(), self.entries, "every value that was added is written");
        encode(&Parts {
            kind: self.kind,
            several: self.several,
            rows: self.rows,
            path: &self.path,
            sets: [&self.present, &self.other, &self.null],
            values,
            starts,
            entries,
        })
    }
}

/// Offsets of entries and values are 32 bits wide.
fn fits(entries: usize, more: usize) -> bool {
    entries + more < u32::MAX as usize
}

/// What a row holds at the path.
struct Seen {
    /// A value that is neither null nor an empty array.
    value: bool,
    /// A value that is null, or an array that holds null.
    null: bool,
    /// Entries that the row adds; none when the index cannot describe it.
    entries: Option<usize>,
}

impl Seen {
    fn with(self, entries: Option<usize>) -> Seen {
        Seen { entries, ..self }
    }
}

/// Looks at the values of a row once; also gives its distinct keys, ascending, unless a value cannot be described by keys. `add` adds the
/// keys of a value and says whether they describe it.
fn look<K: Ord>(path: &FieldPath, payload: &str, add: impl Fn(Value<'_>, &mut Vec<K>) -> bool) -> (Seen, Option<Vec<K>>) {
    let mut seen = Seen { value: false, null: false, entries: None };
    let mut keys = Some(Vec::new());
    // No test of a value passes null, so null needs no key.
    let mut put = |leaf: Value<'_>| {
        let is_described = leaf == Value::Null || keys.as_mut().is_none_or(|keys| add(leaf, keys));
        if !is_described {
            keys = None;
        }
    };
    // The visit never breaks off, so there is nothing to learn from how it ends.
    let _ = path.values_at(payload, &mut |value| {
        match value {
            Value::Null => seen.null = true,
            Value::Array(array) => elements(array).for_each(|element| {
                seen.value = true;
                seen.null |= element == Value::Null;
                put(element);
            }),
            leaf => {
                seen.value = true;
                put(leaf);
            }
        }
        ControlFlow::Continue(())
    });
    if let Some(keys) = &mut keys {
        keys.sort_unstable();
        keys.dedup();
    }
    (seen, keys)
}
