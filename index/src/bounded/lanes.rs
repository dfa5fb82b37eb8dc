//! Sums over whole blocks of 16 floats, in partial sums side by side that any instruction set does several at a time.

const LANES: usize = 16;

fn blocks(values: &[f32]) -> &[[f32; LANES]] {
    let (blocks, rest) = values.as_chunks();
    assert!(rest.is_empty(), "whole blocks");
    blocks
}

fn total(lanes: [f32; LANES]) -> f64 {
    lanes.iter().map(|lane| f64::from(*lane)).sum()
}

/// The inner product.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in blocks(a).iter().zip(blocks(b)) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    total(sums)
}

/// The sum of magnitudes.
pub(super) fn magnitude(values: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    for block in blocks(values) {
        for lane in 0..LANES {
            sums[lane] += block[lane].abs();
        }
    }
    total(sums)
}

/// The largest magnitude; NaN counts as none.
pub(super) fn largest(values: &[f32]) -> f32 {
    let mut largest = [0.0_f32; LANES];
    for block in blocks(values) {
        for lane in 0..LANES {
            let value = block[lane].abs();
            largest[lane] = if value > largest[lane] { value } else { largest[lane] };
        }
    }
    largest.into_iter().fold(0.0, f32::max)
}
