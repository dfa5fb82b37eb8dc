//! Coding of a set of rows: the range of each dimension, the bytes, and the bounds of what they lost.

use super::{BoundedCodes, HALF_STEPS, RowBounds, can_bound, lanes, length, nearest_byte, signed_byte, signed_value};
use crate::metric::{Datatype, MAX_DIMS, Metric};
use crate::simd::{ZERO_CODE, code_stride};

/// What computing a step's fraction in floats may lose in each dimension, in steps.
const FRACTION_LOST: f64 = 1e-4;

/// As [`BoundedCodes::new`].
pub(super) fn encode(metric: Metric, datatype: Datatype, dims: usize, rows: &[&[u8]]) -> Option<BoundedCodes> {
    assert!((1..=MAX_DIMS).contains(&dims), "{dims} dimensions (expected 1 to {MAX_DIMS})");
    let Ranges { centre, step, reach } = match datatype {
        Datatype::U8 => Ranges::of_bytes(dims),
        Datatype::F32 | Datatype::F16 => Ranges::of(metric, datatype, dims, rows)?,
    };
    if !can_bound(&reach) {
        return None;
    }
    let row = row_bound(metric, &reach, &centre);
    let bounds = RowBounds { code: 0.0, lost: 0.0, row };
    let codes = Vec::with_capacity(rows.len() * centre.len());
    let mut encoder = Encoder {
        per_step: step.iter().map(|step| 1.0 / step).collect(),
        values: vec![0.0; centre.len()],
        signed: vec![0.0; centre.len()],
        codes: BoundedCodes { metric, dims, are_bytes: datatype == Datatype::U8, codes, squares: Vec::new(), bounds, centre, step },
    };
    for row in rows {
        datatype.decode(row, &mut encoder.values[..dims]);
        encoder.push();
    }
    let mut codes = encoder.codes;
    if !codes.are_bytes {
        let dims = dims as f64;
        codes.bounds.lost += FRACTION_LOST * if metric == Metric::Manhattan { f64::from(codes.step[0]) * dims } else { dims.sqrt() };
    }
    assert_eq!(codes.count(), rows.len(), "one code for each row");
    Some(codes)
}

/// The range of each dimension, and nothing in those behind the last.
struct Ranges {
    centre: Vec<f32>,
    step: Vec<f32>,
    /// The largest magnitude in each dimension.
    reach: Vec<f32>,
}

impl Ranges {
    /// Bytes are their own codes, and nothing is lost.
    fn of_bytes(dims: usize) -> Ranges {
        let padded = |value: f32| -> Vec<f32> { (0..code_stride(dims)).map(|at| if at < dims { value } else { 0.0 }).collect() };
        Ranges { centre: padded(f32::from(ZERO_CODE)), step: vec![1.0; code_stride(dims)], reach: padded(255.0) }
    }

    /// `None` when a number is none.
    fn of(metric: Metric, datatype: Datatype, dims: usize, rows: &[&[u8]]) -> Option<Ranges> {
        let stride = code_stride(dims);
        let (mut low, mut high) = (vec![f32::INFINITY; stride], vec![f32::NEG_INFINITY; stride]);
        low[if rows.is_empty() { 0 } else { dims }..].fill(0.0);
        high[if rows.is_empty() { 0 } else { dims }..].fill(0.0);
        let mut values = vec![0.0; stride];
        for row in rows {
            datatype.decode(row, &mut values[..dims]);
            if !lanes::magnitude(&values).is_finite() {
                return None;
            }
            for ((low, high), value) in low.iter_mut().zip(&mut high).zip(&values) {
                *low = if value < low { *value } else { *low };
                *high = if value > high { *value } else { *high };
            }
        }
        let centre: Vec<f32> = low.iter().zip(&high).map(|(low, high)| low / 2.0 + high / 2.0).collect();
        let half: Vec<f32> = (0..stride).map(|at| (high[at] - centre[at]).max(centre[at] - low[at])).collect();
        // A range of one value has a step that says so; it must not be zero, because it divides.
        let step = |half: f32| (half / HALF_STEPS).max(f32::MIN_POSITIVE);
        let step = match metric {
            // Differences are added up as they are, so all dimensions have one step.
            Metric::Manhattan => vec![step(lanes::largest(&half)); stride],
            Metric::Dot | Metric::L2 => half.into_iter().map(step).collect(),
        };
        let reach = low.iter().zip(&high).map(|(low, high)| low.abs().max(high.abs())).collect();
        Some(Ranges { centre, step, reach })
    }
}

/// See [`RowBounds::row`].
fn row_bound(metric: Metric, reach: &[f32], centre: &[f32]) -> f64 {
    let from_centre: Vec<f32> = reach.iter().zip(centre).map(|(reach, centre)| reach + centre.abs()).collect();
    match metric {
        Metric::Dot => length(reach),
        Metric::L2 => length(&from_centre),
        Metric::Manhattan => lanes::magnitude(&from_centre) * (1.0 + 1e-3),
    }
}

struct Encoder {
    codes: BoundedCodes,
    /// One over each step.
    per_step: Vec<f32>,
    /// The row, then what is computed of it.
    values: Vec<f32>,
    signed: Vec<f32>,
}

impl Encoder {
    /// Codes the row in `values`, and widens the bounds to hold for it.
    fn push(&mut self) {
        let Encoder { codes, per_step, values, signed } = self;
        let start = codes.codes.len();
        values.iter_mut().zip(&codes.centre).for_each(|(value, centre)| *value -= centre);
        if codes.metric == Metric::L2 {
            codes.squares.push(lanes::dot(values, values) as f32);
        }
        values.iter_mut().zip(per_step.iter()).for_each(|(value, per_step)| *value *= per_step);
        match codes.are_bytes {
            true => codes.codes.extend(values.iter().map(|steps| nearest_byte(*steps))),
            false => codes.codes.extend(values.iter().map(|steps| signed_byte(*steps))),
        }
        signed.iter_mut().zip(&codes.codes[start..]).for_each(|(signed, byte)| *signed = signed_value(*byte));
        codes.bounds.code = codes.bounds.code.max(length(signed));
        values.iter_mut().zip(signed.iter()).for_each(|(steps, signed)| *steps -= signed);
        let lost = match codes.metric {
            Metric::Manhattan => lanes::magnitude(values) * f64::from(codes.step[0]) * (1.0 + 1e-3),
            Metric::Dot | Metric::L2 => length(values),
        };
        codes.bounds.lost = codes.bounds.lost.max(lost);
        values[codes.dims..].fill(0.0);
    }
}
