//! Notes in the history of a deployment what came of verifying what it saved; a place that is no deployment gets none.

use crate::args::Globals;
use crate::commands::session::Session;
use crate::exit::Failure;
use crate::output::Output;
use pitr::archive_verify::ArchiveVerifyReport;
use pitr::drill::history::{Entry, draw_id, keep};
use pitr::drill::lag::lag_of;
use pitr::drill::verified::{VerifiedNote, VerifiedState};
use pitr::{Level, VerifyReport, verify::VerifiedSnapshot};
use std::collections::BTreeSet;

/// Notes that an archive was read, and whether it was whole. `began` is the wall time before it was read.
pub(in crate::commands) fn archive(globals: &Globals, out: &Output, source: &str, began: u64, report: &ArchiveVerifyReport) {
    if report.level == Level::List {
        return;
    }
    if !report.ok {
        return note(globals, out, source, (report.level, false), |session| spoiled(session, source, began, report));
    }
    note(globals, out, source, (report.level, true), |session| {
        let database = session.look()?;
        let state = database.state();
        let mut found = Vec::new();
        for history in report.windows.iter().filter(|history| history.ok) {
            let (Some(name), Some(to)) = (&history.collection, history.to) else { continue };
            let is_here = state.collections.contains_key(name) && state.archives.get(name).is_some_and(|settings| settings.url == source);
            if is_here {
                // Where nothing waits to be archived, everything up to the beginning was there to be read.
                let waits = lag_of(&session.world, &database.collection(name)?)?.bytes > 0;
                found.push(VerifiedState { collection: name.clone(), until: if waits { to } else { began } });
            }
        }
        Ok(found)
    });
}

/// Lists the names here that something wrong in an archive is about; where nobody knows, all that are archived there.
fn spoiled(session: &Session<'_>, source: &str, began: u64, report: &ArchiveVerifyReport) -> Result<Vec<VerifiedState>, Failure> {
    let state = session.look()?.state();
    let histories = report.windows.iter().filter(|history| !history.ok).filter_map(|history| history.collection.as_ref());
    let backups = report.snapshots.iter().filter(|snapshot| !snapshot.ok).filter_map(|snapshot| snapshot.collection.as_ref());
    let is_here = |name: &&String| state.collections.contains_key(*name);
    let mut names: BTreeSet<&String> = histories.chain(backups).filter(is_here).collect();
    if names.is_empty() {
        names = state.archives.iter().filter(|(_, settings)| settings.url == source).map(|(name, _)| name).filter(is_here).collect();
    }
    Ok(names.into_iter().map(|name| VerifiedState { collection: name.clone(), until: began }).collect())
}

/// Notes that a backup was read, and whether it was whole.
pub(in crate::commands) fn backup(globals: &Globals, out: &Output, source: &str, report: &VerifyReport) {
    if report.level == Level::List {
        return;
    }
    note(globals, out, source, (report.level, report.ok), |session| {
        let state = session.look()?.state();
        let is_meant =
            |snapshot: &&VerifiedSnapshot| if report.ok { Some(&snapshot.id) == report.snapshot_id.as_ref() } else { !snapshot.ok };
        let names: BTreeSet<&String> =
            report.snapshots.iter().filter(is_meant).filter_map(|snapshot| snapshot.collection.as_ref()).collect();
        let here = names.into_iter().filter(|name| state.collections.contains_key(*name));
        Ok(here.map(|name| VerifiedState { collection: name.clone(), until: report.commit_time }).collect())
    });
}

/// Looking at backups needs no database: that there is none, or that it cannot be written, is no failure.
fn note(
    globals: &Globals,
    out: &Output,
    source: &str,
    (level, is_ok): (Level, bool),
    states: impl FnOnce(&Session<'_>) -> Result<Vec<VerifiedState>, Failure>,
) {
    let Ok(session) = Session::new(globals, out) else { return };
    let kept = states(&session).and_then(|states| {
        if states.is_empty() {
            return Ok(());
        }
        let (id, now) = draw_id(&session.world);
        let of = if is_ok { VerifiedNote::new } else { VerifiedNote::failed };
        let note = of(id, now, source.to_owned(), format!("{level:?}").to_lowercase(), states);
        keep(&session.world, session.look()?.dir(), &Entry::Verified(note))
    });
    if let Err(failure) = kept {
        out.note(&format!("that it was verified could not be noted in the data directory: {failure}"));
    }
}
