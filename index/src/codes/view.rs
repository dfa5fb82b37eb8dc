//! Codes as they lie in memory: a borrowed view, and distances over it.

use super::CodeParams;
use crate::metric::Metric;
use crate::simd::{CodeRows, Kernels};
use std::ops::Range;

/// One side of a code distance: a padded code row and its term.
#[derive(Clone, Copy, Debug)]
pub struct CodeQuery<'a> {
    pub(super) code: &'a [u8],
    pub(super) term: i32,
}

impl<'a> CodeQuery<'a> {
    pub(crate) fn code(&self) -> &'a [u8] {
        self.code
    }
}

/// The codes of rows `0..count`, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct CodesView<'a> {
    params: CodeParams,
    dims: usize,
    /// `i32` little-endian a row, or nothing where the metric needs no terms.
    terms: &'a [u8],
    rows: CodeRows<'a>,
}

impl<'a> CodesView<'a> {
    /// Checked by the callers in this module: one term a row where the parameters ask for it.
    pub(super) fn new(params: CodeParams, dims: usize, terms: &'a [u8], rows: CodeRows<'a>) -> Self {
        assert_eq!(terms.len(), if params.has_terms() { rows.count() * 4 } else { 0 });
        assert!(dims <= rows.stride());
        CodesView { params, dims, terms, rows }
    }

    /// How the codes were made.
    #[must_use]
    pub fn params(&self) -> &CodeParams {
        &self.params
    }

    /// Dimensions of a row.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.count()
    }

    /// The terms, as stored: `i32` little-endian a row, or empty.
    #[must_use]
    pub fn terms(&self) -> &'a [u8] {
        self.terms
    }

    /// The code rows with their padding.
    #[must_use]
    pub fn rows(&self) -> CodeRows<'a> {
        self.rows
    }

    /// Row `id` as the query side of a distance.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    #[must_use]
    pub fn row_query(&self, id: u32) -> CodeQuery<'a> {
        CodeQuery { code: self.rows.row(id), term: self.term(id) }
    }

    /// Writes the code distance from `query` to each row `ids` into `out`.
    ///
    /// # Panics
    ///
    /// When an id is not below the count, `out` is not as long as `ids`, or the query was coded for
    /// another number of dimensions.
    #[inline]
    pub fn distances(&self, kernels: &Kernels, query: CodeQuery<'_>, ids: &[u32], out: &mut [i32]) {
        if self.params.metric() == Metric::Manhattan {
            return kernels.code_sads(query.code, self.rows, ids, out);
        }
        kernels.code_dots(query.code, self.rows, ids, out);
        // Terms read from damaged bytes may be anything: a wrong distance, but no overflow.
        match (self.params.metric(), self.params.has_terms()) {
            (Metric::L2, _) => {
                for (distance, id) in out.iter_mut().zip(ids) {
                    let terms = query.term.wrapping_add(self.term(*id));
                    *distance = terms.wrapping_sub(distance.wrapping_mul(2));
                }
            }
            (_, true) => {
                for (distance, id) in out.iter_mut().zip(ids) {
                    *distance = query.term.wrapping_add(self.term(*id)).wrapping_sub(*distance);
                }
            }
            (_, false) => out.iter_mut().for_each(|distance| *distance = -*distance),
        }
    }

    /// Gives the rows `range` as codes of their own, numbered from 0.
    ///
    /// # Panics
    ///
    /// When the range ends beyond the codes.
    #[must_use]
    pub fn part(&self, range: Range<u32>) -> CodesView<'a> {
        let terms = if self.terms.is_empty() { self.terms } else { &self.terms[range.start as usize * 4..range.end as usize * 4] };
        CodesView { terms, rows: self.rows.part(range), ..*self }
    }

    #[inline]
    fn term(&self, id: u32) -> i32 {
        let terms = self.terms.as_chunks::<4>().0;
        terms.get(id as usize).map_or(0, |term| i32::from_le_bytes(*term))
    }
}
