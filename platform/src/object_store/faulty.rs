//! A store that spoils another one's replies: errors, lost replies, short bodies, a dead link.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Body, ObjectMeta, ObjectStore, PutOutcome, StoreError, StoreErrorKind};
use crate::random::Stream;

/// How often each fault strikes, in calls of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// The call fails and had no effect.
    pub error_before: u64,
    /// The call took effect and its reply is lost.
    pub lost_reply: u64,
    /// A get gives fewer bytes than there are, and says nothing.
    pub truncated_get: u64,
}

/// A store whose faults are drawn from a seed.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stream: Stream,
    rates: Rates,
    calls_left: Option<u64>,
    calls: u64,
    injected: u64,
}

impl FaultyStore {
    /// Returns `inner` with the faults that `seed` and `rates` name.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, seed: u64, rates: Rates) -> Self {
        let stream = Stream::new(seed);
        let state = State { stream, rates, calls_left: None, calls: 0, injected: 0 };
        Self { inner, state: Mutex::new(state) }
    }

    /// Changes how often faults strike.
    pub fn set_rates(&self, rates: Rates) {
        self.state.lock().rates = rates;
    }

    /// Lets the next `calls` calls through to the faults above and makes every later one fail as
    /// unreachable, without effect; `None` brings the link back.
    pub fn go_down_after(&self, calls: Option<u64>) {
        self.state.lock().calls_left = calls;
    }

    /// Returns how many calls were made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// Returns how many faults have struck.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.state.lock().injected
    }

    fn call<T>(&self, op: &'static str, key: &str, run: impl FnOnce(&dyn ObjectStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let lost = |message: &str| StoreError {
            kind: StoreErrorKind::Unreachable,
            op,
            key: key.to_owned(),
            store: self.describe(),
            message: message.to_owned(),
        };
        let loses_reply = {
            let mut state = self.state.lock();
            state.calls += 1;
            if let Some(left) = state.calls_left {
                if left == 0 {
                    state.injected += 1;
                    return Err(lost("the store is down (injected)"));
                }
                state.calls_left = Some(left - 1);
            }
            if state.strikes(|rates| rates.error_before) {
                return Err(lost("the request did not arrive (injected)"));
            }
            state.strikes(|rates| rates.lost_reply)
        };
        let reply = run(&*self.inner);
        if loses_reply { Err(lost("the reply was lost (injected)")) } else { reply }
    }

    fn shorten(&self, body: Bytes) -> Bytes {
        let mut state = self.state.lock();
        if body.is_empty() || !state.strikes(|rates| rates.truncated_get) {
            return body;
        }
        let kept = state.stream.below(body.len() as u64) as usize;
        body.slice(..kept)
    }
}

impl State {
    fn strikes(&mut self, rate: impl FnOnce(&Rates) -> u64) -> bool {
        let strikes = self.stream.chance(rate(&self.rates), 1_000);
        self.injected += u64::from(strikes);
        strikes
    }
}

impl ObjectStore for FaultyStore {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.call("put", key, |inner| inner.put_if_absent(key, body))
    }

    fn put_unique(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.call("put", key, |inner| inner.put_unique(key, body))
    }

    fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        self.call("get", key, |inner| inner.get(key)).map(|body| self.shorten(body))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.call("get", key, |inner| inner.get_range(key, range)).map(|body| self.shorten(body))
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        self.call("look at", key, |inner| inner.head(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.call("list", prefix, |inner| inner.list(prefix))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call("delete", key, |inner| inner.delete(key))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::sim::SimStore;
    use super::*;
    use crate::KnownBad;
    use crate::fs::SimDisk;

    fn store(seed: u64, rates: Rates) -> FaultyStore {
        let fs = SimDisk::new(seed).file_system();
        let inner = SimStore::open(fs, Path::new("/s"), KnownBad::default()).unwrap();
        FaultyStore::new(Arc::new(inner), seed, rates)
    }

    fn body(bytes: &'static [u8]) -> Body {
        vec![Bytes::from_static(bytes)]
    }

    #[test]
    fn an_error_before_has_no_effect_and_a_lost_reply_has_all_of_it() {
        for (rates, exists) in
            [(Rates { error_before: 1_000, ..Rates::default() }, false), (Rates { lost_reply: 1_000, ..Rates::default() }, true)]
        {
            let store = store(1, rates);
            let error = store.put_if_absent("a", body(b"x")).unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Unreachable);
            store.set_rates(Rates::default());
            assert_eq!(store.head("a").unwrap().is_some(), exists);
            assert_eq!((store.calls(), store.injected()), (2, 1));
        }
    }

    #[test]
    fn a_truncated_get_gives_a_true_but_short_beginning() {
        let store = store(2, Rates { truncated_get: 1_000, ..Rates::default() });
        store.put_if_absent("a", body(b"0123456789")).unwrap();
        for got in [store.get("a").unwrap(), store.get_range("a", 0..10).unwrap()] {
            assert!(got.len() < 10 && b"0123456789".starts_with(&got));
        }
    }

    #[test]
    fn a_store_that_is_down_stays_down_until_it_is_brought_back() {
        let store = store(3, Rates::default());
        store.go_down_after(Some(1));
        store.put_if_absent("a", body(b"x")).unwrap();
        assert!(store.get("a").is_err() && store.list("").is_err() && store.delete("a").is_err());
        store.go_down_after(None);
        assert_eq!(store.get("a").unwrap(), "x");
    }

    #[test]
    fn without_faults_it_is_the_store_below() {
        super::super::conformance::conformance(&store(4, Rates::default()));
    }

    #[test]
    fn one_seed_gives_one_sequence_of_faults() {
        let run = |seed| {
            let store = store(seed, Rates { error_before: 300, lost_reply: 200, truncated_get: 0 });
            (0..50).map(|_| store.head("a").is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }
}
