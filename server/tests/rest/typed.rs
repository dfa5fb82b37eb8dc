//! The typed calls as a client sees them: which words they become, what their answers look like, and who may ask.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::database::{Database, DatabaseOptions};
use engine::{Error, ErrorKind, Kernels};
use platform::http::{Head, Headers, Method, sim};
use platform::sim::SimWorld;
use serde_json::{Value, json};
use server::commands::{CommandLine, Commander, Commands};
use server::{Api, ApiOptions, Host, HostOptions, Keys, Stores, WhenBroken};

/// Prints what it is told to, and remembers the words.
#[derive(Default)]
struct Told {
    prints: Mutex<(String, String, u8)>,
    words: Mutex<Vec<String>>,
    /// What stood in the file of the queries.
    queries: Mutex<Vec<u8>>,
    sim: Option<SimWorld>,
}

impl Commands for Told {
    fn run(&self, _: &Arc<Host>, line: &CommandLine, mut result: Box<dyn Write + Send>, mut notes: Box<dyn Write + Send>) -> u8 {
        if let Some((path, sim)) = line.words.iter().find_map(|word| word.strip_prefix("--vectors=")).zip(self.sim.as_ref()) {
            *self.queries.lock().unwrap() = platform::fs::read_file(&*sim.world().fs, Path::new(path)).unwrap();
        }
        self.words.lock().unwrap().clone_from(&line.words);
        let (out, err, exit) = self.prints.lock().unwrap().clone();
        result.write_all(out.as_bytes()).unwrap();
        notes.write_all(err.as_bytes()).unwrap();
        exit
    }

    fn run_as_job(&self, _: &Arc<Host>, _: &str, _: &CommandLine, _: &dyn Fn(&str)) -> Result<(), Error> {
        Err(Error::internal("no typed call has its job begun for it"))
    }
}

struct Server {
    told: Arc<Told>,
    api: Api,
}

impl Server {
    fn new(keys: Keys) -> Self {
        let sim = SimWorld::new(1);
        let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
        let stores = Stores::new(|url| Err(Error::new(ErrorKind::Unreachable, format!("no store at {url}"))));
        let host = Host::start(
            database,
            HostOptions { kernels: Kernels::detect(), build_threads: 1, stores, when_broken: WhenBroken::new(|| ()) },
        )
        .unwrap();
        let told = Arc::new(Told { sim: Some(sim), ..Told::default() });
        let commander = Commander(Some(told.clone() as Arc<dyn Commands>));
        Server { told, api: Api::new(host, ApiOptions { keys, commander, ..ApiOptions::default() }) }
    }

    fn prints(&self, out: &str, err: &str, exit: u8) {
        *self.told.prints.lock().unwrap() = (out.to_owned(), err.to_owned(), exit);
    }

