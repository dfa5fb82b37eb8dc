//! The lines that a server writes to its log: what happened, to what, how long it took. Never a body, a key, a query string or a header.

use std::time::Duration;

use engine::{Error, ErrorKind};
use platform::http::{Head, Method};
use platform::log::{debug, enabled, error, info, warn};

/// A request that takes longer than this is worth a line, in microseconds.
const SLOW_MICROS: u64 = 1_000_000;
/// Longest id of a request that a client may choose.
const ID_LEN_MAX: usize = 128;

/// Says that requests are answered from now on.
pub fn ready(url: &str, collections: usize, micros: u64) {
    info!(target: "vectra::server", url, collections, ms = micros / 1000, "ready");
}

/// Says that the server ends: it was told to, or a log takes no more writes.
pub fn ending(why: Option<&Error>) {
    match why {
        None => info!(target: "vectra::server", "ending"),
        Some(why) => error!(target: "vectra::server", kind = why.kind.name(), error = %why, "ending: a log takes no more writes"),
    }
}

/// Says that requests were not answered though the server waited for them.
pub fn given_up(waited: Duration) {
    warn!(target: "vectra::server", seconds = waited.as_secs(), "requests took too long to end, and were given up");
}

/// Says that the server has ended, and what could not be closed.
pub fn ended(why: Option<&Error>) {
    match why {
        None => info!(target: "vectra::server", "ended"),
        Some(why) => error!(target: "vectra::server", kind = why.kind.name(), error = %why, "ended, not everything closed"),
    }
}

/// A request that was answered.
pub(crate) struct Answered<'a> {
    pub(crate) head: &'a Head,
    /// The call, without what a client chooses of its path.
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    pub(crate) micros: u64,
    /// Why it failed, where it did.
    pub(crate) error: Option<&'a Error>,
}

impl Answered<'_> {
    /// Says whether the log has a line for it.
    pub(crate) fn is_logged(&self) -> bool {
        self.is_failure() || self.micros > SLOW_MICROS || enabled!(target: "vectra::http", platform::log::Level::DEBUG)
    }

    /// Tells whether it failed here. Whose collection was replaced meanwhile only has to ask again.
    fn is_failure(&self) -> bool {
        self.status >= 500 && self.error.is_none_or(|error| error.kind != ErrorKind::Interrupted)
    }

    /// Writes the line.
    pub(crate) fn log(&self, request_id: &str) {
        let Answered { head, route, status, micros, error } = self;
        let (method, ms, trace) = (Method::name(head.method), *micros as f64 / 1e3, traceparent(head));
        let kind = error.map(|error| error.kind.name());
        if self.is_failure() {
            // What the client is told, too; the text of an error of ours names files and objects.
            let why = error.map(ToString::to_string);
            error!(target: "vectra::http", method, route, status, ms, kind, error = why, request_id, traceparent = trace, "request failed");
        } else if *micros > SLOW_MICROS {
            warn!(target: "vectra::http", method, route, status, ms, kind, request_id, traceparent = trace, "slow request");
        } else {
            debug!(target: "vectra::http", method, route, status, ms, kind, request_id, traceparent = trace, "request");
        }
    }
}

/// Gives the id that a client chose for a request, if it is one: letters, digits and `-_.:` only, so that it cannot break a line.
pub(crate) fn request_id(head: &Head) -> Option<&str> {
    let is_plain = |id: &&str| {
        (1..=ID_LEN_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
    };
    head.headers.get("x-request-id").filter(is_plain)
}

/// Gives the place in a trace that a request belongs to, if it is written as W3C says: version, trace, parent, flags, in lower-case digits.
fn traceparent(head: &Head) -> Option<&str> {
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_one = |value: &&str| {
        let parts: Vec<&str> = value.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        lengths == [2, 32, 16, 2] && parts.iter().all(|part| is_hex(part)) && parts[0] != "ff" && parts[1].bytes().any(|byte| byte != b'0')
    };
    head.headers.get("traceparent").filter(is_one)
}

/// Says that an archive does not take what is written; told once until it does.
pub(crate) fn archive_failed(archive: &str, why: &Error) {
    warn!(target: "vectra::archive", archive, kind = why.kind.name(), error = %why, "archiving fails");
}

/// Says that an archive takes again what is written.
pub(crate) fn archive_recovered(archive: &str) {
    info!(target: "vectra::archive", archive, "archiving goes on");
}

/// Says that background work of a collection failed; told once until it succeeds.
pub(crate) fn upkeep_failed(collection: &str, why: &Error) {
    error!(target: "vectra::upkeep", collection, kind = why.kind.name(), error = %why, "background work fails");
}

/// Says that background work of a collection succeeds again.
pub(crate) fn upkeep_recovered(collection: &str) {
    info!(target: "vectra::upkeep", collection, "background work goes on");
}

/// Says that a job begins.
pub(crate) fn job_began(job: &str, kind: &str) {
    info!(target: "vectra::jobs", job, kind, "job begins");
}

/// Says how a job ended.
pub(crate) fn job_ended(job: &str, kind: &str, state: &str, micros: u64) {
    info!(target: "vectra::jobs", job, kind, state, seconds = micros as f64 / 1e6, "job ended");
}

/// Writes what a schedule has to tell: a moment that was missed or refused, a run that failed.
pub fn schedule(text: &str) {
    warn!(target: "vectra::schedule", "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::http::Headers;

    fn head(name: &str, value: &str) -> Head {
        let headers: Headers = [(name, value)].into_iter().collect();
        Head { method: Method::Get, path: "/".to_owned(), query: String::new(), headers, peer: ([127, 0, 0, 1], 1).into(), is_tls: false }
    }

    #[test]
    fn an_id_that_could_break_a_line_is_not_taken() {
        assert_eq!(request_id(&head("x-request-id", "ab-1_2.3:4")), Some("ab-1_2.3:4"));
        let long = "a".repeat(ID_LEN_MAX + 1);
        for bad in ["", "a b", "a\nb", "a\"b", "é", long.as_str()] {
            assert_eq!(request_id(&head("x-request-id", bad)), None, "{bad:?}");
        }
    }

    #[test]
    fn a_place_in_a_trace_is_taken_when_it_is_written_as_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(&head("traceparent", good)), Some(good));
        let upper = good.to_uppercase();
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for bad in ["", "00", "00-4bf9-00f0-01", upper.as_str(), zero, "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"] {
            assert_eq!(traceparent(&head("traceparent", bad)), None, "{bad}");
        }
    }

    #[test]
    fn who_only_has_to_ask_again_is_no_failure_of_the_server() {
        let head = head("x-request-id", "1");
        let interrupted = Error::new(ErrorKind::Interrupted, "replaced");
        for (status, error, is_failure) in [
            (503, Some(&interrupted), false),
            (503, Some(&Error::new(ErrorKind::Unreachable, "away")), true),
            (500, None, true),
            (404, None, false),
        ] {
            let answered = Answered { head: &head, route: "GET /", status, micros: 0, error };
            assert_eq!(answered.is_failure(), is_failure, "{status} {error:?}");
        }
    }
}
