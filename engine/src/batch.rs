//! A batch of points on its way into the log: validated against the schema, vectors in their stored form, and laid out as a record.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::ids::PointId;
use crate::log::payload_blocks;
use crate::log::record::{IDS_NUMBERS, IDS_TAGGED, ROW_HAS_POINT, ROW_REPLACES, RecordDraft, RecordKind, SectionKind};
use crate::payload::json::{Limits, minify_checked};
use crate::schema::{Schema, VectorSchema};

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
}

/// The vectors of one part of a batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartVectors {
    /// Which rows carry one.
    pub present: Vec<bool>,
    /// Those rows' vectors in stored form, without gaps.
    pub bytes: Vec<u8>,
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
        }
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

    fn push_point(&mut self, schema: &Schema, point: &Point) -> Result<()> {
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
        let sorted = self.ids.windows(2).all(|pair| pair[0] < pair[1]);
        let mut seen = BTreeSet::new();
        match self.ids.iter().position(|id| !sorted && !seen.insert(*id)) {
            None => Ok(()),
            Some(row) => Err(at_row(Error::invalid(format!("point {} stands in the batch twice", self.ids[row])), row)),
        }
    }

    /// Lays the batch out as a record.
    ///
    /// # Errors
    /// `InvalidInput` when it does not fit one.
    pub(crate) fn draft(&self) -> Result<RecordDraft> {
        let rows = self.ids.len();
        let mut draft = RecordDraft::new(RecordKind::Upsert, rows).client_sequence(self.client_sequence);
        add_ids(&mut draft, &self.ids);
        if self.flags.iter().any(|&flags| flags != ROW_HAS_POINT | ROW_REPLACES) {
            draft.section(SectionKind::RowFlags, 0, 0, rows, self.flags.clone());
        }
        for (index, part) in self.vectors.iter().enumerate() {
            let count = part.present.iter().filter(|&&p| p).count();
            let number = (index + 1) as u16;
            if count < rows {
                draft.section(SectionKind::Presence, number, 0, rows, bits(&part.present));
            }
            if count > 0 {
                draft.section(SectionKind::Vectors, number, 0, count, part.bytes.clone());
            }
        }
        payload_blocks::pack(&mut draft, &self.payloads.iter().map(Option::as_deref).collect::<Vec<_>>());
        draft.check_limits()?;
        Ok(draft)
    }
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
    check_vector(spec, vector)?;
    let mut out = Vec::new();
    if spec.stores_normalised() {
        let mut scaled = vector.to_vec();
        index::metric::normalise(&mut scaled);
        spec.datatype.datatype().encode(&scaled, &mut out);
    } else {
        spec.datatype.datatype().encode(vector, &mut out);
    }
    assert_eq!(out.len(), spec.bytes_per_vector(), "a stored vector has its length");
    Ok(out)
}

/// Checks dimension and numbers of a vector.
///
/// # Errors
/// `InvalidInput` on a wrong dimension, NaN, an infinity, or a number that the datatype cannot hold.
pub fn check_vector(spec: &VectorSchema, vector: &[f32]) -> Result<()> {
    if vector.len() != spec.dim as usize {
        return Err(Error::invalid(format!("vector \"{}\" has a wrong dimension", spec.name)).with_expected(spec.dim, vector.len()));
    }
    let fits = |v: f32| match spec.datatype {
        crate::schema::Numbers::F32 => v.is_finite(),
        crate::schema::Numbers::F16 => v.is_finite() && (spec.stores_normalised() || v.abs() <= 65_504.0),
        crate::schema::Numbers::U8 => (0.0..=255.0).contains(&v) && v.fract() == 0.0,
    };
    match vector.iter().position(|&v| !fits(v)) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(format!("vector \"{}\" has a number that cannot be stored at dimension {at}", spec.name))
            .with_expected(format!("a finite {} number", format!("{:?}", spec.datatype).to_lowercase()), vector[at])),
    }
}

/// Names the row of a batch in an error.
fn at_row(error: Error, row: usize) -> Error {
    let message = format!("row {row} of the batch: {}", error.message);
    Error { message, ..error }
}
