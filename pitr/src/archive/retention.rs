//! Decides what of an archive stays: snapshots by their rules, and every moment inside the window. Pure.
//!
//! Inside the window every time stays restorable: of each history that somebody can still ask for, the newest whole base at or before the
//! window's start stays with every base behind it, and the whole log of that history, because vectors stay in the log. A history can be asked
//! for while its life goes on, and after that until its last moment has left the window.

mod closed;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};

use engine::error::Result;
use engine::ids::{CommitTime, Incarnation, Lsn, Timeline};
use engine::manifest::{ManifestName, Span};
use serde::Serialize;

use super::listing::Listing;
use super::reachable::{BaseRoot, Roots};
use super::tiling::Stretch;
use crate::backup::held::HeldSnapshot;
use crate::history::TimelineMap;
use crate::timeline::TimelineFile;

pub use snapshots::Verdict;

/// Microseconds of a day.
pub const DAY: u64 = 86_400_000_000;

/// What is to stay. Without any rule everything does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Every moment since so many microseconds stays restorable; `None`: every moment.
    pub keep_window: Option<u64>,
    /// The newest so many full backups of each collection, with those that build on them.
    pub keep_full: Option<usize>,
    /// The newest backup of each of the last so many days (UTC) that have one.
    pub keep_daily: Option<usize>,
    /// The newest backup of each of the last so many weeks (from Monday, UTC) that have one.
    pub keep_weekly: Option<usize>,
    /// The newest backup of each of the last so many months (UTC) that have one.
    pub keep_monthly: Option<usize>,
}

impl Policy {
    /// Says whether any rule lets backups go.
    #[must_use]
    pub fn thins_snapshots(&self) -> bool {
        [self.keep_full, self.keep_daily, self.keep_weekly, self.keep_monthly].iter().any(Option::is_some)
    }
}

/// One life of a name, as the catalogs tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeRecord {
    /// The name that it has, or had last.
    pub name: String,
    /// When it was dropped or replaced, once it was purged too; `None`: it goes on, or can be brought back.
    pub ended: Option<CommitTime>,
}

/// What was read of an archive.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// What lies there.
    pub listing: &'a Listing,
    /// Backups that read.
    pub snapshots: &'a [HeldSnapshot],
    /// Bases that read.
    pub bases: &'a [BaseRoot],
    /// Descriptions of timelines.
    pub timelines: &'a TimelineMap,
    /// Lives that a catalog tells of; one that none tells of is taken to go on.
    pub lives: &'a BTreeMap<Incarnation, LifeRecord>,
    /// Timelines that a valid seal ended, and the position.
    pub sealed: &'a BTreeMap<Timeline, Lsn>,
    /// Backups that a reader holds.
    pub held_snapshots: &'a BTreeSet<String>,
    /// Bases that a reader holds.
    pub held_bases: &'a BTreeSet<(Timeline, ManifestName)>,
    /// Histories that a reader holds: the log of a timeline up to a position.
    pub held_log: &'a [Stretch],
}

/// The moments of a history that stay restorable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptHistory {
    /// The collection's name, where known.
    pub collection: Option<String>,
    /// The timeline that it ends with.
    pub timeline: Timeline,
    /// The earliest moment: commit time of the oldest whole base that stays; `None` when there is no base yet.
    #[serde(serialize_with = "crate::time_text::serialize_option")]
    pub from: Option<CommitTime>,
    /// When its life ended; `None`: it goes on.
    #[serde(serialize_with = "crate::time_text::serialize_option")]
    pub ended: Option<CommitTime>,
}

/// What stays and what goes.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// For each backup.
    pub snapshots: Vec<Verdict>,
    /// Bases that stay.
    pub bases: BTreeSet<(Timeline, ManifestName)>,
    /// Bases that go.
    pub bases_removed: Vec<(Timeline, ManifestName)>,
    /// Log that is replayed on bases.
    pub log: Vec<Stretch>,
    /// Closed times that go.
    pub closed_removed: Vec<(Timeline, CommitTime)>,
    /// Histories that stay restorable.
    pub histories: Vec<KeptHistory>,
}

impl Decision {
    /// Gives the roots of what stays.
    #[must_use]
    pub fn roots<'a>(&self, state: &State<'a>) -> Roots<'a> {
        let kept: BTreeSet<&str> = self.snapshots.iter().filter(|v| v.reason.is_some()).map(|v| v.snapshot_id.as_str()).collect();
        Roots {
            snapshots: state.snapshots.iter().map(|held| &held.file).filter(|file| kept.contains(file.snapshot_id.as_str())).collect(),
            bases: state.bases.iter().filter(|base| self.bases.contains(&(base.timeline, base.name))).collect(),
            log: self.log.clone(),
        }
    }
}

