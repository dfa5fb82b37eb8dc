//! The data of a measurement: vectors, queries, their true neighbours, and the metric.

use crate::exit::Failure;
use crate::input::{NeighbourFile, VectorFile};
use engine::Distance;
use platform::World;
use std::path::{Path, PathBuf};

/// Neighbours that recall is measured by.
pub(super) const TOP: usize = 10;
/// The most queries that are read.
const QUERIES_MAX: u64 = 100_000;

/// Everything that was found in the folder.
pub(super) struct BenchData {
    pub path: PathBuf,
    pub vectors: VectorFile,
    pub distance: Distance,
    pub queries: Vec<Vec<f32>>,
    /// The rows nearest to each query, nearest first.
    pub truth: Vec<Vec<u64>>,
}

impl BenchData {
    /// Opens the files of a folder and checks that they fit each other.
    pub fn open(world: &World, folder: &Path) -> Result<Self, Failure> {
        let fs = &*world.fs;
        let metric = folder.join("metric");
        let text = platform::fs::read_file(fs, &metric)?;
        let distance = match text.trim_ascii() {
            b"ip" => Distance::Dot,
            b"l2" => Distance::Euclid,
            b"cos" => Distance::Cosine,
            other => {
                let got = String::from_utf8_lossy(&other[..other.len().min(40)]).into_owned();
                return Err(Failure::invalid("unknown metric").with_file(&metric).with_expected("ip, l2 or cos", format!("{got:?}")));
            }
        };
        let path = folder.join("vectors.npy");
        let vectors = VectorFile::open(fs, &path)?;
        let queries_at = folder.join("queries.npy");
        let query_file = VectorFile::open(fs, &queries_at)?;
        if query_file.dim() != vectors.dim() || query_file.rows() == 0 {
            let failure = Failure::invalid("the queries do not fit the vectors").with_file(&queries_at);
            let expected = format!("rows of {} numbers", vectors.dim());
            return Err(failure.with_expected(expected, format!("{} rows of {}", query_file.rows(), query_file.dim())));
        }
        let count = query_file.rows().min(QUERIES_MAX) as usize;
        let truth_at = folder.join("truth.npy");
        let truth_file = NeighbourFile::open(fs, &truth_at)?;
        if truth_file.rows() != query_file.rows() || truth_file.width() < TOP as u64 {
            let failure = Failure::invalid("the true neighbours do not fit the queries").with_file(&truth_at);
            let expected = format!("{} rows of at least {TOP}", query_file.rows());
            return Err(failure.with_expected(expected, format!("{} rows of {}", truth_file.rows(), truth_file.width())));
        }
        let rows = query_file.read_rows(0, count)?;
        let query = |row| {
            let mut query = Vec::new();
            rows.row_f32(row, &mut query);
            query
        };
        Ok(Self { path, vectors, distance, queries: (0..count).map(query).collect(), truth: truth_file.read_rows(0, count)? })
    }
}
