//! Points in the order of their ids, page by page: segments and the tail merged, nothing held but a page.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::filter::TailFilter;
use super::super::version::Version;
use crate::error::Result;
use crate::ids::PointId;
use crate::payload::Filter;

impl Version {
    /// Gives the ids of the first points that pass a filter, in ascending order, beginning with an id or the one behind it.
    ///
    /// # Errors
    /// `Corrupt` when a payload or the order of ids does not read.
    pub fn scroll(&self, from: Option<PointId>, limit: usize, filter: Option<&Filter>) -> Result<Vec<PointId>> {
        let mut page = Vec::new();
        if limit == 0 {
            return Ok(page);
        }
        let mut sources = Vec::with_capacity(self.segments.len() + 1);
        for number in 0..self.segments.len() {
            sources.push(self.ids_of_segment(number, from, filter)?);
        }
        let tail = self.first_ids_of_tail(from, limit, filter)?;
        sources.push(Box::new(tail.into_iter().map(Ok)));
        let mut heads = BinaryHeap::with_capacity(sources.len());
        for (at, source) in sources.iter_mut().enumerate() {
            if let Some(id) = source.next().transpose()? {
                heads.push(Reverse((id, at)));
            }
        }
        while let Some(Reverse((id, at))) = heads.pop() {
            debug_assert!(page.last().is_none_or(|last| *last < id), "a point is visible once");
            page.push(id);
            if page.len() == limit {
                break;
            }
            if let Some(id) = sources[at].next().transpose()? {
                heads.push(Reverse((id, at)));
            }
        }
        Ok(page)
    }

    /// Gives the ids of a segment's points that pass, in ascending order.
    fn ids_of_segment<'a>(&'a self, number: usize, from: Option<PointId>, filter: Option<&Filter>) -> Result<Ids<'a>> {
        let segment = &self.segments[number].segment;
        let ready = filter.map(|filter| self.decided(number, Some(filter), 0)).transpose()?;
        let passes = move |row: u32| match &ready {
            Some(ready) => ready.accepted.rows().get(row),
            None => segment.is_visible(0, row, self.lsn_end),
        };
        Ok(Box::new(segment.rows_in_order(from.as_ref()).filter_map(move |row| match row {
            Ok(row) => passes(row).then(|| Ok(segment.id(row))),
            Err(error) => Some(Err(error)),
        })))
    }

    /// Gives the lowest ids of the tail's points that pass, in ascending order, no more than a page.
    fn first_ids_of_tail(&self, from: Option<PointId>, limit: usize, filter: Option<&Filter>) -> Result<Vec<PointId>> {
        let filter = filter.map(|filter| TailFilter::new(self, filter));
        let mut lowest = BinaryHeap::new();
        for record in self.tail_records() {
            for row in 0..record.rows() {
                let id = record.ids[row as usize];
                let is_behind = lowest.len() == limit && lowest.peek().is_some_and(|last| *last < id);
                if is_behind || from.is_some_and(|from| id < from) || !record.is_visible(0, row, self.lsn_end) {
                    continue;
                }
                if filter.as_ref().map_or(Ok(true), |filter| filter.passes(record, row))? {
                    lowest.push(id);
                    if lowest.len() > limit {
                        lowest.pop();
                    }
                }
            }
        }
        Ok(lowest.into_sorted_vec())
    }
}

type Ids<'a> = Box<dyn Iterator<Item = Result<PointId>> + 'a>;
