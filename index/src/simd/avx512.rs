//! Kernels for x86-64 with AVX-512 F, BW and VL, with VNNI or without.
#![expect(unsafe_code, reason = "intrinsics")]

use super::codes::{CodeLanes, WIDE};
use super::exact::Lanes;
use super::walk::{self, WalkState, WalkTask, walk_table};
use super::{CodeRows, Isa, Kernels, bits, codes, exact, exact_table};
use std::arch::x86_64::*;

pub(super) static KERNELS: Kernels = Kernels {
    isa: Isa::Avx512,
    name: "avx512",
    exact: exact_table!(distance_many),
    code_dot: dots_widened,
    code_sad: sads,
    bits: bits::avx512::estimate,
    walk: walk_table!(walk_widened),
};

/// # Safety
///
/// AVX-512 F, BW and VL are available; the rest as for [`walk::run`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
unsafe fn walk_widened<const M: u8, const F: u8>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // SAFETY: the caller's promises are the same.
    unsafe { walk::run::<Widened, M, F>(task, ef, state) }
}

pub(super) static KERNELS_VNNI: Kernels = Kernels {
    isa: Isa::Avx512,
    name: "avx512-vnni",
    exact: KERNELS.exact,
    code_dot: dots_vnni,
    code_sad: sads,
    bits: bits::avx512::estimate,
    walk: walk_table!(walk_vnni, walk_packed_vnni),
};

/// # Safety
///
/// AVX-512 F, BW, VL and VNNI are available; the rest as for [`walk::run`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn walk_packed_vnni<const M: u8>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // SAFETY: the caller's promises are the same.
    unsafe { walk::run_unrolled::<Vnni, M>(task, ef, state) }
}

/// # Safety
///
/// AVX-512 F, BW, VL and VNNI are available; the rest as for [`walk::run`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn walk_vnni<const M: u8, const F: u8>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // SAFETY: the caller's promises are the same.
    unsafe { walk::run::<Vnni, M, F>(task, ef, state) }
}

/// # Safety
///
/// AVX-512 F, BW and VL are available; the rest as for [`exact::distance_many`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
unsafe fn distance_many<const M: u8, const D: u8>(query: &[f32], rows: &[&[u8]], out: &mut [f32]) {
    // SAFETY: the caller's promises are the same.
    unsafe { exact::distance_many::<Floats, M, D, 4>(query, rows, out) }
}

/// # Safety
///
/// AVX-512 F, BW and VL are available; the rest as for [`codes::dots`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
unsafe fn dots_widened(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // SAFETY: the caller's promises are the same.
    unsafe { codes::dots::<Widened>(query, rows, ids, out) }
}

/// # Safety
///
/// AVX-512 F, BW, VL and VNNI are available; the rest as for [`codes::dots`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn dots_vnni(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // SAFETY: the caller's promises are the same.
    unsafe { codes::dots::<Vnni>(query, rows, ids, out) }
}

/// # Safety
///
/// AVX-512 F, BW and VL are available; the rest as for [`codes::sads`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
unsafe fn sads(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // SAFETY: the caller's promises are the same.
    unsafe { codes::sads::<Widened>(query, rows, ids, out) }
}

/// Lanes 0 to 15, then 16 to 31.
#[derive(Clone, Copy)]
struct Floats(__m512, __m512);

