//! A batch of points on its way into the log: validated against the schema, vectors in their stored form, and laid out as a record.

use std::collections::BTreeSet;

use index::Datatype;

use crate::error::{Error, Result};
use crate::ids::PointId;
use crate::log::payload_blocks;
use crate::log::record::{IDS_NUMBERS, IDS_TAGGED, ROW_HAS_POINT, ROW_REPLACES, RecordDraft, RecordKind, SectionKind};
use crate::payload::json::{Limits, minify_checked};
use crate::schema::{Numbers, Schema, VectorSchema};

/// A point as a user gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its id.
    pub id: PointId,
    /// Its vectors by name.
    pub vectors: Vec<(String, Vec<f32>)>,
    /// Its payload as JSON text.
    pub payload: Option<String>,
}

/// A batch that was checked and can be logged.
#[derive(Debug, Clone)]
pub struct Batch {
    pub(crate) ids: Vec<PointId>,
    /// Row flags, one a row.
    pub(crate) flags: Vec<u8>,
    /// Vectors of part i at `vectors[i - 1]`.
    pub(crate) vectors: Vec<PartVectors>,
    /// Minified payload texts, one a row.
    pub(crate) payloads: Vec<Option<String>>,
    pub(crate) client_sequence: u64,
    /// The record, once it was laid out; vectors and payloads are in it then and no longer above.
    laid_out: Option<RecordDraft>,
}

/// The vectors of one part of a batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartVectors {
    /// Which rows carry one.
    pub present: Vec<bool>,
    /// Those rows' vectors in stored form, without gaps.
    pub bytes: Vec<u8>,
}

/// Rows of one vector as they lie in a file: packed, little-endian.
#[derive(Debug, Clone, Copy)]
pub struct VectorBlock<'a> {
    /// The part whose vectors they are.
    pub part: usize,
    /// How their numbers are written.
    pub datatype: Datatype,
    /// Dimensions of a row.
    pub dim: usize,
    /// The rows, without gaps.
    pub bytes: &'a [u8],
}

/// A row that a batch refused.
#[derive(Debug, Clone)]
pub struct BadRow {
    /// The row, counted from 0 in what was given.
    pub row: usize,
    /// What is wrong with it.
    pub error: Error,
}

impl From<BadRow> for Error {
    fn from(bad: BadRow) -> Self {
        at_row(bad.error, bad.row)
    }
}

