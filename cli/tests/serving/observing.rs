//! The real program as whoever watches it sees it: its metrics, its log, and what never stands there.

use crate::{Place, Server};
use platform::clock::{Clock, OsClock};
use platform::http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

const DOCUMENT: &str = include_str!("../../../docs/ops/metrics.md");
/// How long anything may take to be seen, in microseconds.
const PATIENCE_MICROS: u64 = 60_000_000;

impl Server {
    /// Asks for the metrics until a sample is there.
    fn metrics_with(&self, sample: &str) -> String {
        let clock = OsClock::new();
        while clock.monotonic_micros() < PATIENCE_MICROS {
            let (status, page) = self.say(Method::Get, "/metrics", &[], "");
            assert_eq!(status, 200);
            if page.contains(sample) {
                return page;
            }
        }
        panic!("{sample} did not come");
    }

    /// Reads the log until a line says something.
    fn line_with(&mut self, words: &str) -> String {
        let mut line = String::new();
        while self.notes.read_line(&mut line).expect("the log is text") > 0 {
            if line.contains(words) {
                return line;
            }
            line.clear();
        }
        panic!("no line says {words}");
    }
}

/// What a page of metrics says of one name: its type, and the names of the labels of its samples.
#[derive(Debug, Default)]
struct Exported {
    kind: String,
    labels: BTreeSet<Vec<String>>,
}

/// Reads a page of metrics, and refuses what is none.
fn read_page(page: &str) -> BTreeMap<String, Exported> {
    let mut found: BTreeMap<String, Exported> = BTreeMap::new();
    let mut current = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type has a name");
            current = name.to_owned();
            let known = found.insert(current.clone(), Exported { kind: kind.to_owned(), labels: BTreeSet::new() });
            assert!(known.is_none(), "{name} is on the page once");
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').expect("a sample has a value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let exported = found.get_mut(&current).expect("a sample stands with its type");
            let is_histogram = exported.kind == "histogram";
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix).filter(|_| is_histogram));
            assert_eq!(base.unwrap_or(name), current, "{line}");
            // No value here has a quote or a comma.
            let labels = labels.trim_end_matches('}').split(',').filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            exported.labels.insert(labels.filter(|label| label != "le").collect());
        }
    }
    found
}

/// The rows of the document: name, type, labels.
fn documented() -> Vec<(&'static str, &'static str, Vec<String>)> {
    let row = |row: &'static str| {
        let (name, rest) = row.split_once('`').expect("a name ends");
        let cells: Vec<&str> = rest.split('|').map(str::trim).collect();
        (name, cells[1], cells[2].split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect())
    };
    DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")).map(row).collect()
}

/// Of replicas there is nothing to say in this version.
fn is_to_come(name: &str) -> bool {
    name.starts_with("vectra_replica_")
}

#[test]
fn a_server_that_does_everything_exports_every_documented_metric_and_no_other() {
    let place = Place::new();
    let settings = "[archive.docs]\nrpo = \"60s\"\nrto = \"120s\"\nwindow = \"7d\"\n\
         [[schedule]]\ncollection = \"docs\"\ndestination = \"scheduled\"\nevery = \"52w\"\n";
    platform::fs::write_file_durably(&*place.world.fs, &place.dir.join("vectra.toml"), settings.as_bytes()).expect("a file is written");
    let server = place.serve_with(&[("VECTRA_CONFIG", "vectra.toml")]);
    place.ok("collections create docs --dim 2 --distance dot");
    server.upsert("docs", 0..50);
    place.ok("archive enable docs --to archive");
    server.upsert("docs", 50..60);
    place.ok("archive run --once");
    place.ok("collections backup docs --destination backups --snapshot-id first --wait");
    place.ok("collections backup docs --destination backups --snapshot-id second --wait");
    place.ok("archive verify archive");
    place.ok("drill run docs --source archive --to-time latest");
    server.ask(Method::Post, "/collections/docs/points/query", &json!({"query": [1, 0]}));
    // The first page begins the look at what lies on the disk.
    let page = server.metrics_with("vectra_recovery_window_end_timestamp_seconds");
    let found = read_page(&page);
    let mut names: BTreeSet<&str> = found.keys().map(String::as_str).filter(|name| !name.starts_with("process_")).collect();
    for (name, kind, labels) in documented() {
        if is_to_come(name) {
            assert!(!found.contains_key(name), "{name}");
            continue;
        }
        let exported = found.get(name).unwrap_or_else(|| panic!("{name} is documented and not exported: {page}"));
        assert_eq!((exported.kind.as_str(), &exported.labels), (kind, &BTreeSet::from([labels])), "{name}");
        names.remove(name);
    }
    assert!(names.is_empty(), "exported and not documented: {names:?}");
    for sample in [
        "vectra_backup_chain_length{collection=\"docs\"} 2\n",
        "vectra_collection_points{collection=\"docs\"} 60\n",
        "vectra_rpo_goal_seconds{collection=\"docs\"} 60\n",
        "vectra_drill_mismatch_total{collection=\"docs\",check=\"content\"} 0\n",
        "vectra_archive_gap_total{collection=\"docs\",archive=\"",
        ",result=\"ok\"} ",
    ] {
        assert!(page.contains(sample), "{sample}: {page}");
    }
}

