//! Estimates from 1-bit codes in plain Rust: run everywhere, and say what the others must compute.
#![expect(unsafe_code, reason = "implements the traits of the kernels, whose loads are raw")]

use super::{BLOCK_ROWS, BitLanes, BitQuery, BlockEstimates};

/// # Safety
///
/// The lengths are those that [`super::check`] asks for.
pub(in crate::simd) unsafe fn estimate(query: &BitQuery<'_>, blocks: &[u8], base: f32, out: &mut [BlockEstimates]) {
    // SAFETY: plain Rust runs everywhere; the lengths are the caller's promise.
    unsafe { super::estimate::<Sums>(query, blocks, base, out) }
}

struct Sums;

impl BitLanes for Sums {
    const STEP: usize = 16;
    type Sums = [u16; BLOCK_ROWS];

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        [0; BLOCK_ROWS]
    }

    #[inline(always)]
    unsafe fn add(mut sums: Self::Sums, signs: *const u8, table: *const u8) -> Self::Sums {
        // SAFETY: the caller gives 16 readable bytes behind each.
        let (signs, table) = unsafe { (signs.cast::<[u8; 16]>().read(), table.cast::<[u8; 16]>().read()) };
        for row in 0..16 {
            sums[row] += u16::from(table[usize::from(signs[row] & 15)]);
            sums[row + 16] += u16::from(table[usize::from(signs[row] >> 4)]);
        }
        sums
    }

    #[inline(always)]
    unsafe fn drain(sums: Self::Sums, out: &mut [i32; BLOCK_ROWS]) {
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out += i32::from(sum));
    }
}
