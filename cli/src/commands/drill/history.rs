//! `vectra drill history` and `vectra drill show`: the reports that were kept.

use super::run::{as_text, ended};
use crate::commands::session::Session;
use crate::exit::Failure;
use crate::output::duration;
use crate::time::format_time;
use pitr::drill::history::{Entry, History, read};
use std::time::Duration;

/// Lists what was exercised, newest first.
pub(super) fn list(session: &Session<'_>) -> Result<(), Failure> {
    for entry in &looked(session)?.entries {
        if session.out.is_json() {
            print_json(session, entry)?;
        } else {
            session.out.row(&line(entry))?;
        }
    }
    Ok(())
}

/// Prints one report.
pub(super) fn show(session: &Session<'_>, id: &str) -> Result<(), Failure> {
    let history = looked(session)?;
    let entry = history.find(id)?;
    match entry {
        _ if session.out.is_json() => print_json(session, entry),
        Entry::Drill(report) => {
            as_text(report).iter().try_for_each(|line| session.out.row(line))?;
            report.misses.iter().try_for_each(|miss| session.out.row(&format!("missed       {miss}")))?;
            report.failed.iter().try_for_each(|failed| session.out.row(&format!("failed       {}: {}", failed.kind, failed.message)))
        }
        Entry::Tabletop(_) | Entry::Verified(_) => session.out.row(entry.as_markdown().trim_end()),
    }
}

fn looked(session: &Session<'_>) -> Result<History, Failure> {
    let history = read(&session.world, session.look()?.dir())?;
    for (name, reason) in &history.unreadable {
        session.out.warn(&format!("drills/{name} cannot be read: {reason}"));
    }
    Ok(history)
}

fn print_json(session: &Session<'_>, entry: &Entry) -> Result<(), Failure> {
    match entry {
        Entry::Drill(report) => session.out.row_json(&**report),
        Entry::Tabletop(report) => session.out.row_json(report),
        Entry::Verified(note) => session.out.row_json(note),
    }
}

fn line(entry: &Entry) -> String {
    match entry {
        Entry::Drill(report) => {
            let first = report.rto.as_ref().map(|rto| duration(Duration::from_secs_f64(rto.first_answer_s)));
            let answered = first.map(|first| format!(", first answer after {first}")).unwrap_or_default();
            format!("{}  {}  drill of {}: {}{answered}", report.id, format_time(report.started), report.collection, ended(report.outcome))
        }
        Entry::Tabletop(report) => {
            let people = if report.participants.is_empty() { "nobody named".to_owned() } else { report.participants.join(", ") };
            format!("{}  {}  exercise {}: {people}", report.id, format_time(report.started), report.scenario)
        }
        Entry::Verified(note) => {
            let found = if note.ok { "verified" } else { "NOT sound:" };
            format!("{}  {}  {found} {}", note.id, format_time(note.started), note.source)
        }
    }
}
