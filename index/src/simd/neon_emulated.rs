//! The NEON instructions that our kernels use, in plain Rust: machines without NEON try those kernels in every test run.
//!
//! Names, arguments and results are those of `std::arch::aarch64`. A kernel that uses another instruction adds it here.
#![expect(unsafe_code, reason = "the signatures are those of the real instructions, some of which take pointers")]
#![expect(non_camel_case_types, reason = "the names are those of the real registers")]

use std::array::from_fn;

pub(super) type float32x2_t = [f32; 2];
pub(super) type float32x4_t = [f32; 4];
pub(super) type int8x8_t = [i8; 8];
pub(super) type int8x16_t = [i8; 16];
pub(super) type int16x4_t = [i16; 4];
pub(super) type int16x8_t = [i16; 8];
pub(super) type int32x4_t = [i32; 4];
pub(super) type uint8x8_t = [u8; 8];
pub(super) type uint8x16_t = [u8; 16];
pub(super) type uint16x4_t = [u16; 4];
pub(super) type uint16x8_t = [u16; 8];
pub(super) type uint32x4_t = [u32; 4];

/// Instructions that compute each lane from its number.
macro_rules! lanes {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty = |$lane:ident| $value:expr;)*) => {$(
        /// # Safety
        ///
        /// None is needed here: the real one may only run where NEON is.
        #[inline(always)]
        pub(super) unsafe fn $name($($argument: $type),*) -> $result {
            from_fn(|$lane| $value)
        }
    )*};
}

