//! Which lives are open for writing in this process, one handle each, and who is told before a life ends.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Incarnation;

type Told = dyn Fn(Incarnation) -> Result<()> + Send + Sync;

/// Is told before a life ends or another takes its place, so that nobody writes to it any more.
#[derive(Clone)]
pub struct BeforeEnd(Arc<Told>);

impl BeforeEnd {
    /// Calls a function; when it fails, the life goes on.
    #[must_use]
    pub fn new(told: impl Fn(Incarnation) -> Result<()> + Send + Sync + 'static) -> Self {
        BeforeEnd(Arc::new(told))
    }

    /// Tells that a life ends.
    ///
    /// # Errors
    /// What keeps it from ending.
    pub(super) fn tell(&self, incarnation: Incarnation) -> Result<()> {
        (self.0)(incarnation)
    }
}

impl fmt::Debug for BeforeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeEnd")
    }
}

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
