//! Reads a collection as it was at some time: put together from an archive in a directory of its own, which is gone in the end.

use super::lazy::{self, Past};
use super::restore::threads;
use super::session::Session;
use super::stop::Stop;
use super::temporary::Temporary;
use crate::args::AsOfArgs;
use crate::exit::Failure;
use crate::time::Moment;
use engine::database::DatabaseOptions;
use engine::{Collection, Database, ErrorKind};
use pitr::archive::Archive;
use pitr::archive::pin::ReaderPin;
use pitr::lazy::{Lazy, Stay};
use pitr::{RestoreRequest, Target};

const STOPPED_HINT: &str = "nothing was changed";

/// Gives the collection as it was to `work`. No database changes, and of the archive nothing but a pin that is there meanwhile.
pub(super) fn read<T>(
    session: &Session<'_>,
    name: &str,
    time: Moment,
    args: &AsOfArgs,
    work: impl FnOnce(&Collection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let world = &session.world;
    let time = time.resolve(world.clock.wall_micros());
    let past = Past::of(session, name, args.source.as_deref())?;
    session.check_parents(&args.parent)?;
    let store = past.source.open_source(world)?;
    let stop = Stop::begin(world, None, STOPPED_HINT)?;
    let explain = |failure| past.source.explain(world, stop.explain(failure));
    let pin = ReaderPin::begin(&Archive::open(&store).map_err(explain)?, world, "a search of the past");
    if let Err(failure) = &pin {
        session.out.note(&format!("the archive must not be pruned meanwhile, it cannot be told: {failure}"));
    }
    let place = Temporary::make(world, &std::env::temp_dir(), "as-of")?;
    let options = DatabaseOptions { accept_clock: true, kernels: Some(session.kernels), ..DatabaseOptions::default() };
    let mut database = Database::open(world, place.path(), options)?;
    database.set_range_sources(lazy::sources_until(session, &stop));
    let location = past.source.to_string();
    let lazy = Lazy { location: &location, endpoint: session.reach().endpoint.as_deref(), stay: Stay::ForNow };
    let request = RestoreRequest {
        name: &past.name,
        target: Target::Time(time),
        timeline: args.timeline,
        candidates: past.source.candidates(world, &args.parent)?,
        threads: threads(),
        lazy: Some(lazy),
        ..RestoreRequest::default()
    };
    let guarded = stop.guard(store);
    let put_together = || pitr::restore(&database, &guarded, &request, &|_, _| ());
    let report = match put_together() {
        // What was closed last may be a while ago: nothing happened since, and once that is sent, it is known.
        Err(failure) if failure.kind == ErrorKind::NotFound && past.is_own && time <= world.clock.wall_micros() => {
            session.change(|_| Ok(())).and_then(|()| put_together())
        }
        report => report,
    };
    report.map_err(explain)?.warnings.iter().for_each(|warning| session.out.warn(warning));
    let collection = database.collection(&past.name)?;
    let done = work(&collection).map_err(explain);
    drop(collection);
    drop(database);
    place.remove()?;
    done
}
