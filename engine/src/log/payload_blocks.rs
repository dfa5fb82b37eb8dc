//! Payload texts of a record: packed into LZ4 blocks of at most 32 KiB, and one row's text read back without the others.

use super::record::{Record, RecordDraft, Section, SectionKind};
use crate::codec::Writer;
use crate::codec::reader::u32_at;
use crate::error::{Error, Result};

/// Largest block before compression.
pub const BLOCK_RAW_MAX: usize = 32 << 10;

/// Adds the payload sections of a record: one text a row, `None` for a row without payload.
///
/// A text that fits a block is never cut; a longer one has blocks of its own.
pub fn pack(draft: &mut RecordDraft, texts: &[Option<&str>]) {
    if texts.iter().all(Option::is_none) {
        return;
    }
    let mut packer = Packer::default();
    let mut rows = Writer::new();
    for text in texts {
        rows.u32(packer.raw_len() as u32);
        packer.add(text.unwrap_or_default().as_bytes());
    }
    rows.u32(packer.raw_len() as u32);
    packer.flush();
    let (raw_len, row_count, block_count) = (packer.raw_done, texts.len(), packer.ends.len());
    draft.payload_section(raw_len, packer.stored, packer.ends);
    draft.section(SectionKind::PayloadBlocks, 0, 0, block_count, packer.starts.into_bytes());
    draft.section(SectionKind::PayloadRows, 0, 0, row_count, rows.into_bytes());
}

/// Collects text into blocks.
#[derive(Default)]
struct Packer {
    open: Vec<u8>,
    raw_done: usize,
    stored: Vec<u8>,
    ends: Vec<u32>,
    starts: Writer,
}

impl Packer {
    fn raw_len(&self) -> usize {
        self.raw_done + self.open.len()
    }

    fn add(&mut self, mut text: &[u8]) {
        if self.open.len() + text.len() > BLOCK_RAW_MAX {
            self.flush();
        }
        while text.len() > BLOCK_RAW_MAX {
            self.open.extend_from_slice(&text[..BLOCK_RAW_MAX]);
            self.flush();
            text = &text[BLOCK_RAW_MAX..];
        }
        self.open.extend_from_slice(text);
        assert!(self.open.len() <= BLOCK_RAW_MAX, "a block keeps its limit");
    }

    /// Closes the open block: compressed if that makes it smaller, as it is otherwise (equal lengths tell the two apart).
    fn flush(&mut self) {
        if self.open.is_empty() {
            return;
        }
        self.starts.u32(self.raw_done as u32);
        self.starts.u32(self.stored.len() as u32);
        let packed = lz4_flex::block::compress(&self.open);
        let stored = if packed.len() < self.open.len() { &packed } else { &self.open };
        self.stored.extend_from_slice(stored);
        self.ends.push(self.stored.len() as u32);
        self.raw_done += self.open.len();
        self.open.clear();
    }
}

/// The payload sections of a record, opened.
#[derive(Debug)]
pub struct PayloadBlocks<'a> {
    record: &'a Record,
    section: Section,
    blocks: &'a [u8],
    rows: &'a [u8],
}

/// One block: where it lies raw and stored.
struct Block {
    raw: (usize, usize),
    stored: (usize, usize),
}

impl<'a> PayloadBlocks<'a> {
    /// Opens a record's payload; `None` when no row has one.
    ///
    /// # Errors
    /// `Corrupt` when the tables do not match their checksums or the record.
    pub fn open(record: &'a Record) -> Result<Option<Self>> {
        let Some(section) = record.head.section(SectionKind::Payload, 0).copied() else { return Ok(None) };
        let blocks = record.checked(SectionKind::PayloadBlocks, 0)?.unwrap_or_default();
        let rows = record.checked(SectionKind::PayloadRows, 0)?.unwrap_or_default();
        if blocks.len() != section.count * 8 || rows.len() != (record.head.rows + 1) * 4 || section.count == 0 {
            return Err(Error::corrupt("the payload tables do not match the record").with_offset(record.head.lsn));
        }
        let opened = PayloadBlocks { record, section, blocks, rows };
        let mut end = 0;
        for index in 0..opened.section.count {
            let block = opened.block(index);
            let raw_len = block.raw.1.checked_sub(block.raw.0);
            let ordered = block.stored.0 <= block.stored.1 && block.stored.1 <= opened.section.len && (index > 0 || block.stored.0 == 0);
            if block.raw.0 != end || raw_len.is_none_or(|len| len == 0 || len > BLOCK_RAW_MAX) || !ordered {
                return Err(Error::corrupt("a payload block breaks the limits").with_offset(record.head.lsn));
            }
            end = block.raw.1;
        }
        // Texts that lay over one another could ask for any amount of memory.
        let ends = (opened.row_bound(0), opened.row_bound(record.head.rows));
        if ends != (0, section.raw_len) || !(0..=record.head.rows).is_sorted_by_key(|row| opened.row_bound(row)) {
            return Err(Error::corrupt("the payload rows do not follow each other").with_offset(record.head.lsn));
        }
        Ok(Some(opened))
    }

