//! Rows of a file of vectors, with ids and payloads from files beside it.

use super::{BATCH_BYTES, RowBatch, RowSource};
use crate::exit::{Failure, usage};
use crate::input::{IdFile, PayloadLines, VectorElement, VectorFile, open_text};
use engine::batch::{BadRow, VectorBlock};
use engine::{Batch, PointId, Schema};
use index::Datatype;
use platform::fs::FileSystem;
use std::path::Path;
use std::sync::Arc;

/// Which files, which rows of them, and which vector they are.
pub(in crate::commands) struct VectorInput<'a> {
    pub vectors: &'a Path,
    pub ids: Option<&'a Path>,
    pub payload: Option<&'a Path>,
    /// The named vector; the only one of the collection when not given.
    pub using: Option<&'a str>,
    pub from_row: u64,
    /// Rows at once.
    pub batch: usize,
}

/// The rows of a file of vectors.
pub(in crate::commands) struct VectorBatches {
    schema: Arc<Schema>,
    part: usize,
    vectors: VectorFile,
    ids: Option<IdFile>,
    payload: Option<PayloadLines>,
    first: u64,
    next: u64,
    batch: usize,
}

/// Finds the vector that a command means.
pub(in crate::commands) fn part_of(schema: &Schema, using: Option<&str>) -> Result<usize, Failure> {
    match using {
        Some(name) => schema.part(name),
        None if schema.vectors.len() == 1 => Ok(1),
        None => {
            let names: Vec<&str> = schema.vectors.iter().map(|vector| vector.name.as_str()).collect();
            let hint = format!("give --using with one of {}", names.join(", "));
            Err(usage("the collection has several vectors, and the command does not say which one is meant").with_hint(hint))
        }
    }
}

impl VectorBatches {
    /// Opens the files and checks that they fit each other and the collection.
    pub fn open(fs: &dyn FileSystem, schema: &Arc<Schema>, input: &VectorInput<'_>) -> Result<Self, Failure> {
        let part = part_of(schema, input.using)?;
        let vectors = VectorFile::open(fs, input.vectors)?;
        let dim = schema.vector(part).dim as usize;
        if vectors.dim() != dim {
            let name = &schema.vector(part).name;
            let which = if name.is_empty() { "the collection".to_owned() } else { format!("vector \"{name}\"") };
            let message = format!("row 0: the vectors of the file have another dimension than {which}");
            return Err(Failure::invalid(message).with_file(input.vectors).with_expected(dim, vectors.dim()));
        }
        if input.from_row > vectors.rows() {
            let failure = Failure::invalid("--from-row lies behind the last row").with_file(input.vectors);
            return Err(failure.with_expected(format!("at most {}", vectors.rows()), input.from_row));
        }
        let ids = input.ids.map(|path| IdFile::open(fs, path)).transpose()?;
        if let Some(ids) = ids.as_ref().filter(|ids| ids.rows() != vectors.rows()) {
            let failure = Failure::invalid("ids and vectors are not as many").with_file(input.ids.unwrap_or(input.vectors));
            return Err(failure.with_expected(format!("{} ids", vectors.rows()), ids.rows()));
        }
        let mut payload = None;
        if let Some(path) = input.payload {
            let mut lines = PayloadLines::new(open_text(fs, path)?, &path.display().to_string());
            lines.skip_rows(input.from_row)?;
            payload = Some(lines);
        }
        let most = (BATCH_BYTES / schema.vector(part).bytes_per_vector().max(dim * vectors.element().size())).max(1);
        let batch = input.batch.min(most);
        Ok(Self { schema: schema.clone(), part, vectors, ids, payload, first: input.from_row, next: input.from_row, batch })
    }

    fn datatype(&self) -> Datatype {
        match self.vectors.element() {
            VectorElement::F32 => Datatype::F32,
            VectorElement::F16 => Datatype::F16,
            VectorElement::U8 => Datatype::U8,
        }
    }

    /// Reads payloads of up to `rows` rows, fewer when they are large.
    fn payloads(&mut self, rows: usize) -> Result<Vec<Option<String>>, Failure> {
        let Some(lines) = &mut self.payload else { return Ok(Vec::new()) };
        let mut bytes = 0;
        let mut payloads = Vec::with_capacity(rows);
        while payloads.len() < rows && bytes < BATCH_BYTES / 2 {
            let payload = lines.next_row()?;
            bytes += payload.as_ref().map_or(0, String::len);
            payloads.push(payload);
        }
        Ok(payloads)
    }

    fn at_row(&self, first: u64, bad: BadRow) -> Failure {
        let row = first + bad.row as u64;
        let message = format!("row {row}: {}", bad.error.message);
        Failure { message, ..bad.error }.with_file(Path::new(self.vectors.name()))
    }
}

impl RowSource for VectorBatches {
    fn next_batch(&mut self) -> Result<Option<RowBatch>, Failure> {
        let first = self.next;
        let left = self.vectors.rows() - first;
        if left == 0 {
            return self.payload.take().map_or(Ok(()), PayloadLines::finish).map(|()| None);
        }
        let mut rows = usize::try_from(left).unwrap_or(usize::MAX).min(self.batch);
        let payloads = self.payloads(rows)?;
        if self.payload.is_some() {
            rows = payloads.len();
        }
        let read = self.vectors.read_rows(first, rows)?;
        let ids = match &self.ids {
            Some(ids) => ids.read_rows(first, rows)?,
            None => (first..first + rows as u64).map(PointId::Number).collect(),
        };
        let block = VectorBlock { part: self.part, datatype: self.datatype(), dim: self.vectors.dim(), bytes: read.bytes() };
        let mut batch = Batch::new(&self.schema);
        batch.push_block(&self.schema, &ids, block, payloads).map_err(|bad| self.at_row(first, bad))?;
        if let Some(bad) = batch.repeated() {
            return Err(self.at_row(first, bad));
        }
        self.next += rows as u64;
        Ok(Some(RowBatch { first, batch }))
    }

    fn total(&self) -> Option<u64> {
        Some(self.vectors.rows() - self.next)
    }

    fn first_row(&self) -> u64 {
        self.first
    }
}
