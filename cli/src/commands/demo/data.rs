//! The data of a demo: real embeddings that come with the program, or generated ones; and the change of 1% of them.

use crate::exit::Failure;
use crate::generate::Generator;
use crate::input::VectorFile;
use crate::output::{Output, Unit};
use engine::ErrorKind;
use platform::World;
use platform::fs::{File, OpenMode, write_file_durably};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const VECTORS: &[u8] = include_bytes!("../../../demo/vectors.npy");
const PAYLOAD: &[u8] = include_bytes!("../../../demo/payload.jsonl.gz");
const QUERIES: &[u8] = include_bytes!("../../../demo/queries.npy");

/// Seed of generated points.
const SEED: u64 = 20_231_027;
/// Generated queries.
const GENERATED_QUERIES: u64 = 50;
/// Bytes collected before they are written.
const CHUNK: usize = 4 << 20;
/// One of so many points is changed.
const CHANGE_EVERY: u64 = 100;
/// Points deleted.
const DELETED: u64 = 10;

/// Files to import and to search with.
pub(super) struct DemoData {
    place: PathBuf,
    vectors: String,
    payload: String,
    queries: String,
    /// A payload field that every point has.
    key: &'static str,
    pub points: u64,
    pub dim: usize,
}

/// A change of some points, as files to import and ids to delete.
pub(super) struct Change {
    pub vectors: String,
    pub ids: String,
    pub payload: String,
    pub deleted: String,
    /// Points that there are afterwards.
    pub points_after: u64,
}

impl DemoData {
    /// Writes the points that come with the program.
    pub fn unpack(world: &World, place: &Path) -> Result<Self, Failure> {
        let files = [("vectors.npy", VECTORS), ("payload.jsonl.gz", PAYLOAD), ("queries.npy", QUERIES)];
        files.iter().try_for_each(|(name, bytes)| write_file_durably(&*world.fs, &place.join(name), bytes))?;
        Self::open(world, place, files.map(|(name, _)| name), "name")
    }

    /// Generates points.
    pub fn generate(world: &World, out: &Output, place: &Path, points: u64, dim: usize) -> Result<Self, Failure> {
        check_space(world, place, points, dim)?;
        let progress = out.progress("generate", Some(points), Unit::Points);
        let (mut vectors, mut payload) =
            (Writer::create(world, &place.join("vectors.npy"))?, Writer::create(world, &place.join("payload.jsonl"))?);
        vectors.put(&npy_header("<f4", &format!("({points}, {dim})")))?;
        let (mut generator, mut vector) = (Generator::new(SEED, 0, dim), Vec::new());
        for row in 0..points {
            generator.vector(&mut vector);
            vector.iter().try_for_each(|number| vectors.put(&number.to_le_bytes()))?;
            payload.put(Generator::payload(row).as_bytes())?;
            payload.put(b"\n")?;
            if row.is_multiple_of(10_000) {
                progress.set(row);
                if platform::process::interrupted() {
                    return Err(Failure::new(ErrorKind::Interrupted, "interrupted while points were generated"));
                }
            }
        }
        vectors.finish()?;
        payload.finish()?;
        let mut queries = Writer::create(world, &place.join("queries.npy"))?;
        queries.put(&npy_header("<f4", &format!("({GENERATED_QUERIES}, {dim})")))?;
        let mut generator = Generator::new(SEED, 1, dim);
        for _ in 0..GENERATED_QUERIES {
            generator.vector(&mut vector);
            vector.iter().try_for_each(|number| queries.put(&number.to_le_bytes()))?;
        }
        queries.finish()?;
        Self::open(world, place, ["vectors.npy", "payload.jsonl", "queries.npy"], "sku")
    }

    fn open(world: &World, place: &Path, names: [&str; 3], key: &'static str) -> Result<Self, Failure> {
        let [vectors, payload, queries] = names.map(|name| place.join(name).display().to_string());
        let file = VectorFile::open(&*world.fs, Path::new(&vectors))?;
        Ok(Self { place: place.to_path_buf(), points: file.rows(), dim: file.dim(), vectors, payload, queries, key })
    }

    /// The file of vectors.
    pub fn vectors(&self) -> &str {
        &self.vectors
    }

