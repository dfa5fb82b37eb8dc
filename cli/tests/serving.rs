//! The real program as a server: commands beside it, what it acknowledged after it was killed, and how it ends.

use platform::World;
use platform::http::Method;
use platform::http::client::{Client, ClientOptions};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

#[path = "serving/configured.rs"]
mod configured;
#[path = "serving/observing.rs"]
mod observing;
#[path = "serving/scheduled.rs"]
mod scheduled;
#[path = "serving/secured.rs"]
mod secured;

/// A directory with a database and whatever else a test writes, removed in the end.
struct Place {
    world: World,
    dir: PathBuf,
}

/// A server over the database of a place.
struct Server {
    child: Child,
    notes: BufReader<ChildStderr>,
    url: String,
    client: Client,
}

impl Place {
    fn new() -> Self {
        let world = World::real();
        let dir = std::env::temp_dir().join(format!("vectra-serving-test-{:016x}", world.random.u64()));
        world.fs.create_dir_all(&dir).expect("a directory is made");
        Place { world, dir }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vectra"));
        command.env_clear().current_dir(&self.dir).arg("--data-dir").arg(self.dir.join("data")).args(line.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("the program runs")
    }

    fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn serve(&self) -> Server {
        self.serve_by(self.command("serve --listen 127.0.0.1:0"))
    }

    fn serve_with(&self, env: &[(&str, &str)]) -> Server {
        let mut command = self.command("serve --listen 127.0.0.1:0");
        command.envs(env.iter().copied());
        self.serve_by(command)
    }

    fn serve_by(&self, mut command: Command) -> Server {
        let mut child = command.spawn().expect("the program starts");
        let notes = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        Server::listening(child, notes)
    }
}

impl Server {
    /// Waits until it says where it listens.
    fn listening(child: Child, mut notes: BufReader<ChildStderr>) -> Self {
        let mut line = String::new();
        notes.read_line(&mut line).expect("notes are text");
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("the server says where it listens, not {line}"));
        let url = url.trim_end().to_owned();
        let client = Client::new(&url, ClientOptions::default()).expect("the address is one");
        Server { child, notes, url, client }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.world.fs.remove_dir_all(&self.dir);
    }
}

impl Server {
    fn say(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let answer = self.client.send(method, path, headers, body.as_bytes()).expect("the server answers");
        let status = answer.status;
        (status, String::from_utf8(answer.into_whole(8 << 20).expect("the answer is whole")).expect("the answer is text"))
    }

    fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let (status, answer) = self.say(method, path, &[("content-type", "application/json")], &body.to_string());
        (status, serde_json::from_str(&answer).expect("the answer is JSON"))
    }

    fn count(&self, name: &str) -> Value {
        self.ask(Method::Post, &format!("/collections/{name}/points/count"), &json!({})).1["result"]["count"].clone()
    }

    fn upsert(&self, name: &str, ids: std::ops::Range<u64>) {
        let points: Vec<Value> = ids.map(|id| json!({"id": id, "vector": [id, 1], "payload": {"n": id}})).collect();
        let (status, answer) = self.ask(Method::Put, &format!("/collections/{name}/points?wait=true"), &json!({"points": points}));
        assert_eq!(status, 200, "{answer}");
    }

    fn signal(&mut self, name: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(sent.success());
        let ended = self.child.wait().expect("the server ends");
        let mut rest = String::new();
        self.notes.read_to_string(&mut rest).expect("notes are text");
        (ended.code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn commands_that_write_are_carried_out_by_the_server_with_the_same_words_and_exit_codes() {
    let place = Place::new();
    let mut server = place.serve();
    assert_eq!(place.ok("collections create docs --dim 2 --distance dot"), "created docs\n");
    server.upsert("docs", 0..10);
    assert_eq!(place.ok("collections count docs"), "10\n");
    place.ok("aliases set live docs");
    assert_eq!(server.count("live"), 10);
    place.ok("points delete docs --ids 1,2");
    assert_eq!(server.count("docs"), 8);
    let lines: Vec<String> = (20..25).map(|id| format!("{{\"id\":{id},\"vector\":[{id},1]}}\n")).collect();
    platform::fs::write_file_durably(&*place.world.fs, &place.dir.join("more.jsonl"), lines.concat().as_bytes())
        .expect("a file is written");
    place.ok("import docs --jsonl more.jsonl");
    assert_eq!(server.count("docs"), 13);
    let missing = place.run("collections drop nothing");
    assert_eq!((missing.status.code(), text(&missing.stdout)), (Some(3), String::new()));
    assert!(text(&missing.stderr).contains("these exist: docs"), "{}", text(&missing.stderr));
    let exists = place.run("collections create docs --dim 2 --json");
    assert_eq!(exists.status.code(), Some(4));
    assert!(text(&exists.stderr).contains("\"kind\":\"exists\""), "{}", text(&exists.stderr));
    assert_eq!(server.signal("TERM").0, Some(0));
    assert_eq!(place.ok("collections count docs"), "13\n");
}

#[test]
fn a_collection_is_backed_up_replaced_and_dropped_while_it_is_served() {
    let place = Place::new();
    let server = place.serve();
    place.ok("collections create docs --dim 2 --distance dot");
    server.upsert("docs", 0..10);
    place.ok("collections backup docs --destination backups --snapshot-id ten --wait");
    server.upsert("docs", 10..20);
    place.ok("collections restore docs --source backups --replace --wait");
    assert_eq!(server.count("docs"), 10, "requests see the restored collection");
    server.upsert("docs", 10..13);
    assert_eq!(server.count("docs"), 13);
    place.ok("collections drop docs");
    assert_eq!(server.ask(Method::Post, "/collections/docs/points/count", &json!({})).0, 404);
    place.ok("collections undrop docs");
    assert_eq!(server.count("docs"), 13);
}

#[test]
fn what_is_written_over_http_is_archived_and_comes_back_to_its_time() {
    let place = Place::new();
    let server = place.serve();
    place.ok("collections create docs --dim 2 --distance dot");
    server.upsert("docs", 0..5);
    let enabled = place.ok("archive enable docs --to archive --json");
    let sent: Value = serde_json::from_str(&enabled).expect("the result is JSON");
    assert_ne!(sent["sent"]["log"], json!(0), "what was there is sent before the command ends: {sent}");
    server.upsert("docs", 5..8);
    let before = place.ok("points delete docs --ids 0,1,2,3,4,5,6,7 --json");
    let deleted: Value = serde_json::from_str(&before).expect("the result is JSON");
    assert_eq!(server.count("docs"), 0);
    let time = deleted["commit_time"].as_str().expect("an acknowledgement has a time");
    // The command before waited until its own write was archived: everything before it is.
    let earlier = place.ok("archive log archive --json");
    assert!(earlier.contains(time), "{earlier}");
    place.ok(&format!("restore docs --source archive --to-time {} --new-collection-name before --wait", just_before(time)));
    assert_eq!(server.count("before"), 8);
}

#[test]
fn a_drill_runs_beside_a_server_and_in_it() {
    let place = Place::new();
    let server = place.serve();
    place.ok("collections create docs --dim 2 --distance dot");
    place.ok("archive enable docs --to archive");
    server.upsert("docs", 0..50);
    place.ok("archive run --once");
    let beside = place.ok("drill run docs --source archive --to-time latest --json");
    let report: Value = serde_json::from_str(&beside).expect("a report is JSON");
    assert_eq!((&report["outcome"], &report["restored"]["points"]), (&json!("passed"), &json!(50)), "{report}");
    let mut through = Command::new(env!("CARGO_BIN_EXE_vectra"));
    through.env_clear().env("VECTRA_URL", &server.url).current_dir(&place.dir).stdin(Stdio::null());
    let line = ["drill", "run", "docs", "--source", "archive", "--to-time", "latest", "--report", "drill.json", "--json"];
    let ran = through.args(line).output().expect("the program runs");
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let written = platform::fs::read_file(&*place.world.fs, &place.dir.join("drill.json")).expect("the report is where the client stands");
    let of_server: Value = serde_json::from_slice(&written).expect("a report is JSON");
    assert_eq!(of_server["outcome"], "passed", "{of_server}");
    assert_eq!(place.ok("drill history --json").lines().count(), 2);
    assert_eq!(server.count("docs"), 50);
    place.ok("dr status --rpo 60s --rto 60s");
}

/// The microsecond before a time of the output.
fn just_before(time: &str) -> String {
    let (seconds, fraction) = time.trim_end_matches('Z').split_once('.').expect("times have microseconds");
    let micros: u32 = fraction.parse().expect("six digits");
    match micros.checked_sub(1) {
        Some(before) => format!("{seconds}.{before:06}Z"),
        None => format!("{seconds}.000000Z"),
    }
}

#[test]
fn who_does_not_wait_gets_a_job_whose_state_was_fixed_before_the_command_returned() {
    let place = Place::new();
    let mut server = place.serve();
    place.ok("collections create docs --dim 2 --distance dot");
    server.upsert("docs", 0..10);
    let job = place.ok("collections backup docs --destination backups --snapshot-id ten");
    let job = job.trim();
    server.upsert("docs", 10..20);
    let ended: Value = serde_json::from_str(&place.ok(&format!("jobs wait {job} --timeout 60 --json"))).expect("a job is JSON");
    assert_eq!((&ended["state"], &ended["kind"], &ended["result"]["points"]), (&json!("done"), &json!("backup"), &json!(10)), "{ended}");
    assert!(place.ok("jobs list").contains(&format!("{job} backup done")));
    let again = place.run("collections backup docs --destination backups --snapshot-id ten");
    let failed = if again.status.code() == Some(0) { place.run(&format!("jobs wait {}", text(&again.stdout).trim())) } else { again };
    assert_eq!(failed.status.code(), Some(4), "a complete backup of this name exists: {}", text(&failed.stderr));
    let restore = place.ok("collections restore docs --source backups --new-collection-name second");
    place.ok(&format!("jobs wait {}", restore.trim()));
    assert_eq!(server.count("second"), 10);
    assert_eq!(place.run("jobs status 0123456789abcdef").status.code(), Some(3));
    assert_eq!(place.run(&format!("jobs cancel {job}")).status.code(), Some(4));
    server.signal("TERM");
    assert!(place.ok("jobs list").contains("backup done"), "jobs are known without a server");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let place = Place::new();
    let mut server = place.serve();
    place.ok("collections create docs --dim 2 --distance dot");
    for batch in 0..20 {
        server.upsert("docs", batch * 10..batch * 10 + 10);
    }
    assert_eq!(server.signal("KILL").0, None);
    let again = place.serve();
    assert_eq!(again.count("docs"), 200);
    again.upsert("docs", 200..201);
    assert_eq!(place.ok("collections count docs"), "201\n");
}

#[test]
fn the_address_that_commands_go_to_keeps_nobody_from_becoming_a_server_or_asking_what_one_would_read() {
    let place = Place::new();
    platform::fs::write_file_durably(&*place.world.fs, &place.dir.join("vectra.toml"), b"data_dir = \"data\"\n")
        .expect("a file is written");
    let mut check = Command::new(env!("CARGO_BIN_EXE_vectra"));
    check.env_clear().env("HOME", &place.dir).env("VECTRA_URL", "http://127.0.0.1:1").current_dir(&place.dir);
    let checked = check.args(["config", "check", "--config", "vectra.toml"]).output().expect("the program runs");
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let mut serve = place.command("serve --listen 127.0.0.1:0");
    serve.env("VECTRA_URL", "http://127.0.0.1:1");
    let server = place.serve_by(serve);
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
}

#[test]
fn a_second_server_of_a_database_is_told_who_has_it() {
    let place = Place::new();
    let server = place.serve();
    let second = place.run("serve --listen 127.0.0.1:0 --lock-wait 0");
    assert_eq!(second.status.code(), Some(4), "{}", text(&second.stderr));
    assert!(text(&second.stderr).contains(&server.child.id().to_string()), "{}", text(&second.stderr));
}
