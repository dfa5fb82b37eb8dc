//! `vectra archive verify`: whether every moment that an archive promises can be restored, byte by byte.

use crate::args::{ArchiveVerify, Globals};
use crate::commands::backup_verify::level_of;
use crate::commands::destination::{Location, Reach, show_bytes};
use crate::commands::dr::note;
use crate::commands::stop::Stop;
use crate::commands::temporary::Temporary;
use crate::exit::Failure;
use crate::output::{Output, bytes, count};
use crate::time::{format_time, micros};
use pitr::archive_verify::{ArchiveVerifyReport, ArchiveVerifyRequest, VerifiedHistory, verify_archive};
use pitr::{Level, Scratch};
use platform::World;
use platform::process;

/// Prints what was found, then fails if anything is wrong. Of an encrypted archive without its key, the stored bytes alone are checked.
pub(in crate::commands) fn run(globals: &Globals, out: &Output, args: &ArchiveVerify) -> Result<(), Failure> {
    // Whoever searches and writes meanwhile comes first.
    process::give_way();
    let (world, reach) = (World::real(), Reach::of(globals));
    let source = Location::parse(&args.source, &reach)?;
    let stop = Stop::begin(&world, None, "nothing was changed: run it again at any time")?;
    let locked = source.open_locked(&world)?;
    if !reach.has_key() && pitr::encryption::is_encrypted(&*locked)? {
        return stored_bytes(out, &*stop.guard(locked));
    }
    let store = stop.guard(source.open_source(&world)?);
    let began = world.clock.wall_micros();
    let level = level_of(args.level);
    let place = (level == Level::Restore).then(|| Temporary::make(&world, &std::env::temp_dir(), "verify")).transpose()?;
    let request = ArchiveVerifyRequest {
        level,
        max_age: args.max_age.map(micros),
        notes: args.max_age.is_some(),
        candidates: source.candidates(&world, &[])?,
        scratch: place.as_ref().map(|place| Scratch { world: world.clone(), dir: place.path().join("database") }),
    };
    let verified = verify_archive(&world, &store, &request, &show_bytes(out, "verify"));
    let report = verified.map_err(|failure| source.explain(&world, stop.explain(failure)))?;
    note::archive(globals, out, &source.to_string(), began, &report);
    if out.is_json() {
        out.result_json(&report)?;
    } else {
        as_text(&report).iter().try_for_each(|line| out.result(line))?;
    }
    report.error.map_or(Ok(()), Err)
}

/// Checks the hash that every stored object ends with; what is in them stays closed.
fn stored_bytes(out: &Output, store: &dyn platform::object_store::ObjectStore) -> Result<(), Failure> {
    out.note("the archive is encrypted and no key was named: the hashes of its stored objects are checked, and nothing is opened");
    let report = pitr::encryption::check_stored(store, &show_bytes(out, "verify"))?;
    if out.is_json() {
        let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        let ok = report.error().is_none();
        out.result_json(
            &serde_json::json!({"ok": ok, "level": "stored", "objects": report.objects, "bytes": report.bytes, "problems": problems}),
        )?;
    } else {
        out.result(&format!("checked      {} stored objects, {}", count(report.objects as u64), bytes(report.bytes)))?;
        report.problems.iter().try_for_each(|problem| out.result(&format!("wrong        {problem}")))?;
    }
    report.error().cloned().map_or(Ok(()), Err)
}

fn as_text(report: &ArchiveVerifyReport) -> Vec<String> {
    let found = if report.ok { "whole and unharmed" } else { "NOT sound" };
    let mut lines = vec![
        format!("result       {found}"),
        format!("needed       {} objects, {}", count(report.objects as u64), bytes(report.bytes)),
        format!("read         {} objects, {}", count(report.read.objects as u64), bytes(report.read.bytes)),
    ];
    if report.skipped.objects > 0 {
        lines.push(format!("not again    {} objects, {}: read lately", count(report.skipped.objects as u64), bytes(report.skipped.bytes)));
    }
    lines.extend(report.windows.iter().map(window));
    lines.extend(
        report.snapshots.iter().map(|snapshot| format!("backup       {} {}", snapshot.id, if snapshot.ok { "ok" } else { "NOT sound" })),
    );
    lines.extend(report.problems.iter().map(|problem| format!("wrong        {problem}")));
    lines.extend(report.unfinished.iter().map(|id| format!("unfinished   {id}")));
    if !report.strays.is_empty() {
        lines.push(format!("not needed   {} objects; \"vectra archive prune\" removes them", count(report.strays.len() as u64)));
    }
    lines
}

fn window(history: &VerifiedHistory) -> String {
    let name = history.collection.as_deref().unwrap_or("(no name)");
    let time = |time: Option<u64>| time.map_or_else(|| "?".to_owned(), format_time);
    let verdict = if history.ok { "" } else { "  NOT sound" };
    format!("window       {name}: {} to {}{verdict}", time(history.from), time(history.to))
}
