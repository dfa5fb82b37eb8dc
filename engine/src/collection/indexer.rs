//! The background steps: seals the tail into a flat segment, builds graphs, merges segments. Each step is whole or did not happen.

mod graphs;
mod lists;
pub(super) mod rows;
mod sampling;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use index::hnsw::Executor;

use super::Collection;
use super::cleaning::policy::Cleaning;
use super::merge::{self, SegmentSize, Work};
use super::publish::Covered;
use super::version::{OpenSegment, Version, vector_part};
use crate::error::{Error, Result};
use crate::schema::{IndexKind, Schema};
use crate::segment::{FlatInput, ObjectMeta, Segment, SegmentKind, SegmentMeta, build_flat, build_rows};
use graphs::{Building, wants_graph};
use rows::{Gathered, gather_segments, gather_tail};

/// How far a step has come: rows done and rows in all. Gives whether to go on.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) -> bool + Sync);

/// One background step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Turn the tail into a flat segment.
    Seal,
    /// Work on segments.
    Segments(Work),
    /// Give the space of dead rows in the log back.
    Clean(Cleaning),
}

/// How far background work should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Keep the tail within its bounds; what a writer needs while it writes.
    Bounded,
    /// Index what is sealed, and leave the tail as long as it is within its bounds; what a database does by itself while it is open.
    Sealed,
    /// Seal what is worth it and build every graph; what `import` and `optimize` wait for.
    Indexed,
}

/// Runs jobs on this many threads; with one, on the caller's.
#[derive(Debug, Clone, Copy)]
pub struct Threads(pub usize);

impl Executor for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        if self.0 <= 1 || jobs <= 1 {
            return (0..jobs).for_each(job);
        }
        let next = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.0.min(jobs) {
                scope.spawn(|| {
                    loop {
                        let taken = next.fetch_add(1, Ordering::Relaxed);
                        if taken >= jobs {
                            break;
                        }
                        job(taken);
                    }
                });
            }
        });
    }
}

/// Describes a segment to the policy; `live` counts the living rows of a part.
fn size_of(open: &OpenSegment, schema: &Schema, live: impl Fn(&Segment, u32) -> u32) -> SegmentSize {
    let segment = &open.segment;
    // A row lives as long as any of its parts.
    let live = (0..segment.parts()).map(|part| u64::from(live(segment, part))).max().unwrap_or(0);
    let is_current = (1..schema.parts()).all(|part| graphs::is_current(segment, schema, part));
    let has_graph = is_current && live >= merge::GRAPH_ROWS_MIN;
    // A graph or lists that nobody wants go whatever their size.
    let unwanted = |part: usize| {
        let (kind, part) = (schema.vector(part).index.kind, part as u32);
        segment.graph(part).is_some() && kind != IndexKind::Hnsw || segment.lists(part).is_some() && kind != IndexKind::Ivf
    };
    let index_stale = !is_current && live >= merge::GRAPH_ROWS_MIN || (1..schema.parts()).any(unwanted);
    let current = |field: &crate::schema::FieldSchema| {
        open.fields.iter().any(|index| index.path().to_string() == field.name && index.field_type() == field.field_type)
    };
    SegmentSize { rows: u64::from(segment.rows()), live, has_graph, index_stale, fields_current: schema.fields.iter().all(current) }
}

impl Collection {
    /// Says what the next background step towards a goal is; `None` when there is nothing to do.
    #[must_use]
    pub fn next_step(&self, goal: Goal) -> Option<Step> {
        let version = self.version();
        let worth_sealing = goal == Goal::Indexed && version.tail_rows >= merge::GRAPH_ROWS_MIN;
        // Moves count once a manifest covers them.
        if self.tail_is_full() || worth_sealing || !version.moves.is_empty() {
            return Some(Step::Seal);
        }
        if goal != Goal::Bounded
            && let Some(step) = self.next_of_segments(&version)
        {
            return Some(step);
        }
        self.next_cleaning(goal)
    }

