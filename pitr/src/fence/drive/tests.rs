//! The machines on a store: what is acknowledged is there, and one writer follows another.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engine::error::ErrorKind;
use platform::KnownBad;
use platform::object_store::faulty::{FaultyStore, Rates};
use platform::object_store::sim::SimStore;
use platform::object_store::{Body, ObjectMeta, ObjectStore, StoreError};
use platform::random::SeededRandom;
use platform::sim::SimWorld;

use super::*;
use crate::archive::extent::body;
use crate::doctor;
use crate::fence::appender::Stop;
use crate::fence::takeover::Takeover;
use crate::timeline::TimelineFile;

const OLD: Timeline = Timeline([1; 16]);
const CLAIM: Claim<'static> = Claim { database: None, incarnation: None, reason: "promoted" };

/// A log whose bytes follow from their positions.
#[derive(Clone, Copy)]
struct Log {
    durable: Lsn,
    salt: u8,
}

impl Log {
    fn bytes(self, start: Lsn, end: Lsn) -> Bytes {
        (start..end).map(|at| (at / 64) as u8 ^ self.salt).collect()
    }
}

impl LogSource for Log {
    fn durable_end(&self) -> Lsn {
        self.durable
    }

    fn read(&self, start: Lsn, end: Lsn) -> Result<Bytes> {
        assert!(end <= self.durable, "only durable bytes are read");
        Ok(self.bytes(start, end))
    }
}

const LOG: Log = Log { durable: 6400, salt: 0 };

fn store() -> Arc<dyn ObjectStore> {
    let sim = SimWorld::new(1);
    Arc::new(SimStore::open(sim.disk.file_system(), Path::new("/a"), KnownBad::default()).unwrap())
}

/// An archive that describes one timeline, which begins at 0.
fn archive(store: &Arc<dyn ObjectStore>) -> Archive {
    let archive = Archive::open_or_create(store, &SeededRandom::new(1)).unwrap();
    let file =
        TimelineFile { format: JSON_VERSION, timeline: OLD, database: None, incarnation: None, parent: None, reason: "created".to_owned() };
    stored::put(&**store, &Key::Timeline(OLD).to_string(), stored::encode_json(&file)).unwrap();
    archive
}

fn append(archive: &Archive, appender: &mut Appender, log: Log, end: Lsn) -> Result<Lsn> {
    let start = appender.archived();
    append_extent(archive, appender, &log, start, &log.bytes(start, end))
}

fn put_log(archive: &Archive, timeline: Timeline, log: Log, start: Lsn, end: Lsn) {
    let put = archive.store.put_if_absent(&Key::Extent(timeline, start).to_string(), body(timeline, start, log.bytes(start, end)));
    assert_eq!(put.unwrap(), PutOutcome::Created);
}

fn promote(archive: &Archive, old: Timeline, seed: u64) -> Result<Takeover> {
    take_over(archive, &SeededRandom::new(seed), old, &CLAIM, Permission::ByHand)
}

#[test]
fn a_takeover_ends_the_old_timeline_and_fences_its_owner() {
    let archive = archive(&store());
    let mut owner = open_appender(&archive, OLD, 0, LOG.durable).unwrap();
    assert_eq!(append(&archive, &mut owner, LOG, 128).unwrap(), 128);
    let takeover = promote(&archive, OLD, 2).unwrap();
    assert_eq!((takeover.old, takeover.fork), (OLD, 128));
    assert_eq!(origin(&archive, takeover.new).unwrap(), 128);
    assert_eq!(follow(&archive, OLD).unwrap(), Chain { takeovers: vec![takeover], timeline: takeover.new, end: 128 });

    let fenced = append(&archive, &mut owner, LOG, 192).unwrap_err();
    assert_eq!((fenced.kind, fenced.kind.exit_code()), (ErrorKind::Fenced, 8));
    assert!(fenced.message.contains(&takeover.new.to_string()) && fenced.object.is_some(), "{fenced}");
    assert_eq!(append(&archive, &mut owner, LOG, 192).unwrap_err().kind, ErrorKind::Fenced);

    let mut successor = open_appender(&archive, takeover.new, takeover.fork, 256).unwrap();
    assert_eq!(append(&archive, &mut successor, Log { durable: 256, salt: 5 }, 256).unwrap(), 256);
    assert_eq!(follow(&archive, OLD).unwrap().end, 256);
}

#[test]
fn who_comes_second_is_told_who_was_first_and_may_take_that_one_over() {
    let archive = archive(&store());
    let first = promote(&archive, OLD, 2).unwrap();
    let second = promote(&archive, OLD, 3).unwrap_err();
    assert_eq!(second.kind, ErrorKind::Conflict);
    assert!(second.hint.unwrap().contains(&first.new.to_string()));
    // The first candidate crashed and never wrote: its timeline is the one to take over, from the same position.
    let next = promote(&archive, first.new, 4).unwrap();
    assert_eq!((next.old, next.fork), (first.new, first.fork));
    assert_eq!(follow(&archive, OLD).unwrap().takeovers, [first, next]);
}

