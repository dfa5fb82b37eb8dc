//! The REST API as a client sees it: what it promises about status codes, about what is kept, and about what bad input changes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::Kernels;
use engine::database::{Database, DatabaseOptions};
use platform::http::{Method, sim};
use platform::sim::SimWorld;
use serde_json::{Value, json};
use server::{Api, ApiOptions, CollectionKey, Host, HostOptions, Keys, Stores, WhenBroken};

mod faults;
mod observed;
mod snapshots;
mod typed;

/// A server without a socket, on a simulated machine.
struct Server {
    sim: SimWorld,
    host: Arc<Host>,
    api: Api,
    /// Whether it was told to end, because a log broke.
    ended: Arc<AtomicBool>,
}

impl Server {
    fn new() -> Self {
        Self::over(SimWorld::new(1), Keys::default())
    }

    fn over(sim: SimWorld, keys: Keys) -> Self {
        Self::reaching(Stores::simulated(&sim.world()), sim, keys)
    }

    /// Starts one that reaches its archives through these stores.
    fn reaching(stores: Stores, sim: SimWorld, keys: Keys) -> Self {
        let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let told = ended.clone();
        let when_broken = WhenBroken::new(move || told.store(true, Ordering::Relaxed));
        let options = HostOptions { kernels: Kernels::detect(), build_threads: 1, stores, when_broken };
        let host = Host::start(database, options).unwrap();
        let api = Api::new(host.clone(), ApiOptions { keys, ..ApiOptions::default() });
        Server { sim, host, api, ended }
    }

    /// Stops it and starts it again over the same files.
    fn restarted(self) -> Self {
        self.host.stop().unwrap();
        let Server { sim, host, api, .. } = self;
        drop((host, api));
        Self::over(sim, Keys::default())
    }

    fn ask(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let answer = sim::ask(&self.api, method, path, &[], body.as_bytes());
        let text = String::from_utf8(answer.body).unwrap();
        (answer.status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Asks for something that has to succeed, and gives the result.
    fn ok(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, &body.to_string());
        assert_eq!((status, &answer["status"]), (200, &json!("ok")), "{method:?} {path} {body}: {answer}");
        answer["result"].clone()
    }

    fn with_points() -> Self {
        let server = Server::new();
        server.ok(Method::Put, "/collections/c", &json!({"vectors": {"size": 2, "distance": "Euclid"}}));
        let points: Vec<Value> = (0..10).map(|n| json!({"id": n, "vector": [n, 0], "payload": {"n": n, "even": n % 2 == 0}})).collect();
        server.ok(Method::Put, "/collections/c/points?wait=true", &json!({"points": points}));
        server
    }

    fn count(&self) -> u64 {
        self.ok(Method::Post, "/collections/c/points/count", &json!({"exact": true}))["count"].as_u64().unwrap()
    }
}

#[test]
fn a_client_that_connects_learns_the_version() {
    let server = Server::new();
    let (status, answer) = server.ask(Method::Get, "/", "");
    assert_eq!((status, &answer["version"]), (200, &json!("1.19.0")));
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(server.ask(Method::Get, path, "").0, 200, "{path}");
    }
}

#[test]
fn what_a_client_said_about_a_collection_is_shown_again_after_a_restart() {
    let server = Server::new();
    let request = json!({
        "vectors": {"size": 4, "distance": "Cosine", "on_disk": true},
        "hnsw_config": {"m": 24}, "shard_number": 1, "metadata": {"owner": "ada"}, "quantization_config": null,
    });
    assert_eq!(server.ok(Method::Put, "/collections/c", &request), json!(true));
    server.ok(Method::Patch, "/collections/c", &json!({"hnsw_config": {"ef_construct": 200}}));
    let server = server.restarted();
    let config = server.ok(Method::Get, "/collections/c", &json!({}))["config"].clone();
    assert_eq!(config["params"]["vectors"], json!({"size": 4, "distance": "Cosine", "on_disk": true}));
    assert_eq!((&config["hnsw_config"]["m"], &config["hnsw_config"]["ef_construct"]), (&json!(24), &json!(200)));
    assert_eq!(config["metadata"], json!({"owner": "ada"}));
}

#[test]
fn what_was_acknowledged_is_there_after_a_crash_of_the_machine() {
    let server = Server::with_points();
    let sim = server.sim.clone();
    sim.disk.crash();
    drop(server);
    let server = Server::over(sim, Keys::default());
    assert_eq!(server.count(), 10);
    let found = server.ok(Method::Post, "/collections/c/points/query", &json!({"query": [3, 0], "limit": 1, "with_payload": true}));
    assert_eq!(found["points"][0]["payload"], json!({"n": 3, "even": false}));
}

