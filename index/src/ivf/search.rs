//! Searching: the nearest lists by their centres, the best of their rows by estimate.

use super::effort::Effort;
use super::layout::ListsView;
use crate::one_bit::rows::term_unit;
use crate::one_bit::table::{fill_table, to_code};
use crate::simd::Kernels;
use crate::simd::bits::{BLOCK_ROWS, BitQuery, BlockEstimates};

/// Blocks that are estimated at once.
const BLOCKS_AT_ONCE: usize = 16;

/// Memory that searches of one thread reuse.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    query: Vec<f32>,
    table: Vec<u8>,
    /// The query in bytes, and what the bytes left over, in 254ths.
    high: Vec<u8>,
    low: Vec<u8>,
    ids: Vec<u32>,
    dots: Vec<i32>,
    /// Order and number of each list.
    order: Vec<u64>,
    estimates: Vec<BlockEstimates>,
    /// Order and key of each row that is kept.
    kept: Vec<u64>,
    keys: Vec<u32>,
    visits: usize,
    visits_until_kept: Option<usize>,
}

impl Scratch {
    /// Rows that the last search estimated.
    #[must_use]
    pub fn visits(&self) -> usize {
        self.visits
    }

    /// Rows that the last search had estimated when it first held as many as it was to keep; `None` when it never did.
    #[must_use]
    pub fn visits_until_kept(&self) -> Option<usize> {
        self.visits_until_kept
    }

    /// What the last search gave, to be put in another order.
    pub fn found_mut(&mut self) -> &mut [u32] {
        &mut self.keys
    }
}

/// Collects the keys of the rows that may be nearest, nearest first: the best `effort.keep` by estimate among the rows of the nearest lists that
/// `accept` takes. While fewer are found, further lists are looked at.
///
/// # Panics
///
/// When the query has other dimensions than the lists.
pub fn search<'s>(
    kernels: &Kernels,
    lists: &ListsView<'_>,
    query: &[f32],
    effort: Effort,
    accept: impl Fn(u32) -> bool,
    scratch: &'s mut Scratch,
) -> &'s [u32] {
    let ready = Ready::new(lists, query, scratch);
    let count = lists.list_count();
    scratch.ids.clear();
    scratch.ids.extend(0..count);
    scratch.dots.resize(count as usize, 0);
    kernels.code_dots(&scratch.high, lists.centre_rows(), &scratch.ids, &mut scratch.dots);
    scratch.order.clear();
    for (list, dot) in (0..).zip(&scratch.dots) {
        scratch.order.push(ordered(ready.base(lists, list, *dot, 0), list));
    }
    let probes = (effort.probes as usize).clamp(1, count as usize);
    let mut order = std::mem::take(&mut scratch.order);
    if probes < order.len() {
        order.select_nth_unstable(probes - 1);
    }
    order[..probes].sort_unstable();
    scratch.kept.clear();
    scratch.visits = 0;
    scratch.visits_until_kept = None;
    let mut keep = Kept { limit: effort.keep, worst: f32::INFINITY };
    for place in 0..order.len() {
        if place >= probes {
            if scratch.kept.len() >= effort.keep {
                break;
            }
            if place == probes {
                order[probes..].sort_unstable();
            }
        }
        ready.scan(kernels, lists, order[place] as u32, &accept, &mut keep, scratch);
        if scratch.visits_until_kept.is_none() && scratch.kept.len() >= effort.keep {
            scratch.visits_until_kept = Some(scratch.visits);
        }
    }
    scratch.order = order;
    keep.cut(&mut scratch.kept);
    scratch.kept.sort_unstable();
    scratch.keys.clear();
    scratch.keys.extend(scratch.kept.iter().map(|entry| *entry as u32));
    &scratch.keys
}

/// A query made ready.
struct Ready {
    zero: i32,
    factor: f32,
    term_unit: f32,
    /// What a unit of the inner product with the bytes is worth.
    byte: f32,
    dot: bool,
}

