//! A collection that is served: writes that find it until it is dropped, and readers that never wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::collection::{Ack, Version, WriteOperation};
use engine::{Collection, Error, ErrorKind, Result};
use parking_lot::RwLock;
use platform::World;

use super::Searches;
use super::archiving::Watch;
use super::broken::Broken;
use super::upkeep::Upkeep;

/// How long work with a collection may take to end before it is dropped or replaced.
const END_WAIT: Duration = Duration::from_secs(20);

/// A collection that is open as long as its database is, or until it is dropped.
#[derive(Debug)]
pub struct Served {
    collection: Collection,
    /// Held for reading by every write, for writing by what ends the collection.
    ended: RwLock<bool>,
    /// Somebody waits to end it: background work gives way.
    is_ending: AtomicBool,
    upkeep: Arc<Upkeep>,
    broken: Arc<Broken>,
    watch: Watch,
    searches: Searches,
    world: World,
}

impl Served {
    pub(super) fn new(collection: Collection, upkeep: Arc<Upkeep>, broken: Arc<Broken>, world: World) -> Self {
        let (ended, is_ending, watch, searches) = (RwLock::new(false), AtomicBool::new(false), Watch::default(), Searches::default());
        Served { collection, ended, is_ending, upkeep, broken, watch, searches, world }
    }

    /// Gives what its archive's thread and its writers tell each other.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Gives why the last attempt to archive what was written failed.
    #[must_use]
    pub fn archiving_failure(&self) -> Option<Error> {
        self.watch.failure()
    }

    /// Gives the collection.
    #[must_use]
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Gives how long its searches took.
    #[must_use]
    pub fn searches(&self) -> &Searches {
        &self.searches
    }

    /// Takes the newest version.
    #[must_use]
    pub fn version(&self) -> Arc<Version> {
        self.collection.version()
    }

    /// Writes one operation; it is durable and visible when this returns.
    ///
    /// # Errors
    /// Those of [`Collection::write`], `Interrupted` when the collection was dropped or replaced meanwhile, and what stopped its background work.
    pub fn write(&self, operation: WriteOperation) -> Result<Ack> {
        let mut answers = self.write_all(vec![operation])?;
        answers.pop().unwrap_or_else(|| Err(Error::internal("a write had no answer")))
    }

    /// Writes operations in their order; each is all or nothing and has its own answer.
    ///
    /// # Errors
    /// As [`Served::write`], when none of them was tried.
    pub fn write_all(&self, operations: Vec<WriteOperation>) -> Result<Vec<Result<Ack>>> {
        let ended = self.ended.read();
        if *ended {
            return Err(self.gone());
        }
        if self.collection.tail_is_overfull() {
            self.upkeep.wait_for_room(&self.collection)?;
        }
        self.watch.check()?;
        let mut answers = self.collection.write_all(operations)?;
        self.upkeep.wake();
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            self.look_at(error);
        }
        // What ends later is archived later: waiting for the last is waiting for all.
        let last = answers.iter().filter_map(|answer| answer.as_ref().ok().copied()).max_by_key(|ack| ack.lsn);
        if let Some(Err(error)) = last.map(|ack| self.watch.written(&self.collection, ack, &|| self.world.clock.monotonic_micros())) {
            for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
                *answer = Err(error.clone());
            }
        }
        Ok(answers)
    }

    /// Looks whether what failed was the log.
    pub(super) fn look_at(&self, error: &Error) {
        self.broken.look(&self.collection, error);
    }

    /// Whether the collection ends or ended: nothing new is begun for it.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Whether nothing can be written to it any more.
    pub(super) fn has_ended(&self) -> bool {
        // Whoever holds the lock for writing is about to end it.
        self.ended.try_read().is_some_and(|ended| *ended)
    }

    /// What is said to a write that found the collection, and found it ended: asked again, its name says what it means now.
    pub(super) fn gone(&self) -> Error {
        let name = self.collection.name();
        Error::new(ErrorKind::Interrupted, format!("collection \"{name}\" was dropped or replaced meanwhile"))
            .with_object(name)
            .with_hint("ask again")
    }

    /// Runs a background step unless the collection ended.
    pub(super) fn unless_ended<T>(&self, work: impl FnOnce(&Collection) -> T) -> Option<T> {
        let ended = self.ended.read();
        (!*ended).then(|| work(&self.collection))
    }

    /// Gives what went wrong in the background, if the last try failed.
    #[must_use]
    pub fn background_failure(&self) -> Option<Error> {
        self.upkeep.failure(&self.collection)
    }

    /// Waits for writes and background steps that began, and lets no more begin.
    ///
    /// # Errors
    /// `Locked` when work with it takes too long to end, and it goes on. `Io`, `NoSpace` when the log cannot be closed; the collection has
    /// ended all the same.
    pub(super) fn end(&self) -> Result<()> {
        self.is_ending.store(true, Ordering::Release);
        let Some(mut ended) = self.ended.try_write_for(END_WAIT) else {
            self.is_ending.store(false, Ordering::Release);
            let name = self.collection.name();
            return Err(Error::new(ErrorKind::Locked, format!("collection \"{name}\" is being written to"))
                .with_object(name)
                .with_hint("wait for the command that writes to it"));
        };
        if *ended {
            return Ok(());
        }
        *ended = true;
        self.collection.close()
    }
}
