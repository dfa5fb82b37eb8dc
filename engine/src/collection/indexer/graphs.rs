//! Makes the indexes of a segment's vectors what the schema asks for: builds what is missing, builds anew what was built otherwise, and
//! drops what is not wanted.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use index::hnsw::{Executor, Params};

use super::super::Collection;
use super::super::merge;
use super::super::version::{OpenSegment, Version};
use super::Progress;
use super::rows::Base;
use super::sampling::{self, Measured, Subject};
use crate::error::Result;
use crate::object_file::Role;
use crate::schema::{IndexKind, IndexParams, Schema};
use crate::segment::{GraphBuild, MergeInput, ObjectMeta, Segment, Tuning, add_tuning, build_graph, merge_graphs};

/// The most effort that a build is given when it finds too little.
const EF_CONSTRUCTION_MAX: u32 = 1024;

/// What an index is built for, from and with.
#[derive(Clone, Copy)]
pub(super) struct Building<'a> {
    /// Gives schema and vectors.
    pub version: &'a Version,
    /// The segments that were merged; none where a segment gets its first index.
    pub inputs: &'a [Arc<OpenSegment>],
    /// The graphs to go on with.
    pub bases: &'a [Base],
    /// Runs the jobs.
    pub executor: &'a dyn Executor,
    /// Told how far the build is.
    pub progress: Progress<'a>,
}

/// Turns a schema's index parameters into those of a build.
fn hnsw_params(params: &IndexParams) -> Params {
    Params { m: params.m, m0: 2 * params.m, ef_construction: params.ef_construction, seed: params.seed }
}

/// Counts the rows that have a vector, dead ones included; damaged codes count as none, and say so when they are searched.
pub(super) fn nodes_of(segment: &Segment, part: usize) -> u64 {
    segment.codes(part as u32).and_then(|codes| codes.nodes().ok()).map_or(0, |nodes| u64::from(nodes.count()))
}

/// Says whether any vector has an index that is worth background work.
pub(super) fn wants_graph(schema: &Schema) -> bool {
    schema.vectors.iter().any(|vector| vector.index.kind != IndexKind::Flat)
}

/// Says whether a part of a segment is large enough for an index of its kind.
fn wants_graph_of(segment: &Segment, schema: &Schema, part: usize) -> bool {
    schema.vector(part).index.kind != IndexKind::Flat && nodes_of(segment, part) >= merge::GRAPH_ROWS_MIN
}

/// Says whether a part of a segment has the index that the schema asks for, built as it says, and no other.
pub(super) fn is_current(segment: &Segment, schema: &Schema, part: usize) -> bool {
    let params = &schema.vector(part).index;
    match (segment.graph(part as u32).is_some(), segment.lists(part as u32).is_some()) {
        (false, false) => !wants_graph_of(segment, schema, part),
        (_, true) => params.kind == IndexKind::Ivf,
        (true, false) => params.kind == IndexKind::Hnsw && is_built_as(segment, part, params),
    }
}

/// Says whether the graph of a part was built with these parameters, as far as it tells. One that is damaged says so when it is searched.
fn is_built_as(segment: &Segment, part: usize, params: &IndexParams) -> bool {
    let (Some(graph), Some(codes)) = (segment.graph(part as u32), segment.codes(part as u32)) else { return false };
    let Ok(view) = codes.nodes().and_then(|nodes| graph.view(nodes)) else { return true };
    let asked = hnsw_params(params);
    let degrees = (view.capacity(0), view.capacity(1)) == (asked.m0 as usize, asked.m as usize);
    let effort = segment.tuning(part as u32).is_none_or(|tuning| tuning.ef_construction >= params.ef_construction);
    degrees && effort
}

impl Version {
    /// Says whether an index was built otherwise than the schema asks for. It answers rightly; the background steps build it anew.
    #[must_use]
    pub fn has_other_indexes(&self) -> bool {
        (1..self.schema.parts()).any(|part| self.differs(part))
    }

    /// Says whether an index of a part was built otherwise than the schema asks for.
    pub(in crate::collection) fn differs(&self, part: usize) -> bool {
        let mut segments = self.segments.iter().map(|open| &open.segment);
        segments.any(|segment| segment.is_indexed(part as u32) && !is_current(segment, &self.schema, part))
    }
}

/// An object that was built, with what was measured of it, and the segment with it.
pub(super) struct Built {
    pub object: (ObjectMeta, Vec<u8>),
    pub segment: Segment,
}

