//! `vectra archive run`: sends what waits, again and again, giving way to whoever writes.

use crate::args::ArchiveRun;
use crate::commands::archiving;
use crate::commands::optimize::catch_interrupts;
use crate::commands::session::Session;
use crate::exit::Failure;
use crate::output::bytes;
use crate::time::micros;
use engine::{Database, ErrorKind};
use pitr::archiver::PassReport;
use serde_json::json;
use std::time::Duration;

/// Between two looks whether the user stopped the command.
const LOOK: Duration = Duration::from_millis(100);

/// Sends until told to stop. With --once a failure ends the command; otherwise it is said, and tried again.
pub(in crate::commands) fn run(session: &Session<'_>, args: &ArchiveRun) -> Result<(), Failure> {
    catch_interrupts()?;
    loop {
        match session.change_without_archiving(|database| send(session, database)) {
            Ok(done) => done.iter().try_for_each(|(url, report)| print(session, args, url, report))?,
            Err(failure) if args.once || !passes(failure.kind) => return Err(failure),
            Err(failure) => session.out.warn(&failure.to_string()),
        }
        if args.once {
            return Ok(());
        }
        let until = session.world.clock.monotonic_micros().saturating_add(micros(args.every));
        while session.world.clock.monotonic_micros() < until {
            if platform::process::interrupted() {
                return Err(Failure::new(ErrorKind::Interrupted, "interrupted").with_hint("what was sent stays; run it again at any time"));
            }
            session.world.clock.sleep(LOOK);
        }
    }
}

fn send(session: &Session<'_>, database: &Database) -> Result<Vec<(String, PassReport)>, Failure> {
    database.quiesce()?;
    let mut done = archiving::finish(session, database)?;
    for (url, report) in &mut done {
        let sent = archiving::compact(session, database, url)?;
        report.sent.whole += sent.whole;
    }
    Ok(done)
}

/// Whether a failure may pass by itself.
fn passes(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unreachable | ErrorKind::Locked | ErrorKind::NoSpace | ErrorKind::Timeout)
}

fn print(session: &Session<'_>, args: &ArchiveRun, url: &str, report: &PassReport) -> Result<(), Failure> {
    let all = report.sent.total();
    if !args.once && all == 0 {
        return Ok(());
    }
    if session.out.is_json() {
        return session.out.row_json(&json!({"url": url, "sent": report.sent, "operations": report.operations, "backlog": report.backlog}));
    }
    session.out.row(&format!("{url}: {} sent", bytes(all)))
}
