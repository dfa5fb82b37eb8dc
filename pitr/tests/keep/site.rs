//! A machine that archives continuously, and an oracle that knows which moments have to be restorable.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::catalog::{ArchiveSettings, Durability};
use engine::ids::{CommitTime, Lsn};
use engine::manifest::Span;
use engine::{Collection, Database};
use pitr::archive::extent_stream::stream_object;
use pitr::archive::retention::{DAY, Policy};
use pitr::archive::roots::read_root;
use pitr::archive::tiling::{Source, Stretch, tile};
use pitr::archive::{Archive, Key, Listing};
use pitr::archiver::{Archiver, Mode};
use pitr::prune::{PruneReport, PruneRequest, prune};
use pitr::{RestoreRequest, Target};
use platform::KnownBad;
use platform::object_store::ObjectStore;
use platform::object_store::sim::SimStore;
use platform::random::Stream;

use crate::machine::{Content, Machine, content, upsert};

pub const ARCHIVE: &str = "/archive";

/// A moment that was archived.
#[derive(Clone)]
pub struct Moment {
    pub time: CommitTime,
    pub lsn: Lsn,
    pub ancestry: Vec<Span>,
    pub content: Rc<Content>,
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}, {:?}", self.time, self.lsn, self.ancestry)
    }
}

pub struct Site {
    pub machine: Machine,
    pub stream: Stream,
}

impl Site {
    pub fn new(seed: u64) -> Self {
        Site { machine: Machine::new(seed), stream: Stream::new(seed) }
    }

    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.try_store().expect("a store opens")
    }

    fn try_store(&self) -> engine::Result<Arc<dyn ObjectStore>> {
        let store = SimStore::open(self.machine.sim.disk.file_system(), std::path::Path::new(ARCHIVE), KnownBad::default());
        Ok(Arc::new(store.map_err(|e| pitr::archive::stored::store_error(&e))?))
    }

    pub fn listing(&self) -> Listing {
        Listing::read(&*self.store()).expect("an archive is listed")
    }

    pub fn advance(&self, micros: u64) {
        self.machine.sim.clock.advance(Duration::from_micros(micros));
    }

    pub fn now(&self) -> u64 {
        platform::clock::Clock::wall_micros(&self.machine.sim.clock)
    }

    /// Lets names be archived, and opens the archiver.
    pub fn archiver(&self, database: &Database, names: &[&str]) -> Archiver {
        for name in names {
            let settings =
                ArchiveSettings { url: ARCHIVE.to_owned(), durability: Durability::Fsync, backlog_limit: 1 << 30, delay: 1_000_000 };
            database.set_archive(name, Some(settings)).expect("a name is archived");
        }
        Archiver::open(database, &self.store()).expect("the archiver opens")
    }

    /// Writes points and archives them; gives the moment.
    pub fn write(&mut self, database: &Database, archiver: &mut Archiver, collection: &Collection, ids: std::ops::Range<u64>) -> Moment {
        upsert(collection, ids, &mut self.stream);
        self.archive(database, archiver, collection)
    }

    pub fn archive(&self, database: &Database, archiver: &mut Archiver, collection: &Collection) -> Moment {
        archiver.pass(database, &[collection], Mode::Closing).expect("a pass succeeds");
        moment(collection)
    }

    pub fn prune(&self, policy: Policy) -> PruneReport {
        self.try_prune(&PruneRequest { policy, ..PruneRequest::default() }).expect("a collection of garbage succeeds")
    }

    pub fn try_prune(&self, request: &PruneRequest) -> engine::Result<PruneReport> {
        prune(&self.machine.sim.world(), &self.try_store()?, request, &|_, _| ())
    }

    /// Collects garbage until nothing is left to collect, a grace apart.
    pub fn prune_to_the_end(&self, policy: Policy) -> PruneReport {
        for _ in 0..10 {
            let report = self.prune(policy);
            self.advance(pitr::prune::GRACE);
            if report.planned.objects + report.waiting.objects + report.deleted.objects == 0 {
                return report;
            }
        }
        panic!("seed {}: garbage is never all collected", self.machine.seed);
    }

    /// Restores a state to another, empty machine and gives what is there then.
    pub fn restored(&self, name: &str, target: Target<'_>) -> Content {
        let other = Machine::new(self.machine.seed + 2_000);
        other.sim.clock.advance(Duration::from_micros(self.now().saturating_sub(platform::sim::START_MICROS)));
        let database = other.database();
        let request = RestoreRequest { name, target, ..RestoreRequest::default() };
        pitr::restore(&database, &self.store(), &request, &|_, _| ())
            .unwrap_or_else(|e| panic!("seed {}: \"{name}\" {target:?}: {e}", self.machine.seed));
        content(&database.collection(name).expect("it opens"))
    }

    /// Says whether a moment can be restored: some base before it is whole, byte for byte, and so is the log up to it.
    pub fn is_restorable(&self, moment: &Moment) -> bool {
        let (archive, listing) = (Archive::open(&self.store()).expect("it opens"), self.listing());
        let whole = |stretch: Stretch| tile(&[Source { listing: &listing, only: None }], stretch).reached == stretch.end;
        let mut log = moment.ancestry.iter().filter(|span| span.from < moment.lsn);
        let log_is_there = log.all(|span| {
            let end = span.to.unwrap_or(moment.lsn).min(moment.lsn);
            span.from == end || whole(Stretch { timeline: span.timeline, start: span.from, end })
        });
        log_is_there && moment.ancestry.iter().any(|span| self.has_base(&archive, &listing, span, moment.lsn))
    }

    /// Restores a moment and compares it with what was there then.
    pub fn check_restore(&self, name: &str, moment: &Moment) {
        let found = self.restored(name, Target::Time(moment.time));
        assert!(found == *moment.content, "seed {}: \"{name}\" {moment}", self.machine.seed);
    }

    fn has_base(&self, archive: &Archive, listing: &Listing, span: &Span, lsn: Lsn) -> bool {
        let end = span.to.unwrap_or(Lsn::MAX).min(lsn);
        let names = listing.bases.get(&span.timeline).into_iter().flatten();
        names.filter(|name| name.covered_lsn <= end).any(|&name| {
            let Ok((root, ..)) = read_root(archive, span.timeline, name) else { return false };
            root.objects.iter().all(|object| {
                let read = stream_object(archive, &Key::Object(object.name), object.bytes, &mut |_| Ok(()));
                read.is_ok_and(|(actual, stated)| actual == object.blake3 && stated == actual)
            })
        })
    }
}

pub fn moment(collection: &Collection) -> Moment {
    let version = collection.version();
    let ancestry = version.manifest.ancestry.clone();
    Moment { time: version.commit_time, lsn: version.lsn_end, ancestry, content: Rc::new(content(collection)) }
}

pub fn window(days: u64) -> Policy {
    Policy { keep_window: Some(days * DAY), ..Policy::default() }
}

/// Lists what is there under `log/`, `whole/`, `objects/`, `manifests/` and `bases/`: what a collection of garbage deletes.
pub fn content_keys(listing: &Listing) -> Vec<String> {
    let is_content = |key: &&String| {
        matches!(Key::parse(key), Key::Extent(..) | Key::Whole(..) | Key::Object(_) | Key::Manifest(..) | Key::Base(..) | Key::Snapshot(_))
    };
    listing.sizes.keys().filter(is_content).cloned().collect()
}
