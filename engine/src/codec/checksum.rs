//! The two checksums: CRC-32 (ISO-HDLC) inside files, BLAKE3 over whole stored files and objects.

use std::fmt;

use crate::error::{Error, Result};

/// Bytes of a BLAKE3 hash.
pub const HASH_LEN: usize = 32;

/// Computes the CRC-32 of some bytes.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Computes a CRC-32 that also depends on `context`, so that the same bytes in another place or under another header do not pass.
#[must_use]
pub fn crc32_in(context: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&context.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// A BLAKE3 hash of stored bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; HASH_LEN]);

impl Hash {
    /// Hashes some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Hash(*blake3::hash(bytes).as_bytes())
    }

    /// Reads the 64 lower-case hexadecimal digits that `Display` writes.
    ///
    /// # Errors
    /// `InvalidInput` on anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::invalid("not a BLAKE3 hash").with_expected("64 lower-case hexadecimal digits", format!("{} bytes", text.len()));
        let bytes = text.as_bytes();
        if bytes.len() != 2 * HASH_LEN {
            return Err(bad());
        }
        let digit = |b: u8| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        };
        let mut out = [0; HASH_LEN];
        for (at, pair) in bytes.chunks_exact(2).enumerate() {
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return Err(bad()) };
            out[at] = high << 4 | low;
        }
        Ok(Hash(out))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Hash::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Hashes a file piece by piece, in the order of its bytes.
#[derive(Debug, Clone, Default)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Starts with no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Gives the hash of everything added so far.
    #[must_use]
    pub fn finish(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}

/// Appends the BLAKE3 of the bytes to the bytes: how every stored JSON file and object ends.
#[must_use]
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let hash = Hash::of(&bytes);
    bytes.extend_from_slice(&hash.0);
    bytes
}

/// Checks the BLAKE3 that stored bytes end with and gives the bytes before it.
///
/// # Errors
/// `Corrupt` when the hash does not match or there is no room for one.
pub fn unseal(stored: &[u8]) -> Result<&[u8]> {
    let Some(end) = stored.len().checked_sub(HASH_LEN) else {
        return Err(Error::corrupt("too short to end with its hash").with_expected(format!("at least {HASH_LEN} bytes"), stored.len()));
    };
    let (content, trailer) = stored.split_at(end);
    let actual = Hash::of(content);
    if actual.0 != trailer {
        let mut expected = [0; HASH_LEN];
        expected.copy_from_slice(trailer);
        return Err(Error::corrupt("content does not match its hash").with_offset(0).with_expected(Hash(expected), actual));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_or_a_cut_anywhere_breaks_the_seal() {
        let sealed = seal(b"some stored bytes".to_vec());
        assert_eq!(unseal(&sealed).unwrap(), b"some stored bytes");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&flipped).is_err(), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(unseal(&sealed[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn a_checksum_depends_on_its_place() {
        assert_ne!(crc32_in(1, b"abc"), crc32_in(2, b"abc"));
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_hash_reads_back_as_it_prints() {
        let hash = Hash::of(b"x");
        assert_eq!(Hash::parse(&hash.to_string()).unwrap(), hash);
        assert!(Hash::parse(&hash.to_string().to_uppercase()).is_err());
    }
}
