//! Generated vectors in the forms that the pure index takes: stored rows, codes, a graph, and true neighbours.

use index::hnsw::{self, Params};
use index::{CodeParams, CodesBuf, Datatype, Kernels, Metric, flat};
use std::thread;
use vectra_cli::generate::Generator;

/// Seed of all generated vectors.
const SEED: u64 = 20_231_027;
/// Rows that the range of the codes is chosen from.
const SAMPLE: usize = 5_000;

/// Vectors that share their clusters; `part` tells points (0) from queries (1).
#[must_use]
pub fn vectors(part: u64, count: usize, dims: usize) -> Vec<Vec<f32>> {
    let mut generator = Generator::new(SEED, part, dims);
    let next = |_| {
        let mut vector = Vec::new();
        generator.vector(&mut vector);
        vector
    };
    (0..count).map(next).collect()
}

/// Rows as a log stores them.
#[derive(Debug)]
pub struct Rows {
    /// How two rows are compared.
    pub metric: Metric,
    /// How a number is stored.
    pub datatype: Datatype,
    bytes: Vec<u8>,
    row_size: usize,
}

impl Rows {
    /// Stores vectors, which are all of one dimension.
    #[must_use]
    pub fn store(metric: Metric, datatype: Datatype, vectors: &[Vec<f32>]) -> Self {
        let mut bytes = Vec::new();
        vectors.iter().for_each(|vector| datatype.encode(vector, &mut bytes));
        let row_size = vectors.first().map_or(0, |vector| vector.len() * datatype.bytes_per_dim());
        assert_eq!(bytes.len(), row_size * vectors.len(), "vectors of one dimension");
        Rows { metric, datatype, bytes, row_size }
    }

    /// The same rows over and over, `count` in all: a set of any size at the price of a small one.
    #[must_use]
    pub fn repeated(&self, count: usize) -> Self {
        let bytes = self.bytes.iter().copied().cycle().take(count * self.row_size).collect();
        Rows { bytes, ..*self }
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.row_size)
    }

    /// One row.
    #[must_use]
    pub fn row(&self, id: u32) -> &[u8] {
        &self.bytes[id as usize * self.row_size..][..self.row_size]
    }

    /// The codes of all rows.
    #[must_use]
    pub fn codes(&self) -> CodesBuf {
        let sample: Vec<&[u8]> = self.iter().take(SAMPLE).collect();
        let params = CodeParams::train(self.metric, self.datatype, &sample);
        let mut codes = CodesBuf::new(params, self.row_size / self.datatype.bytes_per_dim());
        self.iter().for_each(|row| codes.push(row));
        codes
    }

    /// The `k` rows nearest to a query, nearest first, by comparing all.
    #[must_use]
    pub fn nearest(&self, kernels: &Kernels, query: &[f32], k: usize) -> Vec<u32> {
        let rows = self.iter().enumerate().map(|(id, row)| (id as u32, row));
        flat::search(kernels, self.metric, self.datatype, query, rows, k).into_iter().map(|(_, id)| id).collect()
    }
}

/// Builds a graph with the default parameters, on all processors.
///
/// # Panics
///
/// When the codes are more than a graph takes.
#[must_use]
pub fn graph(kernels: &Kernels, codes: &CodesBuf) -> Vec<u8> {
    let params = Params::default();
    hnsw::build(kernels, &codes.view(), &params, &Threads::all(), &|_, _| true).expect("default parameters and few rows")
}

/// Runs jobs on so many threads.
#[derive(Debug, Clone, Copy)]
pub struct Threads(pub usize);

impl Threads {
    /// As many threads as there are processors.
    #[must_use]
    pub fn all() -> Self {
        Threads(thread::available_parallelism().map_or(1, usize::from))
    }
}

impl hnsw::Executor for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let count = self.0;
        thread::scope(|scope| {
            for first in 0..count {
                scope.spawn(move || (first..jobs).step_by(count).for_each(job));
            }
        });
    }
}
