//! Threads that run handlers: started when they are needed, and whoever finished last gets the next job.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// What a thread is given to do. It catches its own panics.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Threads, and jobs that wait for one.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads_max: usize,
}

struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Jobs that found no thread; empty while a thread is idle.
    waiting: VecDeque<Job>,
    /// Idle threads, the latest one last: its stack and its caches are the warmest.
    idle: Vec<Arc<Seat>>,
    threads: usize,
    is_closed: bool,
}

/// Where an idle thread waits for its next job.
#[derive(Default)]
struct Seat {
    given: Mutex<Given>,
    called: Condvar,
}

#[derive(Default)]
enum Given {
    #[default]
    Nothing,
    Job(Job),
    GoHome,
}

impl Pool {
    /// Returns a pool that starts at most `threads_max` threads, none of them yet.
    pub(super) fn new(threads_max: usize) -> Self {
        Pool { shared: Arc::new(Shared { state: Mutex::default() }), threads_max }
    }

    /// Has `job` run by the thread that is idle for the shortest time, by a new one, or by whoever is done first. A job that no
    /// thread can ever run is dropped.
    pub(super) fn run(&self, job: Job) {
        let mut state = self.shared.state.lock();
        if state.is_closed {
            return;
        }
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
        let started = std::thread::Builder::new().name("handler".to_owned()).spawn(move || shared.work());
        if started.is_err() {
            let mut state = self.shared.state.lock();
            state.threads -= 1;
            if state.threads == 0 {
                // The jobs go, and those who wait for them notice.
                let lost = std::mem::take(&mut state.waiting);
                drop(state);
                drop(lost);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.is_closed = true;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        idle.iter().for_each(|seat| seat.give(Given::GoHome));
    }
}

impl Shared {
    /// The life of a thread.
    fn work(&self) {
        let seat = Arc::new(Seat::default());
        loop {
            let mut state = self.state.lock();
            let job = if let Some(job) = state.waiting.pop_front() {
                drop(state);
                job
            } else if state.is_closed {
                state.threads -= 1;
                return;
            } else {
                state.idle.push(Arc::clone(&seat));
                drop(state);
                match seat.take() {
                    Some(job) => job,
                    None => return,
                }
            };
            job();
        }
    }
}

impl Seat {
    fn give(&self, given: Given) {
        *self.given.lock() = given;
        self.called.notify_one();
    }

    /// Waits for what is given; `None` sends the thread home.
    fn take(&self) -> Option<Job> {
        let mut given = self.given.lock();
        loop {
            match std::mem::take(&mut *given) {
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
        let pool = Pool::new(3);
        let (sender, receiver) = channel();
        for number in 0..100 {
            let sender = sender.clone();
            pool.run(Box::new(move || sender.send((number, std::thread::current().id())).unwrap()));
        }
        let mut done: Vec<_> = receiver.iter().take(100).collect();
        done.sort_by_key(|(number, _)| *number);
        assert!(done.iter().map(|(number, _)| *number).eq(0..100));
        let threads: std::collections::BTreeSet<_> = done.iter().map(|(_, thread)| format!("{thread:?}")).collect();
        assert!(threads.len() <= 3, "{threads:?}");
    }

    #[test]
    fn jobs_that_wait_when_the_pool_goes_are_still_run() {
        let pool = Pool::new(1);
        let (sender, receiver) = channel();
        let (go, gate) = channel::<()>();
        pool.run(Box::new(move || gate.recv().unwrap()));
        pool.run(Box::new(move || sender.send(7).unwrap()));
        drop(pool);
        go.send(()).unwrap();
        assert_eq!(receiver.recv(), Ok(7));
    }
}
