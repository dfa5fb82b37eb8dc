//! What stays, on archives made by hand.

use engine::codec::checksum::Hash;

use super::*;
use crate::archive::Key;
use crate::archive::ids::ArchiveId;
use crate::backup::format::{BackupType, BaseRef, ByteCounts, IndexDescription, ManifestEntry, Position, SnapshotFile};
use crate::timeline::Parent;

const NOW: u64 = 1_000 * DAY;

fn id(byte: u8) -> Timeline {
    Timeline([byte; 16])
}

/// An archive in which a database (0) archives continuously.
#[derive(Default)]
struct Site {
    keys: Vec<(String, u64)>,
    bases: Vec<BaseRoot>,
    timelines: TimelineMap,
    lives: BTreeMap<Incarnation, LifeRecord>,
    sealed: BTreeMap<Timeline, Lsn>,
    snapshots: Vec<HeldSnapshot>,
    held_snapshots: BTreeSet<String>,
    listing: Listing,
}

impl Site {
    fn timeline(&mut self, timeline: u8, life: u8, parent: Option<(u8, Lsn)>) {
        let parent = parent.map(|(timeline, lsn)| Parent { timeline: id(timeline), lsn });
        let (database, incarnation) = (Some(id(0)), Some(Incarnation([life; 16])));
        let file = TimelineFile { format: 1, timeline: id(timeline), database, incarnation, parent, reason: "created".to_owned() };
        self.timelines.good.insert(id(timeline), file);
    }

    fn life(&mut self, life: u8, name: &str, ended: Option<u64>) {
        self.lives.insert(Incarnation([life; 16]), LifeRecord { name: name.to_owned(), ended });
    }

    fn log(&mut self, timeline: u8, start: Lsn, end: Lsn) {
        self.keys.push((Key::Extent(id(timeline), start).to_string(), end - start + 96));
    }

    /// A base whose log is all on its own timeline.
    fn base(&mut self, timeline: u8, covered_lsn: Lsn, commit_time: u64) -> (Timeline, ManifestName) {
        let name = ManifestName { covered_lsn, seq: covered_lsn, commit_time };
        let manifest = ManifestEntry { timeline: id(timeline), name: name.to_string(), bytes: 500, blake3: Hash([3; 32]) };
        self.keys.push((Key::Base(id(timeline), name).to_string(), 100));
        self.keys.push((Key::Manifest(id(timeline), name).to_string(), 500));
        self.bases.push(BaseRoot {
            timeline: id(timeline),
            name,
            incarnation: Incarnation([timeline; 16]),
            ancestry: Vec::new(),
            manifest,
            log: Vec::new(),
            objects: Vec::new(),
        });
        (id(timeline), name)
    }

    fn snapshot(&mut self, name: &str, pin_time: u64, base: Option<&str>) {
        let (archive, hash) = (ArchiveId([7; 16]), Hash([3; 32]));
        let file = SnapshotFile {
            format: 1,
            snapshot_id: format!("{name}-{pin_time}"),
            archive,
            collection: name.to_owned(),
            aliases: Vec::new(),
            incarnation: Incarnation([5; 16]),
            database: None,
            backup_type: if base.is_some() { BackupType::Incremental } else { BackupType::Full },
            base: base.map(|id| BaseRef { archive, snapshot_id: id.to_owned() }),
            pin_time,
            finished: pin_time,
            position: Position { timeline: id(5), lsn: 64, commit_time: pin_time },
            ancestry: Vec::new(),
            points: 0,
            points_with_payload: 0,
            manifest: ManifestEntry { timeline: id(5), name: String::new(), bytes: 0, blake3: hash },
            log: Vec::new(),
            objects: Vec::new(),
            index: IndexDescription::default(),
            bytes: ByteCounts::default(),
            parents: Vec::new(),
            answers: None,
        };
        self.snapshots.push(HeldSnapshot { file, blake3: hash, bytes: 1 });
    }

