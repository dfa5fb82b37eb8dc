//! A server without a socket, on a simulated machine, with a little in it: what the targets of the REST API ask.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::database::DatabaseOptions;
use engine::{Database, Kernels};
use platform::clock::{Clock, OsClock};
use platform::http::Method;
use platform::http::sim::{Answer, ask};
use platform::sim::SimWorld;
use serde_json::Value;
use server::jobs::{JobRecord, read_jobs};
use server::{Api, ApiOptions, Host, HostOptions, Stores, WhenBroken};

/// A collection with an index of a field, one of two vectors, and an alias.
const SETUP: [(Method, &str, &str); 6] = [
    (Method::Put, "/collections/c", r#"{"vectors":{"size":2,"distance":"Euclid"}}"#),
    (Method::Put, "/collections/c/index", r#"{"field_name":"n","field_schema":"integer"}"#),
    (
        Method::Put,
        "/collections/c/points",
        r#"{"points":[
            {"id":1,"vector":[1,0],"payload":{"n":1,"tag":"x","at":{"lat":1,"lon":2},"list":[{"k":1},{"k":null}]}},
            {"id":2,"vector":[0,1],"payload":{"n":2,"tag":["x","y"]}},
            {"id":"0f0e0d0c-0b0a-0908-0706-050403020100","vector":[0,7]},
            {"id":3,"vector":[2,2],"payload":{"n":-1,"day":"2024-02-29T00:00:00Z"}}]}"#,
    ),
    (
        Method::Put,
        "/collections/m",
        r#"{"vectors":{"a":{"size":2,"distance":"Manhattan"},"b":{"size":3,"distance":"Cosine","datatype":"uint8"}}}"#,
    ),
    (Method::Put, "/collections/m/points", r#"{"batch":{"ids":[1,2],"vectors":{"a":[[1,2],[3,4]],"b":[[0,1,2],[9,9,9]]}}}"#),
    (Method::Post, "/collections/aliases", r#"{"actions":[{"create_alias":{"collection_name":"c","alias_name":"a"}}]}"#),
];

/// How long the threads of a server may take to end.
const PATIENCE_MICROS: u64 = 10_000_000;

/// The server.
pub struct Server {
    sim: SimWorld,
    host: Arc<Host>,
    api: Api,
}

impl Server {
    /// Starts one with the collections.
    #[must_use]
    pub fn with_points() -> Self {
        let server = Server::over(SimWorld::new(5));
        for (method, path, body) in SETUP {
            let answer = server.ask(method, path, &[], body.as_bytes());
            assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        }
        server
    }

    fn over(sim: SimWorld) -> Self {
        let world = sim.world();
        let database = Database::open(&world, Path::new("/data"), DatabaseOptions::default()).expect("what a server left opens");
        let stores = Stores::simulated(&world);
        let options = HostOptions { kernels: Kernels::detect(), build_threads: 1, stores, when_broken: WhenBroken::new(|| ()) };
        let host = Host::start(database, options).expect("a host starts");
        Server { sim, api: Api::new(host.clone(), ApiOptions::default()), host }
    }

    /// Asks it, as a client on its machine does. No input is its fault, and no answer breaks off.
    pub fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = ask(&self.api, method, path, headers, body);
        let said = String::from_utf8_lossy(&answer.body);
        assert!(answer.status != 500, "{method:?} {path} is answered with {}: {said}", answer.status);
        assert!(answer.broken.is_none(), "{method:?} {path} breaks off: {:?}", answer.broken);
        answer
    }

    /// Ends it, starts it again over the same files, and compares what is there.
    pub fn check_restarts(self) {
        let (world, dir) = (self.sim.world(), self.host.database().dir().to_path_buf());
        wait_until("the jobs end", || read_jobs(&world, &dir, true).expect("jobs read").iter().all(JobRecord::has_ended));
        let before = self.counts();
        assert!(self.host.broken().is_none(), "no input breaks a log: {:?}", self.host.broken());
        self.host.stop().expect("a host stops");
        let Server { sim, host, api } = self;
        let held = Arc::downgrade(&host);
        drop((host, api));
        // A look at what the metrics say may still read.
        wait_until("nobody holds the database", || held.strong_count() == 0);
        let again = Server::over(sim);
        assert_eq!(again.counts(), before, "a server has after a restart what it had before");
        again.host.stop().expect("a host stops");
    }

    /// Counts the points of each collection, and of each alias.
    fn counts(&self) -> BTreeMap<String, Value> {
        let names = self.host.names();
        let names = names.collections.keys().chain(names.aliases.keys());
        let count = |name: &String| {
            let answer = self.ask(Method::Post, &format!("/collections/{name}/points/count"), &[], b"{}");
            assert_eq!(answer.status, 200, "\"{name}\" counts its points");
            let answer: Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
            (name.clone(), answer["result"]["count"].clone())
        };
        names.map(count).collect()
    }
}

/// Waits for threads that nobody joins.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let clock = OsClock::new();
    while !is_so() {
        assert!(clock.monotonic_micros() < PATIENCE_MICROS, "not within 10 s: {what}");
        clock.sleep(Duration::from_micros(200));
    }
}