    /// The file of payloads.
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// The file of queries.
    pub fn queries(&self) -> &str {
        &self.queries
    }

    /// Writes the files of a change: every hundredth point moves towards its neighbour in the file, and gets another payload.
    pub fn change(&self, world: &World) -> Result<Change, Failure> {
        let source = VectorFile::open(&*world.fs, Path::new(&self.vectors))?;
        let rows: Vec<u64> = (0..self.points - 1).step_by(CHANGE_EVERY as usize).collect();
        let path = |name: &str| self.place.join(name);
        let mut vectors = Writer::create(world, &path("changed.npy"))?;
        vectors.put(&npy_header("<f4", &format!("({}, {})", rows.len(), self.dim)))?;
        let mut ids = npy_header("<u8", &format!("({},)", rows.len()));
        let mut payload = String::new();
        let (mut own, mut other) = (Vec::new(), Vec::new());
        for &row in &rows {
            let two = source.read_rows(row, 2)?;
            two.row_f32(0, &mut own);
            two.row_f32(1, &mut other);
            own.iter().zip(&other).try_for_each(|(own, other)| vectors.put(&(0.7 * own + 0.3 * other).to_le_bytes()))?;
            ids.extend_from_slice(&row.to_le_bytes());
            // Writing to a string cannot fail.
            let _ = writeln!(payload, "{{\"changed\":true,\"row\":{row}}}");
        }
        vectors.finish()?;
        write_file_durably(&*world.fs, &path("changed_ids.npy"), &ids)?;
        write_file_durably(&*world.fs, &path("changed.jsonl"), payload.as_bytes())?;
        let deleted: Vec<String> = (0..DELETED).map(|n| (n * self.points / DELETED + 1).to_string()).collect();
        let [vectors, ids, payload] = ["changed.npy", "changed_ids.npy", "changed.jsonl"].map(|name| path(name).display().to_string());
        Ok(Change { vectors, ids, payload, deleted: deleted.join(","), points_after: self.points - DELETED })
    }
}

/// A mistake that a person makes.
pub(super) struct Damage {
    /// Ids that give the second half of the vectors to the points of the first.
    pub ids: String,
    /// The row that the second half begins at.
    pub from_row: String,
    /// Means the points that the overwriting left.
    pub filter: String,
}

impl DemoData {
    /// Writes the file of a mistake: one half of the points overwritten with the vectors of the other, and a filter for the rest.
    pub fn damage(&self, world: &World) -> Result<Damage, Failure> {
        let path = self.place.join("wrong_ids.npy");
        let mut ids = npy_header("<u8", &format!("({},)", self.points));
        (0..self.points).rev().for_each(|id| ids.extend_from_slice(&id.to_le_bytes()));
        write_file_durably(&*world.fs, &path, &ids)?;
        let filter = format!("{{\"must_not\":[{{\"is_empty\":{{\"key\":\"{}\"}}}}]}}", self.key);
        Ok(Damage { ids: path.display().to_string(), from_row: (self.points / 2).to_string(), filter })
    }
}

/// Says at once when the disk is too small for input, database, backup and restored collection.
fn check_space(world: &World, place: &Path, points: u64, dim: usize) -> Result<(), Failure> {
    let needed = points.saturating_mul(8 * (dim as u64 * 4 + 400));
    let free = world.fs.available_bytes(place)?;
    if free >= needed {
        return Ok(());
    }
    let failure = Failure::new(ErrorKind::NoSpace, "the disk is too small for a demo of this size").with_file(place);
    Err(failure
        .with_expected(format!("about {needed} bytes free"), format!("{free} bytes"))
        .with_hint("give a --data-dir on a larger disk"))
}

fn npy_header(element: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '{element}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&(text.len() as u16).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
    header
}

/// A new file that is written front to back.
struct Writer {
    file: Arc<dyn File>,
    at: u64,
    buffer: Vec<u8>,
}

impl Writer {
    fn create(world: &World, path: &Path) -> Result<Self, Failure> {
        Ok(Self { file: world.fs.open(path, OpenMode::CreateNew)?, at: 0, buffer: Vec::with_capacity(CHUNK) })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.file.write_all_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}
