//! Move records: rows whose bytes stand at a new address, laid out and read back.
//!
//! A record moves one part of some points. It carries the bytes again, so the new addresses follow from where they lie in it; what it lists is
//! whose they are and where they stood before. A move holds only for a part that still stands there: what was overwritten is not brought back.

use super::payload_blocks;
use super::record::{RECORD_LEN_MAX, ROWS_MAX, Record, RecordDraft, RecordKind, SectionKind};
use super::sealed::payload_address;
use crate::batch::add_ids;
use crate::codec::Writer;
use crate::codec::reader::u64_at;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PointId};
use crate::schema::Schema;

/// Rows that are laid out as one record.
#[derive(Debug)]
pub struct MoveDraft {
    part: u16,
    ids: Vec<PointId>,
    from: Vec<u64>,
    vectors: Vec<u8>,
    texts: Vec<String>,
    bytes: usize,
}

impl MoveDraft {
    /// Starts with no rows of a part.
    #[must_use]
    pub fn new(part: usize) -> Self {
        assert!(u16::try_from(part).is_ok(), "a schema keeps its vectors far below the most parts");
        MoveDraft { part: part as u16, ids: Vec::new(), from: Vec::new(), vectors: Vec::new(), texts: Vec::new(), bytes: 0 }
    }

    /// Adds the stored bytes of a point's vector.
    ///
    /// # Panics
    /// When the record moves payloads.
    pub fn push_vector(&mut self, id: PointId, from: u64, vector: &[u8]) {
        assert!(self.part > 0, "part 0 has no vector");
        self.vectors.extend_from_slice(vector);
        self.push(id, from, vector.len());
    }

    /// Adds a point's payload.
    ///
    /// # Panics
    /// When the record moves vectors.
    pub fn push_payload(&mut self, id: PointId, from: u64, text: String) {
        assert!(self.part == 0, "payloads are of part 0");
        let len = text.len();
        self.texts.push(text);
        self.push(id, from, len);
    }

    fn push(&mut self, id: PointId, from: u64, bytes: usize) {
        self.ids.push(id);
        self.from.push(from);
        self.bytes += bytes;
    }

    /// Gives the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Gives the bytes of what is moved, before compression.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Says whether something of this length still fits beside what is there.
    #[must_use]
    pub fn has_room(&self, len: usize) -> bool {
        // Ids, addresses, checks and tables take less than half of what a record has besides.
        self.rows() < ROWS_MAX / 4 && self.bytes + len < RECORD_LEN_MAX / 2
    }

    /// Lays the record out.
    #[must_use]
    pub fn into_record(self) -> RecordDraft {
        let rows = self.ids.len();
        let mut draft = RecordDraft::new(RecordKind::Move, rows);
        add_ids(&mut draft, &self.ids);
        let mut from = Writer::new();
        self.from.iter().for_each(|&address| from.u64(address));
        draft.section(SectionKind::Moves, self.part, 0, rows, from.into_bytes());
        if self.part == 0 {
            let texts: Vec<Option<&str>> = self.texts.iter().map(|text| Some(text.as_str())).collect();
            payload_blocks::pack(&mut draft, &texts);
        } else {
            draft.section(SectionKind::Vectors, self.part, 0, rows, self.vectors);
        }
        draft
    }
}

/// What a move record says: for each row whose part stood where and stands where now. The bytes are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moves {
    /// Position of the record.
    pub lsn: Lsn,
    /// The part that moved.
    pub part: u32,
    /// The points, each once.
    pub ids: Vec<PointId>,
    /// Where each stood.
    pub from: Vec<u64>,
    /// Where each stands from here on, if it stood there still.
    pub to: Vec<u64>,
}

impl Moves {
    /// Opens a move record.
    ///
    /// # Errors
    /// `Corrupt` when the record's sections do not fit each other or the schema.
    pub fn open(record: &Record, schema: &Schema) -> Result<Self> {
        let (head, wrong) = (&record.head, |what: &str| Error::corrupt(what).with_offset(record.head.lsn));
        let section = head.sections.iter().find(|section| section.kind == SectionKind::Moves);
        let part = section.ok_or_else(|| wrong("a move record does not say what moved"))?.part;
        if usize::from(part) >= schema.parts() {
            return Err(wrong("a move record moves a part that the schema does not have").with_expected(schema.parts(), part));
        }
        let ids = record.ids()?;
        let from = record.checked(SectionKind::Moves, part)?.unwrap_or_default();
        if from.len() != head.rows * 8 {
            return Err(wrong("the moves of a record do not match its rows").with_expected(head.rows * 8, from.len()));
        }
        let to = if part == 0 {
            let opened = payload_blocks::PayloadBlocks::open(record)?;
            if opened.is_none_or(|blocks| blocks.presence().contains(&false)) {
                return Err(wrong("a move record lacks a payload that it moves"));
            }
            (0..head.rows).map(|row| payload_address(head.lsn, row)).collect()
        } else {
            let bytes_per_vector = schema.vector(usize::from(part)).bytes_per_vector();
            let vectors = head.section(SectionKind::Vectors, part).filter(|vectors| vectors.len == head.rows * bytes_per_vector);
            let start = head.lsn + vectors.ok_or_else(|| wrong("the vectors of a move record do not fit the schema"))?.offset as u64;
            (0..head.rows as u64).map(|row| start + row * bytes_per_vector as u64).collect()
        };
        let from = from.chunks_exact(8).map(|raw| u64_at(raw, 0)).collect();
        Ok(Moves { lsn: head.lsn, part: u32::from(part), ids, from, to })
    }

    /// Gives each move: the point, where it stood, where it stands.
    pub fn rows(&self) -> impl Iterator<Item = (&PointId, u64, u64)> + '_ {
        self.ids.iter().zip(&self.from).zip(&self.to).map(|((id, &from), &to)| (id, from, to))
    }
}

#[cfg(test)]
mod tests;
