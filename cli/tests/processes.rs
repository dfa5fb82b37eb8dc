//! Several `vectra` processes on one database: who writes, who waits, who reads, and what an interrupt leaves.

use platform::World;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

/// A data directory, removed in the end.
struct Place {
    world: World,
    dir: PathBuf,
}

impl Place {
    fn new() -> Self {
        let world = World::real();
        let dir = std::env::temp_dir().join(format!("vectra-processes-test-{:016x}", world.random.u64()));
        Place { world, dir }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vectra"));
        // As little environment as cron gives, and no terminal.
        command.env_clear().arg("--data-dir").arg(&self.dir).args(line.split_whitespace());
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

    /// Starts an import that goes on as long as its stdin is open.
    fn import(&self, line: &str) -> Import {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().expect("the program starts");
        let stdin = child.stdin.take().expect("stdin is a pipe");
        let acks = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Import { child, stdin, acks }
    }

    /// Waits until a process asks for the lock.
    fn until_wanted(&self) {
        let wanted = self.dir.join("LOCK.wanted");
        let deadline = self.world.clock.monotonic_micros() + 30_000_000;
        while self.world.fs.metadata(&wanted).expect("the directory can be read").is_none() {
            assert!(self.world.clock.monotonic_micros() < deadline, "nobody asks for the lock");
            std::thread::yield_now();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.world.fs.remove_dir_all(&self.dir);
    }
}

struct Import {
    child: Child,
    stdin: ChildStdin,
    acks: BufReader<ChildStdout>,
}

impl Import {
    /// Sends points and waits until the last of them is acknowledged.
    fn send(&mut self, ids: std::ops::Range<u64>) {
        for id in ids.clone() {
            writeln!(self.stdin, "{{\"id\":{id},\"vector\":[{id},1],\"payload\":{{\"n\":{id}}}}}").expect("the import reads");
        }
        self.stdin.flush().expect("the import reads");
        loop {
            let mut line = String::new();
            assert!(self.acks.read_line(&mut line).expect("acks are text") > 0, "the import ended before it acknowledged {ids:?}");
            if line.contains(&format!("\"last_row\":{}", ids.end - 1)) {
                return;
            }
        }
    }

    fn finish(self) -> Output {
        drop(self.stdin);
        drop(self.acks);
        self.child.wait_with_output().expect("the import ends")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn readers_count_beside_an_import_and_a_second_writer_is_told_who_writes() {
    let place = Place::new();
    place.ok("collections create a --dim 2 --distance dot");
    let mut import = place.import("import a --jsonl - --batch 5 --json");
    import.send(0..10);
    assert_eq!(place.ok("collections count a"), "10\n");
    assert_eq!(place.ok("collections list"), "a (contains vectors and metadata)\n");
    let refused = place.run("points delete a --ids 1 --lock-wait 0");
    assert_eq!(refused.status.code(), Some(4));
    assert_eq!(text(&refused.stdout), "");
    assert!(text(&refused.stderr).contains(&import.child.id().to_string()), "{}", text(&refused.stderr));
    import.send(10..15);
    assert_eq!(place.ok("collections count a"), "15\n");
    assert!(import.finish().status.success());
    place.ok("points delete a --ids 1 --lock-wait 0");
    assert_eq!(place.ok("collections count a"), "14\n");
}

#[test]
fn a_waiting_writer_comes_before_the_graph_of_an_import() {
    let place = Place::new();
    place.ok("collections create a --dim 2 --distance dot");
    let mut import = place.import("import a --jsonl - --batch 100 --json");
    import.send(0..2_000);
    let waiting = place.command("points delete a --ids 1 --lock-wait 60").spawn().unwrap();
    place.until_wanted();
    let imported = import.finish();
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    assert!(text(&imported.stderr).contains("another process writes"), "{}", text(&imported.stderr));
    assert!(waiting.wait_with_output().unwrap().status.success());
    let info = place.ok("collections info a --json");
    assert!(info.contains("\"points\":1999") && info.contains("\"kind\":\"graph\""), "{info}");
}

#[test]
fn an_interrupted_import_keeps_what_it_acknowledged_and_says_where_to_go_on() {
    let place = Place::new();
    place.ok("collections create a --dim 2 --distance dot");
    let mut import = place.import("import a --jsonl - --batch 5 --json");
    import.send(0..10);
    // Interrupts are caught before the first batch is read, and a batch was acknowledged.
    let killed = Command::new("kill").arg("-TERM").arg(import.child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let ended = import.child.wait().unwrap();
    assert_eq!(ended.code(), Some(130));
    let mut error = String::new();
    std::io::Read::read_to_string(&mut import.child.stderr.take().unwrap(), &mut error).unwrap();
    assert!(error.contains("--from-row 10") && error.contains("\"interrupted\""), "{error}");
    assert_eq!(place.ok("collections count a"), "10\n");
}

#[test]
fn a_killed_import_keeps_what_it_acknowledged() {
    let place = Place::new();
    place.ok("collections create a --dim 2 --distance dot");
    let mut import = place.import("import a --jsonl - --batch 5 --json");
    import.send(0..10);
    import.child.kill().unwrap();
    import.child.wait().unwrap();
    assert_eq!(place.ok("collections count a"), "10\n");
    place.ok("points delete a --ids 0");
    assert_eq!(place.ok("collections count a"), "9\n");
}

#[test]
fn a_purge_without_a_terminal_asks_for_yes() {
    let place = Place::new();
    place.ok("collections create a --dim 2");
    place.ok("collections drop a");
    let refused = place.run("collections purge");
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(4), String::new()));
    assert!(text(&refused.stderr).contains("--yes"), "{}", text(&refused.stderr));
    place.ok("collections undrop a");
    place.ok("collections drop a");
    place.ok("collections purge --yes");
    assert_eq!(place.run("collections undrop a").status.code(), Some(3));
}

#[test]
fn a_missing_collection_gives_an_empty_stdout_and_a_json_error() {
    let place = Place::new();
    let missing = place.run("collections count products --json");
    assert_eq!((missing.status.code(), text(&missing.stdout)), (Some(3), String::new()));
    let error: serde_json::Value = serde_json::from_slice(&missing.stderr).unwrap();
    assert_eq!((&error["error"]["kind"], &error["error"]["exit"]), (&"not_found".into(), &3.into()));
}

#[test]
fn forced_kernels_that_do_not_exist_are_a_usage_error_of_every_data_command() {
    let place = Place::new();
    let refused = place.command("collections list").env("VECTRA_SIMD", "fast").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let fine = place.command("collections list").env("VECTRA_SIMD", "scalar").output().unwrap();
    assert!(fine.status.success());
}
