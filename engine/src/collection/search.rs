//! Nearest neighbours in a version: graph segments are walked, flat segments and the tail scanned, answers merged by exact distance.

use std::cell::Cell;

use index::{Kernels, TopK};

use super::effort::TargetRecall;
use super::filter::cache::Ready;
use super::version::{Version, vector_part};
use crate::batch::check_query;
use crate::error::Result;
use crate::ids::PointId;
use crate::payload::Filter;
use crate::schema::Distance;
use crate::segment::{Hit, SearchContext, SearchScratch, Segment, Undecided, VectorPart, search_part, search_undecided};

/// Collections up to this size are searched exactly unless a walk is asked for.
pub(super) const EXACT_POINTS_MAX: u64 = 20_000;
/// Candidates of a walk when nothing else is asked for.
pub(super) const EF_DEFAULT: usize = 64;

/// How neighbours are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Exactly in small collections, through the index with a usual effort otherwise.
    Auto,
    /// Through the index, with this many candidates.
    Walk(usize),
    /// Through the index, with as many candidates as it takes to find this share of the neighbours; exactly in small collections.
    Recall(TargetRecall),
    /// By comparing with every vector.
    Exact,
}

/// A search.
#[derive(Debug, Clone)]
pub struct SearchRequest<'a> {
    /// The part whose vectors are compared.
    pub part: usize,
    /// The query vector.
    pub query: &'a [f32],
    /// Answers wanted.
    pub top: usize,
    /// How they are found.
    pub mode: Mode,
    /// Only points that pass this.
    pub filter: Option<&'a Filter>,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchHit {
    /// The point.
    pub id: PointId,
    /// How near it is, in the sense of the vector's distance.
    pub score: f32,
}

/// Most candidates of a walk: few segments have so many rows, and what is counted with them does not overflow.
const CANDIDATES_MAX: usize = 1 << 30;

/// A request made ready: the vector's description and the query in the form that distances are computed with.
pub(super) struct Query {
    pub(super) spec: VectorPart,
    distance: Distance,
    pub(super) vector: Vec<f32>,
    pub(super) top: usize,
    pub(super) ef: Option<usize>,
}

impl Version {
    /// Finds the nearest points, best first; equal scores are in the order of their ids.
    ///
    /// # Errors
    /// `InvalidInput` when the query does not fit the vector, `Corrupt` when stored bytes are damaged.
    pub fn search(&self, kernels: &Kernels, request: &SearchRequest<'_>, scratch: &mut SearchScratch) -> Result<Vec<SearchHit>> {
        let query = self.ready(request)?;
        let mut top: TopK<PointId> = TopK::new(request.top);
        if request.top == 0 {
            return Ok(Vec::new());
        }
        for number in 0..self.segments.len() {
            self.search_segment(kernels, number, request, &query, scratch, &mut top)?;
        }
        self.search_tail(kernels, request, &query, &mut top)?;
        let hits: Vec<(f32, PointId)> = top.into_sorted();
        Ok(hits.into_iter().map(|(distance, id)| SearchHit { id, score: query.distance.score(distance) }).collect())
    }

    fn ready(&self, request: &SearchRequest<'_>) -> Result<Query> {
        let vector = self.schema.vector(request.part);
        check_query(vector, request.query)?;
        let mut floats = request.query.to_vec();
        if vector.distance == Distance::Cosine {
            index::metric::normalise(&mut floats);
        }
        let ef = match request.mode {
            Mode::Exact => None,
            Mode::Auto | Mode::Recall(_) if self.points <= EXACT_POINTS_MAX => None,
            Mode::Recall(target) if target.is_exact() => None,
            Mode::Recall(target) => Some(self.ef_for(request.part, target, request.top)),
            Mode::Auto => Some(EF_DEFAULT.max(2 * request.top)),
            Mode::Walk(ef) => Some(ef.min(CANDIDATES_MAX).max(request.top)),
        };
        Ok(Query { spec: vector_part(vector), distance: vector.distance, vector: floats, top: request.top, ef })
    }

    /// Gives the candidates that searches of a part take for a recall: the largest number that any index needs.
    #[must_use]
    pub fn ef_for(&self, part: usize, target: TargetRecall, top: usize) -> usize {
        let indexed = self.segments.iter().map(|open| &open.segment).filter(|segment| segment.is_indexed(part as u32));
        let efs = indexed.map(|segment| target.ef(segment.tuning(part as u32), top));
        efs.max().unwrap_or(EF_DEFAULT).max(2 * top)
    }

    fn search_segment(
        &self,
        kernels: &Kernels,
        number: usize,
        request: &SearchRequest<'_>,
        query: &Query,
        scratch: &mut SearchScratch,
        top: &mut TopK<PointId>,
    ) -> Result<()> {
        let segment = &self.segments[number].segment;
        let part = request.part as u32;
        let mut among = match request.filter {
            None if !many_are_dead(segment, part) => None,
            filter => Some(self.make_ready(number, filter, part)),
        };
        if let Some(ready) = among.as_ref().filter(|ready| ready.undecided.is_some()) {
            if let Some(hits) = self.search_deciding(kernels, number, ready, query, scratch)? {
                hits.into_iter().for_each(|hit| top.push(hit.distance, hit.id));
                return Ok(());
            }
            among = Some(self.decide(number, ready)?);
        }
        let among = among.as_ref().map(|ready| &ready.accepted);
        let context = SearchContext { lsn_end: self.lsn_end, k: query.top, ef: query.ef, among, source: &*self.log, scratch };
        let hits = search_part(segment, part, &query.spec, kernels, &query.vector, context)?;
        hits.into_iter().for_each(|hit| top.push(hit.distance, hit.id));
        Ok(())
    }

    /// Searches a segment and decides only the rows that it comes across; `None` when they are better decided first.
    fn search_deciding(
        &self,
        kernels: &Kernels,
        number: usize,
        ready: &Ready,
        query: &Query,
        scratch: &mut SearchScratch,
    ) -> Result<Option<Vec<Hit>>> {
        let Some(pending) = ready.undecided.as_ref().filter(|_| query.ef.is_some() && !self.decide_first(number, ready)) else {
            return Ok(None);
        };
        let failed = Cell::new(None);
        let passes = |row: u32| {
            self.passes(number, row, ready, pending, None).unwrap_or_else(|error| {
                failed.set(Some(error));
                false
            })
        };
        let undecided = Undecided { rows: &pending.rows, passes: &passes, likely: pending.likely() };
        let (among, source) = (Some(&ready.accepted), &*self.log);
        let context = SearchContext { lsn_end: self.lsn_end, k: query.top, ef: query.ef, among, source, scratch };
        let segment = &self.segments[number].segment;
        let hits = search_undecided(segment, ready.part, &query.spec, kernels, &query.vector, undecided, context)?;
        failed.into_inner().map_or(Ok(hits), Err)
    }
}

/// Says whether so many rows of a part are dead that a search has to know them beforehand.
fn many_are_dead(segment: &Segment, part: u32) -> bool {
    u64::from(segment.live(part)) * 5 < u64::from(segment.rows()) * 4
}