    /// Says what is to be done with segments.
    fn next_of_segments(&self, version: &Version) -> Option<Step> {
        let choose = |live: &dyn Fn(&Segment, u32) -> u32| {
            let sizes: Vec<_> = version.segments.iter().map(|open| size_of(open, &version.schema, live)).collect();
            merge::choose(&sizes, wants_graph(&version.schema))
        };
        choose(&|segment, part| segment.live(part))?;
        // Segments are written as of the covered position: what was deleted behind it stays in them, and would be chosen again and again.
        let work = choose(&|segment, part| segment.live_at(part, version.manifest.covered_lsn));
        Some(work.map_or(Step::Seal, Step::Segments))
    }

    /// Runs one background step.
    ///
    /// # Errors
    /// `NoSpace` or `Io` (nothing changed then), `Corrupt` when the log does not hold what was written, `Interrupted` when `progress` says
    /// stop, `Locked` on a reader.
    pub fn step(&self, step: &Step, executor: &dyn Executor, progress: Progress<'_>) -> Result<()> {
        let _one_at_a_time = self.maintenance.lock();
        match step {
            Step::Seal => self.seal(),
            Step::Segments(Work::Graph(at)) => self.add_graphs(*at, executor, progress),
            Step::Segments(Work::Merge(range)) => self.merge(range.clone(), executor, progress),
            Step::Segments(Work::Fields(at)) => self.index_fields(*at),
            Step::Clean(cleaning) => self.clean(cleaning),
        }
    }

    /// Seals the log file and turns the whole tail into a flat segment.
    fn seal(&self) -> Result<()> {
        let version = {
            let mut writer = self.writer()?.lock();
            self.roll(&mut writer)?;
            self.current.store(Arc::new(writer.version.clone()));
            writer.version.clone()
        };
        if version.lsn_end == version.manifest.covered_lsn {
            return Ok(());
        }
        let covered = Covered::of_version(&version)?;
        let mut gathered = gather_tail(&version)?;
        let mut segments = self.resolve_moves(&version, covered.lsn, &mut gathered)?;
        let range = version.tail.start..version.lsn_end;
        let new = self.build(&version, &gathered, range)?;
        segments.extend(new.clone());
        let manifest = self.publish_manifest(&version.manifest, &covered, &segments)?;
        self.switch(|current| {
            if let Some(new) = &new {
                gathered.carry_marks(&new.segment);
            }
            current.segments = Arc::new(segments);
            current.manifest = manifest;
            current.tail = Arc::new(current.tail.rest(covered.lsn));
            current.tail_end = current.tail.next_number();
            current.tail_last = Arc::default();
            Arc::make_mut(&mut current.moves).retain(|moves| moves.lsn >= covered.lsn);
            current.tail_rows = current.tail_records().map(|record| u64::from(record.rows())).sum();
        })
    }

    /// Builds and stores a flat segment of gathered rows; `None` when there are none.
    fn build(&self, version: &Version, gathered: &Gathered, range: std::ops::Range<u64>) -> Result<Option<Arc<OpenSegment>>> {
        if gathered.rows.is_empty() {
            return Ok(None);
        }
        let objects = build_flat(FlatInput {
            rows: gathered.rows.clone(),
            vectors: version.schema.vectors.iter().map(vector_part).collect(),
            source: &*version.log,
            fields: gathered.field_indexes(version)?,
            draw_id: &mut || self.draw_id(),
        })?;
        self.store_objects(&objects)?;
        let mut metas: Vec<ObjectMeta> = objects.into_iter().map(|(meta, _)| meta).collect();
        metas.sort_by_key(|meta| (meta.role, meta.part));
        let meta = SegmentMeta {
            id: self.draw_id(),
            kind: SegmentKind::Flat,
            from: range.start,
            to: range.end,
            rows: gathered.rows.len() as u32,
            objects: metas,
        };
        let segment = self.open_segment(meta, version.schema.parts() as u32)?;
        OpenSegment::new(segment).map(|open| Some(Arc::new(open)))
    }

