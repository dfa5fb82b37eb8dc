//! Rows as lanes of blocks: signs, and the two numbers that turn a sum of signs into an estimate of a distance.

use crate::simd::bits::{BLOCK_ROWS, block_len, signs_len};
use half::f16;

/// What a unit of a stored term is worth: so that the largest distance between bytes fits a half.
pub(crate) fn term_unit(padded: usize) -> f32 {
    (2 * padded).next_power_of_two() as f32
}

/// Puts a row into an empty lane of a block. The row is a difference from a centre; `anchor` is what is taken off a query when inner
/// products with it are estimated, because those of the rows with the anchor itself are put in as they are. Gives the cosine of the angle between
/// the row and its signs.
pub(crate) fn put(row: &[f32], anchor: &[f32], is_dot: bool, lane: usize, block: &mut [u8]) -> f32 {
    assert!(lane < BLOCK_ROWS && block.len() == block_len(row.len()), "a lane of a block");
    let squared = dot(row, row);
    let (absolute, along) = sums_by_sign(row, anchor);
    let scale = if absolute > 0.0 { half(squared / absolute) } else { f16::ZERO };
    let signed = scale.to_f32() * along;
    let term = if is_dot { signed - dot(row, anchor) } else { squared + 2.0 * signed };
    let term = half(term / term_unit(row.len()));
    let (signs, rest) = block.split_at_mut(signs_len(row.len()));
    for (group, values) in signs.as_chunks_mut::<16>().0.iter_mut().zip(row.as_chunks::<4>().0) {
        let pattern = values.iter().zip(0..).fold(0, |bits, (value, bit)| bits | u8::from(*value >= 0.0) << bit);
        group[lane % 16] |= if lane < 16 { pattern } else { pattern << 4 };
    }
    rest[lane * 2..][..2].copy_from_slice(&scale.to_le_bytes());
    rest[BLOCK_ROWS * 2 + lane * 2..][..2].copy_from_slice(&term.to_le_bytes());
    if squared > 0.0 { absolute / (squared * row.len() as f32).sqrt() } else { 1.0 }
}

/// Sums products in eight lanes that are folded at the end: one order on every machine, and fast without its instructions.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// The sum of the absolute values of `row`, and the inner product of its signs with `other`.
fn sums_by_sign(row: &[f32], other: &[f32]) -> (f32, f32) {
    let (mut absolute, mut along) = ([0.0_f32; 8], [0.0_f32; 8]);
    for (row, other) in row.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0) {
        for lane in 0..8 {
            absolute[lane] += row[lane].abs();
            along[lane] += if row[lane] >= 0.0 { other[lane] } else { -other[lane] };
        }
    }
    let fold = |lanes: [f32; 8]| ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    (fold(absolute), fold(along))
}

/// The nearest finite half.
fn half(value: f32) -> f16 {
    f16::from_f32(value.clamp(-65_504.0, 65_504.0))
}
