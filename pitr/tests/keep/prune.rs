//! Collections of garbage on archives made by hand: a chain, a branch, readers, attempts, plans that are old, and the fence.

use engine::ErrorKind;
use pitr::archive::pin::ReaderPin;
use pitr::archive::retention::{DAY, Policy};
use pitr::archive::{Archive, Key, Listing};
use pitr::backup::marker::Marker;
use pitr::prune::{GRACE, PruneRequest};
use pitr::{Level, RestoreRequest, Target};

use crate::machine::{backup, content, create, index_all, seal, step, upsert};
use crate::site::{ARCHIVE, Site, content_keys, moment, window};

fn daily(count: usize) -> Policy {
    Policy { keep_daily: Some(count), ..Policy::default() }
}

#[test]
fn a_chain_loses_its_beginning_and_the_rest_restores() {
    let site = Site::new(1);
    let (database, store, mut stream) = (site.machine.database(), site.store(), platform::random::Stream::new(1));
    let collection = create(&database, "c");
    let mut contents = Vec::new();
    for day in 0..4 {
        upsert(&collection, day * 700..day * 700 + 900, &mut stream);
        seal(&collection);
        index_all(&collection);
        backup(&database, &collection, &store, &format!("day{day}"));
        contents.push(content(&collection));
        site.advance(DAY);
    }
    let before = content_keys(&site.listing()).len();
    let report = site.prune(daily(2));
    assert_eq!(report.snapshots_removed, ["day0", "day1"]);
    assert!(report.planned.objects > 0 && report.deleted.objects == 0, "nothing but descriptions goes before the grace is over");
    site.advance(GRACE / 2);
    assert_eq!(site.prune(daily(2)).deleted.objects, 0);
    site.advance(GRACE);
    let report = site.prune(daily(2));
    assert!(report.deleted.objects > 0 && report.waiting.objects == 0, "{report:?}");
    assert!(content_keys(&site.listing()).len() + 2 < before);
    let verified = site.machine.verify(ARCHIVE, Level::Index);
    assert!(verified.ok && verified.strays.is_empty(), "{:?} {:?}", verified.problems, verified.strays);
    for (id, expected) in [("day2", &contents[2]), ("day3", &contents[3])] {
        assert_eq!(&site.restored("c", Target::Snapshot(Some(id))), expected);
    }
}

#[test]
fn a_dry_run_says_what_would_go_and_changes_nothing() {
    let site = Site::new(2);
    let (database, store, mut stream) = (site.machine.database(), site.store(), platform::random::Stream::new(2));
    let collection = create(&database, "c");
    for id in ["a", "b"] {
        upsert(&collection, 0..900, &mut stream);
        seal(&collection);
        index_all(&collection);
        backup(&database, &collection, &store, id);
        site.advance(2 * DAY);
    }
    let before = crate::machine::dump(&store);
    let request = PruneRequest { policy: daily(1), dry_run: true, ..PruneRequest::default() };
    let report = site.try_prune(&request).unwrap();
    assert_eq!((&report.snapshots_removed[..], report.deleted.objects), (&["a".to_owned()][..], 0));
    assert!(report.planned.objects > 0 && report.planned.objects == report.keys.len());
    assert_eq!(crate::machine::dump(&store), before);
    let done = site.prune(daily(1));
    assert_eq!(done.planned, report.planned, "the run does what was said");
}

#[test]
fn the_window_keeps_every_moment_inside_it_and_old_bases_go() {
    let mut site = Site::new(3);
    let database = site.machine.database();
    let collection = create(&database, "c");
    let mut archiver = site.archiver(&database, &["c"]);
    let mut moments = Vec::new();
    for round in 0..20 {
        moments.push(site.write(&database, &mut archiver, &collection, round * 100..round * 100 + 300));
        if round % 2 == 1 {
            step(&collection, &engine::collection::Step::Seal);
            index_all(&collection);
            site.archive(&database, &mut archiver, &collection);
        }
        site.advance(DAY);
    }
    let bases = |site: &Site| site.listing().bases.values().map(std::collections::BTreeSet::len).sum::<usize>();
    let before = bases(&site);
    for _ in 0..3 {
        site.prune(window(10));
        site.advance(GRACE);
    }
    assert!(bases(&site) < before / 2 + 2, "{} of {before} bases are left", bases(&site));
    let start = site.now() - 10 * DAY;
    assert!(moments.iter().filter(|moment| moment.time >= start).count() > 3);
    for moment in &moments {
        assert!(moment.time < start || site.is_restorable(moment), "{moment}");
        if moment.time >= start {
            site.check_restore("c", moment);
        }
    }
    assert!(site.is_restorable(moments.last().unwrap()), "the newest moment however old it is");
}

