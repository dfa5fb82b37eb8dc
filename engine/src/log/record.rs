//! One atomic entry of the log: its bytes, laid out and read back; `docs/format/log.md` is the document.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::{Record, RecordHead, Section};
pub use encode::{RecordDraft, SectionDraft};

/// First four bytes of a record: `VRC1`.
pub const RECORD_MAGIC: u32 = u32::from_le_bytes(*b"VRC1");
/// Version of the record format.
pub const RECORD_VERSION: u16 = 1;
/// Records begin at multiples of this and have a length that is a multiple of it.
pub const RECORD_ALIGN: usize = 64;
/// Bytes of the fixed part of a record's head.
pub const FIXED_HEAD_LEN: usize = 128;
/// Bytes of one entry of the section table.
pub const SECTION_ENTRY_LEN: usize = 32;
/// Largest record in bytes.
pub const RECORD_LEN_MAX: usize = 32 << 20;
/// Most bytes of a record's payloads before compression: what a reader of all of them must have room for.
pub const PAYLOAD_RAW_MAX: usize = 64 << 20;
/// Most rows of a record.
pub const ROWS_MAX: usize = 1 << 20;
/// Most sections of a record.
pub const SECTIONS_MAX: usize = 1024;
/// Granule of the checksums of vector sections; granules begin at multiples of this in the log's own positions.
pub const GRANULE: u64 = 4096;
/// Flag: the operation goes on in the next record; nothing stops between the two.
pub const FLAG_MORE_FOLLOWS: u8 = 1;
/// Row flag: the row carries part 0 (the point with its payload).
pub const ROW_HAS_POINT: u8 = 1;
/// Row flag: the row replaces the whole point; vectors that it does not carry are gone.
pub const ROW_REPLACES: u8 = 2;
/// Encoding of an id section in which every id is a number of 8 bytes.
pub const IDS_NUMBERS: u16 = 0;
/// Encoding of an id section of 17-byte entries: a tag (0 number, 1 UUID) and 16 bytes.
pub const IDS_TAGGED: u16 = 1;

const _: () = assert!(FIXED_HEAD_LEN.is_multiple_of(RECORD_ALIGN) && RECORD_LEN_MAX.is_multiple_of(RECORD_ALIGN));
const _: () = assert!(GRANULE.is_multiple_of(RECORD_ALIGN as u64));

/// What an entry of the log does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Rows that create, replace or patch points.
    Upsert,
    /// Ids of points that end here.
    Delete,
    /// The schema from here on; the first record of every collection's log.
    Schema,
    /// Rows whose bytes moved to a new address; logically invisible.
    Move,
    /// Says that everything before it is synced; carries nothing.
    Durable,
    /// An entry of the catalog.
    Catalog,
    /// Points that lose some of their vectors.
    DeleteVectors,
}

impl RecordKind {
    /// Every kind with its number in the format.
    pub const TABLE: [(RecordKind, u8, &'static str); 7] = [
        (RecordKind::Upsert, 1, "upsert"),
        (RecordKind::Delete, 2, "delete"),
        (RecordKind::Schema, 3, "schema"),
        (RecordKind::Move, 4, "move"),
        (RecordKind::Durable, 5, "durable"),
        (RecordKind::Catalog, 6, "catalog"),
        (RecordKind::DeleteVectors, 7, "delete vectors"),
    ];

    fn number(self) -> u8 {
        Self::TABLE.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == number).map(|row| row.0)
    }
}

/// What a section of a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionKind {
    /// Point ids, one a row.
    Ids,
    /// One byte of row flags a row; absent: every row carries the point and replaces it.
    RowFlags,
    /// Bitmap of the rows that carry the vector of the section's part; absent: all rows do.
    Presence,
    /// Vectors of one part, of the rows that carry it, without gaps.
    Vectors,
    /// Payload text in LZ4 blocks.
    Payload,
    /// Where each payload block begins: raw offset and stored offset, 4 bytes each.
    PayloadBlocks,
    /// Raw offset of each row's payload, 4 bytes each, and the end.
    PayloadRows,
    /// JSON text: a schema or an entry of the catalog.
    Json,
    /// Moved rows: part, old address, new address.
    Moves,
    /// Parts that end, 2 bytes each.
    Parts,
}

impl SectionKind {
    /// Every kind with its number in the format.
    pub const TABLE: [(SectionKind, u16, &'static str); 10] = [
        (SectionKind::Ids, 1, "ids"),
        (SectionKind::RowFlags, 2, "row flags"),
        (SectionKind::Presence, 3, "presence"),
        (SectionKind::Vectors, 4, "vectors"),
        (SectionKind::Payload, 5, "payload"),
        (SectionKind::PayloadBlocks, 6, "payload blocks"),
        (SectionKind::PayloadRows, 7, "payload rows"),
        (SectionKind::Json, 8, "json"),
        (SectionKind::Moves, 9, "moves"),
        (SectionKind::Parts, 10, "parts"),
    ];

    fn number(self) -> u16 {
        Self::TABLE.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    fn from_number(number: u16) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// Says how sections of this kind are checked.
    fn check(self) -> Check {
        match self {
            SectionKind::Vectors => Check::Granules,
            SectionKind::Payload => Check::Blocks,
            _ => Check::Whole,
        }
    }
}

/// How a section's checksums are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// One checksum.
    Whole = 0,
    /// One for each granule of the log that the section touches.
    Granules = 1,
    /// One for each payload block.
    Blocks = 2,
}

/// Gives the number of granules that `len` bytes at position `at` touch.
fn granules(at: u64, len: u64) -> u64 {
    if len == 0 { 0 } else { (at + len - 1) / GRANULE - at / GRANULE + 1 }
}
