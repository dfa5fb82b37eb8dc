//! Requests that were answered, by route and status: counted over atomics.

use std::sync::atomic::{AtomicU64, Ordering};

use engine::timings::{Counted, Durations};
use platform::http::Method;

/// Statuses that are counted apart; others are counted together.
const CODES: [u16; 21] = [200, 201, 202, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 429, 431, 500, 501, 503, 507];
/// Segments of the longest route.
const SEGMENTS_MAX: usize = 8;
/// The name of what is no route.
const OTHER: &str = "other";

/// The calls that are counted apart: a part that a client chooses stands in braces, and `**` for any rest.
const ROUTES: &[(Method, &str)] = &[
    (Method::Get, "/"),
    (Method::Get, "/healthz"),
    (Method::Get, "/livez"),
    (Method::Get, "/readyz"),
    (Method::Get, "/metrics"),
    (Method::Get, "/telemetry"),
    (Method::Get, "/cluster"),
    (Method::Get, "/aliases"),
    (Method::Get, "/collections"),
    (Method::Post, "/collections/aliases"),
    (Method::Get, "/collections/{c}"),
    (Method::Put, "/collections/{c}"),
    (Method::Patch, "/collections/{c}"),
    (Method::Delete, "/collections/{c}"),
    (Method::Get, "/collections/{c}/exists"),
    (Method::Get, "/collections/{c}/aliases"),
    (Method::Get, "/collections/{c}/cluster"),
    (Method::Put, "/collections/{c}/index"),
    (Method::Delete, "/collections/{c}/index/{field}"),
    (Method::Post, "/collections/{c}/facet"),
    (Method::Put, "/collections/{c}/points"),
    (Method::Post, "/collections/{c}/points"),
    (Method::Get, "/collections/{c}/points/{id}"),
    (Method::Post, "/collections/{c}/points/delete"),
    (Method::Post, "/collections/{c}/points/scroll"),
    (Method::Post, "/collections/{c}/points/count"),
    (Method::Post, "/collections/{c}/points/query"),
    (Method::Post, "/collections/{c}/points/query/batch"),
    (Method::Post, "/collections/{c}/points/query/groups"),
    (Method::Post, "/collections/{c}/points/payload"),
    (Method::Put, "/collections/{c}/points/payload"),
    (Method::Post, "/collections/{c}/points/payload/delete"),
    (Method::Post, "/collections/{c}/points/payload/clear"),
    (Method::Put, "/collections/{c}/points/vectors"),
    (Method::Post, "/collections/{c}/points/vectors/delete"),
    (Method::Post, "/collections/{c}/points/batch"),
    (Method::Get, "/collections/{c}/snapshots"),
    (Method::Post, "/collections/{c}/snapshots"),
    (Method::Put, "/collections/{c}/snapshots/recover"),
    (Method::Post, "/collections/{c}/snapshots/upload"),
    (Method::Get, "/collections/{c}/snapshots/{snapshot}"),
    (Method::Delete, "/collections/{c}/snapshots/{snapshot}"),
    (Method::Get, "/snapshots"),
    (Method::Post, "/snapshots"),
    (Method::Get, "/snapshots/{snapshot}"),
    (Method::Delete, "/snapshots/{snapshot}"),
    (Method::Post, "/vectra/v1/commands"),
    (Method::Get, "/vectra/v1/**"),
    (Method::Post, "/vectra/v1/**"),
    (Method::Put, "/vectra/v1/**"),
    (Method::Delete, "/vectra/v1/**"),
];

/// A route, and what was counted of it.
#[derive(Debug)]
struct Row {
    method: Method,
    segments: Vec<&'static str>,
    /// Method and path: what it is called.
    name: String,
    codes: [AtomicU64; CODES.len() + 1],
    durations: Durations,
}

/// The place of a route in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouteId(usize);

/// What was answered since the server began.
#[derive(Debug)]
pub(crate) struct Requests {
    /// The last one takes what is no route.
    rows: Vec<Row>,
}

/// A route as it is read.
#[derive(Debug)]
pub(super) struct RouteCounts<'a> {
    pub(super) name: &'a str,
    /// Statuses that were answered, and how often.
    pub(super) codes: Vec<(&'static str, u64)>,
    pub(super) durations: Counted,
}

impl Row {
    fn new(method: Method, name: String, path: &'static str) -> Self {
        let segments = path.split('/').filter(|segment| !segment.is_empty()).collect();
        Row { method, segments, name, codes: Default::default(), durations: Durations::default() }
    }

