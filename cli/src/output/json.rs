//! Lines of JSON: results, and what goes to stderr beside them.

use crate::exit::Failure;
use serde::Serialize;
use serde_json::json;

/// Renders a result.
pub(super) fn line<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::internal(format!("cannot write the result as JSON: {error}")))
}

/// Renders a failure with all documented keys; what is not known is null.
pub fn error(failure: &Failure) -> String {
    json!({"error": {
        "kind": failure.kind.name(),
        "message": failure.message,
        "object": failure.object,
        "file": failure.file,
        "offset": failure.offset,
        "expected": failure.expected,
        "got": failure.got,
        "hint": failure.hint,
        "exit": failure.kind.exit_code(),
    }})
    .to_string()
}

pub(super) fn note(text: &str) -> String {
    json!({"event": "note", "message": text}).to_string()
}

pub(super) fn warning(text: &str) -> String {
    json!({"event": "warning", "message": text}).to_string()
}

pub(super) fn progress(what: &str, done: u64, total: Option<u64>, unit: &str, seconds: f64) -> String {
    json!({"event": "progress", "what": what, "done": done, "total": total, "unit": unit, "seconds": seconds}).to_string()
}
