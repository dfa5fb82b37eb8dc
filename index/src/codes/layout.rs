//! Codes as bytes, read in place: a header, the terms, the rows. The envelope around them, with checksums,
//! belongs to the caller.
//!
//! | offset | bytes | content |
//! | ---: | ---: | --- |
//! | 0 | 32 | parameters: version `u32`, metric `u8`, datatype `u8`, 2 zero, centre `f32`, step `f32`, 16 zero |
//! | 32 | 4 | dimensions, `u32` |
//! | 36 | 4 | rows, `u32` |
//! | 40 | 4 | stride, `u32`: dimensions rounded up to 64 |
//! | 44 | 20 | zero |
//! | 64 | 4 a row | terms, `i32`, where the metric has them; zeros up to the next multiple of 64 |
//! | then | stride a row | code rows, padded with 128 |
//!
//! All little-endian. Sections begin at multiples of 64 from the start.

use super::{CodeParams, CodesView, PARAMS_BYTES};
use crate::metric::MAX_DIMS;
use crate::simd::{CODE_ALIGN, CodeRows, code_stride};
use std::fmt;

/// Bytes before the terms.
pub const HEADER_BYTES: usize = 64;

const DIMS_AT: usize = PARAMS_BYTES;
const COUNT_AT: usize = DIMS_AT + 4;
const STRIDE_AT: usize = COUNT_AT + 4;
const RESERVED_AT: usize = STRIDE_AT + 4;
const _: () = assert!(RESERVED_AT + 20 == HEADER_BYTES && HEADER_BYTES.is_multiple_of(CODE_ALIGN));

/// Why bytes are not codes or a graph that this version can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// Written by another version.
    Version {
        /// The version in the bytes.
        found: u32,
        /// The version that this program knows.
        known: u32,
    },
    /// The length does not fit what the header says.
    Length {
        /// Bytes that the header asks for, or the least there must be.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A field holds what it cannot hold.
    Field(&'static str),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::Version { found, known } => write!(f, "layout version {found} (this program knows {known})"),
            LayoutError::Length { expected, found } => write!(f, "{found} bytes (expected {expected})"),
            LayoutError::Field(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for LayoutError {}

/// Bytes that [`write()`] gives for so many rows.
#[must_use]
pub fn encoded_len(params: &CodeParams, dims: usize, count: usize) -> u64 {
    let terms = if params.has_terms() { count as u64 * 4 } else { 0 };
    HEADER_BYTES as u64 + terms.next_multiple_of(CODE_ALIGN as u64) + count as u64 * code_stride(dims) as u64
}

/// The bytes of `codes`.
///
/// # Panics
///
/// When there are more than `u32::MAX` rows.
#[must_use]
pub fn write(codes: &CodesView<'_>) -> Vec<u8> {
    let count = u32::try_from(codes.count()).unwrap_or_else(|_| panic!("{} rows", codes.count()));
    let mut bytes = Vec::with_capacity(encoded_len(codes.params(), codes.dims(), codes.count()) as usize);
    bytes.extend_from_slice(&codes.params().to_bytes());
    for field in [codes.dims() as u32, count, codes.rows().stride() as u32] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.resize(HEADER_BYTES, 0);
    bytes.extend_from_slice(codes.terms());
    bytes.resize(bytes.len().next_multiple_of(CODE_ALIGN), 0);
    bytes.extend_from_slice(codes.rows().bytes());
    assert_eq!(bytes.len() as u64, encoded_len(codes.params(), codes.dims(), codes.count()));
    bytes
}

/// Reads what [`write()`] gave, in place.
///
/// # Errors
///
/// When the bytes are of another version, too short or too long, or contradict themselves.
pub fn parse(bytes: &[u8]) -> Result<CodesView<'_>, LayoutError> {
    let found = bytes.len() as u64;
    let too_short = LayoutError::Length { expected: HEADER_BYTES as u64, found };
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(too_short)?;
    let (params, _) = header.split_first_chunk().ok_or(LayoutError::Field("header"))?;
    let params = CodeParams::from_bytes(params)?;
    let field = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    let (dims, count, stride) = (field(DIMS_AT), field(COUNT_AT), field(STRIDE_AT));
    if !(1..=MAX_DIMS).contains(&dims) {
        return Err(LayoutError::Field("dimensions of codes are out of range"));
    }
    if stride != code_stride(dims) {
        return Err(LayoutError::Field("stride of codes does not fit their dimensions"));
    }
    if header[RESERVED_AT..].iter().any(|byte| *byte != 0) {
        return Err(LayoutError::Field("reserved bytes of a codes header are not zero"));
    }
    // At most 2^32 rows of 2^14 + 4 bytes: no overflow in 64 bits.
    let expected = encoded_len(&params, dims, count);
    if found != expected {
        return Err(LayoutError::Length { expected, found });
    }
    let terms_len = if params.has_terms() { count * 4 } else { 0 };
    let (terms, rows) = rest.split_at(terms_len.next_multiple_of(CODE_ALIGN));
    let rows = CodeRows::new(rows, stride).ok_or(LayoutError::Field("rows of codes"))?;
    Ok(CodesView::new(params, dims, &terms[..terms_len], rows))
}