lanes! {
    vdupq_n_f32(value: f32) -> float32x4_t = |_lane| value;
    vdupq_n_s16(value: i16) -> int16x8_t = |_lane| value;
    vdupq_n_s32(value: i32) -> int32x4_t = |_lane| value;
    vdupq_n_u8(value: u8) -> uint8x16_t = |_lane| value;
    vdupq_n_u16(value: u16) -> uint16x8_t = |_lane| value;

    vadd_f32(a: float32x2_t, b: float32x2_t) -> float32x2_t = |lane| a[lane] + b[lane];
    vaddq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = |lane| a[lane] + b[lane];
    vsubq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = |lane| a[lane] - b[lane];
    vabdq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = |lane| (a[lane] - b[lane]).abs();
    vfmaq_f32(sum: float32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t = |lane| a[lane].mul_add(b[lane], sum[lane]);
    vcvtq_f32_u32(a: uint32x4_t) -> float32x4_t = |lane| a[lane] as f32;

    vaddq_s32(a: int32x4_t, b: int32x4_t) -> int32x4_t = |lane| a[lane].wrapping_add(b[lane]);
    vabdq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t = |lane| a[lane].abs_diff(b[lane]);
    vandq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t = |lane| a[lane] & b[lane];
    vorrq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t = |lane| a[lane] | b[lane];
    veorq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t = |lane| a[lane] ^ b[lane];
    vqtbl1q_u8(table: uint8x16_t, at: uint8x16_t) -> uint8x16_t = |lane| table.get(usize::from(at[lane])).copied().unwrap_or(0);

    vmovl_u8(a: uint8x8_t) -> uint16x8_t = |lane| u16::from(a[lane]);
    vmovl_s8(a: int8x8_t) -> int16x8_t = |lane| i16::from(a[lane]);
    vmovl_u16(a: uint16x4_t) -> uint32x4_t = |lane| u32::from(a[lane]);
    vaddw_u8(sum: uint16x8_t, a: uint8x8_t) -> uint16x8_t = |lane| sum[lane].wrapping_add(u16::from(a[lane]));
    vaddw_high_u8(sum: uint16x8_t, a: uint8x16_t) -> uint16x8_t = |lane| sum[lane].wrapping_add(u16::from(a[lane + 8]));
    vmlal_s16(sum: int32x4_t, a: int16x4_t, b: int16x4_t) -> int32x4_t = |lane| sum[lane].wrapping_add(i32::from(a[lane]) * i32::from(b[lane]));
    vmlal_high_s16(sum: int32x4_t, a: int16x8_t, b: int16x8_t) -> int32x4_t = |lane| sum[lane].wrapping_add(i32::from(a[lane + 4]) * i32::from(b[lane + 4]));
    vmull_s8(a: int8x8_t, b: int8x8_t) -> int16x8_t = |lane| i16::from(a[lane]) * i16::from(b[lane]);
    vmull_high_s8(a: int8x16_t, b: int8x16_t) -> int16x8_t = |lane| i16::from(a[lane + 8]) * i16::from(b[lane + 8]);
    vpadalq_s16(sum: int32x4_t, a: int16x8_t) -> int32x4_t = |lane| sum[lane].wrapping_add(i32::from(a[2 * lane]) + i32::from(a[2 * lane + 1]));
    vpaddlq_u8(a: uint8x16_t) -> uint16x8_t = |lane| u16::from(a[2 * lane]) + u16::from(a[2 * lane + 1]);
    vpadalq_u16(sum: uint32x4_t, a: uint16x8_t) -> uint32x4_t = |lane| sum[lane].wrapping_add(u32::from(a[2 * lane]) + u32::from(a[2 * lane + 1]));

    vget_low_f32(a: float32x4_t) -> float32x2_t = |lane| a[lane];
    vget_high_f32(a: float32x4_t) -> float32x2_t = |lane| a[lane + 2];
    vget_low_s8(a: int8x16_t) -> int8x8_t = |lane| a[lane];
    vget_high_s8(a: int8x16_t) -> int8x8_t = |lane| a[lane + 8];
    vget_low_u8(a: uint8x16_t) -> uint8x8_t = |lane| a[lane];
    vget_high_u8(a: uint8x16_t) -> uint8x8_t = |lane| a[lane + 8];
    vget_low_s16(a: int16x8_t) -> int16x4_t = |lane| a[lane];
    vget_low_u16(a: uint16x8_t) -> uint16x4_t = |lane| a[lane];
    vget_high_u16(a: uint16x8_t) -> uint16x4_t = |lane| a[lane + 4];

    vreinterpretq_f32_u8(a: uint8x16_t) -> float32x4_t = |lane| f32::from_le_bytes(from_fn(|byte| a[lane * 4 + byte]));
    vreinterpretq_s8_u8(a: uint8x16_t) -> int8x16_t = |lane| a[lane].cast_signed();
    vreinterpretq_s16_u16(a: uint16x8_t) -> int16x8_t = |lane| a[lane].cast_signed();
    vreinterpretq_s32_u32(a: uint32x4_t) -> int32x4_t = |lane| a[lane].cast_signed();
    vreinterpretq_u32_s32(a: int32x4_t) -> uint32x4_t = |lane| a[lane].cast_unsigned();
}

/// # Safety
///
/// None is needed here: the real one may only run where NEON is.
#[inline(always)]
pub(super) unsafe fn vshrq_n_u8<const N: i32>(a: uint8x16_t) -> uint8x16_t {
    a.map(|lane| lane >> N)
}

/// # Safety
///
/// None is needed here: the real one may only run where NEON is.
#[inline(always)]
pub(super) unsafe fn vshlq_n_u8<const N: i32>(a: uint8x16_t) -> uint8x16_t {
    a.map(|lane| lane << N)
}

#[inline(always)]
pub(super) unsafe fn vget_lane_f32<const LANE: i32>(a: float32x2_t) -> f32 {
    a[LANE as usize]
}

/// # Safety
///
/// None is needed here: the real one may only run where NEON is.
#[inline(always)]
pub(super) unsafe fn vaddvq_s32(a: int32x4_t) -> i32 {
    a.into_iter().fold(0, i32::wrapping_add)
}

/// # Safety
///
/// `from` has 16 readable bytes, at any alignment.
#[inline(always)]
pub(super) unsafe fn vld1q_f32(from: *const f32) -> float32x4_t {
    // SAFETY: the caller's promise; the read is one of unaligned bytes.
    unsafe { from.cast::<float32x4_t>().read_unaligned() }
}

/// # Safety
///
/// `from` has 16 readable bytes.
#[inline(always)]
pub(super) unsafe fn vld1q_u8(from: *const u8) -> uint8x16_t {
    // SAFETY: the caller's promise.
    unsafe { from.cast::<uint8x16_t>().read_unaligned() }
}

/// # Safety
///
/// `to` has 16 writable bytes, at any alignment.
#[inline(always)]
pub(super) unsafe fn vst1q_u16(to: *mut u16, a: uint16x8_t) {
    // SAFETY: the caller's promise; the write is one of unaligned bytes.
    unsafe { to.cast::<uint16x8_t>().write_unaligned(a) };
}
