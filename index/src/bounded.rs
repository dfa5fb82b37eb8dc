//! Codes that know how wrong they are: rows that cannot be among the nearest are ruled out by reading a byte a dimension.
//!
//! A set of rows is coded once, each dimension over its own range `centre ± 127 step`, so that no value is clipped. A scan gives for
//! each row two bounds of its distance: by the Cauchy–Schwarz inequality over what rounding lost of the row and of the query, plus
//! what the float kernels may lose themselves. Whoever compares every row whose lower bound reaches the `k`-th best upper bound finds
//! the nearest that comparing all rows finds, ties included; in embeddings that is about twice `k` rows.
//!
//! With `r = centre + step · c + lost` and `t = (q - centre) · step = unit · u + rest`, where `c` and `u` are the signed bytes:
//! `(q - centre) · (r - centre) = unit (u · c) + rest · c + t · (lost / step)`.

mod lanes;
mod train;

use crate::codes::nearest_whole;
use crate::metric::{Datatype, Metric};
use crate::simd::{CodeRows, Kernels, ROW_NUMBERS, ZERO_CODE, code_stride};

/// Rows that one kernel call scores.
const BLOCK: usize = ROW_NUMBERS.len();

/// Steps from the centre to each end of a range.
const HALF_STEPS: f32 = 127.0;

/// Distances beyond this are left to who compares vectors: sums on the way to them must stay inside the floats.
const LARGEST: f32 = f32::MAX / 1024.0;

/// Codes of a set of rows, with the bounds of what they lost.
#[derive(Clone, Debug)]
pub struct BoundedCodes {
    metric: Metric,
    dims: usize,
    /// The rows are bytes: each is its own code.
    are_bytes: bool,
    /// One a dimension, and zeros up to the stride.
    centre: Vec<f32>,
    step: Vec<f32>,
    /// Rows of bytes, [`code_stride`] apart; a byte `b` is the signed value `b - 128`.
    codes: Vec<u8>,
    /// Squared lengths of `r - centre`, for `L2` only.
    squares: Vec<f32>,
    /// Bounds over all rows.
    bounds: RowBounds,
}

/// What holds for every row of a set.
#[derive(Clone, Copy, Debug)]
struct RowBounds {
    /// Length of the code's signed values.
    code: f64,
    /// Length of what rounding lost, in steps; for `Manhattan` the sum of what it lost, in the units of the vectors.
    lost: f64,
    /// Length of the row; for `L2` that of `r - centre`; for `Manhattan` the sum of `|r - centre|`.
    row: f64,
}

/// A query made ready for one set of rows.
#[derive(Debug)]
pub struct BoundedQuery<'a> {
    codes: &'a BoundedCodes,
    code: Vec<u8>,
    /// The estimate is `base + unit · (integer distance)`, for `L2` plus the row's square.
    base: f32,
    unit: f32,
    error: f32,
}

impl BoundedCodes {
    /// Codes stored rows of `dims` dimensions; `None` where their numbers are so large, or so small, that floats cannot bound them.
    ///
    /// # Panics
    /// When a row is not of `dims` dimensions, or `dims` is 0 or above [`crate::metric::MAX_DIMS`].
    #[must_use]
    pub fn new(metric: Metric, datatype: Datatype, dims: usize, rows: &[&[u8]]) -> Option<Self> {
        train::encode(metric, datatype, dims, rows)
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.codes.len() / code_stride(self.dims)
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.codes.capacity() + (self.centre.capacity() + self.step.capacity() + self.squares.capacity()) * size_of::<f32>()
    }

