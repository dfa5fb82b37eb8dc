//! The background work of open collections: tails are sealed, graphs built, segments merged, dead space given back, one step at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::collection::indexer::{Goal, Threads};
use engine::{Collection, Error, ErrorKind, Incarnation, Result};
use parking_lot::{Condvar, Mutex};
use platform::World;
use platform::process;

use super::Served;
use crate::logs;

/// How long a collection's background work rests after a failure, in microseconds.
const REST_MICROS: u64 = 5_000_000;
/// How long nothing may be written before the indexer looks for work that is worth it only in a calm.
const LOOK: Duration = Duration::from_millis(500);

/// The thread that works in the background, and what it knows.
#[derive(Debug)]
pub(super) struct Upkeep {
    world: World,
    threads: usize,
    state: Mutex<State>,
    /// Something was written, or it is time to stop.
    wakes: Condvar,
    /// A tail was sealed, or that failed.
    room: Condvar,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    collections: Vec<Weak<Served>>,
    awake: bool,
    failures: Vec<Failed>,
    thread: Option<JoinHandle<()>>,
}

/// Background work of a collection that failed, and when it is tried again.
#[derive(Debug)]
struct Failed {
    incarnation: Incarnation,
    error: Error,
    retry_micros: u64,
}

impl Upkeep {
    /// Starts the thread.
    pub(super) fn start(world: World, threads: usize) -> Arc<Self> {
        assert!(threads > 0, "a build runs on a thread");
        let upkeep = Arc::new(Upkeep {
            world,
            threads,
            state: Mutex::default(),
            wakes: Condvar::new(),
            room: Condvar::new(),
            stopping: AtomicBool::new(false),
        });
        let working = upkeep.clone();
        let thread = std::thread::spawn(move || working.run());
        upkeep.state.lock().thread = Some(thread);
        upkeep
    }

    /// Takes a collection into its care, as long as it is open.
    pub(super) fn add(&self, served: &Arc<Served>) {
        let mut state = self.state.lock();
        state.collections.retain(|known| known.strong_count() > 0);
        state.collections.push(Arc::downgrade(served));
        state.awake = true;
        self.wakes.notify_one();
    }

    /// Says that something was written.
    pub(super) fn wake(&self) {
        let mut state = self.state.lock();
        if !state.awake {
            state.awake = true;
            self.wakes.notify_one();
        }
    }

    /// Waits until the tail of a collection has room.
    ///
    /// # Errors
    /// What keeps it from being sealed.
    pub(super) fn wait_for_room(&self, collection: &Collection) -> Result<()> {
        let mut state = self.state.lock();
        while collection.tail_is_overfull() {
            if let Some(failed) = state.failures.iter().find(|failed| failed.incarnation == collection.incarnation()) {
                return Err(failed.error.clone());
            }
            if self.stopping.load(Ordering::Acquire) {
                return Err(Error::new(ErrorKind::Interrupted, "the server stops"));
            }
            state.awake = true;
            self.wakes.notify_one();
            self.room.wait_for(&mut state, LOOK);
        }
        Ok(())
    }

    /// Gives what went wrong in the background of a collection, if its last try failed.
    pub(super) fn failure(&self, collection: &Collection) -> Option<Error> {
        let state = self.state.lock();
        state.failures.iter().find(|failed| failed.incarnation == collection.incarnation()).map(|failed| failed.error.clone())
    }

    /// Ends the thread; a build that runs is given up.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let thread = {
            let mut state = self.state.lock();
            self.wakes.notify_one();
            state.thread.take()
        };
        self.room.notify_all();
        if let Some(thread) = thread {
            // A panic of that thread was reported when it happened; stopping goes on.
            let _ended = thread.join();
        }
    }

    fn run(&self) {
        // Builds take whole seconds of a processor; a request that comes meanwhile takes less than a millisecond, and should not wait for them.
        process::give_way();
        while !self.stopping.load(Ordering::Acquire) {
            let collections: Vec<Arc<Served>> = self.state.lock().collections.iter().filter_map(Weak::upgrade).collect();
            // Tails first, everywhere: writers wait for them, and for nothing else.
            let sealed = collections.iter().any(|served| self.step_towards(served, Goal::Bounded));
            let worked = sealed || collections.iter().any(|served| self.step_towards(served, Goal::Sealed));
            if worked {
                continue;
            }
            drop(collections);
            let mut state = self.state.lock();
            if !state.awake && !self.stopping.load(Ordering::Acquire) {
                self.wakes.wait_for(&mut state, LOOK);
            }
            state.awake = false;
        }
    }

    /// Runs the next step of a collection, if there is one; says whether it did.
    fn step_towards(&self, served: &Served, goal: Goal) -> bool {
        if served.is_ending() || self.rests(served) {
            return false;
        }
        let Some(step) = served.collection().next_step(goal) else { return false };
        let gives_way = || self.stopping.load(Ordering::Acquire) || served.is_ending() || served.collection().tail_is_overfull();
        let go_on = |_: u64, _: u64| !gives_way();
        let done = served.unless_ended(|collection| collection.step(&step, &Threads(self.threads), &go_on));
        match done {
            None => false,
            Some(Ok(())) => {
                self.note(served.collection(), None);
                true
            }
            Some(Err(error)) if error.kind == ErrorKind::Interrupted => true,
            Some(Err(error)) => {
                served.look_at(&error);
                self.note(served.collection(), Some(error));
                false
            }
        }
    }

    fn rests(&self, served: &Served) -> bool {
        let now = self.world.clock.monotonic_micros();
        let state = self.state.lock();
        state.failures.iter().any(|failed| failed.incarnation == served.collection().incarnation() && now < failed.retry_micros)
    }

    fn note(&self, collection: &Collection, failed: Option<Error>) {
        let mut state = self.state.lock();
        let known = state.failures.len();
        state.failures.retain(|failed| failed.incarnation != collection.incarnation());
        match (&failed, known > state.failures.len()) {
            (Some(error), false) => logs::upkeep_failed(collection.name(), error),
            (None, true) => logs::upkeep_recovered(collection.name()),
            _ => {}
        }
        if let Some(error) = failed {
            let retry_micros = self.world.clock.monotonic_micros() + REST_MICROS;
            state.failures.push(Failed { incarnation: collection.incarnation(), error, retry_micros });
        }
        self.room.notify_all();
    }
}