#[test]
fn what_does_not_exist_is_404_and_what_exists_already_409() {
    let server = Server::with_points();
    for (method, path) in [
        (Method::Get, "/collections/missing"),
        (Method::Post, "/collections/missing/points/count"),
        (Method::Get, "/collections/c/points/99"),
        (Method::Get, "/nothing/here"),
        (Method::Delete, "/collections/c/points"),
    ] {
        assert_eq!(server.ask(method, path, "{}").0, 404, "{method:?} {path}");
    }
    let again = json!({"vectors": {"size": 2, "distance": "Euclid"}}).to_string();
    assert_eq!(server.ask(Method::Put, "/collections/c", &again).0, 409);
    assert_eq!(server.ok(Method::Delete, "/collections/missing", &json!({})), json!(false));
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let server = Server::with_points();
    let deep = format!("{{\"filter\":{}}}", "{\"must\":[".repeat(500) + &"]}".repeat(500));
    let bad = [
        ("points", "{"),
        ("points", "{\"points\": [{\"id\": 1, \"vector\": [1]}]}"),
        ("points", "{\"points\": [{\"id\": 1, \"vector\": [1, 1e39]}]}"),
        ("points", "{\"points\": [{\"id\": 1, \"vector\": [1, 1e999]}]}"),
        ("points", "{\"points\": [{\"id\": -1, \"vector\": [1, 2]}]}"),
        ("points", "{\"points\": [{\"id\": 99999999999999999999999, \"vector\": [1, 2]}]}"),
        ("points", "{\"points\": [{\"id\": 1, \"vector\": [1, 2], \"payloda\": {}}]}"),
        ("points", "{\"points\": [{\"id\": 77, \"vector\": [1, 2]}, {\"id\": 78, \"vector\": [1, 2, 3]}]}"),
        ("points", "{\"points\": []}"),
        ("points/delete", "{}"),
        ("points/delete", "{\"filter\": {\"must\": [{\"key\": \"n\", \"match\": 3}]}}"),
        ("points/delete", deep.as_str()),
        ("points/payload", "{\"payload\": [1], \"points\": [1]}"),
    ];
    for (path, body) in bad {
        let method = if path == "points" { Method::Put } else { Method::Post };
        let (status, answer) = server.ask(method, &format!("/collections/c/{path}"), body);
        assert_eq!(status, 400, "{path} {body}: {answer}");
        assert!(answer["status"]["error"].as_str().is_some_and(|text| text.len() > 10), "{answer}");
    }
    assert_eq!(server.count(), 10);
}

#[test]
fn a_dropped_name_forgets_its_points_and_its_aliases() {
    let server = Server::with_points();
    let alias = json!({"actions": [{"create_alias": {"collection_name": "c", "alias_name": "live"}}]});
    server.ok(Method::Post, "/collections/aliases", &alias);
    assert_eq!(server.ok(Method::Post, "/collections/live/points/count", &json!({}))["count"], 10);
    assert_eq!(server.ok(Method::Delete, "/collections/c", &json!({})), json!(true));
    assert_eq!(server.ask(Method::Post, "/collections/live/points/count", "{}").0, 404);
    server.ok(Method::Put, "/collections/c", &json!({"vectors": {"size": 2, "distance": "Dot"}}));
    assert_eq!(server.count(), 0);
}

#[test]
fn an_alias_moves_in_one_step() {
    let server = Server::with_points();
    server.ok(Method::Put, "/collections/d", &json!({"vectors": {"size": 2, "distance": "Dot"}}));
    let set = |name: &str| json!({"create_alias": {"collection_name": name, "alias_name": "live"}});
    server.ok(Method::Post, "/collections/aliases", &json!({"actions": [set("c")]}));
    let moved = json!({"actions": [{"delete_alias": {"alias_name": "live"}}, set("d")]});
    server.ok(Method::Post, "/collections/aliases", &moved);
    let aliases = server.ok(Method::Get, "/aliases", &json!({}));
    assert_eq!(aliases, json!({"aliases": [{"alias_name": "live", "collection_name": "d"}]}));
    let bad = json!({"actions": [{"delete_alias": {"alias_name": "live"}}, set("missing")]}).to_string();
    assert_eq!(server.ask(Method::Post, "/collections/aliases", &bad).0, 404);
    assert_eq!(server.ok(Method::Get, "/aliases", &json!({})), aliases, "a change that fails changes nothing");
}

