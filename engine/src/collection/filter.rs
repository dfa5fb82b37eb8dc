//! Filters over a version: which rows of a segment pass, and which points of the collection.
//!
//! A filter is answered from the field indexes of a segment once, which gives sets of rows; what they cannot tell is read from the payload,
//! once, and remembered. The sets are kept for a few filters, so that the same filter asked again costs a look. A filter that asks which
//! vectors a point has is remembered nowhere: vectors come and go while the row of the payload stays.

pub(super) mod cache;
mod memo;
pub(super) mod tail;

use std::collections::BTreeSet;
use std::sync::Arc;

use cache::{Known, Pending, Ready};
use index::Bitmap;
use memo::Memo;
pub(super) use tail::TailFilter;

use super::version::{Place, Version};
use crate::error::Result;
use crate::ids::PointId;
use crate::log::PayloadCache;
use crate::payload::{Candidates, Filter, Lookup};

/// Which points an operation means.
#[derive(Debug, Clone)]
pub enum Selector {
    /// These, as far as they exist.
    Ids(Vec<PointId>),
    /// Those that pass a filter.
    Filter(Filter),
}

impl Selector {
    /// Lists the points that exist and are meant, each once.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub fn resolve(&self, version: &Version) -> Result<Vec<PointId>> {
        match self {
            Selector::Ids(ids) => {
                let once: BTreeSet<_> = ids.iter().copied().collect();
                Ok(once.into_iter().filter(|id| version.contains(id)).collect())
            }
            Selector::Filter(filter) => version.matching(filter),
        }
    }
}

/// So few undecided rows are decided at once, whatever is asked.
const DECIDED_ALWAYS: u32 = 512;
/// So few rows that may pass are decided at once: the walk that spares reading their payloads costs more.
const DECIDED_ROWS: u32 = 2_000;
/// The same as a share of a segment's rows.
const DECIDED_SHARE: u32 = 10;
/// After so many answers, the share of the rows that passed is a guess for the rest.
const GUESS_MIN: u32 = 64;

impl Version {
    /// Makes a filter ready for a part of a segment, or finds it ready; no filter lets everything that is seen pass.
    pub(super) fn make_ready(&self, number: usize, filter: Option<&Filter>, part: u32) -> Arc<Ready> {
        let open = &self.segments[number];
        let is_kept = lasts(filter);
        if is_kept && let Some(ready) = open.filters.get(&open.segment, part, self.lsn_end, filter) {
            return ready;
        }
        let ready = Arc::new(Ready::new(&open.segment, part, self.lsn_end, self.known(number, filter)));
        if is_kept {
            open.filters.keep(&open.segment, &ready);
        }
        ready
    }

    /// Says whether all undecided rows of a filter are better decided before a search than asked for by it.
    pub(super) fn decide_first(&self, number: usize, ready: &Ready) -> bool {
        let Some(pending) = &ready.undecided else { return false };
        let segment = &self.segments[number].segment;
        let open = pending.memo.counts().0;
        let may_pass = open.saturating_add(ready.accepted.count());
        let scanned = segment.graph(ready.part).is_none() && segment.lists(ready.part).is_none();
        scanned || open <= DECIDED_ALWAYS || may_pass <= DECIDED_ROWS.max(segment.rows() / DECIDED_SHARE)
    }

