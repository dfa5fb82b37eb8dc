//! Blocks: a copy of codes and lists in memory, laid out for walks.
//!
//! Rows are packed, four bits a dimension, and follow each other without the gaps of whole codes; lists lie beside them in the same memory,
//! which the caller takes from huge pages where it can. Blocks are derived from codes and graph and give the same answers.

use super::layout::GraphView;
use crate::codes::{CodesView, packed_stride};
use crate::simd::{CODE_ALIGN, RowForm};
use std::ops::Range;

/// Sizes of blocks; kept beside their bytes.
#[derive(Clone, Debug)]
pub struct BlocksShape {
    nodes: u32,
    dims: usize,
    form: RowForm,
    stride: usize,
    degree: usize,
    seeds: Vec<u32>,
    rows: Range<usize>,
    lists: Range<usize>,
    seed_rows: Range<usize>,
}

impl BlocksShape {
    /// The shape of the blocks of a graph and its codes.
    ///
    /// # Panics
    ///
    /// When the graph and the codes are not of the same number of rows.
    #[must_use]
    pub fn new(graph: &GraphView<'_>, codes: &CodesView<'_>) -> Self {
        assert_eq!(graph.node_count() as usize, codes.count(), "nodes of the graph and rows of the codes");
        let (form, stride) = match codes.params().row_form(graph.walks_whole()) {
            RowForm::Whole => (RowForm::Whole, codes.rows().stride()),
            RowForm::Upper | RowForm::Packed => (RowForm::Packed, packed_stride(codes.dims())),
        };
        let (nodes, degree) = (graph.node_count(), graph.capacity(0));
        let seeds: Vec<u32> = graph.seeds().collect();
        let mut end = 0;
        let mut section = |bytes: usize| {
            let start = end;
            end = (start + bytes).next_multiple_of(CODE_ALIGN);
            start..start + bytes
        };
        BlocksShape {
            rows: section(nodes as usize * stride),
            lists: section(nodes as usize * degree * 4),
            seed_rows: section(seeds.len() * stride),
            nodes,
            dims: codes.dims(),
            form,
            stride,
            degree,
            seeds,
        }
    }

    /// Bytes that the blocks take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.seed_rows.end
    }

    /// Lays out the blocks in `memory`.
    ///
    /// # Panics
    ///
    /// When `memory` is not as long as [`BlocksShape::bytes`] says, or the graph or codes are others.
    pub fn fill(&self, graph: &GraphView<'_>, codes: &CodesView<'_>, memory: &mut [u8]) {
        assert_eq!(memory.len(), self.bytes(), "memory for the blocks");
        assert_eq!((codes.count(), codes.dims()), (self.nodes as usize, self.dims), "the codes of the shape");
        for (node, row) in (0..).zip(memory[self.rows.clone()].chunks_mut(self.stride)) {
            self.fill_row(codes, node, row);
        }
        memory[self.lists.clone()].copy_from_slice(graph.base());
        for (seed, row) in self.seeds.iter().zip(memory[self.seed_rows.clone()].chunks_mut(self.stride)) {
            self.fill_row(codes, *seed, row);
        }
    }

    fn fill_row(&self, codes: &CodesView<'_>, node: u32, row: &mut [u8]) {
        match self.form {
            RowForm::Packed => codes.pack(node, row),
            RowForm::Upper | RowForm::Whole => row.copy_from_slice(codes.rows().row(node)),
        }
    }

    /// Borrows the blocks from the memory that was filled.
    ///
    /// # Panics
    ///
    /// When `memory` has another length.
    #[must_use]
    pub fn view<'a>(&'a self, memory: &'a [u8]) -> BlocksView<'a> {
        assert_eq!(memory.len(), self.bytes(), "the memory of the blocks");
        BlocksView { shape: self, memory }
    }
}

/// Blocks, borrowed from their memory.
#[derive(Clone, Copy, Debug)]
pub struct BlocksView<'a> {
    shape: &'a BlocksShape,
    memory: &'a [u8],
}

impl<'a> BlocksView<'a> {
    pub(super) fn form(&self) -> RowForm {
        self.shape.form
    }

    pub(super) fn nodes(&self) -> u32 {
        self.shape.nodes
    }

    pub(super) fn stride(&self) -> usize {
        self.shape.stride
    }

    pub(super) fn degree(&self) -> usize {
        self.shape.degree
    }

    pub(super) fn rows(&self) -> &'a [u8] {
        &self.memory[self.shape.rows.clone()]
    }

    pub(super) fn lists(&self) -> &'a [u8] {
        &self.memory[self.shape.lists.clone()]
    }

    pub(super) fn seeds(&self) -> (&'a [u32], &'a [u8]) {
        (&self.shape.seeds, &self.memory[self.shape.seed_rows.clone()])
    }
}
