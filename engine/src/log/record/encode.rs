//! Lays a record out: sections, check table, head.

use super::decode::Record;
use super::{
    FIXED_HEAD_LEN, FLAG_MORE_FOLLOWS, GRANULE, PAYLOAD_RAW_MAX, RECORD_ALIGN, RECORD_LEN_MAX, RECORD_MAGIC, RECORD_VERSION, ROWS_MAX,
    RecordKind, SECTION_ENTRY_LEN, SECTIONS_MAX, SectionKind, granules,
};
use crate::codec::Writer;
use crate::codec::checksum::{crc32, crc32_in};
use crate::error::{Error, Result};
use crate::ids::{CommitTime, Lsn, Timeline};

/// A section before its record has a position.
#[derive(Debug, Clone)]
pub struct SectionDraft {
    kind: SectionKind,
    part: u16,
    codec: u16,
    raw_len: usize,
    count: usize,
    bytes: Vec<u8>,
    /// Ends of the payload blocks; empty for every other kind.
    block_ends: Vec<u32>,
}

/// A record before it has a position and a time.
#[derive(Debug, Clone)]
pub struct RecordDraft {
    kind: RecordKind,
    rows: usize,
    more_follows: bool,
    client_sequence: u64,
    sections: Vec<SectionDraft>,
}

/// The places of a record's pieces, computed before its position is known: nothing but the number of granules depends on it.
struct Layout {
    head_len: usize,
    offsets: Vec<usize>,
    checks: usize,
    record_len: usize,
}

impl RecordDraft {
    /// Starts a record of a number of rows.
    #[must_use]
    pub fn new(kind: RecordKind, rows: usize) -> Self {
        RecordDraft { kind, rows, more_follows: false, client_sequence: 0, sections: Vec::new() }
    }

    /// Marks the operation as going on in the next record.
    #[must_use]
    pub fn more_follows(mut self, more: bool) -> Self {
        self.more_follows = more;
        self
    }

    /// Carries a number of the client's own, for resuming after a loss.
    #[must_use]
    pub fn client_sequence(mut self, sequence: u64) -> Self {
        self.client_sequence = sequence;
        self
    }

    /// Takes a record's content over, whatever its position, time and timeline were.
    ///
    /// # Errors
    /// `Corrupt` when a section is not what was written.
    pub fn copy_of(record: &Record) -> Result<Self> {
        let head = &record.head;
        let mut draft = RecordDraft::new(head.kind, head.rows).more_follows(head.more_follows).client_sequence(head.client_sequence);
        for section in &head.sections {
            let bytes = record.bytes[section.offset..section.offset + section.len].to_vec();
            let block_ends = if section.kind == SectionKind::Payload { block_ends(record, section.len)? } else { Vec::new() };
            let (raw_len, count) = (section.raw_len, section.count);
            draft.sections.push(SectionDraft {
                kind: section.kind,
                part: section.part,
                codec: section.codec,
                raw_len,
                count,
                bytes,
                block_ends,
            });
        }
        assert_eq!(draft.sections.len(), head.sections.len(), "every section is taken over");
        Ok(draft)
    }

    /// Adds a section of plain bytes; `count` says how many items they hold.
    pub fn section(&mut self, kind: SectionKind, part: u16, codec: u16, count: usize, bytes: Vec<u8>) {
        self.sections.push(SectionDraft { kind, part, codec, raw_len: bytes.len(), count, bytes, block_ends: Vec::new() });
    }

    /// Adds the section of payload blocks.
    pub(crate) fn payload_section(&mut self, raw_len: usize, bytes: Vec<u8>, block_ends: Vec<u32>) {
        let count = block_ends.len();
        self.sections.push(SectionDraft { kind: SectionKind::Payload, part: 0, codec: 1, raw_len, count, bytes, block_ends });
    }

    /// Gives the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Gives the length of the record in bytes.
    #[must_use]
    pub fn record_len(&self) -> usize {
        self.layout().record_len
    }

