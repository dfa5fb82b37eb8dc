//! Searches all queries with one effort, on one or more threads, and sums up.

use super::data::{BenchData, TOP};
use crate::commands::session::Session;
use crate::exit::Failure;
use engine::collection::{Mode, SearchRequest, Version};
use engine::segment::SearchScratch;
use engine::{ErrorKind, PointId};
use index::recall::recall_at_k;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes over the queries are repeated until they took so long.
const AT_LEAST_MICROS: u64 = 1_000_000;
/// The most passes: tiny sets of queries are done in no time.
const PASSES_MAX: usize = 1_000;

/// The figures of one effort.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// Recall at 10, in the mean over the queries.
    pub recall: f64,
    /// Queries a second.
    pub qps: f64,
    /// Queries for each second of processor time.
    pub qps_cpu: f64,
    /// Half of the queries took no longer, in microseconds.
    pub p50_us: u64,
    /// 99 of 100 queries took no longer.
    pub p99_us: u64,
}

/// Measures: a first pass warms up and gives the recall, the following ones are timed.
pub(super) fn measure(session: &Session<'_>, version: &Version, data: &BenchData, ef: usize, threads: usize) -> Result<Measured, Failure> {
    let clock = &session.world.clock;
    let recall = recall(session, version, data, ef, threads)?;
    let (started, cpu_started) = (clock.monotonic_micros(), clock.cpu_micros());
    let mut latencies: Vec<u64> = Vec::new();
    let mut passes = 0;
    let micros = loop {
        latencies.extend(pass(session, version, data, ef, threads)?.iter().map(|answer| answer.micros));
        passes += 1;
        let micros = clock.monotonic_micros() - started;
        if micros >= AT_LEAST_MICROS || passes == PASSES_MAX {
            break micros;
        }
    };
    let cpu_micros = clock.cpu_micros() - cpu_started;
    latencies.sort_unstable();
    let count = latencies.len() as f64;
    Ok(Measured {
        recall,
        qps: count * 1e6 / micros.max(1) as f64,
        qps_cpu: count * 1e6 / cpu_micros.max(1) as f64,
        p50_us: percentile(&latencies, 50),
        p99_us: percentile(&latencies, 99),
    })
}

/// Asks every query once and gives the recall, in the mean.
pub(super) fn recall(session: &Session<'_>, version: &Version, data: &BenchData, ef: usize, threads: usize) -> Result<f64, Failure> {
    let answers = pass(session, version, data, ef, threads)?;
    let recalls = answers.iter().map(|answer| {
        let truth: Vec<PointId> = data.truth[answer.query].iter().map(|row| PointId::Number(*row)).collect();
        recall_at_k(&answer.ids, &truth, TOP)
    });
    Ok(recalls.sum::<f64>() / answers.len() as f64)
}

struct Answer {
    query: usize,
    ids: Vec<PointId>,
    micros: u64,
}

/// Asks every query once.
fn pass(session: &Session<'_>, version: &Version, data: &BenchData, ef: usize, threads: usize) -> Result<Vec<Answer>, Failure> {
    let next = AtomicUsize::new(0);
    if threads <= 1 {
        return ask(session, version, data, ef, &next);
    }
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(|| ask(session, version, data, ef, &next))).collect();
        let mut answers = Vec::with_capacity(data.queries.len());
        for thread in started {
            answers.extend(thread.join().map_err(|_| Failure::internal("a search thread stopped without a word"))??);
        }
        Ok(answers)
    })
}

/// Asks queries until none is left.
fn ask(session: &Session<'_>, version: &Version, data: &BenchData, ef: usize, next: &AtomicUsize) -> Result<Vec<Answer>, Failure> {
    let mut scratch = SearchScratch::default();
    let mut answers = Vec::with_capacity(data.queries.len());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(query) = data.queries.get(number) else { return Ok(answers) };
        if platform::process::interrupted() {
            return Err(Failure::new(ErrorKind::Interrupted, "interrupted while searches were measured"));
        }
        let request = SearchRequest { part: 1, query, top: TOP, mode: Mode::Walk(ef), filter: None };
        let started = session.world.clock.monotonic_micros();
        let hits = version.search(session.kernels, &request, &mut scratch)?;
        let micros = session.world.clock.monotonic_micros() - started;
        answers.push(Answer { query: number, ids: hits.iter().map(|hit| hit.id).collect(), micros });
    }
}

/// The smallest value that `percent` of the sorted ones do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (50, 99));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 99)), (7, 7));
        assert_eq!(percentile(&[], 99), 0);
    }
}
