//! Puts the data of a measurement into a collection, as any user would.

use super::data::BenchData;
use crate::args::IndexSettings;
use crate::commands::ingest::{Manner, VectorBatches, VectorInput, Writing, ingest};
use crate::commands::session::Session;
use crate::commands::settle::{self, Deadline};
use crate::exit::Failure;
use crate::input::VectorElement;
use engine::collection::indexer::Goal;
use engine::collection::{Version, WriteOperation};
use engine::schema::Numbers;
use engine::{Batch, Collection, Point, PointId, Schema, VectorSchema};

/// Points in one write.
const BATCH: usize = 1_000;
/// One of so many points is overwritten with itself.
const OVERWRITE_EVERY: usize = 100;

/// What was built, and what that took.
pub(super) struct Built {
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub indexed_points: u64,
    pub tail_points: u64,
    pub segments: usize,
}

/// Imports, waits for the graphs, and overwrites 1% of the points with themselves.
pub(super) fn build(session: &Session<'_>, name: &str, data: &BenchData, settings: &IndexSettings) -> Result<Built, Failure> {
    let datatype = match data.vectors.element() {
        VectorElement::F32 => Numbers::F32,
        VectorElement::F16 => Numbers::F16,
        VectorElement::U8 => Numbers::U8,
    };
    let mut vector = VectorSchema::dense("", data.vectors.dim() as u32, data.distance, datatype);
    vector.index = settings.of_vector("").applied_to(&vector.index)?;
    session.change(|database| database.create_collection(name, &Schema { vectors: vec![vector], ..Schema::default() }))?;
    session.write(name, |_, collection| {
        let clock = &session.world.clock;
        let (started, cpu_started) = (clock.monotonic_micros(), clock.cpu_micros());
        let schema = collection.version().schema.clone();
        let input = VectorInput { vectors: &data.path, ids: None, payload: None, using: None, from_row: 0, batch: BATCH };
        let source = VectorBatches::open(&*session.world.fs, &schema, &input)?;
        ingest(session, collection, Box::new(source), Manner { writing: Writing::Points, sequence: None, announce: false })?;
        settle::steps(session, None, collection, Goal::Indexed, Deadline::default())?;
        let (micros, cpu_micros) = (clock.monotonic_micros() - started, clock.cpu_micros() - cpu_started);
        overwrite(collection, data)?;
        settle::steps(session, None, collection, Goal::Bounded, Deadline::default())?;
        let info = collection.version().info();
        Ok(Built {
            seconds: micros as f64 / 1e6,
            cpu_seconds: cpu_micros as f64 / 1e6,
            indexed_points: info.indexed_points,
            tail_points: info.tail_points,
            segments: info.segments.len(),
        })
    })
}

/// Gives the memory that segments and tail take now, without the vectors themselves, for a point.
pub(super) fn bytes_per_vec(version: &Version) -> f64 {
    let info = version.info();
    let memory: u64 = info.memory_bytes.iter().filter(|(section, _)| **section != "tail").map(|(_, bytes)| *bytes).sum();
    memory as f64 / info.points.max(1) as f64
}

fn overwrite(collection: &Collection, data: &BenchData) -> Result<(), Failure> {
    let schema = collection.version().schema.clone();
    let mut batch = Batch::new(&schema);
    for row in (0..data.vectors.rows()).step_by(OVERWRITE_EVERY) {
        let mut vector = Vec::new();
        data.vectors.read_rows(row, 1)?.row_f32(0, &mut vector);
        batch.push_point(&schema, &Point { id: PointId::Number(row), vectors: vec![(String::new(), vector)], payload: None })?;
        if batch.rows() == BATCH {
            collection.write(WriteOperation::Upsert(std::mem::replace(&mut batch, Batch::new(&schema))))?;
        }
    }
    if batch.rows() > 0 {
        collection.write(WriteOperation::Upsert(batch))?;
    }
    Ok(())
}
