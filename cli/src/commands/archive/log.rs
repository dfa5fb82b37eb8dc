//! `vectra archive log`: what happened, oldest first, so that a person finds the moment before a mistake.

use crate::args::{ArchiveLog, Globals};
use crate::commands::destination::{Location, Reach};
use crate::exit::Failure;
use crate::output::{Output, count};
use crate::time::format_time;
use pitr::archive_log::{LogEntry, LogRequest, archive_log};
use platform::World;

/// Lists.
pub(in crate::commands) fn run(globals: &Globals, out: &Output, args: &ArchiveLog) -> Result<(), Failure> {
    let world = World::real();
    let source = Location::parse(&args.source, &Reach::of(globals))?;
    let store = source.open_source(&world)?;
    let now = world.clock.wall_micros();
    let request = LogRequest {
        collection: args.collection.as_deref(),
        from: args.from.map(|moment| moment.resolve(now)),
        to: args.to.map(|moment| moment.resolve(now)),
        timeline: None,
    };
    let shown = archive_log(&store, &request, &mut |entry| if out.is_json() { out.row_json(entry) } else { out.row(&as_text(entry)) });
    let summary = shown.map_err(|failure| source.explain(&world, failure))?;
    summary.warnings.iter().for_each(|warning| out.warn(warning));
    for (timeline, from, to) in &summary.holes {
        out.warn(&format!("positions {from} to {to} of timeline {timeline} are not there"));
    }
    Ok(())
}

fn as_text(entry: &LogEntry) -> String {
    let name = entry.collection.as_deref().unwrap_or("-");
    let rows = if entry.rows > 0 { format!("  {} points", count(entry.rows)) } else { String::new() };
    let detail = entry.detail.as_ref().map_or_else(String::new, |detail| format!("  {detail}"));
    format!("{}  {:<9} {name}{rows}{detail}", format_time(entry.time), entry.kind)
}
