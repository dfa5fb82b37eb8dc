//! Searches one vector part of a segment: candidates by code distance, answers by exact distance to the vectors in the log.

mod exact;
mod listed;
mod plan;

use index::codes::CodesView;
use index::flat::{self, IdScan};
use index::hnsw::{BlocksView, GraphView, Wanted};
use index::{Bitmap, Kernels, QueryCode, hnsw};

use super::Segment;
use super::accepted::Accepted;
use super::source::VectorSource;
use super::vectors::{Nodes, VectorPart};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PointId};
use exact::Exact;
pub use exact::exact_distances;
use listed::Listed;
use plan::{Facts, Plan};

/// A scan compares at most this many times `ef` rows exactly, however close their codes are.
const SCAN_EF_MAX: usize = 32;

/// From so many dimensions on the order of a walk's candidates is good enough to choose those that are compared.
const COARSE_ORDERS_FROM: usize = 256;

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
    scan: IdScan,
    lists: index::ivf::Scratch,
    rows: Vec<u32>,
    addresses: Vec<u64>,
    distances: Vec<f32>,
}

/// Rows whose payloads have to be read to know whether they pass.
#[derive(Clone, Copy)]
pub struct Undecided<'a> {
    /// The rows; none of them is among those that are known to pass.
    pub rows: &'a Bitmap,
    /// Reads: says whether one of them passes.
    pub passes: &'a dyn Fn(u32) -> bool,
    /// How many of them will pass, as far as that can be guessed.
    pub likely: u32,
}

impl std::fmt::Debug for Undecided<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Undecided").field("likely", &self.likely).finish_non_exhaustive()
    }
}

/// What a search asks for besides the query vector.
pub struct SearchContext<'a> {
    /// The version that is read: rows ended by records below this LSN are not seen.
    pub lsn_end: Lsn,
    /// Answers wanted.
    pub k: usize,
    /// Candidates to compare exactly (at least `k`); `None` compares every vector exactly.
    pub ef: Option<usize>,
    /// The rows to answer with, each seen by the version; `None`: all that it sees.
    pub among: Option<&'a Accepted>,
    /// Gives full vectors.
    pub source: &'a dyn VectorSource,
    /// Buffers.
    pub scratch: &'a mut SearchScratch,
}

impl std::fmt::Debug for SearchContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchContext")
            .field("lsn_end", &self.lsn_end)
            .field("k", &self.k)
            .field("ef", &self.ef)
            .field("among", &self.among.map(Accepted::count))
            .finish_non_exhaustive()
    }
}

/// Finds the nearest visible rows of a vector part, sorted by (distance, id). The query of a cosine part is normalised by the caller.
///
/// With `ef`, candidates come from the lists where there are some, else from the graph or from a scan of the codes, whichever is cheaper for
/// what may be answered with, and they are compared exactly. A part that no row has gives no answers.
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
    let search = Search::new(segment, part, spec, kernels, query, &ctx)?;
    if ctx.k == 0 || ctx.among.is_some_and(|accepted| accepted.count() == 0) {
        return Ok(Vec::new());
    }
    let SearchScratch { walk, scan, lists, rows, addresses, distances } = ctx.scratch;
    let mut exact = Exact::new(&search, (addresses, distances));
    rows.clear();
    if let (Some(ef), Some(found)) = (ctx.ef, segment.lists(part)) {
        let listed = Listed::new(&search, found, ef.max(ctx.k));
        match ctx.among {
            None => listed.find_living(ctx.lsn_end, lists, &mut exact)?,
            Some(accepted) => listed.find_among(accepted, lists, &mut exact)?,
        }
        return Ok(exact.into_hits());
    }
    let (Some(ef), Some(_)) = (ctx.ef, segment.codes(part)) else {
        match ctx.among {
            Some(accepted) => exact.add(&accepted.list())?,
            None => exact.add(&Accepted::new(segment.visible(part, ctx.lsn_end)).list())?,
        };
        return Ok(exact.into_hits());
    };
    let coded = Coded::new(&search, ctx.k, ef)?;
    match ctx.among {
        None if coded.find_living(ctx.lsn_end, walk, rows) => exact.add_sorted(rows)?,
        None => coded.find_among(&Accepted::new(segment.visible(part, ctx.lsn_end)), (walk, scan, rows), &mut exact)?,
        Some(accepted) => coded.find_among(accepted, (walk, scan, rows), &mut exact)?,
    };
    Ok(exact.into_hits())
}

