//! Kernels in plain Rust: run everywhere, and say what the others must compute.
#![expect(unsafe_code, reason = "implements the traits of the kernels, whose loads are raw")]

use super::exact::{LANES, Lanes};
use super::walk::{self, WalkState, WalkTask, walk_table};
use super::{CODE_ALIGN, Isa, Kernels, bits, codes, codes::CodeLanes, exact, exact_table};
use half::f16;

pub(super) static KERNELS: Kernels = Kernels {
    isa: Isa::Scalar,
    name: "scalar",
    exact: exact_table!(distance_many),
    code_dot: codes::dots::<Bytes>,
    code_sad: codes::sads::<Bytes>,
    bits: bits::scalar::estimate,
    walk: walk_table!(walk),
};

/// # Safety
///
/// Nothing is asked of the CPU; the rest as for [`walk::run`].
unsafe fn walk<const M: u8, const F: u8>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // SAFETY: the caller's promises are the same.
    unsafe { walk::run::<Bytes, M, F>(task, ef, state) }
}

/// # Safety
///
/// As for [`exact::distance_many`].
unsafe fn distance_many<const M: u8, const D: u8>(query: &[f32], rows: &[&[u8]], out: &mut [f32]) {
    // SAFETY: plain Rust runs everywhere; the lengths are the caller's promise.
    unsafe { exact::distance_many::<Floats, M, D, 1>(query, rows, out) }
}

#[derive(Clone, Copy)]
struct Floats([f32; LANES]);

impl Floats {
    #[inline(always)]
    fn combine(mut self, a: Self, b: Self, op: impl Fn(f32, f32, f32) -> f32) -> Self {
        for lane in 0..LANES {
            self.0[lane] = op(self.0[lane], a.0[lane], b.0[lane]);
        }
        self
    }
}

impl Lanes for Floats {
    #[inline(always)]
    unsafe fn zero() -> Self {
        Floats([0.0; LANES])
    }

    #[inline(always)]
    unsafe fn load_query(from: *const f32) -> Self {
        // SAFETY: the caller gives 32 readable elements.
        Floats(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_f32(from: *const u8) -> Self {
        // SAFETY: the caller gives 32 readable elements.
        let bytes = unsafe { from.cast::<[[u8; 4]; LANES]>().read_unaligned() };
        Floats(bytes.map(f32::from_le_bytes))
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Self {
        // SAFETY: the caller gives 32 readable elements.
        let bytes = unsafe { from.cast::<[[u8; 2]; LANES]>().read_unaligned() };
        Floats(bytes.map(|half| f16::from_le_bytes(half).to_f32()))
    }

    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Self {
        // SAFETY: the caller gives 32 readable elements.
        let bytes = unsafe { from.cast::<[u8; LANES]>().read() };
        Floats(bytes.map(f32::from))
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        self.combine(a, b, |sum, a, b| a.mul_add(b, sum))
    }

    #[inline(always)]
    unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self {
        self.combine(a, b, |sum, a, b| (a - b).mul_add(a - b, sum))
    }

    #[inline(always)]
    unsafe fn add_absolute_difference(self, a: Self, b: Self) -> Self {
        self.combine(a, b, |sum, a, b| sum + (a - b).abs())
    }

    #[inline(always)]
    unsafe fn fold(mut self) -> f32 {
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                self.0[lane] += self.0[lane + half];
            }
            half /= 2;
        }
        self.0[0]
    }
}

struct Bytes;

impl CodeLanes for Bytes {
    type Block = [u8; CODE_ALIGN];
    type Factor = [u8; CODE_ALIGN];
    type Sum = i32;

    #[inline(always)]
    unsafe fn zero() -> i32 {
        0
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self::Block {
        // SAFETY: the caller gives 64 readable bytes.
        unsafe { from.cast::<[u8; CODE_ALIGN]>().read() }
    }

    #[inline(always)]
    unsafe fn load_factor(from: *const u8) -> Self::Factor {
        // SAFETY: the caller gives 64 readable bytes.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn add_products(sum: i32, row: Self::Block, query: Self::Factor) -> i32 {
        // A row byte times a signed query value fits 17 bits, and a row has at most 2^14 of them.
        sum + row.iter().zip(&query).map(|(c, q)| i32::from(*c) * (i32::from(*q) - 128)).sum::<i32>()
    }

    #[inline(always)]
    unsafe fn add_differences(sum: i32, row: Self::Block, query: Self::Block) -> i32 {
        sum + row.iter().zip(&query).map(|(c, q)| i32::from(c.abs_diff(*q))).sum::<i32>()
    }

    #[inline(always)]
    unsafe fn plus(sum: i32, other: i32) -> i32 {
        sum.wrapping_add(other)
    }

    #[inline(always)]
    unsafe fn total(sum: i32) -> i32 {
        sum
    }

    #[inline(always)]
    unsafe fn nibbles(block: Self::Block) -> (Self::Block, Self::Block) {
        (block.map(|byte| byte & 15), block.map(|byte| byte >> 4))
    }

    #[inline(always)]
    unsafe fn halves(block: Self::Block) -> Self::Block {
        block.map(|byte| byte >> 1)
    }

    #[inline(always)]
    unsafe fn middles(block: Self::Block) -> Self::Block {
        block.map(|byte| byte * 8 + 4)
    }

    #[inline(always)]
    unsafe fn add_nibble_products(sum: i32, row: Self::Block, query: Self::Block) -> i32 {
        sum + row.iter().zip(&query).map(|(c, q)| i32::from(*c) * i32::from(q.cast_signed())).sum::<i32>()
    }

    #[inline(always)]
    unsafe fn add_squares(sum: i32, row: Self::Block, query: Self::Block) -> i32 {
        sum + row.iter().zip(&query).map(|(c, q)| i32::from(c.abs_diff(*q)).pow(2)).sum::<i32>()
    }
}
