//! `vectra jobs`: what a server works on for those who did not wait.

use super::session::Session;
use crate::args::JobsCommand;
use crate::exit::Failure;
use crate::time::{format_time, micros};
use engine::ErrorKind;
use engine::database::served_at;
use serde_json::json;
use server::jobs::{JobRecord, read_jobs};
use std::time::Duration;

/// Between two looks at a job that is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// Shows jobs, waits for one, or tells one to end.
pub(super) fn run(session: &Session<'_>, command: &JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::List => all(session)?.iter().try_for_each(|job| show(session, job)),
        JobsCommand::Status { job } => show(session, &find(session, job)?),
        JobsCommand::Wait { job, timeout } => wait(session, job, *timeout),
        JobsCommand::Cancel { job } => cancel(session, job),
    }
}

fn all(session: &Session<'_>) -> Result<Vec<JobRecord>, Failure> {
    let is_served = session.hosted().is_some() || served_at(&session.world, session.dir())?.is_some();
    read_jobs(&session.world, session.dir(), is_served)
}

fn find(session: &Session<'_>, id: &str) -> Result<JobRecord, Failure> {
    all(session)?.into_iter().find(|job| job.job == id).ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Failure {
    Failure::not_found(format!("job \"{}\" does not exist", id.escape_debug())).with_hint("\"vectra jobs list\" shows those there are")
}

fn show(session: &Session<'_>, job: &JobRecord) -> Result<(), Failure> {
    if session.out.is_json() {
        let (began, ended) = (format_time(job.began), job.ended.map(format_time));
        return session.out.row_json(&json!({
            "job": job.job, "kind": job.kind, "state": job.state, "progress": job.progress, "error": job.error, "result": job.result,
            "exit": job.exit, "began": began, "ended": ended,
        }));
    }
    let why = job.error.as_ref().and_then(|error| error["error"]["message"].as_str());
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    session.out.row(&format!("{} {} {}, began {}{why}", job.job, job.kind, job.state.word(), format_time(job.began)))
}

/// Ends as the job did.
fn wait(session: &Session<'_>, id: &str, timeout: Option<Duration>) -> Result<(), Failure> {
    let clock = &session.world.clock;
    let deadline = timeout.map(|timeout| clock.monotonic_micros().saturating_add(micros(timeout)));
    super::optimize::catch_interrupts()?;
    let job = loop {
        let job = find(session, id)?;
        if job.has_ended() {
            break job;
        }
        let hint = "the job goes on; \"vectra jobs cancel\" ends it";
        if deadline.is_some_and(|deadline| clock.monotonic_micros() >= deadline) {
            return Err(Failure::new(ErrorKind::Timeout, format!("job {id} has not ended yet")).with_hint(hint));
        }
        if platform::process::interrupted() {
            return Err(Failure::new(ErrorKind::Interrupted, "interrupted").with_hint(hint));
        }
        clock.sleep(LOOK);
    };
    show(session, &job)?;
    session.out.finish()?;
    match job.exit {
        Some(0) => Ok(()),
        code => Err(failure_of(&job, code.unwrap_or(1))),
    }
}

/// Gives the failure of a job back, with the exit code that its command would have had.
fn failure_of(job: &JobRecord, code: u8) -> Failure {
    let said = job.error.as_ref().map(|error| &error["error"]);
    let named = said.and_then(|said| said["kind"].as_str());
    let by_name = ErrorKind::ALL.into_iter().find(|kind| Some(kind.name()) == named);
    let kind = by_name.or_else(|| ErrorKind::ALL.into_iter().find(|kind| kind.exit_code() == code)).unwrap_or(ErrorKind::Internal);
    let message = said.and_then(|said| said["message"].as_str()).unwrap_or("the job did not say why it failed");
    let failure = Failure::new(kind, message).with_object(job.job.clone());
    match said.and_then(|said| said["hint"].as_str()) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn cancel(session: &Session<'_>, id: &str) -> Result<(), Failure> {
    let job = find(session, id)?;
    let is_told = session.hosted().is_some_and(|host| host.jobs().cancel(id));
    if !is_told {
        return Err(Failure::new(ErrorKind::Conflict, format!("job {id} has ended: it is {}", job.state.word())));
    }
    if session.out.is_json() {
        return session.out.result_json(&json!({"job": id, "told": true}));
    }
    session.out.result(&format!("{id} was told to end"))
}
