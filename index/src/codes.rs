//! 8-bit scalar codes: what the walk compares instead of full vectors.
//!
//! A code byte `c` stands for the signed value `c - 128`. `U8` vectors are their own codes (lossless);
//! float vectors are rounded to 254 steps over a range that training chooses. A *code distance* is an
//! `i32`, smaller is nearer, the same on every machine: `Dot` the negated inner product of the values,
//! `L2` the sum of squared differences, `Manhattan` the sum of absolute differences. It orders rows; it
//! is not in the units of the exact distance.

mod buffer;
mod coarse;
pub mod layout;
#[cfg(test)]
mod tests;
mod train;
mod view;

pub use buffer::CodesBuf;
pub(crate) use coarse::{PackedRows, packed_stride};
pub use layout::LayoutError;
pub use view::{CodeQuery, CodesView};

use crate::metric::{Datatype, MAX_DIMS, Metric};
use crate::simd::{ZERO_CODE, code_stride};

/// How vectors become codes: decided once for a set of rows, stored with them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CodeParams {
    metric: Metric,
    datatype: Datatype,
    centre: f32,
    step: f32,
}

/// A query in the form of a code row, with its share of the distance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryCode {
    code: Vec<u8>,
    term: i32,
}

impl QueryCode {
    /// The form that kernels take.
    #[must_use]
    pub fn as_query(&self) -> CodeQuery<'_> {
        CodeQuery { code: &self.code, term: self.term }
    }
}

/// Steps from the middle code to the smallest and the largest.
const HALF_STEPS: f32 = 127.0;

/// A query whose largest value has fewer steps is coded more coarsely than it need be.
const FEW_STEPS: f32 = 64.0;

/// Bytes of [`CodeParams`] when stored.
pub const PARAMS_BYTES: usize = 32;

/// Version of the stored parameters and of the layout around them.
pub const VERSION: u32 = 1;

impl CodeParams {
    /// Chooses the range from a sample of stored rows, the same for the same rows in the same order.
    ///
    /// The range is the one that loses least over the sample: squared error of clipping and rounding to whole codes and to their upper halves.
    /// Values that are not finite are left out; an empty sample gives a usable range around zero.
    ///
    /// # Panics
    ///
    /// When a row is not a whole number of dimensions.
    #[must_use]
    pub fn train(metric: Metric, datatype: Datatype, sample: &[&[u8]]) -> Self {
        let (centre, step) = match datatype {
            Datatype::U8 => (f32::from(ZERO_CODE), 1.0),
            Datatype::F32 | Datatype::F16 => train::range(metric, &train::values(datatype, sample)),
        };
        assert!(centre.is_finite() && step.is_finite() && step > 0.0, "range {centre} by {step}");
        CodeParams { metric, datatype, centre, step }
    }

    /// The metric that the codes are for.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The datatype of the rows that were coded.
    #[must_use]
    pub fn datatype(&self) -> Datatype {
        self.datatype
    }

    /// The value that a signed code of zero stands for, and what one step adds to it.
    pub(crate) fn centre_and_step(&self) -> (f32, f32) {
        (self.centre, self.step)
    }

    /// True when codes carry a term a row beside the bytes (4 bytes more).
    #[must_use]
    pub fn has_terms(&self) -> bool {
        match self.metric {
            Metric::L2 => true,
            Metric::Dot => self.datatype == Datatype::U8,
            Metric::Manhattan => false,
        }
    }

    /// Appends the code of a stored row, padded to [`code_stride`].
    ///
    /// # Panics
    ///
    /// When the row is empty, not a whole number of dimensions, or has more than [`MAX_DIMS`].
    pub fn encode(&self, row: &[u8], out: &mut Vec<u8>) {
        let size = self.datatype.bytes_per_dim();
        assert!(row.len().is_multiple_of(size), "a row of {} bytes", row.len());
        let dims = checked_dims(row.len() / size);
        let end = out.len() + code_stride(dims);
        if self.datatype == Datatype::U8 {
            out.extend_from_slice(row);
        } else {
            let mut values = [0.0; 64];
            for part in row.chunks(64 * size) {
                let values = &mut values[..part.len() / size];
                self.datatype.decode(part, values);
                out.extend(values.iter().map(|value| self.code(*value)));
            }
        }
        out.resize(end, ZERO_CODE);
    }

