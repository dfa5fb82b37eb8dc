//! The power goes at every change of a collection of garbage, and links die at every call: what is kept stays restorable, and the next run
//! goes on. Random histories of writes, backups, restores, drops and collections keep what their policy promises.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::collection::Step;
use engine::{Collection, Database};
use pitr::archive::retention::{DAY, Policy};
use pitr::archiver::{Archiver, Mode};
use pitr::prune::{GRACE, PruneRequest, prune};
use pitr::{Level, RestoreRequest};
use platform::fs::CrashKeep;
use platform::object_store::ObjectStore;
use platform::object_store::faulty::{FaultyStore, Rates};
use platform::random::Stream;

use crate::machine::{backup, create, index_all, step, upsert};
use crate::site::{ARCHIVE, Moment, Site, moment, window};

/// A site with backups and bases of many days, and a plan whose grace is over.
fn site_with_garbage(seed: u64) -> (Site, Vec<Moment>) {
    let mut site = Site::new(seed);
    let database = site.machine.database();
    let collection = create(&database, "c");
    let mut archiver = site.archiver(&database, &["c"]);
    let mut moments = Vec::new();
    for round in 0..8 {
        moments.push(site.write(&database, &mut archiver, &collection, round * 30..round * 30 + 60));
        if round % 2 == 1 {
            step(&collection, &Step::Seal);
            index_all(&collection);
            site.archive(&database, &mut archiver, &collection);
        }
        if round % 3 == 1 {
            backup(&database, &collection, &site.store(), &format!("s{round}"));
        }
        archiver.compact(&collection).expect("files are put together");
        site.advance(DAY);
    }
    site.prune(policy());
    site.advance(2 * GRACE);
    // More goes now: the run that is cut has descriptions to remove, a plan to write and one to carry out.
    (site, moments)
}

fn policy() -> Policy {
    Policy { keep_daily: Some(2), ..window(4) }
}

fn check(site: &Site, moments: &[Moment], start: u64, label: &str) {
    for moment in moments.iter().filter(|moment| moment.time >= start) {
        assert!(site.is_restorable(moment), "{label}: {moment}");
    }
    assert!(site.is_restorable(moments.last().expect("there are moments")), "{label}: the newest moment");
    site.check_restore("c", moments.iter().find(|moment| moment.time >= start).expect("one is inside the window"));
    let report = site.machine.verify(ARCHIVE, Level::Data);
    assert!(report.ok, "{label}: {:?}", report.problems);
    assert!(report.snapshots.iter().any(|snapshot| snapshot.id == "s7"), "{label}: the newest backup");
}

#[test]
fn a_power_cut_at_any_change_of_a_collection_harms_nothing_and_the_next_one_goes_on() {
    let mut cut = 0;
    loop {
        let (site, moments) = site_with_garbage(50);
        let label = format!("seed 50 cut {cut}");
        let start = site.now() - 4 * DAY;
        site.machine.sim.disk.crash_after_ops(Some(cut));
        let done = site.try_prune(&PruneRequest { policy: policy(), ..PruneRequest::default() }).is_ok();
        site.machine.sim.disk.crash_after_ops(None);
        site.machine.sim.disk.crash_keeping(CrashKeep::Random);
        check(&site, &moments, start, &label);
        let left = site.prune_to_the_end(policy());
        assert!(left.held.is_empty(), "{label}: {:?}", left.held);
        let report = site.machine.verify(ARCHIVE, Level::Index);
        assert!(report.ok, "{label}: {:?}", report.problems);
        if done {
            break;
        }
        cut += 1;
        assert!(cut < 1_000, "a collection ends");
    }
    assert!(cut > 20, "the cuts went through a whole collection: {cut}");
}

#[test]
fn a_link_that_dies_at_any_call_harms_nothing_and_the_next_collection_goes_on() {
    let mut calls = 0;
    loop {
        let (site, moments) = site_with_garbage(60);
        let label = format!("seed 60 after {calls} calls");
        let start = site.now() - 4 * DAY;
        let faulty = Arc::new(FaultyStore::new(site.store(), 1, Rates::default()));
        let store: Arc<dyn ObjectStore> = faulty.clone();
        faulty.go_down_after(Some(calls));
        let request = PruneRequest { policy: policy(), ..PruneRequest::default() };
        let done = prune(&site.machine.sim.world(), &store, &request, &|_, _| ()).is_ok();
        check(&site, &moments, start, &label);
        if done {
            break;
        }
        calls += 5;
    }
    assert!(calls > 40, "the link died through a whole collection: {calls}");
}

/// A random history of one machine.
struct Story {
    site: Site,
    stream: Stream,
    moments: BTreeMap<String, Vec<Moment>>,
    next: u64,
}