impl Collection {
    /// Gives a segment the indexes that the schema asks for, measured on a sample and stored. Everything else of it stays.
    pub(super) fn with_indexes(&self, segment: &Segment, building: Building<'_>) -> Result<Segment> {
        let schema = &building.version.schema;
        let mut next = segment.clone();
        for part in 1..schema.parts() {
            if is_current(&next, schema, part) {
                continue;
            }
            next = next.without_index(part as u32);
            if wants_graph_of(&next, schema, part) {
                let began = self.world.clock.monotonic_micros();
                let built = match schema.vector(part).index.kind {
                    IndexKind::Ivf => self.build_measured_lists(&next, part, building)?,
                    IndexKind::Hnsw | IndexKind::Flat => self.build_measured(&next, part, building)?,
                };
                self.timings.builds.count(self.world.clock.monotonic_micros().saturating_sub(began));
                self.store_objects(&[built.object])?;
                next = built.segment;
            }
        }
        // What was built is read from its file from here on, like after a restart.
        let indexes = next.meta().objects.iter().filter(|object| matches!(object.role, Role::Graph | Role::Ivf));
        let mapped = indexes
            .map(|object| Ok((object.clone(), super::super::open::map_object(&*self.world.fs, &self.dir, object.id, object.bytes)?)))
            .collect::<Result<Vec<_>>>()?;
        if mapped.is_empty() { Ok(next) } else { next.with_graphs(mapped) }
    }

    /// Builds the graph of a part. One that lost recall is built anew, and with more effort, before anybody sees it.
    fn build_measured(&self, segment: &Segment, part: usize, building: Building<'_>) -> Result<Built> {
        let Building { version, inputs, bases, executor, progress } = building;
        let mut params = version.schema.vector(part).index.clone();
        let mut bases = usable(bases, segment, part, &params);
        loop {
            let id = self.draw_id();
            let build = GraphBuild {
                params: &hnsw_params(&params),
                kernels: self.kernels,
                executor,
                progress: &|done, all| progress(done as u64, all as u64),
            };
            let (object, bytes) = match &bases[..] {
                [] => build_graph(segment, part as u32, id, build)?,
                bases => merge_graphs(bases, segment, part as u32, id, build)?,
            };
            let candidate = segment.with_graphs(vec![(object.clone(), bytes::Bytes::from(bytes.clone()))])?;
            let measured = sampling::measure(Subject { kernels: self.kernels, version, segment: &candidate, part }, executor)?;
            let good = match &bases[..] {
                [] => measured.is_good() || params.ef_construction >= EF_CONSTRUCTION_MAX,
                _ => measured.is_good() && measured.keeps_recall_of(&tunings(inputs, part), nodes_of(segment, part)),
            };
            if good {
                let tuning = tuning_of(&candidate, part, &params, measured)?;
                let object = add_tuning(&object, bytes, &tuning)?;
                let segment = segment.with_graphs(vec![(object.0.clone(), bytes::Bytes::from(object.1.clone()))])?;
                return Ok(Built { object, segment });
            }
            if std::mem::take(&mut bases).is_empty() {
                params.ef_construction *= 2;
            }
        }
    }
}

/// Gives the bases that have the graph of a part as the schema asks for it; none when they hold less than half of the rows, because
/// inserting so many costs as much as a build.
fn usable<'a>(bases: &'a [Base], segment: &Segment, part: usize, params: &IndexParams) -> Vec<MergeInput<'a>> {
    let fits = |base: &&Base| is_built_as(&base.open.segment, part, params);
    let held: usize = bases.iter().filter(fits).map(|base| base.kept).sum();
    let input = |base: &'a Base| MergeInput { segment: &base.open.segment, row_map: &base.row_map };
    if held as u64 * 2 < u64::from(segment.rows()) { Vec::new() } else { bases.iter().filter(fits).map(input).collect() }
}

/// Gathers what was measured of the indexes that were merged, with their rows; older graphs say nothing.
pub(super) fn tunings(inputs: &[Arc<OpenSegment>], part: usize) -> Vec<(Tuning, u64)> {
    let tuning = |open: &Arc<OpenSegment>| {
        let tuning = open.segment.tuning(part as u32)?;
        Some((tuning.clone(), nodes_of(&open.segment, part)))
    };
    inputs.iter().filter_map(tuning).collect()
}

fn tuning_of(segment: &Segment, part: usize, params: &IndexParams, measured: Measured) -> Result<Tuning> {
    let (Some(graph), Some(codes)) = (segment.graph(part as u32), segment.codes(part as u32)) else {
        return Err(crate::error::Error::internal("a graph that was just built is not there"));
    };
    let view = graph.view(codes.nodes()?)?;
    let edges = (0..view.node_count()).map(|node| view.neighbours(node, 0).count() as u64).sum();
    let Measured { curve, samples, top, .. } = measured;
    Ok(Tuning { ef_construction: params.ef_construction, seed: params.seed, edges, samples, top, curve })
}