    fn ask(&self, method: Method, path: &str, key: &str, body: &str) -> (u16, Value) {
        let answer = sim::ask(&self.api, method, path, &[("api-key", key)], body.as_bytes());
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn words(&self) -> String {
        self.told.words.lock().unwrap().join(" ")
    }
}

#[test]
fn what_a_command_prints_is_the_answer() {
    let server = Server::new(Keys::default());
    server.prints("{\"snapshot_id\":\"monday\"}\n", "{\"event\":\"note\",\"message\":\"x\"}\n", 0);
    let body = json!({"destination": "/mnt/b", "wait": true}).to_string();
    let answer = server.ask(Method::Post, "/vectra/v1/collections/docs/backups", "", &body);
    assert_eq!(answer, (200, json!({"snapshot_id": "monday"})));
    assert_eq!(server.words(), "--json collections backup --destination=/mnt/b --wait -- docs");
    server.prints("00c0ffee00c0ffee\n", "", 0);
    let answer = server.ask(Method::Post, "/vectra/v1/collections/docs/backups", "", &json!({"destination": "/mnt/b"}).to_string());
    assert_eq!(answer, (202, json!({"job": "00c0ffee00c0ffee"})));
    server.prints("{\"job\":\"a\"}\n{\"job\":\"b\"}\n", "", 0);
    assert_eq!(server.ask(Method::Get, "/vectra/v1/jobs", "", ""), (200, json!({"jobs": [{"job": "a"}, {"job": "b"}]})));
    server.prints("", "", 0);
    assert_eq!(server.ask(Method::Get, "/vectra/v1/drills", "", ""), (200, json!({"drills": []})));
}

#[test]
fn an_error_of_a_command_has_the_status_of_its_kind_and_one_shape() {
    let server = Server::new(Keys::default());
    let error = json!({"error": {"kind": "not_found", "message": "no such job", "object": null, "hint": "look", "exit": 3}}).to_string();
    server.prints("", &format!("{{\"event\":\"note\"}}\n{error}\n"), 3);
    let (status, answer) = server.ask(Method::Get, "/vectra/v1/jobs/x", "", "");
    assert_eq!((status, answer), (404, json!({"error": "no such job", "kind": "not_found", "hint": "look", "exit": 3})));
    let missed = json!({"error": {"kind": "missed", "message": "a goal is missed", "exit": 1}}).to_string();
    server.prints("{\"ok\":false}\n", &missed, 1);
    let (status, answer) = server.ask(Method::Get, "/vectra/v1/dr/status?rpo=60s", "", "");
    assert_eq!((status, &answer["result"]), (409, &json!({"ok": false})));
    server.prints("{\"job\":\"a\",\"state\":\"failed\"}\n", &missed, 1);
    let (status, answer) = server.ask(Method::Get, "/vectra/v1/jobs/a/wait?timeout=5", "", "");
    assert_eq!((status, &answer["state"]), (200, &json!("failed")), "a job that failed was waited for all the same");
    for (path, expected) in [("/vectra/v1/nothing", 404), ("/vectra/v1/jobs/a/wait", 400), ("/vectra/v1/jobs?x=1", 400)] {
        let (status, answer) = server.ask(Method::Get, path, "", "");
        assert_eq!(status, expected, "{path}");
        assert!(answer["error"].is_string() && answer["kind"].is_string(), "{path}: {answer}");
    }
}

#[test]
fn queries_come_to_the_command_as_a_file_that_is_gone_afterwards() {
    let server = Server::new(Keys::default());
    server.prints("{\"query\":0,\"hits\":[]}\n", "", 0);
    let body = json!({"vectors": [[1, 2.5]], "filter": {"must": []}, "as_of": "-5m"}).to_string();
    let answer = server.ask(Method::Post, "/vectra/v1/collections/c/search", "", &body);
    assert_eq!(answer, (200, json!({"results": [{"query": 0, "hits": []}]})));
    let expected = [2_u32.to_le_bytes(), 1_f32.to_le_bytes(), 2.5_f32.to_le_bytes()].concat();
    assert_eq!(*server.told.queries.lock().unwrap(), expected);
    assert!(server.words().starts_with("--json search --filter={\"must\":[]} --as-of=-5m --vectors="), "{}", server.words());
    let world = server.told.sim.as_ref().unwrap().world();
    assert_eq!(world.fs.list(Path::new("/data/queries")).unwrap(), []);
}

#[test]
fn who_may_ask_for_what() {
    let server = Server::new(Keys { admin: Some("boss".to_owned()), read_only: Some("eyes".to_owned()), ..Keys::default() });
    server.prints("{}\n", "", 0);
    let restore = json!({"source": "/mnt/b"}).to_string();
    let search = json!({"vectors": [[1]]}).to_string();
    let elsewhere = json!({"vectors": [[1]], "as_of": "now", "source": "/mnt/b"}).to_string();
    for (method, path, body, reader) in [
        (Method::Get, "/vectra/v1/jobs", "", 200),
        (Method::Get, "/vectra/v1/openapi.json", "", 200),
        (Method::Get, "/vectra/v1/backups?source=/mnt/b", "", 403),
        (Method::Post, "/vectra/v1/restore", restore.as_str(), 403),
        (Method::Post, "/vectra/v1/collections/c/search", &search, 200),
        (Method::Post, "/vectra/v1/collections/c/search", &elsewhere, 403),
        (Method::Post, "/vectra/v1/jobs/x/cancel", "", 403),
    ] {
        assert_eq!(server.ask(method, path, "boss", body).0, 200, "{path}");
        let (status, answer) = server.ask(method, path, "eyes", body);
        assert_eq!(status, reader, "{path} {answer}");
        assert!(status == 200 || answer["error"].is_string(), "{answer}");
        assert_eq!(server.ask(method, path, "nobody", body).0, 401, "{path}");
    }
    let headers: Headers = [("api-key", "boss"), ("content-length", "100")].into_iter().collect();
    let peer = ([10, 0, 0, 1], 4000).into();
    let head = Head { method: Method::Post, path: "/vectra/v1/restore".to_owned(), query: String::new(), headers, peer, is_tls: false };
    assert_eq!(sim::ask_with(&server.api, head, restore.as_bytes()).status, 403, "locations are for clients on this machine");
}
