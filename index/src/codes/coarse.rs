//! Coarse codes: what walks compare, half of each code byte.
//!
//! Four bits a dimension find the neighbours of a query among a few dozen candidates, at half of the memory
//! traffic of whole codes; whole codes and then full vectors put the candidates in order. Bytes that are their own codes
//! (`U8`) may use a small part of their range, so walks compare seven or eight bits of them.

use super::{CodeParams, CodesView};
use crate::metric::{Datatype, Metric};
use crate::simd::{CODE_ALIGN, RowForm, ZERO_CODE};
use std::ops::Range;

/// Dimensions of a block of packed rows.
const BLOCK_DIMS: usize = 2 * CODE_ALIGN;

/// Bytes of a packed row.
pub(crate) const fn packed_stride(dims: usize) -> usize {
    dims.div_ceil(BLOCK_DIMS) * CODE_ALIGN
}

/// Packed rows one after the other, each in lines of its own.
#[derive(Debug)]
pub(crate) struct PackedRows {
    memory: Vec<u8>,
    range: Range<usize>,
}

impl PackedRows {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.range.clone()]
    }
}

impl CodeParams {
    /// How rows are compared in place, where whole rows are asked for or not.
    pub(crate) fn row_form(&self, whole: bool) -> RowForm {
        if whole || self.datatype == Datatype::U8 { RowForm::Whole } else { RowForm::Upper }
    }

    /// Writes the query of a walk over rows of a form, made from the code of a query or row, into `out`.
    pub(crate) fn coarse_query(&self, code: &[u8], form: RowForm, out: &mut Vec<u8>) {
        out.clear();
        match (self.metric, form) {
            // Kernels take a code here, and bytes that are their own codes count from 0 instead of 128: half of each, so that it fits.
            (Metric::Dot, RowForm::Whole) if self.datatype == Datatype::U8 => out.extend(code.iter().map(|c| (c >> 1) + ZERO_CODE)),
            (Metric::Dot, RowForm::Whole) => out.extend_from_slice(code),
            (Metric::Dot, _) => out.extend(code.iter().map(|c| c ^ ZERO_CODE)),
            (Metric::L2 | Metric::Manhattan, _) => out.extend(code.iter().map(|c| c >> 1)),
        }
        // Beyond the code only packed rows go on, with what stands for zero: the difference to it is none.
        let padding = if self.metric == Metric::Dot { 0 } else { middle(ZERO_CODE >> 4) };
        out.resize(code.len().next_multiple_of(BLOCK_DIMS), padding);
    }
}

/// What four bits stand for, in seven.
fn middle(upper: u8) -> u8 {
    upper * 8 + 4
}

impl CodesView<'_> {
    /// Writes the packed row of a node into `out`, which is one packed stride long.
    pub(crate) fn pack(&self, node: u32, out: &mut [u8]) {
        assert_eq!(out.len(), packed_stride(self.dims()), "a packed row");
        // Rows end with a whole line, so that a block has one or two of them.
        let (lines, _) = self.rows().row(node).as_chunks::<CODE_ALIGN>();
        for (out, lines) in out.as_chunks_mut::<CODE_ALIGN>().0.iter_mut().zip(lines.chunks(2)) {
            let upper = lines.get(1).unwrap_or(&[ZERO_CODE; CODE_ALIGN]);
            for ((byte, low), high) in out.iter_mut().zip(&lines[0]).zip(upper) {
                *byte = low >> 4 | high & 0xf0;
            }
        }
    }

    /// Packs all rows.
    pub(crate) fn pack_all(&self) -> PackedRows {
        let stride = packed_stride(self.dims());
        let mut memory = vec![0; self.count() * stride + CODE_ALIGN];
        let start = memory.as_ptr().align_offset(CODE_ALIGN).min(CODE_ALIGN);
        let end = start + self.count() * stride;
        for (node, row) in (0..).zip(memory[start..end].chunks_mut(stride)) {
            self.pack(node, row);
        }
        PackedRows { memory, range: start..end }
    }

    /// The coarse distance from a row to another by the upper halves of the other's bytes, as every walk computes it.
    pub(crate) fn coarse_distance(&self, from: u32, to: u32) -> i32 {
        let pairs = self.rows().row(from).iter().zip(self.rows().row(to)).map(|(from, to)| (*from, *to >> 4));
        match self.params().metric() {
            Metric::Dot => -pairs.map(|(from, to)| i32::from((from ^ ZERO_CODE).cast_signed()) * i32::from(to)).sum::<i32>(),
            Metric::L2 => pairs.map(|(from, to)| i32::from((from >> 1).abs_diff(middle(to))).pow(2)).sum(),
            Metric::Manhattan => pairs.map(|(from, to)| i32::from((from >> 1).abs_diff(middle(to)))).sum(),
        }
    }
}
