//! Lists as bytes, read in place. The envelope around them, with checksums, belongs to the caller.
//!
//! | offset | bytes | content |
//! | ---: | ---: | --- |
//! | 0 | 4 | version, `u32` |
//! | 4 | 4 | 1 where distances are inner products, 0 where they are Euclidean, `u32` |
//! | 8 | 4 | dimensions of the vectors, `u32`; *padded* is this, rounded up to 64 |
//! | 12 | 4 | lists, `u32` |
//! | 16 | 4 | rows, `u32` |
//! | 20 | 4 | key bound, `u32`: all keys are below |
//! | 24 | 8 | seed of the rotation, `u64` |
//! | 32 | 4 | origin: what is taken off each dimension of a vector, `f32` |
//! | 36 | 4 | unit: what it is divided by then, `f32` |
//! | 40 | 24 | zero |
//! | 64 | 4 a padded dimension | mean of the rotated rows, `f32` |
//! | then | padded a list | centres, less the mean: a byte stands for itself less 128 |
//! | then | 4 a list | squared length of each centre, `i32` |
//! | then | 4 a list | rows of this list and all before, `u32` |
//! | then | 4 padded + 256 for 32 rows | blocks of rows, list after list; a block may hold the end of a list and the beginning of the next |
//!
//! All little-endian. Sections begin at multiples of 64 from the start, with zeros before them. A block is what
//! `simd/bits.rs` says: signs, 32 scales, 32 terms (halves), 32 keys (`u32`); a place behind the last row has key `0xffff_ffff` and
//! zeros otherwise. With the difference `r` of a row from its centre `c`, its signs `s` and their sum `|r|`: the scale is `f = r r / |r|`,
//! the term `r r + 2 f (s c)`, or `f (s c') - r c'` for inner products with the centre before centring `c'`, in units of the
//! smallest power of two that is at least `2 padded`.

use super::encode::NO_KEY;
use super::kmeans::Centres;
use super::space::Space;
use crate::codes::LayoutError;
use crate::hnsw::MAX_NODES;
use crate::metric::MAX_DIMS;
use crate::one_bit::rotation::{Rotation, padded};
use crate::simd::CodeRows;
use crate::simd::bits::{BLOCK_ROWS, block_len, signs_len};
use std::ops::Range;

/// Version of the layout.
pub(super) const VERSION: u32 = 1;

/// Most lists.
pub(super) const LISTS_MAX: u32 = 1 << 16;

/// Bytes before the mean.
pub(super) const HEADER_BYTES: usize = 64;

const ALIGN: usize = 64;
const SEED_AT: usize = 24;
const ORIGIN_AT: usize = SEED_AT + 8;
const UNIT_AT: usize = ORIGIN_AT + 4;
const RESERVED_AT: usize = UNIT_AT + 4;
const _: () = assert!(RESERVED_AT + 24 == HEADER_BYTES && HEADER_BYTES.is_multiple_of(ALIGN));

/// Where the sections of lists lie.
#[derive(Clone, Debug)]
struct Sections {
    mean: Range<usize>,
    centres: Range<usize>,
    norms: Range<usize>,
    ends: Range<usize>,
    blocks: Range<usize>,
}

impl Sections {
    /// `None` when the sizes do not fit this machine's memory.
    fn new(padded: usize, lists: usize, rows: usize) -> Option<Self> {
        let mut end = HEADER_BYTES;
        let mut section = |items: usize, item_bytes: usize| {
            let start = end.checked_next_multiple_of(ALIGN)?;
            end = start.checked_add(items.checked_mul(item_bytes)?)?;
            Some(start..end)
        };
        Some(Sections {
            mean: section(padded, 4)?,
            centres: section(lists, padded)?,
            norms: section(lists, 4)?,
            ends: section(lists, 4)?,
            blocks: section(rows.div_ceil(BLOCK_ROWS), block_len(padded))?,
        })
    }
}

