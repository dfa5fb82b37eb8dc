//! Which moments of a living collection an archive brings back.

use std::sync::Arc;

use engine::error::{Error, Result};
use engine::ids::Incarnation;
use platform::object_store::ObjectStore;

use crate::archive::{Archive, Listing};
use crate::backup::held::{Candidates, Library};
use crate::history::Lives;
use crate::history::resolve::{Resolved, history_of_life};
use crate::restore::window::{Windows, windows};

/// Finds the moments that each life can be brought back to from one archive; it is listed once for all of them.
///
/// # Errors
/// Those of the store and of what describes the archive; inside, what keeps a single life from being looked at.
pub fn recovery_windows(store: &Arc<dyn ObjectStore>, lives: &[Incarnation]) -> Result<Vec<Result<Windows>>> {
    let archive = Archive::open(store)?;
    let listing = Arc::new(Listing::read(&**store)?);
    let known = Lives::read(&archive, &listing)?;
    let found = lives.iter().map(|life| {
        let mut library = Library::of(archive.clone(), listing.clone());
        windows(&archive, &mut library, &known, &resolved(&known, *life)?, &Candidates::default())
    });
    Ok(found.collect())
}

/// Describes the history of a life that holds its name.
fn resolved(known: &Lives, life: Incarnation) -> Result<Resolved> {
    let history = history_of_life(known, life)?;
    let holds = |tenures: &[crate::history::Tenure]| tenures.iter().any(|tenure| tenure.incarnation == life);
    let held = known.databases.iter().find(|database| holds(&database.tenures));
    let database = held.ok_or_else(|| Error::not_found("the archive knows no collection of this life"))?.database;
    Ok(Resolved { history, incarnation: Some(life), database, until: None, warnings: Vec::new() })
}
