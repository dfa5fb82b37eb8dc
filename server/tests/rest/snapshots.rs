//! Snapshots over REST: what is downloaded is what is recovered, in one step or not at all, and what is deleted gives its space back.

use std::path::Path;

use engine::Kernels;
use engine::database::{Database, DatabaseOptions};
use platform::digest::Sha256;
use platform::http::sim::Answer;
use platform::http::{Head, Headers, Method, sim};
use platform::sim::SimWorld;
use serde_json::{Value, json};
use server::jobs::{JobState, read_jobs};
use server::{Api, ApiOptions, Host, HostOptions, Keys, Stores, WhenBroken};

/// A server without a socket, on a simulated machine.
struct Server {
    sim: SimWorld,
    api: Api,
}

impl Server {
    fn new() -> Self {
        Self::over(SimWorld::new(1), Keys::default())
    }

    fn over(sim: SimWorld, keys: Keys) -> Self {
        let world = sim.world();
        let database = Database::open(&world, Path::new("/data"), DatabaseOptions::default()).unwrap();
        let stores = Stores::simulated(&world);
        let host = Host::start(
            database,
            HostOptions { kernels: Kernels::detect(), build_threads: 1, stores, when_broken: WhenBroken::new(|| ()) },
        )
        .unwrap();
        Server { sim, api: Api::new(host, ApiOptions { keys, ..ApiOptions::default() }) }
    }

    /// One with a collection of ten points.
    fn with_points() -> Self {
        let server = Server::new();
        server.ok(Method::Put, "/collections/c", &json!({"vectors": {"size": 2, "distance": "Euclid"}}));
        server.add("c", 0..10);
        server
    }

    fn add(&self, name: &str, ids: std::ops::Range<u64>) {
        let points: Vec<Value> = ids.map(|n| json!({"id": n, "vector": [n, 0], "payload": {"n": n}})).collect();
        self.ok(Method::Put, &format!("/collections/{name}/points?wait=true"), &json!({"points": points}));
    }

    fn raw(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        sim::ask(&self.api, method, path, headers, body)
    }

    fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.raw(method, path, &[], body.to_string().as_bytes());
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn ok(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert_eq!((status, &answer["status"]), (200, &json!("ok")), "{method:?} {path} {body}: {answer}");
        answer["result"].clone()
    }

    fn count(&self, name: &str) -> Option<u64> {
        let (status, answer) = self.ask(Method::Post, &format!("/collections/{name}/points/count"), &json!({"exact": true}));
        (status == 200).then(|| answer["result"]["count"].as_u64().unwrap())
    }

    fn make(&self, path: &str) -> Value {
        self.ok(Method::Post, path, &json!({}))
    }

    fn download(&self, path: &str) -> Vec<u8> {
        let answer = self.raw(Method::Get, path, &[], b"");
        assert_eq!((answer.status, answer.broken), (200, None), "{path}");
        answer.body
    }

