//! Codes that grow: the tail of a collection, and what a segment is written from.

use super::{CodeParams, CodesView, checked_dims};
use crate::simd::{CodeRows, code_stride};

/// Codes of rows pushed one after the other.
#[derive(Clone, Debug)]
pub struct CodesBuf {
    params: CodeParams,
    dims: usize,
    terms: Vec<u8>,
    rows: Vec<u8>,
}

impl CodesBuf {
    /// No rows yet, of `dims` dimensions.
    ///
    /// # Panics
    ///
    /// When `dims` is 0 or above [`crate::metric::MAX_DIMS`].
    #[must_use]
    pub fn new(params: CodeParams, dims: usize) -> Self {
        CodesBuf { params, dims: checked_dims(dims), terms: Vec::new(), rows: Vec::new() }
    }

    /// Codes one stored row and appends it.
    ///
    /// # Panics
    ///
    /// When the row is not of this many dimensions.
    pub fn push(&mut self, row: &[u8]) {
        assert_eq!(row.len(), self.dims * self.params.datatype().bytes_per_dim(), "row length");
        let start = self.rows.len();
        self.params.encode(row, &mut self.rows);
        if self.params.has_terms() {
            let term = self.params.term(&self.rows[start..start + self.dims]);
            self.terms.extend_from_slice(&term.to_le_bytes());
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.len() / code_stride(self.dims)
    }

    /// The rows so far.
    #[must_use]
    pub fn view(&self) -> CodesView<'_> {
        let rows = CodeRows::new(&self.rows, code_stride(self.dims));
        // The stride comes from checked dimensions and whole rows are pushed.
        let rows = rows.unwrap_or_else(|| unreachable!("whole rows of a valid stride"));
        CodesView::new(self.params, self.dims, &self.terms, rows)
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.terms.capacity() + self.rows.capacity()
    }
}