/// Like [`search_part`] where some rows are undecided and reading all of their payloads would cost more than the walk that asks for a few.
/// `None` when there is no such walk, or it did not find enough: then the rows have to be decided.
///
/// # Errors
/// Like [`search_part`].
pub fn search_undecided(
    segment: &Segment,
    part: u32,
    spec: &VectorPart,
    kernels: &Kernels,
    query: &[f32],
    undecided: Undecided<'_>,
    ctx: SearchContext<'_>,
) -> Result<Option<Vec<Hit>>> {
    let search = Search::new(segment, part, spec, kernels, query, &ctx)?;
    let (Some(ef), Some(sure)) = (ctx.ef, ctx.among) else { return Ok(None) };
    let SearchScratch { walk, lists, rows, addresses, distances, .. } = ctx.scratch;
    rows.clear();
    if let Some(found) = segment.lists(part) {
        let mut exact = Exact::new(&search, (addresses, distances));
        let enough = Listed::new(&search, found, ef.max(ctx.k)).find_undecided(sure.rows(), undecided, lists, &mut exact)?;
        return Ok(enough.then(|| exact.into_hits()));
    }
    if segment.graph(part).is_none() {
        return Ok(None);
    }
    let coded = Coded::new(&search, ctx.k, ef)?;
    let facts = coded.facts(sure.count().saturating_add(undecided.likely));
    let passes = |node: u32| {
        let row = coded.nodes.row(node);
        sure.rows().get(row) || (undecided.rows.get(row) && (undecided.passes)(row))
    };
    // What a walk costs here is payloads, which are few: it may go farther than one that competes with a scan of codes.
    let visits_max = facts.visits_for_a_scan().max(facts.nodes as usize / 4).max(facts.ef.saturating_mul(16));
    if !coded.walk_through(passes, visits_max, facts.ef_min(), walk, rows) {
        return Ok(None);
    }
    let mut exact = Exact::new(&search, (addresses, distances));
    exact.add_sorted(rows)?;
    Ok(Some(exact.into_hits()))
}

/// One search, before anything of the segment was read.
#[derive(Clone, Copy)]
struct Search<'a> {
    segment: &'a Segment,
    part: u32,
    spec: &'a VectorPart,
    kernels: &'a Kernels,
    query: &'a [f32],
    source: &'a dyn VectorSource,
    k: usize,
}

impl<'a> Search<'a> {
    fn new(
        segment: &'a Segment,
        part: u32,
        spec: &'a VectorPart,
        kernels: &'a Kernels,
        query: &'a [f32],
        ctx: &SearchContext<'a>,
    ) -> Result<Self> {
        if query.len() != spec.dim {
            return Err(Error::invalid("the query has another number of dimensions").with_expected(spec.dim, query.len()));
        }
        assert!(ctx.among.is_none_or(|accepted| accepted.rows().len() == segment.rows()), "a set of rows of this segment");
        Ok(Search { segment, part, spec, kernels, query, source: ctx.source, k: ctx.k })
    }
}

/// A search over the codes of a part: finds rows that may be near.
struct Coded<'a> {
    search: Search<'a>,
    nodes: &'a Nodes,
    graph: Option<GraphView<'a>>,
    view: CodesView<'a>,
    code: QueryCode,
    k: usize,
    ef: usize,
}

