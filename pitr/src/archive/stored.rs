//! Reads and writes of stored things: sealed JSON that tells a cut from damage, bounded gets, and errors of stores in our terms.

use bytes::Bytes;
use engine::codec::checksum::{HASH_LEN, crc32, seal, unseal};
use engine::codec::file_header::newer_format;
use engine::error::{Error, ErrorKind, Result};
use platform::object_store::{ObjectStore, PutOutcome, StoreError, StoreErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Version of every JSON object of an archive.
pub const JSON_VERSION: u32 = 1;
/// Largest JSON object but a snapshot.
pub const JSON_LEN_MAX: u64 = 64 << 10;
/// Bytes fetched at once.
pub const PIECE_LEN: u64 = 8 << 20;

const HEAD: &[u8] = b"{\"size\":\"";
const HEAD_END: &[u8] = b"\",";
/// Bytes of the field that every JSON object begins with.
pub const HEAD_LEN: usize = HEAD.len() + 16 + 8 + HEAD_END.len();

/// Turns an error of a store into ours.
#[must_use]
pub fn store_error(error: &StoreError) -> Error {
    let (kind, hint) = match error.kind {
        StoreErrorKind::NotFound => (ErrorKind::Incomplete, "the copy is not whole: copy it again, or name a complete one"),
        StoreErrorKind::AccessDenied => (ErrorKind::Unreachable, "give this user access to the location"),
        StoreErrorKind::Unreachable => (ErrorKind::Unreachable, "check that the location can be reached, and run the command again"),
        StoreErrorKind::NoSpace => (ErrorKind::NoSpace, "free space at the location, and run the command again: what was sent is used"),
        StoreErrorKind::Corrupt => (ErrorKind::Corrupt, "copy it again from a good copy, or name another backup"),
        StoreErrorKind::Other => (ErrorKind::Io, "look at the location itself"),
    };
    let made = Error::new(kind, error.to_string()).with_hint(hint);
    if error.key.is_empty() { made } else { made.with_object(&error.key) }
}

/// Names the key and the store that an error is about.
#[must_use]
pub fn at(error: Error, store: &dyn ObjectStore, key: &str) -> Error {
    let error = if error.object.is_none() { error.with_object(key) } else { error };
    error.with_file(std::path::Path::new(&store.describe()))
}

/// Lays a value out as a JSON object that begins with its own stored size and ends with its BLAKE3.
///
/// The size field (16 digits of the size and 8 of their CRC, hexadecimal) tells an object that was cut off from one that was damaged.
#[must_use]
pub fn encode_json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("what is stored has nothing that JSON cannot say");
    assert!(text.first() == Some(&b'{') && text.len() > 2, "only objects with fields are stored");
    text.push(b'\n');
    let size = text.len() - 1 + HEAD_LEN + HASH_LEN;
    let digits = format!("{size:016x}");
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(HEAD);
    out.extend_from_slice(digits.as_bytes());
    out.extend_from_slice(format!("{:08x}", crc32(digits.as_bytes())).as_bytes());
    out.extend_from_slice(HEAD_END);
    out.extend_from_slice(&text[1..]);
    let sealed = seal(out);
    assert_eq!(sealed.len(), size, "an object has the size that it states");
    sealed
}

/// Reads the size that a JSON object states; `None` when the field is damaged.
fn stated_size(stored: &[u8]) -> Option<u64> {
    let field = stored.get(..HEAD_LEN)?.strip_prefix(HEAD)?.strip_suffix(HEAD_END)?;
    let (digits, crc) = std::str::from_utf8(field).ok()?.split_at_checked(16)?;
    let crc = u32::from_str_radix(crc, 16).ok()?;
    (crc32(digits.as_bytes()) == crc).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// Reads a JSON object: size first, hash second, then the version, then the rest.
///
/// # Errors
/// `Incomplete` when it is cut off, `Corrupt` when it is damaged, `NewerFormat` when a later version wrote it.
pub fn decode_json<T: DeserializeOwned>(what: &str, stored: &[u8]) -> Result<T> {
    decode_json_up_to(JSON_VERSION, what, stored)
}

/// Reads a JSON object of a version up to `version_max`, as [`decode_json`] does.
///
/// # Errors
/// As [`decode_json`].
pub fn decode_json_up_to<T: DeserializeOwned>(version_max: u32, what: &str, stored: &[u8]) -> Result<T> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let len = stored.len() as u64;
    let stated = stated_size(stored);
    if stored.len() < HEAD_LEN + HASH_LEN || stated.is_some_and(|size| size > len) {
        let expected = stated.map_or_else(|| format!("at least {} bytes", HEAD_LEN + HASH_LEN), |size| format!("{size} bytes"));
        return Err(Error::new(ErrorKind::Incomplete, format!("the {what} is cut off")).with_expected(expected, format!("{len} bytes")));
    }
    let text = unseal(stored)?;
    if stated != Some(len) {
        return Err(Error::corrupt(format!("the {what} has another size than it states")).with_offset(0));
    }
    let wrong = |e: serde_json::Error| Error::corrupt(format!("cannot read the {what}: {e}"));
    let version: Version = serde_json::from_slice(text).map_err(wrong)?;
    if version.format == 0 || version.format > version_max {
        return Err(newer_format(what, format!("version {}", version.format), version_max as u16));
    }
    serde_json::from_slice(text).map_err(wrong)
}

