//! The loop of a walk over one level of a graph, whole inside one instruction set.
//!
//! What is compared are *coarse* codes: the upper four bits of each code byte, packed two dimensions a
//! byte or left in the whole rows, or the upper seven bits where four would be too few. All are integers, so the walk is
//! the same on every instruction set, and the same over packed and over whole rows.
#![expect(unsafe_code, reason = "raw loads, and operations that need their instruction set")]

use super::codes::{CodeLanes, WIDE, totals};
use super::{CODE_ALIGN, prefetch_line};
use crate::Metric;
use crate::hnsw::{Key, Pool, Visited};

/// How the rows that a walk compares are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowForm {
    /// Upper halves of code bytes, two dimensions a byte: byte `i` of block `b` holds dimension `128 b + i` in its lower half and
    /// `128 b + 64 + i` in its upper.
    Packed,
    /// Code rows, of which the upper half of each byte is compared.
    Upper,
    /// Code rows, of which all is compared, for `L2` and `Manhattan` without the lowest bit.
    Whole,
}

pub(super) const PACKED: u8 = RowForm::Packed as u8;
const WHOLE: u8 = RowForm::Whole as u8;
const L2: u8 = Metric::L2 as u8;
const DOT: u8 = Metric::Dot as u8;

/// Lines of rows that are asked for ahead of those that are compared: about as many as a core keeps under way.
const LINES_AHEAD: usize = 36;

/// Nodes whose lists are asked for ahead, of those that are next to expand.
const LISTS_AHEAD: usize = 3;

/// What is walked over, and with what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalkTask<'a> {
    /// One row a node, `stride` bytes each.
    pub(crate) rows: &'a [u8],
    pub(crate) stride: usize,
    /// `degree` places a node, `u32` little-endian; the first that is no node ends a list.
    pub(crate) lists: &'a [u8],
    pub(crate) degree: usize,
    /// Number of nodes.
    pub(crate) nodes: u32,
    /// The query in the form that goes with the rows, as [`crate::codes::CoarseQuery`] makes it.
    pub(crate) query: &'a [u8],
    /// Where walks may begin: the nearest of them does.
    pub(crate) starts: &'a [u32],
    /// The rows of `starts` one after the other, or nothing.
    pub(crate) start_rows: &'a [u8],
}

/// What a walk fills.
#[derive(Clone, Debug, Default)]
pub(crate) struct WalkState {
    pub(crate) pool: Pool,
    pub(crate) visited: Visited,
    pub(crate) visits: usize,
    fresh: Vec<u32>,
}

/// The caller has checked the sizes and the instruction set.
pub(super) type WalkFn = unsafe fn(task: &WalkTask<'_>, ef: usize, state: &mut WalkState);

impl WalkTask<'_> {
    /// # Panics
    ///
    /// When a section is not as long as the others say.
    pub(super) fn check(&self, metric: Metric, form: RowForm) {
        let nodes = self.nodes as usize;
        assert!(self.stride.is_multiple_of(CODE_ALIGN) && self.stride > 0, "stride {}", self.stride);
        assert!(self.rows.len() >= nodes * self.stride, "{metric:?}: rows of {nodes} nodes");
        assert_eq!(self.lists.len(), nodes * self.degree * 4, "lists of {nodes} nodes");
        let query = if form == RowForm::Packed { self.stride * 2 } else { self.stride };
        assert!(self.query.len() >= query, "a query of {} bytes for {query}", self.query.len());
        assert!(self.start_rows.is_empty() || self.start_rows.len() >= self.starts.len() * self.stride, "rows of the starts");
        assert!(self.starts.iter().all(|start| *start < self.nodes), "a start that is no node");
    }
}

/// Fills the pool with the `ef` nearest nodes that a walk from the nearest start finds.
///
/// # Safety
///
/// The instruction set of `C` is available, and [`WalkTask::check`] passed.
#[inline(always)]
pub(super) unsafe fn run<C: CodeLanes, const M: u8, const F: u8>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // SAFETY: the caller's promises are the same.
    unsafe { walk::<C, M, F, 0>(task, ef, state) }
}

/// As [`run`] over packed rows, with loops of their own for usual numbers of dimensions: up to 128, 256, 384 and 768.
///
/// # Safety
///
/// As for [`run`].
#[inline(always)]
pub(super) unsafe fn run_unrolled<C: CodeLanes, const M: u8>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // SAFETY: the caller's promises are the same; the number of blocks is that of the rows.
    unsafe {
        match task.stride / CODE_ALIGN {
            1 => walk::<C, M, PACKED, 1>(task, ef, state),
            2 => walk::<C, M, PACKED, 2>(task, ef, state),
            3 => walk::<C, M, PACKED, 3>(task, ef, state),
            6 => walk::<C, M, PACKED, 6>(task, ef, state),
            _ => walk::<C, M, PACKED, 0>(task, ef, state),
        }
    }
}

