//! How long searches of a collection took, by the kind of their request.

use engine::timings::{Counted, Durations};
use platform::clock::Clock;

/// The kind of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchOp {
    /// One query.
    Query,
    /// Several queries in one request, counted as one.
    QueryBatch,
    /// A query in groups.
    QueryGroups,
}

const OPS: [&str; 3] = ["query", "query_batch", "query_groups"];

/// Durations of searches.
#[derive(Debug, Default)]
pub struct Searches([Durations; OPS.len()]);

impl Searches {
    /// Does a search, and counts how long it took, whatever came of it.
    pub fn timed<T>(&self, op: SearchOp, clock: &dyn Clock, search: impl FnOnce() -> T) -> T {
        let began = clock.monotonic_micros();
        let found = search();
        self.0[op as usize].count(clock.monotonic_micros().saturating_sub(began));
        found
    }

    /// Reads what was counted, by the name of the kind.
    pub(crate) fn read(&self) -> impl Iterator<Item = (&'static str, Counted)> {
        OPS.into_iter().zip(self.0.iter().map(Durations::read))
    }
}