impl Story {
    fn run(seed: u64, steps: usize) {
        let site = Site::new(seed);
        let mut story = Story { site, stream: Stream::new(seed ^ 0x5eed), moments: BTreeMap::new(), next: 0 };
        let database = story.site.machine.database();
        let mut collections = BTreeMap::from([("c0".to_owned(), create(&database, "c0"))]);
        let mut archiver = story.site.archiver(&database, &["c0"]);
        for _ in 0..steps {
            story.act(&database, &mut collections, &mut archiver);
        }
    }

    fn act(&mut self, database: &Database, collections: &mut BTreeMap<String, Collection>, archiver: &mut Archiver) {
        let names: Vec<String> = collections.keys().cloned().collect();
        let name = names[self.stream.below(names.len() as u64) as usize].clone();
        match self.stream.below(20) {
            0..8 => {
                let from = self.stream.below(500);
                upsert(&collections[&name], from..from + 1 + self.stream.below(60), &mut self.site.stream);
                self.archive(database, collections, archiver, &name);
            }
            8..11 => {
                step(&collections[&name], &Step::Seal);
                if self.stream.chance(1, 2) {
                    index_all(&collections[&name]);
                }
                self.archive(database, collections, archiver, &name);
                archiver.compact(&collections[&name]).expect("files are put together");
            }
            11..13 => {
                self.next += 1;
                backup(database, &collections[&name], &self.site.store(), &format!("s{}", self.next));
            }
            13 => self.branch(database, collections, archiver, &name),
            14 if names.len() > 1 => {
                drop(collections.remove(&name));
                database.drop_collection(&name, true).expect("it is dropped");
                let left: Vec<&Collection> = collections.values().collect();
                archiver.pass(database, &left, Mode::Closing).expect("the drop is archived");
                self.moments.remove(&name);
            }
            15..18 => self.site.advance(self.stream.below(2 * DAY)),
            _ => self.collect(),
        }
    }

    fn archive(&mut self, database: &Database, collections: &BTreeMap<String, Collection>, archiver: &mut Archiver, name: &str) {
        let all: Vec<&Collection> = collections.values().collect();
        archiver.pass(database, &all, Mode::Closing).expect("a pass succeeds");
        self.moments.entry(name.to_owned()).or_default().push(moment(&collections[name]));
        self.site.advance(1_000_000);
    }

    /// Restores the newest backup of a name under another one, if there is a backup.
    fn branch(&mut self, database: &Database, collections: &mut BTreeMap<String, Collection>, archiver: &mut Archiver, name: &str) {
        self.next += 1;
        let new = format!("c{}", self.next);
        let request = RestoreRequest { name, new_name: Some(&new), ..RestoreRequest::default() };
        if self.listing_has(name) && pitr::restore(database, &self.site.store(), &request, &|_, _| ()).is_ok() {
            *archiver = self.site.archiver(database, &[&new]);
            collections.insert(new.clone(), database.collection(&new).expect("it opens"));
            self.archive(database, collections, archiver, &new);
        }
    }

    fn listing_has(&self, name: &str) -> bool {
        let list = pitr::list(&self.site.store()).expect("backups are listed");
        list.snapshots.iter().any(|snapshot| snapshot.collection == name)
    }

    /// Collects garbage, cut somewhere now and then, and checks every promise.
    fn collect(&mut self) {
        let days = 1 + self.stream.below(5);
        let policy = Policy { keep_daily: Some(1 + self.stream.below(3) as usize), ..window(days) };
        let start = self.site.now() - days * DAY;
        let request = PruneRequest { policy, grace: GRACE, dry_run: false };
        let faulty = Arc::new(FaultyStore::new(self.site.store(), self.stream.next_u64(), Rates::default()));
        if self.stream.chance(1, 2) {
            faulty.go_down_after(Some(self.stream.below(60)));
        }
        let store: Arc<dyn ObjectStore> = faulty;
        let _ = prune(&self.site.machine.sim.world(), &store, &request, &|_, _| ());
        let seed = self.site.machine.seed;
        for (name, moments) in &mut self.moments {
            // What left the window once is promised no more, even by a larger one.
            let newest = moments.last().cloned();
            moments.retain(|moment| moment.time >= start);
            for moment in moments.iter().chain(&newest) {
                assert!(self.site.is_restorable(moment), "seed {seed}: \"{name}\" {moment}, window from {start}");
            }
            let chosen = self.stream.below(moments.len().max(1) as u64) as usize;
            // Nobody can ask for a moment before the catalog named the collection.
            if let Some(moment) = moments.get(chosen).or(newest.as_ref()).filter(|moment| !moment.content.is_empty()) {
                self.site.check_restore(name, moment);
            }
            if let (true, Some(newest)) = (moments.is_empty(), newest) {
                moments.push(newest);
            }
        }
        let report = self.site.machine.verify(ARCHIVE, Level::Data);
        assert!(report.ok || report.snapshots.is_empty(), "seed {seed}: {:?}", report.problems);
    }
}

#[test]
fn random_histories_keep_every_moment_that_their_policy_promises() {
    let seeds: u64 = std::env::var("KEEP_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for seed in 0..seeds {
        Story::run(seed, 90);
    }
}
