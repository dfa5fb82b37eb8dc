//! Rows as blocks of 1-bit codes: signs, two numbers a row, and the key that the caller knows it by.

use super::kmeans::Centres;
use super::space::{Space, dot};
use crate::simd::bits::{BLOCK_ROWS, block_len, signs_len};
use half::f16;

/// What a unit of a stored term is worth: so that the largest distance between bytes fits a half.
pub(super) fn term_unit(padded: usize) -> f32 {
    (2 * padded).next_power_of_two() as f32
}

/// Key of a place behind the last row.
pub(super) const NO_KEY: u32 = u32::MAX;

/// Writes blocks, one row after the other.
pub(super) struct Encoder<'a> {
    space: &'a Space,
    centres: &'a Centres,
    centre: Vec<f32>,
    /// What the inner products of a row are taken with: for inner products the centre as it lies in the space before centring.
    anchor: Vec<f32>,
    list: Option<u32>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(space: &'a Space, centres: &'a Centres) -> Self {
        let empty = || vec![0.0; space.padded()];
        Encoder { space, centres, centre: empty(), anchor: empty(), list: None }
    }

    /// Puts a row of `list` into a lane of a block; `row` is left with its difference from the centre.
    pub(super) fn put(&mut self, list: u32, row: &mut [f32], key: u32, lane: usize, block: &mut [u8]) {
        assert!(lane < BLOCK_ROWS && block.len() == block_len(row.len()), "a lane of a block");
        self.turn_to(list);
        row.iter_mut().zip(&self.centre).for_each(|(value, centre)| *value -= centre);
        let squared = dot(row, row);
        let (absolute, along) = sums_by_sign(row, &self.anchor);
        let scale = if absolute > 0.0 { half(squared / absolute) } else { f16::ZERO };
        let signed = scale.to_f32() * along;
        let term = if self.space.dot { signed - dot(row, &self.anchor) } else { squared + 2.0 * signed };
        let term = half(term / term_unit(row.len()));
        let (signs, rest) = block.split_at_mut(signs_len(row.len()));
        for (group, values) in signs.as_chunks_mut::<16>().0.iter_mut().zip(row.as_chunks::<4>().0) {
            let pattern = values.iter().zip(0..).fold(0, |bits, (value, bit)| bits | u8::from(*value >= 0.0) << bit);
            group[lane % 16] |= if lane < 16 { pattern } else { pattern << 4 };
        }
        rest[lane * 2..][..2].copy_from_slice(&scale.to_le_bytes());
        rest[BLOCK_ROWS * 2 + lane * 2..][..2].copy_from_slice(&term.to_le_bytes());
        put_key(rest, lane, key);
    }

    fn turn_to(&mut self, list: u32) {
        if self.list == Some(list) {
            return;
        }
        self.list = Some(list);
        for (value, code) in self.centre.iter_mut().zip(self.centres.code(list)) {
            *value = f32::from(*code) - 128.0;
        }
        self.anchor.copy_from_slice(&self.centre);
        if self.space.dot {
            self.anchor.iter_mut().zip(&self.space.mean).for_each(|(value, mean)| *value += mean);
        }
    }
}

/// Fills the lanes from `lane` on as places without a row.
pub(super) fn close(block: &mut [u8], padded: usize, lane: usize) {
    (lane..BLOCK_ROWS).for_each(|lane| put_key(&mut block[signs_len(padded)..], lane, NO_KEY));
}

fn put_key(tail: &mut [u8], lane: usize, key: u32) {
    tail[BLOCK_ROWS * 4 + lane * 4..][..4].copy_from_slice(&key.to_le_bytes());
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