impl Batch {
    /// Starts a batch for a schema.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        Batch {
            ids: Vec::new(),
            flags: Vec::new(),
            vectors: vec![PartVectors::default(); schema.vectors.len()],
            payloads: Vec::new(),
            client_sequence: 0,
            laid_out: None,
        }
    }

    /// Gives the batch the number that its writer counts with; a gap report says the largest that a restored state has.
    ///
    /// # Panics
    /// When the batch was laid out already.
    pub fn set_client_sequence(&mut self, sequence: u64) {
        assert!(self.laid_out.is_none(), "a batch is numbered before it is laid out");
        self.client_sequence = sequence;
    }

    /// Checks whole points and puts them into a batch.
    ///
    /// # Errors
    /// `InvalidInput` naming the row: NaN, infinities, a wrong dimension, an unknown vector name, a malformed payload, an id twice.
    pub fn of_points(schema: &Schema, points: &[Point]) -> Result<Self> {
        let mut batch = Batch::new(schema);
        for (row, point) in points.iter().enumerate() {
            batch.push_point(schema, point).map_err(|e| at_row(e, row))?;
        }
        batch.check_ids()?;
        Ok(batch)
    }

    /// Checks a whole point and adds it; a refused one leaves the batch as it was.
    ///
    /// # Errors
    /// `InvalidInput`: NaN, infinities, a wrong dimension, an unknown vector name, a malformed payload. Whether its id stands in the batch
    /// already is not looked at: see [`Batch::repeated`].
    pub fn push_point(&mut self, schema: &Schema, point: &Point) -> Result<()> {
        let mut by_part: Vec<Option<&[f32]>> = vec![None; schema.parts()];
        for (name, vector) in &point.vectors {
            let part = schema.part(name)?;
            if by_part[part].replace(vector).is_some() {
                return Err(Error::invalid(format!("vector \"{name}\" is given twice")));
            }
        }
        let payload = point.payload.as_deref().map(|text| minify_checked(text, &Limits::default())).transpose()?.flatten();
        self.push_row(schema, point.id, ROW_HAS_POINT | ROW_REPLACES, &by_part[1..], payload)
    }

    /// Adds a row whose payload was minified already.
    ///
    /// # Errors
    /// `InvalidInput` on a vector that does not fit the schema.
    pub fn push_row(&mut self, schema: &Schema, id: PointId, flags: u8, vectors: &[Option<&[f32]>], payload: Option<String>) -> Result<()> {
        assert_eq!(vectors.len(), schema.vectors.len(), "a row has a place for each vector");
        assert!(self.laid_out.is_none(), "no row is added to a record that was laid out");
        let mut stored: Vec<Option<Vec<u8>>> = Vec::with_capacity(vectors.len());
        for (vector, spec) in vectors.iter().zip(&schema.vectors) {
            stored.push(vector.map(|v| store_vector(spec, v)).transpose()?);
        }
        // Nothing was changed so far: a refused row leaves the batch as it was.
        for (part, bytes) in self.vectors.iter_mut().zip(stored) {
            part.present.push(bytes.is_some());
            part.bytes.extend_from_slice(&bytes.unwrap_or_default());
        }
        self.ids.push(id);
        self.flags.push(flags);
        self.payloads.push(payload);
        assert!(self.ids.len() == self.flags.len() && self.ids.len() == self.payloads.len(), "a batch is rectangular");
        Ok(())
    }

    /// Checks rows that carry one vector each and adds them as whole points; when one is refused, none is added.
    ///
    /// Payloads were minified already ([`minify_checked`]); an empty list gives none to any row.
    ///
    /// # Errors
    /// The first row with NaN, infinities, or a number that the schema's datatype cannot hold; row 0 when the dimension is wrong.
    ///
    /// # Panics
    /// When ids, payloads and bytes are not those of the same number of rows.
    pub fn push_block(
        &mut self,
        schema: &Schema,
        ids: &[PointId],
        block: VectorBlock<'_>,
        payloads: Vec<Option<String>>,
    ) -> std::result::Result<(), BadRow> {
        let spec = schema.vector(block.part);
        let rows = ids.len();
        assert!(self.laid_out.is_none(), "no row is added to a record that was laid out");
        assert_eq!(block.bytes.len(), rows * block.dim * block.datatype.bytes_per_dim(), "a block holds its rows");
        assert!(payloads.is_empty() || payloads.len() == rows, "a payload a row, or none at all");
        let bytes = &mut self.vectors[block.part - 1].bytes;
        let before = bytes.len();
        if let Err(bad) = store_block(spec, block, rows, bytes) {
            bytes.truncate(before);
            return Err(bad);
        }
        for (index, part) in self.vectors.iter_mut().enumerate() {
            part.present.resize(part.present.len() + rows, index + 1 == block.part);
        }
        self.ids.extend_from_slice(ids);
        self.flags.resize(self.ids.len(), ROW_HAS_POINT | ROW_REPLACES);
        self.payloads.extend(payloads);
        self.payloads.resize(self.ids.len(), None);
        assert!(self.ids.len() == self.flags.len() && self.ids.len() == self.payloads.len(), "a batch is rectangular");
        Ok(())
    }

    /// Gives the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Refuses an id that stands in the batch twice.
    ///
    /// # Errors
    /// `InvalidInput` with the row of the second.
    pub fn check_ids(&self) -> Result<()> {
        self.repeated().map_or(Ok(()), |bad| Err(bad.into()))
    }

    /// Finds the first row whose id an earlier row of the batch has.
    #[must_use]
    pub fn repeated(&self) -> Option<BadRow> {
        if self.ids.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let mut seen = BTreeSet::new();
        let row = self.ids.iter().position(|id| !seen.insert(*id))?;
        Some(BadRow { row, error: Error::invalid(format!("point {} stands in the batch twice", self.ids[row])) })
    }

    /// Lays the rows out as a record ahead of the write: vectors are put in place and payloads packed by the caller's thread, not by the one
    /// writer. No row can be added from then on, and the batch can only be written as whole points.
    ///
    /// # Errors
    /// `InvalidInput` when an id stands in it twice, or when it does not fit a record; the batch is of no use then.
    pub fn lay_out(&mut self) -> Result<()> {
        if self.laid_out.is_none() {
            self.check_ids()?;
            self.laid_out = Some(self.take_draft()?);
        }
        Ok(())
    }

    /// Keeps the rows that are marked, in their order.
    ///
    /// # Panics
    /// When there are not as many marks as rows, or the batch was laid out.
    pub(crate) fn retain(&mut self, schema: &Schema, keep: &[bool]) {
        assert!(self.laid_out.is_none(), "no row is taken out of a record that was laid out");
        assert_eq!(keep.len(), self.rows(), "a mark for each row");
        if keep.iter().all(|kept| *kept) {
            return;
        }
        for (part, spec) in self.vectors.iter_mut().zip(&schema.vectors) {
            let carrying = keep.iter().zip(&part.present).filter(|(_, present)| **present);
            let vectors = part.bytes.chunks_exact(spec.bytes_per_vector()).zip(carrying);
            part.bytes = vectors.filter(|(_, (kept, _))| **kept).flat_map(|(vector, _)| vector).copied().collect();
            retain_marked(&mut part.present, keep);
        }
        retain_marked(&mut self.ids, keep);
        retain_marked(&mut self.flags, keep);
        retain_marked(&mut self.payloads, keep);
        assert!(self.ids.len() == self.flags.len() && self.ids.len() == self.payloads.len(), "a batch is rectangular");
    }

    /// Gives the record of whole points.
    ///
    /// # Errors
    /// `InvalidInput` when it does not fit one.
    pub(crate) fn into_draft(mut self) -> Result<RecordDraft> {
        match self.laid_out.take() {
            Some(draft) => Ok(draft),
            None => self.take_draft(),
        }
    }

    /// Gives the record of the rows with the flags that they have now.
    ///
    /// # Errors
    /// `InvalidInput` when it does not fit one.
    ///
    /// # Panics
    /// When the batch was laid out: its flags may have changed since.
    pub(crate) fn draft(&self) -> Result<RecordDraft> {
        assert!(self.laid_out.is_none(), "only whole points are laid out ahead");
        self.clone().take_draft()
    }

    fn take_draft(&mut self) -> Result<RecordDraft> {
        let rows = self.ids.len();
        let mut draft = RecordDraft::new(RecordKind::Upsert, rows).client_sequence(self.client_sequence);
        add_ids(&mut draft, &self.ids);
        if self.flags.iter().any(|&flags| flags != ROW_HAS_POINT | ROW_REPLACES) {
            draft.section(SectionKind::RowFlags, 0, 0, rows, self.flags.clone());
        }
        for (index, part) in self.vectors.iter_mut().enumerate() {
            let count = part.present.iter().filter(|&&p| p).count();
            let number = (index + 1) as u16;
            if count < rows {
                draft.section(SectionKind::Presence, number, 0, rows, bits(&part.present));
            }
            if count > 0 {
                draft.section(SectionKind::Vectors, number, 0, count, std::mem::take(&mut part.bytes));
            }
        }
        let payloads = std::mem::take(&mut self.payloads);
        payload_blocks::pack(&mut draft, &payloads.iter().map(Option::as_deref).collect::<Vec<_>>());
        draft.check_limits()?;
        Ok(draft)
    }
}