/// Everything before the blocks.
pub(super) fn head(space: &Space, centres: &Centres, seed: u64, ends: &[u32], key_bound: u32) -> Vec<u8> {
    let rows = ends.last().copied().unwrap_or(0);
    let sections =
        Sections::new(space.padded(), centres.count(), rows as usize).unwrap_or_else(|| panic!("lists of {rows} rows do not fit memory"));
    let mut bytes = Vec::with_capacity(sections.blocks.end);
    for field in [VERSION, u32::from(space.dot), space.dims as u32, centres.count() as u32, rows, key_bound] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(&seed.to_le_bytes());
    bytes.extend_from_slice(&space.origin.to_le_bytes());
    bytes.extend_from_slice(&space.unit.to_le_bytes());
    bytes.resize(sections.mean.start, 0);
    bytes.extend(space.mean.iter().flat_map(|value| value.to_le_bytes()));
    bytes.resize(sections.centres.start, 0);
    bytes.extend_from_slice(&centres.codes);
    bytes.resize(sections.norms.start, 0);
    bytes.extend(centres.norms.iter().flat_map(|norm| norm.to_le_bytes()));
    bytes.resize(sections.ends.start, 0);
    bytes.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
    bytes.resize(sections.blocks.start, 0);
    bytes
}

/// What the head of checked lists says, and where their sections lie: kept beside the bytes, it spares checking them again.
#[derive(Clone, Debug)]
pub struct ListsShape {
    space: Space,
    seed: u64,
    lists: u32,
    rows: u32,
    key_bound: u32,
    sections: Sections,
}

impl ListsShape {
    /// Reads and checks the head of lists over `rows` rows.
    ///
    /// # Errors
    ///
    /// When the bytes are of another version, too short or too long, or contradict themselves.
    pub fn parse(bytes: &[u8], rows: usize) -> Result<Self, LayoutError> {
        let found = bytes.len() as u64;
        let too_short = LayoutError::Length { expected: HEADER_BYTES as u64, found };
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(too_short)?;
        let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
        let [version, dot, dims, lists, row_count, key_bound] = [0, 4, 8, 12, 16, 20].map(|at| u32::from_le_bytes(word(at)));
        if version != VERSION {
            return Err(LayoutError::Version { found: version, known: VERSION });
        }
        if row_count as usize != rows || rows > MAX_NODES || key_bound < row_count || key_bound == NO_KEY {
            return Err(LayoutError::Field("number of rows of the lists is not that of its codes"));
        }
        if dot > 1 || dims == 0 || dims as usize > MAX_DIMS || lists == 0 || lists > LISTS_MAX {
            return Err(LayoutError::Field("metric, dimensions or number of lists are out of range"));
        }
        let (origin, unit) = (f32::from_le_bytes(word(ORIGIN_AT)), f32::from_le_bytes(word(UNIT_AT)));
        if !origin.is_finite() || !unit.is_normal() || unit < 0.0 || header[RESERVED_AT..].iter().any(|byte| *byte != 0) {
            return Err(LayoutError::Field("origin, unit or reserved bytes of the lists are out of range"));
        }
        let sections =
            Sections::new(padded(dims as usize), lists as usize, rows).ok_or(LayoutError::Field("sizes of the lists do not fit memory"))?;
        if found != sections.blocks.end as u64 {
            return Err(LayoutError::Length { expected: sections.blocks.end as u64, found });
        }
        let mean: Vec<f32> = bytes[sections.mean.clone()].as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
        if mean.iter().any(|value| !value.is_finite()) {
            return Err(LayoutError::Field("mean of the lists is not a number"));
        }
        let seed = u64::from(u32::from_le_bytes(word(SEED_AT))) | u64::from(u32::from_le_bytes(word(SEED_AT + 4))) << 32;
        let rotation = Rotation::new(seed, dims as usize);
        let space = Space { dot: dot == 1, dims: dims as usize, rotation, origin, unit, mean };
        let shape = ListsShape { space, seed, lists, rows: row_count, key_bound, sections };
        let view = shape.view(bytes);
        if !view.ends.iter().is_sorted_by_key(|end| u32::from_le_bytes(*end)) || view.list(lists - 1).end != rows {
            return Err(LayoutError::Field("ends of the lists do not ascend to the number of rows"));
        }
        Ok(shape)
    }

