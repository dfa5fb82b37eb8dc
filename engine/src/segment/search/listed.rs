//! A search through inverted lists: rows by the estimates of their 1-bit codes, and no look at other codes.

use index::ivf::{self, Effort};
use index::{Bitmap, Metric};

use super::exact::Exact;
use super::{Lsn, Search, Undecided};
use crate::error::{Error, Result};
use crate::segment::accepted::Accepted;
use crate::segment::ivf::Lists;

/// Under a filter, so many times `ef` rows are kept for the exact comparison: they lie farther apart, and more often far from the query.
const FILTERED_KEEP: usize = 8;
/// Under a filter, so many times the lists are looked at.
const FILTERED_PROBES: u32 = 2;
/// Where what passes lies far from the query, estimates tell its rows apart badly.
const FAR_KEEP: usize = 32;
/// What passes lies far from the query when this many times fewer rows of the nearest lists pass than of all.
const FAR_SHARE: u64 = 2;

/// A search over the lists of a part.
pub(super) struct Listed<'a> {
    search: Search<'a>,
    lists: &'a Lists,
    ef: usize,
}

impl<'a> Listed<'a> {
    pub(super) fn new(search: &Search<'a>, lists: &'a Lists, ef: usize) -> Self {
        Listed { search: *search, lists, ef }
    }

    /// Compares the nearest of all that a version sees.
    pub(super) fn find_living(&self, lsn_end: Lsn, scratch: &mut ivf::Scratch, exact: &mut Exact<'_>) -> Result<()> {
        let Search { segment, part, .. } = self.search;
        let effort = self.effort()?;
        self.collect(effort, |row| segment.is_visible(part, row, lsn_end), scratch)?;
        self.compare(scratch, exact)
    }

    /// Compares the nearest of some rows.
    pub(super) fn find_among(&self, accepted: &Accepted, scratch: &mut ivf::Scratch, exact: &mut Exact<'_>) -> Result<()> {
        if accepted.count() as usize <= self.ef.saturating_mul(FILTERED_KEEP) {
            return exact.add(&accepted.list()).map(drop);
        }
        self.collect_filtered(|row| accepted.rows().get(row), u64::from(accepted.count()), scratch)?;
        self.compare(scratch, exact)
    }

    /// Compares the nearest of rows some of which have to be read to know whether they pass; false when so few will that reading them in
    /// their order costs less.
    pub(super) fn find_undecided(
        &self,
        sure: &Bitmap,
        undecided: Undecided<'_>,
        scratch: &mut ivf::Scratch,
        exact: &mut Exact<'_>,
    ) -> Result<bool> {
        let likely = u64::from(sure.count()) + u64::from(undecided.likely);
        if likely * 10 < u64::from(self.search.segment.rows()) {
            return Ok(false);
        }
        let passes = |row: u32| sure.get(row) || (undecided.rows.get(row) && (undecided.passes)(row));
        self.collect(self.filtered(FILTERED_KEEP)?, passes, scratch)?;
        self.compare(scratch, exact)?;
        Ok(true)
    }

    fn effort(&self) -> Result<Effort> {
        Ok(Effort::of(self.ef, self.lists.view(self.search.segment)?.list_count()))
    }

    fn filtered(&self, keep: usize) -> Result<Effort> {
        let effort = self.effort()?;
        Ok(Effort { probes: effort.probes.saturating_mul(FILTERED_PROBES), keep: self.ef.saturating_mul(keep) })
    }

    /// Collects among `matches` rows. Lists are looked at, the nearest first, until enough of them pass; where they pass seldom near the
    /// query, all are.
    fn collect_filtered(&self, accept: impl Fn(u32) -> bool + Copy, matches: u64, scratch: &mut ivf::Scratch) -> Result<()> {
        let effort = self.filtered(FILTERED_KEEP)?;
        self.collect(effort, accept, scratch)?;
        // Rows after which enough had passed, and how many should have by then.
        let looked_at = scratch.visits_until_kept().unwrap_or(0) as u64;
        let expected = looked_at * matches / u64::from(self.search.segment.rows_with(self.search.part)).max(1);
        if expected > FAR_SHARE * effort.keep as u64 {
            self.collect(Effort { probes: u32::MAX, keep: self.ef.saturating_mul(FAR_KEEP) }, accept, scratch)?;
        }
        Ok(())
    }

    fn collect(&self, effort: Effort, accept: impl Fn(u32) -> bool, scratch: &mut ivf::Scratch) -> Result<()> {
        let Search { segment, spec, kernels, query, .. } = self.search;
        let view = self.lists.view(segment)?;
        if (view.dims(), view.is_dot()) != (spec.dim, spec.metric == Metric::Dot) {
            let error = Error::corrupt("the lists are of other vectors than the schema says");
            return Err(error.with_object(self.lists.object().id().to_string()));
        }
        ivf::search(kernels, &view, query, effort, accept, scratch);
        Ok(())
    }

    /// Compares what was collected, the nearest by estimate first, until as many again bring nothing nearer.
    fn compare(&self, scratch: &mut ivf::Scratch, exact: &mut Exact<'_>) -> Result<()> {
        let mut left = scratch.found_mut();
        let mut compared = 0;
        while !left.is_empty() {
            let next = if compared == 0 { (self.ef / 2).max(self.search.k) } else { compared };
            let (rows, rest) = left.split_at_mut(next.min(left.len()));
            if !exact.add_sorted(rows)? {
                break;
            }
            compared += rows.len();
            left = rest;
        }
        Ok(())
    }
}
