//! Searches one vector part of a segment: candidates by code distance, answers by exact distance to the vectors in the log.

use index::codes::CodesView;
use index::{Kernels, TopK, flat, hnsw};

use super::Segment;
use super::build::check_gathered;
use super::source::VectorSource;
use super::vectors::{Codes, Nodes, VectorPart};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PointId};

/// Vectors that are asked of the source at once.
const GATHER_BATCH: usize = 512;

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Exact distance to the query; smaller is nearer.
    pub distance: f32,
    /// The point.
    pub id: PointId,
    /// Its row in the segment.
    pub row: u32,
}

/// Buffers that searches of one thread reuse.
#[derive(Debug, Default)]
pub struct SearchScratch {
    walk: hnsw::Scratch,
    rows: Vec<u32>,
    addresses: Vec<u64>,
    distances: Vec<f32>,
}

/// What a search asks for besides the query vector.
pub struct SearchContext<'a> {
    /// The version that is read: rows ended by records below this LSN are not seen.
    pub lsn_end: Lsn,
    /// Answers wanted.
    pub k: usize,
    /// Candidates to compare exactly (at least `k`); `None` compares every vector exactly.
    pub ef: Option<usize>,
    /// The rows that a filter lets pass; `None` lets all pass.
    pub accept: Option<&'a dyn Fn(u32) -> bool>,
    /// Gives full vectors.
    pub source: &'a dyn VectorSource,
    /// Buffers.
    pub scratch: &'a mut SearchScratch,
}

impl std::fmt::Debug for SearchContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let filtered = self.accept.is_some();
        f.debug_struct("SearchContext")
            .field("lsn_end", &self.lsn_end)
            .field("k", &self.k)
            .field("ef", &self.ef)
            .field("filtered", &filtered)
            .finish_non_exhaustive()
    }
}

/// Finds the nearest visible rows of a vector part, sorted by (distance, id). The query of a cosine part is normalised by the caller.
///
/// With `ef`, candidates come from the graph where there is one and from a scan of the codes otherwise, and all of them are compared
/// exactly. A part that no row has gives no answers.
///
/// # Errors
/// Those of the source; `Corrupt` when the segment's objects are damaged or do not fit `spec`; `InvalidInput` when the query has another
/// number of dimensions.
pub fn search_part(
    segment: &Segment,
    part: u32,
    spec: &VectorPart,
    kernels: &Kernels,
    query: &[f32],
    ctx: SearchContext<'_>,
) -> Result<Vec<Hit>> {
    check_query(spec, query)?;
    if ctx.k == 0 {
        return Ok(Vec::new());
    }
    let sees = |row: u32| segment.is_visible(part, row, ctx.lsn_end) && ctx.accept.is_none_or(|accept| accept(row));
    let SearchScratch { walk, rows, addresses, distances } = ctx.scratch;
    rows.clear();
    match (ctx.ef, segment.codes(part)) {
        (Some(ef), Some(codes)) => {
            let candidates = Candidates { segment, part, spec, kernels, query, ef: ef.max(ctx.k) };
            let walk_width = candidates.plain_walk_width(codes.nodes()?.count(), ctx.accept.is_some());
            candidates.collect(codes, sees, walk_width, walk, rows)?;
        }
        _ => rows.extend((0..segment.rows()).filter(|&row| sees(row))),
    }
    Exact { segment, part, spec, kernels, query, source: ctx.source, addresses, distances }.nearest(rows, ctx.k)
}

/// Finds rows that may be near a query, by their codes.
struct Candidates<'a> {
    segment: &'a Segment,
    part: u32,
    spec: &'a VectorPart,
    kernels: &'a Kernels,
    query: &'a [f32],
    ef: usize,
}

impl Candidates<'_> {
    /// Gives the candidates that a walk which asks for no row has to collect so that enough are left when the unseen are taken out; `None`
    /// when too many rows are unseen for that. Marks that come during the search are of later versions and take nothing out.
    fn plain_walk_width(&self, nodes: u32, filtered: bool) -> Option<usize> {
        let dead = u64::from(nodes.saturating_sub(self.segment.live(self.part)));
        match dead {
            _ if filtered => None,
            0 => Some(self.ef),
            _ if dead * 5 <= u64::from(nodes) => Some(self.ef + self.ef / 2 + 8),
            _ => None,
        }
    }

    /// Adds the rows of `ef` candidates that `sees` accepts, in the order of rows: they follow the log, so it is read front to back.
    fn collect(
        self,
        codes: &Codes,
        sees: impl Fn(u32) -> bool,
        walk_width: Option<usize>,
        scratch: &mut hnsw::Scratch,
        rows: &mut Vec<u32>,
    ) -> Result<()> {
        let nodes = codes.nodes()?;
        let view = codes_view(nodes, self.spec)?;
        let code = view.params().encode_query(self.query);
        let (code, ef) = (code.as_query(), self.ef.min(nodes.count() as usize));
        let sees = |node: u32| sees(nodes.row(node));
        if let Some(graph) = self.segment.graph(self.part) {
            let graph = graph.view(nodes)?;
            if let Some(width) = walk_width {
                let found = hnsw::search(self.kernels, &graph, &view, code, width, scratch);
                rows.extend(found.iter().filter(|found| sees(found.1)).take(ef).map(|found| nodes.row(found.1)));
            }
            if rows.len() < ef {
                rows.clear();
                let max_visits = visits_max(nodes.count(), ef);
                let found = hnsw::search_filtered(self.kernels, &graph, &view, code, ef, sees, max_visits, scratch);
                rows.extend(found.iter().map(|found| nodes.row(found.1)));
            }
        }
        // Also where a walk gave up: then so few rows are seen that reading all codes in order costs less than finding them.
        if rows.len() < ef {
            rows.clear();
            let found = flat::scan_codes(self.kernels, &view, code, 0..nodes.count(), sees, ef);
            rows.extend(found.iter().map(|found| nodes.row(found.1)));
        }
        rows.sort_unstable();
        Ok(())
    }
}