/// # Safety
///
/// As for [`run`]; `B` is the number of blocks of a row, or 0.
#[inline(always)]
unsafe fn walk<C: CodeLanes, const M: u8, const F: u8, const B: usize>(task: &WalkTask<'_>, ef: usize, state: &mut WalkState) {
    // Plain loops, no closures around scoring: a closure that is not inlined would leave the instruction set.
    let WalkState { pool, visited, visits, fresh } = state;
    pool.reset(ef);
    visited.reset(task.nodes as usize);
    *visits = task.starts.len();
    // SAFETY: the caller's promises are the same.
    let Some(start) = (unsafe { nearest_start::<C, M, F, B>(task) }) else { return };
    visited.insert(start.node());
    pool.insert(start);
    let ahead = rows_ahead::<B>(task);
    fresh.resize(2 * task.degree + 1, 0);
    while let Some(node) = pool.expand() {
        let mut count = visited.take_fresh_into(neighbours(task, node), fresh);
        // Rows come faster than one list asks for them. As long as the pool fills, the next node would be a guess.
        let is_full = pool.keys().len() == ef;
        if let Some(second) = if is_full { pool.expand() } else { None } {
            count += visited.take_fresh_into(neighbours(task, second), &mut fresh[count..]);
        }
        for neighbour in &fresh[..count.min(ahead)] {
            prefetch_row::<B>(task, *neighbour);
        }
        // Most often what comes after, unless a neighbour is nearer.
        for next in pool.next(LISTS_AHEAD) {
            prefetch_list(task, next);
        }
        *visits += count;
        let (groups, rest) = fresh[..count].as_chunks::<WIDE>();
        for (place, group) in groups.iter().enumerate() {
            let later = (place * WIDE + ahead).min(count)..((place + 1) * WIDE + ahead).min(count);
            for neighbour in &fresh[later] {
                prefetch_row::<B>(task, *neighbour);
            }
            // SAFETY: neighbours are nodes, and `check` saw a row for each node.
            let distances = unsafe { distances::<C, M, F, B, WIDE>(task, task.rows, group) };
            take_in(task, pool, group, &distances);
        }
        for neighbour in rest {
            // SAFETY: as above.
            let distances = unsafe { distances::<C, M, F, B, 1>(task, task.rows, &[*neighbour]) };
            take_in(task, pool, &[*neighbour], &distances);
        }
    }
}

/// Rows that are asked for ahead.
#[inline(always)]
fn rows_ahead<const B: usize>(task: &WalkTask<'_>) -> usize {
    let lines = if B > 0 { B } else { task.stride / CODE_ALIGN };
    (LINES_AHEAD / lines).max(WIDE)
}

#[inline(always)]
fn take_in(task: &WalkTask<'_>, pool: &mut Pool, nodes: &[u32], distances: &[i32]) {
    for (node, distance) in nodes.iter().zip(distances) {
        if pool.insert(Key::new(*distance, *node)).is_some_and(|behind| behind < LISTS_AHEAD) {
            prefetch_list(task, *node);
        }
    }
}

/// # Safety
///
/// As for [`walk`]; `rows` has rows of these numbers.
#[inline(always)]
unsafe fn distances<C: CodeLanes, const M: u8, const F: u8, const B: usize, const N: usize>(
    task: &WalkTask<'_>,
    rows: &[u8],
    numbers: &[u32; N],
) -> [i32; N] {
    // SAFETY: the caller's promises; a row is `stride` bytes long.
    unsafe {
        let mut sums = [C::zero(); N];
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum = row_sum::<C, M, F, B>(task, rows.as_ptr().add(*number as usize * task.stride));
        }
        let mut totals = totals::<C, N>(sums);
        if M == DOT {
            for total in &mut totals {
                *total = total.wrapping_neg();
            }
        }
        totals
    }
}

/// # Safety
///
/// As for [`walk`].
#[inline(always)]
unsafe fn nearest_start<C: CodeLanes, const M: u8, const F: u8, const B: usize>(task: &WalkTask<'_>) -> Option<Key> {
    let in_row = !task.start_rows.is_empty();
    if !in_row {
        for start in task.starts {
            prefetch_row::<B>(task, *start);
        }
    }
    let mut nearest = None;
    let (groups, rest) = task.starts.as_chunks::<WIDE>();
    let rows = if in_row { task.start_rows } else { task.rows };
    for (number, group) in groups.iter().enumerate() {
        let first = (number * WIDE) as u32;
        let places = if in_row { [first, first + 1, first + 2, first + 3] } else { *group };
        // SAFETY: `check` saw a row for every start, and that the starts are nodes.
        let distances = unsafe { distances::<C, M, F, B, WIDE>(task, rows, &places) };
        nearest = nearer(nearest, group, &distances);
    }
    for (place, start) in rest.iter().enumerate() {
        let place = if in_row { (groups.len() * WIDE + place) as u32 } else { *start };
        // SAFETY: as above.
        let distances = unsafe { distances::<C, M, F, B, 1>(task, rows, &[place]) };
        nearest = nearer(nearest, &[*start], &distances);
    }
    nearest
}

