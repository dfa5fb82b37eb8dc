//! `vectra demo`: the main job once, from a new collection to a restored one and back in time, with every answer compared.
//!
//! Each step is a command line as a user would type it. It runs in this process through the grammar and the functions that every command goes
//! through, and its JSON result is what the demo reports and compares.

mod answers;
mod data;
mod rewind;
mod steps;

use super::temporary::Temporary;
use crate::args::{DemoArgs, Globals};
use crate::exit::Failure;
use crate::output::{Output, bytes, count, duration};
use answers::{Answers, TOP};
use data::{Change, DemoData};
use engine::ErrorKind;
use platform::World;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use steps::Steps;

/// The collection's name.
const NAME: &str = "products";
/// Candidates of a walk: enough for the wanted recall at the sizes that are demonstrated.
const EF: &str = "128";
/// Exact neighbours that the walk has to find, in the mean.
const RECALL_MIN: f64 = 0.95;
const DIM_DEFAULT: u32 = 128;

/// Runs the story in a temporary directory and removes it, whatever happened.
pub(super) fn run(globals: &Globals, out: &Output, args: &DemoArgs) -> Result<(), Failure> {
    super::optimize::catch_interrupts()?;
    let world = World::real();
    let started = world.clock.monotonic_micros();
    let below = globals.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let place = Temporary::make(&world, &below, "demo")?;
    let told = tell(&world, globals, out, args, place.path()).map_err(as_exit_one)?;
    place.remove()?;
    let seconds = Duration::from_micros(world.clock.monotonic_micros() - started);
    finish(out, told, seconds)
}

/// A step that fails is a demo that fails: its own exit code would say something else. An interrupt stays one.
fn as_exit_one(failure: Failure) -> Failure {
    match failure.kind.exit_code() {
        1 | 130 => failure,
        _ => Failure { kind: ErrorKind::Internal, message: format!("{}: {}", failure.kind.name(), failure.message), ..failure },
    }
}

/// What the demo found out.
struct Told {
    figures: Value,
    mismatches: Vec<String>,
}

fn finish(out: &Output, told: Told, seconds: Duration) -> Result<(), Failure> {
    let Told { mut figures, mismatches } = told;
    let ok = mismatches.is_empty();
    if out.is_json() {
        if let Some(fields) = figures.as_object_mut() {
            fields.insert("mismatches".to_owned(), json!(mismatches));
            fields.insert("seconds".to_owned(), json!(seconds.as_secs_f64()));
        }
        out.result_json(&figures)?;
    } else {
        mismatches.iter().try_for_each(|mismatch| out.result(&format!("  MISMATCH: {mismatch}")))?;
        let verdict = if ok { "passed: the restored collection gives the same answers" } else { "FAILED" };
        out.result(&format!("\ndemo {verdict} ({}; nothing was left behind)", duration(seconds)))?;
    }
    if ok {
        return Ok(());
    }
    Err(Failure::internal(format!("the restored collection differs: {}", mismatches.join("; "))))
}

/// What is known of a collection at one moment.
struct Seen {
    info: Value,
    answers: Answers,
    recall: f64,
}