#[test]
fn a_branch_outlives_the_life_that_it_left() {
    let mut site = Site::new(4);
    let (database, store) = (site.machine.database(), site.store());
    let collection = create(&database, "a");
    let mut archiver = site.archiver(&database, &["a", "b"]);
    site.write(&database, &mut archiver, &collection, 0..500);
    seal(&collection);
    site.archive(&database, &mut archiver, &collection);
    backup(&database, &collection, &store, "fork");
    let lost = site.write(&database, &mut archiver, &collection, 500..900);
    let request = RestoreRequest { name: "a", new_name: Some("b"), ..RestoreRequest::default() };
    pitr::restore(&database, &store, &request, &|_, _| ()).unwrap();
    let branch = database.collection("b").unwrap();
    let kept = site.write(&database, &mut archiver, &branch, 2_000..2_100);
    archiver.pass(&database, &[&collection, &branch], pitr::archiver::Mode::Closing).unwrap();
    drop(collection);
    database.drop_collection("a", true).unwrap();
    archiver.pass(&database, &[&branch], pitr::archiver::Mode::Closing).unwrap();
    site.advance(30 * DAY);
    let policy = Policy { keep_full: Some(0), ..window(7) };
    let report = site.prune_to_the_end(policy);
    assert_eq!(report.windows.len(), 1, "{:?}", report.windows);
    site.check_restore("b", &kept);
    assert!(!site.is_restorable(&lost), "what only the life that is over had is gone");
    site.write(&database, &mut archiver, &branch, 3_000..3_010);
}

#[test]
fn a_running_reader_keeps_the_collector_away_until_it_is_done_or_its_lease_is_over() {
    let site = Site::new(5);
    let (database, store, mut stream) = (site.machine.database(), site.store(), platform::random::Stream::new(5));
    let collection = create(&database, "c");
    for id in ["a", "b"] {
        upsert(&collection, 0..900, &mut stream);
        seal(&collection);
        index_all(&collection);
        backup(&database, &collection, &store, id);
        site.advance(2 * DAY);
    }
    let archive = Archive::open(&store).unwrap();
    let world = site.machine.sim.world();
    let mut pin = ReaderPin::begin(&archive, &world, "a restore").unwrap();
    for _ in 0..4 {
        let report = site.prune(daily(1));
        assert_eq!((report.deleted.objects, report.snapshots_removed.len(), !report.held.is_empty()), (0, 0, true));
        site.advance(GRACE / 3);
        pin.renew().unwrap();
    }
    assert_eq!(site.listing().readers.len(), 1, "one pin at a time");
    let left = site.listing().readers[0];
    std::mem::forget(pin);
    site.advance(2 * GRACE);
    assert_eq!(site.prune(daily(1)).snapshots_removed, ["a"], "a reader that died holds nothing any more");
    site.advance(2 * GRACE);
    site.prune(daily(1));
    assert!(!site.listing().readers.contains(&left), "and its pin is collected");
    assert!(site.machine.verify(ARCHIVE, Level::Data).strays.is_empty());
}

#[test]
fn an_attempt_that_runs_keeps_what_it_may_rely_on() {
    let site = Site::new(6);
    let (database, store, mut stream) = (site.machine.database(), site.store(), platform::random::Stream::new(6));
    let collection = create(&database, "c");
    upsert(&collection, 0..900, &mut stream);
    seal(&collection);
    backup(&database, &collection, &store, "a");
    // What an attempt sent that died: its log is there and nothing names it.
    store.delete(&Key::Snapshot("a".to_owned()).to_string()).unwrap();
    site.prune(daily(1));
    site.advance(2 * GRACE);
    let archive = Archive::open(&store).unwrap();
    let world = site.machine.sim.world();
    let marker = Marker::begin(&archive, "b", "c", site.now(), &*world.random).unwrap();
    let extents = site.listing().extents.len();
    let report = site.prune(daily(1));
    assert_eq!(site.listing().extents.len(), extents, "the attempt may have found the log");
    assert!(report.held.iter().any(|held| held.contains("pins/b")), "{:?}", report.held);
    marker.end(&archive);
    backup(&database, &collection, &store, "b");
    site.advance(2 * GRACE);
    site.prune_to_the_end(daily(1));
    assert!(site.machine.verify(ARCHIVE, Level::Index).ok);
}

