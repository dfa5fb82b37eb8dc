//! The loop of the kernels that estimate distances from 1-bit codes, in blocks of 32 rows.
//!
//! **A block** of rows with `dims` dimensions (a multiple of 64) is `4 dims + 256` bytes. First the signs: for
//! each group of four dimensions 16 bytes, of which byte `j` holds the four signs of row `j` in its lower
//! half and those of row `j + 16` in its upper half, lowest bit first. Then 32 scales and 32 terms
//! (half-precision floats), then 32 keys (`u32`), all little-endian.
//!
//! **A query** is a table of 16 bytes for each group: what the group adds for each pattern of signs. The sum
//! over the groups is an integer and exact everywhere; the estimate is `(term * term_unit + base) - scale * factor *
//! (sum - zero)`, each operation rounded for itself, so that estimates are equal bit by bit on every instruction set.
#![expect(unsafe_code, reason = "raw loads, and operations that need their instruction set")]

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(any(target_arch = "aarch64", test))]
pub(super) mod neon;
pub(super) mod scalar;
#[cfg(test)]
mod tests;

use crate::metric::MAX_DIMS;

/// Rows of a block.
pub const BLOCK_ROWS: usize = 32;

/// Bytes of a block behind its signs.
pub(crate) const BLOCK_TAIL: usize = SCALES_LEN + TERMS_LEN + BLOCK_ROWS * 4;

const SCALES_LEN: usize = BLOCK_ROWS * 2;
const TERMS_LEN: usize = BLOCK_ROWS * 2;

/// Bytes of the signs of a block, and of a query's table.
#[must_use]
pub const fn signs_len(dims: usize) -> usize {
    dims * BLOCK_ROWS / 8
}

/// Bytes of a block.
#[must_use]
pub const fn block_len(dims: usize) -> usize {
    signs_len(dims) + BLOCK_TAIL
}

/// Turns the bits of a half, moved into a float, into its value: the difference of the two exponents.
pub(crate) const HALF_UNIT: f32 = f32::from_bits((127 + 112) << 23);

/// A query in the form that the kernels take.
#[derive(Clone, Copy, Debug)]
pub struct BitQuery<'a> {
    /// For each group of four dimensions what it adds for each of 16 patterns of signs.
    pub table: &'a [u8],
    /// What a sum of nothing would be: it is taken off every sum.
    pub zero: i32,
    /// What a unit of a sum is worth where the scale is 1.
    pub factor: f32,
    /// What a unit of a term is worth: a power of two.
    pub term_unit: f32,
}

/// Estimates of the rows of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockEstimates {
    /// One a row.
    pub(crate) rows: [f32; BLOCK_ROWS],
    /// The nearest of them: most often it says that none of them matters.
    pub(crate) nearest: f32,
}

impl BlockEstimates {
    /// Of no rows yet.
    pub(crate) const NONE: BlockEstimates = BlockEstimates { rows: [f32::INFINITY; BLOCK_ROWS], nearest: f32::INFINITY };
}

/// Estimates the rows of whole blocks; the caller has checked the lengths and the instruction set.
pub(super) type BitsFn = unsafe fn(query: &BitQuery<'_>, blocks: &[u8], base: f32, out: &mut [BlockEstimates]);

/// Panics unless the lengths fit each other.
pub(super) fn check(query: &BitQuery<'_>, blocks: &[u8], out: &[BlockEstimates]) {
    let dims = query.table.len() / 4;
    assert!(
        dims > 0 && dims <= MAX_DIMS && dims.is_multiple_of(64) && query.table.len().is_multiple_of(4),
        "a table of {} bytes",
        query.table.len()
    );
    assert!(blocks.len().is_multiple_of(block_len(dims)), "blocks of {} bytes", block_len(dims));
    assert_eq!(blocks.len() / block_len(dims), out.len(), "estimates of each block");
}

/// Sums over the groups of a block in the registers of one instruction set.
///
/// # Safety
///
/// Every operation may only run where the instruction set is available; `add` reads [`BitLanes::STEP`] bytes
/// behind each pointer, of any alignment. Implementations are `#[inline(always)]`.
pub(super) trait BitLanes {
    /// Bytes of signs and of the table that one step takes; divides 256.
    const STEP: usize;
    /// Sums under way, 16 bits each.
    type Sums: Copy;

    unsafe fn zero() -> Self::Sums;
    /// Adds what the groups of a step are worth. At most 256 steps may lie between two calls of `drain`.
    unsafe fn add(sums: Self::Sums, signs: *const u8, table: *const u8) -> Self::Sums;
    /// Adds the sums to those of the 32 rows.
    unsafe fn drain(sums: Self::Sums, out: &mut [i32; BLOCK_ROWS]);
}

/// Steps after which 16 bits could overflow: a step adds at most 255.
const STEPS_MAX: usize = 256;

/// Estimates the rows of whole blocks.
///
/// # Safety
///
/// The instruction set of `L` is available, and the lengths are those that [`check`] asks for.
#[inline(always)]
pub(super) unsafe fn estimate<L: BitLanes>(query: &BitQuery<'_>, blocks: &[u8], base: f32, out: &mut [BlockEstimates]) {
    let signs = query.table.len();
    for (block, out) in blocks.chunks_exact(signs + BLOCK_TAIL).zip(out) {
        let mut sums = [0_i32; BLOCK_ROWS];
        let mut start = 0;
        while start < signs {
            let end = signs.min(start + STEPS_MAX * L::STEP);
            // SAFETY: the instruction set is available (the caller's promise). `start..end` lies within the
            // signs of the block and within the table, and both are multiples of 256, which a step divides.
            unsafe {
                let mut lanes = L::zero();
                while start < end {
                    lanes = L::add(lanes, block.as_ptr().add(start), query.table.as_ptr().add(start));
                    start += L::STEP;
                }
                L::drain(lanes, &mut sums);
            }
        }
        combine(query, &sums, &block[signs..], base, out);
    }
}

/// The estimates of a block from its sums; plain Rust, compiled for each instruction set.
#[inline(always)]
fn combine(query: &BitQuery<'_>, sums: &[i32; BLOCK_ROWS], tail: &[u8], base: f32, out: &mut BlockEstimates) {
    let (scales, rest) = tail.split_at(SCALES_LEN);
    let scales = scales.as_chunks::<2>().0;
    let terms = rest[..TERMS_LEN].as_chunks::<2>().0;
    for lane in 0..BLOCK_ROWS {
        let term = half_bits(terms[lane]) * HALF_UNIT * query.term_unit + base;
        let scale = half_bits(scales[lane]) * HALF_UNIT * query.factor;
        out.rows[lane] = term - scale * (sums[lane] - query.zero) as f32;
    }
    let mut nearest = out.rows;
    let mut half = BLOCK_ROWS / 2;
    while half > 0 {
        let (low, high) = nearest[..2 * half].split_at_mut(half);
        for lane in 0..half {
            low[lane] = if high[lane] < low[lane] { high[lane] } else { low[lane] };
        }
        half /= 2;
    }
    out.nearest = nearest[0];
}

/// The bits of a half as a float that is too small by [`HALF_UNIT`]: exact, also below the smallest normal half.
#[inline(always)]
fn half_bits(bytes: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bytes));
    f32::from_bits((bits & 0x7fff) << 13 | (bits & 0x8000) << 16)
}