fn tell(world: &World, globals: &Globals, out: &Output, args: &DemoArgs, place: &Path) -> Result<Told, Failure> {
    let steps = Steps::new(world, globals, out, place.join("data"));
    let data = match args.points {
        None => DemoData::unpack(world, place)?,
        Some(points) => DemoData::generate(world, out, place, points, args.dim.unwrap_or(DIM_DEFAULT) as usize)?,
    };
    steps.say(&format!("{} points of {} dimensions with payload, in {}", count(data.points), data.dim, place.display()))?;
    steps.say(&format!("export VECTRA_DATA_DIR={}", place.join("data").display()))?;
    let built = create(&steps, &data)?;
    let destination = place.join("backups").join(NAME).display().to_string();
    let first = look(&steps, "Search through the graph, and compare with exact search", &data)?;
    show_hits(&steps, &first.answers)?;
    let full = back_up(&steps, "Back up in full", &destination, "products_full")?;
    let change = data.change(world)?;
    apply(&steps, &change)?;
    let before = look(&steps, "Search again: these are the answers to come back", &data)?;
    let incremental = back_up(&steps, "Back up what is new", &destination, "products_later")?;
    let (new, all) = (number(&incremental, "bytes_new"), number(&full, "bytes_new"));
    steps.result(&format!("{} of {} in the full backup: {:.1}%", bytes(new), bytes(all), 100.0 * new as f64 / all.max(1) as f64))?;
    verify(&steps, &destination)?;
    let restored = lose_and_restore(&steps, &destination)?;
    let after = look(&steps, "Ask the restored collection", &data)?;
    let mut mismatches = compare(&steps, &before, &after)?;
    if change.points_after != number(&after.info, "points") {
        mismatches.push(format!("{} points instead of {}", number(&after.info, "points"), change.points_after));
    }
    if incremental["type"] != "incremental" {
        mismatches.push("the second backup is not incremental".to_owned());
    }
    let rewound = rewind::rewind(&steps, world, &data, place)?;
    mismatches.extend(rewound.mismatches);
    let figures = json!({
        "ok": mismatches.is_empty(), "points": after.info["points"], "dim": data.dim, "indexed_points": after.info["indexed_points"],
        "recall": first.recall, "recall_before": before.recall, "recall_restored": after.recall, "queries": after.answers.count(),
        "bytes_full": full["bytes_new"], "bytes_incremental": incremental["bytes_new"],
        "import_seconds": built, "backup_seconds": full["seconds"], "incremental_seconds": incremental["seconds"],
        "restore_seconds": restored["seconds"], "first_answer_s": restored["first_answer_s"], "index": restored["index"],
        "rewind_seconds": rewound.report["seconds"], "rewind_first_answer_s": rewound.report["first_answer_s"], "left_out": rewound.report["gap"]["missing_records"],
    });
    Ok(Told { figures, mismatches })
}

/// Gives a number of a result; 0 where there is none, which no comparison takes for right.
fn number(result: &Value, key: &str) -> u64 {
    result[key].as_u64().unwrap_or(0)
}

fn create(steps: &Steps<'_>, data: &DemoData) -> Result<f64, Failure> {
    let dim = data.dim.to_string();
    steps.run("Create a collection", &["collections", "create", NAME, "--dim", &dim, "--distance", "cosine"])?;
    let words = ["import", NAME, "--vectors", data.vectors(), "--payload", data.payload()];
    let imported = steps.run("Import; every batch is durable when it is acknowledged, and the graph is built behind it", &words)?;
    let done = imported.last();
    let (all, write) = (done["seconds"].as_f64().unwrap_or(0.0), done["write_seconds"].as_f64().unwrap_or(0.0));
    let (write, all) = (duration(Duration::from_secs_f64(write)), duration(Duration::from_secs_f64(all)));
    steps.result(&format!("{} points durable after {write}, the graph after {all}", count(number(done, "points"))))?;
    Ok(imported.seconds)
}

/// Searches through the graph and exactly, and looks at the collection.
fn look(steps: &Steps<'_>, title: &str, data: &DemoData) -> Result<Seen, Failure> {
    let top = TOP.to_string();
    let walk = ["search", NAME, "--vectors", data.queries(), "--top", &top, "--ef", EF, "--with-payload"];
    let walked = steps.run(title, &walk)?;
    let exact = steps.again(&["search", NAME, "--vectors", data.queries(), "--top", &top, "--exact"])?;
    let info = steps.again(&["collections", "info", NAME])?.last().clone();
    let (answers, truth) = (Answers::read(&walked.results)?, Answers::read(&exact.results)?);
    let recall = answers.recall(&truth);
    let (points, in_graph) = (number(&info, "points"), number(&info, "indexed_points"));
    steps.result(&format!(
        "{} queries: recall@{TOP} {recall:.3} against exact search ({} points, {} rows in graphs)",
        answers.count(),
        count(points),
        count(in_graph)
    ))?;
    Ok(Seen { info, answers, recall })
}

