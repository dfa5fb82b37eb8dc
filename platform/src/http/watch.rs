//! What a connection is doing, seen from its bytes: how long it may go on so, and whose words are written.
//!
//! The crate that speaks HTTP answers what it cannot read by itself, without a body, and closes after a head that came too
//! slowly without a word. So its bytes pass through here: what it writes while no request is being answered is its own, is
//! swallowed, and the handler's words are sent in its place.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How long each phase of a connection may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// From the first byte of a head to its last; for the first head from the beginning of the connection.
    pub head: Duration,
    /// Without a byte taken by a client to whom we write.
    pub write: Duration,
    /// Between two requests.
    pub idle: Duration,
}

impl Limits {
    /// The longest time after which a watcher looks again: no limit can run out twice as late.
    pub(super) fn tick(self) -> Duration {
        self.head.min(self.write).min(self.idle)
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is asked, and all that was asked is answered.
    Idle,
    /// A part of a head is here.
    Head,
    /// A request is read, handled or answered.
    Busy,
}

/// What a watcher does about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again then, or after a tick.
    Wait(Instant),
    /// Nothing was asked for too long.
    Idle,
    /// The head takes too long.
    HeadTooSlow,
    /// The client takes nothing of its answer.
    Stuck,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Requests that are not answered to the last byte; hyper has at most one, and the end of one may meet the next.
    open: usize,
    had_request: bool,
    blocked_since: Option<Instant>,
    has_swallowed: bool,
    has_abandoned: bool,
}

/// The state of one connection, shared by its bytes, its requests and its watcher.
#[derive(Clone, Debug)]
pub(super) struct Watch(Arc<Mutex<State>>);

impl Watch {
    /// Returns the state of a connection that begins now.
    pub(super) fn new() -> Self {
        Watch(Arc::new(Mutex::new(State {
            phase: Phase::Idle,
            since: Instant::now(),
            open: 0,
            had_request: false,
            blocked_since: None,
            has_swallowed: false,
            has_abandoned: false,
        })))
    }

    /// Notes that a head was read. It is answered when what this returns is dropped.
    pub(super) fn begin(&self) -> Open {
        let mut state = self.0.lock();
        state.phase = Phase::Busy;
        state.open += 1;
        state.had_request = true;
        Open(self.clone())
    }

    /// Notes that a request was answered and its body not read to the end: the connection cannot go on.
    pub(super) fn abandon(&self) {
        self.0.lock().has_abandoned = true;
    }

    /// Tells whether bytes of the client may be on the way that nobody will read.
    pub(super) fn has_abandoned(&self) -> bool {
        self.0.lock().has_abandoned
    }

    /// Tells whether an answer of the crate was swallowed.
    pub(super) fn has_swallowed(&self) -> bool {
        self.0.lock().has_swallowed
    }

    /// Tells whether a request is read, handled or answered.
    pub(super) fn is_busy(&self) -> bool {
        self.0.lock().phase == Phase::Busy
    }

    /// Tells what to do about the connection now.
    pub(super) fn look(&self, now: Instant, limits: Limits) -> Verdict {
        let state = self.0.lock();
        let next = now + limits.tick();
        let (until, verdict) = match (state.blocked_since, state.phase) {
            (Some(since), _) => (since + limits.write, Verdict::Stuck),
            (None, Phase::Busy) => return Verdict::Wait(next),
            (None, Phase::Head) => (state.since + limits.head, Verdict::HeadTooSlow),
            (None, Phase::Idle) if state.had_request => (state.since + limits.idle, Verdict::Idle),
            (None, Phase::Idle) => (state.since + limits.head, Verdict::Idle),
        };
        if until <= now { verdict } else { Verdict::Wait(until.min(next)) }
    }

    fn has_read(&self) {
        let mut state = self.0.lock();
        if state.phase == Phase::Idle {
            (state.phase, state.since) = (Phase::Head, Instant::now());
        }
    }

    fn has_flushed(&self) {
        let mut state = self.0.lock();
        if state.phase == Phase::Busy && state.open == 0 {
            (state.phase, state.since) = (Phase::Idle, Instant::now());
        }
    }

    /// Tells whether the bytes that are to be written now are an answer of the crate's own.
    fn swallows(&self) -> bool {
        let mut state = self.0.lock();
        state.has_swallowed |= state.phase != Phase::Busy;
        state.has_swallowed
    }

    fn has_written(&self, is_blocked: bool) {
        let mut state = self.0.lock();
        if is_blocked != state.blocked_since.is_some() {
            state.blocked_since = is_blocked.then(Instant::now);
        }
    }
}

/// A request that is not answered yet.
pub(super) struct Open(Watch);

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        assert!(state.open > 0, "a request is answered once");
        state.open -= 1;
    }
}

/// A stream whose bytes are watched.
pub(super) struct Watched<S> {
    /// The connection.
    pub stream: S,
    /// What is noted of it.
    pub watch: Watch,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        if into.filled().len() > before {
            self.watch.has_read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    fn note(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.watch.has_written(polled.is_pending());
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.watch.swallows() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.watch.swallows() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = polled {
            self.watch.has_flushed();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.has_swallowed() {
            // There is something to say yet.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
