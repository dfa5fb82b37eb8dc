//! `vectra restore` and `vectra collections restore`: a backup, or any moment of an archive, becomes a collection again, with its index.

pub(super) mod print;

use super::backup::say_that_it_blocks;
use super::destination::{Location, show_bytes};
use super::lazy;
use super::session::Session;
use super::settle::{self, Deadline};
use super::stop::Stop;
use crate::args::RestoreArgs;
use crate::exit::Failure;
use engine::Database;
use engine::catalog::{ArchiveSettings, Durability};
use engine::collection::indexer::Goal;
use pitr::archiver::{BACKLOG_LIMIT, DELAY};
use pitr::lazy::{Lazy, Stay};
use pitr::restore::IndexState;
use pitr::takeover::{TakeoverRequest, take_over_collection};
use pitr::{RestoreAllRequest, RestoreReport, RestoreRequest, Target};
use std::time::Duration;

const STOPPED_HINT: &str = "nothing of it is visible: run the command again";

/// Restores, or says what a restore would do.
pub(super) fn run(session: &Session<'_>, args: &RestoreArgs) -> Result<(), Failure> {
    let (world, began) = (&session.world, session.world.clock.monotonic_micros());
    let source = session.source(&args.source)?;
    session.check_parents(&args.parent)?;
    // The source before the database: a mistyped path must leave nothing behind, a data directory included.
    let store = source.open_source(world)?;
    let target = target(session, args);
    send_what_waits(session, &source);
    let stop = Stop::begin(world, args.wait.wait_timeout, STOPPED_HINT)?.or_told(session.job());
    let explain = |failure| source.explain(world, stop.explain(failure));
    let progress = show_bytes(session.out, "restore");
    let guarded = stop.guard(store.clone());
    let Some(name) = &args.name else {
        let request = RestoreAllRequest { target, replace: args.replace, threads: threads(), ..RestoreAllRequest::default() };
        if args.dry_run {
            let plans = pitr::dry_run_all(&session.look()?, &store, &request).map_err(explain)?;
            return plans.iter().try_for_each(|plan| print::plan(session, plan));
        }
        say_that_it_blocks(session, args.wait, "the collections are durable and answer");
        let restored = session.change(|database| pitr::restore_all(database, &guarded, &request, &progress));
        return restored.map_err(explain)?.iter().try_for_each(|report| print::report(session, report));
    };
    let location = source.to_string();
    let request = RestoreRequest {
        name,
        target,
        timeline: args.timeline,
        new_name: args.new_collection_name.as_deref(),
        replace: args.replace,
        candidates: source.candidates(world, &args.parent)?,
        threads: threads(),
        lazy: args.lazy.then_some(Lazy { location: &location, endpoint: session.reach().endpoint.as_deref(), stay: Stay::UntilBrought }),
        ..RestoreRequest::default()
    };
    if args.dry_run {
        let plan = pitr::dry_run(&session.look()?, &store, &request).map_err(explain)?;
        session.out.note("nothing was restored: this is a dry run");
        return print::plan(session, &plan);
    }
    say_that_it_blocks(session, args.wait, "the collection is durable and answers");
    let restored = session.change(|database| {
        if !args.exclusive {
            let report = pitr::restore(database, &guarded, &request, &progress)?;
            if args.lazy {
                // It answers: whoever waits for that need not wait for more.
                print::report(session, &report)?;
                session.out.finish()?;
            }
            return Ok(report);
        }
        let takeover = TakeoverRequest {
            name,
            new_name: request.new_name,
            replace: args.replace,
            candidates: request.candidates.copy(),
            threads: threads(),
        };
        let report = take_over_collection(database, &guarded, &takeover, &progress)?;
        // Who took a history over goes on archiving it.
        archive_from_now_on(database, &report.collection, &source)?;
        Ok(report)
    });
    let report = restored.map_err(explain)?;
    let target_name = args.new_collection_name.as_deref().unwrap_or(name);
    let differs = report.index == IndexState::Differs;
    if args.lazy {
        bring(session, args, began, report)?;
    } else {
        print::report(session, &report)?;
    }
    if differs && !args.no_wait {
        rebuild(session, args, target_name)?;
    }
    say_what_is_archived(session, name, target_name)
}

/// A server that restores from an archive of its own sends first what waits: a moment that has just passed can be restored too.
fn send_what_waits(session: &Session<'_>, source: &Location) {
    let Some(host) = session.hosted() else { return };
    let location = source.to_string();
    if host.names().archives.values().any(|settings| settings.url == location)
        && let Err(error) = host.archive_now()
    {
        session.out.warn(&format!("what was written last is not archived yet: {error}"));
    }
}

/// Builds what came built otherwise than the configuration of that time asks for; the collection answers meanwhile.
fn rebuild(session: &Session<'_>, args: &RestoreArgs, name: &str) -> Result<(), Failure> {
    session.out.note(&format!("indexes of {name} were built otherwise than it is configured: they are built anew, and answer meanwhile"));
    let deadline = Deadline::after(session, args.wait.wait_timeout);
    session.write(name, |_, collection| settle::steps(session, None, collection, Goal::Indexed, deadline)).map(drop)
}

/// Brings what a lazy restore left, unless nobody waits for it, and says when it was there.
fn bring(session: &Session<'_>, args: &RestoreArgs, began: u64, mut report: RestoreReport) -> Result<(), Failure> {
    if args.no_wait && report.bytes_away > 0 {
        let name = &report.collection;
        session.out.note(&format!("the rest of the log comes when it is needed; \"vectra collections optimize {name}\" brings it"));
        return Ok(());
    }
    if report.bytes_away == 0 {
        return Ok(());
    }
    lazy::bring_by_name(session, &report.collection, args.wait.wait_timeout, false)?;
    let seconds = Duration::from_micros(session.world.clock.monotonic_micros() - began).as_secs_f64();
    (report.full_speed_s, report.seconds) = (Some(seconds), seconds);
    (report.bytes, report.bytes_away) = (report.bytes + report.bytes_away, 0);
    print::whole(session, &report)
}

fn archive_from_now_on(database: &Database, name: &str, source: &Location) -> Result<(), Failure> {
    let settings = ArchiveSettings { url: source.to_string(), durability: Durability::Fsync, backlog_limit: BACKLOG_LIMIT, delay: DELAY };
    database.set_archive(name, Some(settings))
}

/// A name keeps its archive; another name has none, and the user should know.
fn say_what_is_archived(session: &Session<'_>, from: &str, name: &str) -> Result<(), Failure> {
    let archives = session.look()?.state().archives;
    match archives.get(name) {
        Some(settings) => session.out.note(&format!("what is written to {name} is archived to {}", settings.url)),
        None if archives.contains_key(from) => {
            session.out.note(&format!("{name} is not archived, {from} is: \"vectra archive enable {name} --to URL\" begins it"));
        }
        None => {}
    }
    Ok(())
}

/// Threads that fetch: as many as the machine runs at once, and at most four.
pub(super) fn threads() -> usize {
    super::settle::threads().0.min(4)
}

fn target<'a>(session: &Session<'_>, args: &'a RestoreArgs) -> Target<'a> {
    let now = session.world.clock.wall_micros();
    match (args.to_time, args.to_lsn) {
        (Some(time), _) => Target::Time(time.resolve(now)),
        (None, Some(lsn)) => Target::Lsn(lsn),
        (None, None) if args.latest => Target::Latest,
        (None, None) => Target::Snapshot(args.snapshot_id.as_deref()),
    }
}
