//! `vectra scrub`: every local file of a collection is read, and what is rotten comes back from its archive.

use super::destination::show_bytes;
use super::session::Session;
use crate::args::ScrubArgs;
use crate::exit::Failure;
use crate::output::{bytes, count};
use pitr::scrub::{ScrubReport, ScrubRequest, scrub};

/// Checks, and repairs where there is a source; what is wrong still decides the exit code.
pub(super) fn run(session: &Session<'_>, args: &ScrubArgs) -> Result<(), Failure> {
    let state = session.look()?.state();
    let name = state.resolve(&args.name)?.0.to_owned();
    let url = args.source.clone().or_else(|| state.archives.get(&name).map(|settings| settings.url.clone()));
    let store = url.map(|url| session.location(&url)?.open_source(&session.world)).transpose()?;
    let progress = show_bytes(session.out, "scrub");
    let report =
        session.change_without_archiving(|database| scrub(database, &ScrubRequest { name: &name, source: store.as_ref() }, &progress))?;
    if session.out.is_json() {
        session.out.result_json(&report)?;
    } else {
        as_text(&report).iter().try_for_each(|line| session.out.result(line))?;
    }
    match report.error {
        None => Ok(()),
        Some(error) if store.is_none() => {
            Err(error.with_hint("name an archive to repair it from with --source, or restore the collection from a backup"))
        }
        Some(error) => Err(error),
    }
}

fn as_text(report: &ScrubReport) -> Vec<String> {
    let verdict = if report.ok { "sound" } else { "ROTTEN" };
    let files = format!("{} log files, {} objects, {}", count(report.log_files as u64), count(report.objects as u64), bytes(report.bytes));
    let mut lines = vec![format!("{}: {verdict} ({files} read)", report.collection)];
    lines.extend(report.repaired.iter().map(|file| format!("repaired     {file}")));
    lines.extend(report.problems.iter().map(|problem| format!("wrong        {problem}")));
    lines
}