    /// Reads the payloads of all undecided rows.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub(super) fn decide(&self, number: usize, ready: &Ready) -> Result<Arc<Ready>> {
        let open = &self.segments[number];
        let mut accepted = ready.accepted.rows().clone();
        if let Some(pending) = &ready.undecided {
            let mut cache = PayloadCache::default();
            for row in pending.rows.iter() {
                accepted.set(row, self.passes(number, row, ready, pending, Some(&mut cache))?);
            }
        }
        let decided = Arc::new(ready.decided(accepted));
        if lasts(ready.known.filter.as_ref()) {
            open.filters.keep(&open.segment, &decided);
        }
        Ok(decided)
    }

    /// Says whether the point of an undecided row passes, wherever its payload stands now.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub(super) fn passes(
        &self,
        number: usize,
        row: u32,
        ready: &Ready,
        pending: &Pending,
        cache: Option<&mut PayloadCache>,
    ) -> Result<bool> {
        if let Some(passes) = pending.memo.get(row) {
            return Ok(passes);
        }
        let segment = &self.segments[number].segment;
        let passes = if segment.is_visible(0, row, self.lsn_end) {
            self.row_passes(number, row, &ready.known, cache)?
        } else {
            // The row's payload was changed or its point moved on: the id leads to where it stands now.
            let id = segment.id(row);
            self.find(&id, 0).map_or(Ok(false), |place| self.place_passes(&place, &id, ready.known.filter.as_ref()))?
        };
        pending.memo.set(row, passes);
        Ok(passes)
    }

    /// Says whether a point passes with the payload at a place, the one that is seen.
    ///
    /// # Errors
    /// `Corrupt` when the payload does not read.
    fn place_passes(&self, place: &Place, id: &PointId, filter: Option<&Filter>) -> Result<bool> {
        match place {
            // Made ready, it is remembered for the next row that moved there.
            Place::Segment(number, row) if lasts(filter) => {
                self.row_passes(*number, *row, &self.make_ready(*number, filter, 0).known, None)
            }
            place => Ok(self.holds(filter, id, self.payload(place)?.as_deref())),
        }
    }

    /// Says whether a filter holds for a point with a payload, which is the one that this version sees.
    pub(in crate::collection) fn holds(&self, filter: Option<&Filter>, id: &PointId, payload: Option<&str>) -> bool {
        filter.is_none_or(|filter| filter.matches(id, payload, &|name| self.has_vector(id, name)))
    }

    /// Says whether a point has a vector of a name.
    fn has_vector(&self, id: &PointId, name: &str) -> bool {
        self.part_named(name).is_some_and(|part| self.find(id, part).is_some())
    }

    fn part_named(&self, name: &str) -> Option<usize> {
        self.schema.vectors.iter().position(|vector| vector.name == name).map(|index| index + 1)
    }

    /// Gives the rows of a segment whose points have a vector, as far as a row stands for its point.
    fn rows_with_vector(&self, number: usize, name: &str) -> Bitmap {
        let segment = &self.segments[number].segment;
        let Some(part) = self.part_named(name) else { return Bitmap::new(segment.rows()) };
        let mut found = segment.visible(part as u32, self.lsn_end);
        let mut elsewhere = segment.visible(0, self.lsn_end);
        elsewhere.and_not(&found);
        // A vector that was written alone has a row of its own.
        elsewhere.iter().filter(|&row| self.find(&segment.id(row), part).is_some()).for_each(|row| found.set(row, true));
        found
    }

    /// Says whether a point exists and passes a filter.
    ///
    /// # Errors
    /// `Corrupt` when its payload does not read.
    pub fn point_passes(&self, id: &PointId, filter: Option<&Filter>) -> Result<bool> {
        match (self.find(id, 0), filter) {
            (None, _) => Ok(false),
            (Some(_), None) => Ok(true),
            (Some(place), filter) => Ok(self.holds(filter, id, self.payload(&place)?.as_deref())),
        }
    }

    /// Says whether a row passes with the payload that stands there.
    fn row_passes(&self, number: usize, row: u32, known: &Known, cache: Option<&mut PayloadCache>) -> Result<bool> {
        if let Some(passes) = known.get(row) {
            return Ok(passes);
        }
        let place = Place::Segment(number, row);
        let payload = match cache {
            Some(cache) => self.payload_in_order(&place, cache)?,
            None => self.payload(&place)?,
        };
        let passes = self.holds(known.filter.as_ref(), &self.segments[number].segment.id(row), payload.as_deref());
        if let Some(memo) = &known.read {
            memo.set(row, passes);
        }
        Ok(passes)
    }

    /// Answers a filter over the rows of a segment as far as its field indexes reach.
    fn known(&self, number: usize, filter: Option<&Filter>) -> Arc<Known> {
        let open = &self.segments[number];
        let rows = open.segment.rows();
        if lasts(filter)
            && let Some(known) = open.filters.known(filter)
        {
            return known;
        }
        let Some(filter) = filter else { return Arc::new(Known { filter: None, sure: Bitmap::full(rows), read: None }) };
        let with_vector = |name: &str| self.rows_with_vector(number, name);
        let rows_of = |id: &PointId, visit: &mut dyn FnMut(u32)| open.segment.rows_of(id).for_each(visit);
        let lookup = Lookup { rows, indexes: &open.fields, changed: None, rows_of: Some(&rows_of), with_vector: Some(&with_vector) };
        let Candidates { sure, maybe } = lookup.plan(filter);
        let read = (!maybe.is_clear()).then(|| Memo::new(&maybe));
        Arc::new(Known { filter: Some(filter.clone()), sure, read })
    }

    /// Lists the points that pass a filter.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub fn matching(&self, filter: &Filter) -> Result<Vec<PointId>> {
        let mut ids = Vec::new();
        for number in 0..self.segments.len() {
            let ready = self.decided(number, Some(filter), 0)?;
            ids.extend(ready.accepted.rows().iter().map(|row| self.segments[number].segment.id(row)));
        }
        let in_tail = TailFilter::new(self, filter);
        for record in self.tail_records() {
            for row in 0..record.rows() {
                if record.is_visible(0, row, self.lsn_end) && in_tail.passes(record, row)? {
                    ids.push(record.ids[row as usize]);
                }
            }
        }
        Ok(ids)
    }

    /// Gives the rows of a part of a segment that pass a filter, all of them decided.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub(super) fn decided(&self, number: usize, filter: Option<&Filter>, part: u32) -> Result<Arc<Ready>> {
        let ready = self.make_ready(number, filter, part);
        if ready.undecided.is_none() { Ok(ready) } else { self.decide(number, &ready) }
    }

    /// Counts the points that pass a filter.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub fn count(&self, filter: Option<&Filter>) -> Result<u64> {
        filter.map_or(Ok(self.points), |filter| self.matching(filter).map(|ids| ids.len() as u64))
    }
}

impl Pending {
    /// Guesses how many of the rows pass, by those that were decided.
    pub(super) fn likely(&self) -> u32 {
        let (open, passed) = self.memo.counts();
        let decided = self.rows.count().saturating_sub(open);
        if decided < GUESS_MIN {
            return passed + open / 2;
        }
        passed + (f64::from(open) * f64::from(passed) / f64::from(decided)) as u32
    }
}

/// Says whether what a filter says of a row's payload holds for every version that sees the row there.
fn lasts(filter: Option<&Filter>) -> bool {
    !filter.is_some_and(Filter::asks_for_vectors)
}