    /// Checks the limits of the format.
    ///
    /// # Errors
    /// `InvalidInput` when the record would be larger than 32 MiB, its payloads larger than 64 MiB before compression, or its rows more
    /// than 1,048,576.
    pub fn check_limits(&self) -> Result<()> {
        let len = self.record_len();
        if len > RECORD_LEN_MAX {
            return Err(Error::invalid("the batch does not fit a record of the log")
                .with_expected(format!("at most {RECORD_LEN_MAX} bytes"), format!("{len} bytes"))
                .with_hint("send smaller batches"));
        }
        let payloads = self.sections.iter().filter(|s| s.kind == SectionKind::Payload).map(|s| s.raw_len).sum::<usize>();
        if payloads > PAYLOAD_RAW_MAX {
            return Err(Error::invalid("the payloads of the batch are too large")
                .with_expected(format!("at most {PAYLOAD_RAW_MAX} bytes"), format!("{payloads} bytes"))
                .with_hint("send smaller batches"));
        }
        if self.rows > ROWS_MAX {
            return Err(Error::invalid("the batch has too many rows").with_expected(format!("at most {ROWS_MAX}"), self.rows));
        }
        assert!(self.sections.len() <= SECTIONS_MAX, "a schema keeps its vectors far below the most sections of a record");
        Ok(())
    }

    fn layout(&self) -> Layout {
        let checks = self.sections.iter().map(SectionDraft::checks_max).sum::<usize>();
        let head = FIXED_HEAD_LEN + self.sections.len() * SECTION_ENTRY_LEN + (checks + 1) * 4;
        let head_len = head.next_multiple_of(RECORD_ALIGN);
        let mut at = head_len;
        let offsets = self
            .sections
            .iter()
            .map(|section| {
                let offset = at;
                at += section.bytes.len().next_multiple_of(RECORD_ALIGN);
                offset
            })
            .collect();
        Layout { head_len, offsets, checks, record_len: at }
    }

    /// Appends the record's bytes to `out`.
    ///
    /// # Panics
    /// When a limit is broken (see [`RecordDraft::check_limits`]) or the position is not a multiple of 64.
    pub fn encode(&self, lsn: Lsn, commit_time: CommitTime, durable_lsn: Lsn, lineage: Timeline, out: &mut Vec<u8>) {
        assert!(lsn.is_multiple_of(RECORD_ALIGN as u64), "records begin at multiples of 64");
        assert!(durable_lsn <= lsn, "nothing at or after a record is synced before it is written");
        let layout = self.layout();
        assert!(layout.record_len <= RECORD_LEN_MAX && self.rows <= ROWS_MAX, "limits are checked before a record is encoded");
        let head = self.encode_fixed(&layout, lsn, commit_time, durable_lsn, lineage);
        let header_crc = crc32(&head[8..]);
        let start = out.len();
        out.extend_from_slice(&head);
        out[start + 4..start + 8].copy_from_slice(&header_crc.to_le_bytes());
        let mut table = Writer::new();
        for (section, &offset) in self.sections.iter().zip(&layout.offsets) {
            section.write_checks(header_crc, lsn + offset as u64, &mut table);
        }
        assert_eq!(table.len(), layout.checks * 4, "the layout counted the checks");
        let table_crc = crc32_in(header_crc, table.as_slice());
        table.u32(table_crc);
        out.extend_from_slice(table.as_slice());
        out.resize(start + layout.head_len, 0);
        for (section, &offset) in self.sections.iter().zip(&layout.offsets) {
            assert_eq!(out.len(), start + offset, "sections follow each other");
            out.extend_from_slice(&section.bytes);
            out.resize(out.len() + (section.bytes.len().next_multiple_of(RECORD_ALIGN) - section.bytes.len()), 0);
        }
        assert_eq!(out.len(), start + layout.record_len, "the layout counted the bytes");
    }

