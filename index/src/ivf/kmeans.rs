//! Centres learnt from a sample: rounds of assigning rows and averaging them, in whole numbers.

use super::build::in_parallel;
use crate::draw::mix;
use crate::hnsw::{BuildError, Executor};
use crate::simd::{CodeRows, Kernels};

/// Rounds: later ones hardly move the centres.
const ROUNDS: usize = 8;

/// Rows that one job assigns.
const JOB_ROWS: usize = 256;

/// Centres as code rows, with the squared length of each.
#[derive(Clone, Debug)]
pub(super) struct Centres {
    pub(super) codes: Vec<u8>,
    pub(super) norms: Vec<i32>,
    ids: Vec<u32>,
    stride: usize,
}

impl Centres {
    pub(super) fn new(codes: Vec<u8>, stride: usize) -> Self {
        assert!(codes.len().is_multiple_of(stride), "whole centres");
        let norms: Vec<i32> = codes.chunks_exact(stride).map(norm).collect();
        Centres { ids: (0..norms.len() as u32).collect(), norms, codes, stride }
    }

    pub(super) fn count(&self) -> usize {
        self.norms.len()
    }

    pub(super) fn code(&self, list: u32) -> &[u8] {
        &self.codes[list as usize * self.stride..][..self.stride]
    }

    fn rows(&self) -> CodeRows<'_> {
        CodeRows::new(&self.codes, self.stride).unwrap_or_else(|| panic!("centres of {} bytes", self.stride))
    }

    /// The list whose centre is nearest to a row; the first of several.
    pub(super) fn nearest(&self, kernels: &Kernels, row: &[u8], dots: &mut Vec<i32>) -> u32 {
        dots.resize(self.count(), 0);
        kernels.code_dots(row, self.rows(), &self.ids, dots);
        let distances = self.norms.iter().zip(dots.iter()).map(|(norm, dot)| norm - 2 * dot);
        distances.zip(0..).min().map_or(0, |(_, list)| list)
    }
}

/// The squared length of a code row.
pub(super) fn norm(code: &[u8]) -> i32 {
    code.iter().map(|byte| (i32::from(*byte) - 128).pow(2)).sum()
}

/// Learns `count` centres from the rows of a sample; `progress` is told the rounds that are done.
pub(super) fn learn(
    kernels: &Kernels,
    sample: CodeRows<'_>,
    count: usize,
    seed: u64,
    executor: &dyn Executor,
    progress: &dyn Fn(usize) -> bool,
) -> Result<Centres, BuildError> {
    let rows = sample.count();
    assert!(count >= 1 && count <= rows, "{count} centres of {rows} rows");
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_by_cached_key(|row| (mix(mix(seed) ^ u64::from(*row)), *row));
    let first = order[..count].iter().flat_map(|row| sample.row(*row).iter().copied()).collect();
    let mut centres = Centres::new(first, sample.stride());
    let jobs: Vec<u32> = (0..rows.div_ceil(JOB_ROWS) as u32).collect();
    for round in 0..ROUNDS {
        if !progress(round) {
            return Err(BuildError::Cancelled);
        }
        let lists = in_parallel(executor, &jobs, |job| {
            let mut dots = Vec::new();
            let range = *job as usize * JOB_ROWS..((*job as usize + 1) * JOB_ROWS).min(rows);
            range.map(|row| centres.nearest(kernels, sample.row(row as u32), &mut dots)).collect()
        });
        centres = averages(&centres, sample, &lists);
    }
    Ok(centres)
}

/// The rounded mean of the rows of each list; a list without rows begins anew at a row of the largest.
fn averages(centres: &Centres, sample: CodeRows<'_>, lists: &[u32]) -> Centres {
    let stride = sample.stride();
    let mut sums = vec![0_i32; centres.codes.len()];
    let mut counts = vec![0_i32; centres.count()];
    for (row, list) in (0..).zip(lists) {
        counts[*list as usize] += 1;
        let sums = &mut sums[*list as usize * stride..][..stride];
        sums.iter_mut().zip(sample.row(row)).for_each(|(sum, code)| *sum += i32::from(*code));
    }
    let mut codes = Vec::with_capacity(sums.len());
    for (sums, count) in sums.chunks_exact(stride).zip(&counts) {
        // A sum of bytes over their number is a byte again, and never 0 where no byte is.
        codes.extend(sums.iter().map(|sum| if *count == 0 { 128 } else { ((sum + count / 2) / count) as u8 }));
    }
    if counts.contains(&0) {
        begin_anew(&mut codes, sample, lists, counts);
    }
    Centres::new(codes, stride)
}

fn begin_anew(codes: &mut [u8], sample: CodeRows<'_>, lists: &[u32], counts: Vec<i32>) {
    let mut members: Vec<(u32, u32)> = lists.iter().copied().zip(0..).collect();
    members.sort_unstable();
    // A list that has given a row counts half, so that many empty lists do not all take from one.
    let mut donors: std::collections::BinaryHeap<_> = counts.iter().zip(0_u32..).map(|(count, list)| (*count, u32::MAX - list)).collect();
    let empty = counts.iter().zip(0_usize..).filter(|(count, _)| **count == 0).map(|(_, list)| list);
    for list in empty {
        let Some((count, donor)) = donors.pop().filter(|(count, _)| *count > 1) else { return };
        donors.push((count / 2, donor));
        let start = members.partition_point(|(list, _)| *list < u32::MAX - donor);
        let (_, row) = members[start + count as usize / 2];
        codes[list * sample.stride()..][..sample.stride()].copy_from_slice(sample.row(row));
    }
}
