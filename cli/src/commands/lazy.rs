//! Collections whose log is partly in an archive: how it is reached, brought, and let go of.

use super::destination::{Location, Reach, show_bytes};
use super::session::Session;
use super::stop::Stop;
use crate::exit::Failure;
use engine::collection::RangeSources;
use engine::{Collection, Database, ErrorKind};
use pitr::branch::Holders;
use platform::World;
use platform::object_store::ObjectStore;
use std::sync::Arc;

const BRING_HINT: &str = "the collection answers meanwhile; \"vectra collections optimize\" brings the rest";

/// Opens the locations that markers name, as a session reaches locations. A server that the command names counts before that of the marker.
fn opener(world: &World, reach: &Reach) -> impl Fn(&str, Option<&str>) -> Result<Arc<dyn ObjectStore>, Failure> + Send + Sync + 'static {
    let (world, reach) = (world.clone(), reach.clone());
    move |location, endpoint| {
        let endpoint = reach.endpoint.clone().or_else(|| endpoint.map(str::to_owned));
        let opened = Location::parse(location, &Reach { endpoint, ..reach.clone() })?.open_source(&world);
        // It was there when the collection began to refer to it.
        opened.map_err(|failure| match failure.kind {
            ErrorKind::NotFound => Failure { kind: ErrorKind::Unreachable, ..failure }
                .with_hint("a part of the collection's log is in that archive: bring the archive back to where it was"),
            _ => failure,
        })
    }
}

/// Gives collections that are partly in archives their bytes.
pub(super) fn sources(world: &World, reach: &Reach) -> RangeSources {
    pitr::lazy::range_sources(opener(world, reach))
}

/// The same for a command that can be stopped.
pub(super) fn sources_until(session: &Session<'_>, stop: &Stop) -> RangeSources {
    let (open, stop) = (opener(&session.world, session.reach()), stop.clone());
    pitr::lazy::range_sources(move |location, endpoint| open(location, endpoint).map(|store| stop.guard(store)))
}

/// Brings what is missing of a collection, until `stopped` gives a reason to end.
pub(super) fn bring(session: &Session<'_>, collection: &Collection, stopped: &dyn Fn() -> Option<Failure>) -> Result<(), Failure> {
    let open = opener(&session.world, session.reach());
    let progress = show_bytes(session.out, "fetch");
    let whole = pitr::lazy::hydrate(collection, &open, &|| stopped().is_some(), &progress);
    match (whole, stopped()) {
        (Ok(true), _) => Ok(()),
        (_, Some(reason)) => Err(reason),
        (Ok(false), None) => Err(Failure::internal("a collection is not whole though nothing stopped it")),
        (Err(failure), None) => Err(if failure.hint.is_none() { failure.with_hint(BRING_HINT) } else { failure }),
    }
}

/// Brings what is missing of a collection that was just restored, which answers meanwhile.
pub(super) fn bring_by_name(session: &Session<'_>, name: &str, timeout: Option<std::time::Duration>, detach: bool) -> Result<(), Failure> {
    let stop = Stop::begin(&session.world, timeout, BRING_HINT)?;
    session.write(name, |_, collection| {
        if detach {
            collection.detach()?;
        }
        bring(session, collection, &|| stop.reason())
    })
}

/// Does work that may end lives, and removes what those held in archives. What cannot be removed is no failure: it is a warning.
pub(super) fn letting_go<T>(session: &Session<'_>, database: &Database, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let holders = Holders::look(database);
    let done = work()?;
    if let Err(failure) = holders.release_gone(database, &opener(&session.world, session.reach())) {
        session.out.warn(&format!("the archive still keeps what a branch that is gone referred to: {failure}"));
    }
    Ok(done)
}

/// Where the past of a name is read from: the source that was given, or the archive that the name has.
pub(super) struct Past {
    /// The collection's name there.
    pub name: String,
    pub source: Location,
    /// Whether the source is the archive that this database writes to.
    pub is_own: bool,
}

impl Past {
    /// Finds the source.
    pub fn of(session: &Session<'_>, name: &str, source: Option<&str>) -> Result<Self, Failure> {
        let state = session.look()?.state();
        let name = state.meant(name).to_owned();
        if let Some(source) = source {
            return Ok(Self { name, source: session.source(source)?, is_own: false });
        }
        let Some(settings) = state.archives.get(&name) else {
            let failure = Failure::not_found(format!("\"{}\" is not archived: its past is not known here", name.escape_debug()));
            return Err(failure.with_object(&name).with_hint("name an archive with --source, or begin one with \"vectra archive enable\""));
        };
        Ok(Self { source: session.location(&settings.url)?, name, is_own: true })
    }
}
