//! How far a server is with opening its collections: their number, and the log that is read again for them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what is opened.
#[derive(Debug, Default)]
pub struct Opening {
    collections: AtomicU64,
    opened: AtomicU64,
    bytes: AtomicU64,
    read: AtomicU64,
}

impl Opening {
    /// Says what there is to open: the bytes of log that each collection reads again.
    pub(super) fn begin(&self, collections: &[u64]) {
        self.collections.store(collections.len() as u64, Ordering::Release);
        self.bytes.store(collections.iter().sum(), Ordering::Release);
    }

    /// Counts a collection that was opened.
    pub(super) fn opened(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::AcqRel);
        let before = self.opened.fetch_add(1, Ordering::AcqRel);
        assert!(before < self.collections.load(Ordering::Acquire), "no more is opened than there is");
    }

    /// Gives the part of the log that was read, in per cent; of the collections where there is no log to read.
    fn percent(&self) -> u64 {
        let of = |done: &AtomicU64, all: &AtomicU64| {
            let (done, all) = (done.load(Ordering::Acquire), all.load(Ordering::Acquire));
            (all > 0).then(|| done.saturating_mul(100) / all)
        };
        of(&self.read, &self.bytes).or_else(|| of(&self.opened, &self.collections)).unwrap_or(0).min(100)
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (opened, all) = (self.opened.load(Ordering::Acquire), self.collections.load(Ordering::Acquire));
        write!(f, "recovering: {opened} of {all} collections, {}%", self.percent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_goes_by_the_log_that_is_read_and_by_collections_where_there_is_none() {
        let opening = Opening::default();
        assert_eq!(opening.to_string(), "recovering: 0 of 0 collections, 0%");
        opening.begin(&[10, 80, 10]);
        opening.opened(10);
        assert_eq!(opening.to_string(), "recovering: 1 of 3 collections, 10%");
        opening.opened(80);
        assert_eq!(opening.to_string(), "recovering: 2 of 3 collections, 90%");
        let empty = Opening::default();
        empty.begin(&[0, 0]);
        empty.opened(0);
        assert_eq!(empty.to_string(), "recovering: 1 of 2 collections, 50%");
    }
}