#[test]
fn an_old_plan_does_no_harm_once_its_keys_are_needed_again() {
    let site = Site::new(7);
    let (database, store, mut stream) = (site.machine.database(), site.store(), platform::random::Stream::new(7));
    let collection = create(&database, "c");
    upsert(&collection, 0..900, &mut stream);
    seal(&collection);
    backup(&database, &collection, &store, "a");
    let held = store.get("snapshots/a.json").unwrap();
    store.delete("snapshots/a.json").unwrap();
    let planned = site.prune(daily(1)).planned;
    assert!(planned.objects > 3);
    site.advance(5 * GRACE);
    // A collector that slept since wakes up: somebody put the description back, and a new backup rests on it.
    store.put_if_absent("snapshots/a.json", vec![held]).unwrap();
    backup(&database, &collection, &store, "b");
    let report = site.prune(Policy::default());
    assert_eq!((report.deleted.objects, report.waiting.objects), (0, 0));
    assert!(site.machine.verify(ARCHIVE, Level::Index).ok);
    assert!(site.listing().sizes.keys().all(|key| !key.starts_with("gc/")), "the plan is done with");
}

#[test]
fn extents_that_whole_files_hold_go_and_the_fence_finds_the_end_of_the_log() {
    let mut site = Site::new(8);
    let database = site.machine.database();
    let collection = create(&database, "c");
    let mut archiver = site.archiver(&database, &["c"]);
    for round in 0..6 {
        site.write(&database, &mut archiver, &collection, round * 50..round * 50 + 50);
    }
    step(&collection, &engine::collection::Step::Seal);
    site.archive(&database, &mut archiver, &collection);
    archiver.compact(&collection).unwrap();
    site.write(&database, &mut archiver, &collection, 900..950);
    let timeline = collection.version().manifest.timeline();
    let small = |site: &Site| site.listing().extents[&timeline].len();
    let (before, chain) = (small(&site), chain_end(&site, timeline));
    site.prune_to_the_end(Policy::default());
    assert!(small(&site) < before, "{} of {before} extents are left", small(&site));
    assert_eq!(chain_end(&site, timeline), chain);
    assert!(site.is_restorable(&moment(&collection)));
    // A writer that was asleep puts an extent again that was deleted: it is garbage once more.
    let low = site.listing().low[&timeline];
    let whole = site.listing().whole[&timeline].values().next().copied().unwrap();
    assert!(low >= whole.end);
    let stored = site.store().get(&whole.key(timeline).to_string()).unwrap();
    site.store().put_if_absent(&Key::Extent(timeline, whole.start).to_string(), vec![stored]).unwrap();
    assert_eq!(chain_end(&site, timeline), chain);
    site.prune_to_the_end(Policy::default());
    let mut archiver = site.archiver(&database, &[]);
    let last = site.write(&database, &mut archiver, &collection, 950..960);
    assert!(site.is_restorable(&last));
}

fn chain_end(site: &Site, timeline: engine::ids::Timeline) -> engine::ids::Lsn {
    let archive = Archive::open(&site.store()).expect("the archive is read");
    let origin = pitr::fence::drive::origin(&archive, timeline).expect("the archive is read");
    pitr::fence::drive::scan(&archive, timeline, origin).expect("the archive is read").0.at
}

#[test]
fn a_damaged_whole_file_does_not_replace_its_extents() {
    let mut site = Site::new(9);
    let database = site.machine.database();
    let collection = create(&database, "c");
    let mut archiver = site.archiver(&database, &["c"]);
    for round in 0..6 {
        site.write(&database, &mut archiver, &collection, round * 50..round * 50 + 50);
    }
    step(&collection, &engine::collection::Step::Seal);
    site.archive(&database, &mut archiver, &collection);
    archiver.compact(&collection).unwrap();
    let timeline = collection.version().manifest.timeline();
    let key = site.listing().whole[&timeline].values().next().unwrap().key(timeline).to_string();
    site.machine.sim.disk.flip_bit(std::path::Path::new(ARCHIVE).join(&key), 500, 3);
    let before = site.listing().extents[&timeline].len();
    site.prune(Policy::default());
    site.advance(2 * GRACE);
    let report = site.prune(Policy::default());
    assert!(report.warnings.iter().any(|warning| warning.contains(&key)), "{:?}", report.warnings);
    assert_eq!(site.listing().extents[&timeline].len(), before);
}

#[test]
fn a_backup_that_does_not_read_stops_the_collector() {
    let site = Site::new(10);
    let (database, store, mut stream) = (site.machine.database(), site.store(), platform::random::Stream::new(10));
    let collection = create(&database, "c");
    upsert(&collection, 0..900, &mut stream);
    for id in ["a", "b"] {
        backup(&database, &collection, &store, id);
        site.advance(2 * DAY);
    }
    site.machine.sim.disk.flip_bit(std::path::Path::new(ARCHIVE).join("snapshots/a.json"), 200, 1);
    let before = Listing::read(&*store).unwrap().sizes;
    let error = site.try_prune(&PruneRequest { policy: daily(1), ..PruneRequest::default() }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt);
    assert!(error.hint.unwrap().contains("\"a\""));
    assert_eq!(Listing::read(&*store).unwrap().sizes, before);
}