// SAFETY (all operations below): the caller of each runs where the instruction set is available and
// gives the loads their 32 elements: 128, 64 or 32 bytes.
impl Lanes for Floats {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see above.
        unsafe { Floats(_mm512_setzero_ps(), _mm512_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn load_query(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Floats(_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16))) }
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const u8) -> Self {
        // SAFETY: see above.
        unsafe { Floats(_mm512_loadu_ps(from.cast()), _mm512_loadu_ps(from.add(64).cast())) }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Self {
        // SAFETY: see above.
        unsafe { Floats(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast())), _mm512_cvtph_ps(_mm256_loadu_si256(from.add(32).cast()))) }
    }

    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Self {
        // SAFETY: see above.
        unsafe {
            Floats(
                _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))),
                _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.add(16).cast()))),
            )
        }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { Floats(_mm512_fmadd_ps(a.0, b.0, self.0), _mm512_fmadd_ps(a.1, b.1, self.1)) }
    }

    #[inline(always)]
    unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let (low, high) = (_mm512_sub_ps(a.0, b.0), _mm512_sub_ps(a.1, b.1));
            Floats(_mm512_fmadd_ps(low, low, self.0), _mm512_fmadd_ps(high, high, self.1))
        }
    }

    #[inline(always)]
    unsafe fn add_absolute_difference(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            Floats(
                _mm512_add_ps(self.0, _mm512_abs_ps(_mm512_sub_ps(a.0, b.0))),
                _mm512_add_ps(self.1, _mm512_abs_ps(_mm512_sub_ps(a.1, b.1))),
            )
        }
    }

    #[inline(always)]
    unsafe fn fold(self) -> f32 {
        // SAFETY: see above.
        unsafe {
            let sixteen = _mm512_castps_pd(_mm512_add_ps(self.0, self.1));
            let low = _mm256_castpd_ps(_mm512_castpd512_pd256(sixteen));
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(sixteen));
            super::avx2::fold_eight(_mm256_add_ps(low, high))
        }
    }
}

/// Codes by widening to 16 bits: no saturation at any value.
struct Widened;

// SAFETY (all operations below): as for `Lanes`, with loads of 64 bytes.
impl CodeLanes for Widened {
    type Block = __m512i;
    type Factor = (__m512i, __m512i);
    type Sum = __m512i;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_factor(from: *const u8) -> Self::Factor {
        // SAFETY: see above.
        unsafe {
            let signed = signed_values(from);
            (_mm512_cvtepi8_epi16(_mm512_castsi512_si256(signed)), _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64::<1>(signed)))
        }
    }

    #[inline(always)]
    unsafe fn add_products(sum: __m512i, row: __m512i, query: Self::Factor) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(row));
            let high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(row));
            let sum = _mm512_add_epi32(sum, _mm512_madd_epi16(low, query.0));
            _mm512_add_epi32(sum, _mm512_madd_epi16(high, query.1))
        }
    }

    #[inline(always)]
    unsafe fn add_differences(sum: __m512i, row: __m512i, query: __m512i) -> __m512i {
        // The 64-bit sums stay far below 2^32, so that 32-bit additions and their total are exact.
        // SAFETY: see above.
        unsafe { _mm512_add_epi32(sum, _mm512_sad_epu8(row, query)) }
    }

    #[inline(always)]
    unsafe fn plus(sum: __m512i, other: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_add_epi32(sum, other) }
    }

    #[inline(always)]
    unsafe fn total(sum: __m512i) -> i32 {
        // SAFETY: see above.
        unsafe { _mm512_reduce_add_epi32(sum) }
    }

    #[inline(always)]
    unsafe fn totals(sums: [__m512i; WIDE]) -> [i32; WIDE] {
        // Transposed while they are added: each 128 bits hold a part of all four, in their order.
        // SAFETY: see above; an array of four numbers is as long as what is stored.
        unsafe {
            let pair = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let (first, second) = (pair(sums[0], sums[1]), pair(sums[2], sums[3]));
            let all = _mm512_add_epi32(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
            let half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
            let four = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
            let mut out = [0; WIDE];
            _mm_storeu_si128(out.as_mut_ptr().cast(), four);
            out
        }
    }

    #[inline(always)]
    unsafe fn nibbles(block: __m512i) -> (__m512i, __m512i) {
        // SAFETY: see above.
        unsafe {
            let mask = _mm512_set1_epi8(15);
            (_mm512_and_si512(block, mask), _mm512_and_si512(_mm512_srli_epi16::<4>(block), mask))
        }
    }

    #[inline(always)]
    unsafe fn halves(block: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_and_si512(_mm512_srli_epi16::<1>(block), _mm512_set1_epi8(127)) }
    }

    #[inline(always)]
    unsafe fn middles(block: __m512i) -> __m512i {
        // No bit crosses into the next byte: each byte is at most 15.
        // SAFETY: see above.
        unsafe { _mm512_or_si512(_mm512_slli_epi16::<3>(block), _mm512_set1_epi8(4)) }
    }

    #[inline(always)]
    unsafe fn add_nibble_products(sum: __m512i, row: __m512i, query: __m512i) -> __m512i {
        // Two products of at most 15 x 128 fit 16 bits.
        // SAFETY: see above.
        unsafe { _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(row, query), _mm512_set1_epi16(1))) }
    }

    #[inline(always)]
    unsafe fn add_squares(sum: __m512i, row: __m512i, query: __m512i) -> __m512i {
        // Two squares of at most 127 fit 16 bits.
        // SAFETY: see above.
        unsafe {
            let difference = _mm512_abs_epi8(_mm512_sub_epi8(row, query));
            _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(difference, difference), _mm512_set1_epi16(1)))
        }
    }
}

