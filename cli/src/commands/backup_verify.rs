//! `vectra collections backup verify`: is a backup complete and unharmed? Needs no database, no server, no write access.

use super::backup::new_part;
use super::destination::{Location, Reach, show_bytes};
use super::dr::note;
use super::stop::Stop;
use super::temporary::Temporary;
use crate::args::{BackupVerify, Globals, VerifyLevel};
use crate::exit::Failure;
use crate::output::{Output, bytes, count, duration};
use crate::time::format_time;
use pitr::backup::ChainLink;
use pitr::backup::format::IndexDescription;
use pitr::{Level, Scratch, VerifyReport, VerifyRequest};
use platform::World;
use platform::process;
use serde::Serialize;
use std::time::Duration;

/// Prints what was found, then fails if anything is wrong.
pub(super) fn run(globals: &Globals, out: &Output, args: &BackupVerify) -> Result<(), Failure> {
    // Whoever searches and writes meanwhile comes first.
    process::give_way();
    let world = World::real();
    let source = Location::parse(&args.source, &Reach::of(globals))?;
    let store = source.open_source(&world)?;
    let candidates = source.candidates(&world, &args.parent)?;
    let stop = Stop::begin(&world, None, "nothing was changed: run it again at any time")?;
    let level = level_of(args.level);
    let place = (level == Level::Restore).then(|| Temporary::make(&world, &std::env::temp_dir(), "verify")).transpose()?;
    let scratch = place.as_ref().map(|place| Scratch { world: world.clone(), dir: place.path().join("database") });
    let request = VerifyRequest { level, snapshot_id: args.snapshot_id.as_deref(), candidates, scratch };
    let verified = pitr::verify(&world, &stop.guard(store), &request, &show_bytes(out, "verify"));
    let report = verified.map_err(|failure| source.explain(&world, stop.explain(failure)))?;
    note::backup(globals, out, &source.to_string(), &report);
    if out.is_json() {
        out.result_json(&report)?;
    } else {
        as_text(&report).iter().try_for_each(|line| out.result(line))?;
    }
    report.error.map_or(Ok(()), Err)
}

pub(super) fn level_of(level: VerifyLevel) -> Level {
    match level {
        VerifyLevel::List => Level::List,
        VerifyLevel::Data => Level::Data,
        VerifyLevel::Index => Level::Index,
        VerifyLevel::Restore => Level::Restore,
    }
}

fn as_text(report: &VerifyReport) -> Vec<String> {
    let found = if report.ok { "complete and unharmed" } else { "NOT sound" };
    let mut lines = vec![format!("result       {found} (level {})", word(&report.level))];
    if let Some(id) = &report.snapshot_id {
        lines.push(format!("backup       {id}"));
        lines.push(format!("points       {}", count(report.points)));
        lines.push(format!("state        {}, position {}", format_time(report.commit_time), report.lsn));
    }
    let read = if report.level == Level::List { "listed" } else { "read and hashed" };
    lines.push(format!("checked      {} objects, {} {read}", count(report.objects as u64), bytes(report.bytes)));
    lines.extend(index_lines(&report.index));
    lines.extend(chain_lines(&report.chain));
    for snapshot in &report.snapshots {
        let collection = snapshot.collection.as_deref().unwrap_or("unknown");
        let state = if snapshot.ok { "ok" } else { "NOT ok" };
        lines.push(format!("snapshot     {} of {collection}: {state}", snapshot.id));
    }
    lines.extend(report.unfinished.iter().map(|id| format!("unfinished   {id}")));
    lines.extend(report.strays.iter().map(|key| format!("stray        {key}")));
    lines.extend(report.problems.iter().map(|problem| format!("problem      {problem}")));
    lines.push(format!("duration     {}", duration(Duration::from_secs_f64(report.seconds))));
    lines
}

/// Tells kind, parameters and segments of an index.
pub(super) fn index_lines(index: &IndexDescription) -> Vec<String> {
    let vector = |(name, vector): (&String, &pitr::backup::format::VectorDescription)| {
        let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
        let (kind, m, ef) = (word(&vector.index.kind), vector.index.m, vector.index.ef_construction);
        let (distance, numbers, seed) = (word(&vector.distance), word(&vector.datatype), vector.index.seed);
        format!("vector       {name}{} dimensions, {distance}, {numbers}, {kind} (m {m}, ef_construction {ef}, seed {seed})", vector.dim)
    };
    let segment = |segment: &pitr::backup::format::SegmentDescription| {
        let (kind, rows) = (segment.kind.name(), count(u64::from(segment.rows)));
        format!("segment      {} {kind}, {rows} rows, blake3 {}", segment.id, segment.blake3)
    };
    index.vectors.iter().map(vector).chain(index.segments.iter().map(segment)).collect()
}

/// Tells which backup rests on which.
pub(super) fn chain_lines(chain: &[ChainLink]) -> Vec<String> {
    let line = |link: &ChainLink| {
        let summary = &link.summary;
        let (kind, all) = (word(&summary.backup_type), bytes(summary.bytes_total));
        let new = new_part(summary.bytes_total, summary.bytes_new);
        format!("chain        {} ({kind}, {all}, {new}) in archive {}", summary.snapshot_id, link.archive)
    };
    chain.iter().map(line).collect()
}

/// Gives the word by which a value stands in JSON.
pub(super) fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