#[test]
fn a_long_change_of_the_catalog_keeps_nobody_waiting_and_shows_at_once() {
    let server = Server::with_points();
    let outcome = server.host.change(|database| {
        // Whoever restores is still at it while others create, drop and write.
        std::thread::scope(|scope| {
            let other = scope.spawn(|| server.ok(Method::Put, "/collections/d", &json!({"vectors": {"size": 2, "distance": "Dot"}})));
            assert_eq!(other.join().unwrap(), json!(true));
        });
        assert_eq!(server.count(), 10);
        database.drop_collection("c", false)?;
        assert_eq!(server.ask(Method::Post, "/collections/c/points/count", "{}").0, 404, "what was changed shows before the rest is done");
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(server.ask(Method::Get, "/collections/d", "").0, 200);
}

#[test]
fn keys_decide_who_may_read_and_write() {
    let keys = Keys { admin: Some("boss".to_owned()), read_only: Some("eyes".to_owned()), ..Keys::default() };
    let server = Server::over(SimWorld::new(1), keys);
    let create = json!({"vectors": {"size": 2, "distance": "Dot"}}).to_string();
    let ask =
        |method, path: &str, headers: &[(&str, &str)], body: &str| sim::ask(&server.api, method, path, headers, body.as_bytes()).status;
    assert_eq!(ask(Method::Put, "/collections/c", &[], &create), 401);
    assert_eq!(ask(Method::Put, "/collections/c", &[("api-key", "eyes")], &create), 403);
    assert_eq!(ask(Method::Put, "/collections/c", &[("authorization", "Bearer boss")], &create), 200);
    assert_eq!(ask(Method::Get, "/collections/c", &[("api-key", "eyes")], ""), 200);
    assert_eq!(ask(Method::Get, "/", &[], ""), 200);
}

#[test]
fn a_key_of_a_collection_reads_no_other_one_by_way_of_its_own() {
    let of = CollectionKey { collection: "docs".to_owned(), key: "mine".to_owned(), read_only: false };
    let keys = Keys { admin: Some("boss".to_owned()), collections: vec![of], ..Keys::default() };
    let server = Server::over(SimWorld::new(1), keys);
    let ask = |method, path: &str, key: &str, body: &Value| {
        let answer = sim::ask(&server.api, method, path, &[("api-key", key)], body.to_string().as_bytes());
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    for name in ["docs", "secret"] {
        let created = ask(Method::Put, &format!("/collections/{name}"), "boss", &json!({"vectors": {"size": 2, "distance": "Dot"}}));
        assert_eq!(created.0, 200, "{created:?}");
        let points = json!({"points": [{"id": 1, "vector": [1, 1], "payload": {"of": name, "n": 1}}]});
        assert_eq!(ask(Method::Put, &format!("/collections/{name}/points"), "boss", &points).0, 200);
    }
    let actions = json!({"actions": [{"create_alias": {"collection_name": "docs", "alias_name": "live"}}]});
    assert_eq!(ask(Method::Post, "/collections/aliases", "mine", &actions).0, 403);
    assert_eq!(ask(Method::Post, "/collections/aliases", "boss", &actions).0, 200);
    let count = |name: &str| ask(Method::Post, &format!("/collections/{name}/points/count"), "mine", &json!({})).0;
    assert_eq!((count("docs"), count("live"), count("secret"), count("nothing")), (200, 200, 403, 403));
    let from = |name: &str| json!({"query": 1, "lookup_from": {"collection": name}});
    for (path, own, other) in [
        ("query", from("live"), from("secret")),
        ("query/batch", json!({"searches": [from("docs")]}), json!({"searches": [from("docs"), from("secret")]})),
        (
            "query/groups",
            json!({"query": [1, 1], "group_by": "n", "with_lookup": "live"}),
            json!({"query": [1, 1], "group_by": "n", "with_lookup": "secret"}),
        ),
    ] {
        let path = format!("/collections/docs/points/{path}");
        let (allowed, denied) = (ask(Method::Post, &path, "mine", &own), ask(Method::Post, &path, "mine", &other));
        assert_eq!((allowed.0, denied.0), (200, 403), "{path}: {allowed:?} {denied:?}");
        assert!(denied.1.contains("not for collection") && !denied.1.contains("\"of\""), "{}", denied.1);
        assert_eq!(ask(Method::Post, &path, "boss", &other).0, 200, "{path}");
    }
    // An alias that moves takes what the key may do with it.
    let moved = json!({"actions": [{"delete_alias": {"alias_name": "live"}}, {"create_alias": {"collection_name": "secret", "alias_name": "live"}}]});
    assert_eq!(ask(Method::Post, "/collections/aliases", "boss", &moved).0, 200);
    assert_eq!(count("live"), 403);
}

#[test]
fn pages_of_a_scroll_join_up() {
    let server = Server::with_points();
    let mut seen = Vec::new();
    let mut offset = Value::Null;
    loop {
        let page = server.ok(Method::Post, "/collections/c/points/scroll", &json!({"limit": 3, "offset": offset}));
        seen.extend(page["points"].as_array().unwrap().iter().map(|point| point["id"].as_u64().unwrap()));
        offset = page["next_page_offset"].clone();
        if offset.is_null() {
            break;
        }
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}

#[test]
fn operations_of_a_batch_are_carried_out_in_their_order() {
    let server = Server::with_points();
    let operations = json!({"operations": [
        {"delete": {"points": [1, 2]}},
        {"upsert": {"points": [{"id": 2, "vector": [5, 5]}, {"id": 50, "vector": [1, 1], "payload": {"a": 1}}]}},
        {"set_payload": {"payload": {"b": 2}, "points": [50]}},
        {"delete_payload": {"keys": ["a"], "points": [50]}},
    ]});
    let done = server.ok(Method::Post, "/collections/c/points/batch", &operations);
    assert_eq!(done.as_array().unwrap().len(), 4);
    let found = server.ok(Method::Post, "/collections/c/points", &json!({"ids": [1, 2, 50]}));
    let shown: Vec<_> = found.as_array().unwrap().iter().map(|point| (point["id"].clone(), point["payload"].clone())).collect();
    assert_eq!(shown, [(json!(2), json!({})), (json!(50), json!({"b": 2}))]);
}
