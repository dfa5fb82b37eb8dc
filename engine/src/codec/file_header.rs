//! The 64 bytes that every file and stored object of ours begins with; `docs/format/conventions.md` is its document.

use super::checksum::crc32;
use super::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of the header.
pub const FILE_HEADER_LEN: usize = 64;

/// What identifies a file: its magic, version, subject and one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// Eight bytes that name the format.
    pub magic: [u8; 8],
    /// Version of that format.
    pub version: u16,
    /// The id of what the file belongs to: a timeline for a log file and an extent, the object's own id otherwise.
    pub subject: [u8; 16],
    /// One number of the format: the start LSN of a log file or extent, zero elsewhere.
    pub number: u64,
}

const _: () = assert!(8 + 2 + 2 + 2 + 2 + 16 + 16 + 8 + 4 + 4 == FILE_HEADER_LEN);

impl FileHeader {
    /// Lays the header out.
    #[must_use]
    pub fn encode(&self) -> [u8; FILE_HEADER_LEN] {
        let mut w = Writer::new();
        w.bytes(&self.magic);
        w.u16(self.version);
        w.u16(0); // codec: none
        w.u16(0); // cipher: none
        w.u16(0); // reserved
        w.bytes(&[0; 16]); // key id: none
        w.bytes(&self.subject);
        w.u64(self.number);
        w.u32(0); // reserved
        let crc = crc32(w.as_slice());
        w.u32(crc);
        let mut out = [0; FILE_HEADER_LEN];
        out.copy_from_slice(w.as_slice());
        out
    }

    /// Reads a header and checks that it is of this format and of a version that this program knows.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not such a header, `NewerFormat` when version, codec, cipher or key are from the future.
    pub fn decode(bytes: &[u8], magic: [u8; 8], version_max: u16) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let head = r.take(FILE_HEADER_LEN)?;
        let mut r = Reader::new(head);
        let found: [u8; 8] = r.array()?;
        let version = r.u16()?;
        let codec = r.u16()?;
        let cipher = r.u16()?;
        let reserved = r.u16()?;
        let key_id: [u8; 16] = r.array()?;
        let subject = r.array()?;
        let number = r.u64()?;
        let reserved_too = r.u32()?;
        let stored = r.u32()?;
        let actual = crc32(&head[..FILE_HEADER_LEN - 4]);
        if stored != actual {
            return Err(Error::corrupt("file header checksum mismatch")
                .with_offset(0)
                .with_expected(format!("{stored:#010x}"), format!("{actual:#010x}")));
        }
        if found != magic {
            return Err(Error::corrupt("this is another kind of file")
                .with_offset(0)
                .with_expected(magic.escape_ascii(), found.escape_ascii()));
        }
        let unknown = codec != 0 || cipher != 0 || reserved != 0 || key_id != [0; 16] || reserved_too != 0;
        if version == 0 || version > version_max || unknown {
            return Err(newer_format("file", format!("version {version}, codec {codec}, cipher {cipher}"), version_max));
        }
        Ok(FileHeader { magic, version, subject, number })
    }
}

/// Makes the error on bytes that a later version wrote.
#[must_use]
pub fn newer_format(what: &str, got: String, version_max: u16) -> Error {
    Error::new(ErrorKind::NewerFormat, format!("the {what} has a format that this version does not know"))
        .with_expected(format!("version 1 to {version_max}, no codec, no cipher"), got)
        .with_hint("use the version of vectra that wrote it, or a newer one")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 8] = *b"VECTEST\0";

    fn sample() -> FileHeader {
        FileHeader { magic: MAGIC, version: 1, subject: [7; 16], number: 42 }
    }

    #[test]
    fn golden_bytes() {
        let bytes = sample().encode();
        assert_eq!(&bytes[..16], b"VECTEST\0\x01\0\0\0\0\0\0\0");
        assert_eq!(bytes[32..48], [7; 16]);
        assert_eq!(bytes[48..56], 42_u64.to_le_bytes());
        assert_eq!(FileHeader::decode(&bytes, MAGIC, 1).unwrap(), sample());
    }

    #[test]
    fn every_flip_and_every_truncation_is_an_error() {
        let bytes = sample().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(FileHeader::decode(&flipped, MAGIC, 1).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(FileHeader::decode(&bytes[..len], MAGIC, 1).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn a_later_version_is_refused_as_newer() {
        let later = FileHeader { version: 2, ..sample() };
        let error = FileHeader::decode(&later.encode(), MAGIC, 1).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NewerFormat);
    }
}
