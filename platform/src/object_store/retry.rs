//! A store that tries again: waits that grow, an end to them, and certainty after a put whose reply was lost.
//!
//! Any store may be below, and time and chance come through the doors, so all of it runs in a simulation.
//! What says `Unreachable` is tried again; what says that access is denied or that nothing is there is
//! believed. A put that failed that way may have taken effect: the object is read back and compared
//! before anything else is done. Bytes that are the same count as put by this call, although somebody
//! else may have put the same ones.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Body, ObjectMeta, ObjectStore, PutOutcome, StoreError, StoreErrorKind};
use crate::World;
use crate::clock::Clock;
use crate::random::Random;

/// How long and how often a call is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The longest wait after the first failure; it doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait at all.
    pub longest_wait: Duration,
    /// A call that goes on failing is over by then, measured from its beginning; but each is tried three times.
    pub give_up_after: Duration,
}

/// A command that cannot reach its store is over in half a minute, its own work included.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self { first_wait: Duration::from_millis(200), longest_wait: Duration::from_secs(5), give_up_after: Duration::from_secs(28) }
    }
}

/// Attempts that a call gets even when each of them takes so long that the time is up: a large put over a slow line.
const ATTEMPTS_MIN: u32 = 3;
/// How long a wait may go on before somebody who wants to stop is heard.
const SLICE: Duration = Duration::from_millis(100);
/// How much of an object is read back at a time.
const PIECE_LEN: u64 = 8 << 20;

/// A store whose calls are tried again; the promises are those of the store below.
#[derive(Debug)]
pub struct RetryingStore {
    inner: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    policy: RetryPolicy,
    stop: fn() -> bool,
}

impl RetryingStore {
    /// Returns `inner` with its calls tried again as `policy` says; once `stop` is true, no more.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, world: &World, policy: RetryPolicy, stop: fn() -> bool) -> Self {
        Self { inner, clock: Arc::clone(&world.clock), random: Arc::clone(&world.random), policy, stop }
    }

    fn begin(&self) -> Attempts<'_> {
        let now = self.clock.monotonic_micros();
        Attempts { store: self, began: now, last_began: now, made: 0 }
    }

    /// Calls until it works, or fails for good.
    pub(super) fn call<T>(&self, call: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.begin().call(call)
    }

    fn put(&self, key: &str, body: &Body, put: impl Fn(Body) -> Result<PutOutcome, StoreError>) -> Result<PutOutcome, StoreError> {
        let mut attempts = self.begin();
        let mut is_unsure = false;
        loop {
            match put(body.clone()) {
                Ok(PutOutcome::Exists) if is_unsure => {}
                Err(error) if error.kind == StoreErrorKind::Unreachable => {
                    is_unsure = true;
                    attempts.wait_after(error)?;
                }
                settled => return settled,
            }
            if let Some(outcome) = self.look_back(&mut attempts, key, body)? {
                return Ok(outcome);
            }
        }
    }

    /// Looks at what is there after a put that may have taken effect; `None` if nothing is.
    fn look_back(&self, attempts: &mut Attempts<'_>, key: &str, body: &Body) -> Result<Option<PutOutcome>, StoreError> {
        let len: u64 = body.iter().map(|piece| piece.len() as u64).sum();
        match attempts.call(|| self.inner.head(key))? {
            None => return Ok(None),
            Some(size) if size != len => return Ok(Some(PutOutcome::Exists)),
            Some(_) => {}
        }
        let mut at = 0;
        while at < len {
            let range = at..len.min(at + PIECE_LEN);
            let found = match attempts.call(|| self.whole_range(key, &range)) {
                Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
                found => found?,
            };
            if !is_piece_of(body, at, &found) {
                return Ok(Some(PutOutcome::Exists));
            }
            at = range.end;
        }
        Ok(Some(PutOutcome::Created))
    }

    /// Gets a range, and calls a store unreachable that gave less.
    fn whole_range(&self, key: &str, range: &Range<u64>) -> Result<Bytes, StoreError> {
        let bytes = self.inner.get_range(key, range.clone())?;
        self.check_len(key, range.end.saturating_sub(range.start), bytes)
    }

    fn check_len(&self, key: &str, expected: u64, bytes: Bytes) -> Result<Bytes, StoreError> {
        if bytes.len() as u64 == expected {
            return Ok(bytes);
        }
        Err(StoreError {
            kind: StoreErrorKind::Unreachable,
            op: "get",
            key: key.to_owned(),
            store: self.inner.describe(),
            message: format!("{} bytes came instead of {expected}", bytes.len()),
        })
    }
}

