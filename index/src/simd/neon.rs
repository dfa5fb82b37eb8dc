//! Kernels for 64-bit ARM, where NEON is always there.
#![expect(unsafe_code, reason = "intrinsics")]

use super::exact::Lanes;
#[cfg(not(target_arch = "aarch64"))]
use super::neon_emulated::*;
use super::walk::{self, WalkState, WalkTask, walk_table};
use super::{CodeRows, Isa, Kernels, bits, codes, codes::CodeLanes, exact, exact_table};
use half::f16;
#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;

pub(super) static KERNELS: Kernels = Kernels {
    isa: Isa::Neon,
    name: "neon",
    exact: exact_table!(distance_many),
    code_dot: dots,
    code_sad: sads,
    bits: bits::neon::estimate,
    walk: walk_table!(walk),
};

/// # Safety
///
/// NEON is available; the rest as for [`walk::run`].
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
unsafe fn walk<const M: u8, const F: u8>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // SAFETY: the caller's promises are the same.
    unsafe { walk::run::<Bytes, M, F>(task, ef, state) }
}

/// # Safety
///
/// As for [`exact::distance_many`].
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
unsafe fn distance_many<const M: u8, const D: u8>(query: &[f32], rows: &[&[u8]], out: &mut [f32]) {
    // SAFETY: NEON is part of this target; the lengths are the caller's promise.
    unsafe { exact::distance_many::<Floats, M, D, 2>(query, rows, out) }
}

/// # Safety
///
/// As for [`codes::dots`].
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
unsafe fn dots(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // SAFETY: NEON is part of this target; the rest is the caller's promise.
    unsafe { codes::dots::<Bytes>(query, rows, ids, out) }
}

/// # Safety
///
/// As for [`codes::sads`].
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
unsafe fn sads(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // SAFETY: NEON is part of this target; the rest is the caller's promise.
    unsafe { codes::sads::<Bytes>(query, rows, ids, out) }
}

/// Lanes 0 to 3, 4 to 7, and so on.
#[derive(Clone, Copy)]
struct Floats([float32x4_t; 8]);