    /// Makes a query ready; `None` where no useful bound exists, because its numbers are too large or too small.
    ///
    /// # Panics
    /// When the query is of another number of dimensions.
    #[must_use]
    pub fn query(&self, query: &[f32]) -> Option<BoundedQuery<'_>> {
        assert_eq!(query.len(), self.dims, "dimensions of the query");
        let ready = match self.metric {
            Metric::Dot | Metric::L2 => self.query_by_products(query),
            Metric::Manhattan => self.query_by_differences(query),
        };
        // NaN compares as false.
        ready.filter(|ready| ready.base.abs() < LARGEST && ready.error < LARGEST && ready.unit.abs() < LARGEST)
    }

    fn query_by_products(&self, query: &[f32]) -> Option<BoundedQuery<'_>> {
        let query = self.padded(query);
        let centred: Vec<f32>;
        let moved = match self.metric {
            Metric::L2 => {
                centred = query.iter().zip(&self.centre).map(|(value, centre)| value - centre).collect();
                &centred
            }
            Metric::Dot | Metric::Manhattan => &query,
        };
        let mut weighted: Vec<f32> = moved.iter().zip(&self.step).map(|(value, step)| value * step).collect();
        // Below the normal numbers nothing is left to tell apart: all of it is rest.
        let unit = Some(lanes::largest(&weighted) / HALF_STEPS).filter(|unit| unit.is_normal()).unwrap_or(f32::MIN_POSITIVE);
        let code: Vec<u8> = weighted.iter().map(|value| signed_byte(value / unit)).collect();
        let own = length(moved);
        let weight = length(&weighted);
        // What rounding left.
        weighted.iter_mut().zip(&code).for_each(|(value, byte)| *value -= signed_value(*byte) * unit);
        let lost = (length(&weighted) * self.bounds.code + weight * self.bounds.lost) * (1.0 + 1e-3);
        let row = self.bounds.row;
        let (base, unit, lost, magnitude) = match self.metric {
            // The square of a difference is at most twice the sum of the squares.
            Metric::L2 => (lanes::dot(moved, moved), -2.0 * unit, 2.0 * lost, 2.0 * (own * own + row * row)),
            Metric::Dot | Metric::Manhattan => (-lanes::dot(&query, &self.centre), -unit, lost, own * row),
        };
        let fits = magnitude < f64::from(LARGEST) && (self.metric == Metric::L2 || can_bound(&query));
        let error = lost + self.rounding() * magnitude;
        fits.then_some(BoundedQuery { codes: self, code, base: base as f32, unit, error: error as f32 })
    }

    /// `|q - r|` in each dimension, where the codes of all rows lie between the smallest and the largest byte: what the query lies
    /// beyond them is part of every distance.
    fn query_by_differences(&self, query: &[f32]) -> Option<BoundedQuery<'_>> {
        let query = self.padded(query);
        let step = self.step[0];
        let steps: Vec<f32> = query.iter().zip(&self.centre).map(|(value, centre)| (value - centre) / step).collect();
        let lowest = if self.are_bytes { -128.0 } else { -HALF_STEPS };
        let clamped: Vec<f32> = steps.iter().map(|steps| steps.clamp(lowest, HALF_STEPS)).collect();
        let code: Vec<u8> = clamped.iter().map(|steps| nearest_byte(*steps)).collect();
        // Beyond an end of the range all rows are on one side, and the whole of it is distance.
        let beyond: Vec<f32> = steps.iter().zip(&clamped).map(|(steps, clamped)| (steps - clamped) * step).collect();
        let lost: Vec<f32> = clamped.iter().zip(&code).map(|(steps, byte)| (steps - signed_value(*byte)) * step).collect();
        let magnitude = lanes::magnitude(&steps) * f64::from(step) * (1.0 + 1e-3) + self.bounds.row;
        let error = (lanes::magnitude(&lost) + self.bounds.lost) * (1.0 + 1e-3) + self.rounding() * magnitude;
        let fits = magnitude < f64::from(LARGEST);
        fits.then_some(BoundedQuery { codes: self, code, base: lanes::magnitude(&beyond) as f32, unit: step, error: error as f32 })
    }

    fn padded(&self, query: &[f32]) -> Vec<f32> {
        let mut padded = Vec::with_capacity(self.centre.len());
        padded.extend_from_slice(query);
        padded.resize(self.centre.len(), 0.0);
        padded
    }

    /// What float sums may lose of the sum of their magnitudes, in the exact kernels (32 lanes) and here (16) together.
    fn rounding(&self) -> f64 {
        (self.dims as f64 / 8.0 + 64.0) * f64::from(f32::EPSILON)
    }
}