/// The attempts of one call.
struct Attempts<'a> {
    store: &'a RetryingStore,
    /// By the monotonic clock: the first attempt, and the last one.
    began: u64,
    last_began: u64,
    made: u32,
}

impl Attempts<'_> {
    fn call<T>(&mut self, mut call: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
        loop {
            match call() {
                Err(error) if error.kind == StoreErrorKind::Unreachable => self.wait_after(error)?,
                settled => return settled,
            }
        }
    }

    /// Waits before the next attempt, or gives the error back when there is to be none.
    ///
    /// None is made that, taking as long as the last one, would end too late.
    fn wait_after(&mut self, error: StoreError) -> Result<(), StoreError> {
        let now = self.store.clock.monotonic_micros();
        self.made += 1;
        let wait = self.next_wait();
        let (so_far, last) = (now.saturating_sub(self.began), now.saturating_sub(self.last_began));
        let end = so_far.saturating_add(micros(wait)).saturating_add(last);
        let is_over = end > micros(self.store.policy.give_up_after) && self.made >= ATTEMPTS_MIN;
        if is_over || (self.store.stop)() {
            let seconds = so_far as f64 / 1e6;
            let message = format!("{} (attempts: {}, in {seconds:.1} s)", error.message, self.made);
            return Err(StoreError { message, ..error });
        }
        let mut left = wait;
        while !left.is_zero() && !(self.store.stop)() {
            let slice = left.min(SLICE);
            self.store.clock.sleep(slice);
            left -= slice;
        }
        self.last_began = self.store.clock.monotonic_micros();
        Ok(())
    }

    /// Draws a wait between half of and all of what is due: clients that failed together do not come back together.
    fn next_wait(&self) -> Duration {
        let doubled = self.store.policy.first_wait.saturating_mul(1 << self.made.saturating_sub(1).min(20));
        let due = micros(doubled.min(self.store.policy.longest_wait));
        Duration::from_micros(due / 2 + self.store.random.u64() % (due / 2 + 1))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Whether a body has these bytes at an offset.
fn is_piece_of(body: &Body, offset: u64, found: &[u8]) -> bool {
    let (mut left, mut begin) = (found, 0_u64);
    for piece in body {
        let end = begin + piece.len() as u64;
        // What was found so far reaches to here.
        let at = offset + (found.len() - left.len()) as u64;
        if !left.is_empty() && (begin..end).contains(&at) {
            let here = &piece[(at - begin) as usize..];
            let (compared, rest) = left.split_at(left.len().min(here.len()));
            if *compared != here[..compared.len()] {
                return false;
            }
            left = rest;
        }
        begin = end;
    }
    left.is_empty()
}

impl ObjectStore for RetryingStore {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.put(key, &body, |body| self.inner.put_if_absent(key, body))
    }

    fn put_unique(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.put(key, &body, |body| self.inner.put_unique(key, body))
    }

    /// Asks for the size too: nothing else tells a body that was cut off from a short one.
    fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        self.call(|| {
            let bytes = self.inner.get(key)?;
            match self.inner.head(key)? {
                Some(size) => self.check_len(key, size, bytes),
                None => Ok(bytes),
            }
        })
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.call(|| self.whole_range(key, &range))
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        self.call(|| self.inner.head(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.call(|| self.inner.list(prefix))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call(|| self.inner.delete(key))
    }
}

#[cfg(test)]
mod tests;
