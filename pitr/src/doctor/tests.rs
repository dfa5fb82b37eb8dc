//! Stores that keep their promises, and stores that do not.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use platform::KnownBad;
use platform::object_store::faulty::{FaultyStore, Rates};
use platform::object_store::sim::SimStore;
use platform::object_store::{Body, ObjectMeta, StoreErrorKind};
use platform::sim::SimWorld;

use super::*;

/// How a store in memory fails its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Every put replaces what is there.
    IgnoresConditions,
    /// A put looks, waits until everybody has looked, and writes.
    LooksThenWrites,
    /// A key that was looked for before it was put stays unseen once.
    RemembersAbsence,
    /// Deletes are refused.
    KeepsEverything,
}

#[derive(Debug)]
struct FlawedStore {
    flaw: Flaw,
    dated: u64,
    objects: Mutex<BTreeMap<String, Bytes>>,
    looked: Barrier,
}

impl FlawedStore {
    fn open(flaw: Flaw, dated: u64) -> Arc<dyn ObjectStore> {
        Arc::new(FlawedStore { flaw, dated, objects: Mutex::default(), looked: Barrier::new(RACERS) })
    }

    fn error(&self, kind: StoreErrorKind, op: &'static str, key: &str) -> StoreError {
        StoreError { kind, op, key: key.to_owned(), store: self.describe(), message: "refused".to_owned() }
    }
}

impl ObjectStore for FlawedStore {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> std::result::Result<PutOutcome, StoreError> {
        let exists = self.objects.lock().unwrap().contains_key(key);
        if self.flaw == Flaw::LooksThenWrites && key.contains("race") {
            self.looked.wait();
        }
        let mut objects = self.objects.lock().unwrap();
        let exists = if self.flaw == Flaw::LooksThenWrites { exists } else { objects.contains_key(key) };
        if exists && self.flaw != Flaw::IgnoresConditions {
            return Ok(PutOutcome::Exists);
        }
        objects.insert(key.to_owned(), body.concat().into());
        Ok(PutOutcome::Created)
    }

    fn get(&self, key: &str) -> std::result::Result<Bytes, StoreError> {
        self.objects.lock().unwrap().get(key).cloned().ok_or_else(|| self.error(StoreErrorKind::NotFound, "get", key))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> std::result::Result<Bytes, StoreError> {
        self.get(key).map(|bytes| bytes.slice(range.start as usize..range.end as usize))
    }

    fn head(&self, key: &str) -> std::result::Result<Option<u64>, StoreError> {
        let found = self.objects.lock().unwrap().get(key).map(|bytes| bytes.len() as u64);
        Ok(found.filter(|_| self.flaw != Flaw::RemembersAbsence))
    }

    fn list(&self, prefix: &str) -> std::result::Result<Vec<ObjectMeta>, StoreError> {
        let objects = self.objects.lock().unwrap();
        let below = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(below.map(|(key, bytes)| ObjectMeta { key: key.clone(), size: bytes.len() as u64, modified_micros: self.dated }).collect())
    }

    fn delete(&self, key: &str) -> std::result::Result<(), StoreError> {
        if self.flaw == Flaw::KeepsEverything {
            return Err(self.error(StoreErrorKind::AccessDenied, "delete", key));
        }
        self.objects.lock().unwrap().remove(key);
        Ok(())
    }
}

fn probed(flaw: Flaw, step_micros: i64) -> (Report, usize) {
    let sim = SimWorld::new(1);
    let now = sim.clock.peek_wall_micros();
    sim.clock.step_wall(step_micros);
    let store = FlawedStore::open(flaw, now);
    (probe(&sim.world(), &store), store.list("").unwrap().len())
}

fn failed(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect()
}

#[test]
fn a_good_store_is_safe_and_left_as_it_was() {
    let sim = SimWorld::new(7);
    let store: Arc<dyn ObjectStore> = Arc::new(SimStore::open(sim.disk.file_system(), Path::new("/s"), KnownBad::default()).unwrap());
    store.put_if_absent("archive.json", vec![Bytes::from_static(b"x")]).unwrap();
    let report = probe(&sim.world(), &store);
    assert!(report.is_ok() && report.safe_for_takeover, "{report:?}");
    assert_eq!(report.checks.len(), 5);
    assert_eq!(report.first_failure(), "");
    assert_eq!(store.list("").unwrap().len(), 1);
}

#[test]
fn a_store_that_ignores_conditions_is_not_safe() {
    let (report, left) = probed(Flaw::IgnoresConditions, 0);
    assert_eq!(failed(&report), [CONDITION, RACE]);
    assert!(!report.safe_for_takeover);
    assert!(report.first_failure().contains("the condition is ignored"), "{}", report.first_failure());
    assert_eq!(left, 0);
}

#[test]
fn a_store_that_looks_and_then_writes_passes_alone_and_fails_the_race() {
    let (report, _) = probed(Flaw::LooksThenWrites, 0);
    assert_eq!(failed(&report), [RACE]);
    assert!(report.first_failure().contains("16 of 16 writers won"), "{}", report.first_failure());
    assert!(!report.safe_for_takeover);
}

#[test]
fn a_store_whose_reads_lag_is_not_safe() {
    let (report, _) = probed(Flaw::RemembersAbsence, 0);
    assert_eq!(failed(&report), [READS]);
    assert!(!report.safe_for_takeover);
}

#[test]
fn missing_rights_are_named() {
    let (report, left) = probed(Flaw::KeepsEverything, 0);
    assert_eq!(failed(&report), [RIGHTS]);
    assert!(report.first_failure().contains("delete: "), "{}", report.first_failure());
    assert!(left > 0);
    assert!(report.safe_for_takeover);
}

#[test]
fn a_clock_that_is_off_is_reported_and_stops_no_takeover() {
    for (step, skew) in [(120_000_000, -1), (-120_000_000, 1)] {
        let (report, _) = probed(Flaw::None, step);
        assert_eq!(failed(&report), [CLOCKS]);
        assert_eq!(report.skew_micros.map(i64::signum), Some(skew), "{report:?}");
        assert!(report.safe_for_takeover);
    }
    assert!(probed(Flaw::None, 30_000_000).0.is_ok());
}

#[test]
fn a_store_that_is_down_is_a_report() {
    let sim = SimWorld::new(3);
    let down = FaultyStore::new(FlawedStore::open(Flaw::None, 0), 1, Rates::default());
    down.go_down_after(Some(0));
    let report = probe(&sim.world(), &(Arc::new(down) as Arc<dyn ObjectStore>));
    assert_eq!(failed(&report).len(), 5);
    assert!(!report.safe_for_takeover);
}