impl<'a> Coded<'a> {
    fn new(search: &Search<'a>, k: usize, ef: usize) -> Result<Self> {
        let codes = search.segment.codes(search.part).ok_or_else(|| Error::internal("a part without codes has no nodes"))?;
        let nodes = codes.nodes()?;
        let view = codes_view(nodes, search.spec)?;
        let code = view.params().encode_query(search.query);
        let graph = search.segment.graph(search.part).map(|graph| graph.view(nodes)).transpose()?;
        Ok(Coded { search: *search, nodes, graph, view, code, k, ef: ef.max(k) })
    }

    fn facts(&self, matches: u32) -> Facts {
        Facts {
            nodes: self.nodes.count(),
            matches,
            k: self.search.k,
            ef: self.ef,
            code_bytes: self.view.rows().stride(),
            vector_bytes: self.search.spec.bytes_per_vector(),
            graph: self.graph.is_some(),
        }
    }

    /// Finds candidates where everything that lives may be answered with; false when so many are dead that the walk has to know them.
    fn find_living(&self, lsn_end: Lsn, walk: &mut hnsw::Scratch, rows: &mut Vec<u32>) -> bool {
        let Search { segment, part, kernels, .. } = self.search;
        let sees = |node: u32| segment.outlives(part, self.nodes.row(node), lsn_end);
        let nodes = self.nodes.count();
        let Some(graph) = &self.graph else {
            let found = flat::scan_codes(kernels, &self.view, self.code.as_query(), 0..nodes, sees, self.ef);
            rows.extend(found.iter().map(|found| self.nodes.row(found.1)));
            return true;
        };
        // Marks that come during the search are of later versions and take nothing out.
        let dead = u64::from(nodes.saturating_sub(segment.live(part)));
        let width = match dead {
            0 => self.ef,
            // Twice their share, because they may be near each other.
            _ if dead * 5 <= u64::from(nodes) => self.ef.saturating_add((self.ef as u64 * 2 * dead).div_ceil(u64::from(nodes)) as usize),
            _ => return false,
        };
        let (blocks, query) = (self.blocks(), self.code.as_query());
        if let Some(compared) = self.compared_of_coarse(width) {
            let found = hnsw::search_coarse(kernels, graph, &self.view, blocks, query, width, walk);
            rows.extend(found.iter().filter(|node| sees(**node)).take(compared).map(|node| self.nodes.row(*node)));
        } else {
            let found = hnsw::search(kernels, graph, &self.view, blocks, query, width, walk);
            rows.extend(found.iter().filter(|found| sees(found.1)).take(self.compared()).map(|found| self.nodes.row(found.1)));
        }
        rows.len() >= self.k.min(nodes as usize)
    }

    /// Gives how many candidates of a walk are compared exactly in the order of the walk, where that costs less than to put them in order
    /// by whole codes first: over many dimensions coarse codes misplace neighbours by little more, over few all are compared.
    fn compared_of_coarse(&self, width: usize) -> Option<usize> {
        if self.search.spec.dim >= COARSE_ORDERS_FROM {
            return Some(self.k.saturating_add((self.k / 10 * 7).max(7) + self.ef / 32).min(width));
        }
        let vectors = width.saturating_sub(self.compared()).saturating_mul(self.search.spec.bytes_per_vector());
        (vectors <= width.saturating_mul(self.view.rows().stride())).then_some(width)
    }

    /// Gives how many candidates of a walk, best first by whole codes, are compared exactly: whole codes seldom misplace a neighbour by more.
    fn compared(&self) -> usize {
        self.k.saturating_add((self.k / 2).max(5)).saturating_add(self.ef / 16).min(self.ef)
    }