fn retain_marked<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut marks = keep.iter();
    list.retain(|_| marks.next() == Some(&true));
}

/// Adds the id section of a record.
pub(crate) fn add_ids(draft: &mut RecordDraft, ids: &[PointId]) {
    let numbers: Option<Vec<u8>> = ids
        .iter()
        .map(|id| match id {
            PointId::Number(number) => Some(number.to_le_bytes()),
            PointId::Uuid(_) => None,
        })
        .collect::<Option<Vec<_>>>()
        .map(|all| all.concat());
    if let Some(bytes) = numbers {
        return draft.section(SectionKind::Ids, 0, IDS_NUMBERS, ids.len(), bytes);
    }
    let mut bytes = Vec::with_capacity(ids.len() * 17);
    for id in ids {
        match id {
            PointId::Number(number) => {
                bytes.push(0);
                bytes.extend_from_slice(&number.to_le_bytes());
                bytes.extend_from_slice(&[0; 8]);
            }
            PointId::Uuid(uuid) => {
                bytes.push(1);
                bytes.extend_from_slice(uuid);
            }
        }
    }
    draft.section(SectionKind::Ids, 0, IDS_TAGGED, ids.len(), bytes);
}

/// Packs booleans into bits, lowest first.
fn bits(values: &[bool]) -> Vec<u8> {
    let mut out = vec![0; values.len().div_ceil(8)];
    for (at, _) in values.iter().enumerate().filter(|(_, value)| **value) {
        out[at / 8] |= 1 << (at % 8);
    }
    out
}

