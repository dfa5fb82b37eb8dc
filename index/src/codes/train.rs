//! Training: which range of values the 254 steps of a code cover.

use super::HALF_STEPS;
use crate::metric::{Datatype, Metric};

/// Values looked at: more do not move the quantiles.
const MAX_VALUES: usize = 1 << 16;

/// Shares of the values that may be clipped at each end. Heavy tails pay for a narrow range in clipping
/// error, so each share is tried and the error decides.
const CLIPPED: [f64; 9] = [0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2];

/// Up to [`MAX_VALUES`] finite values spread evenly over the rows of the sample, sorted.
pub(super) fn values(datatype: Datatype, sample: &[&[u8]]) -> Vec<f32> {
    let size = datatype.bytes_per_dim();
    let total: usize = sample.iter().map(|row| row.len() / size).sum();
    // An odd step visits other dimensions in each row, also where their number is a power of two.
    let step = (total / MAX_VALUES) | 1;
    let mut values = Vec::new();
    let mut skip = 0;
    for row in sample {
        assert!(row.len().is_multiple_of(size), "a row of {} bytes", row.len());
        let dims = row.len() / size;
        while skip < dims {
            let mut value = [0.0];
            datatype.decode(&row[skip * size..(skip + 1) * size], &mut value);
            values.extend(value.into_iter().filter(|v| v.is_finite()));
            skip += step;
        }
        skip -= dims;
    }
    values.sort_by(f32::total_cmp);
    values
}

/// The centre and the step that lose least over sorted `values`.
pub(super) fn range(metric: Metric, values: &[f32]) -> (f32, f32) {
    let candidates = CLIPPED.iter().map(|clipped| {
        let cut = (values.len() as f64 * clipped) as usize;
        let low = values.get(cut).copied().unwrap_or(0.0);
        let high = values.get(values.len().saturating_sub(cut + 1)).copied().unwrap_or(0.0);
        // An inner product has its own zero: a shifted centre would change the order of rows.
        let centre = if metric == Metric::Dot { 0.0 } else { low / 2.0 + high / 2.0 };
        let reach = (high - centre).max(centre - low);
        let step = reach / HALF_STEPS;
        // All values equal: any step keeps them equal.
        (centre, if step.is_normal() { step } else { 1.0 })
    });
    let errors = candidates.map(|(centre, step)| (squared_error(values, centre, step), centre, step));
    let best = errors.min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or((0.0, 1.0), |(_, centre, step)| (centre, step))
}

/// What an error of whole codes counts for beside one of their upper halves, whose steps are 16 times as wide.
const WHOLE_WEIGHT: f64 = 256.0;

/// What whole codes and their upper halves, which walks compare, lose.
fn squared_error(values: &[f32], centre: f32, step: f32) -> f64 {
    let error = |value: &f32| {
        let code = ((value - centre) / step).round().clamp(-HALF_STEPS, HALF_STEPS);
        let upper = (code / 16.0).floor() * 16.0 + 8.0;
        let lost = |code: f32| f64::from(value - (centre + code * step)).powi(2);
        WHOLE_WEIGHT * lost(code) + lost(upper)
    };
    values.iter().map(error).sum()
}
