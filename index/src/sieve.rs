//! A sieve: signs of rows, by which most rows that are farther than a bar are left out at the price of a bit a dimension.
//!
//! Unlike [`crate::bounded`] it may err. Of a row near the bar the chance to be left out wrongly is that of an error beyond three deviations to
//! one side; how large a deviation is follows from the random rotation (RaBitQ, Gao and Long, SIGMOD 2024): the part of the query that
//! is at right angles to the row meets what the signs lost of the row in a random direction. Whoever must not miss a row does without.

use std::sync::Arc;

use crate::metric::{Datatype, Metric};
use crate::one_bit::rotation::Rotation;
use crate::one_bit::rows::{self, dot, term_unit};
use crate::one_bit::table::fill_table;
use crate::simd::Kernels;
use crate::simd::bits::{BLOCK_ROWS, BitQuery, BlockEstimates, block_len};

/// Deviations of an estimate that are given to a row before it is left out: one row in 740 at the bar errs by more to one side.
const DEVIATIONS: f32 = 3.0;

/// Decides the rotation; any number does.
const SEED: u64 = 0x5eed_0f51_69c5;

/// Blocks that are estimated together, between two looks at the bar.
const BLOCKS_AT_ONCE: usize = 8;

/// Rows whose mean square distance from an origin is larger than that of the origin's own rows by this factor are better off with another.
const STRAY: f32 = 2.0;

/// Numbers beyond this are left to others: their squares, and sums of those, must be floats.
const LARGEST: f32 = 1e15;

/// Entries that the length of a query may be: a usual one is a few thousand at most.
const ENTRIES_MAX: f32 = 1e6;

/// Where rows are looked at from: a rotation, the mean of some rows, and their usual deviation as the unit. Sets of rows share one, so
/// that a query is made ready once for all.
#[derive(Debug)]
pub struct SieveSpace {
    is_dot: bool,
    dims: usize,
    rotation: Rotation,
    /// The mean, rotated, in units.
    origin: Vec<f32>,
    /// What 1 in the space is in the vectors.
    unit: f32,
}

/// The signs of a set of rows.
#[derive(Debug)]
pub struct Sieve {
    space: Arc<SieveSpace>,
    blocks: Vec<u8>,
    count: usize,
    /// Largest sine of the angle between a row and its signs.
    sine: f32,
}

/// A query made ready for all sets of rows of one space.
#[derive(Debug)]
pub struct SieveQuery {
    space: Arc<SieveSpace>,
    table: Vec<u8>,
    /// What an entry of 1 is worth.
    entry: f32,
    base: f32,
    /// Length of the difference from the origin.
    length: f32,
}

impl SieveSpace {
    /// Makes the space of some rows; `None` for `Manhattan`, which signs say nothing of, and for rows without a usual deviation.
    ///
    /// # Panics
    /// When a row is not of `dims` dimensions.
    #[must_use]
    pub fn new(metric: Metric, datatype: Datatype, dims: usize, rows: &[&[u8]]) -> Option<Self> {
        if metric == Metric::Manhattan || rows.is_empty() {
            return None;
        }
        let mut mean = vec![0.0_f64; dims];
        let mut squares = 0.0;
        let mut values = vec![0.0; dims];
        for row in rows {
            datatype.decode(row, &mut values);
            mean.iter_mut().zip(&values).for_each(|(mean, value)| *mean += f64::from(*value));
        }
        mean.iter_mut().for_each(|mean| *mean /= rows.len() as f64);
        for row in rows {
            datatype.decode(row, &mut values);
            squares += mean.iter().zip(&values).map(|(mean, value)| (f64::from(*value) - mean).powi(2)).sum::<f64>();
        }
        let unit = (squares / (rows.len() * dims) as f64).sqrt() as f32;
        let rotation = Rotation::new(SEED, dims);
        let mut origin: Vec<f32> = mean.iter().map(|mean| (*mean / f64::from(unit)) as f32).collect();
        origin.resize(rotation.dims(), 0.0);
        rotation.apply(&mut origin);
        let fits = (1.0 / LARGEST..LARGEST).contains(&unit) && dot(&origin, &origin) < LARGEST;
        fits.then_some(SieveSpace { is_dot: metric == Metric::Dot, dims, rotation, origin, unit })
    }

    /// Rotates a vector, in units. Its place beside the origin is not looked at yet.
    fn place(&self, vector: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.extend(vector.iter().map(|value| value / self.unit));
        out.resize(self.rotation.dims(), 0.0);
        self.rotation.apply(out);
    }

