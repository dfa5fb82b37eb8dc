//! Estimates from 1-bit codes with AVX2: two groups a step.
#![expect(unsafe_code, reason = "intrinsics")]

use super::{BLOCK_ROWS, BitLanes, BitQuery, BlockEstimates};
use std::arch::x86_64::*;

/// # Safety
///
/// AVX2 is available; the lengths are those that [`super::check`] asks for.
#[target_feature(enable = "avx2")]
pub(in crate::simd) unsafe fn estimate(query: &BitQuery<'_>, blocks: &[u8], base: f32, out: &mut [BlockEstimates]) {
    // SAFETY: the caller's promises are the same.
    unsafe { super::estimate::<Sums>(query, blocks, base, out) }
}

/// For the rows of the lower and of the upper halves: pairs of bytes added as 16 bits, and the odd bytes alone.
struct Sums;

// SAFETY (all operations below): the caller of each runs where AVX2 is available and gives 32 readable bytes.
impl BitLanes for Sums {
    const STEP: usize = 32;
    type Sums = [__m256i; 4];

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        // SAFETY: see above.
        unsafe { [_mm256_setzero_si256(); 4] }
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Sums, signs: *const u8, table: *const u8) -> Self::Sums {
        // SAFETY: see above.
        unsafe {
            let (signs, table) = (_mm256_loadu_si256(signs.cast()), _mm256_loadu_si256(table.cast()));
            let half = _mm256_set1_epi8(15);
            let low = _mm256_shuffle_epi8(table, _mm256_and_si256(signs, half));
            let high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(signs), half));
            [
                _mm256_add_epi16(sums[0], low),
                _mm256_add_epi16(sums[1], _mm256_srli_epi16::<8>(low)),
                _mm256_add_epi16(sums[2], high),
                _mm256_add_epi16(sums[3], _mm256_srli_epi16::<8>(high)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn drain(sums: Self::Sums, out: &mut [i32; BLOCK_ROWS]) {
        for (half, rows) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            // What was added as pairs wrapped around; less the odd bytes, shifted, it is the even bytes exactly.
            // SAFETY: see above.
            let (even, odd) = unsafe {
                let odd = sums[half * 2 + 1];
                (_mm256_sub_epi16(sums[half * 2], _mm256_slli_epi16::<8>(odd)), odd)
            };
            let mut words = [[0_u16; 16]; 2];
            // SAFETY: see above; each array has 32 bytes.
            unsafe {
                _mm256_storeu_si256(words[0].as_mut_ptr().cast(), even);
                _mm256_storeu_si256(words[1].as_mut_ptr().cast(), odd);
            }
            for pair in 0..8 {
                rows[pair * 2] += i32::from(words[0][pair]) + i32::from(words[0][pair + 8]);
                rows[pair * 2 + 1] += i32::from(words[1][pair]) + i32::from(words[1][pair + 8]);
            }
        }
    }
}