// SAFETY (all operations below): NEON is part of every 64-bit ARM; the caller gives the loads their 32
// elements: 128, 64 or 32 bytes.
impl Lanes for Floats {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see above.
        unsafe { Floats([vdupq_n_f32(0.0); 8]) }
    }

    #[inline(always)]
    unsafe fn load_query(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe {
            let mut lanes = Self::zero();
            for part in 0..8 {
                lanes.0[part] = vld1q_f32(from.add(part * 4));
            }
            lanes
        }
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const u8) -> Self {
        // SAFETY: see above. Bytes are loaded, so that the address may be unaligned.
        unsafe {
            let mut lanes = Self::zero();
            for part in 0..8 {
                lanes.0[part] = vreinterpretq_f32_u8(vld1q_u8(from.add(part * 16)));
            }
            lanes
        }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Self {
        // The conversion intrinsics take a type that is not stable yet; this one is exact as well.
        // SAFETY: see above.
        unsafe {
            let halves = from.cast::<[[u8; 2]; 32]>().read_unaligned();
            let floats = halves.map(|half| f16::from_le_bytes(half).to_f32());
            Self::load_query(floats.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Self {
        // SAFETY: see above.
        unsafe {
            let mut lanes = Self::zero();
            for part in 0..2 {
                let bytes = vld1q_u8(from.add(part * 16));
                let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_u8(vget_high_u8(bytes)));
                lanes.0[part * 4] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
                lanes.0[part * 4 + 1] = vcvtq_f32_u32(vmovl_u16(vget_high_u16(low)));
                lanes.0[part * 4 + 2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
                lanes.0[part * 4 + 3] = vcvtq_f32_u32(vmovl_u16(vget_high_u16(high)));
            }
            lanes
        }
    }

    #[inline(always)]
    unsafe fn add_product(mut self, a: Self, b: Self) -> Self {
        for part in 0..8 {
            // SAFETY: see above.
            self.0[part] = unsafe { vfmaq_f32(self.0[part], a.0[part], b.0[part]) };
        }
        self
    }

    #[inline(always)]
    unsafe fn add_squared_difference(mut self, a: Self, b: Self) -> Self {
        for part in 0..8 {
            // SAFETY: see above.
            unsafe {
                let difference = vsubq_f32(a.0[part], b.0[part]);
                self.0[part] = vfmaq_f32(self.0[part], difference, difference);
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn add_absolute_difference(mut self, a: Self, b: Self) -> Self {
        for part in 0..8 {
            // SAFETY: see above.
            self.0[part] = unsafe { vaddq_f32(self.0[part], vabdq_f32(a.0[part], b.0[part])) };
        }
        self
    }

    #[inline(always)]
    unsafe fn fold(self) -> f32 {
        // SAFETY: see above.
        unsafe {
            let mut parts = self.0;
            let mut half = 4;
            while half > 0 {
                for part in 0..half {
                    parts[part] = vaddq_f32(parts[part], parts[part + half]);
                }
                half /= 2;
            }
            let two = vadd_f32(vget_low_f32(parts[0]), vget_high_f32(parts[0]));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        }
    }
}

/// Codes by widening to 16 bits: no saturation at any value.
struct Bytes;

// SAFETY (all operations below): as for `Lanes`, with loads of 64 bytes.
impl CodeLanes for Bytes {
    type Block = [uint8x16_t; 4];
    type Factor = [int16x8_t; 8];
    type Sum = int32x4_t;

    #[inline(always)]
    unsafe fn zero() -> int32x4_t {
        // SAFETY: see above.
        unsafe { vdupq_n_s32(0) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self::Block {
        // SAFETY: see above.
        unsafe { [vld1q_u8(from), vld1q_u8(from.add(16)), vld1q_u8(from.add(32)), vld1q_u8(from.add(48))] }
    }

    #[inline(always)]
    unsafe fn load_factor(from: *const u8) -> Self::Factor {
        // SAFETY: see above. Flipping the top bit subtracts 128.
        unsafe {
            let mut factor = [vdupq_n_s16(0); 8];
            for (part, bytes) in Self::load(from).into_iter().enumerate() {
                let signed = vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(128)));
                factor[part * 2] = vmovl_s8(vget_low_s8(signed));
                factor[part * 2 + 1] = vmovl_s8(vget_high_s8(signed));
            }
            factor
        }
    }

    #[inline(always)]
    unsafe fn add_products(mut sum: int32x4_t, row: Self::Block, query: Self::Factor) -> int32x4_t {
        for part in 0..4 {
            // SAFETY: see above.
            unsafe {
                let low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(row[part])));
                let high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(row[part])));
                sum = vmlal_s16(sum, vget_low_s16(low), vget_low_s16(query[part * 2]));
                sum = vmlal_high_s16(sum, low, query[part * 2]);
                sum = vmlal_s16(sum, vget_low_s16(high), vget_low_s16(query[part * 2 + 1]));
                sum = vmlal_high_s16(sum, high, query[part * 2 + 1]);
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn add_differences(mut sum: int32x4_t, row: Self::Block, query: Self::Block) -> int32x4_t {
        for part in 0..4 {
            // SAFETY: see above.
            unsafe {
                let pairs = vpaddlq_u8(vabdq_u8(row[part], query[part]));
                sum = vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(sum), pairs));
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn plus(sum: int32x4_t, other: int32x4_t) -> int32x4_t {
        // SAFETY: see above.
        unsafe { vaddq_s32(sum, other) }
    }

    #[inline(always)]
    unsafe fn total(sum: int32x4_t) -> i32 {
        // SAFETY: see above.
        unsafe { vaddvq_s32(sum) }
    }

    #[inline(always)]
    unsafe fn nibbles(block: Self::Block) -> (Self::Block, Self::Block) {
        // SAFETY: see above.
        unsafe { (block.map(|part| vandq_u8(part, vdupq_n_u8(15))), block.map(|part| vshrq_n_u8::<4>(part))) }
    }

    #[inline(always)]
    unsafe fn halves(block: Self::Block) -> Self::Block {
        // SAFETY: see above.
        unsafe { block.map(|part| vshrq_n_u8::<1>(part)) }
    }

    #[inline(always)]
    unsafe fn middles(block: Self::Block) -> Self::Block {
        // SAFETY: see above.
        unsafe { block.map(|part| vorrq_u8(vshlq_n_u8::<3>(part), vdupq_n_u8(4))) }
    }

    #[inline(always)]
    unsafe fn add_nibble_products(mut sum: int32x4_t, row: Self::Block, query: Self::Block) -> int32x4_t {
        for part in 0..4 {
            // Two products of at most 15 x 128 fit 16 bits.
            // SAFETY: see above.
            unsafe {
                let (row, query) = (vreinterpretq_s8_u8(row[part]), vreinterpretq_s8_u8(query[part]));
                sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(row), vget_low_s8(query)));
                sum = vpadalq_s16(sum, vmull_high_s8(row, query));
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn add_squares(mut sum: int32x4_t, row: Self::Block, query: Self::Block) -> int32x4_t {
        for part in 0..4 {
            // SAFETY: see above.
            unsafe {
                let difference = vreinterpretq_s8_u8(vabdq_u8(row[part], query[part]));
                sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(difference), vget_low_s8(difference)));
                sum = vpadalq_s16(sum, vmull_high_s8(difference, difference));
            }
        }
        sum
    }
}