/// Bounds the distances that a filtered walk computes: a walked one costs several times a scanned one.
fn visits_max(nodes: u32, ef: usize) -> usize {
    (nodes as usize / 4).max(ef.saturating_mul(16))
}

/// Finds the nearest among given rows by exact distance: the visible ones that `accept` lets pass, sorted by (distance, id). `ef` plays
/// no part.
///
/// # Errors
/// Like [`search_part`]; `Internal` when a row does not exist.
pub fn search_rows(
    segment: &Segment,
    part: u32,
    spec: &VectorPart,
    kernels: &Kernels,
    query: &[f32],
    among: &[u32],
    ctx: SearchContext<'_>,
) -> Result<Vec<Hit>> {
    check_query(spec, query)?;
    if let Some(row) = among.iter().find(|&&row| row >= segment.rows()) {
        return Err(Error::internal(format!("row {row} is not in segment {}", segment.meta().id)));
    }
    let sees = |row: u32| segment.is_visible(part, row, ctx.lsn_end) && ctx.accept.is_none_or(|accept| accept(row));
    let SearchScratch { rows, addresses, distances, .. } = ctx.scratch;
    rows.clear();
    rows.extend(among.iter().copied().filter(|&row| sees(row)));
    Exact { segment, part, spec, kernels, query, source: ctx.source, addresses, distances }.nearest(rows, ctx.k)
}

fn check_query(spec: &VectorPart, query: &[f32]) -> Result<()> {
    if query.len() == spec.dim {
        return Ok(());
    }
    Err(Error::invalid("the query has another number of dimensions").with_expected(spec.dim, query.len()))
}

/// Reads codes and checks that they are of such vectors.
pub(super) fn codes_view<'a>(nodes: &'a Nodes, spec: &VectorPart) -> Result<CodesView<'a>> {
    let view = nodes.view()?;
    let found = (view.dims(), view.params().metric(), view.params().datatype());
    let expected = (spec.dim, spec.metric, spec.datatype_of_codes());
    if found == expected {
        return Ok(view);
    }
    Err(Error::corrupt("the codes are of other vectors than the schema says").with_expected(format!("{expected:?}"), format!("{found:?}")))
}

/// Compares rows exactly with a query.
struct Exact<'a> {
    segment: &'a Segment,
    part: u32,
    spec: &'a VectorPart,
    kernels: &'a Kernels,
    query: &'a [f32],
    source: &'a dyn VectorSource,
    addresses: &'a mut Vec<u64>,
    distances: &'a mut Vec<f32>,
}

impl Exact<'_> {
    fn nearest(self, rows: &[u32], k: usize) -> Result<Vec<Hit>> {
        let mut top: TopK<(PointId, u32)> = TopK::new(k);
        let mut vectors = Vec::with_capacity(GATHER_BATCH.min(rows.len()));
        for batch in rows.chunks(GATHER_BATCH) {
            self.addresses.clear();
            for &row in batch {
                let address = self.segment.address(self.part, row).ok_or_else(|| no_address(self.segment, self.part, row))?;
                self.addresses.push(address);
            }
            vectors.clear();
            self.source.gather(self.addresses, self.spec.bytes_per_vector(), &mut vectors)?;
            check_gathered(self.spec, batch.len(), &vectors)?;
            exact_distances(self.kernels, self.spec, self.query, &vectors, self.distances);
            for (&row, &distance) in batch.iter().zip(self.distances.iter()) {
                if top.worst().is_none_or(|worst| distance <= worst.0 || distance.is_nan()) {
                    top.push(distance, (self.segment.id(row), row));
                }
            }
        }
        Ok(top.into_sorted().into_iter().map(|(distance, (id, row))| Hit { distance, id, row }).collect())
    }
}

/// Computes the exact distances of a query to stored vectors; the query of a cosine part is normalised by the caller.
///
/// # Panics
/// When a vector does not have the length that `spec` says.
pub fn exact_distances(kernels: &Kernels, spec: &VectorPart, query: &[f32], vectors: &[&[u8]], distances: &mut Vec<f32>) {
    distances.resize(vectors.len(), 0.0);
    kernels.distance_many(spec.metric, spec.datatype, query, vectors, distances);
    // Zero has one sign, so that equal distances are decided by id.
    distances.iter_mut().for_each(|distance| *distance += 0.0);
    if spec.normalise_codes {
        distances.iter_mut().zip(vectors).for_each(|(distance, vector)| *distance = over_norm(spec, *distance, vector));
    }
}

/// Turns a negated inner product with a vector that is stored as given into one with the normalised vector; the zero vector scores 0.
fn over_norm(spec: &VectorPart, distance: f32, vector: &[u8]) -> f32 {
    debug_assert_eq!(spec.datatype, index::Datatype::U8, "only bytes are stored as given under cosine");
    let squared: u64 = vector.iter().map(|&byte| u64::from(byte) * u64::from(byte)).sum();
    if squared == 0 { 0.0 } else { (f64::from(distance) / (squared as f64).sqrt()) as f32 }
}

fn no_address(segment: &Segment, part: u32, row: u32) -> Error {
    let error = Error::corrupt(format!("row {row} of segment {} has part {part}, but no address for it", segment.meta().id));
    error.with_hint("run \"vectra collections verify\"; segments can be rebuilt from the log")
}

#[cfg(test)]
mod tests;
