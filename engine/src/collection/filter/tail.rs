//! Filters over the tail: the payload of a row is read once for a filter, and the answer remembered while the filter is asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::Version;
use crate::error::Result;
use crate::ids::Lsn;
use crate::log::record::RECORD_ALIGN;
use crate::log::sealed::payload_address;
use crate::payload::Filter;
use crate::tail::TailRecord;

/// Filters that a tail remembers.
const KEPT_MAX: usize = 4;

/// The filters that a tail was asked lately, the last one first.
#[derive(Debug, Default)]
pub struct TailFilters {
    kept: Mutex<Vec<Arc<Answers>>>,
}

/// What is known of a filter over rows of the tail, each with the payload that stands there. Answers never change.
#[derive(Debug)]
struct Answers {
    filter: Filter,
    /// By the address of the payload.
    rows: RwLock<HashMap<u64, bool>>,
    /// Where the tail began when answers were forgotten last.
    start: AtomicU64,
}

impl TailFilters {
    /// Finds the answers of a filter; those of rows before a position, which segments cover by now, are forgotten.
    fn get(&self, filter: &Filter, start: Lsn) -> Arc<Answers> {
        let mut kept = self.kept.lock();
        match kept.iter().position(|answers| answers.filter == *filter) {
            Some(at) => kept[..=at].rotate_right(1),
            None => {
                kept.truncate(KEPT_MAX - 1);
                kept.insert(0, Arc::new(Answers { filter: filter.clone(), rows: RwLock::default(), start: AtomicU64::new(start) }));
            }
        }
        let answers = kept[0].clone();
        drop(kept);
        if answers.start.fetch_max(start, Ordering::AcqRel) < start {
            let first = payload_address(start.next_multiple_of(RECORD_ALIGN as u64), 0);
            answers.rows.write().retain(|&address, _| address >= first);
        }
        answers
    }

    /// Gives the bytes that the answers take, about.
    pub(in crate::collection) fn memory_bytes(&self) -> u64 {
        let bytes = |answers: &Arc<Answers>| answers.rows.read().capacity() as u64 * (size_of::<(u64, bool)>() as u64 + 1);
        self.kept.lock().iter().map(bytes).sum()
    }
}

/// A filter over the rows of the tail of a version.
pub(in crate::collection) struct TailFilter<'a> {
    version: &'a Version,
    answers: Arc<Answers>,
}

impl<'a> TailFilter<'a> {
    pub(in crate::collection) fn new(version: &'a Version, filter: &Filter) -> Self {
        TailFilter { version, answers: version.tail_filters.get(filter, version.tail.start) }
    }

    /// Says whether the point of a row passes, wherever its payload stands now.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub(in crate::collection) fn passes(&self, record: &TailRecord, row: u32) -> Result<bool> {
        let id = &record.ids[row as usize];
        if !record.is_visible(0, row, self.version.lsn_end) {
            return match self.version.find(id, 0) {
                Some(place) => self.version.place_passes(&place, id, Some(&self.answers.filter)),
                None => Ok(false),
            };
        }
        let address = payload_address(record.lsn(), row as usize);
        if let Some(passes) = self.answers.rows.read().get(&address) {
            return Ok(*passes);
        }
        let passes = self.version.holds(Some(&self.answers.filter), id, record.payload(row)?.as_deref());
        if self.answers.filter.asks_for_vectors() {
            return Ok(passes);
        }
        self.answers.rows.write().insert(address, passes);
        Ok(passes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_rows_that_left_the_tail_are_forgotten_and_so_are_old_filters() {
        let filters = TailFilters::default();
        let filter = |n: u32| Filter::parse(&format!("{{\"must\":[{{\"key\":\"n\",\"match\":{{\"value\":{n}}}}}]}}")).unwrap();
        let first = filters.get(&filter(0), 0);
        first.rows.write().extend((0..10).map(|n| (payload_address(n * 64, 3), n % 2 == 0)));
        assert_eq!(filters.get(&filter(0), 0).rows.read().len(), 10);
        let later = filters.get(&filter(0), 640);
        assert_eq!(later.rows.read().len(), 0, "all of them are before the tail");
        (1..=KEPT_MAX as u32).for_each(|n| drop(filters.get(&filter(n), 640)));
        assert!(!Arc::ptr_eq(&later, &filters.get(&filter(0), 640)), "the oldest made room");
        assert!(filters.kept.lock().len() <= KEPT_MAX);
    }
}
