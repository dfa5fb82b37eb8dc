//! The loop of the code kernels, over what an instruction set gives: 64 bytes at a time.
#![expect(unsafe_code, reason = "raw loads, and operations that need their instruction set")]

use super::{CODE_ALIGN, CodeRows, ZERO_CODE, prefetch_line};

/// Rows scored side by side: enough sums under way to hide the latency of a multiply-add.
pub(super) const WIDE: usize = 4;

/// Sums over blocks of 64 code bytes in the registers of one instruction set.
///
/// # Safety
///
/// Every operation may only run where the instruction set is available, and a load reads 64 bytes from a
/// pointer of any alignment. Implementations are `#[inline(always)]`.
pub(super) trait CodeLanes {
    /// A block of a row.
    type Block: Copy;
    /// A block of the query in the form that the multiplication takes: signed values.
    type Factor: Copy;
    /// Sums under way.
    type Sum: Copy;

    unsafe fn zero() -> Self::Sum;
    unsafe fn load(from: *const u8) -> Self::Block;
    unsafe fn load_factor(from: *const u8) -> Self::Factor;
    /// Adds (unsigned row byte) x (signed query value), exactly.
    unsafe fn add_products(sum: Self::Sum, row: Self::Block, query: Self::Factor) -> Self::Sum;
    /// Adds |row byte - query byte|, exactly.
    unsafe fn add_differences(sum: Self::Sum, row: Self::Block, query: Self::Block) -> Self::Sum;
    /// Adds two sums lane by lane.
    unsafe fn plus(sum: Self::Sum, other: Self::Sum) -> Self::Sum;
    unsafe fn total(sum: Self::Sum) -> i32;
    /// The totals of four sums, which many instruction sets have at the price of two.
    #[inline(always)]
    unsafe fn totals(sums: [Self::Sum; WIDE]) -> [i32; WIDE] {
        // SAFETY: the caller keeps the promises of `CodeLanes`.
        unsafe { [Self::total(sums[0]), Self::total(sums[1]), Self::total(sums[2]), Self::total(sums[3])] }
    }
    /// The lower four bits of each byte, and the upper four.
    unsafe fn nibbles(block: Self::Block) -> (Self::Block, Self::Block);
    /// Half of each byte, rounded down.
    unsafe fn halves(block: Self::Block) -> Self::Block;
    /// Eight times each byte of at most 15, and four: the middle of what its four bits stand for, in seven bits.
    unsafe fn middles(block: Self::Block) -> Self::Block;
    /// Adds (row byte of at most 15) x (signed query byte), exactly.
    unsafe fn add_nibble_products(sum: Self::Sum, row: Self::Block, query: Self::Block) -> Self::Sum;
    /// Adds (row byte - query byte) squared, both at most 127, exactly.
    unsafe fn add_squares(sum: Self::Sum, row: Self::Block, query: Self::Block) -> Self::Sum;
}

/// What a block of the query and a block of a row add to a sum.
trait Step<C: CodeLanes> {
    type Query: Copy;
    unsafe fn load_query(from: *const u8) -> Self::Query;
    unsafe fn add(sum: C::Sum, row: C::Block, query: Self::Query) -> C::Sum;
}

struct Products;
struct Differences;

impl<C: CodeLanes> Step<C> for Products {
    type Query = C::Factor;
    #[inline(always)]
    unsafe fn load_query(from: *const u8) -> Self::Query {
        // SAFETY: the caller keeps the promises of `CodeLanes`.
        unsafe { C::load_factor(from) }
    }
    #[inline(always)]
    unsafe fn add(sum: C::Sum, row: C::Block, query: Self::Query) -> C::Sum {
        // SAFETY: the caller keeps the promises of `CodeLanes`.
        unsafe { C::add_products(sum, row, query) }
    }
}

impl<C: CodeLanes> Step<C> for Differences {
    type Query = C::Block;
    #[inline(always)]
    unsafe fn load_query(from: *const u8) -> Self::Query {
        // SAFETY: the caller keeps the promises of `CodeLanes`.
        unsafe { C::load(from) }
    }
    #[inline(always)]
    unsafe fn add(sum: C::Sum, row: C::Block, query: Self::Query) -> C::Sum {
        // SAFETY: the caller keeps the promises of `CodeLanes`.
        unsafe { C::add_differences(sum, row, query) }
    }
}

