//! The rows of lists as blocks of 1-bit codes, with the key that the caller knows each by.

use super::kmeans::Centres;
use super::space::Space;
use crate::one_bit::rows;
use crate::simd::bits::{BLOCK_ROWS, signs_len};

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
        self.turn_to(list);
        row.iter_mut().zip(&self.centre).for_each(|(value, centre)| *value -= centre);
        rows::put(row, &self.anchor, self.space.dot, lane, block);
        put_key(&mut block[signs_len(row.len())..], lane, key);
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