    fn add_graphs(&self, at: usize, executor: &dyn Executor, progress: Progress<'_>) -> Result<()> {
        let version = self.version();
        let old = segment_at(&version, at)?;
        let building = Building { version: &version, inputs: &[], bases: &[], executor, progress };
        let segment = self.with_indexes(&old.segment, building)?;
        let mut segments = version.segments.to_vec();
        // Marks are shared between the two handles, so writes in between are not lost.
        segments[at] = Arc::new(old.with_segment(segment));
        let covered = Covered::of_manifest(&version.manifest);
        let manifest = self.publish_manifest(&version.manifest, &covered, &segments)?;
        self.switch(|current| {
            current.segments = Arc::new(segments);
            current.manifest = manifest;
        })
    }

    /// Makes one segment of several; rows that are dead at the covered position are left out.
    fn merge(&self, range: std::ops::Range<usize>, executor: &dyn Executor, progress: Progress<'_>) -> Result<()> {
        let version = self.version();
        let old: Vec<_> = range.clone().map(|at| segment_at(&version, at).cloned()).collect::<Result<_>>()?;
        let covered = Covered::of_manifest(&version.manifest);
        let gathered = gather_segments(&old, covered.lsn)?;
        let log_range = old.first().map_or(0, |s| s.segment.meta().from)..old.last().map_or(0, |s| s.segment.meta().to);
        let built = self.build(&version, &gathered, log_range)?;
        let new = match built {
            Some(open) if wants_graph(&version.schema) && gathered.rows.len() as u64 >= merge::GRAPH_ROWS_MIN => {
                let bases = gathered.bases();
                let building = Building { version: &version, inputs: &old, bases: &bases, executor, progress };
                let segment = self.with_indexes(&open.segment, building)?;
                Some(Arc::new(open.with_segment(segment)))
            }
            other => other,
        };
        let mut segments = version.segments.to_vec();
        segments.splice(range, new.clone());
        if let Some(new) = &new {
            gathered.carry_marks(&new.segment);
        }
        let manifest = self.publish_manifest(&version.manifest, &covered, &segments)?;
        self.switch(|current| {
            if let Some(new) = &new {
                gathered.carry_marks(&new.segment);
            }
            current.segments = Arc::new(segments);
            current.manifest = manifest;
        })
    }

    /// Replaces a segment's rows object by one with the field indexes of the schema; ids, codes and graphs stay.
    fn index_fields(&self, at: usize) -> Result<()> {
        let version = self.version();
        let old = segment_at(&version, at)?.clone();
        let gathered = rows::gather_all(&old)?;
        let fields = gathered.field_indexes(&version)?;
        let object = build_rows(self.draw_id(), &gathered.rows, version.schema.parts() as u32, &fields)?;
        let mut meta = old.segment.meta().clone();
        meta.objects.retain(|known| known.role != object.0.role);
        meta.objects.push(object.0.clone());
        meta.objects.sort_by_key(|meta| (meta.role, meta.part));
        self.store_objects(&[object])?;
        let new = Arc::new(OpenSegment::new(self.open_segment(meta, version.schema.parts() as u32)?)?);
        let mut segments = version.segments.to_vec();
        segments[at] = new.clone();
        gathered.carry_marks(&new.segment);
        let covered = Covered::of_manifest(&version.manifest);
        let manifest = self.publish_manifest(&version.manifest, &covered, &segments)?;
        self.switch(|current| {
            gathered.carry_marks(&new.segment);
            current.segments = Arc::new(segments);
            current.manifest = manifest;
        })
    }
}

fn segment_at(version: &Version, at: usize) -> Result<&Arc<OpenSegment>> {
    version.segments.get(at).ok_or_else(|| Error::internal(format!("the work was planned for segment {at} of {}", version.segments.len())))
}