/// Decides what stays of an archive at a moment.
///
/// # Errors
/// `Incomplete` or `Corrupt` when a history that stays cannot be followed: what is not understood is not thinned.
pub fn decide(policy: &Policy, state: &State<'_>, now: u64) -> Result<Decision> {
    let start = policy.keep_window.map(|window| now.saturating_sub(window));
    let mut decision = Decision {
        snapshots: snapshots::judge(policy, state, start),
        closed_removed: closed::thin(&state.listing.closed, start, now),
        ..Decision::default()
    };
    decision.log.extend_from_slice(state.held_log);
    decision.bases.extend(state.held_bases.iter().copied().filter(|held| state.bases.iter().any(|b| (b.timeline, b.name) == *held)));
    // A catalog is small, and everything else is told by it.
    decision.log.extend(state.timelines.catalogs().map(|timeline| Stretch { timeline, start: 0, end: Lsn::MAX }));
    for tip in tips(state) {
        keep_history(state, tip, start, &mut decision)?;
    }
    let every = state.listing.bases.iter().flat_map(|(&timeline, names)| names.iter().map(move |&name| (timeline, name)));
    let readable: BTreeSet<_> = state.bases.iter().map(|base| (base.timeline, base.name)).collect();
    // A base that does not read is left for people to look at, like every other damage.
    decision.bases_removed = every.filter(|base| !decision.bases.contains(base) && readable.contains(base)).collect();
    Ok(decision)
}

/// Says whether a timeline is or was archived continuously, and not only backed up.
#[must_use]
pub fn is_continuous(state: &State<'_>, timeline: Timeline) -> bool {
    let listing = state.listing;
    let database = state.timelines.good.get(&timeline).and_then(|file| file.database);
    let of_archived = database.is_some_and(|id| listing.closed.contains_key(&id) || listing.extents.contains_key(&id));
    listing.bases.contains_key(&timeline) || of_archived
}

/// Says whether the life of a timeline is over for good.
#[must_use]
pub fn is_over(state: &State<'_>, timeline: Timeline) -> bool {
    owner(state, timeline).and_then(|incarnation| state.lives.get(&incarnation)).is_some_and(|life| life.ended.is_some())
}

/// Lists the timelines that continuous archiving wrote and that no other goes on with.
fn tips(state: &State<'_>) -> Vec<Timeline> {
    let listing = state.listing;
    let catalogs: BTreeSet<Timeline> = state.timelines.catalogs().collect();
    let all: BTreeSet<Timeline> = listing.bases.keys().chain(listing.extents.keys()).chain(listing.whole.keys()).copied().collect();
    let is_tip = |timeline: &Timeline| !catalogs.contains(timeline) && is_continuous(state, *timeline) && !is_continued(state, *timeline);
    all.into_iter().filter(is_tip).collect()
}

/// Says whether a valid seal ended a timeline and another one goes on where it ended: that one's history holds it. A claim that nobody made good
/// has no base.
fn is_continued(state: &State<'_>, timeline: Timeline) -> bool {
    let Some(&at) = state.sealed.get(&timeline) else { return false };
    let goes_on = |file: &TimelineFile| file.parent.is_some_and(|parent| parent.timeline == timeline && parent.lsn == at);
    state.timelines.good.values().any(|file| goes_on(file) && state.listing.bases.contains_key(&file.timeline))
}

fn keep_history(state: &State<'_>, tip: Timeline, start: Option<CommitTime>, decision: &mut Decision) -> Result<()> {
    let incarnation = owner(state, tip);
    let life = incarnation.and_then(|incarnation| state.lives.get(&incarnation));
    let ended = life.and_then(|life| life.ended);
    if let (Some(ended), Some(start)) = (ended, start)
        && ended < start
    {
        return Ok(());
    }
    let history = state.timelines.history(tip)?.spans;
    let on_history = |base: &&BaseRoot| {
        let span = history.iter().find(|span| span.timeline == base.timeline);
        span.is_some_and(|span| span.to.is_none_or(|to| base.name.covered_lsn <= to))
    };
    let mut bases: Vec<&BaseRoot> = state.bases.iter().filter(on_history).collect();
    bases.sort_by_key(|base| (base.name.commit_time, base.name.covered_lsn, base.name.seq));
    let at_start = |base: &&BaseRoot| start.is_some_and(|start| base.name.commit_time <= start) && base.is_whole(state.listing);
    // Where no whole base is as old as the window's start, everything there is stays.
    let first = bases.iter().rposition(at_start).unwrap_or(0);
    let kept = &bases[first.min(bases.len())..];
    // A timeline that has no base under it looks as if it had only been backed up.
    let own = bases.iter().rev().find(|base| base.timeline == tip);
    decision.bases.extend(kept.iter().chain(own).map(|base| (base.timeline, base.name)));
    for Span { timeline, from, to } in &history {
        decision.log.push(Stretch { timeline: *timeline, start: *from, end: to.unwrap_or(Lsn::MAX) });
    }
    decision.histories.push(KeptHistory {
        collection: life.map(|life| life.name.clone()),
        timeline: tip,
        from: kept.iter().find(|base| base.is_whole(state.listing)).map(|base| base.name.commit_time),
        ended,
    });
    Ok(())
}

/// Finds the life that a timeline belongs to: as its description says, or a manifest under it.
#[must_use]
pub fn owner(state: &State<'_>, timeline: Timeline) -> Option<Incarnation> {
    let described = state.timelines.good.get(&timeline).and_then(|file| file.incarnation);
    described.or_else(|| state.bases.iter().find(|base| base.timeline == timeline).map(|base| base.incarnation))
}

#[cfg(test)]
mod tests;
