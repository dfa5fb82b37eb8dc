//! `vectra collections fork`: a collection that diverged from its archive goes on in a history of its own.

use super::destination::show_bytes;
use super::session::Session;
use super::settle;
use crate::exit::Failure;

/// Forks from the archive that the name is archived to, and archives there no more: its database diverged as well.
pub(super) fn run(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    let Some(settings) = session.look()?.state().archives.get(name).cloned() else {
        let failure = Failure::not_found(format!("\"{name}\" is not archived, so it cannot have diverged")).with_object(name);
        return Err(failure.with_hint("\"vectra archive status\" lists what is archived"));
    };
    let progress = show_bytes(session.out, "fork");
    let report = session.change_without_archiving(|database| {
        let store = session.location(&settings.url)?.open_source(&session.world)?;
        let report = pitr::fork::fork(database, &store, name, settle::threads().0.min(4), &progress)?;
        database.set_archive(name, None)?;
        Ok(report)
    })?;
    session.out.note(&format!(
        "{name} is no longer archived: this database has the id of the one that it was copied from; \"vectra archive enable {name} --to URL\" \
         begins again at another location"
    ));
    if session.out.is_json() {
        return session.out.result_json(&report);
    }
    session
        .out
        .result(&format!("{name} goes on from position {} on timeline {}, with {} points", report.lsn, report.timeline, report.points))
}