    /// Lays out the fixed head and the section table, with the checksum still zero.
    fn encode_fixed(&self, layout: &Layout, lsn: Lsn, commit_time: CommitTime, durable_lsn: Lsn, lineage: Timeline) -> Vec<u8> {
        let mut w = Writer::new();
        w.u32(RECORD_MAGIC);
        w.u32(0); // checksum of the head
        w.u64(lsn);
        w.u32(layout.record_len as u32);
        w.u32(layout.head_len as u32);
        w.u64(commit_time);
        w.u64(durable_lsn);
        w.bytes(&lineage.0);
        w.u8(self.kind.number());
        w.u8(if self.more_follows { FLAG_MORE_FOLLOWS } else { 0 });
        w.u16(self.sections.len() as u16);
        w.u32(self.rows as u32);
        w.u64(self.client_sequence);
        w.u16(RECORD_VERSION);
        w.u16(0); // codec: none
        w.u16(0); // cipher: none
        w.u16(0); // reserved
        w.bytes(&[0; 16]); // key id: none
        w.bytes(&[0; 32]); // reserved
        assert_eq!(w.len(), FIXED_HEAD_LEN, "the fixed head has its length");
        let mut checks = 0;
        for (section, &offset) in self.sections.iter().zip(&layout.offsets) {
            w.u16(section.kind.number());
            w.u16(section.part);
            w.u16(section.kind.check() as u16);
            w.u16(section.codec);
            w.u32(offset as u32);
            w.u32(section.bytes.len() as u32);
            w.u32(section.raw_len as u32);
            w.u32(section.count as u32);
            w.u32(checks as u32);
            w.u32(section.checks_max() as u32);
            checks += section.checks_max();
        }
        w.into_bytes()
    }
}

impl SectionDraft {
    /// Gives the number of check entries that the section takes wherever it comes to lie; unused ones are zero.
    fn checks_max(&self) -> usize {
        match self.kind.check() {
            super::Check::Whole => 1,
            super::Check::Granules => self.bytes.len().div_ceil(GRANULE as usize) + 1,
            super::Check::Blocks => self.block_ends.len(),
        }
    }

    fn write_checks(&self, header_crc: u32, at: u64, table: &mut Writer) {
        let end = table.len() + self.checks_max() * 4;
        match self.kind.check() {
            super::Check::Whole => table.u32(crc32_in(header_crc, &self.bytes)),
            super::Check::Granules => {
                for index in 0..granules(at, self.bytes.len() as u64) {
                    let (from, to) = granule_range(at, self.bytes.len() as u64, index);
                    table.u32(crc32_in(header_crc, &self.bytes[from..to]));
                }
            }
            super::Check::Blocks => {
                let mut from = 0;
                for &block_end in &self.block_ends {
                    table.u32(crc32_in(header_crc, &self.bytes[from..block_end as usize]));
                    from = block_end as usize;
                }
            }
        }
        while table.len() < end {
            table.u32(0);
        }
    }
}

/// Reads where the payload blocks of a record end.
fn block_ends(record: &Record, len: usize) -> Result<Vec<u32>> {
    let table = record.head.sections.iter().find(|section| section.kind == SectionKind::PayloadBlocks);
    let table = table.ok_or_else(|| Error::corrupt("a payload has no table of its blocks").with_offset(record.head.lsn))?;
    let entries = record.bytes[table.offset..table.offset + table.len].chunks_exact(8);
    let starts = entries.map(|entry| u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]));
    Ok(starts.skip(1).chain([len as u32]).collect())
}

/// Gives the bytes of a section at position `at` that its `index`-th granule holds, as offsets within the section.
pub(super) fn granule_range(at: u64, len: u64, index: u64) -> (usize, usize) {
    let first = at / GRANULE;
    let from = ((first + index) * GRANULE).max(at) - at;
    let to = (((first + index + 1) * GRANULE) - at).min(len);
    assert!(from < to, "a granule of a section holds bytes of it");
    (from as usize, to as usize)
}
