//! The names as requests see them, and the handles of the lives behind them: both change in one step with the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use engine::catalog::{CatalogState, Life};
use engine::database::CatalogListener;
use engine::{Incarnation, Result};
use parking_lot::{Condvar, Mutex};

use super::Served;

/// The catalog, and the open lives.
#[derive(Debug)]
pub(super) struct Lives {
    names: ArcSwap<CatalogState>,
    open: Mutex<Open>,
    /// A life was opened, or could not be, or the catalog changed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Open {
    lives: BTreeMap<Incarnation, Arc<Served>>,
    /// Those that somebody opens now. That may take long where an archive is asked, and holds nobody up who wants another.
    opening: BTreeSet<Incarnation>,
    /// The one that is about to be dropped or replaced: nobody opens it meanwhile.
    ending: Option<Incarnation>,
}

impl Open {
    fn is_busy(&self, incarnation: Incarnation) -> bool {
        self.opening.contains(&incarnation) || self.ending == Some(incarnation)
    }
}

/// Somebody opens a life, until this is dropped.
struct Opening<'a> {
    lives: &'a Lives,
    incarnation: Incarnation,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let was_opening = self.lives.open.lock().opening.remove(&self.incarnation);
        assert!(was_opening, "what was begun ends once");
        self.lives.changed.notify_all();
    }
}

impl Lives {
    pub(super) fn of(state: CatalogState) -> Arc<Self> {
        Arc::new(Lives { names: ArcSwap::from_pointee(state), open: Mutex::default(), changed: Condvar::new() })
    }

    /// Gives the catalog as it is now.
    pub(super) fn names(&self) -> Arc<CatalogState> {
        self.names.load_full()
    }

    /// Finds the life that a name or alias means, opened by a function the first time.
    ///
    /// # Errors
    /// `NotFound` naming what exists; those of opening it.
    pub(super) fn find(&self, name: &str, open_it: impl FnOnce(&CatalogState, &str, &Life) -> Result<Arc<Served>>) -> Result<Arc<Served>> {
        // Under the lock, the names and what is open are of one moment.
        let mut open = self.open.lock();
        let (names, incarnation) = loop {
            let names = self.names.load();
            let incarnation = names.resolve(name)?.1.incarnation;
            if let Some(served) = open.lives.get(&incarnation) {
                return Ok(served.clone());
            }
            if !open.is_busy(incarnation) {
                break (names, incarnation);
            }
            self.changed.wait(&mut open);
        };
        open.opening.insert(incarnation);
        drop(open);
        let _opening = Opening { lives: self, incarnation };
        let (name, life) = names.resolve(name)?;
        // It can neither be dropped nor replaced meanwhile.
        let served = open_it(&names, name, life)?;
        assert_eq!(served.collection().incarnation(), incarnation, "a name is opened as the life that it means");
        self.open.lock().lives.insert(incarnation, served.clone());
        Ok(served)
    }

    /// Lists what is open and has a name.
    pub(super) fn open(&self) -> Vec<Arc<Served>> {
        let open = self.open.lock();
        self.names.load().collections.values().filter_map(|life| open.lives.get(&life.incarnation).cloned()).collect()
    }

    /// Takes all that is open.
    pub(super) fn take(&self) -> Vec<Arc<Served>> {
        let mut open = self.open.lock();
        self.changed.wait_while(&mut open, |open| !open.opening.is_empty());
        std::mem::take(&mut open.lives).into_values().collect()
    }
}

impl CatalogListener for Lives {
    /// Ends the handle of a life; it stays among the open ones until the catalog has changed, so that nobody opens it again before.
    fn before_end(&self, incarnation: Incarnation) -> Result<()> {
        let mut open = self.open.lock();
        self.changed.wait_while(&mut open, |open| open.opening.contains(&incarnation));
        assert!(open.ending.is_none(), "the catalog changes once at a time");
        open.ending = Some(incarnation);
        let served = open.lives.get(&incarnation).cloned();
        drop(open);
        served.map_or(Ok(()), |served| served.end())
    }

    fn after_change(&self, state: CatalogState) {
        let mut open = self.open.lock();
        // What ended and lives on, because the change failed, is opened again when it is asked for.
        open.lives.retain(|_, served| !served.has_ended());
        open.ending = None;
        self.names.store(Arc::new(state));
        self.changed.notify_all();
    }
}
