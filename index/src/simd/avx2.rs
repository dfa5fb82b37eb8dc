//! Kernels for x86-64 with AVX2, FMA and F16C.
#![expect(unsafe_code, reason = "intrinsics")]

use super::codes::{CodeLanes, WIDE};
use super::exact::Lanes;
use super::walk::{self, WalkState, WalkTask, walk_table};
use super::{CodeRows, Isa, Kernels, bits, codes, exact, exact_table};
use std::arch::x86_64::*;

pub(super) static KERNELS: Kernels = Kernels {
    isa: Isa::Avx2,
    name: "avx2",
    exact: exact_table!(distance_many),
    code_dot: dots,
    code_sad: sads,
    bits: bits::avx2::estimate,
    walk: walk_table!(walk),
};

/// # Safety
///
/// AVX2, FMA and F16C are available; the rest as for [`walk::run`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn walk<const M: u8, const F: u8>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // SAFETY: the caller's promises are the same.
    unsafe { walk::run::<Bytes, M, F>(task, ef, state) }
}

/// # Safety
///
/// AVX2, FMA and F16C are available; the rest as for [`exact::distance_many`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn distance_many<const M: u8, const D: u8>(query: &[f32], rows: &[&[u8]], out: &mut [f32]) {
    // SAFETY: the caller's promises are the same.
    unsafe { exact::distance_many::<Floats, M, D, 2>(query, rows, out) }
}

/// # Safety
///
/// AVX2 is available; the rest as for [`codes::dots`].
#[target_feature(enable = "avx2")]
unsafe fn dots(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // SAFETY: the caller's promises are the same.
    unsafe { codes::dots::<Bytes>(query, rows, ids, out) }
}

/// # Safety
///
/// AVX2 is available; the rest as for [`codes::sads`].
#[target_feature(enable = "avx2")]
unsafe fn sads(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // SAFETY: the caller's promises are the same.
    unsafe { codes::sads::<Bytes>(query, rows, ids, out) }
}

/// Lanes 0 to 7, 8 to 15, 16 to 23, 24 to 31.
#[derive(Clone, Copy)]
struct Floats([__m256; 4]);

/// Adds the upper half to the lower until one of eight lanes is left.
///
/// # Safety
///
/// AVX is available.
#[inline(always)]
pub(super) unsafe fn fold_eight(eight: __m256) -> f32 {
    // SAFETY: the caller's promise.
    unsafe {
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<0b01>(two, two)))
    }
}

