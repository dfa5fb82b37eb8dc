//! Points from lines of JSON.

use super::{BATCH_BYTES, RowBatch, RowSource};
use crate::exit::Failure;
use crate::input::{LineVectors, PointLine, PointLines, open_text};
use engine::{Batch, Point, Schema};
use platform::fs::FileSystem;
use std::path::Path;
use std::sync::Arc;

/// The points of a file, or of stdin.
pub(in crate::commands) struct LineBatches {
    schema: Arc<Schema>,
    lines: PointLines,
    name: String,
    first: u64,
    next: u64,
    batch: usize,
}

impl LineBatches {
    /// Opens a file of lines and skips its first points.
    pub fn open(fs: &dyn FileSystem, schema: &Arc<Schema>, path: &Path, from_row: u64, batch: usize) -> Result<Self, Failure> {
        let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
        let mut lines = PointLines::new(open_text(fs, path)?, &name);
        lines.skip_points(from_row)?;
        Ok(Self { schema: schema.clone(), lines, name, first: from_row, next: from_row, batch })
    }

    /// Names the point as the engine knows it: an unnamed vector is the only one of the collection.
    fn point(&self, line: PointLine) -> Point {
        let vectors = match line.vectors {
            LineVectors::Named(vectors) => vectors,
            LineVectors::Unnamed(vector) => {
                let only = if let [only] = self.schema.vectors.as_slice() { only.name.clone() } else { String::new() };
                vec![(only, vector)]
            }
        };
        Point { id: line.id, vectors, payload: line.payload }
    }

    fn at_line(&self, line: u64, error: Failure) -> Failure {
        let message = format!("line {line}: {}", error.message);
        Failure { message, ..error }.with_file(Path::new(&self.name))
    }
}

impl RowSource for LineBatches {
    fn next_batch(&mut self) -> Result<Option<RowBatch>, Failure> {
        let first = self.next;
        let mut batch = Batch::new(&self.schema);
        let mut numbers = Vec::with_capacity(self.batch.min(4096));
        let mut bytes = 0;
        while batch.rows() < self.batch && bytes < BATCH_BYTES {
            let Some(line) = self.lines.next().transpose()? else { break };
            let number = line.line;
            let point = self.point(line);
            let numbers_of = point.vectors.iter().map(|(_, vector)| 4 * vector.len()).sum::<usize>();
            bytes += numbers_of + point.payload.as_ref().map_or(0, String::len);
            batch.push_point(&self.schema, &point).map_err(|error| self.at_line(number, error))?;
            numbers.push(number);
        }
        if let Some(bad) = batch.repeated() {
            return Err(self.at_line(numbers[bad.row], bad.error));
        }
        self.next += batch.rows() as u64;
        Ok((batch.rows() > 0).then_some(RowBatch { first, batch }))
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn first_row(&self) -> u64 {
        self.first
    }
}
