//! Retries over a store that spoils its replies, by a clock that costs no time.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::conformance::{conformance, conformance_but_for_equal_bytes};
use super::super::faulty::{FaultyStore, Rates};
use super::super::sim::SimStore;
use super::*;
use crate::KnownBad;
use crate::sim::SimWorld;

fn body(bytes: &'static [u8]) -> Body {
    vec![Bytes::from_static(bytes)]
}

fn plain(machine: &SimWorld) -> Arc<dyn ObjectStore> {
    Arc::new(SimStore::open(machine.disk.file_system(), Path::new("/s"), KnownBad::default()).unwrap())
}

fn retrying(machine: &SimWorld, inner: Arc<dyn ObjectStore>) -> RetryingStore {
    RetryingStore::new(inner, &machine.world(), RetryPolicy::default(), || false)
}

/// A store that answers its calls by a script: what a call does below, and what is said of it.
#[derive(Debug)]
struct Scripted {
    inner: Arc<dyn ObjectStore>,
    calls: AtomicU64,
    /// Calls, counted from 0, whose reply is lost after the effect.
    lost: Vec<u64>,
    /// Calls that fail before they have an effect, and as what.
    refused: Vec<(u64, StoreErrorKind)>,
    /// Puts done by somebody else before a call.
    others: Vec<(u64, &'static [u8])>,
}

impl Scripted {
    fn new(inner: &Arc<dyn ObjectStore>) -> Self {
        Self { inner: Arc::clone(inner), calls: AtomicU64::new(0), lost: Vec::new(), refused: Vec::new(), others: Vec::new() }
    }

    fn call<T>(&self, key: &str, run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let failed =
            |kind| StoreError { kind, op: "put", key: key.to_owned(), store: "scripted".to_owned(), message: "scripted".to_owned() };
        if let Some((_, bytes)) = self.others.iter().find(|(at, _)| *at == number) {
            self.inner.put_if_absent(key, body(bytes)).unwrap();
        }
        if let Some((_, kind)) = self.refused.iter().find(|(at, _)| *at == number) {
            return Err(failed(*kind));
        }
        let reply = run();
        if self.lost.contains(&number) { Err(failed(StoreErrorKind::Unreachable)) } else { reply }
    }
}

impl ObjectStore for Scripted {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        self.call(key, || self.inner.put_if_absent(key, body))
    }

    fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        self.call(key, || self.inner.get(key))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.call(key, || self.inner.get_range(key, range))
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        self.call(key, || self.inner.head(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.call(prefix, || self.inner.list(prefix))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call(key, || self.inner.delete(key))
    }
}

#[test]
fn a_put_whose_reply_was_lost_is_known_by_its_bytes() {
    use StoreErrorKind::Unreachable;
    type Script = fn(&mut Scripted);
    let cases: [(&str, Script, PutOutcome); 6] = [
        ("nothing goes wrong", |_| {}, PutOutcome::Created),
        ("the reply is lost", |script| script.lost = vec![0], PutOutcome::Created),
        ("the request is lost", |script| script.refused = vec![(0, Unreachable)], PutOutcome::Created),
        // Call 0 is lost without effect, 1 looks and finds nothing, 2 is the second put.
        (
            "somebody was faster between two attempts",
            |script| {
                script.refused = vec![(0, Unreachable)];
                script.others = vec![(2, b"theirs")];
            },
            PutOutcome::Exists,
        ),
        (
            "somebody of the same length was faster",
            |script| {
                script.refused = vec![(0, Unreachable)];
                script.others = vec![(0, b"other")];
            },
            PutOutcome::Exists,
        ),
        ("the look back is lost too", |script| script.lost = vec![0, 1, 2], PutOutcome::Created),
    ];
    for (name, prepare, expected) in cases {
        let machine = SimWorld::new(1);
        let inner = plain(&machine);
        let mut script = Scripted::new(&inner);
        prepare(&mut script);
        let others: Vec<&[u8]> = script.others.iter().map(|(_, bytes)| *bytes).collect();
        let outcome = retrying(&machine, Arc::new(script)).put_if_absent("a", body(b"bytes")).unwrap();
        assert_eq!(outcome, expected, "{name}");
        let there = inner.get("a").unwrap();
        assert_eq!(&there[..], others.first().copied().unwrap_or(b"bytes"), "{name}");
    }
}

#[test]
fn a_put_that_finds_its_own_bytes_after_a_lost_attempt_created_them() {
    let machine = SimWorld::new(2);
    let inner = plain(&machine);
    let mut script = Scripted::new(&inner);
    // The first put arrives late: after the look back, before the second attempt.
    script.refused = vec![(0, StoreErrorKind::Unreachable)];
    script.others = vec![(2, b"ours")];
    assert_eq!(retrying(&machine, Arc::new(script)).put_if_absent("a", body(b"ours")).unwrap(), PutOutcome::Created);
    // Without such an attempt the same bytes are somebody else's.
    assert_eq!(retrying(&machine, inner).put_if_absent("a", body(b"ours")).unwrap(), PutOutcome::Exists);
}

#[test]
fn a_refusal_is_believed_at_once() {
    for kind in [StoreErrorKind::AccessDenied, StoreErrorKind::NotFound, StoreErrorKind::NoSpace, StoreErrorKind::Other] {
        let machine = SimWorld::new(3);
        let mut script = Scripted::new(&plain(&machine));
        script.refused = vec![(0, kind), (1, kind)];
        let script = Arc::new(script);
        let store = retrying(&machine, Arc::clone(&script) as _);
        assert_eq!(store.put_if_absent("a", body(b"x")).unwrap_err().kind, kind);
        assert_eq!(store.head("a").unwrap_err().kind, kind);
        assert_eq!(script.calls.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn a_store_that_stays_down_is_given_up_in_time_and_after_growing_waits() {
    for seed in 0..20 {
        let machine = SimWorld::new(seed);
        let down = Arc::new(FaultyStore::new(plain(&machine), seed, Rates::default()));
        down.go_down_after(Some(0));
        let store = retrying(&machine, Arc::clone(&down) as _);
        let before = machine.clock.peek_wall_micros();
        let error = store.get("a").unwrap_err();
        let took = machine.clock.peek_wall_micros() - before;
        assert_eq!(error.kind, StoreErrorKind::Unreachable);
        assert!(error.message.contains("(attempts: "), "{error}");
        assert!((20_000_000..=28_000_000).contains(&took), "seed {seed}: {took} microseconds");
        assert!((7..=16).contains(&down.calls()), "seed {seed}: {} calls", down.calls());
    }
}

#[test]
fn a_call_that_takes_long_is_tried_three_times_whatever_the_time() {
    #[derive(Debug)]
    struct Slow(Scripted, crate::clock::SimClock);
    impl ObjectStore for Slow {
        fn describe(&self) -> String {
            self.0.describe()
        }
        fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
            self.1.advance(Duration::from_secs(20));
            self.0.put_if_absent(key, body)
        }
        fn get(&self, key: &str) -> Result<Bytes, StoreError> {
            self.0.get(key)
        }
        fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
            self.0.get_range(key, range)
        }
        fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
            self.0.head(key)
        }
        fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
            self.0.list(prefix)
        }
        fn delete(&self, key: &str) -> Result<(), StoreError> {
            self.0.delete(key)
        }
    }
    for (failures, works) in [(vec![0, 2], true), (vec![0, 2, 4], false)] {
        let machine = SimWorld::new(4);
        let mut script = Scripted::new(&plain(&machine));
        // Every second call is the look back.
        script.refused = failures.iter().map(|at| (*at, StoreErrorKind::Unreachable)).collect();
        let store = retrying(&machine, Arc::new(Slow(script, machine.clock.clone())));
        assert_eq!(store.put_if_absent("a", body(b"x")).is_ok(), works, "{failures:?}");
    }
}