/// Inner products of signed values.
///
/// # Safety
///
/// The instruction set of `C` is available, `query` is one stride long, every id is below the number of
/// rows, and `out` is as long as `ids`.
#[inline(always)]
pub(super) unsafe fn dots<C: CodeLanes>(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // Multipliers take the row unsigned: c * q = (c - 128) * q + 128 * q, and the second part is the
    // same for every row.
    let mut excess = -i32::from(ZERO_CODE) * query.len() as i32;
    // A loop, because a closure that is not inlined would leave the instruction set.
    for code in query {
        excess += i32::from(*code);
    }
    // SAFETY: the caller's promises are the same.
    unsafe { run::<C, Products>(query, rows, ids, out) };
    for dot in out {
        *dot = dot.wrapping_sub(excess.wrapping_mul(i32::from(ZERO_CODE)));
    }
}

/// Sums of absolute differences.
///
/// # Safety
///
/// As for [`dots`].
#[inline(always)]
pub(super) unsafe fn sads<C: CodeLanes>(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    // SAFETY: the caller's promises are the same.
    unsafe { run::<C, Differences>(query, rows, ids, out) };
}

/// # Safety
///
/// As for [`dots`].
#[inline(always)]
unsafe fn run<C: CodeLanes, S: Step<C>>(query: &[u8], rows: CodeRows<'_>, ids: &[u32], out: &mut [i32]) {
    let (groups, rest) = ids.as_chunks::<WIDE>();
    let (group_outs, rest_out) = out.as_chunks_mut::<WIDE>();
    for (index, group) in groups.iter().enumerate() {
        let next = groups.get(index + 1).unwrap_or(group);
        // SAFETY: the caller's promises hold for every subset of the ids.
        group_outs[index] = unsafe { score::<C, S, WIDE>(query, rows, group, next) };
    }
    for (id, distance) in rest.iter().zip(rest_out) {
        // SAFETY: as above.
        *distance = unsafe { score::<C, S, 1>(query, rows, &[*id], &[*id])[0] };
    }
}

/// # Safety
///
/// As for [`dots`].
#[inline(always)]
unsafe fn score<C: CodeLanes, S: Step<C>, const N: usize>(query: &[u8], rows: CodeRows<'_>, ids: &[u32; N], next: &[u32; N]) -> [i32; N] {
    let base = rows.bytes.as_ptr();
    // SAFETY: the instruction set is available (the caller's promise). An id is below the number of
    // rows, so its row of `stride` bytes lies within `bytes`; the stride is a multiple of a block.
    // `wrapping_add` makes the prefetch address, which is never read.
    unsafe {
        let mut sums = [C::zero(); N];
        let mut starts = [base; N];
        let mut ahead = [base; N];
        for lane in 0..N {
            starts[lane] = base.add(ids[lane] as usize * rows.stride);
            ahead[lane] = base.wrapping_add(next[lane] as usize * rows.stride);
        }
        let mut offset = 0;
        while offset < rows.stride {
            let factor = S::load_query(query.as_ptr().add(offset));
            for lane in 0..N {
                prefetch_line(ahead[lane].wrapping_add(offset));
                sums[lane] = S::add(sums[lane], C::load(starts[lane].add(offset)), factor);
            }
            offset += CODE_ALIGN;
        }
        totals::<C, N>(sums)
    }
}

/// The totals of some sums, those of four together.
///
/// # Safety
///
/// The instruction set of `C` is available.
#[inline(always)]
pub(super) unsafe fn totals<C: CodeLanes, const N: usize>(sums: [C::Sum; N]) -> [i32; N] {
    let mut out = [0; N];
    let (groups, rest) = sums.as_chunks::<WIDE>();
    let (group_outs, rest_out) = out.as_chunks_mut::<WIDE>();
    for (group, out) in groups.iter().zip(group_outs) {
        // SAFETY: the caller's promise is the same.
        *out = unsafe { C::totals(*group) };
    }
    for (sum, out) in rest.iter().zip(rest_out) {
        // SAFETY: as above.
        *out = unsafe { C::total(*sum) };
    }
    out
}
