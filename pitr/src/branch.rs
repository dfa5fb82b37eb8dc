//! Branches: a collection as it was at some moment, as another one that can be written to, whose log stays in the archive.
//!
//! Nothing is copied but the index and the end of the log, so that the time a branch takes follows the size of the index and not that of the
//! data. What it refers to is held by a pin for as long as it lives.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use engine::Database;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Incarnation, Timeline};
use platform::object_store::ObjectStore;

use crate::Progress;
use crate::backup::held::Candidates;
use crate::lazy::{Lazy, OpenLocation, Places, Stay, places_of};
use crate::restore::{RestoreReport, RestoreRequest, Target, restore};

/// What is to be branched, from when, as what.
#[derive(Debug, Default)]
pub struct BranchRequest<'a> {
    /// The collection's name in the archive.
    pub name: &'a str,
    /// The moment.
    pub target: Target<'a>,
    /// The timeline that the history ends with; `None`: the one that the name means.
    pub timeline: Option<Timeline>,
    /// The branch's name.
    pub new_name: &'a str,
    /// The archive as the user wrote it.
    pub location: &'a str,
    /// The server at which locations in buckets are asked for, where the user named one.
    pub endpoint: Option<&'a str>,
    /// Where other archives may be.
    pub candidates: Candidates<'a>,
    /// How many threads fetch.
    pub threads: usize,
}

/// Makes a branch. It is a collection like any other, on a timeline of its own: what is written to it is in no other.
///
/// # Errors
/// As [`restore`](fn@crate::restore).
pub fn branch(
    database: &Database,
    store: &Arc<dyn ObjectStore>,
    request: &BranchRequest<'_>,
    progress: Progress<'_>,
) -> Result<RestoreReport> {
    let BranchRequest { name, target, timeline, new_name, location, endpoint, threads, .. } = *request;
    if name == new_name {
        return Err(
            Error::new(ErrorKind::Exists, format!("the branch needs another name than \"{}\"", name.escape_debug())).with_object(name)
        );
    }
    let lazy = Some(Lazy { location, endpoint, stay: Stay::Kept });
    let candidates = request.candidates.copy();
    let restored =
        RestoreRequest { name, target, timeline, new_name: Some(new_name), candidates, threads, lazy, ..RestoreRequest::default() };
    restore(database, store, &restored, progress)
}

/// Knows which lives of a database hold something in archives, to let go of it once they are gone for good.
#[derive(Debug, Default)]
pub struct Holders(BTreeMap<Incarnation, Places>);

impl Holders {
    /// Looks at every life, dropped ones included. A marker that cannot be read names nothing.
    #[must_use]
    pub fn look(database: &Database) -> Self {
        let state = database.state();
        let lives = state.collections.values().map(|life| life.incarnation);
        let lives = lives.chain(state.dropped.iter().map(|dropped| dropped.life.incarnation));
        let places = |incarnation| {
            let found = dirs(database, incarnation).iter().find_map(|dir| places_of(database.world(), dir).ok().flatten());
            found.map(|places| (incarnation, places))
        };
        Holders(lives.filter_map(places).collect())
    }

    /// Removes the pins of those that are gone since.
    ///
    /// # Errors
    /// Those of `open` and of the stores: the first, after all were tried.
    pub fn release_gone(self, database: &Database, open: OpenLocation<'_>) -> Result<()> {
        let mut first = Ok(());
        for (incarnation, places) in self.0 {
            let fs = &database.world().fs;
            let is_there = dirs(database, incarnation).iter().any(|dir| !matches!(fs.metadata(dir), Ok(None)));
            if !is_there {
                first = first.and(places.release(open));
            }
        }
        first
    }
}

fn dirs(database: &Database, incarnation: Incarnation) -> [PathBuf; 2] {
    [database.collection_dir(incarnation), database.dropped_dir(incarnation)]
}
