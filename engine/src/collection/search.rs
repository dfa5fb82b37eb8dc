//! Nearest neighbours in a version: graph segments are walked, flat segments and the tail scanned, answers merged by exact distance.

use index::{Kernels, TopK};

use super::filter::SegmentFilter;
use super::version::{Version, vector_part};
use crate::batch::check_vector;
use crate::error::Result;
use crate::ids::PointId;
use crate::payload::Filter;
use crate::schema::{Distance, Numbers};
use crate::segment::{SearchContext, SearchScratch, VectorPart, search_part, search_rows};

/// Collections up to this size are searched exactly unless a walk is asked for.
const EXACT_POINTS_MAX: u64 = 20_000;
/// Candidates of a walk when nothing else is asked for.
const EF_DEFAULT: usize = 64;
/// A filter that at most this share of a segment's rows may pass is answered by comparing those rows exactly.
const SCAN_SHARE: u32 = 10;
/// So few possible rows are always compared exactly.
const SCAN_ROWS: u32 = 2_000;

/// How neighbours are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Exactly in small collections, through the index with a usual effort otherwise.
    Auto,
    /// Through the index, with this many candidates.
    Walk(usize),
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
        let as_floats = crate::schema::VectorSchema { datatype: Numbers::F32, ..vector.clone() };
        check_vector(&as_floats, request.query)?;
        let mut floats = request.query.to_vec();
        if vector.distance == Distance::Cosine {
            index::metric::normalise(&mut floats);
        }
        let ef = match request.mode {
            Mode::Exact => None,
            Mode::Auto if self.points <= EXACT_POINTS_MAX => None,
            Mode::Auto => Some(EF_DEFAULT.max(2 * request.top)),
            Mode::Walk(ef) => Some(ef.max(request.top)),
        };
        Ok(Query { spec: vector_part(vector), distance: vector.distance, vector: floats, top: request.top, ef })
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
        let filter = request.filter.map(|filter| SegmentFilter::new(self, number, filter));
        let accept = filter.as_ref().map(|filter| |row: u32| filter.accepts(row));
        let accept = accept.as_ref().map(|accept| accept as &dyn Fn(u32) -> bool);
        let context = SearchContext { lsn_end: self.lsn_end, k: query.top, ef: query.ef, accept, source: &*self.log, scratch };
        let few = filter
            .as_ref()
            .map(|filter| filter.possible(part))
            .filter(|possible| query.ef.is_none() || possible.count() <= SCAN_ROWS.max(segment.rows() / SCAN_SHARE));
        let hits = match few {
            Some(rows) => search_rows(segment, part, &query.spec, kernels, &query.vector, &rows.iter().collect::<Vec<_>>(), context)?,
            None => search_part(segment, part, &query.spec, kernels, &query.vector, context)?,
        };
        hits.into_iter().for_each(|hit| top.push(hit.distance, hit.id));
        filter.map_or(Ok(()), SegmentFilter::finish)
    }
}