#[inline(always)]
fn nearer(mut nearest: Option<Key>, nodes: &[u32], distances: &[i32]) -> Option<Key> {
    for (node, distance) in nodes.iter().zip(distances) {
        let key = Key::new(*distance, *node);
        if nearest.is_none_or(|nearest| key < nearest) {
            nearest = Some(key);
        }
    }
    nearest
}

/// The neighbours of a node, up to the first place that names no node.
#[inline(always)]
fn neighbours(task: &WalkTask<'_>, node: u32) -> impl Iterator<Item = u32> {
    let bytes = task.degree * 4;
    let list = &task.lists[node as usize * bytes..(node as usize + 1) * bytes];
    let nodes = task.nodes;
    list.as_chunks::<4>().0.iter().map(|place| u32::from_le_bytes(*place)).take_while(move |neighbour| *neighbour < nodes)
}

#[inline(always)]
fn prefetch_row<const B: usize>(task: &WalkTask<'_>, node: u32) {
    let start = task.rows.as_ptr().wrapping_add(node as usize * task.stride);
    let blocks = if B > 0 { B } else { (task.stride / CODE_ALIGN).min(8) };
    for block in 0..blocks {
        prefetch_line(start.wrapping_add(block * CODE_ALIGN));
    }
}

#[inline(always)]
fn prefetch_list(task: &WalkTask<'_>, node: u32) {
    let bytes = task.degree * 4;
    let start = task.lists.as_ptr().wrapping_add(node as usize * bytes);
    for offset in (0..bytes).step_by(CODE_ALIGN) {
        prefetch_line(start.wrapping_add(offset));
    }
}

/// The coarse distance of the query to a row, in parts; that of inner products without its sign.
///
/// # Safety
///
/// The instruction set of `C` is available, and a whole row is readable at `row`.
#[inline(always)]
unsafe fn row_sum<C: CodeLanes, const M: u8, const F: u8, const B: usize>(task: &WalkTask<'_>, row: *const u8) -> C::Sum {
    let blocks = if B > 0 { B } else { task.stride / CODE_ALIGN };
    let query = task.query.as_ptr();
    // SAFETY: the caller's promises; `check` saw a query of one block a block of the row, of two where rows are packed.
    unsafe {
        let (mut even, mut odd) = (C::zero(), C::zero());
        for block in 0..blocks {
            let codes = C::load(row.add(block * CODE_ALIGN));
            if F == PACKED {
                let (low, high) = C::nibbles(codes);
                even = step::<C, M, F>(even, low, query.add(block * 2 * CODE_ALIGN));
                odd = step::<C, M, F>(odd, high, query.add((block * 2 + 1) * CODE_ALIGN));
            } else {
                let codes = if F == WHOLE { codes } else { C::nibbles(codes).1 };
                even = step::<C, M, F>(even, codes, query.add(block * CODE_ALIGN));
            }
        }
        if F == PACKED { C::plus(even, odd) } else { even }
    }
}

/// # Safety
///
/// As for [`CodeLanes`]; a block is readable at `query`.
#[inline(always)]
unsafe fn step<C: CodeLanes, const M: u8, const F: u8>(sum: C::Sum, codes: C::Block, query: *const u8) -> C::Sum {
    // SAFETY: the caller's promises are the same.
    unsafe {
        match (M, F == WHOLE) {
            (DOT, true) => C::add_products(sum, codes, C::load_factor(query)),
            (DOT, false) => C::add_nibble_products(sum, codes, C::load(query)),
            (L2, true) => C::add_squares(sum, C::halves(codes), C::load(query)),
            (L2, false) => C::add_squares(sum, C::middles(codes), C::load(query)),
            (_, true) => C::add_differences(sum, C::halves(codes), C::load(query)),
            (_, false) => C::add_differences(sum, C::middles(codes), C::load(query)),
        }
    }
}

/// The nine walks over (metric, form of rows), in the order of the enums; packed rows may have walks of their own.
macro_rules! walk_table {
    ($walk:ident) => {
        [
            [$walk::<0, 0>, $walk::<0, 1>, $walk::<0, 2>],
            [$walk::<1, 0>, $walk::<1, 1>, $walk::<1, 2>],
            [$walk::<2, 0>, $walk::<2, 1>, $walk::<2, 2>],
        ]
    };
    ($walk:ident, $packed:ident) => {
        [
            [$packed::<0>, $walk::<0, 1>, $walk::<0, 2>],
            [$packed::<1>, $walk::<1, 1>, $walk::<1, 2>],
            [$packed::<2>, $walk::<2, 1>, $walk::<2, 2>],
        ]
    };
}
pub(super) use walk_table;
