//! Takes a collection over through its archive alone: the old history is sealed, and what is restored goes on from exactly there.

use std::sync::Arc;

use engine::Database;
use engine::error::Result;
use engine::ids::{Incarnation, Timeline};
use platform::object_store::ObjectStore;

use crate::Progress;
use crate::archive::{Archive, Listing};
use crate::backup::held::Candidates;
use crate::doctor;
use crate::fence::drive::{Claim, Permission, follow, take_over};
use crate::history::Lives;
use crate::history::resolve::{Wanted, resolve};
use crate::restore::{Claimed, RestoreReport, RestoreRequest, Target, restore};

/// Why a timeline says it began that another machine took over.
pub const PROMOTED_REASON: &str = "promoted";

/// What is taken over, as what.
#[derive(Debug, Default)]
pub struct TakeoverRequest<'a> {
    /// The collection's name in the archive.
    pub name: &'a str,
    /// The name it gets here; `None`: the same.
    pub new_name: Option<&'a str>,
    /// Drop the collection that has the name now, in the same step.
    pub replace: bool,
    /// Where other archives may be.
    pub candidates: Candidates<'a>,
    /// How many threads fetch.
    pub threads: usize,
}

/// Restores the newest archived state and seals the history behind it: whoever wrote it before is turned away at its next write to the archive.
///
/// Run again after a failure: a seal that stands already is gone on from.
///
/// # Errors
/// `Unreachable` when the store is not safe for two writers (`vectra doctor archive` says why), `Conflict` when somebody else took over at the same
/// time; otherwise as [`restore`].
pub fn take_over_collection(
    database: &Database,
    store: &Arc<dyn ObjectStore>,
    request: &TakeoverRequest<'_>,
    progress: Progress<'_>,
) -> Result<RestoreReport> {
    let world = database.world();
    let probed = doctor::probe(world, store);
    let archive = Archive::open(store)?;
    let old = tip(&archive, request.name)?;
    let incarnation = Incarnation::draw(&*world.random);
    let claim = Claim { database: database.id()?, incarnation: Some(incarnation), reason: PROMOTED_REASON };
    let takeover = take_over(&archive, &*world.random, old, &claim, Permission::Probed(&probed))?;
    let order = RestoreRequest {
        name: request.name,
        target: Target::Lsn(takeover.fork),
        timeline: Some(old),
        new_name: request.new_name,
        replace: request.replace,
        candidates: request.candidates.copy(),
        threads: request.threads,
        claimed: Some(Claimed { incarnation, timeline: takeover.new }),
        finish: None,
        lazy: None,
    };
    restore(database, store, &order, progress)
}

/// Finds the timeline of a name that nobody has sealed.
fn tip(archive: &Archive, name: &str) -> Result<Timeline> {
    let listing = Arc::new(Listing::read(&*archive.store)?);
    let lives = Lives::read(archive, &listing)?;
    let resolved = resolve(&lives, &Wanted { name, at: None, timeline: None })?;
    Ok(follow(archive, resolved.history.tip())?.timeline)
}
