//! One suite for every kernel of 1-bit codes that runs here, against a naive version.

use super::*;
use crate::simd::{Kernels, tests::tables};
use crate::testing::Stream;
use half::f16;

/// Blocks of random rows, with every kind of number as scale and term.
fn random_blocks(stream: &mut Stream, dims: usize, count: usize) -> Vec<u8> {
    let mut blocks = Vec::new();
    for _ in 0..count {
        blocks.extend((0..signs_len(dims)).map(|_| stream.next() as u8));
        blocks.extend((0..BLOCK_ROWS).flat_map(|_| f16::from_f32(stream.unit() * 90.0).to_le_bytes()));
        blocks.extend((0..BLOCK_ROWS).flat_map(|_| f16::from_f32(stream.gaussian() * 1e-4).to_le_bytes()));
        blocks.extend((0..BLOCK_ROWS * 4).map(|_| stream.next() as u8));
    }
    blocks
}

/// The estimate of one row, as short as it can be said.
fn naive(query: &BitQuery<'_>, block: &[u8], row: usize, base: f32) -> f32 {
    let signs = query.table.len();
    let sum: i32 = (0..signs / 16)
        .map(|group| {
            let byte = block[group * 16 + row % 16];
            let pattern = if row < 16 { byte & 15 } else { byte >> 4 };
            i32::from(query.table[group * 16 + usize::from(pattern)])
        })
        .sum();
    let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    let (scale, term) = (half(signs + row * 2), half(signs + 64 + row * 2));
    let term = term * query.term_unit + base;
    term - scale * query.factor * (sum - query.zero) as f32
}

#[test]
fn estimates_are_the_same_bits_on_every_instruction_set() {
    for dims in [64, 128, 192, 384, 768, 1536, 4160, 8192] {
        let mut stream = Stream::new(dims as u64);
        let blocks = random_blocks(&mut stream, dims, 3);
        let table: Vec<u8> = (0..signs_len(dims)).map(|_| stream.next() as u8).collect();
        let query = BitQuery { table: &table, zero: 127 * dims as i32 / 4, factor: 0.375, term_unit: 1024.0 };
        let wanted: Vec<u32> = (0..96).map(|row| naive(&query, &blocks[row / 32 * block_len(dims)..], row % 32, -7.25).to_bits()).collect();
        for kernels in tables() {
            let mut out = [BlockEstimates::NONE; 3];
            kernels.bit_estimates(&query, &blocks, -7.25, &mut out);
            let found: Vec<u32> = out.iter().flat_map(|block| block.rows).map(f32::to_bits).collect();
            let nearest = |block: &BlockEstimates| block.rows.into_iter().min_by(f32::total_cmp);
            assert!(out.iter().all(|block| nearest(block) == Some(block.nearest)), "{kernels:?} dims {dims}");
            assert_eq!(found, wanted, "{kernels:?} dims {dims}");
        }
    }
}

#[test]
fn the_largest_sums_at_the_largest_dimension_do_not_overflow() {
    let blocks = vec![0xff; block_len(MAX_DIMS)];
    let table = vec![0xff; signs_len(MAX_DIMS)];
    let ones = f16::from_f32(1.0).to_le_bytes();
    let mut blocks = blocks;
    for row in 0..BLOCK_ROWS {
        let at = signs_len(MAX_DIMS) + row * 2;
        blocks[at..at + 2].copy_from_slice(&ones);
        blocks[at + 64..at + 66].fill(0);
    }
    for kernels in tables() {
        let mut out = [BlockEstimates::NONE];
        let query = BitQuery { table: &table, zero: 0, factor: 1.0, term_unit: 1.0 };
        kernels.bit_estimates(&query, &blocks, 0.0, &mut out);
        assert_eq!(out[0].rows, [-255.0 * (MAX_DIMS / 4) as f32; BLOCK_ROWS], "{kernels:?}");
    }
}

#[test]
fn every_half_is_read_exactly() {
    for bits in (0..=u16::MAX).filter(|bits| f16::from_bits(*bits).is_finite()) {
        let read = half_bits(bits.to_le_bytes()) * HALF_UNIT;
        assert_eq!(read.to_bits(), f16::from_bits(bits).to_f32().to_bits(), "bits {bits:#06x}");
    }
}

#[test]
#[should_panic(expected = "estimates of each block")]
fn a_short_output_is_refused() {
    let query = BitQuery { table: &[0; 256], zero: 0, factor: 1.0, term_unit: 1.0 };
    Kernels::detect().bit_estimates(&query, &[0; block_len(64)], 0.0, &mut []);
}
