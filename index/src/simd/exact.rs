//! The loop of the exact kernels, over what an instruction set gives: 32 float lanes.
#![expect(unsafe_code, reason = "raw loads, and operations that need their instruction set")]

use super::prefetch_line;

/// Lanes in the stated order of accumulation.
pub(super) const LANES: usize = 32;

/// Position of each metric and datatype in the kernel tables, as const parameters.
pub(super) const L2: u8 = crate::Metric::L2 as u8;
pub(super) const MANHATTAN: u8 = crate::Metric::Manhattan as u8;
pub(super) const F32: u8 = crate::Datatype::F32 as u8;
pub(super) const F16: u8 = crate::Datatype::F16 as u8;
const DOT: u8 = crate::Metric::Dot as u8;

/// 32 lanes of `f32` in the registers of one instruction set.
///
/// # Safety
///
/// Every operation may only run where the instruction set is available, and a load reads 32 elements
/// from a pointer of any alignment. Implementations are `#[inline(always)]`, so that they become part
/// of the `#[target_feature]` function that calls the loop.
pub(super) trait Lanes: Copy {
    unsafe fn zero() -> Self;
    unsafe fn load_query(from: *const f32) -> Self;
    unsafe fn load_f32(from: *const u8) -> Self;
    unsafe fn load_f16(from: *const u8) -> Self;
    unsafe fn load_u8(from: *const u8) -> Self;
    /// `fma(a, b, self)` in each lane.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// `d = a - b`, then `fma(d, d, self)` in each lane.
    unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self;
    /// `self + |a - b|` in each lane.
    unsafe fn add_absolute_difference(self, a: Self, b: Self) -> Self;
    /// Adds the upper half to the lower until one lane is left.
    unsafe fn fold(self) -> f32;
}

const fn element_size(datatype: u8) -> usize {
    match datatype {
        F32 => 4,
        F16 => 2,
        _ => 1,
    }
}

/// Scores all rows, `WIDE` at a time so that enough additions are under way to hide their latency.
///
/// # Safety
///
/// The instruction set of `L` is available, every row holds `query.len()` elements of datatype `D`, and
/// `out` is as long as `rows`.
#[inline(always)]
pub(super) unsafe fn distance_many<L: Lanes, const M: u8, const D: u8, const WIDE: usize>(query: &[f32], rows: &[&[u8]], out: &mut [f32]) {
    let (groups, rest) = rows.as_chunks::<WIDE>();
    let (group_outs, rest_out) = out.as_chunks_mut::<WIDE>();
    for (index, group) in groups.iter().enumerate() {
        let next = groups.get(index + 1).unwrap_or(group);
        // SAFETY: the caller's promises hold for every subset of the rows.
        group_outs[index] = unsafe { score::<L, M, D, WIDE>(query, group, next) };
    }
    for (row, distance) in rest.iter().zip(rest_out) {
        // SAFETY: as above.
        *distance = unsafe { score::<L, M, D, 1>(query, &[*row], &[*row])[0] };
    }
}

/// Scores `WIDE` rows while the next ones are on their way from memory.
///
/// # Safety
///
/// As for [`distance_many`].
#[inline(always)]
unsafe fn score<L: Lanes, const M: u8, const D: u8, const WIDE: usize>(
    query: &[f32],
    rows: &[&[u8]; WIDE],
    next: &[&[u8]; WIDE],
) -> [f32; WIDE] {
    let block_bytes = LANES * element_size(D);
    let blocks = query.len() / LANES;
    // SAFETY: the instruction set is available (the caller's promise). Block `b` of the query and of a
    // row lies within them, because `b < blocks` and each row holds as many elements as the query.
    // `wrapping_add` makes the prefetch address, which is never read.
    unsafe {
        let mut sums = [L::zero(); WIDE];
        for block in 0..blocks {
            let a = L::load_query(query.as_ptr().add(block * LANES));
            for lane in 0..WIDE {
                let b = load::<L, D>(rows[lane].as_ptr().add(block * block_bytes));
                let ahead = next[lane].as_ptr().wrapping_add(block * block_bytes);
                prefetch_line(ahead);
                if D == F32 {
                    prefetch_line(ahead.wrapping_add(64));
                }
                sums[lane] = step::<L, M>(sums[lane], a, b);
            }
        }
        if !query.len().is_multiple_of(LANES) {
            let a: [f32; LANES] = padded(&query[blocks * LANES..]);
            let a = L::load_query(a.as_ptr());
            for lane in 0..WIDE {
                let tail = padded::<u8, { LANES * 4 }>(&rows[lane][blocks * block_bytes..]);
                sums[lane] = step::<L, M>(sums[lane], a, load::<L, D>(tail.as_ptr()));
            }
        }
        let mut distances = [0.0; WIDE];
        for lane in 0..WIDE {
            let folded = sums[lane].fold();
            distances[lane] = if M == DOT { -folded } else { folded };
        }
        distances
    }
}

/// The last elements, then zeros.
#[inline(always)]
fn padded<T: Copy + Default, const N: usize>(tail: &[T]) -> [T; N] {
    let mut block = [T::default(); N];
    block[..tail.len()].copy_from_slice(tail);
    block
}

/// # Safety
///
/// As for the loads of [`Lanes`].
#[inline(always)]
unsafe fn load<L: Lanes, const D: u8>(from: *const u8) -> L {
    // SAFETY: the caller's promise is the one the load asks for.
    unsafe {
        match D {
            F32 => L::load_f32(from),
            F16 => L::load_f16(from),
            _ => L::load_u8(from),
        }
    }
}

/// # Safety
///
/// The instruction set of `L` is available.
#[inline(always)]
unsafe fn step<L: Lanes, const M: u8>(sum: L, a: L, b: L) -> L {
    // SAFETY: the caller's promise is the one the operations ask for.
    unsafe {
        match M {
            L2 => sum.add_squared_difference(a, b),
            MANHATTAN => sum.add_absolute_difference(a, b),
            _ => sum.add_product(a, b),
        }
    }
}
