//! JSON text as it is stored: checked, without blanks, key order and the text of numbers and strings as the user wrote them.

mod scan;
#[cfg(test)]
mod tests;

use crate::Result;

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
