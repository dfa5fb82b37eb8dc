//! Files of vectors: `.npy`, `.fvecs`, `.bvecs` and `.fbin`, read in ranges of rows.

use super::npy::{Element, Header};
use super::{MAX_DIM, Source, bytes_of_rows};
use crate::exit::{Failure, usage};
use half::f16;
use platform::fs::FileSystem;
use std::path::Path;

/// The layout of a file of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// NumPy, two dimensions, C order.
    Npy,
    /// Each row: its dimension as 4 bytes, then floats.
    Fvecs,
    /// Each row: its dimension as 4 bytes, then bytes.
    Bvecs,
    /// Rows and dimension as 4 bytes each, then floats.
    Fbin,
}

impl Format {
    /// Tells the format from the end of a file's name.
    ///
    /// # Errors
    /// A usage failure naming the known ends.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npy") => Ok(Format::Npy),
            Some("fvecs") => Ok(Format::Fvecs),
            Some("bvecs") => Ok(Format::Bvecs),
            Some("fbin") => Ok(Format::Fbin),
            _ => {
                let failure = usage("the format of a file of vectors is told by the end of its name");
                Err(failure.with_file(path).with_expected(".npy, .fvecs, .bvecs or .fbin", format!("{:?}", path.display().to_string())))
            }
        }
    }
}

/// How a number of a vector is stored in the file, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorElement {
    /// A float of 4 bytes.
    F32,
    /// A float of 2 bytes.
    F16,
    /// A whole number of 1 byte.
    U8,
}

impl VectorElement {
    /// Bytes of one number.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            VectorElement::F32 => 4,
            VectorElement::F16 => 2,
            VectorElement::U8 => 1,
        }
    }
}

/// A file of vectors, all of one dimension.
#[derive(Debug, Clone)]
pub struct VectorFile {
    source: Source,
    element: VectorElement,
    dim: usize,
    rows: u64,
    /// The byte at which the first row begins.
    start: u64,
    /// Whether each row begins with its dimension.
    row_has_dim: bool,
}

impl VectorFile {
    /// Opens a file; its name says the format.
    ///
    /// # Errors
    /// A usage failure for an unknown end of the name; `InvalidInput` for a file that is not what its name says.
    pub fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self, Failure> {
        let format = Format::of(path)?;
        Self::read(Source::open(fs, path)?, format)
    }

    /// Reads what the file says about itself, and checks its size.
    ///
    /// # Errors
    /// `InvalidInput` with file and offset.
    pub fn read(source: Source, format: Format) -> Result<Self, Failure> {
        let file = match format {
            Format::Npy => npy(source)?,
            Format::Fvecs => vecs(source, VectorElement::F32)?,
            Format::Bvecs => vecs(source, VectorElement::U8)?,
            Format::Fbin => fbin(source)?,
        };
        debug_assert!((1..=MAX_DIM).contains(&(file.dim as u64)));
        Ok(file)
    }

    /// Vectors in the file.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Numbers in a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How a number is stored.
    #[must_use]
    pub fn element(&self) -> VectorElement {
        self.element
    }

    /// The name as the user gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// Reads `count` vectors from row `first` on.
    ///
    /// # Errors
    /// `InvalidInput` with the row: a NaN or infinite number, a row of another dimension, or more rows than
    /// there are; with a hint when the rows are too many bytes for one read.
    pub fn read_rows(&self, first: u64, count: usize) -> Result<VectorRows, Failure> {
        let row_len = self.dim * self.element.size();
        let stride = row_len + if self.row_has_dim { 4 } else { 0 };
        let len = bytes_of_rows(&self.source, self.rows, first, count, stride as u64)?;
        let mut bytes = self.source.read_vec(self.start + first * stride as u64, len)?;
        if self.row_has_dim {
            for row in 0..count {
                let at = row * stride;
                let dim = i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
                if usize::try_from(dim) != Ok(self.dim) {
                    let place = self.start + (first + row as u64) * stride as u64;
                    let failure = self.source.bad(format!("row {} has another dimension than row 0", first + row as u64));
                    return Err(failure.with_offset(place).with_expected(self.dim, dim));
                }
                bytes.copy_within(at + 4..at + stride, row * row_len);
            }
            bytes.truncate(count * row_len);
        }
        let rows = VectorRows { first, dim: self.dim, element: self.element, bytes };
        rows.check_finite(&self.source)?;
        Ok(rows)
    }
}

/// A range of rows in memory, packed, little-endian, finite.
#[derive(Debug, Clone)]
pub struct VectorRows {
    first: u64,
    dim: usize,
    element: VectorElement,
    bytes: Vec<u8>,
}

