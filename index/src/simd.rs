//! Distance kernels: the only place that asks what the CPU can do, and a table of kernels chosen once.
//!
//! **One order of accumulation.** A float distance is summed in 32 lanes: lane `j` takes the elements
//! `i` with `i % 32 == j`, by fused multiply-add (`Dot`: `fma(a, b, acc)`; `L2`: `d = a - b`,
//! `fma(d, d, acc)`; `Manhattan`: `acc + |a - b|`). A last block of fewer than 32 elements is filled
//! with zeros. The lanes are folded by adding the upper half to the lower: 32, 16, 8, 4, 2, 1. `Dot`
//! is negated at the end. Every instruction set follows it, so finite results are equal bit by bit.
//!
//! **Code distances** are integers and exact everywhere. A code byte `c` stands for the signed value
//! `c - 128`; rows are padded to the stride with [`ZERO_CODE`], which adds nothing.
#![expect(unsafe_code, reason = "kernels are called through pointers that need their instruction set")]

use crate::metric::{Datatype, MAX_DIMS, Metric};
use std::ops::Range;
use std::str::FromStr;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod bits;
mod codes;
mod exact;
#[cfg(any(target_arch = "aarch64", test))]
mod neon;
#[cfg(all(test, not(target_arch = "aarch64")))]
mod neon_emulated;
mod scalar;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use walk::{RowForm, WalkState, WalkTask};

/// The code byte that stands for zero.
pub const ZERO_CODE: u8 = 128;

/// Code rows begin at multiples of this many bytes: one cache line, one widest register.
pub const CODE_ALIGN: usize = 64;

/// The numbers of rows in their order, for kernel calls over rows that follow each other.
pub(crate) const ROW_NUMBERS: [u32; 256] = {
    let mut numbers = [0; 256];
    let mut at = 0;
    while at < numbers.len() {
        numbers[at] = at as u32;
        at += 1;
    }
    numbers
};

/// Bytes from one code row to the next.
#[must_use]
pub const fn code_stride(dims: usize) -> usize {
    dims.next_multiple_of(CODE_ALIGN)
}

/// A family of instructions that has kernels of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Plain Rust, runs everywhere.
    Scalar,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW and VL; VNNI is used where it is there too.
    Avx512,
    /// 64-bit ARM.
    Neon,
}

impl Isa {
    /// Every family, available here or not.
    pub const ALL: [Isa; 4] = [Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Neon];

    /// The name that settings use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Neon => "neon",
        }
    }
}

impl FromStr for Isa {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Isa::ALL
            .into_iter()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| format!("unknown instruction set \"{name}\" (expected one of scalar, avx2, avx512, neon)"))
    }
}

/// Scores rows of raw vectors. The caller has checked the lengths and the instruction set.
type ExactFn = unsafe fn(query: &[f32], rows: &[&[u8]], out: &mut [f32]);

/// Scores rows of codes. The caller has checked the lengths, the ids and the instruction set.
type CodeFn = unsafe fn(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]);

/// Rows of codes, `stride` bytes each, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct CodeRows<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> CodeRows<'a> {
    /// Takes `bytes` as rows of `stride` bytes: `None` unless `stride` is a multiple of
    /// [`CODE_ALIGN`] from 64 to [`MAX_DIMS`] and divides the length.
    #[must_use]
    pub fn new(bytes: &'a [u8], stride: usize) -> Option<Self> {
        let good = stride != 0 && stride <= MAX_DIMS && stride.is_multiple_of(CODE_ALIGN) && bytes.len().is_multiple_of(stride);
        good.then_some(CodeRows { bytes, stride })
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bytes.len() / self.stride
    }

    /// Bytes from one row to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// One row with its padding.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, id: u32) -> &'a [u8] {
        &self.bytes[id as usize * self.stride..][..self.stride]
    }

    /// The rows `range` as rows of their own, numbered from 0.
    ///
    /// # Panics
    ///
    /// When the range ends beyond the rows.
    #[must_use]
    pub fn part(&self, range: Range<u32>) -> CodeRows<'a> {
        CodeRows { bytes: &self.bytes[range.start as usize * self.stride..range.end as usize * self.stride], stride: self.stride }
    }

    /// Asks the CPU to bring the beginnings of rows near; it follows a long row by itself.
    #[inline]
    pub(crate) fn prefetch(&self, ids: &[u32]) {
        for id in ids {
            let start = *id as usize * self.stride;
            (0..self.stride.min(512)).step_by(CODE_ALIGN).for_each(|offset| prefetch(self.bytes, start + offset));
        }
    }

    /// Asks the CPU to bring the first two lines of rows near: where the kernel's own look ahead, four rows, is less than the memory
    /// can bring at once.
    #[inline]
    pub(crate) fn prefetch_lines(&self, ids: &[u32]) {
        for id in ids {
            let start = *id as usize * self.stride;
            prefetch(self.bytes, start);
            prefetch(self.bytes, start + CODE_ALIGN);
        }
    }

    /// All rows, one after the other.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The kernels of one instruction set. Fetch them once and hand them down.
