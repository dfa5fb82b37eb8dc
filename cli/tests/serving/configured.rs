//! What a configuration file makes of a server, and how it is shown.

use super::{Place, Server, text};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

impl Place {
    /// Writes a file beside the database.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        self.world.fs.create_dir_all(platform::fs::parent(&path)).expect("a directory is made");
        platform::fs::write_file_durably(&*self.world.fs, &path, text.as_bytes()).expect("a file is written");
    }

    /// Starts a server whose first words are a warning.
    fn serve_warned(&self, mut command: Command, warning: &str) -> Server {
        let mut child = command.spawn().expect("the program starts");
        let mut notes = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let mut line = String::new();
        notes.read_line(&mut line).expect("notes are text");
        assert!(line.starts_with(warning), "{line}");
        Server::listening(child, notes)
    }

    /// Runs a command that says itself which database it means.
    fn bare(&self, line: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vectra"));
        command.env_clear().envs(variables.iter().copied()).current_dir(&self.dir).args(line.split_whitespace());
        command.stdin(Stdio::null()).output().expect("the program runs")
    }
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the result is JSON")
}

#[test]
fn a_server_does_what_its_file_says_and_goals_are_held_against_without_being_named() {
    let place = Place::new();
    place.write("keys/admin", "boss\nnot this line\n");
    place.write(
        "vectra.toml",
        "data_dir = \"data\"\n[server]\nlisten = \"127.0.0.1:0\"\nlisten_to = 1\n[keys]\nadmin_file = \"keys/admin\"\n[archive.docs]\nrpo = \"60s\"\nrto = \"1s\"\n",
    );
    // Without --data-dir: the file names the database.
    let mut command = Command::new(env!("CARGO_BIN_EXE_vectra"));
    command.env_clear().current_dir(&place.dir).args(["--quiet", "serve", "--config", "vectra.toml"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let server = place.serve_warned(command, "warning: vectra.toml:4: \"server.listen_to\" is no setting");
    let refused = server.client.send(platform::http::Method::Get, "/collections", &[], b"").expect("the server answers");
    assert_eq!(refused.status, 401, "the key of the file is asked for");
    let keyed = |line: &str| place.bare(&format!("{line} --data-dir data"), &[("VECTRA_API_KEY", "boss")]);
    for line in ["collections create docs --dim 2 --distance dot", "archive enable docs --to archive"] {
        let done = keyed(line);
        assert!(done.status.success(), "{line}: {}", text(&done.stderr));
    }
    // Nobody measured a restore: the goal of the file makes that a miss, and the command line's beats it.
    let status = keyed("dr status docs --json");
    assert_eq!(status.status.code(), Some(1), "{}", text(&status.stderr));
    let goals = serde_json::from_slice::<Value>(&status.stdout).expect("the result is JSON")["collections"][0]["goals"].clone();
    assert_eq!((&goals[0]["goal"], &goals[0]["limit_s"], &goals[0]["is_miss"]), (&json!("rpo"), &json!(60.0), &json!(false)), "{goals}");
    assert_eq!((&goals[2]["goal"], &goals[2]["limit_s"], &goals[2]["is_miss"]), (&json!("rto"), &json!(1.0), &json!(true)), "{goals}");
    let asked = keyed("dr status docs --rpo 7s --json");
    let asked: Value = serde_json::from_slice(&asked.stdout).expect("the result is JSON");
    assert_eq!(asked["collections"][0]["goals"][0]["limit_s"], json!(7.0), "{asked}");
}

#[test]
fn the_configuration_is_shown_with_its_origins_and_what_is_shown_says_the_same_again() {
    let place = Place::new();
    place.write("data/vectra.toml", "[server]\nconcurrency = 3\n[archive.docs]\nwindow = \"7d\"\n");
    let variables = [("VECTRA_DATA_DIR", "data"), ("VECTRA_MAX_REQUEST_MIB", "7"), ("VECTRA_API_KEY", "hunter2")];
    let line = "config show --origin --listen 127.0.0.1:1";
    let shown = place.bare(line, &variables);
    let (page, notes) = (text(&shown.stdout), text(&shown.stderr));
    assert!(shown.status.success() && !page.contains("hunter2") && !notes.contains("hunter2"), "{page}{notes}");
    for (says, origin) in [
        ("data_dir = \"data\"", "VECTRA_DATA_DIR"),
        ("listen = \"127.0.0.1:1\"", "flag --listen"),
        ("max_request_mib = 7", "VECTRA_MAX_REQUEST_MIB"),
        ("concurrency = 3", "data/vectra.toml:2"),
        ("window = \"7d\"", "data/vectra.toml:4"),
    ] {
        let found = page.lines().find(|line| line.starts_with(says)).unwrap_or_else(|| panic!("{says} is in {page}"));
        assert!(found.ends_with(&format!("# {origin}")), "{found}");
    }
    let of_json = json_of(&place.bare("config show --json --listen 127.0.0.1:1", &variables));
    assert_eq!(of_json["settings"]["keys.admin"], json!({"value": "set", "origin": "VECTRA_API_KEY"}));
    assert_eq!(of_json["settings"]["server.concurrency"], json!({"value": 3, "origin": "data/vectra.toml:2"}));
    place.write("again.toml", &page);
    let again = json_of(&place.bare("config show --json --config again.toml", &[]));
    for key in ["server.listen", "server.max_request_mib", "server.concurrency"] {
        assert_eq!(again["settings"][key]["value"], of_json["settings"][key]["value"], "{key}");
    }
    assert_eq!(again["tables"][0]["values"]["window"]["value"], json!("7d"));
}

#[test]
fn a_file_that_is_wrong_or_missing_serves_nothing_and_says_where() {
    let place = Place::new();
    place.write("wrong.toml", "[server]\n\nconcurrency = \"all\"\n");
    for (line, says) in [
        ("serve --config wrong.toml --json", "\"server.concurrency\\\" in line 3"),
        ("config check --config wrong.toml --json", "\"expected\":\"a whole number from 1 to 65535\",\"got\":\"\\\"all\\\"\""),
        ("serve --config none.toml --json", "does not exist"),
        ("config show --config none.toml --json", "none.toml"),
    ] {
        let refused = place.run(line);
        assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(2), String::new()), "{line}");
        assert!(text(&refused.stderr).contains(says), "{line}: {}", text(&refused.stderr));
    }
    assert!(place.world.fs.metadata(&place.dir.join("data")).expect("a look").is_none(), "nothing was made");
    assert!(place.ok("config check").contains("no configuration file is read here"));
}