#[test]
fn what_a_backup_put_under_our_key_is_adopted_up_to_its_own_end() {
    let archive = archive(&store());
    put_log(&archive, OLD, LOG, 0, 64);
    put_log(&archive, OLD, LOG, 64, 640);
    let mut log = Log { durable: 256, ..LOG };
    let mut owner = open_appender(&archive, OLD, 0, log.durable).unwrap();
    assert_eq!(append(&archive, &mut owner, log, 192).unwrap(), 64);
    assert_eq!(append(&archive, &mut owner, log, 256).unwrap(), 64);
    assert_eq!(owner.waits_for(), Some(640));
    assert_eq!(append(&archive, &mut owner, log, 256).unwrap(), 64);
    log.durable = 704;
    assert_eq!(append(&archive, &mut owner, log, 704).unwrap(), 640);
    assert_eq!(append(&archive, &mut owner, log, 704).unwrap(), 704);
}

#[test]
fn other_bytes_are_a_diverged_history_and_damaged_ones_are_corrupt() {
    let other = Log { salt: 9, ..LOG };
    let shared = archive(&store());
    put_log(&shared, OLD, other, 0, 64);
    let mut owner = open_appender(&shared, OLD, 0, LOG.durable).unwrap();
    let error = append(&shared, &mut owner, LOG, 128).unwrap_err();
    assert_eq!((error.kind, error.object), (ErrorKind::Diverged, Some(Key::Extent(OLD, 0).to_string())));
    assert!(error.hint.unwrap().contains("collections fork"));

    let whole = body(OLD, 0, LOG.bytes(0, 64)).concat();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    let mut flipped_seal = crate::fence::seal::Seal { timeline: OLD, at: 0, successor: OLD }.encode();
    flipped_seal[70] ^= 1;
    for damaged in [flipped, whole[..90].to_vec(), flipped_seal] {
        let archive = archive(&store());
        archive.store.put_if_absent(&Key::Extent(OLD, 0).to_string(), vec![damaged.clone().into()]).unwrap();
        let mut owner = open_appender(&archive, OLD, 0, LOG.durable).unwrap();
        let error = append(&archive, &mut owner, LOG, 128).unwrap_err();
        assert_eq!((error.kind, owner.archived()), (ErrorKind::Corrupt, 0), "{error}");
        assert_eq!(error.object, Some(Key::Extent(OLD, 0).to_string()));
        if end_of_data(&damaged).is_none() {
            assert_eq!(promote(&archive, OLD, 2).unwrap_err().kind, ErrorKind::Corrupt);
        }
    }
}

fn end_of_data(stored: &[u8]) -> Option<Lsn> {
    crate::archive::extent::end_of(0, stored.len() as u64)
}

#[test]
fn a_store_that_is_down_poisons_the_appender_and_a_new_one_goes_on() {
    let faulty = Arc::new(FaultyStore::new(store(), 1, Rates::default()));
    let archive = archive(&(faulty.clone() as Arc<dyn ObjectStore>));
    let mut owner = open_appender(&archive, OLD, 0, LOG.durable).unwrap();
    append(&archive, &mut owner, LOG, 64).unwrap();
    faulty.go_down_after(Some(0));
    let error = append(&archive, &mut owner, LOG, 128).unwrap_err();
    assert_eq!((error.kind, owner.archived()), (ErrorKind::Unreachable, 64));
    assert!(error.hint.unwrap().contains("open the archive again"));
    faulty.go_down_after(None);
    assert!(append(&archive, &mut owner, LOG, 128).is_err());
    let mut again = open_appender(&archive, OLD, owner.archived(), LOG.durable).unwrap();
    assert_eq!(append(&archive, &mut again, LOG, 192).unwrap(), 192);
}

#[test]
fn a_log_that_is_shorter_than_the_boundary_is_not_written_over() {
    let archive = archive(&store());
    let mut owner = open_appender(&archive, OLD, 0, LOG.durable).unwrap();
    append(&archive, &mut owner, LOG, 640).unwrap();
    assert_eq!(raise_boundary(&archive, &owner).unwrap(), 640);
    assert_eq!(raise_boundary(&archive, &owner).unwrap(), 640);
    assert_eq!(boundary(&archive, OLD).unwrap(), 640);
    assert_eq!(open_appender(&archive, OLD, 0, LOG.durable).unwrap().archived(), 640);
    assert_eq!(open_appender(&archive, OLD, 0, 576).unwrap_err().kind, ErrorKind::Conflict);
}

