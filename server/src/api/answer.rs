//! Answers and errors in Qdrant's envelope: `{"result": ..., "status": "ok", "time": seconds}`.

use engine::{Error, ErrorKind};
use platform::http::{Refusal, Response};
use serde::Serialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json, value::RawValue};

use super::keys::Denied;

/// What a function of the API gives.
pub(super) type Outcome = Result<Answer, Error>;

const JSON: &str = "application/json";

/// A successful answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// A result in the envelope.
    Result(Box<RawValue>),
    /// JSON without the envelope.
    Bare(Box<RawValue>),
    /// Text.
    Text(&'static str, String),
}

impl Answer {
    /// Puts a result into the envelope.
    ///
    /// # Errors
    /// `Internal` when it cannot be said in JSON.
    pub(super) fn of<T: Serialize + ?Sized>(result: &T) -> Outcome {
        to_raw_value(result).map(Answer::Result).map_err(unsayable)
    }

    /// Gives JSON as it is.
    ///
    /// # Errors
    /// As [`Answer::of`].
    pub(super) fn bare<T: Serialize + ?Sized>(value: &T) -> Outcome {
        to_raw_value(value).map(Answer::Bare).map_err(unsayable)
    }

    /// Makes the response of it, which took so many microseconds.
    pub(super) fn into_response(self, took: u64) -> Response {
        match self {
            Answer::Result(result) => {
                let text = format!("{{\"result\":{},\"status\":\"ok\",\"time\":{}}}", result.get(), seconds(took));
                Response::new(200, JSON, text)
            }
            Answer::Bare(value) => Response::new(200, JSON, value.get().to_owned()),
            Answer::Text(content_type, text) => Response::new(200, content_type, text),
        }
    }
}

fn unsayable(error: serde_json::Error) -> Error {
    Error::internal(format!("an answer cannot be said in JSON: {error}"))
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Makes the response of an error.
pub(super) fn failed(error: &Error, took: u64) -> Response {
    with_status(error.kind.http_status(), &text_of(error), error.kind.name(), took)
}

/// Says an error as commands say it, with all documented members; what is not known is null.
pub(super) fn error_json(error: &Error) -> Value {
    json!({"error": {
        "kind": error.kind.name(),
        "message": error.message,
        "object": error.object,
        "file": error.file,
        "offset": error.offset,
        "expected": error.expected,
        "got": error.got,
        "hint": error.hint,
        "exit": error.kind.exit_code(),
    }})
}

/// Makes the response to a request whose work goes on as a job.
pub(super) fn accepted(job: &str, took: u64) -> Response {
    let body = json!({"result": null, "status": "accepted", "time": seconds(took), "job": job});
    Response::new(202, JSON, body.to_string())
}

/// Makes the response to a request that its key does not allow.
pub(super) fn denied(denied: Denied) -> Response {
    let (status, text) = match denied {
        Denied::Missing => (401, "the request has no api key"),
        Denied::Wrong => (401, "the api key is wrong"),
        Denied::ReadOnly => (403, "this api key may only read"),
        Denied::Elsewhere => (403, "this api key is for another collection"),
        Denied::PointsAlone => (403, "this api key is for the points of its collection, and for nothing else"),
    };
    let mut response = with_status(status, text, ErrorKind::Denied.name(), 0);
    if status == 401 {
        response.headers.push(("www-authenticate", "Bearer".to_owned()));
    }
    response
}

/// Says an error in one line, begun as Qdrant begins it.
fn text_of(error: &Error) -> String {
    let begin = match error.kind {
        ErrorKind::NotFound => "Not found: ",
        ErrorKind::InvalidInput | ErrorKind::Usage => "Wrong input: ",
        _ => "",
    };
    let mut text = format!("{begin}{}", error.message);
    if let (Some(expected), Some(got)) = (&error.expected, &error.got) {
        text += &format!(": expected {expected}, got {got}");
    }
    if let Some(hint) = &error.hint {
        text += &format!(" ({hint})");
    }
    text
}

fn with_status(status: u16, text: &str, kind: &str, took: u64) -> Response {
    let body = json!({"status": {"error": text, "kind": kind}, "time": seconds(took), "result": null});
    Response::new(status, JSON, body.to_string())
}

/// Makes the response to a request that did not come through.
pub(super) fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::BodyTooLarge { limit } => with_status(413, &format!("the body is larger than {limit} bytes"), "invalid_input", 0),
        Refusal::BodyTooSlow => with_status(408, "the body did not come in time", "timeout", 0),
        Refusal::Malformed(why) => with_status(400, &format!("the request is malformed: {why}"), "usage", 0),
        Refusal::HeadTooLarge => with_status(431, "the head of the request is too large", "usage", 0),
        Refusal::Panicked => with_status(500, "the request met a defect of the server: report it", "internal", 0),
        Refusal::Stopping => with_status(503, "the server stops", "interrupted", 0),
        Refusal::Overloaded { retry_after_seconds } => {
            let mut response = with_status(429, "too many requests at once", "conflict", 0);
            response.headers.push(("retry-after", retry_after_seconds.to_string()));
            response
        }
    }
}
