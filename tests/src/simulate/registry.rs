//! What must exist after a crash: the names, the lives behind them, and what was in flight and may be in or out.

use std::collections::BTreeMap;

use engine::Incarnation;
use engine::catalog::CatalogState;

use super::generate::Shape;
use crate::model::{Change, Points, SeenPoints, difference, seen};

/// One life of a name.
#[derive(Debug)]
pub struct Life {
    /// Its vectors.
    pub shape: Shape,
    /// What was acknowledged, or seen after a recovery (which makes it durable).
    pub points: Points,
    /// Changes that were not acknowledged and may have happened, in their order.
    pub pending: Vec<Change>,
    /// Every change that led to `points`.
    pub history: Vec<Change>,
    /// Its id, once known.
    pub incarnation: Option<Incarnation>,
    /// Largest acknowledged position.
    pub lsn: u64,
}

impl Life {
    fn new(shape: Shape) -> Self {
        Life { shape, points: Points::new(), pending: Vec::new(), history: Vec::new(), incarnation: None, lsn: 0 }
    }

    /// Notes an acknowledged change.
    pub fn acknowledge(&mut self, change: Change) {
        change.apply(&mut self.points);
        self.history.push(change);
    }

    /// Finds how many of the pending changes are in what was seen; the most, where several fit.
    fn fitting(&self, found: &SeenPoints) -> Option<(usize, Points)> {
        let mut candidate = self.points.clone();
        let mut fits = None;
        for taken in 0..=self.pending.len() {
            if taken > 0 {
                self.pending[taken - 1].apply(&mut candidate);
            }
            if seen(&candidate) == *found {
                fits = Some((taken, candidate.clone()));
            }
        }
        fits
    }

    /// Checks what was seen beside a writer, who goes on.
    ///
    /// # Errors
    /// The difference, when it is not everything acknowledged and a prefix of what was in flight.
    pub fn allows(&self, found: &SeenPoints) -> Result<(), String> {
        self.fitting(found).map(drop).ok_or_else(|| self.complaint(found))
    }

    /// Checks what was seen after a recovery and holds the engine to it from now on.
    ///
    /// # Errors
    /// As [`Life::allows`].
    pub fn resolve(&mut self, found: &SeenPoints) -> Result<(), String> {
        let (taken, points) = self.fitting(found).ok_or_else(|| self.complaint(found))?;
        self.points = points;
        self.history.extend(self.pending.drain(..taken));
        self.pending.clear();
        Ok(())
    }

    /// Says whether what was seen is a state that this life once had.
    #[must_use]
    pub fn was_ever(&self, found: &SeenPoints) -> bool {
        let mut points = Points::new();
        let mut changes = self.history.iter().chain(&self.pending);
        loop {
            if seen(&points) == *found {
                return true;
            }
            let Some(change) = changes.next() else { return false };
            change.apply(&mut points);
        }
    }

    fn complaint(&self, found: &SeenPoints) -> String {
        let difference = difference(&seen(&self.points), found);
        format!("not the acknowledged state and a prefix of {} changes in flight: {difference}", self.pending.len())
    }
}

/// The names as they are.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Lives by name.
    pub living: BTreeMap<String, usize>,
    /// Dropped lives with their names, oldest first.
    pub dropped: Vec<(String, usize)>,
}

/// A change of names.
#[derive(Clone, Debug)]
pub enum NameChange {
    /// A name gets a life.
    Create(String, usize),
    /// A name loses its life.
    Drop(String),
    /// A dropped life is gone.
    Purge(usize),
    /// The newest dropped life of a name is back.
    Undrop(String),
}

impl Names {
    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Create(name, life) => drop(self.living.insert(name.clone(), *life)),
            NameChange::Drop(name) => {
                if let Some(life) = self.living.remove(name) {
                    self.dropped.push((name.clone(), life));
                }
            }
            NameChange::Purge(life) => self.dropped.retain(|(_, dropped)| dropped != life),
            NameChange::Undrop(name) => {
                if let Some(at) = self.dropped.iter().rposition(|(dropped, _)| dropped == name) {
                    let (name, life) = self.dropped.remove(at);
                    self.living.insert(name, life);
                }
            }
        }
    }
}

/// Every life there ever was, and the names.
#[derive(Debug, Default)]
pub struct Registry {
    /// The lives, oldest first.
    pub lives: Vec<Life>,
    /// The acknowledged names.
    pub names: Names,
    pending: Vec<NameChange>,
}

impl Registry {
    /// Begins a life that no name has yet.
    pub fn begin(&mut self, shape: Shape) -> usize {
        self.lives.push(Life::new(shape));
        self.lives.len() - 1
    }

    /// Notes an acknowledged change of names.
    pub fn acknowledge(&mut self, change: &NameChange) {
        self.names.apply(change);
    }

    /// Notes a change of names that may have happened.
    pub fn suspect(&mut self, change: NameChange) {
        self.pending.push(change);
    }

    /// Compares with what the catalog says, and holds the engine to it from now on.
    ///
    /// # Errors
    /// Both sides, when the catalog is not what was acknowledged and a prefix of what was in flight.
    pub fn resolve(&mut self, state: &CatalogState) -> Result<(), String> {
        let fitting = self.fitting(state);
        self.names = fitting.ok_or_else(|| self.complaint(state))?;
        self.pending.clear();
        let found = self.names.living.iter().map(|(name, life)| (*life, state.collections.get(name).map(|l| l.incarnation)));
        let dropped = self.names.dropped.iter().zip(&state.dropped).map(|((_, life), found)| (*life, Some(found.life.incarnation)));
        for (life, incarnation) in found.chain(dropped) {
            self.lives[life].incarnation = incarnation;
        }
        Ok(())
    }

    /// Compares with what a reader finds; nothing changes.
    ///
    /// # Errors
    /// As [`Registry::resolve`].
    pub fn allows(&self, state: &CatalogState) -> Result<Names, String> {
        self.fitting(state).ok_or_else(|| self.complaint(state))
    }

    fn fitting(&self, state: &CatalogState) -> Option<Names> {
        let mut candidate = self.names.clone();
        let mut fits = None;
        for taken in 0..=self.pending.len() {
            if taken > 0 {
                candidate.apply(&self.pending[taken - 1]);
            }
            if self.matches(&candidate, state) {
                fits = Some(candidate.clone());
            }
        }
        fits
    }

    fn matches(&self, names: &Names, state: &CatalogState) -> bool {
        let is = |life: usize, found: Incarnation| self.lives[life].incarnation.is_none_or(|known| known == found);
        let living = names.living.len() == state.collections.len()
            && names.living.iter().all(|(name, life)| state.collections.get(name).is_some_and(|found| is(*life, found.incarnation)));
        let dropped = names.dropped.len() == state.dropped.len()
            && names.dropped.iter().zip(&state.dropped).all(|((name, life), d)| *name == d.name && is(*life, d.life.incarnation));
        living && dropped
    }

    fn complaint(&self, state: &CatalogState) -> String {
        let dropped: Vec<&str> = state.dropped.iter().map(|d| d.name.as_str()).collect();
        let living: Vec<&String> = state.collections.keys().collect();
        format!("the catalog says living {living:?}, dropped {dropped:?}; acknowledged {:?}, in flight {:?}", self.names, self.pending)
    }
}
