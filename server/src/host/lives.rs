//! The names as requests see them, and the handles of the lives behind them: both change in one step with the catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use engine::catalog::{CatalogState, Life};
use engine::database::CatalogListener;
use engine::{Incarnation, Result};
use parking_lot::Mutex;

use super::Served;

/// The catalog, and the open lives.
#[derive(Debug)]
pub(super) struct Lives {
    names: ArcSwap<CatalogState>,
    open: Mutex<BTreeMap<Incarnation, Arc<Served>>>,
}

impl Lives {
    pub(super) fn of(state: CatalogState) -> Arc<Self> {
        Arc::new(Lives { names: ArcSwap::from_pointee(state), open: Mutex::default() })
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
        let names = self.names.load();
        let (name, life) = names.resolve(name)?;
        if let Some(served) = open.get(&life.incarnation) {
            return Ok(served.clone());
        }
        let served = open_it(&names, name, life)?;
        assert_eq!(served.collection().incarnation(), life.incarnation, "a name is opened as the life that it means");
        open.insert(life.incarnation, served.clone());
        Ok(served)
    }

    /// Lists what is open and has a name.
    pub(super) fn open(&self) -> Vec<Arc<Served>> {
        let open = self.open.lock();
        self.names.load().collections.values().filter_map(|life| open.get(&life.incarnation).cloned()).collect()
    }

    /// Takes all that is open.
    pub(super) fn take(&self) -> Vec<Arc<Served>> {
        std::mem::take(&mut *self.open.lock()).into_values().collect()
    }
}

impl CatalogListener for Lives {
    /// Ends the handle of a life; it stays among the open ones until the catalog has changed, so that nobody opens it again before.
    fn before_end(&self, incarnation: Incarnation) -> Result<()> {
        let served = self.open.lock().get(&incarnation).cloned();
        served.map_or(Ok(()), |served| served.end())
    }

    fn after_change(&self, state: CatalogState) {
        let mut open = self.open.lock();
        // What ended and lives on, because the change failed, is opened again when it is asked for.
        open.retain(|_, served| !served.has_ended());
        self.names.store(Arc::new(state));
    }
}
