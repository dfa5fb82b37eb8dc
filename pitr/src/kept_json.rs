//! Small files of a data directory that hold one JSON value each: what is remembered beside the data, for those who watch. The format is
//! `docs/format/kept.md`.

use std::path::Path;

use engine::error::{Error, ErrorKind, Result};
use platform::World;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::archive::stored::{JSON_VERSION, decode_json, encode_json};

/// Longest file that is read.
pub const LEN_MAX: u64 = 8 << 20;

#[derive(Serialize)]
struct Written<'a, T: ?Sized> {
    format: u32,
    kept: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    kept: T,
}

/// Reads a file; `None` where there is none. `what` names what it holds in errors.
///
/// # Errors
/// `Corrupt` when it is damaged, cut off or longer than 8 MiB, `NewerFormat`, `Io`.
pub fn read<T: DeserializeOwned>(world: &World, path: &Path, what: &str) -> Result<Option<T>> {
    let Some(found) = world.fs.metadata(path)? else { return Ok(None) };
    if found.len > LEN_MAX {
        let too_long = Error::corrupt(format!("the file of {what} is too long"));
        return Err(too_long.with_file(path).with_expected(format!("{LEN_MAX} bytes at most"), found.len));
    }
    let stored = platform::fs::read_file(&*world.fs, path)?;
    let read: Result<Read<T>> = decode_json(&format!("file of {what}"), &stored);
    read.map(|read| Some(read.kept)).map_err(|error| {
        // Nothing more will come: a file that is cut off here is damaged.
        let kind = if error.kind == ErrorKind::Incomplete { ErrorKind::Corrupt } else { error.kind };
        Error { kind, ..error.with_file(path) }
    })
}

/// Writes a file whole, in place of what was there.
///
/// # Errors
/// `Io`, `NoSpace`: what was there stays.
pub fn write<T: Serialize + ?Sized>(world: &World, path: &Path, value: &T) -> Result<()> {
    Ok(world.write_file_durably(path, &encode_json(&Written { format: JSON_VERSION, kept: value }))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::codec::checksum::{HASH_LEN, seal};
    use platform::sim::SimWorld;

    const PATH: &str = "/notes.json";

    fn written() -> (World, Vec<u8>) {
        let (world, path) = (SimWorld::new(1).world(), Path::new(PATH));
        assert_eq!(read::<Vec<u32>>(&world, path, "notes").unwrap(), None);
        write(&world, path, &[1, 2][..]).unwrap();
        assert_eq!(read(&world, path, "notes").unwrap(), Some(vec![1, 2]));
        let stored = platform::fs::read_file(&*world.fs, path).unwrap();
        (world, stored)
    }

    #[test]
    fn a_file_has_its_golden_bytes() {
        let (_, stored) = written();
        let text = std::str::from_utf8(&stored[..stored.len() - HASH_LEN]).unwrap();
        assert_eq!(text, "{\"size\":\"0000000000000072034f9c8f\",\n  \"format\": 1,\n  \"kept\": [\n    1,\n    2\n  ]\n}\n");
        assert_eq!(seal(text.as_bytes().to_vec()), stored, "it ends with the BLAKE3 of what is before");
    }

    #[test]
    fn every_truncation_and_every_bit_flip_is_an_error_that_names_the_file() {
        let (world, stored) = written();
        let path = Path::new(PATH);
        let refused = |bytes: &[u8]| {
            world.write_file_durably(path, bytes).unwrap();
            let error = read::<Vec<u32>>(&world, path, "notes").unwrap_err();
            assert!(error.to_string().contains(PATH), "{error}");
            error
        };
        for len in 0..stored.len() {
            assert_eq!(refused(&stored[..len]).kind, ErrorKind::Corrupt, "{len}");
        }
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            refused(&flipped);
        }
        assert_eq!(refused(&vec![b' '; LEN_MAX as usize + 1]).kind, ErrorKind::Corrupt);
        assert_eq!(refused(&encode_json(&Written { format: JSON_VERSION + 1, kept: "" })).kind, ErrorKind::NewerFormat);
        assert_eq!(refused(&encode_json(&Written { format: JSON_VERSION, kept: "no list" })).kind, ErrorKind::Corrupt);
    }
}