/// Checks a vector and gives its stored form.
fn store_vector(spec: &VectorSchema, vector: &[f32]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    encode_checked(spec, &mut vector.to_vec(), &mut out)?;
    Ok(out)
}

/// Checks a vector and appends its stored form; the vector itself is scaled where the schema asks for that.
fn encode_checked(spec: &VectorSchema, vector: &mut [f32], out: &mut Vec<u8>) -> Result<()> {
    check_vector(spec, vector)?;
    let before = out.len();
    if spec.stores_normalised() {
        index::metric::normalise(vector);
    }
    spec.datatype.datatype().encode(vector, out);
    assert_eq!(out.len() - before, spec.bytes_per_vector(), "a stored vector has its length");
    Ok(())
}

/// Checks the rows of a block and appends their stored form.
fn store_block(spec: &VectorSchema, block: VectorBlock<'_>, rows: usize, out: &mut Vec<u8>) -> std::result::Result<(), BadRow> {
    let row_len = block.dim * block.datatype.bytes_per_dim();
    if block.dim == spec.dim as usize && is_stored_as_given(spec, block) {
        out.extend_from_slice(block.bytes);
        return Ok(());
    }
    out.reserve(rows * spec.bytes_per_vector());
    let mut vector = vec![0.0; block.dim];
    for row in 0..rows {
        block.datatype.decode(&block.bytes[row * row_len..][..row_len], &mut vector);
        encode_checked(spec, &mut vector, out).map_err(|error| BadRow { row, error })?;
    }
    Ok(())
}

/// Says whether the bytes of a block are those that are stored: the same datatype, no scaling, and every number finite.
fn is_stored_as_given(spec: &VectorSchema, block: VectorBlock<'_>) -> bool {
    if block.datatype != spec.datatype.datatype() || spec.stores_normalised() {
        return false;
    }
    // A float whose exponent is all ones is infinite or no number. No early end: the loop stays a few instructions a cache line.
    match block.datatype {
        Datatype::F32 => {
            let bytes = block.bytes.as_chunks::<4>().0;
            bytes.iter().fold(0, |bad, number| bad | u32::from(u32::from_le_bytes(*number) & 0x7f80_0000 == 0x7f80_0000)) == 0
        }
        Datatype::F16 => {
            let bytes = block.bytes.as_chunks::<2>().0;
            bytes.iter().fold(0, |bad, number| bad | u16::from(u16::from_le_bytes(*number) & 0x7c00 == 0x7c00)) == 0
        }
        Datatype::U8 => true,
    }
}

/// Checks dimension and numbers of a vector.
///
/// # Errors
/// `InvalidInput` on a wrong dimension, NaN, an infinity, or a number that the datatype cannot hold.
pub fn check_vector(spec: &VectorSchema, vector: &[f32]) -> Result<()> {
    check_numbers(spec, spec.datatype, vector)
}

/// Checks the vector of a query, which is compared as floats whatever is stored.
///
/// # Errors
/// `InvalidInput` on a wrong dimension, NaN or an infinity.
pub fn check_query(spec: &VectorSchema, vector: &[f32]) -> Result<()> {
    check_numbers(spec, Numbers::F32, vector)
}

fn check_numbers(spec: &VectorSchema, datatype: Numbers, vector: &[f32]) -> Result<()> {
    if vector.len() != spec.dim as usize {
        return Err(Error::invalid(format!("vector \"{}\" has a wrong dimension", spec.name)).with_expected(spec.dim, vector.len()));
    }
    // All at once first: without a way out of the loop compilers check several numbers together.
    if datatype == Numbers::F32 && vector.iter().fold(true, |all, v| all & v.is_finite()) {
        return Ok(());
    }
    let fits = |v: f32| match datatype {
        Numbers::F32 => v.is_finite(),
        Numbers::F16 => v.is_finite() && (spec.stores_normalised() || v.abs() <= 65_504.0),
        Numbers::U8 => (0.0..=255.0).contains(&v) && v.fract() == 0.0,
    };
    match vector.iter().position(|&v| !fits(v)) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(format!("vector \"{}\" has a number that cannot be stored at dimension {at}", spec.name))
            .with_expected(format!("a finite {} number", format!("{datatype:?}").to_lowercase()), vector[at])),
    }
}

/// Names the row of a batch in an error.
fn at_row(error: Error, row: usize) -> Error {
    let message = format!("row {row} of the batch: {}", error.message);
    Error { message, ..error }
}

#[cfg(test)]
mod tests;