    /// Borrows the lists from their bytes, which must be those that the shape was read from.
    ///
    /// # Panics
    ///
    /// When `bytes` have another length.
    #[must_use]
    pub fn view<'a>(&'a self, bytes: &'a [u8]) -> ListsView<'a> {
        assert_eq!(bytes.len(), self.sections.blocks.end, "the bytes that the shape was read from");
        ListsView {
            shape: self,
            centres: &bytes[self.sections.centres.clone()],
            norms: bytes[self.sections.norms.clone()].as_chunks().0,
            ends: bytes[self.sections.ends.clone()].as_chunks().0,
            blocks: &bytes[self.sections.blocks.clone()],
        }
    }
}

/// Lists, borrowed from their bytes.
///
/// Parsing checks the head, not the blocks: a search leaves out keys that are not below the bound, and
/// [`crate::ivf::check`] finds them.
#[derive(Clone, Copy, Debug)]
pub struct ListsView<'a> {
    shape: &'a ListsShape,
    centres: &'a [u8],
    norms: &'a [[u8; 4]],
    ends: &'a [[u8; 4]],
    blocks: &'a [u8],
}

impl<'a> ListsView<'a> {
    /// Number of lists.
    #[must_use]
    pub fn list_count(&self) -> u32 {
        self.shape.lists
    }

    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> u32 {
        self.shape.rows
    }

    /// Dimensions of the vectors.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.shape.space.dims
    }

    /// Whether distances are inner products.
    #[must_use]
    pub fn is_dot(&self) -> bool {
        self.shape.space.dot
    }

    /// All keys are below.
    #[must_use]
    pub fn key_bound(&self) -> u32 {
        self.shape.key_bound
    }

    /// The keys of all rows, list after list.
    pub fn keys(&self) -> impl Iterator<Item = u32> + use<'a> {
        let view = *self;
        (0..self.row_count() as usize).map(move |place| view.key(place))
    }

    pub(super) fn seed(&self) -> u64 {
        self.shape.seed
    }

    pub(super) fn space(&self) -> &'a Space {
        &self.shape.space
    }

    pub(super) fn centres(&self) -> &'a [u8] {
        self.centres
    }

    pub(super) fn centre_rows(&self) -> CodeRows<'a> {
        let stride = self.shape.space.padded();
        CodeRows::new(self.centres, stride).unwrap_or_else(|| panic!("centres of {stride} bytes"))
    }

    #[inline]
    pub(super) fn norm(&self, list: u32) -> i32 {
        i32::from_le_bytes(self.norms[list as usize])
    }

    /// The places of the rows of a list.
    pub(super) fn list(&self, list: u32) -> Range<usize> {
        let end = |list: usize| u32::from_le_bytes(self.ends[list]) as usize;
        let start = if list == 0 { 0 } else { end(list as usize - 1) };
        start..end(list as usize)
    }

    /// The bytes of a range of blocks.
    pub(super) fn blocks(&self, range: Range<usize>) -> &'a [u8] {
        let size = block_len(self.shape.space.padded());
        &self.blocks[range.start * size..range.end * size]
    }

    /// The key of the row at a place, whatever it is.
    #[inline]
    pub(super) fn key(&self, place: usize) -> u32 {
        let padded = self.shape.space.padded();
        let at = place / BLOCK_ROWS * block_len(padded) + signs_len(padded) + BLOCK_ROWS * 4 + place % BLOCK_ROWS * 4;
        let bytes = &self.blocks[at..at + 4];
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_the_same_numbers() {
        let document = include_str!("../../../docs/format/segment.md");
        let rows: Vec<Vec<&str>> = document
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        for (name, at) in [
            ("VERSION", 0),
            ("METRIC", 4),
            ("DIMS", 8),
            ("LISTS", 12),
            ("ROWS", 16),
            ("KEY_BOUND", 20),
            ("SEED", SEED_AT),
            ("ORIGIN", ORIGIN_AT),
            ("UNIT", UNIT_AT),
            ("RESERVED", RESERVED_AT),
            ("MEAN", HEADER_BYTES),
        ] {
            let offset = rows.iter().find(|row| row[0] == name).map(|row| row[1].to_owned());
            assert_eq!(offset, Some(at.to_string()), "{name}");
        }
        let version = rows.iter().find(|row| row[0] == "VERSION").map(|row| row[3].to_owned());
        assert_eq!((version, block_len(64)), (Some(VERSION.to_string()), 4 * 64 + 256));
        assert!(document.contains(&format!("number of lists, 1 to {LISTS_MAX}")));
    }
}