// SAFETY (all operations below): the caller of each runs where the instruction set is available and
// gives the loads their 32 elements: 128, 64 or 32 bytes.
impl Lanes for Floats {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see above.
        unsafe { Floats([_mm256_setzero_ps(); 4]) }
    }

    #[inline(always)]
    unsafe fn load_query(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe {
            Floats([_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8)), _mm256_loadu_ps(from.add(16)), _mm256_loadu_ps(from.add(24))])
        }
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const u8) -> Self {
        // SAFETY: see above; an unaligned load asks nothing of the pointer's alignment.
        unsafe { Self::load_query(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Self {
        // SAFETY: see above.
        unsafe { Floats([eight_halves(from), eight_halves(from.add(16)), eight_halves(from.add(32)), eight_halves(from.add(48))]) }
    }

    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Self {
        // SAFETY: see above.
        unsafe { Floats([eight_bytes(from), eight_bytes(from.add(8)), eight_bytes(from.add(16)), eight_bytes(from.add(24))]) }
    }

    #[inline(always)]
    unsafe fn add_product(mut self, a: Self, b: Self) -> Self {
        for part in 0..4 {
            // SAFETY: see above.
            self.0[part] = unsafe { _mm256_fmadd_ps(a.0[part], b.0[part], self.0[part]) };
        }
        self
    }

    #[inline(always)]
    unsafe fn add_squared_difference(mut self, a: Self, b: Self) -> Self {
        for part in 0..4 {
            // SAFETY: see above.
            unsafe {
                let difference = _mm256_sub_ps(a.0[part], b.0[part]);
                self.0[part] = _mm256_fmadd_ps(difference, difference, self.0[part]);
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn add_absolute_difference(mut self, a: Self, b: Self) -> Self {
        for part in 0..4 {
            // SAFETY: see above.
            unsafe {
                let difference = _mm256_sub_ps(a.0[part], b.0[part]);
                let absolute = _mm256_andnot_ps(_mm256_set1_ps(-0.0), difference);
                self.0[part] = _mm256_add_ps(self.0[part], absolute);
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn fold(self) -> f32 {
        // SAFETY: see above.
        unsafe {
            let low = _mm256_add_ps(self.0[0], self.0[2]);
            let high = _mm256_add_ps(self.0[1], self.0[3]);
            fold_eight(_mm256_add_ps(low, high))
        }
    }
}

/// # Safety
///
/// AVX2 is available and eight bytes are readable.
#[inline(always)]
unsafe fn eight_bytes(from: *const u8) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
}

/// # Safety
///
/// F16C is available and 16 bytes are readable.
#[inline(always)]
unsafe fn eight_halves(from: *const u8) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
}

/// Codes by widening to 16 bits: no saturation at any value.
struct Bytes;

// SAFETY (all operations below): as for `Lanes`, with loads of 64 bytes.
impl CodeLanes for Bytes {
    type Block = [__m256i; 2];
    type Factor = [__m256i; 4];
    type Sum = __m256i;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self::Block {
        // SAFETY: see above.
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
    }

    #[inline(always)]
    unsafe fn load_factor(from: *const u8) -> Self::Factor {
        // SAFETY: see above. Flipping the top bit subtracts 128.
        unsafe {
            let [low, high] = Self::load(from);
            let flip = _mm256_set1_epi8(i8::MIN);
            let (low, high) = (_mm256_xor_si256(low, flip), _mm256_xor_si256(high, flip));
            [
                _mm256_cvtepi8_epi16(_mm256_castsi256_si128(low)),
                _mm256_cvtepi8_epi16(_mm256_extracti128_si256::<1>(low)),
                _mm256_cvtepi8_epi16(_mm256_castsi256_si128(high)),
                _mm256_cvtepi8_epi16(_mm256_extracti128_si256::<1>(high)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn add_products(mut sum: __m256i, row: Self::Block, query: Self::Factor) -> __m256i {
        for half in 0..2 {
            // SAFETY: see above.
            unsafe {
                let low = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(row[half]));
                let high = _mm256_cvtepu8_epi16(_mm256_extracti128_si256::<1>(row[half]));
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(low, query[half * 2]));
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(high, query[half * 2 + 1]));
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn add_differences(mut sum: __m256i, row: Self::Block, query: Self::Block) -> __m256i {
        for half in 0..2 {
            // The 64-bit sums stay far below 2^32, so that 32-bit additions and their total are exact.
            // SAFETY: see above.
            sum = unsafe { _mm256_add_epi32(sum, _mm256_sad_epu8(row[half], query[half])) };
        }
        sum
    }

    #[inline(always)]
    unsafe fn plus(sum: __m256i, other: __m256i) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_add_epi32(sum, other) }
    }

    #[inline(always)]
    unsafe fn totals(sums: [__m256i; WIDE]) -> [i32; WIDE] {
        // SAFETY: see above; an array of four numbers is as long as what is stored.
        unsafe {
            // Neighbours are added twice: each half holds a part of all four, in their order.
            let all = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
            let four = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
            let mut out = [0; WIDE];
            _mm_storeu_si128(out.as_mut_ptr().cast(), four);
            out
        }
    }

    #[inline(always)]
    unsafe fn total(sum: __m256i) -> i32 {
        // SAFETY: see above.
        unsafe {
            let four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b01>(two)))
        }
    }

    #[inline(always)]
    unsafe fn nibbles(block: Self::Block) -> (Self::Block, Self::Block) {
        // SAFETY: see above.
        unsafe {
            let mask = _mm256_set1_epi8(15);
            let high = |half| _mm256_and_si256(_mm256_srli_epi16::<4>(half), mask);
            ([_mm256_and_si256(block[0], mask), _mm256_and_si256(block[1], mask)], [high(block[0]), high(block[1])])
        }
    }

    #[inline(always)]
    unsafe fn halves(block: Self::Block) -> Self::Block {
        // SAFETY: see above.
        unsafe {
            let mask = _mm256_set1_epi8(127);
            [_mm256_and_si256(_mm256_srli_epi16::<1>(block[0]), mask), _mm256_and_si256(_mm256_srli_epi16::<1>(block[1]), mask)]
        }
    }

    #[inline(always)]
    unsafe fn middles(block: Self::Block) -> Self::Block {
        // No bit crosses into the next byte: each byte is at most 15.
        // SAFETY: see above.
        unsafe {
            let half = _mm256_set1_epi8(4);
            [_mm256_or_si256(_mm256_slli_epi16::<3>(block[0]), half), _mm256_or_si256(_mm256_slli_epi16::<3>(block[1]), half)]
        }
    }

    #[inline(always)]
    unsafe fn add_nibble_products(mut sum: __m256i, row: Self::Block, query: Self::Block) -> __m256i {
        for half in 0..2 {
            // Two products of at most 15 x 128 fit 16 bits.
            // SAFETY: see above.
            unsafe {
                let pairs = _mm256_maddubs_epi16(row[half], query[half]);
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn add_squares(mut sum: __m256i, row: Self::Block, query: Self::Block) -> __m256i {
        for half in 0..2 {
            // Two squares of at most 127 fit 16 bits.
            // SAFETY: see above.
            unsafe {
                let difference = _mm256_abs_epi8(_mm256_sub_epi8(row[half], query[half]));
                let pairs = _mm256_maddubs_epi16(difference, difference);
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
            }
        }
        sum
    }
}
