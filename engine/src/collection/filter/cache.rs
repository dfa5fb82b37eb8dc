//! Filters that were asked of a segment lately: what its rows' own payloads say, and which rows a version may answer with.

use std::sync::Arc;

use index::Bitmap;
use parking_lot::Mutex;

use super::memo::Memo;
use crate::ids::Lsn;
use crate::payload::Filter;
use crate::segment::{Accepted, Segment};

/// Filters that a segment remembers.
const KEPT_MAX: usize = 16;
/// Bytes that they may take, for each row of the segment; the last one stays in any case.
const KEPT_BYTES_PER_ROW: u64 = 8;

/// What is known of a filter over the rows of one segment, each with the payload that stands there. It never changes.
#[derive(Debug)]
pub(in crate::collection) struct Known {
    /// `None` lets everything pass.
    pub filter: Option<Filter>,
    /// These pass.
    pub sure: Bitmap,
    /// Of these, the payload has to be read once.
    pub read: Option<Memo>,
}

impl Known {
    /// Says whether a row passes; `None` when its payload has to be read.
    pub(super) fn get(&self, row: u32) -> Option<bool> {
        if self.sure.get(row) { Some(true) } else { self.read.as_ref().map_or(Some(false), |memo| memo.get(row)) }
    }
}

/// A filter made ready: the rows of one part of a segment that a version may answer with.
#[derive(Debug)]
pub(in crate::collection) struct Ready {
    pub known: Arc<Known>,
    pub part: u32,
    /// These pass, and the version sees them.
    pub accepted: Accepted,
    /// These are seen, and whether they pass takes more than a look.
    pub undecided: Option<Pending>,
    /// The end of the version.
    lsn_end: Lsn,
    /// The living rows of part 0 and of the part, where the set is right for later versions too as long as no more rows die.
    stays: Option<[u32; 2]>,
}

/// Rows to be decided one by one.
#[derive(Debug)]
pub(in crate::collection) struct Pending {
    pub rows: Bitmap,
    pub memo: Memo,
}

impl Ready {
    /// Puts together what a version sees and what is known.
    pub(super) fn new(segment: &Segment, part: u32, lsn_end: Lsn, known: Arc<Known>) -> Self {
        // Read before the marks: a row that dies in between is counted here as alive, and so found to be missing.
        let living = [segment.live(0), segment.live(part)];
        let seen = segment.visible(part, lsn_end);
        let points = if part == 0 { seen.clone() } else { segment.visible(0, lsn_end) };
        let none_died_since = [points.count(), seen.count()] == living;
        let (mut accepted, mut undecided) = match &known.read {
            Some(memo) => memo.sets(),
            None => (Bitmap::new(segment.rows()), Bitmap::new(segment.rows())),
        };
        accepted.or(&known.sure);
        let mut moved = Bitmap::new(segment.rows());
        if known.filter.is_none() {
            accepted.and(&seen);
            undecided = Bitmap::new(segment.rows());
        } else {
            accepted.and(&seen);
            accepted.and(&points);
            undecided.and(&seen);
            undecided.and(&points);
            // The point's payload stands somewhere else.
            moved = seen;
            moved.and_not(&points);
            undecided.or(&moved);
        }
        let stays = (none_died_since && moved.is_clear()).then_some(living);
        let undecided = (!undecided.is_clear()).then(|| Pending { memo: Memo::new(&undecided), rows: undecided });
        Ready { known, part, accepted: Accepted::new(accepted), undecided, lsn_end, stays }
    }

    /// Gives the same with everything decided.
    pub(super) fn decided(&self, accepted: Bitmap) -> Self {
        Ready {
            known: self.known.clone(),
            part: self.part,
            accepted: Accepted::new(accepted),
            undecided: None,
            lsn_end: self.lsn_end,
            stays: self.stays,
        }
    }

    fn is_of(&self, part: u32, filter: Option<&Filter>) -> bool {
        self.part == part && self.known.filter.as_ref() == filter
    }

    fn holds_for(&self, segment: &Segment, lsn_end: Lsn) -> bool {
        let living = || [segment.live(0), segment.live(self.part)];
        self.lsn_end == lsn_end || (self.lsn_end < lsn_end && self.stays.is_some_and(|stays| stays == living()))
    }

    fn memory_bytes_max(&self) -> u64 {
        let pending = self.undecided.as_ref().map_or(0, |pending| pending.memo.memory_bytes() + u64::from(pending.rows.len() / 8));
        let known = u64::from(self.known.sure.len() / 8) + self.known.read.as_ref().map_or(0, Memo::memory_bytes);
        self.accepted.memory_bytes_max() + pending + known
    }
}

/// The filters that a segment was asked lately, the last one first.
#[derive(Debug, Default)]
pub struct FilterCache {
    kept: Mutex<Vec<Arc<Ready>>>,
}

impl FilterCache {
    /// Finds a filter made ready for a version.
    pub(super) fn get(&self, segment: &Segment, part: u32, lsn_end: Lsn, filter: Option<&Filter>) -> Option<Arc<Ready>> {
        let mut kept = self.kept.lock();
        let at = kept.iter().position(|ready| ready.is_of(part, filter) && ready.holds_for(segment, lsn_end))?;
        kept[..=at].rotate_right(1);
        kept.first().cloned()
    }

    /// Finds what is known of a filter, whichever version or part it was asked for.
    pub(super) fn known(&self, filter: Option<&Filter>) -> Option<Arc<Known>> {
        let kept = self.kept.lock();
        kept.iter().find(|ready| ready.known.filter.as_ref() == filter).map(|ready| ready.known.clone())
    }

    /// Keeps a filter in the place of the same one for another version, and forgets what was not asked for longest.
    pub(super) fn keep(&self, segment: &Segment, ready: &Arc<Ready>) {
        let mut kept = self.kept.lock();
        kept.retain(|old| !old.is_of(ready.part, ready.known.filter.as_ref()));
        kept.insert(0, ready.clone());
        kept.truncate(KEPT_MAX);
        let allowed = KEPT_BYTES_PER_ROW * u64::from(segment.rows());
        let mut bytes = 0;
        let fitting = kept.iter().take_while(|ready| {
            bytes += ready.memory_bytes_max();
            bytes <= allowed
        });
        let fitting = fitting.count().max(1);
        kept.truncate(fitting);
    }

    /// Gives the most bytes that what is kept can take.
    pub(in crate::collection) fn memory_bytes(&self) -> u64 {
        self.kept.lock().iter().map(|ready| ready.memory_bytes_max()).sum()
    }
}
