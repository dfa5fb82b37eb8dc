//! Schedules that run by themselves: of the file and of commands, as jobs, with what stays and what is refused.

use super::{Place, Server, text};
use serde_json::{Value, json};

/// How long something that is due every second may take to be seen.
const PATIENCE_MICROS: u64 = 120_000_000;

impl Place {
    fn rows(&self, line: &str) -> Vec<Value> {
        self.ok(line).lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
    }

    fn schedule(&self, name: &str) -> Value {
        let all = self.rows("schedules list --json");
        all.into_iter().find(|state| state["name"] == name).unwrap_or_else(|| panic!("{name} is a schedule"))
    }

    /// Looks at a schedule until it is as it has to be.
    fn until(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let clock = &self.world.clock;
        let deadline = clock.monotonic_micros() + PATIENCE_MICROS;
        loop {
            let state = self.schedule(name);
            if is_so(&state) {
                return state;
            }
            assert!(clock.monotonic_micros() < deadline, "it took too long: {state}");
        }
    }

    fn serve_file(&self, file: &str) -> Server {
        self.write("vectra.toml", file);
        self.serve_by(self.command("serve --listen 127.0.0.1:0 --config vectra.toml"))
    }
}

fn succeeded(state: &Value) -> bool {
    state["last_success"].is_string()
}

#[test]
fn what_the_file_schedules_runs_as_jobs_with_retention_and_is_changed_in_the_file_alone() {
    let place = Place::new();
    place.ok("collections create docs --dim 2 --distance dot");
    let file = "[[schedule]]\ncollection = \"docs\"\ndestination = \"backups\"\nevery = \"1s\"\nkeep_full = 2\n\
                [[drill]]\ncollection = \"docs\"\nsource = \"backups\"\nevery = \"1s\"\n";
    let mut server = place.serve_file(file);
    server.upsert("docs", 0..10);
    let made = place.until("backup-docs", succeeded);
    place.until("drill-docs", succeeded);
    assert_eq!((&made["kind"], &made["origin"]), (&json!("backup"), &json!("vectra.toml:1")), "{made}");
    assert_ne!(place.ok("collections backup list --source backups --quiet"), "");
    assert!(place.rows("drill history --json").iter().any(|report| report["outcome"] == "passed"));
    let jobs = place.rows("jobs list --json");
    for kind in ["backup", "prune", "drill"] {
        assert!(jobs.iter().any(|job| job["kind"] == kind && job["state"] == "done"), "{kind} in {jobs:?}");
    }
    let plan = place.ok("dr plan");
    assert!(plan.contains("| backup-docs | backup of docs |") && plan.contains("| drill-docs | drill of docs |"), "{plan}");
    for line in ["schedules delete backup-docs", "schedules set docs --destination elsewhere --every 1d"] {
        let refused = place.run(line);
        assert_eq!(refused.status.code(), Some(4), "{line}: {}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("vectra.toml:1"), "{}", text(&refused.stderr));
    }
    assert_eq!(server.signal("TERM").0, Some(0));
    // What was told is known without a server; what the file no longer says is gone with the next one.
    assert_eq!(place.rows("schedules list --json").len(), 2);
    let _server = place.serve_file("");
    assert_eq!(place.ok("schedules list"), "");
}

#[test]
fn what_a_command_schedules_runs_now_and_after_a_restart_until_it_is_deleted() {
    let place = Place::new();
    place.ok("collections create docs --dim 2 --distance dot");
    // Before there is a server: it begins with one.
    let set = place.run("schedules set docs --destination backups --every 1s");
    assert!(set.status.success() && text(&set.stderr).contains("once \"vectra serve\" does"), "{}", text(&set.stderr));
    let mut server = place.serve();
    let first = place.until("backup-docs", succeeded);
    place.ok("drill schedule docs --source backups --every 1s --name tried");
    place.until("tried", succeeded);
    assert_eq!(server.signal("TERM").0, Some(0));
    let _again = place.serve();
    place.until("backup-docs", |state| state["last_success"].as_str() > first["last_success"].as_str());
    place.ok("schedules delete backup-docs");
    place.ok("schedules delete tried");
    assert_eq!(place.ok("schedules list --json"), "");
    let listed = place.ok("collections backup list --source backups --quiet");
    let ids: Vec<&str> = listed.lines().collect();
    assert!(ids.len() >= 2 && ids.iter().all(|id| id.starts_with("docs-20")), "{ids:?}");
    for (line, code) in [
        ("schedules delete backup-docs", 3),
        ("schedules set nothing --destination backups --every 1d", 3),
        ("schedules set docs --destination backups --every 1ms", 2),
        ("schedules set docs --destination backups", 2),
        ("schedules set docs --destination backups/%Y --every 1d --keep-daily 7", 2),
        ("drill schedule docs --source backups --every 1d --cron @daily", 2),
    ] {
        assert_eq!(place.run(line).status.code(), Some(code), "{line}");
    }
}
