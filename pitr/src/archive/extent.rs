//! Extents: log bytes of one timeline as an object of the archive. Key and size alone give the range.

use bytes::Bytes;
use engine::codec::FileHeader;
use engine::codec::checksum::{HASH_LEN, Hasher};
use engine::codec::file_header::FILE_HEADER_LEN;
use engine::error::{Error, Result};
use engine::ids::{Lsn, Timeline};
use platform::object_store::Body;

use super::layout::Key;

/// The eight bytes that an extent begins with.
pub const EXTENT_MAGIC: [u8; 8] = *b"VECEXT\0\0";
/// Version of the format.
pub const EXTENT_VERSION: u16 = 1;
/// Stored bytes besides the records.
pub const EXTENT_OVERHEAD: u64 = (FILE_HEADER_LEN + HASH_LEN) as u64;
/// Records begin at this offset.
pub const RECORDS_OFFSET: u64 = FILE_HEADER_LEN as u64;
/// Most record bytes of an extent or of one stretch of the log: a log file is sealed by the record that crosses 64 MiB, and a record has at most 32.
pub const EXTENT_LEN_MAX: u64 = 128 << 20;
/// Records are multiples of this many bytes.
pub const RECORD_ALIGN: u64 = 64;

/// Stored bytes of a seal, which no extent has: what ends a timeline competes with its next extent for one key (rule S17).
pub const SEAL_LEN: u64 = 112;

const _: () = assert!(EXTENT_OVERHEAD == 96);
const _: () = assert!(!(SEAL_LEN - EXTENT_OVERHEAD).is_multiple_of(RECORD_ALIGN));

/// An extent as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExtentRef {
    /// Position of its first record byte.
    pub start: Lsn,
    /// Position behind its last one.
    pub end: Lsn,
    /// Whether it lies under `whole/`.
    pub whole: bool,
}

impl ExtentRef {
    /// Gives its key.
    #[must_use]
    pub fn key(&self, timeline: Timeline) -> Key {
        if self.whole { Key::Whole(timeline, self.start) } else { Key::Extent(timeline, self.start) }
    }
}

fn header(timeline: Timeline, start: Lsn) -> [u8; FILE_HEADER_LEN] {
    FileHeader { magic: EXTENT_MAGIC, version: EXTENT_VERSION, subject: timeline.0, number: start }.encode()
}

/// Lays an extent out around record bytes, which are not copied.
#[must_use]
pub fn body(timeline: Timeline, start: Lsn, records: Bytes) -> Body {
    assert!(!records.is_empty() && (records.len() as u64).is_multiple_of(RECORD_ALIGN), "an extent holds whole records");
    let head = header(timeline, start);
    let mut hasher = Hasher::new();
    hasher.update(&head);
    hasher.update(&records);
    let hash = hasher.finish();
    vec![Bytes::copy_from_slice(&head), records, Bytes::copy_from_slice(&hash.0)]
}

/// Gives the position behind an extent of some stored size; `None` when no extent has that size.
#[must_use]
pub fn end_of(start: Lsn, size: u64) -> Option<Lsn> {
    let len = size.checked_sub(EXTENT_OVERHEAD)?;
    let whole = len > 0 && len.is_multiple_of(RECORD_ALIGN) && len <= EXTENT_LEN_MAX;
    whole.then(|| start.checked_add(len)).flatten()
}

/// Checks the header of a stored extent.
///
/// # Errors
/// `Corrupt` when it is not that of this extent, `NewerFormat` when a later version wrote it.
pub fn check_header(stored: &[u8], timeline: Timeline, start: Lsn) -> Result<()> {
    let found = FileHeader::decode(stored, EXTENT_MAGIC, EXTENT_VERSION)?;
    if found.subject == timeline.0 && found.number == start {
        return Ok(());
    }
    let got = format!("{} from {}", Timeline(found.subject), found.number);
    Err(Error::corrupt("this is another extent").with_offset(0).with_expected(format!("{timeline} from {start}"), got))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::codec::checksum::unseal;

    fn stored(timeline: Timeline, start: Lsn, records: &[u8]) -> Vec<u8> {
        body(timeline, start, Bytes::copy_from_slice(records)).concat()
    }

    #[test]
    fn key_and_size_give_the_range() {
        let bytes = stored(Timeline([3; 16]), 640, &[5; 192]);
        assert_eq!(&bytes[..8], b"VECEXT\0\0");
        assert_eq!(end_of(640, bytes.len() as u64), Some(832));
        check_header(&bytes, Timeline([3; 16]), 640).unwrap();
        assert_eq!(unseal(&bytes).unwrap()[64..], [5; 192]);
        assert!(check_header(&bytes, Timeline([3; 16]), 704).is_err());
        assert!(check_header(&bytes, Timeline([4; 16]), 640).is_err());
    }

    #[test]
    fn sizes_that_no_extent_has_give_no_range() {
        for size in [0, 1, 95, 96, 97, 96 + 63, 96 + 65, u64::MAX, EXTENT_LEN_MAX + 96 + 64] {
            assert_eq!(end_of(0, size), None, "{size}");
        }
        assert_eq!(end_of(u64::MAX - 10, 96 + 64), None);
        assert_eq!(end_of(64, 96 + 64), Some(128));
    }
}