#[test]
fn somebody_who_wants_to_stop_does_not_wait() {
    let machine = SimWorld::new(5);
    let down = Arc::new(FaultyStore::new(plain(&machine), 5, Rates::default()));
    down.go_down_after(Some(0));
    let store = RetryingStore::new(Arc::clone(&down) as _, &machine.world(), RetryPolicy::default(), || true);
    assert!(store.head("a").is_err());
    assert_eq!(down.calls(), 1);
}

#[test]
fn every_promise_holds_over_a_store_that_spoils_replies() {
    for seed in 0..30 {
        let machine = SimWorld::new(seed);
        let faulty = Arc::new(FaultyStore::new(plain(&machine), seed, Rates { error_before: 50, lost_reply: 50, truncated_get: 50 }));
        conformance_but_for_equal_bytes(&retrying(&machine, Arc::clone(&faulty) as _));
        assert!(faulty.injected() > 10, "seed {seed}: {} faults", faulty.injected());
    }
}

#[test]
fn over_a_good_store_every_promise_holds() {
    let machine = SimWorld::new(7);
    conformance(&retrying(&machine, plain(&machine)));
}

#[test]
fn without_the_look_back_a_lost_reply_would_read_as_somebody_elses_put() {
    let machine = SimWorld::new(6);
    let inner = plain(&machine);
    let mut script = Scripted::new(&inner);
    script.lost = vec![0];
    let store = retrying(&machine, Arc::new(script));
    // What a layer does that only calls again: the known-bad twin of `put`.
    assert_eq!(store.call(|| store.inner.put_if_absent("a", body(b"x"))).unwrap(), PutOutcome::Exists);
}

#[test]
fn pieces_are_compared_across_the_cuts_of_a_body() {
    let whole: Vec<u8> = (0..50).collect();
    for cuts in [vec![50], vec![10, 0, 40], vec![1; 50]] {
        let mut rest = Bytes::from(whole.clone());
        let body: Body = cuts.iter().map(|len| rest.split_to(*len)).collect();
        for from in 0..50 {
            for to in from..=50 {
                assert!(is_piece_of(&body, from as u64, &whole[from..to]), "{cuts:?} {from}..{to}");
                if from < to {
                    let mut other = whole[from..to].to_vec();
                    *other.last_mut().unwrap() ^= 1;
                    assert!(!is_piece_of(&body, from as u64, &other), "{cuts:?} {from}..{to}");
                }
            }
        }
        assert!(!is_piece_of(&body, 49, &[49, 50]), "longer than the body");
    }
}