/// Gets a whole object of at most `len_max` bytes.
///
/// # Errors
/// `Incomplete` when it is missing or shorter than listed, `Corrupt` when it is too large, those of the store.
pub fn get_bounded(store: &dyn ObjectStore, key: &str, len_max: u64) -> Result<Bytes> {
    let size = store.head(key).map_err(|e| store_error(&e))?;
    let Some(size) = size else {
        let missing = Error::new(ErrorKind::Incomplete, "an object is missing");
        return Err(at(missing, store, key).with_hint("the copy is not whole: copy it again, or name a complete one"));
    };
    if size > len_max {
        let large = Error::corrupt("the object is too large").with_expected(format!("at most {len_max} bytes"), size);
        return Err(at(large, store, key));
    }
    get_exact(store, key, 0..size)
}

/// Gets a stretch of an object and checks that all of it came.
///
/// # Errors
/// `Incomplete` when the object is missing or ends before, those of the store.
pub fn get_exact(store: &dyn ObjectStore, key: &str, range: std::ops::Range<u64>) -> Result<Bytes> {
    let bytes = store.get_range(key, range.clone()).map_err(|e| store_error(&e))?;
    let expected = range.end.saturating_sub(range.start);
    if bytes.len() as u64 == expected {
        return Ok(bytes);
    }
    let short = Error::new(ErrorKind::Incomplete, "fewer bytes came than were asked for").with_offset(range.start);
    Err(at(short.with_expected(expected, bytes.len()), store, key))
}

/// Gets a stretch of an object in pieces of at most 8 MiB, in order.
///
/// # Errors
/// As [`get_exact`], and those of `visit`.
pub fn for_each_piece(
    store: &dyn ObjectStore,
    key: &str,
    range: std::ops::Range<u64>,
    visit: &mut dyn FnMut(Bytes) -> Result<()>,
) -> Result<()> {
    let mut from = range.start;
    while from < range.end {
        let to = range.end.min(from + PIECE_LEN);
        visit(get_exact(store, key, from..to)?)?;
        from = to;
    }
    Ok(())
}

/// Gets and reads a JSON object.
///
/// # Errors
/// As [`get_bounded`] and [`decode_json`], naming the key.
pub fn get_json<T: DeserializeOwned>(store: &dyn ObjectStore, key: &str, what: &str) -> Result<T> {
    let stored = get_bounded(store, key, JSON_LEN_MAX)?;
    decode_json(what, &stored).map_err(|e| at(e, store, key))
}

/// Puts bytes under a key that may be taken.
///
/// # Errors
/// Those of the store.
pub fn put(store: &dyn ObjectStore, key: &str, bytes: Vec<u8>) -> Result<PutOutcome> {
    store.put_if_absent(key, vec![Bytes::from(bytes)]).map_err(|e| store_error(&e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        format: u32,
        text: String,
    }

    fn sample(format: u32) -> Vec<u8> {
        encode_json(&Sample { format, text: "some text".to_owned() })
    }

    #[test]
    fn a_stored_object_is_json_and_reads_back() {
        let stored = sample(1);
        let read: Sample = decode_json("sample", &stored).unwrap();
        assert_eq!(read.text, "some text");
        assert!(serde_json::from_slice::<serde_json::Value>(&stored[..stored.len() - HASH_LEN]).is_ok());
    }

    #[test]
    fn every_cut_is_incomplete_and_every_flipped_bit_corrupt() {
        let stored = sample(1);
        for len in 0..stored.len() {
            let error = decode_json::<Sample>("sample", &stored[..len]).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Incomplete, "cut at {len}: {error}");
        }
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = decode_json::<Sample>("sample", &flipped).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Corrupt, "bit {bit}: {error}");
        }
    }

    #[test]
    fn a_later_version_is_refused_as_newer() {
        let error = decode_json::<Sample>("sample", &sample(2)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NewerFormat);
    }
}