#[test]
fn a_seal_that_lands_in_an_emptied_key_is_void() {
    // The candidate has looked and sleeps; meanwhile the owner appends, raises its boundary, and the collector empties the key that the seal is for.
    let inner = store();
    let direct = archive(&inner);
    let mut owner = open_appender(&direct, OLD, 0, LOG.durable).unwrap();
    let seal_key = Key::Extent(OLD, 0).to_string();
    let meanwhile = move || {
        append(&direct, &mut owner, LOG, 64).unwrap();
        append(&direct, &mut owner, LOG, 128).unwrap();
        raise_boundary(&direct, &owner).unwrap();
        for start in [0, 64] {
            direct.store.delete(&Key::Extent(OLD, start).to_string()).unwrap();
        }
    };
    let slow: Arc<dyn ObjectStore> = Arc::new(Interposed::new(inner, seal_key.clone(), Box::new(meanwhile)));
    let archive = Archive::open(&slow).unwrap();
    let takeover = promote(&archive, OLD, 2).unwrap();
    assert_eq!(takeover.fork, 128);
    assert_eq!(archive.store.head(&seal_key).unwrap(), Some(crate::archive::extent::SEAL_LEN), "the void seal stays");
    assert_eq!(follow(&archive, OLD).unwrap().takeovers, [takeover]);
}

#[test]
fn a_store_that_is_not_safe_gets_no_automatic_takeover() {
    let sim = SimWorld::new(1);
    let archive = archive(&store());
    let good = doctor::probe(&sim.world(), &archive.store);
    let bad = doctor::Report { safe_for_takeover: false, ..good.clone() };
    let refused = take_over(&archive, &SeededRandom::new(2), OLD, &CLAIM, Permission::Probed(&bad)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unreachable);
    assert!(refused.hint.unwrap().contains("by hand"));
    assert_eq!(follow(&archive, OLD).unwrap().takeovers, []);
    take_over(&archive, &SeededRandom::new(2), OLD, &CLAIM, Permission::Probed(&good)).unwrap();
}

#[test]
fn under_lost_replies_and_failures_every_acknowledged_byte_is_on_the_one_chain() {
    let (mut won, mut poisoned) = (0, 0);
    for seed in 0..200 {
        let faulty = Arc::new(FaultyStore::new(store(), seed, Rates::default()));
        let archive = archive(&(faulty.clone() as Arc<dyn ObjectStore>));
        let mut owner = Appender::new(OLD, 0, LOG.durable, 4);
        faulty.set_rates(Rates { error_before: 120, lost_reply: 180, truncated_get: 40 });
        for step in 1..=8 {
            if append(&archive, &mut owner, LOG, step * 64).is_err() {
                poisoned += 1;
                owner = Appender::new(OLD, owner.archived(), LOG.durable, 4);
            }
        }
        let taken = promote(&archive, OLD, seed);
        faulty.set_rates(Rates::default());
        let chain = follow(&archive, OLD).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let fork = chain.takeovers.first().map_or(chain.end, |takeover| takeover.fork);
        assert!(owner.archived() <= fork, "seed {seed}: {} acknowledged, {fork} kept", owner.archived());
        assert!(chain.takeovers.len() <= 1, "seed {seed}");
        if let Ok(takeover) = taken {
            won += 1;
            assert_eq!(chain.takeovers, [takeover], "seed {seed}");
            while append(&archive, &mut owner, LOG, 6400).is_ok() {}
            assert!(matches!(owner.stopped(), Some(Stop::Fenced { .. })), "seed {seed}");
            assert_eq!(owner.archived(), fork, "seed {seed}");
        }
    }
    assert!(won > 50 && poisoned > 10, "{won} takeovers, {poisoned} appenders given up");
}

type Meanwhile = Box<dyn FnOnce() + Send>;
type StoreResult<T> = std::result::Result<T, StoreError>;

/// A store in which something else happens right before the first put of one key.
struct Interposed {
    inner: Arc<dyn ObjectStore>,
    key: String,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Interposed {
    fn new(inner: Arc<dyn ObjectStore>, key: String, meanwhile: Meanwhile) -> Self {
        Interposed { inner, key, meanwhile: Mutex::new(Some(meanwhile)) }
    }
}

impl std::fmt::Debug for Interposed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "interposed before {}", self.key)
    }
}

impl ObjectStore for Interposed {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> StoreResult<PutOutcome> {
        if key == self.key
            && let Some(meanwhile) = self.meanwhile.lock().unwrap().take()
        {
            meanwhile();
        }
        self.inner.put_if_absent(key, body)
    }

    fn get(&self, key: &str) -> StoreResult<Bytes> {
        self.inner.get(key)
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> StoreResult<Bytes> {
        self.inner.get_range(key, range)
    }

    fn head(&self, key: &str) -> StoreResult<Option<u64>> {
        self.inner.head(key)
    }

    fn list(&self, prefix: &str) -> StoreResult<Vec<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn delete(&self, key: &str) -> StoreResult<()> {
        self.inner.delete(key)
    }
}
