//! Verification of whole archives: what is whole, what is missing, what rotted, and what was read lately.

use std::path::Path;

use engine::ErrorKind;
use engine::collection::Step;
use pitr::archive::{Archive, Key};
use pitr::archive_verify::{ArchiveVerifyReport, ArchiveVerifyRequest, verify_archive};
use pitr::{Candidates, Level, Scratch};
use platform::sim::SimWorld;

use crate::machine::{backup, create, index_all, seal, step};
use crate::site::{ARCHIVE, Moment, Site, content_keys, window};

fn verify(site: &Site, level: Level, max_age: Option<u64>) -> ArchiveVerifyReport {
    let scratch = Some(Scratch { world: SimWorld::new(site.machine.seed + 1_000).world(), dir: "/scratch".into() });
    let request = ArchiveVerifyRequest { level, max_age, notes: max_age.is_some(), candidates: Candidates::default(), scratch };
    verify_archive(&site.machine.sim.world(), &site.store(), &request, &|_, _| ()).expect("a verification ends")
}

/// A site with a few bases, a backup, and a tail; gives the last moment.
fn small(seed: u64) -> (Site, Moment) {
    let mut site = Site::new(seed);
    let database = site.machine.database();
    let collection = create(&database, "c");
    let mut archiver = site.archiver(&database, &["c"]);
    for round in 0..4 {
        site.write(&database, &mut archiver, &collection, round * 30..round * 30 + 40);
        if round % 2 == 1 {
            step(&collection, &Step::Seal);
            site.archive(&database, &mut archiver, &collection);
        }
    }
    backup(&database, &collection, &site.store(), "s");
    let last = site.write(&database, &mut archiver, &collection, 500..520);
    (site, last)
}

#[test]
fn a_whole_archive_is_whole_at_every_level() {
    let (site, last) = small(70);
    for level in [Level::List, Level::Data, Level::Index, Level::Restore] {
        let report = verify(&site, level, None);
        assert!(report.ok && report.strays.is_empty(), "{level:?}: {:?} {:?}", report.problems, report.strays);
        let [history] = &report.windows[..] else { panic!("one history: {:?}", report.windows) };
        assert_eq!((history.collection.as_deref(), history.lsn, history.ok), (Some("c"), last.lsn, true));
        assert_eq!((history.to, history.bases), (Some(last.time), 3));
        assert!(report.snapshots.len() == 1 && report.snapshots[0].ok);
        assert_eq!(report.read.objects > 0, level > Level::List);
    }
}

#[test]
fn every_rotten_object_is_named_and_so_is_what_it_spoils() {
    let (site, _) = small(71);
    let listing = site.listing();
    let mut stream = platform::random::Stream::new(71);
    for key in content_keys(&listing) {
        let path = Path::new(ARCHIVE).join(&key);
        let (offset, bit) = (stream.below(listing.sizes[&key]), stream.below(8) as u32);
        site.machine.sim.disk.flip_bit(&path, offset, bit.try_into().expect("a bit of a byte"));
        let report = verify(&site, Level::Data, None);
        let error = report.error.unwrap_or_else(|| panic!("{key}: the flip at {offset} is found"));
        assert_eq!(error.kind, ErrorKind::Corrupt, "{key} at {offset}: {error}");
        assert!(report.problems.iter().any(|problem| problem.contains(&key)), "{key}: {:?}", report.problems);
        assert!(report.windows.iter().any(|w| !w.ok) || report.snapshots.iter().any(|s| !s.ok), "{key} spoils something");
        site.machine.sim.disk.flip_bit(&path, offset, bit.try_into().expect("a bit of a byte"));
    }
    assert!(verify(&site, Level::Data, None).ok);
}

#[test]
fn what_is_missing_is_incomplete_at_the_end_of_a_log_too() {
    let (site, _) = small(72);
    let (store, listing) = (site.store(), site.listing());
    for key in content_keys(&listing) {
        // A description that is missing names nothing that could be missed.
        if matches!(Key::parse(&key), Key::Base(..) | Key::Snapshot(_)) {
            continue;
        }
        let held = store.get(&key).unwrap();
        store.delete(&key).unwrap();
        let report = verify(&site, Level::List, None);
        assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::Incomplete), "{key}: {:?}", report.problems);
        store.put_if_absent(&key, vec![held]).unwrap();
    }
}

#[test]
fn what_was_read_lately_is_not_read_again_and_rot_is_not_noted_as_whole() {
    const WEEK: u64 = 7 * 86_400_000_000;
    let (site, _) = small(73);
    let first = verify(&site, Level::Data, Some(WEEK));
    assert!(first.ok && first.read.objects > 5 && first.skipped.objects == 0);
    site.advance(WEEK / 2);
    let second = verify(&site, Level::Data, Some(WEEK));
    assert!(second.ok);
    assert_eq!((second.read.objects, second.skipped.objects), (0, first.read.objects));
    let database = site.machine.database();
    let collection = database.collection("c").unwrap();
    let mut archiver = site.archiver(&database, &[]);
    seal(&collection);
    site.archive(&database, &mut archiver, &collection);
    let third = verify(&site, Level::Data, Some(WEEK));
    assert!(third.read.objects > 0 && third.read.objects < first.read.objects, "only what is new: {:?}", third.read);
    site.advance(WEEK);
    let name = *site.listing().objects.keys().next().unwrap();
    let path = Path::new(ARCHIVE).join(Key::Object(name).to_string());
    site.machine.sim.disk.flip_bit(&path, 100, 1);
    for _ in 0..2 {
        let report = verify(&site, Level::Data, Some(WEEK));
        assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::Corrupt), "what is rotten is read each time");
        assert!(!report.snapshots[0].ok || !report.windows[0].ok);
    }
}

#[test]
fn an_archive_stays_verifiable_while_garbage_is_collected() {
    let mut site = Site::new(74);
    let database = site.machine.database();
    let collection = create(&database, "c");
    let mut archiver = site.archiver(&database, &["c"]);
    for round in 0..8 {
        site.write(&database, &mut archiver, &collection, round * 30..round * 30 + 60);
        step(&collection, &Step::Seal);
        index_all(&collection);
        site.archive(&database, &mut archiver, &collection);
        archiver.compact(&collection).unwrap();
        site.advance(86_400_000_000);
        site.prune(window(2));
        let report = verify(&site, Level::Index, Some(1));
        assert!(report.ok, "{:?}", report.problems);
    }
    Archive::open(&site.store()).unwrap();
}