    fn decide(&mut self, policy: &Policy) -> Decision {
        self.keys.push((Key::Closed(id(0), NOW).to_string(), 100));
        self.listing = Listing::of(self.keys.iter().cloned());
        let state = State {
            listing: &self.listing,
            snapshots: &self.snapshots,
            bases: &self.bases,
            timelines: &self.timelines,
            lives: &self.lives,
            sealed: &self.sealed,
            held_snapshots: &self.held_snapshots,
            held_bases: &BTreeSet::new(),
            held_log: &[],
        };
        decide(policy, &state, NOW).unwrap()
    }

    fn kept(&mut self, policy: &Policy) -> Vec<u64> {
        let decision = self.decide(policy);
        decision
            .snapshots
            .iter()
            .filter(|v| v.reason.is_some())
            .map(|v| v.snapshot_id.split_once('-').unwrap().1.parse().unwrap())
            .collect()
    }
}

fn week() -> Policy {
    Policy { keep_window: Some(7 * DAY), ..Policy::default() }
}

#[test]
fn the_newest_base_before_the_window_stays_with_everything_behind_it() {
    let mut site = Site::default();
    site.timeline(1, 1, None);
    site.log(1, 0, 640);
    let old = site.base(1, 64, NOW - 30 * DAY);
    let at_start = site.base(1, 128, NOW - 7 * DAY);
    let inside = site.base(1, 256, NOW - DAY);
    let decision = site.decide(&week());
    assert_eq!(decision.bases, BTreeSet::from([at_start, inside]));
    assert_eq!(decision.bases_removed, [old]);
    assert!(decision.log.contains(&Stretch { timeline: id(1), start: 0, end: Lsn::MAX }), "vectors stay in the log");
    assert_eq!(decision.histories[0].from, Some(NOW - 7 * DAY));
    assert_eq!(site.decide(&Policy::default()).bases_removed, [], "no rule, nothing goes");
}

#[test]
fn a_base_that_is_not_whole_is_no_start_of_the_window() {
    let mut site = Site::default();
    site.timeline(1, 1, None);
    site.log(1, 0, 640);
    let older = site.base(1, 64, NOW - 30 * DAY);
    let broken = site.base(1, 128, NOW - 20 * DAY);
    let manifest = Key::Manifest(broken.0, broken.1).to_string();
    site.keys.retain(|(key, _)| *key != manifest);
    assert_eq!(site.decide(&week()).bases, BTreeSet::from([older, broken]));
}

#[test]
fn a_life_that_goes_on_keeps_its_newest_base_however_old_it_is() {
    let mut site = Site::default();
    site.timeline(1, 1, None);
    site.log(1, 0, 640);
    site.base(1, 64, NOW - 500 * DAY);
    let newest = site.base(1, 128, NOW - 400 * DAY);
    assert_eq!(site.decide(&week()).bases, BTreeSet::from([newest]));
}

#[test]
fn a_life_that_is_over_stays_until_its_end_has_left_the_window() {
    for (ended, stays) in [(None, true), (Some(NOW - DAY), true), (Some(NOW - 7 * DAY), true), (Some(NOW - 8 * DAY), false)] {
        let mut site = Site::default();
        site.timeline(1, 1, None);
        site.life(1, "a", ended);
        site.log(1, 0, 640);
        site.base(1, 64, NOW - 20 * DAY);
        let decision = site.decide(&week());
        assert_eq!(decision.bases.len(), usize::from(stays), "{ended:?}");
        assert_eq!(decision.log.len(), usize::from(stays), "{ended:?}");
    }
}

#[test]
fn a_branch_keeps_what_it_left_and_no_more() {
    let mut site = Site::default();
    site.timeline(1, 1, None);
    site.timeline(2, 2, Some((1, 256)));
    site.life(1, "a", Some(NOW - 50 * DAY));
    site.log(1, 0, 640);
    site.log(2, 256, 320);
    let before = site.base(1, 128, NOW - 90 * DAY);
    site.base(1, 512, NOW - 80 * DAY);
    let decision = site.decide(&week());
    assert_eq!(decision.bases, BTreeSet::from([before]), "the branch is replayed on a base of the life that is over");
    let expected = [Stretch { timeline: id(1), start: 0, end: 256 }, Stretch { timeline: id(2), start: 256, end: Lsn::MAX }];
    assert_eq!(decision.log, expected);
}

