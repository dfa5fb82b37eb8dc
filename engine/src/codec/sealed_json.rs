//! Small files and descriptions: JSON text, a newline, and the BLAKE3 of both; the version is read before the rest.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checksum::{seal, unseal};
use super::file_header::newer_format;
use crate::error::{Error, ErrorKind, Result};

/// What the error on a word of a later version begins with, so that it is told from damage.
pub const NEWER: &str = "written by a later version:";

/// Lays a value out.
///
/// # Panics
/// When the value holds something that JSON cannot say; the types that are stored do not.
#[must_use]
pub fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("what is stored has nothing that JSON cannot say");
    text.push(b'\n');
    seal(text)
}

/// Reads a value, hash first, then its field `format`, then the rest.
///
/// # Errors
/// `Corrupt` when the bytes are not what was written, `NewerFormat` when a version after `version` wrote them.
pub fn decode<T: DeserializeOwned>(what: &str, version: u32, stored: &[u8]) -> Result<T> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let text = unseal(stored)?;
    let found: Version = serde_json::from_slice(text).map_err(|e| json_error(&e))?;
    if found.format == 0 || found.format > version {
        return Err(newer_format(what, format!("version {}", found.format), version as u16));
    }
    serde_json::from_slice(text).map_err(|e| json_error(&e))
}

/// Turns an error of reading JSON into ours: `NewerFormat` for a role or kind of a later version, `Corrupt` otherwise.
#[must_use]
pub fn json_error(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if text.contains(NEWER) {
        return Error::new(ErrorKind::NewerFormat, text).with_hint("use the version of vectra that wrote it, or a newer one");
    }
    Error::corrupt(format!("cannot read the description: {text}"))
}
