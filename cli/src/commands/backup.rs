//! `vectra collections backup NAME`: a backup made, complete and durable when the command ends.

use super::destination::{Location, show_bytes};
use super::session::Session;
use super::stop::Stop;
use super::{backup_list, backup_show, backup_verify};
use crate::args::{BackupAction, BackupArgs, BackupCreate, Globals, WaitArgs};
use crate::exit::Failure;
use crate::output::{Output, bytes, count, duration};
use crate::time::format_time;
use engine::{Collection, Database};
use pitr::backup::BackupType;
use pitr::{BackupReport, BackupRequest};
use platform::process;
use std::time::Duration;

const STOPPED_HINT: &str = "run the command again with the same --snapshot-id: what was sent is not sent again";

/// Makes a backup, or looks at some. Looking needs no database, so none is chosen then.
pub(super) fn run(globals: &Globals, out: &Output, args: &BackupArgs) -> Result<(), Failure> {
    match (&args.action, &args.create) {
        (Some(BackupAction::Verify(verify)), _) => backup_verify::run(globals, out, verify),
        (Some(BackupAction::List(look)), _) => backup_list::run(globals, out, look),
        (Some(BackupAction::Show(look)), _) => backup_show::run(globals, out, look),
        (None, Some(create)) => make(&Session::new(globals, out)?, create, args.wait),
        (None, None) => Err(Failure::internal("the grammar lets no backup without a name or a verb through")),
    }
}

fn make(session: &Session<'_>, args: &BackupCreate, wait: WaitArgs) -> Result<(), Failure> {
    let destination = session.location(&args.destination)?;
    if let Some(id) = &args.snapshot_id {
        pitr::archive::layout::check_snapshot_id(id)?;
    }
    let stop = Stop::begin(&session.world, wait.wait_timeout, STOPPED_HINT)?.or_told(session.job());
    let report = session.read(&args.name, |database, collection| {
        say_that_it_blocks(session, wait, "the backup is durable");
        send(session, args, &destination, &stop, database, collection)
    })?;
    report.warnings.iter().for_each(|warning| session.out.warn(warning));
    if session.out.is_json() {
        return session.out.result_json(&report);
    }
    as_text(&report).iter().try_for_each(|line| session.out.result(line))
}

/// Somebody who gave no `--wait` may expect a job in the background: only a server has those.
pub(super) fn say_that_it_blocks(session: &Session<'_>, wait: WaitArgs, until: &str) {
    match session.job() {
        Some(job) => (job.begun)(),
        None if wait.wait => {}
        None => {
            session.out.note(&format!("no server runs this in the background: the command itself works, and returns when {until}"));
        }
    }
}

fn send(
    session: &Session<'_>,
    args: &BackupCreate,
    destination: &Location,
    stop: &Stop,
    database: &Database,
    collection: &Collection,
) -> Result<BackupReport, Failure> {
    // Whoever searches and writes meanwhile comes first.
    process::give_way();
    // Parents first: a mistyped one must not leave an empty destination behind.
    let candidates = destination.candidates(&session.world, &args.parent)?;
    let store = destination.open_destination(database.dir())?;
    if destination.shares_device(&session.world, database.dir()) {
        session.out.warn("the destination is on the same device as the data: what takes that device takes both; copy the backup elsewhere");
    }
    let request = BackupRequest { snapshot_id: args.snapshot_id.as_deref(), full: args.full, candidates };
    let progress = show_bytes(session.out, "backup");
    pitr::backup(database, collection, &stop.guard(store), &request, &progress).map_err(|failure| stop.explain(failure))
}

/// Says how much was sent. What wraps the log at the destination is sent too, so that the new bytes of a full backup are a few more than it needs.
pub(super) fn new_part(all: u64, new: u64) -> String {
    if new == all { "all of them new".to_owned() } else { format!("{} of them new", bytes(new)) }
}

fn as_text(report: &BackupReport) -> Vec<String> {
    let kind = match (report.backup_type, &report.parent) {
        (BackupType::Full, _) => "full".to_owned(),
        (BackupType::Incremental, None) => "incremental".to_owned(),
        (BackupType::Incremental, Some(parent)) => format!("incremental on {parent}"),
    };
    vec![
        format!("backup       {} of {}, {kind}", report.snapshot_id, report.collection),
        format!("points       {}", count(report.points)),
        format!("bytes        {}, {}", bytes(report.bytes_total), new_part(report.bytes_total, report.bytes_new)),
        format!("state        {}, position {}", format_time(report.commit_time), report.lsn),
        format!("duration     {}", duration(Duration::from_secs_f64(report.seconds))),
    ]
}
