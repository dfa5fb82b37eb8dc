//! Who is told what happens to the catalog of a database that stays open.

use std::fmt::Debug;

use crate::catalog::CatalogState;
use crate::error::Result;
use crate::ids::Incarnation;

/// Is told before a life ends, and what the catalog says after each change. Changes come one at a time; a listener must not make one.
pub trait CatalogListener: Debug + Send + Sync {
    /// Sees to it that nobody writes to a life any more: it is about to be dropped or replaced.
    ///
    /// # Errors
    /// What keeps it from ending; it goes on then.
    fn before_end(&self, incarnation: Incarnation) -> Result<()>;

    /// Takes the catalog as it is after a change, or after one that failed: then a life that was about to end goes on.
    fn after_change(&self, state: CatalogState);
}
