//! Which lives are open for writing in this process, one handle each, and which are being put together.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Incarnation;

/// The lives that are open for writing.
#[derive(Debug, Clone, Default)]
pub(super) struct Handles(Arc<Mutex<BTreeSet<Incarnation>>>);

/// The right to write to a life, given back when dropped.
#[derive(Debug)]
pub struct Handle {
    handles: Handles,
    incarnation: Incarnation,
}

impl Handles {
    /// Takes the right to write to a life: two handles would write over each other.
    ///
    /// # Errors
    /// `Locked` when somebody has it.
    pub(super) fn take(&self, name: &str, incarnation: Incarnation) -> Result<Handle> {
        if !self.0.lock().insert(incarnation) {
            return Err(Error::new(ErrorKind::Locked, format!("collection \"{name}\" is open for writing already, in this process"))
                .with_object(name));
        }
        Ok(Handle { handles: self.clone(), incarnation })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let was_taken = self.handles.0.lock().remove(&self.incarnation);
        assert!(was_taken, "who gives a handle back had it");
    }
}

/// The lives that are being put together: the catalog does not know them yet, and nobody clears them away.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals(Arc<Mutex<BTreeSet<Incarnation>>>);

/// A life that is being put together, until this is dropped.
#[derive(Debug)]
pub struct Arriving {
    arrivals: Arrivals,
    incarnation: Incarnation,
}

impl Arrivals {
    pub(super) fn begin(&self, incarnation: Incarnation) -> Arriving {
        let is_new = self.0.lock().insert(incarnation);
        assert!(is_new, "a life is put together once");
        Arriving { arrivals: self.clone(), incarnation }
    }

    /// Gives them by the names of their directories.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.0.lock().iter().map(ToString::to_string).collect()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let was_there = self.arrivals.0.lock().remove(&self.incarnation);
        assert!(was_there, "what arrives was begun");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_written_through_one_handle_at_a_time() {
        let handles = Handles::default();
        let life = Incarnation([7; 16]);
        let first = handles.take("c", life).unwrap();
        assert_eq!(handles.take("c", life).unwrap_err().kind, ErrorKind::Locked);
        handles.take("d", Incarnation([8; 16])).unwrap();
        drop(first);
        handles.take("c", life).unwrap();
    }
}
