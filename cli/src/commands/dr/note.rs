//! Notes in the history of a deployment that what it saved was verified; a place that is no deployment gets none.

use crate::args::Globals;
use crate::commands::session::Session;
use crate::exit::Failure;
use crate::output::Output;
use pitr::archive_verify::ArchiveVerifyReport;
use pitr::drill::history::{Entry, draw_id, keep};
use pitr::drill::lag::lag_of;
use pitr::drill::verified::{VerifiedNote, VerifiedState};
use pitr::{Level, VerifyReport};

/// Notes that an archive was read and found whole. `began` is the wall time before it was read.
pub(in crate::commands) fn archive(globals: &Globals, out: &Output, source: &str, began: u64, report: &ArchiveVerifyReport) {
    if !report.ok || report.level == Level::List {
        return;
    }
    note(globals, out, source, report.level, |session| {
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

/// Notes that a backup was read and found whole.
pub(in crate::commands) fn backup(globals: &Globals, out: &Output, source: &str, report: &VerifyReport) {
    if !report.ok || report.level == Level::List {
        return;
    }
    note(globals, out, source, report.level, |session| {
        let state = session.look()?.state();
        let described = report.snapshots.iter().find(|snapshot| Some(&snapshot.id) == report.snapshot_id.as_ref());
        let name = described.and_then(|snapshot| snapshot.collection.clone()).filter(|name| state.collections.contains_key(name));
        Ok(name.map(|collection| VerifiedState { collection, until: report.commit_time }).into_iter().collect())
    });
}

/// Looking at backups needs no database: that there is none, or that it cannot be written, is no failure.
fn note(
    globals: &Globals,
    out: &Output,
    source: &str,
    level: Level,
    states: impl FnOnce(&Session<'_>) -> Result<Vec<VerifiedState>, Failure>,
) {
    let Ok(session) = Session::new(globals, out) else { return };
    let kept = states(&session).and_then(|states| {
        if states.is_empty() {
            return Ok(());
        }
        let (id, now) = draw_id(&session.world);
        let note = VerifiedNote::new(id, now, source.to_owned(), format!("{level:?}").to_lowercase(), states);
        keep(&session.world, session.look()?.dir(), &Entry::Verified(note))
    });
    if let Err(failure) = kept {
        out.note(&format!("that it was verified could not be noted in the data directory: {failure}"));
    }
}
