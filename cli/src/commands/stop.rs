//! What ends a backup, a check or a restore before it is done: Ctrl-C, or time that ran out. Noticed between two objects.

use crate::args::Background;
use crate::exit::Failure;
use crate::time::micros;
use engine::ErrorKind;
use platform::World;
use platform::clock::Clock;
use platform::object_store::{Body, ObjectMeta, ObjectStore, PutOutcome, StoreError, StoreErrorKind};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Knows whether to go on.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    clock: Arc<dyn Clock>,
    /// By the monotonic clock, and how long that was from the start.
    deadline: Option<(u64, Duration)>,
    /// What the user can do next.
    hint: &'static str,
    /// Set when a job is told to end.
    told: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// Catches interrupts, and begins to count the time that there is.
    pub fn begin(world: &World, timeout: Option<Duration>, hint: &'static str) -> Result<Self, Failure> {
        super::optimize::catch_interrupts()?;
        let now = world.clock.monotonic_micros();
        let deadline = timeout.map(|timeout| (now.saturating_add(micros(timeout)), timeout));
        Ok(Self { clock: world.clock.clone(), deadline, hint, told: None })
    }

    /// Ends as well when a job is told to.
    pub fn or_told(self, job: Option<&Background>) -> Self {
        Self { told: job.map(|job| job.cancelled.clone()), ..self }
    }

    /// Gives the failure that ends the work now; `None`: go on.
    pub fn reason(&self) -> Option<Failure> {
        let is_told = self.told.as_ref().is_some_and(|told| told.load(Ordering::Acquire));
        if is_told || platform::process::interrupted() {
            return Some(Failure::new(ErrorKind::Interrupted, "interrupted").with_hint(self.hint));
        }
        let (at, timeout) = self.deadline?;
        let is_over = self.clock.monotonic_micros() >= at;
        let failure = || Failure::new(ErrorKind::Timeout, format!("not done after {} s", timeout.as_secs_f64())).with_hint(self.hint);
        is_over.then(failure)
    }

    /// Says why work failed: because it was stopped, or for its own reason.
    pub fn explain(&self, failure: Failure) -> Failure {
        self.reason().unwrap_or(failure)
    }

    /// Wraps a store: its reads and puts fail once the work is to end.
    pub fn guard(&self, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(Guarded { store, stop: self.clone() })
    }
}

#[derive(Debug)]
struct Guarded {
    store: Arc<dyn ObjectStore>,
    stop: Stop,
}

impl Guarded {
    fn check(&self, op: &'static str, key: &str) -> Result<(), StoreError> {
        match self.stop.reason() {
            None => Ok(()),
            Some(reason) => {
                let (key, store) = (key.to_owned(), self.store.describe());
                Err(StoreError { kind: StoreErrorKind::Other, op, key, store, message: reason.message })
            }
        }
    }
}

impl ObjectStore for Guarded {
    fn describe(&self) -> String {
        self.store.describe()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.check("put", key)?;
        self.store.put_if_absent(key, body)
    }

    fn put_unique(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.check("put", key)?;
        self.store.put_unique(key, body)
    }

    fn get(&self, key: &str) -> Result<bytes::Bytes, StoreError> {
        self.check("get", key)?;
        self.store.get(key)
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<bytes::Bytes, StoreError> {
        self.check("get", key)?;
        self.store.get_range(key, range)
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        self.check("look at", key)?;
        self.store.head(key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.check("list", prefix)?;
        self.store.list(prefix)
    }

    /// A delete tidies up: it is no reason to fail work that is done.
    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(key)
    }
}
