//! What the server says about itself: version, health.

use platform::http::Method;
use serde_json::json;

use super::ApiOptions;
use super::answer::{Answer, Outcome};

/// Says whether a path answers without a key and is never kept waiting.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/healthz" | "/livez" | "/readyz")
}

/// Answers a request about the server itself; `None` when it is about something else.
pub(super) fn answer(method: &Method, segments: &[&str], options: &ApiOptions) -> Option<Outcome> {
    if !super::is_reading(method) {
        return None;
    }
    match segments {
        [] => Some(Answer::bare(&json!({
            "title": "VectraDB, with a Qdrant-compatible REST API",
            "version": options.api_version,
            "vectra_version": env!("CARGO_PKG_VERSION"),
        }))),
        ["healthz"] => Some(text("healthz check passed")),
        ["livez"] => Some(text("livez check passed")),
        ["readyz"] => Some(text("all shards are ready")),
        ["cluster"] => Some(Answer::of(&json!({"status": "disabled"}))),
        _ => None,
    }
}

fn text(text: &str) -> Outcome {
    Ok(Answer::Text("text/plain", text.to_owned()))
}