    /// Gives what the walk goes over instead of the objects as they are stored.
    fn blocks(&self) -> Option<BlocksView<'a>> {
        let Search { segment, part, spec, .. } = self.search;
        let blocks = segment.walk_blocks(part).filter(|_| spec.blocks)?;
        blocks.for_walk(self.graph.as_ref()?, &self.view)
    }

    /// Finds candidates among some rows and compares them.
    fn find_among(
        &self,
        accepted: &Accepted,
        (walk, scan, rows): (&mut hnsw::Scratch, &mut IdScan, &mut Vec<u32>),
        exact: &mut Exact<'_>,
    ) -> Result<bool> {
        rows.clear();
        let accepted = accepted.of_nodes(self.nodes);
        let facts = self.facts(accepted.count());
        let mut plan = facts.plan();
        if let Plan::PlainWalk { width } = plan
            && !self.walk_plainly(width, accepted.rows(), facts.enough().min(accepted.count() as usize), walk, rows)
        {
            plan = facts.filtered_walk();
        }
        if let Plan::FilteredWalk { visits_max } = plan
            && !self.walk_through(|node| accepted.rows().get(node), visits_max, facts.ef_min(), walk, rows)
        {
            plan = Plan::Scan;
        }
        match plan {
            Plan::Scan => self.scan(&accepted.list(), scan, rows, exact),
            Plan::Exact => {
                rows.extend(accepted.list().iter().map(|&node| self.nodes.row(node)));
                exact.add(rows)
            }
            Plan::PlainWalk { .. } | Plan::FilteredWalk { .. } => exact.add_sorted(rows),
        }
    }

    /// Walks as if all passed; false when too few of what was found do.
    fn walk_plainly(&self, width: usize, accepted: &Bitmap, enough: usize, walk: &mut hnsw::Scratch, rows: &mut Vec<u32>) -> bool {
        rows.clear();
        let Some(graph) = &self.graph else { return false };
        let found = hnsw::search(self.search.kernels, graph, &self.view, self.blocks(), self.code.as_query(), width, walk);
        rows.extend(found.iter().filter(|found| accepted.get(found.1)).map(|found| self.nodes.row(found.1)));
        let arrived = rows.len() >= enough;
        rows.truncate(self.compared());
        arrived
    }

    /// Walks through what does not pass; false when the walk was given up.
    fn walk_through(
        &self,
        accept: impl Fn(u32) -> bool,
        visits_max: usize,
        ef_min: usize,
        walk: &mut hnsw::Scratch,
        rows: &mut Vec<u32>,
    ) -> bool {
        rows.clear();
        let Some(graph) = &self.graph else { return false };
        let wanted = Wanted { accept, ef: self.ef, ef_min, visits_max };
        let found = hnsw::search_filtered(self.search.kernels, graph, &self.view, self.code.as_query(), &wanted, walk);
        rows.extend(found.unwrap_or_default().iter().take(self.compared()).map(|found| self.nodes.row(found.1)));
        found.is_some()
    }

    /// Scores the codes of some nodes and compares the nearest exactly, until as many again bring nothing nearer.
    ///
    /// Where what passes lies far from the query, its distances are so close to each other that codes tell them apart badly: then the
    /// nearest are found farther down. Where it does not, the first look is enough.
    fn scan(&self, list: &[u32], scan: &mut IdScan, rows: &mut Vec<u32>, exact: &mut Exact<'_>) -> Result<bool> {
        let mut found = scan.scan(self.search.kernels, &self.view, self.code.as_query(), list, self.ef);
        let most = self.ef.saturating_mul(SCAN_EF_MAX).min(list.len());
        let mut compared = 0;
        let mut end = self.compared().min(found.len());
        loop {
            rows.clear();
            rows.extend(found[compared..end].iter().map(|found| self.nodes.row(found.1)));
            if !exact.add_sorted(rows)? || end == most {
                return Ok(true);
            }
            (compared, end) = (end, (2 * end).min(most));
            if end > found.len() {
                found = scan.widen(list, most);
            }
        }
    }
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

#[cfg(test)]
mod tests;