/// Codes by `vpdpbusd`, which adds four products of an unsigned and a signed byte without saturation.
struct Vnni;

// SAFETY (all operations below): as for `Widened`, where VNNI is available too.
impl CodeLanes for Vnni {
    type Block = __m512i;
    type Factor = __m512i;
    type Sum = __m512i;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: see above.
        unsafe { Widened::zero() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m512i {
        // SAFETY: see above.
        unsafe { Widened::load(from) }
    }

    #[inline(always)]
    unsafe fn load_factor(from: *const u8) -> __m512i {
        // SAFETY: see above.
        unsafe { signed_values(from) }
    }

    #[inline(always)]
    unsafe fn add_products(sum: __m512i, row: __m512i, query: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_dpbusd_epi32(sum, row, query) }
    }

    #[inline(always)]
    unsafe fn add_differences(sum: __m512i, row: __m512i, query: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { Widened::add_differences(sum, row, query) }
    }

    #[inline(always)]
    unsafe fn plus(sum: __m512i, other: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { Widened::plus(sum, other) }
    }

    #[inline(always)]
    unsafe fn total(sum: __m512i) -> i32 {
        // SAFETY: see above.
        unsafe { Widened::total(sum) }
    }

    #[inline(always)]
    unsafe fn totals(sums: [__m512i; WIDE]) -> [i32; WIDE] {
        // SAFETY: see above.
        unsafe { Widened::totals(sums) }
    }

    #[inline(always)]
    unsafe fn nibbles(block: __m512i) -> (__m512i, __m512i) {
        // SAFETY: see above.
        unsafe { Widened::nibbles(block) }
    }

    #[inline(always)]
    unsafe fn halves(block: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { Widened::halves(block) }
    }

    #[inline(always)]
    unsafe fn middles(block: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { Widened::middles(block) }
    }

    #[inline(always)]
    unsafe fn add_nibble_products(sum: __m512i, row: __m512i, query: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_dpbusd_epi32(sum, row, query) }
    }

    #[inline(always)]
    unsafe fn add_squares(sum: __m512i, row: __m512i, query: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let difference = _mm512_abs_epi8(_mm512_sub_epi8(row, query));
            _mm512_dpbusd_epi32(sum, difference, difference)
        }
    }
}

/// The signed values of 64 codes: flipping the top bit subtracts 128.
///
/// # Safety
///
/// AVX-512 F is available and 64 bytes are readable.
#[inline(always)]
unsafe fn signed_values(from: *const u8) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe { _mm512_xor_si512(_mm512_loadu_si512(from.cast()), _mm512_set1_epi8(i8::MIN)) }
}