impl BoundedQuery<'_> {
    /// Goes through the rows in order and gives `visit` the number and the bounds (low, high) of the distance of each that may be as
    /// near as `bar`; what `visit` gives back is the bar from there on.
    pub fn scan(&self, kernels: &Kernels, mut bar: f32, visit: &mut dyn FnMut(u32, f32, f32) -> f32) {
        let codes = self.codes;
        let stride = code_stride(codes.dims);
        let mut distances = [0; BLOCK];
        let mut estimates = [0.0; BLOCK];
        for (number, block) in codes.codes.chunks(BLOCK * stride).enumerate() {
            let rows = CodeRows::new(block, stride);
            let rows = rows.unwrap_or_else(|| unreachable!("whole rows of a valid stride"));
            let (count, first) = (rows.count(), number * BLOCK);
            let (distances, estimates) = (&mut distances[..count], &mut estimates[..count]);
            match codes.metric {
                Metric::Manhattan => kernels.code_sads_in_order(&self.code, rows, distances),
                Metric::Dot | Metric::L2 => kernels.code_dots_in_order(&self.code, rows, distances),
            }
            for (estimate, distance) in estimates.iter_mut().zip(distances.iter()) {
                *estimate = self.base + self.unit * *distance as f32;
            }
            if codes.metric == Metric::L2 {
                estimates.iter_mut().zip(&codes.squares[first..]).for_each(|(estimate, square)| *estimate += square);
            }
            self.visit_near(first, estimates, &mut bar, visit);
        }
    }

    /// As [`BoundedQuery::scan`] of some rows only.
    ///
    /// # Panics
    /// When a row is not below the number of rows.
    pub fn scan_rows(&self, kernels: &Kernels, rows: &[u32], mut bar: f32, visit: &mut dyn FnMut(u32, f32, f32) -> f32) {
        let codes = self.codes;
        let all = CodeRows::new(&codes.codes, code_stride(codes.dims));
        let all = all.unwrap_or_else(|| unreachable!("whole rows of a valid stride"));
        let mut distances = [0; BLOCK];
        for rows in rows.chunks(BLOCK) {
            let distances = &mut distances[..rows.len()];
            match codes.metric {
                Metric::Manhattan => kernels.code_sads(&self.code, all, rows, distances),
                Metric::Dot | Metric::L2 => kernels.code_dots(&self.code, all, rows, distances),
            }
            for (row, distance) in rows.iter().zip(distances.iter()) {
                let square = if codes.metric == Metric::L2 { codes.squares[*row as usize] } else { 0.0 };
                let estimate = self.base + self.unit * *distance as f32 + square;
                if estimate - self.error <= bar {
                    bar = visit(*row, estimate - self.error, estimate + self.error);
                }
            }
        }
    }

    fn visit_near(&self, first: usize, estimates: &[f32], bar: &mut f32, visit: &mut dyn FnMut(u32, f32, f32) -> f32) {
        for (group, part) in estimates.chunks(16).enumerate() {
            // Once the bar is low, hardly a group has a row below it: one look at all of them costs little.
            if part.iter().filter(|estimate| **estimate - self.error <= *bar).count() == 0 {
                continue;
            }
            for (at, estimate) in part.iter().enumerate() {
                let low = estimate - self.error;
                if low <= *bar {
                    *bar = visit((first + group * 16 + at) as u32, low, estimate + self.error);
                }
            }
        }
    }
}

/// Says whether numbers are zero or of a size whose squares and products, and those of their rounding errors, are floats.
fn can_bound(values: &[f32]) -> bool {
    let largest = lanes::largest(values);
    largest == 0.0 || (1e-4..1e12).contains(&largest)
}

/// The byte of the nearest of the signed values -127 to 127.
fn signed_byte(value: f32) -> u8 {
    nearest_byte(value.clamp(-HALF_STEPS, HALF_STEPS))
}

/// The byte of the nearest signed value, for a value from -128 to 127.
#[inline]
fn nearest_byte(value: f32) -> u8 {
    nearest_whole(value) ^ ZERO_CODE
}

fn signed_value(byte: u8) -> f32 {
    f32::from(byte) - f32::from(ZERO_CODE)
}

/// The Euclidean length, rounded up by more than its own sum may lose.
fn length(values: &[f32]) -> f64 {
    lanes::dot(values, values).sqrt() * (1.0 + 1e-3)
}

#[cfg(test)]
mod tests;
