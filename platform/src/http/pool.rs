//! Threads with work of one kind: started when they are needed, and whoever finished last gets the next job.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// What a thread is given to do, with what the thread owns. Whoever waits for it must notice when it is dropped: it may panic.
pub(super) type Job<Own> = Box<dyn FnOnce(&Own) + Send>;

/// Threads, and jobs that wait for one.
pub(super) struct Pool<Own> {
    shared: Arc<Shared<Own>>,
    threads_max: usize,
}

struct Shared<Own> {
    state: Mutex<State<Own>>,
    /// Makes what a thread owns, when it starts.
    make: fn() -> io::Result<Own>,
}

struct State<Own> {
    /// Jobs that found no thread; empty while a thread is idle.
    waiting: VecDeque<Job<Own>>,
    /// Idle threads, the latest one last: its stack and its caches are the warmest.
    idle: Vec<Arc<Seat<Own>>>,
    threads: usize,
    is_closed: bool,
}

/// Where an idle thread waits for its next job.
struct Seat<Own> {
    given: Mutex<Given<Own>>,
    called: Condvar,
}

enum Given<Own> {
    Nothing,
    Job(Job<Own>),
    GoHome,
}

impl<Own: 'static> Pool<Own> {
    /// Returns a pool that starts at most `threads_max` threads, none of them yet; each owns what `make` gives.
    pub(super) fn new(threads_max: usize, make: fn() -> io::Result<Own>) -> Self {
        let state = State { waiting: VecDeque::new(), idle: Vec::new(), threads: 0, is_closed: false };
        Pool { shared: Arc::new(Shared { state: Mutex::new(state), make }), threads_max }
    }

    /// Tells whether a job would be begun at once.
    pub(super) fn has_room(&self) -> bool {
        let state = self.shared.state.lock();
        !state.idle.is_empty() || state.threads < self.threads_max
    }

    /// Has `job` run by the thread that is idle for the shortest time, by a new one, or by whoever is done first. A job that no
    /// thread can ever run is dropped.
    pub(super) fn run(&self, job: Job<Own>) {
        let mut state = self.shared.state.lock();
        if let Some(seat) = state.idle.pop() {
            assert!(state.waiting.is_empty(), "no job waits while a thread is idle");
            drop(state);
            seat.give(Given::Job(job));
        } else if state.threads < self.threads_max {
            state.threads += 1;
            state.waiting.push_back(job);
            drop(state);
            self.start();
        } else {
            state.waiting.push_back(job);
        }
    }

    fn start(&self) {
        let shared = Arc::clone(&self.shared);
        let started = std::thread::Builder::new().name("http-work".to_owned()).spawn(move || shared.live());
        if started.is_err() {
            self.shared.leave();
        }
    }
}

impl<Own> Drop for Pool<Own> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.is_closed = true;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        idle.iter().for_each(|seat| seat.give(Given::GoHome));
    }
}

impl<Own> Shared<Own> {
    /// The life of a thread.
    fn live(&self) {
        match (self.make)() {
            Ok(own) => self.work(&own),
            Err(_) => self.leave(),
        }
    }

    /// Counts a thread off that could not begin. Where it was the only one, the jobs go, and those who wait for them notice.
    fn leave(&self) {
        let mut state = self.state.lock();
        assert!(state.threads > 0, "who leaves was counted");
        state.threads -= 1;
        let lost = if state.threads == 0 { std::mem::take(&mut state.waiting) } else { VecDeque::new() };
        drop(state);
        drop(lost);
    }

    fn work(&self, own: &Own) {
        let seat = Arc::new(Seat { given: Mutex::new(Given::Nothing), called: Condvar::new() });
        loop {
            let mut state = self.state.lock();
            let job = if let Some(job) = state.waiting.pop_front() {
                drop(state);
                job
            } else if state.is_closed {
                return;
            } else {
                state.idle.push(Arc::clone(&seat));
                drop(state);
                match seat.take() {
                    Some(job) => job,
                    None => return,
                }
            };
            // A panic ends the job and not the thread, which was told of on standard error.
            let _ = catch_unwind(AssertUnwindSafe(|| job(own)));
        }
    }
}

impl<Own> Seat<Own> {
    fn give(&self, given: Given<Own>) {
        *self.given.lock() = given;
        self.called.notify_one();
    }

    /// Waits for what is given; `None` sends the thread home.
    fn take(&self) -> Option<Job<Own>> {
        let mut given = self.given.lock();
        loop {
            match std::mem::replace(&mut *given, Given::Nothing) {
                Given::Job(job) => return Some(job),
                Given::GoHome => return None,
                Given::Nothing => self.called.wait(&mut given),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn every_job_runs_and_no_more_threads_are_started_than_allowed() {
        let pool = Pool::new(3, || Ok(()));
        let (sender, receiver) = channel();
        for number in 0..100 {
            let sender = sender.clone();
            pool.run(Box::new(move |()| sender.send((number, std::thread::current().id())).unwrap()));
        }
        let mut done: Vec<_> = receiver.iter().take(100).collect();
        done.sort_by_key(|(number, _)| *number);
        assert!(done.iter().map(|(number, _)| *number).eq(0..100));
        let threads: std::collections::BTreeSet<_> = done.iter().map(|(_, thread)| format!("{thread:?}")).collect();
        assert!(threads.len() <= 3, "{threads:?}");
    }

    #[test]
    fn jobs_that_wait_when_the_pool_goes_are_still_run() {
        let pool = Pool::new(1, || Ok(()));
        let (sender, receiver) = channel();
        let (go, gate) = channel::<()>();
        pool.run(Box::new(move |()| gate.recv().unwrap()));
        pool.run(Box::new(move |()| sender.send(7).unwrap()));
        drop(pool);
        go.send(()).unwrap();
        assert_eq!(receiver.recv(), Ok(7));
    }

    #[test]
    fn a_job_that_panics_leaves_its_thread_to_the_next() {
        let pool = Pool::new(1, || Ok(()));
        let (sender, receiver) = channel();
        pool.run(Box::new(|()| panic!("as the test wants")));
        pool.run(Box::new(move |()| sender.send(7).unwrap()));
        assert_eq!(receiver.recv(), Ok(7));
    }

    #[test]
    fn jobs_whose_threads_cannot_begin_are_let_go() {
        let pool = Pool::<()>::new(2, || Err(io::Error::other("as the test wants")));
        let (sender, receiver) = channel::<()>();
        pool.run(Box::new(move |()| sender.send(()).unwrap()));
        assert!(receiver.recv().is_err(), "nobody runs it, and whoever waits is told");
        assert!(pool.has_room(), "and the next one may try");
    }
}
