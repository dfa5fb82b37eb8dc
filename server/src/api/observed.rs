//! What whoever watches the server asks for: metrics and telemetry.

use super::Call;
use super::answer::{Answer, Outcome};
use crate::metrics;

/// Answers one of the two paths.
pub(super) fn answer(path: &str, call: &Call<'_>) -> Outcome {
    match path {
        "metrics" => Ok(Answer::Text(metrics::CONTENT_TYPE, metrics::page(call.host, call.requests))),
        _ => Answer::of(&metrics::telemetry(call.host, call.requests)),
    }
}
