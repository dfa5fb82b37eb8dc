//! The bytes of a seal: the object that ends a timeline and names the one that goes on.

use engine::codec::checksum::{HASH_LEN, seal, unseal};
use engine::codec::file_header::FILE_HEADER_LEN;
use engine::codec::{FileHeader, Reader};
use engine::error::{Error, Result};
use engine::ids::{Lsn, Timeline};

use crate::archive::extent::{EXTENT_OVERHEAD, RECORD_ALIGN, SEAL_LEN};

/// The eight bytes that a seal begins with.
pub const SEAL_MAGIC: [u8; 8] = *b"VECSEAL\0";
/// Version of the format.
pub const SEAL_VERSION: u16 = 1;
/// Bytes of the successor's id.
const SUCCESSOR_LEN: usize = 16;

const _: () = assert!((FILE_HEADER_LEN + SUCCESSOR_LEN + HASH_LEN) as u64 == SEAL_LEN);
// No extent has the size of a seal, so a listing tells them apart.
const _: () = assert!(SEAL_LEN > EXTENT_OVERHEAD && !(SEAL_LEN - EXTENT_OVERHEAD).is_multiple_of(RECORD_ALIGN));

/// The end of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// The timeline that ends.
    pub timeline: Timeline,
    /// Where: its last byte is before this position.
    pub at: Lsn,
    /// The timeline that goes on.
    pub successor: Timeline,
}

impl Seal {
    /// Lays the seal out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let header = FileHeader { magic: SEAL_MAGIC, version: SEAL_VERSION, subject: self.timeline.0, number: self.at };
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(&self.successor.0);
        let stored = seal(bytes);
        assert_eq!(stored.len() as u64, SEAL_LEN, "a seal has its size");
        stored
    }

    /// Reads the seal that stands at `at` in a timeline's log.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not that seal, `NewerFormat` when a later version wrote it.
    pub fn decode(stored: &[u8], timeline: Timeline, at: Lsn) -> Result<Self> {
        let content = unseal(stored)?;
        let header = FileHeader::decode(content, SEAL_MAGIC, SEAL_VERSION)?;
        if stored.len() as u64 != SEAL_LEN {
            return Err(Error::corrupt("a seal has another size").with_expected(SEAL_LEN, stored.len()));
        }
        if header.subject != timeline.0 || header.number != at {
            let got = format!("{} at {}", Timeline(header.subject), header.number);
            return Err(Error::corrupt("this is another seal").with_offset(0).with_expected(format!("{timeline} at {at}"), got));
        }
        let successor = Timeline(Reader::new(&content[FILE_HEADER_LEN..]).array()?);
        Ok(Seal { timeline, at, successor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ErrorKind;

    fn sample() -> Seal {
        Seal { timeline: Timeline([7; 16]), at: 640, successor: Timeline([9; 16]) }
    }

    fn read(stored: &[u8]) -> Result<Seal> {
        Seal::decode(stored, Timeline([7; 16]), 640)
    }

    #[test]
    fn golden_bytes() {
        let stored = sample().encode();
        assert_eq!(stored.len(), 112);
        assert_eq!(&stored[..10], b"VECSEAL\0\x01\0");
        assert_eq!(stored[32..48], [7; 16]);
        assert_eq!(stored[48..56], 640_u64.to_le_bytes());
        assert_eq!(stored[64..80], [9; 16]);
        assert_eq!(read(&stored).unwrap(), sample());
    }

    #[test]
    fn every_cut_every_flipped_bit_and_every_other_place_is_an_error() {
        let stored = sample().encode();
        for len in 0..stored.len() {
            assert!(read(&stored[..len]).is_err(), "cut at {len}");
        }
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped).is_err(), "bit {bit}");
        }
        assert!(Seal::decode(&stored, Timeline([7; 16]), 704).is_err());
        assert!(Seal::decode(&stored, Timeline([8; 16]), 640).is_err());
        let mut longer = stored[..80].to_vec();
        longer.push(0);
        assert!(read(&seal(longer)).is_err());
    }

    #[test]
    fn a_later_version_is_refused_as_newer() {
        let header = FileHeader { magic: SEAL_MAGIC, version: SEAL_VERSION + 1, subject: [7; 16], number: 640 };
        let stored = seal([&header.encode()[..], &[9; 16]].concat());
        assert_eq!(read(&stored).unwrap_err().kind, ErrorKind::NewerFormat);
    }
}