pub struct Kernels {
    isa: Isa,
    name: &'static str,
    exact: [[ExactFn; 3]; 3],
    code_dot: CodeFn,
    code_sad: CodeFn,
    bits: bits::BitsFn,
    walk: [[walk::WalkFn; 3]; 3],
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kernels").field(&self.name).finish()
    }
}

impl Kernels {
    /// The fastest kernels that run on this CPU.
    #[must_use]
    pub fn detect() -> &'static Kernels {
        [Isa::Avx512, Isa::Avx2, Isa::Neon].into_iter().find_map(Kernels::for_isa).unwrap_or(&scalar::KERNELS)
    }

    /// The kernels of `isa`, or `None` when this CPU cannot run them.
    #[must_use]
    pub fn for_isa(isa: Isa) -> Option<&'static Kernels> {
        // The last of a family is its best.
        Kernels::available().filter(|kernels| kernels.isa == isa).last()
    }

    /// Every table that runs here, variants of one instruction set included.
    pub fn available() -> impl Iterator<Item = &'static Kernels> {
        let scalar = std::iter::once(&scalar::KERNELS);
        #[cfg(target_arch = "x86_64")]
        return scalar.chain(x86_tables());
        #[cfg(target_arch = "aarch64")]
        return scalar.chain(std::iter::once(&neon::KERNELS));
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        return scalar;
    }

    /// The instruction set.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The name to print; names the variant too (`avx512-vnni`).
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Writes the distance from `query` to each row into `out`. Rows are little-endian bytes at any
    /// alignment.
    ///
    /// # Panics
    ///
    /// When `out` is not as long as `rows`, or a row does not hold `query.len()` dimensions.
    pub fn distance_many(&self, metric: Metric, datatype: Datatype, query: &[f32], rows: &[&[u8]], out: &mut [f32]) {
        assert_eq!(rows.len(), out.len(), "one distance a row");
        let row_len = query.len() * datatype.bytes_per_dim();
        assert!(rows.iter().all(|row| row.len() == row_len), "a row that is not of {} dimensions", query.len());
        // SAFETY: a table is only handed out where its instruction set is available; lengths are checked above.
        unsafe { self.exact[metric as usize][datatype as usize](query, rows, out) }
    }

    /// Writes the inner product of the signed values of `query` and of each row `ids` into `out`.
    ///
    /// # Panics
    ///
    /// When `query` is not one stride long, an id is not below the number of rows, or `out` is not as
    /// long as `ids`.
    pub fn code_dots(&self, query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
        check_code_call(query, rows, ids, out);
        // SAFETY: a table is only handed out where its instruction set is available; ids and lengths are checked above.
        unsafe { (self.code_dot)(query, rows, ids, out) }
    }

    /// As [`Kernels::code_dots`] of the first rows, as many as `out` has places and [`ROW_NUMBERS`] at most.
    ///
    /// # Panics
    ///
    /// When there are fewer rows, or the query has another length.
    pub(crate) fn code_dots_in_order(&self, query: &[u8], rows: CodeRows<'_>, out: &mut [i32]) {
        check_in_order(query, rows, out);
        // SAFETY: a table is only handed out where its instruction set is available; numbers and lengths are checked above.
        unsafe { (self.code_dot)(query, rows, &ROW_NUMBERS[..out.len()], out) }
    }

    /// As [`Kernels::code_sads`] of the first rows, as many as `out` has places and [`ROW_NUMBERS`] at most.
    ///
    /// # Panics
    ///
    /// Like [`Kernels::code_dots_in_order`].
    pub(crate) fn code_sads_in_order(&self, query: &[u8], rows: CodeRows<'_>, out: &mut [i32]) {
        check_in_order(query, rows, out);
        // SAFETY: as above.
        unsafe { (self.code_sad)(query, rows, &ROW_NUMBERS[..out.len()], out) }
    }

    /// Writes the sum of absolute differences of `query` and each row `ids` into `out`.
    ///
    /// # Panics
    ///
    /// Like [`Kernels::code_dots`].
    pub fn code_sads(&self, query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
        check_code_call(query, rows, ids, out);
        // SAFETY: a table is only handed out where its instruction set is available; ids and lengths are checked above.
        unsafe { (self.code_sad)(query, rows, ids, out) }
    }

    /// Estimates the distances of the rows of whole blocks of 1-bit codes; `base` is added to each.
    ///
    /// # Panics
    ///
    /// When the lengths of the table, the blocks and `out` do not fit each other.
    pub(crate) fn bit_estimates(&self, query: &bits::BitQuery<'_>, blocks: &[u8], base: f32, out: &mut [bits::BlockEstimates]) {
        bits::check(query, blocks, out);
        // SAFETY: a table is only handed out where its instruction set is available; lengths are checked above.
        unsafe { (self.bits)(query, blocks, base, out) }
    }
}