    fn upload(&self, path: &str, tar: &[u8]) -> (u16, Value) {
        let head = b"--b\r\nContent-Disposition: form-data; name=\"snapshot\"; filename=\"c\"\r\n\r\n";
        let body = [head.as_slice(), tar, b"\r\n--b--\r\n"].concat();
        let answer = self.raw(Method::Post, path, &[("content-type", "multipart/form-data; boundary=b")], &body);
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    /// Counts the files below a directory of the data directory, with their bytes.
    fn files(&self, below: &str) -> (usize, u64) {
        let (world, mut open, mut found) = (self.sim.world(), vec![Path::new("/data").join(below)], (0, 0));
        while let Some(dir) = open.pop() {
            for entry in world.fs.list(&dir).unwrap_or_default() {
                if entry.is_dir {
                    open.push(dir.join(entry.name));
                } else {
                    found = (found.0 + 1, found.1 + entry.len);
                }
            }
        }
        found
    }
}

fn sha256(bytes: &[u8]) -> String {
    let mut sha = Sha256::default();
    sha.update(bytes);
    sha.finish()
}

#[test]
fn a_snapshot_is_listed_with_the_size_and_the_checksum_of_its_file() {
    let server = Server::with_points();
    assert_eq!(server.ok(Method::Get, "/collections/c/snapshots", &json!({})), json!([]));
    let made = server.make("/collections/c/snapshots");
    assert_eq!(server.ok(Method::Get, "/collections/c/snapshots", &json!({})), json!([made]));
    let name = made["name"].as_str().unwrap();
    let tar = server.download(&format!("/collections/c/snapshots/{name}"));
    assert_eq!(made["size"], tar.len());
    assert_eq!(made["checksum"], sha256(&tar));
    server.add("c", 10..20);
    server.make("/collections/c/snapshots");
    assert_eq!(server.download(&format!("/collections/c/snapshots/{name}")), tar, "a later snapshot does not change it");
}

#[test]
fn a_downloaded_file_becomes_the_collection_on_another_server() {
    let server = Server::with_points();
    let name = server.make("/collections/c/snapshots")["name"].clone();
    server.add("c", 10..20);
    let tar = server.download(&format!("/collections/c/snapshots/{}", name.as_str().unwrap()));
    let other = Server::over(SimWorld::new(2), Keys::default());
    for target in ["c", "another"] {
        let (status, answer) = other.upload(&format!("/collections/{target}/snapshots/upload?priority=snapshot"), &tar);
        assert_eq!((status, &answer["result"]), (200, &json!(true)), "{answer}");
        assert_eq!(other.count(target), Some(10));
    }
    let found = other.ok(Method::Post, "/collections/c/points/query", &json!({"query": [3, 0], "limit": 1, "with_payload": true}));
    assert_eq!(found["points"][0]["payload"], json!({"n": 3}));
    other.add("c", 30..40);
    assert_eq!(other.count("c"), Some(20), "it is written to like any other");
    assert_eq!(other.files("snapshots/incoming"), (0, 0), "what was unpacked is removed");
}

#[test]
fn recovering_over_a_collection_replaces_what_it_holds() {
    let server = Server::with_points();
    let made = server.make("/collections/c/snapshots");
    let name = made["name"].as_str().unwrap();
    server.add("c", 10..20);
    server.ok(Method::Post, "/collections/c/points/delete", &json!({"points": [1, 2, 3]}));
    assert_eq!(server.count("c"), Some(17));
    let location = format!("http://here:6333/collections/c/snapshots/{name}");
    let body = json!({"location": location, "checksum": made["checksum"]}).to_string();
    let answer = server.raw(Method::Put, "/collections/c/snapshots/recover", &[("host", "here:6333")], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(server.count("c"), Some(10));
    server.add("c", 30..31);
    assert_eq!(server.count("c"), Some(11));
}

#[test]
fn a_file_of_this_machine_is_recovered_and_another_checksum_is_refused() {
    let server = Server::with_points();
    let made = server.make("/collections/c/snapshots");
    let tar = server.download(&format!("/collections/c/snapshots/{}", made["name"].as_str().unwrap()));
    platform::fs::write_file_durably(&*server.sim.world().fs, Path::new("/data/c.tar"), &tar).unwrap();
    server.add("c", 10..20);
    let recover = |checksum: &str| {
        let body = json!({"location": "file:///data/c.tar", "checksum": checksum, "priority": "no_sync"});
        server.ask(Method::Put, "/collections/c/snapshots/recover", &body)
    };
    let (status, answer) = recover(&sha256(b"another"));
    assert_eq!((status, server.count("c")), (400, Some(20)), "{answer}");
    let (status, answer) = recover(&sha256(&tar));
    assert_eq!((status, server.count("c")), (200, Some(10)), "{answer}");
    for location in ["file:///nothing/here", "file:///data", "nonsense", "http://u:p@h/x"] {
        let (status, answer) = server.ask(Method::Put, "/collections/c/snapshots/recover", &json!({"location": location}));
        assert!(matches!(status, 400 | 404), "{location}: {status} {answer}");
    }
    assert_eq!(server.count("c"), Some(10));
}

#[test]
fn of_a_file_that_is_damaged_or_cut_off_nothing_is_taken() {
    let server = Server::with_points();
    let made = server.make("/collections/c/snapshots");
    let tar = server.download(&format!("/collections/c/snapshots/{}", made["name"].as_str().unwrap()));
    server.add("c", 10..20);
    let other = Server::over(SimWorld::new(3), Keys::default());
    // Every place would take long; those of a step that is prime to the size of a block meet every kind of byte.
    let mut refused = Vec::new();
    for at in (0..tar.len()).step_by(509) {
        let mut flipped = tar.clone();
        flipped[at] ^= 1;
        let cut = &tar[..at];
        for bad in [flipped.as_slice(), cut] {
            let (status, answer) = other.upload("/collections/c/snapshots/upload", bad);
            if status == 200 {
                // In what describes a history for people, a byte says nothing: what came back has to be all of it.
                assert_eq!((other.count("c"), bad.len()), (Some(10), tar.len()), "byte {at}");
                other.ok(Method::Delete, "/collections/c", &json!({}));
            } else {
                assert_eq!((status, other.count("c")), (400, None), "byte {at}: {answer}");
                refused.push(bad.to_vec());
            }
        }
    }
    assert!(refused.len() > tar.len() / 509, "{} of {} bytes", refused.len(), tar.len());
    for bad in refused {
        let (status, answer) = server.upload("/collections/c/snapshots/upload", &bad);
        assert_eq!((status, server.count("c")), (400, Some(20)), "what is there stays: {answer}");
    }
    assert_eq!(server.files("snapshots/incoming"), (0, 0));
}

#[test]
fn what_nobody_waits_for_is_a_job() {
    let server = Server::with_points();
    let (status, answer) = server.ask(Method::Post, "/collections/c/snapshots?wait=false", &json!({}));
    assert_eq!((status, &answer["status"]), (202, &json!("accepted")), "{answer}");
    let job = answer["job"].as_str().unwrap().to_owned();
    let world = server.sim.world();
    let ended = loop {
        let found = read_jobs(&world, Path::new("/data"), true).unwrap().into_iter().find(|found| found.job == job).unwrap();
        if found.has_ended() {
            break found;
        }
        std::thread::yield_now();
    };
    assert_eq!(ended.state, JobState::Done);
    let listed = server.ok(Method::Get, "/collections/c/snapshots", &json!({}));
    assert_eq!(json!([ended.result]), listed);
}

#[test]
fn snapshots_share_what_they_have_in_common_and_give_their_space_back() {
    let server = Server::with_points();
    server.add("c", 10..3000);
    let first = server.make("/collections/c/snapshots");
    let (_, alone) = server.files("snapshots");
    let second = server.make("/collections/c/snapshots");
    let (_, both) = server.files("snapshots");
    assert!(both < alone + alone / 4, "the log is there once: {alone}, {both}");
    let path = |made: &Value| format!("/collections/c/snapshots/{}", made["name"].as_str().unwrap());
    assert_eq!(server.ok(Method::Delete, &path(&first), &json!({})), json!(true));
    let tar = server.download(&path(&second));
    assert_eq!(second["checksum"], sha256(&tar), "what the other one needs stays");
    assert_eq!(server.ask(Method::Delete, &path(&first), &json!({})).0, 404);
    server.ok(Method::Delete, &path(&second), &json!({}));
    let (files, _) = server.files("snapshots");
    assert!(files <= 3, "what describes the archive stays, and nothing else: {files}");
}

#[test]
fn a_snapshot_of_everything_holds_every_collection() {
    let server = Server::with_points();
    server.ok(Method::Put, "/collections/d", &json!({"vectors": {"size": 2, "distance": "Dot"}}));
    server.add("d", 0..3);
    let made = server.make("/snapshots");
    assert_eq!(server.ok(Method::Get, "/snapshots", &json!({})), json!([made]));
    assert_eq!(server.ok(Method::Get, "/collections/c/snapshots", &json!({})), json!([]));
    let path = format!("/snapshots/{}", made["name"].as_str().unwrap());
    let tar = server.download(&path);
    assert_eq!((made["size"].clone(), made["checksum"].clone()), (json!(tar.len()), json!(sha256(&tar))));
    let other = Server::over(SimWorld::new(4), Keys::default());
    for (name, points) in [("c", 10), ("d", 3)] {
        assert_eq!(other.upload(&format!("/collections/{name}/snapshots/upload"), &tar).0, 200);
        assert_eq!(other.count(name), Some(points));
    }
    assert_eq!(other.upload("/collections/e/snapshots/upload", &tar).0, 400, "which of them is not said");
    assert_eq!(server.ok(Method::Delete, &path, &json!({})), json!(true));
    assert_eq!(server.ok(Method::Get, "/snapshots", &json!({})), json!([]));
}

#[test]
fn what_does_not_exist_is_404() {
    let server = Server::with_points();
    let made = server.make("/collections/c/snapshots");
    server.ok(Method::Put, "/collections/d", &json!({"vectors": {"size": 2, "distance": "Dot"}}));
    let of_c = made["name"].as_str().unwrap();
    for path in [
        "/collections/missing/snapshots".to_owned(),
        "/collections/c/snapshots/missing".to_owned(),
        "/collections/c/snapshots/..%2Farchive".to_owned(),
        format!("/collections/d/snapshots/{of_c}"),
        format!("/snapshots/{of_c}"),
        "/snapshots/a/b".to_owned(),
    ] {
        assert_eq!(server.ask(Method::Get, &path, &json!({})).0, 404, "{path}");
    }
    assert_eq!(server.ask(Method::Post, "/collections/missing/snapshots", &json!({})).0, 404);
}

#[test]
fn snapshots_of_a_dropped_collection_bring_it_back() {
    let server = Server::with_points();
    let made = server.make("/collections/c/snapshots");
    server.ok(Method::Delete, "/collections/c", &json!({}));
    assert_eq!(server.ok(Method::Get, "/collections/c/snapshots", &json!({})), json!([made]));
    let location = format!("http://h/collections/c/snapshots/{}", made["name"].as_str().unwrap());
    let body = json!({"location": location}).to_string();
    assert_eq!(server.raw(Method::Put, "/collections/c/snapshots/recover", &[("host", "h")], body.as_bytes()).status, 200);
    assert_eq!(server.count("c"), Some(10));
}

#[test]
fn who_may_make_and_name_what() {
    let keys = Keys { admin: Some("boss".to_owned()), read_only: Some("eyes".to_owned()), ..Keys::default() };
    let server = Server::over(SimWorld::new(1), keys);
    let ask = |method, path, key| server.raw(method, path, &[("api-key", key)], b"").status;
    assert_eq!(ask(Method::Get, "/snapshots", "eyes"), 200);
    assert_eq!(ask(Method::Post, "/snapshots", "eyes"), 403);
    assert_eq!(ask(Method::Delete, "/snapshots/x", "eyes"), 403);
    assert_eq!(ask(Method::Post, "/collections/c/snapshots/upload", "eyes"), 403);
    let far = |location: &str| {
        let headers: Headers = [("api-key", "boss"), ("content-length", "100")].into_iter().collect();
        let peer = ([10, 0, 0, 1], 4000).into();
        let path = "/collections/c/snapshots/recover".to_owned();
        let head = Head { method: Method::Put, path, query: String::new(), headers, peer, is_tls: false };
        sim::ask_with(&server.api, head, json!({ "location": location }).to_string().as_bytes()).status
    };
    assert_eq!((far("file:///etc/passwd"), far("http://10.0.0.2/x")), (403, 403));
}
