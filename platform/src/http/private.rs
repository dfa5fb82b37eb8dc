//! A connection with a thread for itself: what is to be handled is handled there, between two looks at the connection.
//!
//! Handing a request to another thread and the answer back costs as much as all the rest of a request that has nothing to do, and on
//! a machine that has nothing else to do it wakes two threads more. Here nobody else is kept waiting. The handler does not run inside
//! the runtime, so it may use another one: a store in a network does.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::pool::Job;

/// The thread of one connection, as its requests see it: a place for what the thread is to do next.
#[derive(Clone, Default)]
pub(super) struct OwnThread(Arc<Mutex<Option<Job<()>>>>);

enum Step {
    Handle(Job<()>),
    Done,
}

impl OwnThread {
    /// Has `job` run as soon as the future that calls this waits.
    pub(super) fn run(&self, job: Job<()>) {
        let before = self.0.lock().replace(job);
        assert!(before.is_none(), "a connection has one request at a time");
    }

    /// Serves a connection to its end on this thread: `serving` is looked at inside `runtime`, and what it gave to [`Self::run`] is
    /// run outside.
    pub(super) fn serve(&self, runtime: &Runtime, serving: impl Future<Output = ()>) {
        let mut serving = pin!(serving);
        loop {
            let step = runtime.block_on(poll_fn(|cx| {
                if serving.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Step::Done);
                }
                // Whoever takes a job polls again before it waits, so no wake is lost.
                self.0.lock().take().map_or(Poll::Pending, |job| Poll::Ready(Step::Handle(job)))
            }));
            match step {
                Step::Handle(job) => job(&()),
                Step::Done => return,
            }
        }
    }
}