    /// Makes a query ready; `None` where its numbers are too large.
    ///
    /// # Panics
    /// When the query is of another number of dimensions.
    #[must_use]
    pub fn query(self: &Arc<Self>, query: &[f32]) -> Option<SieveQuery> {
        assert_eq!(query.len(), self.dims, "dimensions of the query");
        let mut placed = Vec::with_capacity(self.rotation.dims());
        self.place(query, &mut placed);
        let along = dot(&placed, &self.origin);
        let centred: Vec<f32> = placed.iter().zip(&self.origin).map(|(value, origin)| value - origin).collect();
        let square = dot(&centred, &centred);
        let (of_table, base) = if self.is_dot { (&placed, -along) } else { (&centred, square) };
        let mut table = Vec::new();
        let entry = fill_table(of_table, &mut table);
        let length = square.sqrt();
        // NaN compares as false. Sums are 32 bits: a query that is tiny beside the origin has entries that its margin does not fit.
        let fits = square < LARGEST && base.abs() < LARGEST && entry.is_normal() && length / entry < ENTRIES_MAX;
        fits.then(|| SieveQuery { space: self.clone(), table, entry, base, length })
    }
}

impl Sieve {
    /// Takes the signs of stored rows; `None` where these lie so far about that a space of their own would suit them better.
    ///
    /// # Panics
    /// When a row is not of the space's dimensions.
    #[must_use]
    pub fn new(space: &Arc<SieveSpace>, datatype: Datatype, rows: &[&[u8]]) -> Option<Self> {
        let padded = space.rotation.dims();
        let mut blocks = vec![0; rows.len().div_ceil(BLOCK_ROWS) * block_len(padded)];
        let (mut values, mut placed) = (vec![0.0; space.dims], Vec::with_capacity(padded));
        let anchor = if space.is_dot { space.origin.clone() } else { vec![0.0; padded] };
        let (mut cosine, mut squares) = (1.0_f32, 0.0);
        for (at, row) in rows.iter().enumerate() {
            datatype.decode(row, &mut values);
            space.place(&values, &mut placed);
            placed.iter_mut().zip(&space.origin).for_each(|(value, origin)| *value -= origin);
            squares += dot(&placed, &placed);
            let block = &mut blocks[at / BLOCK_ROWS * block_len(padded)..][..block_len(padded)];
            cosine = cosine.min(rows::put(&placed, &anchor, space.is_dot, at % BLOCK_ROWS, block));
        }
        let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
        // NaN compares as false.
        let fits = squares <= STRAY * (rows.len() * space.dims) as f32;
        fits.then(|| Sieve { space: space.clone(), blocks, count: rows.len(), sine })
    }

    /// The space that the rows are in.
    #[must_use]
    pub fn space(&self) -> &Arc<SieveSpace> {
        &self.space
    }

    /// Bytes of memory held, without the space that is shared.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.blocks.capacity()
    }
}

impl SieveQuery {
    /// Says whether the query was made ready in the space of a set of rows.
    #[must_use]
    pub fn is_for(&self, sieve: &Sieve) -> bool {
        Arc::ptr_eq(&self.space, &sieve.space)
    }

    /// Goes through the rows in order and gives `visit` the numbers of those that may be as near as `bar`, some at a time; what
    /// `visit` gives back is the bar from there on.
    ///
    /// # Panics
    /// When the rows are in another space.
    pub fn scan(&self, kernels: &Kernels, sieve: &Sieve, mut bar: f32, visit: &mut dyn FnMut(&[u32]) -> f32) {
        assert!(self.is_for(sieve), "a query of the space of the rows");
        let space = &*self.space;
        let padded = space.rotation.dims();
        let factor = if space.is_dot { self.entry } else { 2.0 * self.entry };
        let zero = 128 * (padded / 4) as i32 - self.margin(sieve.sine);
        let query = BitQuery { table: &self.table, zero, factor, term_unit: term_unit(padded) };
        let per_unit = 1.0 / (space.unit * space.unit);
        let mut estimates = [BlockEstimates::NONE; BLOCKS_AT_ONCE];
        let mut near = [0; BLOCKS_AT_ONCE * BLOCK_ROWS];
        for (number, blocks) in sieve.blocks.chunks(BLOCKS_AT_ONCE * block_len(padded)).enumerate() {
            let estimates = &mut estimates[..blocks.len() / block_len(padded)];
            kernels.bit_estimates(&query, blocks, self.base, estimates);
            let highest = bar * per_unit;
            let mut count = 0;
            for (first, lows) in (number * BLOCKS_AT_ONCE..).map(|block| block * BLOCK_ROWS).zip(estimates) {
                if lows.nearest > highest {
                    continue;
                }
                for (row, low) in (first..sieve.count).zip(lows.rows) {
                    near[count] = row as u32;
                    count += usize::from(low <= highest);
                }
            }
            if count > 0 {
                bar = visit(&near[..count]);
            }
        }
    }

    /// What is taken off the sum of an estimate so that it errs to the near side: deviations of the error from the signs of a row, and
    /// from the table's bytes, in entries.
    fn margin(&self, sine: f32) -> i32 {
        let padded = self.space.rotation.dims() as f32;
        let of_signs = self.length / self.entry * sine * (padded / (padded - 1.0)).sqrt();
        let of_table = (padded / 4.0 / 12.0).sqrt();
        (DEVIATIONS * of_signs.hypot(of_table)).ceil() as i32
    }
}

#[cfg(test)]
mod tests;
