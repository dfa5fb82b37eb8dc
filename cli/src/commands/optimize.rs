//! `vectra collections optimize`: what is still in an archive, every graph that is missing, and merges of segments.

use super::lazy;
use super::session::Session;
use super::settle::{self, Deadline};
use crate::args::OptimizeArgs;
use crate::exit::Failure;
use crate::output::{count, duration};
use engine::collection::indexer::Goal;
use serde_json::json;
use std::time::Duration;

/// Runs background steps until there is nothing left to do.
pub(super) fn run(session: &Session<'_>, args: &OptimizeArgs) -> Result<(), Failure> {
    let clock = &session.world.clock;
    let (indexed, segments, micros) = session.write(&args.name, |_, collection| {
        let started = clock.monotonic_micros();
        catch_interrupts()?;
        let deadline = Deadline::after(session, args.wait_timeout);
        if args.detach {
            collection.detach()?;
        }
        if collection.lazy_marker().is_some_and(|marker| !marker.keep) {
            lazy::bring(session, collection, &|| deadline.check(session).err())?;
        }
        settle::steps(session, None, collection, Goal::Indexed, deadline)?;
        let version = collection.version();
        Ok((version.indexed_rows(), version.segments.len(), clock.monotonic_micros() - started))
    })?;
    let seconds = Duration::from_micros(micros);
    if session.out.is_json() {
        let name = &args.name;
        let result = json!({"name": name, "indexed_points": indexed, "segments": segments, "seconds": seconds.as_secs_f64()});
        return session.out.result_json(&result);
    }
    session.out.result(&format!("{} points in graphs, {segments} segments, {}", count(indexed), duration(seconds)))
}

/// Lets Ctrl-C end the command between two pieces of work instead of in the middle of one.
pub(super) fn catch_interrupts() -> Result<(), Failure> {
    platform::process::catch_interrupts().map_err(|error| Failure::internal(format!("cannot catch interrupts: {error}")))
}