#[test]
fn a_branch_keeps_a_base_of_its_own_though_an_ancestor_has_a_newer_one() {
    let mut site = Site::default();
    site.timeline(1, 1, None);
    site.timeline(2, 2, Some((1, 256)));
    site.life(1, "a", Some(NOW - 50 * DAY));
    site.log(1, 0, 256);
    site.log(2, 256, 320);
    let newer = site.base(1, 256, NOW - 80 * DAY);
    let own = site.base(2, 128, NOW - 90 * DAY);
    assert_eq!(site.decide(&week()).bases, BTreeSet::from([newer, own]), "else it looks as if it had only been backed up");
}

#[test]
fn a_sealed_timeline_is_held_by_the_one_that_goes_on_and_a_claim_alone_holds_nothing() {
    let mut site = Site::default();
    site.timeline(1, 1, None);
    site.timeline(2, 1, Some((1, 256)));
    site.log(1, 0, 256);
    let old = site.base(1, 128, NOW - 90 * DAY);
    // The claim was never made good: the first timeline goes on.
    assert_eq!(site.decide(&week()).histories.len(), 1);
    assert_eq!(site.decide(&week()).log, [Stretch { timeline: id(1), start: 0, end: Lsn::MAX }]);
    site.sealed.insert(id(1), 256);
    site.log(2, 256, 320);
    let new = site.base(2, 320, NOW - 60 * DAY);
    let decision = site.decide(&week());
    assert_eq!((decision.bases, decision.bases_removed), (BTreeSet::from([new]), vec![old]));
    assert_eq!(decision.histories.len(), 1);
}

#[test]
fn backups_stay_by_the_calendar_and_the_newest_always() {
    let mut site = Site::default();
    let days = [1, 2, 3, 10, 11, 40, 41, 400];
    for days in days {
        site.snapshot("a", NOW - days * DAY, None);
        site.snapshot("a", NOW - days * DAY + 5, None);
    }
    let ago = |days: &[u64]| days.iter().map(|days| NOW - days * DAY + 5).collect::<Vec<_>>();
    let kept = |site: &mut Site, policy: Policy| {
        let mut kept = site.kept(&policy);
        kept.sort_unstable_by(|a, b| b.cmp(a));
        kept
    };
    assert_eq!(kept(&mut site, Policy { keep_daily: Some(3), ..Policy::default() }), ago(&[1, 2, 3]));
    assert_eq!(kept(&mut site, Policy { keep_monthly: Some(2), ..Policy::default() }).len(), 2);
    assert_eq!(kept(&mut site, Policy { keep_full: Some(0), ..Policy::default() }), ago(&[1]), "the newest of a living name");
    assert_eq!(kept(&mut site, Policy { keep_full: Some(0), keep_window: Some(2 * DAY), ..Policy::default() }).len(), 4);
    assert_eq!(kept(&mut site, week()).len(), 16, "no rule for backups");
    site.held_snapshots.insert(format!("a-{}", NOW - 400 * DAY + 5));
    assert_eq!(kept(&mut site, Policy { keep_full: Some(0), ..Policy::default() }), ago(&[1, 400]), "a reader holds one");
}

#[test]
fn full_backups_stay_with_their_increments() {
    let mut site = Site::default();
    site.snapshot("a", 1, None);
    site.snapshot("a", 2, Some("a-1"));
    site.snapshot("a", 3, None);
    site.snapshot("a", 4, Some("a-3"));
    site.snapshot("a", 5, Some("a-4"));
    site.snapshot("b", 1, Some("elsewhere"));
    assert_eq!(site.kept(&Policy { keep_full: Some(1), ..Policy::default() }), [3, 4, 5, 1]);
    assert_eq!(site.kept(&Policy { keep_full: Some(2), ..Policy::default() }).len(), 6);
}