    fn takes(&self, method: Method, segments: &[&str]) -> bool {
        let is_any_rest = self.segments.last() == Some(&"**");
        let fixed = &self.segments[..self.segments.len() - usize::from(is_any_rest)];
        let fits = if is_any_rest { segments.len() > fixed.len() } else { segments.len() == fixed.len() };
        fits && self.method == method && fixed.iter().zip(segments).all(|(own, found)| own == found || own.starts_with('{'))
    }
}

impl Requests {
    pub(crate) fn new() -> Self {
        let routes = ROUTES.iter().map(|(method, path)| Row::new(*method, format!("{} {path}", method.name()), path));
        Requests { rows: routes.chain([Row::new(Method::Other, OTHER.to_owned(), OTHER)]).collect() }
    }

    /// Finds the route of a request.
    pub(crate) fn route(&self, method: Method, path: &str) -> RouteId {
        let method = if method == Method::Head { Method::Get } else { method };
        let (mut segments, mut count) = ([""; SEGMENTS_MAX], 0);
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            if count == SEGMENTS_MAX {
                break;
            }
            segments[count] = segment;
            count += 1;
        }
        let last = self.rows.len() - 1;
        // The first that takes it: fixed words stand before what a client chooses.
        RouteId(self.rows[..last].iter().position(|row| row.takes(method, &segments[..count])).unwrap_or(last))
    }

    /// Gives the name of a route.
    pub(crate) fn name(&self, route: RouteId) -> &str {
        &self.rows[route.0].name
    }

    /// Counts an answer and how long it took.
    pub(crate) fn answered(&self, route: RouteId, status: u16, micros: u64) {
        self.refused(route, status);
        self.rows[route.0].durations.count(micros);
    }

    /// Counts an answer that took no time.
    pub(crate) fn refused(&self, route: RouteId, status: u16) {
        let code = CODES.iter().position(|code| *code == status).unwrap_or(CODES.len());
        self.rows[route.0].codes[code].fetch_add(1, Ordering::Relaxed);
    }

    /// Reads what was counted; a route that nobody asked for is left out.
    pub(super) fn read(&self) -> impl Iterator<Item = RouteCounts<'_>> {
        let read = |row: &'_ Row| -> Vec<(&'static str, u64)> {
            let counts = row.codes.iter().enumerate().map(|(at, count)| (code_text(at), count.load(Ordering::Relaxed)));
            counts.filter(|(_, count)| *count > 0).collect()
        };
        let rows = self.rows.iter().map(move |row| RouteCounts { name: &row.name, codes: read(row), durations: row.durations.read() });
        rows.filter(|row| !row.codes.is_empty())
    }
}

/// Gives the digits of a status that is counted apart.
fn code_text(at: usize) -> &'static str {
    const TEXTS: [&str; CODES.len() + 1] = [
        "200", "201", "202", "304", "400", "401", "403", "404", "405", "406", "408", "409", "413", "415", "422", "429", "431", "500",
        "501", "503", "507", OTHER,
    ];
    TEXTS[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_an_error_is_counted_apart_under_its_digits() {
        for kind in engine::ErrorKind::ALL {
            assert!(CODES.contains(&kind.http_status()), "{kind:?}");
        }
        CODES.iter().enumerate().for_each(|(at, code)| assert_eq!(code_text(at), code.to_string()));
        assert_eq!(code_text(CODES.len()), OTHER);
    }

    #[test]
    fn every_route_is_found_under_its_own_path_and_no_name_is_in_a_label() {
        let requests = Requests::new();
        for (method, path) in ROUTES {
            let asked =
                path.replace("{c}", "docs").replace("{id}", "7").replace("{field}", "a.b").replace("{snapshot}", "s").replace("**", "x/y");
            assert_eq!(requests.name(requests.route(*method, &asked)), format!("{} {path}", method.name()));
        }
        assert_eq!(requests.name(requests.route(Method::Get, "/collections/secret/points/secret/secret")), OTHER);
        assert_eq!(requests.name(requests.route(Method::Other, "/collections")), OTHER);
        assert_eq!(requests.name(requests.route(Method::Get, &"/a".repeat(1000))), OTHER);
        assert_eq!(requests.name(requests.route(Method::Head, "//collections/x")), "GET /collections/{c}");
    }

    #[test]
    fn answers_are_counted_by_route_and_status() {
        let requests = Requests::new();
        let route = requests.route(Method::Get, "/collections");
        requests.answered(route, 200, 150);
        requests.answered(route, 200, 150);
        requests.refused(route, 401);
        requests.refused(route, 299);
        let read: Vec<_> = requests.read().collect();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].name, &read[0].codes[..]), ("GET /collections", &[("200", 2), ("401", 1), (OTHER, 1)][..]));
        assert_eq!((read[0].durations.total(), read[0].durations.sum_micros), (2, 300));
    }
}
