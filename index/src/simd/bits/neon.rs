//! Estimates from 1-bit codes with NEON: one group a step.
#![expect(unsafe_code, reason = "intrinsics")]

use super::{BLOCK_ROWS, BitLanes, BitQuery, BlockEstimates};
#[cfg(not(target_arch = "aarch64"))]
use crate::simd::neon_emulated::*;
#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;

/// # Safety
///
/// The lengths are those that [`super::check`] asks for.
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
pub(in crate::simd) unsafe fn estimate(query: &BitQuery<'_>, blocks: &[u8], base: f32, out: &mut [BlockEstimates]) {
    // SAFETY: NEON is part of this target; the lengths are the caller's promise.
    unsafe { super::estimate::<Sums>(query, blocks, base, out) }
}

/// Rows 0 to 7, 8 to 15, 16 to 23, 24 to 31.
struct Sums;

// SAFETY (all operations below): NEON is part of every 64-bit ARM; the caller gives 16 readable bytes.
impl BitLanes for Sums {
    const STEP: usize = 16;
    type Sums = [uint16x8_t; 4];

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        // SAFETY: see above.
        unsafe { [vdupq_n_u16(0); 4] }
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Sums, signs: *const u8, table: *const u8) -> Self::Sums {
        // SAFETY: see above.
        unsafe {
            let (signs, table) = (vld1q_u8(signs), vld1q_u8(table));
            let low = vqtbl1q_u8(table, vandq_u8(signs, vdupq_n_u8(15)));
            let high = vqtbl1q_u8(table, vshrq_n_u8::<4>(signs));
            [
                vaddw_u8(sums[0], vget_low_u8(low)),
                vaddw_high_u8(sums[1], low),
                vaddw_u8(sums[2], vget_low_u8(high)),
                vaddw_high_u8(sums[3], high),
            ]
        }
    }

    #[inline(always)]
    unsafe fn drain(sums: Self::Sums, out: &mut [i32; BLOCK_ROWS]) {
        for (part, rows) in sums.into_iter().zip(out.as_chunks_mut::<8>().0) {
            let mut words = [0_u16; 8];
            // SAFETY: see above; the array has 16 bytes.
            unsafe { vst1q_u16(words.as_mut_ptr(), part) };
            rows.iter_mut().zip(words).for_each(|(row, word)| *row += i32::from(word));
        }
    }
}