impl Kernels {
    /// Walks one level of a graph by coarse codes and fills the pool of `state` with the `ef` nearest nodes found.
    ///
    /// # Panics
    ///
    /// When the sections of the task do not fit each other.
    pub(crate) fn walk(&self, metric: Metric, form: RowForm, task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
        task.check(metric, form);
        // SAFETY: a table is only handed out where its instruction set is available; the sizes are checked above.
        unsafe { self.walk[metric as usize][form as usize](task, ef, state) }
    }
}

fn check_in_order(query: &[u8], rows: CodeRows<'_>, out: &[i32]) {
    assert_eq!(query.len(), rows.stride, "query code length");
    assert!(out.len() <= rows.count().min(ROW_NUMBERS.len()), "{} of {} rows", out.len(), rows.count());
}

fn check_code_call(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &[i32]) {
    assert_eq!(query.len(), rows.stride, "query code length");
    assert_eq!(ids.len(), out.len(), "one distance an id");
    let count = rows.count();
    // The largest, because compilers find it several at a time.
    let largest = ids.iter().fold(0, |largest, id| largest.max(*id));
    assert!(ids.is_empty() || (largest as usize) < count, "a row id that is not below {count}");
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::disallowed_macros, reason = "the one place that asks the CPU")]
fn x86_tables() -> impl Iterator<Item = &'static Kernels> {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
    let avx512 =
        avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl");
    let vnni = avx512 && is_x86_feature_detected!("avx512vnni");
    [avx2.then_some(&avx2::KERNELS), avx512.then_some(&avx512::KERNELS), vnni.then_some(&avx512::KERNELS_VNNI)].into_iter().flatten()
}

/// Asks the CPU to bring the cache line of `bytes[offset]` near; nothing happens beyond the end.
#[inline(always)]
pub fn prefetch(bytes: &[u8], offset: usize) {
    if let Some(byte) = bytes.get(offset) {
        prefetch_line(byte);
    }
}

/// Asks the CPU to bring the beginning of a value near.
#[inline(always)]
pub fn prefetch_value<T>(value: &T) {
    prefetch_line(std::ptr::from_ref(value).cast());
}

/// Asks the CPU to bring one cache line near. A hint: any address will do, it is not read.
#[inline(always)]
fn prefetch_line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint and faults at no address; SSE is part of every x86-64.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch is a hint and faults at no address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// The nine exact kernels of a generic function over (metric, datatype), in the order of `ALL`.
macro_rules! exact_table {
    ($kernel:ident) => {
        [
            [$kernel::<0, 0>, $kernel::<0, 1>, $kernel::<0, 2>],
            [$kernel::<1, 0>, $kernel::<1, 1>, $kernel::<1, 2>],
            [$kernel::<2, 0>, $kernel::<2, 1>, $kernel::<2, 2>],
        ]
    };
}
use exact_table;
