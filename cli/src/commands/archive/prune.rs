//! `vectra archive prune`: what the rules do not keep goes, in two steps, and what stays restorable is said.

use crate::args::{ArchivePrune, Globals};
use crate::commands::destination::{Location, Reach, show_bytes};
use crate::commands::stop::Stop;
use crate::exit::Failure;
use crate::output::{Output, bytes, count};
use crate::time::{format_time, micros};
use pitr::archive::retention::{KeptHistory, Policy};
use pitr::prune::{PruneReport, PruneRequest, prune};
use platform::World;

const STOPPED_HINT: &str = "nothing that is needed was touched: run the command again";

/// Applies the rules.
pub(in crate::commands) fn run(globals: &Globals, out: &Output, args: &ArchivePrune) -> Result<(), Failure> {
    let world = World::real();
    let source = Location::parse(&args.source, &Reach::of(globals))?;
    let job = globals.hosted.as_ref().and_then(|hosted| hosted.job.as_ref());
    let stop = Stop::begin(&world, args.wait.wait_timeout, STOPPED_HINT)?.or_told(job);
    let store = stop.guard(source.open_source(&world)?);
    let number = |keep: Option<u32>| keep.map(|keep| keep as usize);
    let policy = Policy {
        keep_window: args.keep_window.map(micros),
        keep_full: number(args.keep.keep_full),
        keep_daily: number(args.keep.keep_daily),
        keep_weekly: number(args.keep.keep_weekly),
        keep_monthly: number(args.keep.keep_monthly),
    };
    let request = PruneRequest { policy, grace: micros(args.grace), dry_run: args.dry_run };
    let report = prune(&world, &store, &request, &show_bytes(out, "prune"));
    let report = report.map_err(|failure| source.explain(&world, stop.explain(failure)))?;
    report.warnings.iter().for_each(|warning| out.warn(warning));
    if out.is_json() {
        return out.result_json(&report);
    }
    as_text(&report).iter().try_for_each(|line| out.result(line))
}

fn as_text(report: &PruneReport) -> Vec<String> {
    let (planned, deleted) = if report.dry_run { ("to plan", "to delete") } else { ("planned", "deleted") };
    let mut lines = vec![
        format!("backups      {} kept, {} removed", count(report.snapshots.len() as u64), count(report.snapshots_removed.len() as u64)),
        format!("{deleted:<12} {} objects, {}", count(report.deleted.objects as u64), bytes(report.deleted.bytes)),
        format!("{planned:<12} {} objects, {}: gone after the grace", count(report.planned.objects as u64), bytes(report.planned.bytes)),
        format!("waiting      {} objects, {}", count(report.waiting.objects as u64), bytes(report.waiting.bytes)),
        format!("kept         {}", bytes(report.kept_bytes)),
    ];
    lines.extend(report.windows.iter().map(window));
    lines.extend(report.held.iter().map(|held| format!("held         {held}")));
    lines
}

fn window(history: &KeptHistory) -> String {
    let name = history.collection.as_deref().unwrap_or("(no name)");
    let from = history.from.map_or_else(|| "nothing yet".to_owned(), |from| format!("from {}", format_time(from)));
    let until = history.ended.map_or_else(String::new, |ended| format!(" to {}", format_time(ended)));
    format!("window       {name}: {from}{until} (timeline {})", history.timeline)
}
