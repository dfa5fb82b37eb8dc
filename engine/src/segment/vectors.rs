//! What a vector part is, and its codes object: quantised vectors and the rows they are of.

use std::sync::OnceLock;

use bytes::Bytes;
use index::codes::{CodesView, LayoutError, layout};
use index::{Datatype, Metric};

use crate::codec::file_header::newer_format;
use crate::codec::reader::u32_at;
use crate::error::{Error, Result};
use crate::ids::SegmentId;
use crate::object_file::{ObjectBuilder, ObjectFile, Role};

/// The section of a codes object that `index` lays out.
pub const TAG_CODES: u32 = 1;
/// The section of a codes object that says which row each node is, 4 bytes a node, ascending; left out when every row is a node.
pub const TAG_NODE_ROWS: u32 = 2;

/// How the vectors of a part are stored and compared; comes from the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorPart {
    /// Dimensions.
    pub dim: usize,
    /// How a dimension is stored.
    pub datatype: Datatype,
    /// How vectors are compared; cosine is `Dot`.
    pub metric: Metric,
    /// Vectors are compared by cosine but stored as given (u8): codes are of the normalised vector, and exact distances are divided by
    /// the norm of the stored one.
    pub normalise_codes: bool,
    /// Searches may keep copies of codes and lists in memory that walks are faster over.
    pub blocks: bool,
}

impl VectorPart {
    /// Gives the length of a stored vector.
    #[must_use]
    pub fn bytes_per_vector(&self) -> usize {
        self.dim * self.datatype.bytes_per_dim()
    }

    /// Gives the datatype of the vectors that codes are made from.
    #[must_use]
    pub fn datatype_of_codes(&self) -> Datatype {
        if self.normalise_codes { Datatype::F32 } else { self.datatype }
    }

    /// Gives the length of a vector that a code is made from.
    #[must_use]
    pub fn bytes_for_codes(&self) -> usize {
        self.dim * self.datatype_of_codes().bytes_per_dim()
    }
}

/// Turns what `index` says about bytes into an error.
pub(super) fn layout_error(what: &str, error: &LayoutError) -> Error {
    match error {
        LayoutError::Version { found, known } => newer_format(what, format!("version {found}"), *known as u16),
        LayoutError::Length { .. } | LayoutError::Field(_) => Error::corrupt(format!("the {what} are wrong: {error}")),
    }
}

/// Lays out a codes object; `node_rows` says which row each node is, and is left out of the object when that is every row.
#[must_use]
pub fn encode_codes(id: SegmentId, part: u32, codes: &[u8], node_rows: &[u32], rows: u32) -> Vec<u8> {
    let mut builder = ObjectBuilder::new(Role::Codes, id).section(TAG_CODES, part, codes);
    if node_rows.len() != rows as usize {
        let bytes: Vec<u8> = node_rows.iter().flat_map(|row| row.to_le_bytes()).collect();
        builder = builder.section(TAG_NODE_ROWS, part, bytes);
    }
    builder.finish()
}

/// A codes object; its sections are read at first use.
#[derive(Debug)]
pub struct Codes {
    object: ObjectFile,
    part: u32,
    rows: u32,
    nodes: OnceLock<Nodes>,
}

impl Codes {
    /// Opens the object of one vector part of a segment of some rows.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged or another object, `NewerFormat` when a later version wrote it.
    pub fn open(bytes: Bytes, id: SegmentId, part: u32, rows: u32) -> Result<Self> {
        Ok(Codes { object: ObjectFile::open(bytes, Role::Codes, id)?, part, rows, nodes: OnceLock::new() })
    }

    /// Gives the codes and the rows of their nodes; the first call checks them.
    ///
    /// # Errors
    /// `Corrupt` when they are damaged or name rows that do not exist.
    pub fn nodes(&self) -> Result<&Nodes> {
        if let Some(nodes) = self.nodes.get() {
            return Ok(nodes);
        }
        let codes = self.object.required(TAG_CODES, self.part)?;
        let rows = self.object.section(TAG_NODE_ROWS, self.part)?;
        if let Some(rows) = &rows {
            self.check_node_rows(rows)?;
        }
        let count = rows.as_ref().map_or(self.rows, |rows| (rows.len() / 4) as u32);
        let view = layout::parse(&codes).map_err(|error| layout_error("codes", &error).with_object(self.object.id().to_string()))?;
        if view.count() != count as usize {
            return Err(Error::corrupt("the codes are of another number of vectors")
                .with_object(self.object.id().to_string())
                .with_expected(count, view.count()));
        }
        Ok(self.nodes.get_or_init(|| Nodes { codes, rows, count }))
    }

    fn check_node_rows(&self, bytes: &[u8]) -> Result<()> {
        let (words, rest) = bytes.as_chunks::<4>();
        let rows = words.iter().map(|word| u32::from_le_bytes(*word));
        let in_range = words.last().is_none_or(|last| u32::from_le_bytes(*last) < self.rows);
        if !rest.is_empty() || !in_range || !rows.is_sorted_by(|a, b| a < b) {
            return Err(Error::corrupt(format!("the rows of the nodes of part {} do not ascend below {}", self.part, self.rows))
                .with_object(self.object.id().to_string()));
        }
        Ok(())
    }

    /// Gives the container, for reading everything in it.
    #[must_use]
    pub fn object(&self) -> &ObjectFile {
        &self.object
    }

    /// Gives the number of stored bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.object.bytes_of(TAG_CODES) + self.object.bytes_of(TAG_NODE_ROWS)
    }
}

/// The vectors of a part that are in the index: their codes, and the row that each is of.
#[derive(Debug)]
pub struct Nodes {
    codes: Bytes,
    rows: Option<Bytes>,
    count: u32,
}

impl Nodes {
    /// Gives the codes.
    ///
    /// # Errors
    /// None for bytes that were checked at first use; those of a damaged layout otherwise.
    pub fn view(&self) -> Result<CodesView<'_>> {
        layout::parse(&self.codes).map_err(|error| layout_error("codes", &error))
    }

    /// Finds the node of a row; `None` when the row does not have the vector.
    #[must_use]
    pub fn node_of(&self, row: u32) -> Option<u32> {
        let Some(rows) = &self.rows else { return (row < self.count).then_some(row) };
        let (rows, _) = rows.as_chunks::<4>();
        rows.binary_search_by_key(&row, |row| u32::from_le_bytes(*row)).ok().map(|node| node as u32)
    }

    /// Says whether every row is a node, under the same number.
    #[must_use]
    pub fn are_rows(&self) -> bool {
        self.rows.is_none()
    }

    /// Gives the number of nodes.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Gives the row of a node.
    ///
    /// # Panics
    /// When there is no such node.
    #[inline]
    #[must_use]
    pub fn row(&self, node: u32) -> u32 {
        self.rows.as_ref().map_or(node, |rows| u32_at(rows, node as usize * 4))
    }
}
