//! What whoever watches a server sees: metrics, telemetry, readiness, and the ids of requests.

use std::path::Path;
use std::sync::Arc;

use engine::database::{Database, DatabaseOptions};
use engine::{Error, ErrorKind, Kernels};
use platform::http::{Method, sim};
use platform::sim::SimWorld;
use serde_json::json;
use server::{Api, ApiOptions, Host, HostOptions, Keys, Stores, WhenBroken};

use super::Server;

fn page(server: &Server) -> String {
    let answer = sim::ask(&server.api, Method::Get, "/metrics", &[], b"");
    assert_eq!(answer.status, 200);
    assert!(answer.headers.get("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    String::from_utf8(answer.body).unwrap()
}

/// Finds the value of a sample.
fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)).unwrap_or_else(|| panic!("{sample} is not in {page}"));
    line.trim().parse().unwrap()
}

#[test]
fn what_is_asked_and_written_is_counted_where_it_happens() {
    let server = Server::with_points();
    let before = page(&server);
    for _ in 0..3 {
        server.ok(Method::Post, "/collections/c/points/query", &json!({"query": [1, 0]}));
    }
    server.ok(Method::Post, "/collections/c/points/delete", &json!({"points": [1, 2]}));
    assert_eq!(server.ask(Method::Get, "/collections/nothing", "").0, 404);
    let after = page(&server);
    let query = "{route=\"POST /collections/{c}/points/query\"";
    assert!(!before.contains(query));
    assert!((value(&after, &format!("vectra_http_requests_total{query},code=\"200\"}}")) - 3.0).abs() < 0.1);
    assert!((value(&after, &format!("vectra_http_request_duration_seconds_count{query}}}")) - 3.0).abs() < 0.1);
    assert!((value(&after, "vectra_query_duration_seconds_count{collection=\"c\",op=\"query\"}") - 3.0).abs() < 0.1);
    assert!((value(&after, "vectra_http_requests_total{route=\"GET /collections/{c}\",code=\"404\"}") - 1.0).abs() < 0.1);
    assert!((value(&after, "vectra_collection_points{collection=\"c\"}") - 8.0).abs() < 0.1);
    let syncs = "vectra_wal_fsync_duration_seconds_count{collection=\"c\"}";
    assert!((value(&after, syncs) - value(&before, syncs) - 1.0).abs() < 0.1, "one write is one sync");
    let end = value(&after, "vectra_wal_last_lsn{collection=\"c\"}");
    assert!(end > value(&before, "vectra_wal_last_lsn{collection=\"c\"}"));
    assert!((value(&after, "vectra_wal_durable_lsn{collection=\"c\"}") - end).abs() < 0.1, "what was acknowledged is durable");
}

#[test]
fn whoever_may_read_may_watch() {
    let keys = Keys { read_only: Some("eyes".to_owned()), admin: Some("boss".to_owned()), ..Keys::default() };
    let server = Server::over(SimWorld::new(1), keys);
    for path in ["/metrics", "/telemetry"] {
        assert_eq!(sim::ask(&server.api, Method::Get, path, &[], b"").status, 401, "{path}");
        assert_eq!(sim::ask(&server.api, Method::Get, path, &[("api-key", "eyes")], b"").status, 200, "{path}");
        assert_eq!(sim::ask(&server.api, Method::Post, path, &[("api-key", "boss")], b"").status, 404, "{path}");
    }
    let text = String::from_utf8(sim::ask(&server.api, Method::Get, "/metrics", &[("api-key", "eyes")], b"").body).unwrap();
    assert!((value(&text, "vectra_http_requests_total{route=\"GET /metrics\",code=\"401\"}") - 1.0).abs() < 0.1, "{text}");
}

#[test]
fn telemetry_says_what_runs_and_what_was_asked() {
    let server = Server::with_points();
    let told = server.ok(Method::Get, "/telemetry", &json!({}));
    assert_eq!((&told["app"]["name"], &told["collections"]["number_of_collections"]), (&json!("vectra"), &json!(1)));
    assert_eq!(told["collections"]["collections"][0], json!({"id": "c", "points_count": 10, "segments_count": 0}));
    assert_eq!(told["requests"]["rest"]["responses"]["PUT /collections/{c}/points"]["200"], json!({"count": 1}));
}

#[test]
fn until_its_collections_are_open_a_server_says_how_far_it_is_and_does_nothing_else() {
    let sim = Server::with_points().sim;
    sim.disk.crash();
    let api = Api::opening(&sim.world(), ApiOptions::default());
    let ask = |method, path: &str| sim::ask(&api, method, path, &[], b"{}");
    for path in ["/livez", "/healthz", "/"] {
        assert_eq!(ask(Method::Get, path).status, 200, "{path}");
    }
    let readiness = ask(Method::Get, "/readyz");
    assert_eq!((readiness.status, readiness.headers.get("retry-after")), (503, Some("1")));
    assert_eq!(readiness.body, b"recovering: 0 of 0 collections, 0%");
    for (method, path) in [(Method::Get, "/collections"), (Method::Post, "/collections/c/points/count"), (Method::Get, "/metrics")] {
        let refused = ask(method, path);
        assert_eq!((refused.status, refused.headers.get("retry-after")), (503, Some("1")), "{path}");
        assert!(String::from_utf8(refused.body).unwrap().contains("recovering: 0 of"), "{path}");
    }
    let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
    let stores = Stores::new(|url| Err(Error::new(ErrorKind::Unreachable, format!("no store at {url}"))));
    let options = HostOptions { kernels: Kernels::detect(), build_threads: 1, stores, when_broken: WhenBroken::new(|| ()) };
    let host = Host::start_watched(database, options, api.progress()).unwrap();
    assert_eq!(ask(Method::Get, "/readyz").body, b"recovering: 1 of 1 collections, 100%");
    api.ready(Arc::clone(&host));
    assert_eq!(ask(Method::Get, "/readyz").status, 200);
    assert_eq!(ask(Method::Post, "/collections/c/points/count").status, 200);
}

#[test]
fn a_request_keeps_the_id_that_its_client_gave_it() {
    let server = Server::new();
    let ask = |headers: &[(&str, &str)]| sim::ask(&server.api, Method::Get, "/collections", headers, b"");
    assert_eq!(ask(&[("x-request-id", "abc-1")]).headers.get("x-request-id"), Some("abc-1"));
    assert_eq!(ask(&[("x-request-id", "two\nlines")]).headers.get("x-request-id"), None);
}