impl Ready {
    fn new(lists: &ListsView<'_>, query: &[f32], scratch: &mut Scratch) -> Self {
        let space = lists.space();
        let padded = space.padded();
        scratch.query.resize(padded, 0.0);
        space.place_query(query, &mut scratch.query);
        let largest = scratch.query.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let byte = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        scratch.high.clear();
        scratch.low.clear();
        for value in &scratch.query {
            let high = to_code(value / byte);
            scratch.high.push(high);
            scratch.low.push(to_code((value / byte - (f32::from(high) - 128.0)) * 254.0));
        }
        let entry = fill_table(&scratch.query, &mut scratch.table);
        let factor = if space.dot { entry } else { 2.0 * entry };
        Ready { zero: 128 * (padded / 4) as i32, factor, term_unit: term_unit(padded), byte, dot: space.dot }
    }

    /// What the estimates of a list's rows begin with, from the inner products of its centre with the bytes of the query.
    #[inline]
    fn base(&self, lists: &ListsView<'_>, list: u32, high: i32, low: i32) -> f32 {
        let dot = (high as f32 + low as f32 / 254.0) * self.byte;
        if self.dot { -dot } else { lists.norm(list) as f32 - 2.0 * dot }
    }

    /// Estimates the rows of a list and keeps the best.
    fn scan(
        &self,
        kernels: &Kernels,
        lists: &ListsView<'_>,
        list: u32,
        accept: &impl Fn(u32) -> bool,
        keep: &mut Kept,
        scratch: &mut Scratch,
    ) {
        let places = lists.list(list);
        if places.is_empty() {
            return;
        }
        let mut low = [0];
        kernels.code_dots(&scratch.low, lists.centre_rows(), &[list], &mut low);
        let base = self.base(lists, list, scratch.dots[list as usize], low[0]);
        let query = BitQuery { table: &scratch.table, zero: self.zero, factor: self.factor, term_unit: self.term_unit };
        scratch.visits += places.len();
        let blocks = places.start / BLOCK_ROWS..places.end.div_ceil(BLOCK_ROWS);
        scratch.estimates.resize(BLOCKS_AT_ONCE, BlockEstimates::NONE);
        for first in blocks.clone().step_by(BLOCKS_AT_ONCE) {
            let end = blocks.end.min(first + BLOCKS_AT_ONCE);
            let estimates = &mut scratch.estimates[..end - first];
            kernels.bit_estimates(&query, lists.blocks(first..end), base, estimates);
            for (from, block) in (first..).map(|block| block * BLOCK_ROWS).zip(estimates) {
                if block.nearest > keep.worst {
                    continue;
                }
                let own = places.start.max(from) - from..places.end.min(from + BLOCK_ROWS) - from;
                for (place, estimate) in (from + own.start..).zip(&block.rows[own]) {
                    if *estimate <= keep.worst {
                        let key = lists.key(place);
                        if key < lists.key_bound() && accept(key) {
                            keep.push(*estimate, key, &mut scratch.kept);
                        }
                    }
                }
            }
        }
    }
}

/// The best rows so far, by (estimate, key), and some more.
struct Kept {
    limit: usize,
    /// No row behind this estimate can be among the best.
    worst: f32,
}

impl Kept {
    #[inline]
    fn push(&mut self, estimate: f32, key: u32, kept: &mut Vec<u64>) {
        kept.push(ordered(estimate, key));
        // Cut seldom: choosing the best of twice as many costs little more than looking at them.
        if kept.len() >= self.limit.saturating_mul(2).max(64) {
            self.cut(kept);
        }
    }

    fn cut(&mut self, kept: &mut Vec<u64>) {
        if kept.len() <= self.limit {
            return;
        }
        if self.limit > 0 {
            let (_, last, _) = kept.select_nth_unstable(self.limit - 1);
            self.worst = estimate_of(*last);
        }
        kept.truncate(self.limit);
    }
}

/// An estimate and a number as one integer, in the order of both.
#[inline]
fn ordered(estimate: f32, number: u32) -> u64 {
    let bits = estimate.to_bits();
    let order = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(order) << 32 | u64::from(number)
}

fn estimate_of(ordered: u64) -> f32 {
    let order = (ordered >> 32) as u32;
    f32::from_bits(if order >> 31 == 1 { order & !(1 << 31) } else { !order })
}