#[test]
fn the_log_names_requests_and_never_a_key_a_body_or_a_query() {
    let place = Place::new();
    let keys = [("VECTRA_API_KEY", "secret-admin"), ("VECTRA_READ_ONLY_API_KEY", "secret-reader")];
    let log = [("VECTRA_LOG", "trace"), ("VECTRA_LOG_FORMAT", "json")];
    let mut server = place.serve_with(&[&keys[..], &log[..]].concat());
    let admin = ("api-key", "secret-admin");
    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let create = json!({"vectors": {"size": 2, "distance": "Dot"}}).to_string();
    assert_eq!(
        server.say(Method::Put, "/collections/secret-name?token=secret-query", &[admin, ("x-request-id", "mine-1"), trace], &create).0,
        200
    );
    let body = json!({"points": [{"id": 1, "vector": [1, 1], "payload": {"text": "secret-payload"}}]}).to_string();
    assert_eq!(server.say(Method::Put, "/collections/secret-name/points", &[("authorization", "Bearer secret-admin")], &body).0, 200);
    for (path, headers) in [
        ("/collections/secret-name", vec![("api-key", "secret-wrong")]),
        ("/collections/secret-missing", vec![admin, ("x-request-id", "secret id")]),
        ("/nothing/secret-path", vec![admin, ("cookie", "secret-cookie")]),
        ("/collections?api-key=secret-admin", vec![("api-key", "secret-reader"), ("traceparent", "secret-trace")]),
    ] {
        server.say(Method::Get, path, &headers, "");
    }
    server.say(Method::Post, "/collections/secret-name/points/query", &[admin], "{\"query\": \"secret-broken");
    let (code, rest) = server.signal("TERM");
    assert_eq!(code, Some(0), "{rest}");
    assert!(!rest.contains("secret"), "{rest}");
    let lines: Vec<Value> = rest.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let create = lines.iter().find(|line| line["request_id"] == "mine-1").unwrap_or_else(|| panic!("{rest}"));
    assert_eq!((&create["route"], &create["status"], &create["method"]), (&json!("PUT /collections/{c}"), &json!(200), &json!("PUT")));
    assert_eq!(create["traceparent"], trace.1);
    let said = |words: &str| lines.iter().filter(|line| line["message"] == words).count();
    assert!(said("ready") == 1 && said("ending") == 1 && said("ended") == 1 && said("request") > 4, "{rest}");
    assert_eq!(lines.len(), rest.lines().count(), "all that a server says is its log: {rest}");
}

#[test]
fn a_server_whose_log_nobody_reads_answers_and_ends_and_counts_what_it_dropped() {
    let place = Place::new();
    let mut server = place.serve_with(&[("VECTRA_LOG", "debug"), ("VECTRA_LOG_FORMAT", "json")]);
    // A line has about 200 bytes: far more than the pipe takes, and more than the server keeps.
    for _ in 0..10_000 {
        assert_eq!(server.say(Method::Get, "/healthz", &[("x-request-id", &"x".repeat(128))], "").0, 200);
    }
    let page = server.say(Method::Get, "/metrics", &[], "").1;
    let dropped = page.lines().find_map(|line| line.strip_prefix("vectra_log_lines_dropped_total ")).expect("the number is exported");
    assert!(dropped.parse::<f64>().expect("it is a number") > 0.0, "{dropped}");
    // It is read only once the server has ended.
    assert_eq!(server.signal("TERM").0, Some(0));
}

#[test]
fn an_archive_that_fails_is_told_once_and_again_when_it_is_back() {
    let place = Place::new();
    let mut server = place.serve_with(&[("VECTRA_LOG", "off,archive=info")]);
    place.ok("collections create docs --dim 2 --distance dot");
    place.ok("archive enable docs --to archive");
    place.ok("archive run --once");
    let (archive, away) = (place.dir.join("archive"), place.dir.join("away"));
    place.world.fs.rename(&archive, &away).expect("the archive is moved");
    platform::fs::write_file_durably(&*place.world.fs, &archive, b"no directory").expect("a file is written");
    server.upsert("docs", 0..5);
    let failed = server.line_with("archiving fails");
    assert!(failed.contains("WARN vectra::archive") && failed.contains("archive"), "{failed}");
    let page = server.metrics_with(",result=\"failed\"} 3\n");
    assert!(page.contains("vectra_archive_lag_bytes{collection=\"docs\""), "{page}");
    place.world.fs.remove_file(&archive).expect("the file is removed");
    place.world.fs.rename(&away, &archive).expect("the archive is back");
    let back = server.line_with("archiving");
    assert!(back.contains("archiving goes on"), "it was told once: {back}");
}

#[test]
fn a_level_that_does_not_exist_is_a_usage_error() {
    let place = Place::new();
    for (name, value) in [("VECTRA_LOG", "loud"), ("VECTRA_LOG", "hyper=debug"), ("VECTRA_LOG_FORMAT", "xml")] {
        let output = place.command("serve --listen 127.0.0.1:0").env(name, value).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn a_collection_that_does_not_open_ends_the_server_with_the_code_of_its_damage() {
    let place = Place::new();
    place.ok("collections create docs --dim 2 --distance dot");
    let collections = place.dir.join("data").join("collections");
    let life = &place.world.fs.list(&collections).expect("there are collections")[0].name;
    let log = collections.join(life).join("log");
    for file in place.world.fs.list(&log).expect("there is a log") {
        platform::fs::write_file_durably(&*place.world.fs, &log.join(&file.name), b"not a log").expect("a file is damaged");
    }
    let output = place.command("serve --listen 127.0.0.1:0").output().expect("the program ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(!said.contains("listening on"), "{said}");
}
