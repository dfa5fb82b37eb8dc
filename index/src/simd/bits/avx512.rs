//! Estimates from 1-bit codes with AVX-512: four groups a step.
#![expect(unsafe_code, reason = "intrinsics")]

use super::{BLOCK_ROWS, BitLanes, BitQuery, BlockEstimates};
use std::arch::x86_64::*;

/// # Safety
///
/// AVX-512 F, BW and VL are available; the lengths are those that [`super::check`] asks for.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl")]
pub(in crate::simd) unsafe fn estimate(query: &BitQuery<'_>, blocks: &[u8], base: f32, out: &mut [BlockEstimates]) {
    // SAFETY: the caller's promises are the same.
    unsafe { super::estimate::<Sums>(query, blocks, base, out) }
}

/// For the rows of the lower and of the upper halves: pairs of bytes added as 16 bits, and the odd bytes alone.
struct Sums;

// SAFETY (all operations below): the caller of each runs where the instruction set is available and gives 64
// readable bytes.
impl BitLanes for Sums {
    const STEP: usize = 64;
    type Sums = [__m512i; 4];

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        // SAFETY: see above.
        unsafe { [_mm512_setzero_si512(); 4] }
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Sums, signs: *const u8, table: *const u8) -> Self::Sums {
        // SAFETY: see above.
        unsafe {
            let (signs, table) = (_mm512_loadu_si512(signs.cast()), _mm512_loadu_si512(table.cast()));
            let half = _mm512_set1_epi8(15);
            let low = _mm512_shuffle_epi8(table, _mm512_and_si512(signs, half));
            let high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16::<4>(signs), half));
            [
                _mm512_add_epi16(sums[0], low),
                _mm512_add_epi16(sums[1], _mm512_srli_epi16::<8>(low)),
                _mm512_add_epi16(sums[2], high),
                _mm512_add_epi16(sums[3], _mm512_srli_epi16::<8>(high)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn drain(sums: Self::Sums, out: &mut [i32; BLOCK_ROWS]) {
        for (half, rows) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            // What was added as pairs wrapped around; less the odd bytes, shifted, it is the even bytes exactly.
            // SAFETY: see above; 64 bytes of `rows` are loaded and stored.
            unsafe {
                let odd = sums[half * 2 + 1];
                let even = _mm512_sub_epi16(sums[half * 2], _mm512_slli_epi16::<8>(odd));
                let (even, odd) = (four_lanes(even), four_lanes(odd));
                // Eight even and eight odd rows, in turn.
                let low = _mm256_unpacklo_epi32(even, odd);
                let high = _mm256_unpackhi_epi32(even, odd);
                let first = _mm256_permute2x128_si256::<0x20>(low, high);
                let second = _mm256_permute2x128_si256::<0x31>(low, high);
                let sums = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), second);
                let before = _mm512_loadu_si512(rows.as_ptr().cast());
                _mm512_storeu_si512(rows.as_mut_ptr().cast(), _mm512_add_epi32(before, sums));
            }
        }
    }
}

/// Adds the four lanes of eight 16-bit numbers each, as 32 bits.
///
/// # Safety
///
/// AVX-512 F and BW are available.
#[inline(always)]
unsafe fn four_lanes(sums: __m512i) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        let low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(sums));
        let high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64::<1>(sums));
        let two = _mm512_add_epi32(low, high);
        _mm256_add_epi32(_mm512_castsi512_si256(two), _mm512_extracti64x4_epi64::<1>(two))
    }
}
