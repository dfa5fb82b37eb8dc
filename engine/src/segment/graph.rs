//! The graph object of one vector part: its bytes, and building it over the codes of a segment.

use std::sync::OnceLock;

use bytes::Bytes;
use index::Kernels;
use index::hnsw::{self, BuildError, Executor, GraphShape, GraphView, Params, Progress, REMOVED, Source};

use super::Segment;
use super::build::finished;
use super::meta::ObjectMeta;
use super::tuning::{StoredTuning, Tuning};
use super::vectors::{Codes, Nodes, layout_error};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::SegmentId;
use crate::object_file::{ObjectBuilder, ObjectFile, Role};

/// The section that `index` lays out.
pub const TAG_GRAPH: u32 = 1;

/// Lays out a graph object.
#[must_use]
pub fn encode(id: SegmentId, part: u32, graph: &[u8]) -> Vec<u8> {
    ObjectBuilder::new(Role::Graph, id).section(TAG_GRAPH, part, graph).finish()
}

/// A graph object; its section is read at first use.
#[derive(Debug)]
pub struct Graph {
    object: ObjectFile,
    part: u32,
    /// The graph's bytes and what was read from their head, once they were checked.
    layout: OnceLock<(Bytes, GraphShape)>,
    tuning: StoredTuning,
}

impl Graph {
    /// Opens the object of one vector part.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged or another object, `NewerFormat` when a later version wrote it.
    pub fn open(bytes: Bytes, id: SegmentId, part: u32) -> Result<Self> {
        Ok(Graph { object: ObjectFile::open(bytes, Role::Graph, id)?, part, layout: OnceLock::new(), tuning: StoredTuning::default() })
    }

    /// Gives the graph over some nodes; the first call checks the bytes.
    ///
    /// # Errors
    /// `Corrupt` when they are damaged or of another number of nodes, `NewerFormat` when a later version wrote them.
    pub fn view(&self, nodes: &Nodes) -> Result<GraphView<'_>> {
        let (bytes, shape) = match self.layout.get() {
            Some(layout) => layout,
            None => {
                let bytes = self.object.required(TAG_GRAPH, self.part)?;
                let shape = GraphShape::parse(&bytes, nodes.count() as usize)
                    .map_err(|error| layout_error("graph", &error).with_object(self.object.id().to_string()))?;
                self.layout.get_or_init(|| (bytes, shape))
            }
        };
        Ok(shape.view(bytes))
    }

    /// Gives what was measured when the graph was built; `None` for a graph of before that was stored.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged.
    pub fn tuning(&self) -> Result<Option<&Tuning>> {
        self.tuning.get(&self.object, self.part)
    }

    /// Gives the container, for reading everything in it.
    #[must_use]
    pub fn object(&self) -> &ObjectFile {
        &self.object
    }

    /// Gives the number of stored bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.object.bytes_of(TAG_GRAPH)
    }
}

/// How a graph is built: the same parameters (with their seed) give the same bytes on any machine and any number of threads.
#[derive(Clone, Copy)]
pub struct GraphBuild<'a> {
    /// Degrees, effort and seed.
    pub params: &'a Params,
    /// The kernels to compare codes with.
    pub kernels: &'a Kernels,
    /// Runs the jobs.
    pub executor: &'a dyn Executor,
    /// Told how far the build is; `false` stops it.
    pub progress: Progress<'a>,
}

impl std::fmt::Debug for GraphBuild<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GraphBuild").field("params", self.params).field("kernels", self.kernels).finish_non_exhaustive()
    }
}

/// Builds the graph object of a vector part over the segment's codes.
///
/// # Errors
/// `Interrupted` when `progress` said stop, `InvalidInput` when the parameters are out of range, `Corrupt` when the codes are damaged,
/// `NotFound` when no row has the vector.
pub fn build_graph(segment: &Segment, part: u32, id: SegmentId, build: GraphBuild<'_>) -> Result<(ObjectMeta, Vec<u8>)> {
    let codes = codes_of(segment, part)?.nodes()?.view()?;
    let graph = hnsw::build(build.kernels, &codes, build.params, build.executor, build.progress).map_err(build_error)?;
    finished(Role::Graph, part, id, encode(id, part, &graph))
}

/// A segment whose graph goes into a merge.
#[derive(Debug, Clone, Copy)]
pub struct MergeInput<'a> {
    /// The segment.
    pub segment: &'a Segment,
    /// For each of its rows the row in the merged segment, or [`REMOVED`].
    pub row_map: &'a [u32],
}

/// Builds the graph object of a merged segment from the graphs of segments that went into it: nodes that stay keep what is good of their
/// neighbours, rows of no input are inserted.
///
/// # Errors
/// Like [`build_graph`]; `NotFound` also when an input has no graph, `Internal` when a map is not of the rows of its segment.
pub fn merge_graphs(
    inputs: &[MergeInput<'_>],
    segment: &Segment,
    part: u32,
    id: SegmentId,
    build: GraphBuild<'_>,
) -> Result<(ObjectMeta, Vec<u8>)> {
    let new = codes_of(segment, part)?.nodes()?;
    let node_maps: Vec<Vec<u32>> = inputs.iter().map(|input| node_map(input, part, new)).collect::<Result<_>>()?;
    let mut sources = Vec::with_capacity(inputs.len());
    for (input, map) in inputs.iter().zip(&node_maps) {
        let graph = input.segment.graph(part).ok_or_else(|| missing("graph", input.segment, part))?;
        sources.push(Source { graph: graph.view(codes_of(input.segment, part)?.nodes()?)?, map });
    }
    let GraphBuild { params, kernels, executor, progress } = build;
    let graph = hnsw::merge(kernels, &sources, &new.view()?, params, executor, progress).map_err(build_error)?;
    finished(Role::Graph, part, id, encode(id, part, &graph))
}

/// Says which node of a merged segment each node of an input is.
fn node_map(input: &MergeInput<'_>, part: u32, new: &Nodes) -> Result<Vec<u32>> {
    let MergeInput { segment, row_map } = input;
    if row_map.len() != segment.rows() as usize {
        return Err(Error::internal("the map of a merge is of other rows").with_expected(segment.rows(), row_map.len()));
    }
    let old = codes_of(segment, part)?.nodes()?;
    let map = (0..old.count()).map(|node| match row_map[old.row(node) as usize] {
        REMOVED => REMOVED,
        row => new.node_of(row).unwrap_or(REMOVED),
    });
    Ok(map.collect())
}

fn codes_of(segment: &Segment, part: u32) -> Result<&Codes> {
    segment.codes(part).ok_or_else(|| missing("codes", segment, part))
}

fn missing(what: &str, segment: &Segment, part: u32) -> Error {
    Error::not_found(format!("segment {} has no {what} of part {part}", segment.meta().id))
}

fn build_error(error: BuildError) -> Error {
    match error {
        BuildError::Cancelled => Error::new(ErrorKind::Interrupted, "building the graph was stopped"),
        BuildError::Invalid(_) => Error::invalid(error.to_string()),
    }
}