fn show_hits(steps: &Steps<'_>, answers: &Answers) -> Result<(), Failure> {
    answers.first_hits(3).iter().try_for_each(|hit| steps.result(hit))
}

fn back_up(steps: &Steps<'_>, title: &str, destination: &str, id: &str) -> Result<Value, Failure> {
    let words = ["collections", "backup", NAME, "--destination", destination, "--snapshot-id", id, "--wait"];
    let report = steps.run(title, &words)?.last().clone();
    let seconds = duration(Duration::from_secs_f64(report["seconds"].as_f64().unwrap_or(0.0)));
    let (kind, all) = (report["type"].as_str().unwrap_or("unknown"), bytes(number(&report, "bytes_total")));
    steps.result(&format!(
        "{kind}, {} points, {all}, {} new, in {seconds}",
        count(number(&report, "points")),
        bytes(number(&report, "bytes_new"))
    ))?;
    Ok(report)
}

fn apply(steps: &Steps<'_>, change: &Change) -> Result<(), Failure> {
    let words = ["import", NAME, "--vectors", &change.vectors, "--ids", &change.ids, "--payload", &change.payload, "--no-wait"];
    let imported = steps.run("Change 1% of the points, and delete a few", &words)?;
    steps.again(&["points", "delete", NAME, "--ids", &change.deleted, "--no-wait"])?;
    steps.result(&format!("{} points changed", count(number(imported.last(), "points"))))
}

fn verify(steps: &Steps<'_>, destination: &str) -> Result<(), Failure> {
    let verified =
        steps.run("Verify both backups: every byte is read and hashed", &["collections", "backup", "verify", "--source", destination])?;
    let report = verified.last();
    let (objects, read) = (count(number(report, "objects")), bytes(number(report, "bytes")));
    let snapshots = report["snapshots"].as_array().map_or(0, Vec::len);
    steps.result(&format!("{snapshots} backups sound: {objects} objects, {read}"))
}

fn lose_and_restore(steps: &Steps<'_>, destination: &str) -> Result<Value, Failure> {
    steps.run("Lose the collection", &["collections", "drop", NAME, "--purge"])?;
    let restored = steps.run("Restore it", &["collections", "restore", NAME, "--source", destination, "--wait"])?;
    let report = restored.last().clone();
    let seconds = duration(Duration::from_secs_f64(report["seconds"].as_f64().unwrap_or(0.0)));
    let (points, index) = (count(number(&report, "points")), report["index"].as_str().unwrap_or("unknown"));
    steps.result(&format!("{points} points, {} in {seconds}; index {index}", bytes(number(&report, "bytes"))))?;
    Ok(report)
}

/// Compares what was lost with what came back; gives what differs.
fn compare(steps: &Steps<'_>, before: &Seen, after: &Seen) -> Result<Vec<String>, Failure> {
    let mut mismatches = before.answers.differences(&after.answers);
    for (key, what) in [("points", "points"), ("points_with_payload", "points with payload"), ("lsn", "position"), ("segments", "segments")]
    {
        if before.info[key] != after.info[key] || before.info[key].is_null() {
            mismatches.push(format!("{what}: {} before, {} after", before.info[key], after.info[key]));
        }
    }
    if number(&after.info, "indexed_points") == 0 {
        mismatches.push("no point is in a graph".to_owned());
    }
    for (when, recall) in [("before the loss", before.recall), ("after the restore", after.recall)] {
        if recall < RECALL_MIN {
            mismatches.push(format!("recall@{TOP} {when} is {recall:.3}, less than {RECALL_MIN}"));
        }
    }
    let segments = after.info["segments"].as_array().map_or(0, Vec::len);
    if mismatches.is_empty() {
        steps.heading("Compared")?;
        steps.result(&format!("{} points as before, {segments} segments with the same hashes", count(number(&after.info, "points"))))?;
        steps.result(&format!("{} answers with the same ids in the same order, scores and payloads", after.answers.count()))?;
    }
    Ok(mismatches)
}
