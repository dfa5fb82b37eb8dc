//! Backups by a second process while an import writes: each is an exact prefix that holds everything acknowledged before it began.

use crate::place::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Backups made; `VECTRA_TEST_BACKUPS` asks for more.
const ROUNDS: u64 = 5;
/// Points in one atomic write of the import.
const BATCH: u64 = 5;
/// How long an import may stand still.
const PATIENCE_MICROS: u64 = 60_000_000;

#[derive(Default)]
struct Shared {
    /// Rows that the import has acknowledged.
    acked: AtomicU64,
    enough: AtomicBool,
}

/// Sends points until there are enough; the pipe holds it back when the import is slower.
fn feed(mut stdin: ChildStdin, shared: &Shared) {
    let mut id = 0_u64;
    while !shared.enough.load(Ordering::Relaxed) {
        let lines: String =
            (id..id + BATCH).map(|id| format!("{{\"id\":{id},\"vector\":[{},1],\"payload\":{{\"n\":{id}}}}}\n", id % 1_000)).collect();
        if stdin.write_all(lines.as_bytes()).is_err() {
            return;
        }
        id += BATCH;
    }
}

fn read_acks(stdout: ChildStdout, shared: &Shared) {
    for line in BufReader::new(stdout).lines() {
        let ack: Value = serde_json::from_str(&line.expect("acks are text")).expect("acks are JSON");
        if ack["event"] == "ack" {
            shared.acked.store(ack["last_row"].as_u64().expect("an ack names its last row") + 1, Ordering::Relaxed);
        }
    }
}

/// Waits until the import has acknowledged more than so many rows.
fn until_acked(place: &Place, shared: &Shared, import: &mut Child, more_than: u64) {
    let deadline = place.world.clock.monotonic_micros() + PATIENCE_MICROS;
    while shared.acked.load(Ordering::Relaxed) <= more_than {
        assert!(import.try_wait().expect("a child can be asked").is_none(), "the import ended");
        assert!(place.world.clock.monotonic_micros() < deadline, "the import stands still at row {more_than}");
        std::thread::yield_now();
    }
}

#[test]
fn backups_while_an_import_writes_are_prefixes_that_hold_everything_acknowledged() {
    let rounds = platform::process::env("VECTRA_TEST_BACKUPS").map_or(ROUNDS, |text| text.parse().expect("a number of backups"));
    let place = Place::new();
    place.ok("collections create products --dim 2 --distance dot");
    let backup = place.path("mnt/b");
    let mut command = place.vectra(&format!("import products --jsonl - --batch {BATCH} --json --no-wait"));
    let mut import = command.stdin(Stdio::piped()).spawn().expect("the program starts");
    let (stdin, stdout) = (import.stdin.take().unwrap(), import.stdout.take().unwrap());
    let shared = Shared::default();
    let acked_before: Vec<u64> = std::thread::scope(|scope| {
        scope.spawn(|| feed(stdin, &shared));
        scope.spawn(|| read_acks(stdout, &shared));
        let stop = StopAtTheEnd(&shared);
        let acked_before = (0..rounds).map(|round| back_up(&place, &shared, &mut import, &backup, round)).collect();
        drop(stop);
        acked_before
    });
    let ended = import.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    place.ok(&format!("collections backup verify --source {backup}"));
    let all = shared.acked.load(Ordering::Relaxed);
    for (round, acked) in acked_before.into_iter().enumerate() {
        let points = restored_prefix(&place, &backup, &format!("round-{round}"));
        assert!((acked..=all).contains(&points), "round {round}: {points} points, {acked} acknowledged before it, {all} in all");
    }
}

/// Ends the feeding also when a check fails: the threads that it keeps alive would be waited for.
struct StopAtTheEnd<'a>(&'a Shared);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.enough.store(true, Ordering::Relaxed);
    }
}

/// Makes one backup and checks it; gives the rows that were acknowledged before it began.
fn back_up(place: &Place, shared: &Shared, import: &mut Child, backup: &str, round: u64) -> u64 {
    let last = shared.acked.load(Ordering::Relaxed);
    until_acked(place, shared, import, last);
    let acked = shared.acked.load(Ordering::Relaxed);
    let made =
        place.ok(&format!("collections backup products --destination {backup} --snapshot-id round-{round} --wait --json")).json().remove(0);
    assert_eq!(made["type"], if round == 0 { "full" } else { "incremental" });
    assert!(import.try_wait().expect("a child can be asked").is_none(), "the import ended before the backup did");
    place.ok(&format!("collections backup verify --source {backup} --snapshot-id round-{round}"));
    acked
}

/// Restores a backup into a database of its own and checks each point; gives their number.
fn restored_prefix(place: &Place, backup: &str, id: &str) -> u64 {
    let data = format!("--data-dir {}", place.path(&format!("data-{id}")));
    place.ok(&format!("{data} collections restore products --source {backup} --snapshot-id {id} --wait"));
    let exported = place.ok(&format!("{data} export products --jsonl -")).json();
    let mut ids: Vec<u64> = Vec::with_capacity(exported.len());
    for point in &exported {
        let id = point["id"].as_u64().expect("an id");
        assert_eq!(point["payload"]["n"], id, "{point}");
        assert_eq!(point["vector"][0].as_f64(), Some((id % 1_000) as f64), "{point}");
        ids.push(id);
    }
    ids.sort_unstable();
    assert!(ids.iter().copied().eq(0..ids.len() as u64), "{id}: the points are no prefix");
    place.world.fs.remove_dir_all(&place.root.join(format!("data-{id}"))).expect("a restored database can be removed");
    ids.len() as u64
}