impl VectorRows {
    /// The row of the file that is row 0 here.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Vectors held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / (self.dim * self.element.size())
    }

    /// Whether no vector is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All rows as they are stored in the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One row as it is stored in the file.
    ///
    /// # Panics
    /// When `row` is not below [`VectorRows::len`].
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        let len = self.dim * self.element.size();
        &self.bytes[row * len..(row + 1) * len]
    }

    /// Writes one row to `out` as floats; whole numbers and short floats convert exactly.
    ///
    /// # Panics
    /// When `row` is not below [`VectorRows::len`].
    pub fn row_f32(&self, row: usize, out: &mut Vec<f32>) {
        let bytes = self.row(row);
        out.clear();
        match self.element {
            VectorElement::F32 => out.extend(bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number))),
            VectorElement::F16 => out.extend(bytes.as_chunks::<2>().0.iter().map(|number| f16::from_le_bytes(*number).to_f32())),
            VectorElement::U8 => out.extend(bytes.iter().map(|number| f32::from(*number))),
        }
        debug_assert_eq!(out.len(), self.dim);
    }

    /// A float whose exponent is all ones is infinite or no number.
    fn check_finite(&self, source: &Source) -> Result<(), Failure> {
        let at = match self.element {
            VectorElement::F32 => self.bytes.as_chunks::<4>().0.iter().position(|number| !f32::from_le_bytes(*number).is_finite()),
            VectorElement::F16 => self.bytes.as_chunks::<2>().0.iter().position(|number| !f16::from_le_bytes(*number).is_finite()),
            VectorElement::U8 => None,
        };
        let Some(at) = at else {
            return Ok(());
        };
        let row = self.first + (at / self.dim) as u64;
        Err(source
            .bad(format!("row {row}, number {} is NaN or infinite", at % self.dim))
            .with_hint("remove or repair the row; --from-row goes on behind it"))
    }
}

fn npy(source: Source) -> Result<VectorFile, Failure> {
    let header = Header::read(&source)?;
    let element = match header.element {
        Element::Float(4) => VectorElement::F32,
        Element::Float(2) => VectorElement::F16,
        Element::Unsigned(1) => VectorElement::U8,
        other => {
            let failure = source.bad("vectors of this element type cannot be read");
            return Err(failure
                .with_expected("<f4, <f2 or |u1", format!("{other:?}"))
                .with_hint("convert it in NumPy with .astype(\"<f4\")"));
        }
    };
    let &[rows, dim] = header.shape.as_slice() else {
        let failure = source.bad("vectors need an array of two dimensions: rows and numbers");
        return Err(failure.with_expected("(rows, numbers)", format!("{:?}", header.shape)));
    };
    if header.fortran_order {
        return Err(source.bad("the array is in Fortran order").with_hint("save it with numpy.ascontiguousarray"));
    }
    let dim = checked_dim(&source, dim, 0)?;
    Ok(VectorFile { source, element, dim, rows, start: header.data_offset, row_has_dim: false })
}

fn vecs(source: Source, element: VectorElement) -> Result<VectorFile, Failure> {
    if source.size() == 0 {
        return Err(source.bad("the file is empty: it names no dimension"));
    }
    let dim = source.read_vec(0, 4)?;
    let dim = checked_dim(&source, u64::from(u32::from_le_bytes([dim[0], dim[1], dim[2], dim[3]])), 0)?;
    let stride = 4 + (dim * element.size()) as u64;
    if !source.size().is_multiple_of(stride) {
        let failure = source.bad(format!("the file does not end with a whole row of {stride} bytes"));
        let whole = source.size() / stride * stride;
        return Err(failure.with_expected(format!("{whole} or {} bytes", whole + stride), format!("{} bytes", source.size())));
    }
    let rows = source.size() / stride;
    Ok(VectorFile { source, element, dim, rows, start: 0, row_has_dim: true })
}

fn fbin(source: Source) -> Result<VectorFile, Failure> {
    let head = source.read_vec(0, 8)?;
    let rows = u64::from(u32::from_le_bytes([head[0], head[1], head[2], head[3]]));
    let dim = checked_dim(&source, u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]])), 4)?;
    let size = 8 + rows * dim as u64 * 4;
    if size != source.size() {
        let failure = source.bad(format!("the file does not have the size of {rows} rows of {dim} floats"));
        return Err(failure.with_expected(format!("{size} bytes"), format!("{} bytes", source.size())));
    }
    Ok(VectorFile { source, element: VectorElement::F32, dim, rows, start: 8, row_has_dim: false })
}

fn checked_dim(source: &Source, dim: u64, offset: u64) -> Result<usize, Failure> {
    let small = (1..=MAX_DIM).contains(&dim).then_some(dim).and_then(|dim| usize::try_from(dim).ok());
    small.ok_or_else(|| source.bad("not a dimension of vectors").with_offset(offset).with_expected(format!("1 to {MAX_DIM}"), dim))
}

#[cfg(test)]
mod tests;
