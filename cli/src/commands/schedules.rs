//! `vectra schedules`: what a server does again and again.

use super::session::Session;
use crate::args::{DrillSchedule, ScheduleSet, SchedulesCommand};
use crate::config::value::absolute;
use crate::exit::Failure;
use crate::time::format_time;
use engine::database::served_at;
use pitr::schedule::{Template, Zone};
use serde_json::{Value, json};
use server::schedules::{ScheduleEntry, ScheduleState, Schedules, read_schedules};
use std::sync::Arc;

/// Runs one of its commands.
pub(super) fn run(session: &Session<'_>, command: &SchedulesCommand) -> Result<(), Failure> {
    match command {
        SchedulesCommand::List => list(session),
        SchedulesCommand::Set(args) => set_backup(session, args),
        SchedulesCommand::Delete { name } => delete(session, name),
    }
}

/// Sets a drill up.
pub(super) fn set_drill(session: &Session<'_>, args: &DrillSchedule) -> Result<(), Failure> {
    let source = session.source(&args.source)?;
    set(session, args.entry(source.to_string()))
}

fn set_backup(session: &Session<'_>, args: &ScheduleSet) -> Result<(), Failure> {
    session.look()?.state().resolve(&args.collection)?;
    let destination = absolute(&args.destination, &session.directory()?);
    // With its fields filled in it has to be a place like any other.
    let now = session.world.clock.wall_micros();
    session.location(&Template::parse(&destination)?.fill(now, &Zone::UTC))?;
    set(session, args.entry(destination))
}

fn set(session: &Session<'_>, entry: ScheduleEntry) -> Result<(), Failure> {
    let state = change(session, |schedules| schedules.set(entry))?;
    if session.out.is_json() {
        return session.out.result_json(&as_json(&state));
    }
    session.out.result(&as_text(&state))
}

fn delete(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    change(session, |schedules| schedules.delete(name))?;
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": name, "deleted": true}));
    }
    session.out.result(&format!("deleted {name}"))
}

/// Changes schedules in the server, or in the data directory of one that will run.
fn change<T>(session: &Session<'_>, work: impl FnOnce(&Arc<Schedules>) -> Result<T, Failure>) -> Result<T, Failure> {
    if let Some(host) = session.hosted() {
        return work(host.schedules());
    }
    let done = session.change_without_archiving(|database| work(&Schedules::open(&session.world, database.dir())?))?;
    session.out.note("no server has this database: schedules run once \"vectra serve\" does");
    Ok(done)
}

fn list(session: &Session<'_>) -> Result<(), Failure> {
    let states = match session.hosted() {
        Some(host) => host.schedules().list(),
        None => read_schedules(&session.world, session.dir(), served_at(&session.world, session.dir())?.is_some())?,
    };
    states.iter().try_for_each(|state| match (session.out.is_json(), session.out.is_quiet()) {
        (true, _) => session.out.row_json(&as_json(state)),
        (false, true) => session.out.row(&state.entry.name),
        (false, false) => session.out.row(&as_text(state)),
    })
}

fn as_text(state: &ScheduleState) -> String {
    let entry = &state.entry;
    let next = state.next.map_or("never".to_owned(), format_time);
    let mut text =
        format!("{} {} of {}, {} {}, next {next}", entry.name, entry.kind.word(), entry.collection, entry.location, entry.when());
    if let Some(last) = &state.last {
        let why = last.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        text += &format!(", last {} {}{why}", format_time(last.moment), last.outcome.word());
    }
    for (count, what) in [(state.missed, "missed"), (state.refused, "refused")] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    entry.origin.as_ref().map_or(text.clone(), |origin| format!("{text} ({origin})"))
}

/// Gives a schedule as documents describe it.
pub(super) fn as_json(state: &ScheduleState) -> Value {
    let (entry, time) = (&state.entry, |time: Option<u64>| time.map(format_time));
    let last = state.last.as_ref().map(|last| {
        json!({"moment": format_time(last.moment), "outcome": last.outcome, "job": last.job, "ended": time(last.ended), "error": last.error})
    });
    json!({
        "name": entry.name, "kind": entry.kind, "collection": entry.collection, "location": entry.location,
        "every": entry.every, "cron": entry.cron, "timezone": entry.timezone, "keep": entry.keep,
        "to_time": entry.to_time, "recall_min": entry.recall_min, "origin": entry.origin,
        "next": time(state.next), "last": last, "last_success": time(state.last_success),
        "missed": state.missed, "refused": state.refused,
    })
}
