//! Nearest neighbours among the rows of the tail: codes rule out what cannot be near, the rest is compared exactly. The answers are
//! those of comparing every vector; in large collections signs leave out most rows before, and one in 740 of those as near as the last answer may be missed.

use std::sync::Arc;

use index::bounded::BoundedQuery;
use index::flat::TotalF32;
use index::{Kernels, Sieve, SieveQuery, SieveSpace, TopK};

use super::filter::tail::TailFilter;
use super::search::{EXACT_POINTS_MAX, Query, SearchRequest};
use super::version::Version;
use crate::error::{Error, Result};
use crate::ids::PointId;
use crate::segment::search::exact_distances;
use crate::tail::codes::{self, ChunkCodes};
use crate::tail::{TailPlace, TailRecord};

/// Rows of the tail that are compared at once.
const BATCH: usize = 256;

/// Chunks that one search codes: a command that searches once hardly notices, and a server is through with a full tail in a few searches.
const CODED_PER_SEARCH: usize = 16;

/// Below this many rows their codes are read as fast as a query is made ready for their signs.
const SIEVE_ROWS_MIN: usize = 1024;

impl Version {
    pub(super) fn search_tail(&self, kernels: &Kernels, request: &SearchRequest<'_>, query: &Query, top: &mut TopK<PointId>) -> Result<()> {
        let filter = request.filter.map(|filter| TailFilter::new(self, filter));
        let mut search = TailSearch { version: self, kernels, request, filter, query, top, batch: Batch::default() };
        let end = (self.tail_end, 0);
        let mut next = (self.tail.first_number(), 0);
        let mut coded = Vec::with_capacity(4);
        if query.ef.is_some() && codes::are_worth_it(&query.spec) {
            let mut made = 0;
            let last = self.tail_last.for_search(&self.tail, end, self.schema.vectors.len()).and_then(|last| {
                last.make_codes(&self.tail, request.part, &query.spec);
                Some((last.codes(request.part)?, last.from, last.to))
            });
            let full_end = last.map_or(end, |(_, from, _)| from);
            // The first chunk that has rows which this version does not see ends what is coded for it.
            for chunk in self.tail.chunks().take_while(|chunk| chunk.to <= full_end) {
                if made < CODED_PER_SEARCH {
                    made += usize::from(chunk.make_codes(&self.tail, request.part, &query.spec));
                }
                match chunk.codes(request.part) {
                    Some(codes) => coded.push((codes, chunk.from, chunk.to)),
                    None => search.compare(chunk.from, chunk.to)?,
                }
                next = chunk.to;
            }
            if let Some(last) = last {
                coded.push(last);
                next = end;
            }
        }
        search.compare(next, end)?;
        search.by_codes(&coded)
    }
}

/// A search of the tail under way.
struct TailSearch<'a> {
    version: &'a Version,
    kernels: &'a Kernels,
    request: &'a SearchRequest<'a>,
    filter: Option<TailFilter<'a>>,
    query: &'a Query,
    top: &'a mut TopK<PointId>,
    batch: Batch<'a>,
}

/// Rows that wait for their distances.
#[derive(Default)]
struct Batch<'a> {
    ids: Vec<PointId>,
    vectors: Vec<&'a [u8]>,
    distances: Vec<f32>,
}

/// A row that its codes do not rule out.
struct Candidate<'a> {
    /// Its distance is not below this.
    low: f32,
    record: &'a TailRecord,
    row: u32,
}

/// What codes have found.
struct Found<'a> {
    /// A row that is farther than these is not among the nearest: so many others are nearer for sure.
    nearest: TopK<()>,
    candidates: Vec<Candidate<'a>>,
    failed: Option<Error>,
}

/// The query for signs of rows.
struct Signs {
    /// Whether rows may be left out that are not ruled out.
    may_miss: bool,
    /// Made ready for the space of the chunk before; `None` inside: its numbers do not suit that.
    query: Option<(Arc<SieveSpace>, Option<SieveQuery>)>,
}

impl Signs {
    /// Gives the signs of a chunk with the query for them, if they may be used and can.
    fn of<'s>(&'s mut self, chunk: &'s ChunkCodes, query: &[f32]) -> Option<(&'s SieveQuery, &'s Sieve)> {
        let sieve = chunk.sieve.as_ref().filter(|_| self.may_miss)?;
        let space = sieve.space();
        if self.query.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, space)) {
            self.query = Some((space.clone(), space.query(query)));
        }
        Some((self.query.as_ref()?.1.as_ref()?, sieve))
    }
}