    fn block(&self, index: usize) -> Block {
        let start = |i: usize, at: usize, end: usize| {
            if i < self.section.count { u32_at(self.blocks, i * 8 + at) as usize } else { end }
        };
        Block {
            raw: (start(index, 0, 0), start(index + 1, 0, self.section.raw_len)),
            stored: (start(index, 4, 0), start(index + 1, 4, self.section.len)),
        }
    }

    /// Gives the raw offset at which a row's text begins, and the row before it ends.
    fn row_bound(&self, row: usize) -> usize {
        u32_at(self.rows, row * 4) as usize
    }

    /// Finds the block that holds a raw offset.
    fn block_at(&self, raw: usize) -> usize {
        let (mut low, mut high) = (0, self.section.count);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if self.block(middle).raw.0 <= raw { low = middle } else { high = middle }
        }
        low
    }

    fn decompress(&self, index: usize) -> Result<Vec<u8>> {
        let block = self.block(index);
        let base = self.section.offset;
        let stored = &self.record.bytes[base + block.stored.0..base + block.stored.1];
        self.record.head.check_bytes(&self.section, index, stored)?;
        let raw_len = block.raw.1 - block.raw.0;
        if stored.len() == raw_len {
            return Ok(stored.to_vec());
        }
        let raw = lz4_flex::block::decompress(stored, raw_len).ok().filter(|raw| raw.len() == raw_len);
        raw.ok_or_else(|| Error::corrupt("a payload block does not decompress").with_offset(self.record.head.lsn + base as u64))
    }

    /// Reads one row's payload text; `None` when the row has none.
    ///
    /// # Errors
    /// `Corrupt` when the block or the text is not what was written.
    ///
    /// # Panics
    /// When the record has no such row.
    pub fn row(&self, row: usize) -> Result<Option<String>> {
        assert!(row < self.record.head.rows, "a payload is asked for by a row of its record");
        let (from, to) = (self.row_bound(row), self.row_bound(row + 1));
        if from == to {
            return Ok(None);
        }
        let mut text = Vec::with_capacity(to - from);
        let mut index = self.block_at(from);
        while text.len() < to - from {
            let block = self.block(index);
            let raw = self.decompress(index)?;
            let start = from.max(block.raw.0) - block.raw.0;
            text.extend_from_slice(&raw[start..to.min(block.raw.1) - block.raw.0]);
            index += 1;
        }
        String::from_utf8(text).map(Some).map_err(|_| Error::corrupt("a payload is not UTF-8").with_offset(self.record.head.lsn))
    }

    /// Reads the payload text of every row, each block decompressed once.
    ///
    /// # Errors
    /// As [`PayloadBlocks::row`].
    pub fn all(&self) -> Result<Vec<Option<String>>> {
        let mut raw = Vec::with_capacity(self.section.raw_len);
        for index in 0..self.section.count {
            raw.extend_from_slice(&self.decompress(index)?);
        }
        (0..self.record.head.rows)
            .map(|row| {
                let text = String::from_utf8(raw[self.row_bound(row)..self.row_bound(row + 1)].to_vec());
                let text = text.map_err(|_| Error::corrupt("a payload is not UTF-8").with_offset(self.record.head.lsn))?;
                Ok((!text.is_empty()).then_some(text))
            })
            .collect()
    }

    /// Says of each row whether it has a payload.
    #[must_use]
    pub fn presence(&self) -> Vec<bool> {
        (0..self.record.head.rows).map(|row| self.row_bound(row) < self.row_bound(row + 1)).collect()
    }

    /// Checks every block.
    ///
    /// # Errors
    /// `Corrupt` at the first that does not match.
    pub fn verify(&self) -> Result<()> {
        (0..self.section.count).try_for_each(|index| self.decompress(index).map(|_| ()))
    }
}
