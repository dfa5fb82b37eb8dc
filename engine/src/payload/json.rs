//! JSON text as it is stored: checked, without blanks, key order and the text of numbers and strings as the user wrote them.

mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write;

use super::value::{Value, members};
use crate::{Error, Result};

/// The most bytes of a payload, counted without blanks.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// How deep arrays and objects may lie in one another; the payload itself is the first.
pub const PAYLOAD_DEPTH_MAX: usize = 64;

/// What a text may not exceed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes without blanks.
    pub bytes: usize,
    /// Arrays and objects in one another.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: PAYLOAD_BYTES_MAX, depth: PAYLOAD_DEPTH_MAX }
    }
}

/// Checks a payload and takes its blanks out; `None` is the empty object, which is no payload.
///
/// Nothing else changes: the result means the same, and minifying it again gives it back.
///
/// # Errors
/// `InvalidInput` with the offset when the text is not one JSON object, names a key twice in one object, holds half of a
/// surrogate pair, or exceeds a limit.
pub fn minify_checked(text: &str, limits: &Limits) -> Result<Option<String>> {
    let minified = scan::minify_object(text, "payload", limits)?;
    Ok((minified != "{}").then_some(minified))
}

/// Checks the text of an object that is no payload, a filter; `what` names it in errors.
pub(super) fn minify_object(text: &str, what: &str, limits: &Limits) -> Result<String> {
    scan::minify_object(text, what, limits)
}

/// Gives the payload that results when `patch` is set on `old`; both are minified, and so is the result.
///
/// A top-level key of the patch replaces the old value where it stands; new keys follow in the patch's order. `None` is no payload.
///
/// # Errors
/// `InvalidInput` when the result would exceed [`PAYLOAD_BYTES_MAX`].
pub fn merge(old: Option<&str>, patch: &str) -> Result<Option<String>> {
    let mut changes: BTreeMap<_, _> = members(patch).map(|(key, value)| (key.decode(), value)).collect();
    let mut merged = String::with_capacity(old.map_or(0, str::len) + patch.len());
    let mut put = |raw_key: &str, value: Value<'_>| {
        let before = if merged.is_empty() { '{' } else { ',' };
        // Writing to a String cannot fail.
        let _ = write!(merged, "{before}\"{raw_key}\":{value}");
    };
    for (key, value) in members(old.unwrap_or("{}")) {
        let value = changes.remove(&key.decode()).unwrap_or(value);
        put(key.raw(), value);
    }
    for (key, value) in members(patch).filter(|(key, _)| changes.contains_key(&key.decode())) {
        put(key.raw(), value);
    }
    if merged.is_empty() {
        return Ok(None);
    }
    merged.push('}');
    if merged.len() > PAYLOAD_BYTES_MAX {
        return Err(
            Error::invalid("the payload would grow too large").with_expected(format!("at most {PAYLOAD_BYTES_MAX} bytes"), merged.len())
        );
    }
    Ok(Some(merged))
}