impl<'a> TailSearch<'a> {
    /// Compares the rows from one place up to another exactly.
    fn compare(&mut self, from: TailPlace, to: TailPlace) -> Result<()> {
        for (_, record, rows) in self.version.tail.spans(from, to) {
            for row in rows {
                if self.accepts(record, row)? {
                    self.add(record, row);
                }
            }
        }
        self.flush();
        Ok(())
    }

    fn accepts(&self, record: &TailRecord, row: u32) -> Result<bool> {
        if !record.is_visible(self.request.part, row, self.version.lsn_end) {
            return Ok(false);
        }
        self.filter.as_ref().map_or(Ok(true), |filter| filter.passes(record, row))
    }

    fn add(&mut self, record: &'a TailRecord, row: u32) {
        if let Some(vector) = record.vector(self.request.part, row) {
            self.batch.ids.push(record.ids[row as usize]);
            self.batch.vectors.push(vector);
            if self.batch.vectors.len() == BATCH {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let Batch { ids, vectors, distances } = &mut self.batch;
        exact_distances(self.kernels, &self.query.spec, &self.query.vector, vectors, distances);
        for (id, distance) in ids.drain(..).zip(distances.iter()) {
            self.top.push(*distance, id);
        }
        vectors.clear();
    }

    /// Searches coded chunks; one whose codes give no bounds for this query is compared.
    fn by_codes(&mut self, coded: &[(&'a ChunkCodes, TailPlace, TailPlace)]) -> Result<()> {
        let mut found = Found { nearest: TopK::new(self.query.top), candidates: Vec::with_capacity(64), failed: None };
        let rows: usize = coded.iter().map(|(chunk, _, _)| chunk.places.len()).sum();
        let mut signs = Signs { may_miss: rows >= SIEVE_ROWS_MIN && self.version.points > EXACT_POINTS_MAX, query: None };
        for (chunk, from, to) in coded {
            let bounded = match signs.of(chunk, &self.query.vector) {
                Some((query, sieve)) => self.by_signs(chunk, query, sieve, &mut found),
                None => chunk.codes.query(&self.query.vector).map(|query| {
                    query.scan(self.kernels, self.bar(&found.nearest), &mut |row, low, high| {
                        self.found(chunk, (row, low, high), &mut found)
                    });
                }),
            };
            if bounded.is_none() {
                self.compare(*from, *to)?;
            }
            if let Some(error) = found.failed {
                return Err(error);
            }
        }
        let bar = self.bar(&found.nearest);
        for candidate in found.candidates.iter().filter(|candidate| candidate.low <= bar) {
            self.add(candidate.record, candidate.row);
        }
        self.flush();
        Ok(())
    }

    /// Searches the rows of a chunk that its signs do not leave out; `None` when codes give no bounds for this query.
    fn by_signs(&self, chunk: &'a ChunkCodes, query: &SieveQuery, sieve: &Sieve, found: &mut Found<'a>) -> Option<()> {
        // Made ready for the first row.
        let mut bounded: Option<Option<BoundedQuery<'_>>> = None;
        query.scan(self.kernels, sieve, self.bar(&found.nearest), &mut |rows| {
            if let Some(query) = bounded.get_or_insert_with(|| chunk.codes.query(&self.query.vector)) {
                query.scan_rows(self.kernels, rows, self.bar(&found.nearest), &mut |row, low, high| {
                    self.found(chunk, (row, low, high), found)
                });
            }
            self.bar_after(found)
        });
        bounded.is_none_or(|bounded| bounded.is_some()).then_some(())
    }

    /// Takes a row of a chunk with the bounds of its distance, if the search accepts it; gives the bar from there on.
    fn found(&self, chunk: &ChunkCodes, (row, low, high): (u32, f32, f32), found: &mut Found<'a>) -> f32 {
        let (number, row) = chunk.places[row as usize];
        let record = self.version.tail.record(number).expect("a version keeps the records of its tail");
        match self.accepts(record, row) {
            Ok(true) => {
                found.nearest.push(high, ());
                found.candidates.push(Candidate { low, record, row });
            }
            Ok(false) => {}
            Err(error) => found.failed = Some(error),
        }
        self.bar_after(found)
    }

    fn bar_after(&self, found: &Found<'_>) -> f32 {
        if found.failed.is_some() { f32::NEG_INFINITY } else { self.bar(&found.nearest) }
    }

    /// Gives the distance that a row must not exceed: that of the last answer so far, or what the codes say of it.
    fn bar(&self, nearest: &TopK<()>) -> f32 {
        let bounds = [self.top.worst(), nearest.worst()].into_iter().flatten();
        // Not a number sorts last, and says as little as no bound.
        bounds.min().filter(|bar| !bar.0.is_nan()).map_or(f32::INFINITY, |TotalF32(bar)| bar)
    }
}