    /// The code of a query vector.
    ///
    /// # Panics
    ///
    /// When the query is empty or has more than [`MAX_DIMS`] dimensions.
    #[must_use]
    pub fn encode_query(&self, query: &[f32]) -> QueryCode {
        let dims = checked_dims(query.len());
        let mut code = Vec::with_capacity(code_stride(dims));
        match (self.datatype, self.metric) {
            (Datatype::U8, _) => Datatype::U8.encode(query, &mut code),
            (_, Metric::Dot) => {
                let own = self.own_range(query);
                let best = own.as_ref().unwrap_or(self);
                code.extend(query.iter().map(|value| best.query_code(*value)));
            }
            (_, Metric::L2 | Metric::Manhattan) => code.extend(query.iter().map(|value| self.query_code(*value))),
        }
        code.resize(code_stride(dims), ZERO_CODE);
        let term = self.term(&code[..dims]);
        QueryCode { code, term }
    }

    /// The parameters as stored bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PARAMS_BYTES] {
        let mut bytes = [0; PARAMS_BYTES];
        bytes[0..4].copy_from_slice(&VERSION.to_le_bytes());
        bytes[4] = self.metric as u8;
        bytes[5] = self.datatype as u8;
        bytes[8..12].copy_from_slice(&self.centre.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.step.to_le_bytes());
        bytes
    }

    /// Reads what [`CodeParams::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// When the version is another one, or a field does not make sense.
    pub fn from_bytes(bytes: &[u8; PARAMS_BYTES]) -> Result<Self, LayoutError> {
        let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let version = u32::from_le_bytes(word(0));
        if version != VERSION {
            return Err(LayoutError::Version { found: version, known: VERSION });
        }
        let metric = Metric::ALL.into_iter().find(|metric| *metric as u8 == bytes[4]);
        let datatype = Datatype::ALL.into_iter().find(|datatype| *datatype as u8 == bytes[5]);
        let (Some(metric), Some(datatype)) = (metric, datatype) else {
            return Err(LayoutError::Field("unknown metric or datatype of codes"));
        };
        let (centre, step) = (f32::from_le_bytes(word(8)), f32::from_le_bytes(word(12)));
        if !centre.is_finite() || !step.is_finite() || step <= 0.0 {
            return Err(LayoutError::Field("range of codes is not a number"));
        }
        let reserved = bytes[6..8].iter().chain(&bytes[16..]);
        if reserved.into_iter().any(|byte| *byte != 0) {
            return Err(LayoutError::Field("reserved bytes of code parameters are not zero"));
        }
        Ok(CodeParams { metric, datatype, centre, step })
    }

    /// The nearest code: 1 to 255, so that values are symmetric. NaN gives 0.
    #[inline]
    fn code(&self, value: f32) -> u8 {
        // Truncation after adding a half rounds; it needs no call to a rounding function.
        ((value - self.centre) / self.step + (f32::from(ZERO_CODE) + 0.5)).clamp(1.0, 255.0) as u8
    }

    /// As [`CodeParams::code`], halves rounded to even: what compilers do for several values of a query at once.
    #[inline]
    fn query_code(&self, value: f32) -> u8 {
        nearest_whole(((value - self.centre) / self.step + f32::from(ZERO_CODE)).clamp(1.0, 255.0))
    }

    /// By inner product a longer query has the same neighbours. Where it is so long or so short that the range of the rows would clip much of
    /// it or tell little apart, it is coded over its own.
    fn own_range(&self, query: &[f32]) -> Option<CodeParams> {
        let largest = query.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        let clipped = query.iter().filter(|value| value.abs() > HALF_STEPS * self.step).count();
        let fits = largest >= FEW_STEPS * self.step && clipped * 8 <= query.len();
        let step = Some(largest / HALF_STEPS).filter(|step| !fits && step.is_normal())?;
        Some(CodeParams { step, ..*self })
    }

    /// What one row adds to each of its distances: the distance of two rows is the sum of their terms
    /// minus once (`Dot`) or twice (`L2`) the inner product of their signed values.
    fn term(&self, code: &[u8]) -> i32 {
        let signed = |code: &u8| i32::from(*code) - i32::from(ZERO_CODE);
        match self.metric {
            Metric::L2 => code.iter().map(|c| signed(c) * signed(c)).sum(),
            // (a + 128)(b + 128) = ab + 128 a + 128 b + 128 * 128: each row carries half of the last part.
            Metric::Dot if self.has_terms() => -code.iter().map(|c| 128 * signed(c) + 64 * 128).sum::<i32>(),
            Metric::Dot | Metric::Manhattan => 0,
        }
    }
}

/// The lowest byte of the nearest whole number, for a value of a few hundred at most; 0 for NaN.
#[inline]
pub(crate) fn nearest_whole(value: f32) -> u8 {
    // Added to 1.5 · 2^23, a small number is rounded to a whole one that stands in the lowest bits; NaN has zeros there. Unlike a
    // conversion it needs no look at numbers out of range, so that the compiler does several at once.
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits() as u8
}

fn checked_dims(dims: usize) -> usize {
    assert!((1..=MAX_DIMS).contains(&dims), "{dims} dimensions (expected 1 to {MAX_DIMS})");
    dims
}
