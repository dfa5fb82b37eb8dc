//! `vectra collections restore`: a backup becomes a collection again, with its index.

use super::backup::say_that_it_blocks;
use super::destination::{Location, show_bytes};
use super::session::Session;
use super::stop::Stop;
use crate::args::RestoreArgs;
use crate::exit::Failure;
use crate::output::{bytes, count, duration};
use crate::time::format_time;
use pitr::restore::IndexState;
use pitr::{DryRun, RestoreReport, RestoreRequest};
use std::time::Duration;

const STOPPED_HINT: &str = "nothing of it is visible: run the command again";

/// Restores, or says what a restore would do.
pub(super) fn run(session: &Session<'_>, args: &RestoreArgs) -> Result<(), Failure> {
    let world = &session.world;
    let source = Location::parse(&args.source)?;
    // The source before the database: a mistyped path must leave nothing behind, a data directory included.
    let store = source.open_source(world)?;
    let candidates = source.candidates(world, &args.parent)?;
    let request = RestoreRequest {
        name: &args.name,
        snapshot_id: args.snapshot_id.as_deref(),
        new_name: args.new_collection_name.as_deref(),
        replace: args.replace,
        candidates,
    };
    let explain = |failure| source.explain(world, failure);
    if args.dry_run {
        let plan = pitr::dry_run(&session.look()?, &store, &request).map_err(explain)?;
        return print_plan(session, &plan);
    }
    let stop = Stop::begin(world, args.wait.wait_timeout, STOPPED_HINT)?;
    say_that_it_blocks(session.out, args.wait, "the collection is durable and answers");
    let progress = show_bytes(session.out, "restore");
    let guarded = stop.guard(store);
    let restored = session.change(|database| pitr::restore(database, &guarded, &request, &progress));
    let report = restored.map_err(|failure| explain(stop.explain(failure)))?;
    print(session, &report)
}

fn print_plan(session: &Session<'_>, plan: &DryRun) -> Result<(), Failure> {
    if session.out.is_json() {
        return session.out.result_json(plan);
    }
    let expected = duration(Duration::from_secs_f64(plan.expected_seconds));
    let (from, to) = (format_time(plan.window.from), format_time(plan.window.to));
    let lines = [
        format!("backup       {}", plan.snapshot_id),
        format!("fetch        {} objects, {}, in about {expected}", plan.objects, bytes(plan.bytes)),
        format!("state        {}, position {}", format_time(plan.commit_time), plan.lsn),
        format!("window       {from} to {to}"),
    ];
    session.out.note("nothing was restored: this is a dry run");
    lines.iter().try_for_each(|line| session.out.result(line))
}

fn print(session: &Session<'_>, report: &RestoreReport) -> Result<(), Failure> {
    if !report.aliases_left.is_empty() {
        session.out.note(&format!(
            "aliases of the backup that were left alone: {}; \"vectra aliases set ALIAS {}\" sets one",
            report.aliases_left.join(", "),
            report.collection
        ));
    }
    if session.out.is_json() {
        return session.out.result_json(report);
    }
    as_text(report).iter().try_for_each(|line| session.out.result(line))
}

fn as_text(report: &RestoreReport) -> Vec<String> {
    let index = match report.index {
        IndexState::Kept => "kept, not rebuilt",
        IndexState::None => "the backup has none",
    };
    let newest = format_time(report.gap.newest_known_time);
    let gap = match report.gap.missing_records {
        Some(0) => "no later write is known there".to_owned(),
        Some(missing) => format!("{} known writes are missing, the newest of {newest}", count(missing)),
        None => format!("later writes are known there, the newest of {newest}; how many is not"),
    };
    let (answered, all) = (Duration::from_secs_f64(report.first_answer_s), Duration::from_secs_f64(report.seconds));
    let mut lines = vec![
        format!("restored     {} from {}", report.collection, report.snapshot_id),
        format!("points       {}", count(report.points)),
        format!("bytes        {}", bytes(report.bytes)),
        format!("state        {}, position {}", format_time(report.commit_time), report.lsn),
        format!("index        {index}"),
        format!("gap          {gap}"),
        format!("duration     {}, first answer after {}", duration(all), duration(answered)),
    ];
    if !report.aliases.is_empty() {
        lines.push(format!("aliases      {}", report.aliases.join(", ")));
    }
    lines
}
