//! Fetches many stretches of lazy files at once: far stores answer late, so several are asked at the same time.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::Residency;
use crate::error::Result;
use crate::ids::Lsn;

/// So few runs are fetched one after the other.
const FEW: usize = 2;
/// Runs that are in memory at a time.
const WAVE: usize = 32;

/// Brings the missing bytes of stretches of several files, several at a time.
///
/// What comes is taken in by the calling thread, in order: the same calls leave the same trace on a simulated disk.
///
/// # Errors
/// The first error of a source, after everything that did come was taken in.
pub(in crate::log) fn bring(wanted: &[(&Residency, Vec<Range<Lsn>>)]) -> Result<()> {
    let jobs: Vec<_> = wanted.iter().flat_map(|(file, ranges)| file.missing(ranges).into_iter().map(|run| (*file, run))).collect();
    for wave in jobs.chunks(WAVE) {
        let mut first_error = None;
        for ((file, run), fetched) in wave.iter().zip(fetch_all(wave)) {
            match fetched {
                Ok(bytes) => file.take_in(run, &bytes),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        if let Some(error) = first_error {
            return Err(error);
        }
    }
    Ok(())
}

/// Fetches runs in as many threads as the source has lanes; gives the answers in the order of the runs.
fn fetch_all(jobs: &[(&Residency, Range<Lsn>)]) -> Vec<Result<Bytes>> {
    let lanes = jobs.iter().map(|(file, _)| file.source.lanes()).min().unwrap_or(1).min(jobs.len());
    if jobs.len() <= FEW || lanes <= 1 {
        return jobs.iter().map(|(file, run)| file.fetch(run)).collect();
    }
    let next = AtomicUsize::new(0);
    let answers: Vec<OnceLock<Result<Bytes>>> = jobs.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((file, run)) = jobs.get(at) else { break };
            let _ = answers[at].set(file.fetch(run));
        }
    };
    std::thread::scope(|scope| (0..lanes).for_each(|_| drop(scope.spawn(work))));
    answers.into_iter().zip(jobs).map(|(answer, (file, run))| answer.into_inner().unwrap_or_else(|| file.fetch(run))).collect()
}
