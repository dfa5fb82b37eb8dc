//! `vectra collections branch`: a collection as it was, as another one, whose log stays in the archive.

use super::archiving;
use super::destination::show_bytes;
use super::lazy::{self, Past};
use super::restore::{print, threads};
use super::session::Session;
use super::stop::Stop;
use crate::args::BranchArgs;
use crate::exit::Failure;
use pitr::{BranchRequest, Target};
use std::time::Duration;

const STOPPED_HINT: &str = "nothing of the branch is visible: run the command again";

/// Makes the branch; with `--detach`, a copy that needs the archive no more.
pub(super) fn run(session: &Session<'_>, args: &BranchArgs) -> Result<(), Failure> {
    let (world, began) = (&session.world, session.world.clock.monotonic_micros());
    let past = Past::of(session, &args.collection, args.source.as_deref())?;
    session.check_parents(&args.parent)?;
    let store = past.source.open_source(world)?;
    let stop = Stop::begin(world, args.wait_timeout, STOPPED_HINT)?;
    let (guarded, progress) = (stop.guard(store), show_bytes(session.out, "branch"));
    let location = past.source.to_string();
    let mut report = session
        .change(|database| {
            if past.is_own {
                // The newest moments are there once everything was sent.
                archiving::finish(session, database)?;
            }
            let now = world.clock.wall_micros();
            let request = BranchRequest {
                name: &past.name,
                target: args.as_of.map_or(Target::Latest, |time| Target::Time(time.resolve(now))),
                timeline: args.timeline,
                new_name: &args.name,
                location: &location,
                endpoint: session.reach().endpoint.as_deref(),
                candidates: past.source.candidates(world, &args.parent)?,
                threads: threads(),
            };
            pitr::branch(database, &guarded, &request, &progress)
        })
        .map_err(|failure| past.source.explain(world, stop.explain(failure)))?;
    if args.detach {
        lazy::bring_by_name(session, &args.name, args.wait_timeout, true)?;
        let seconds = Duration::from_micros(world.clock.monotonic_micros() - began).as_secs_f64();
        (report.full_speed_s, report.seconds) = (Some(seconds), seconds);
        (report.bytes, report.bytes_away) = (report.bytes + report.bytes_away, 0);
    }
    print::report(session, &report)
}
