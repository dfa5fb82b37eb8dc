//! The passes to an archive, by what came of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use engine::timings::{Counted, Durations};

/// Passes to one archive since the server began.
#[derive(Debug, Default)]
pub(crate) struct Passes {
    ok: AtomicU64,
    failed: AtomicU64,
    took: Durations,
    is_failing: AtomicBool,
}

impl Passes {
    /// Counts one.
    pub(super) fn count(&self, is_ok: bool, micros: u64) {
        let counter = if is_ok { &self.ok } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        self.took.count(micros);
    }

    /// Notes that they fail; says whether that is news.
    pub(super) fn begin_failing(&self) -> bool {
        !self.is_failing.swap(true, Ordering::AcqRel)
    }

    /// Notes that they pass; says whether that is news.
    pub(super) fn end_failing(&self) -> bool {
        self.is_failing.swap(false, Ordering::AcqRel)
    }

    /// Gives how many passed.
    pub(crate) fn ok(&self) -> u64 {
        self.ok.load(Ordering::Relaxed)
    }

    /// Gives how many failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Gives how long they took.
    pub(crate) fn took(&self) -> Counted {
        self.took.read()
    }
}
