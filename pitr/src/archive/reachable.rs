//! What an archive still needs: the one function that retention, verification and sizes ask (rule S21). Pure.

use std::collections::{BTreeMap, BTreeSet};

use engine::ids::{Incarnation, Lsn, Timeline};
use engine::manifest::{ManifestName, Span};

use super::extent::{self, ExtentRef, SEAL_LEN};
use super::listing::Listing;
use super::tiling::Stretch;
use super::{ArchiveId, Key};
use crate::backup::format::{ManifestEntry, ObjectEntry, SnapshotFile};

/// A base with what its manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseRoot {
    /// The timeline that it lies under.
    pub timeline: Timeline,
    /// Its name there.
    pub name: ManifestName,
    /// The life that the manifest is of.
    pub incarnation: Incarnation,
    /// The history that the manifest states.
    pub ancestry: Vec<Span>,
    /// The manifest: its size and hash.
    pub manifest: ManifestEntry,
    /// The sealed log files below its covered position, those of one timeline put together.
    pub log: Vec<Stretch>,
    /// Its objects.
    pub objects: Vec<ObjectEntry>,
}

impl BaseRoot {
    /// Says whether the manifest, every object and every stretch of the log that it names are there with the right sizes.
    #[must_use]
    pub fn is_whole(&self, listing: &Listing) -> bool {
        let manifest = Key::Manifest(self.timeline, self.name).to_string();
        let covered = |stretch: &Stretch| {
            let source = super::tiling::Source { listing, only: None };
            super::tiling::tile(&[source], *stretch).reached == stretch.end
        };
        listing.sizes.get(&manifest) == Some(&self.manifest.bytes)
            && self.objects.iter().all(|object| listing.objects.get(&object.name) == Some(&object.bytes))
            && self.log.iter().all(covered)
    }
}

/// From where everything else is reached.
#[derive(Debug, Clone, Default)]
pub struct Roots<'a> {
    /// Backups.
    pub snapshots: Vec<&'a SnapshotFile>,
    /// Bases.
    pub bases: Vec<&'a BaseRoot>,
    /// Log that is replayed on bases.
    pub log: Vec<Stretch>,
}

/// What is needed of an archive.
#[derive(Debug, Clone, Default)]
pub struct Needed {
    keys: BTreeSet<String>,
    /// By timeline: stretches that neither touch nor overlap.
    log: BTreeMap<Timeline, BTreeMap<Lsn, Lsn>>,
}

/// Follows the roots of an archive.
#[must_use]
pub fn reachable(archive: ArchiveId, roots: &Roots<'_>) -> Needed {
    let mut needed = Needed::default();
    for file in &roots.snapshots {
        needed.keys.insert(Key::Snapshot(file.snapshot_id.clone()).to_string());
        needed.keys.extend(file.manifest_key().iter().map(Key::to_string));
        let own = file.objects.iter().filter(|object| file.home_of(object) == archive);
        needed.keys.extend(own.map(|object| Key::Object(object.name).to_string()));
        file.log.iter().for_each(|range| needed.add(range.stretch()));
    }
    for base in &roots.bases {
        needed.keys.insert(Key::Base(base.timeline, base.name).to_string());
        needed.keys.insert(Key::Manifest(base.timeline, base.name).to_string());
        needed.keys.extend(base.objects.iter().map(|object| Key::Object(object.name).to_string()));
        base.log.iter().for_each(|stretch| needed.add(*stretch));
    }
    roots.log.iter().for_each(|stretch| needed.add(*stretch));
    needed
}

impl Needed {
    fn add(&mut self, stretch: Stretch) {
        if stretch.start >= stretch.end {
            return;
        }
        let held = self.log.entry(stretch.timeline).or_default();
        let (mut start, mut end) = (stretch.start, stretch.end);
        // What it touches becomes one with it.
        while let Some((&from, &to)) = held.range(..=end).next_back().filter(|&(_, &to)| to >= start) {
            held.remove(&from);
            (start, end) = (start.min(from), end.max(to));
        }
        held.insert(start, end);
    }

    /// Says whether any byte of a stretch is needed.
    #[must_use]
    pub fn needs_log(&self, timeline: Timeline, start: Lsn, end: Lsn) -> bool {
        let near = self.log.get(&timeline).and_then(|held| held.range(..end.max(start + 1)).next_back());
        near.is_some_and(|(_, &to)| to > start)
    }

    /// Lists the stretches of the log that are needed.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> + '_ {
        self.log.iter().flat_map(|(&timeline, held)| held.iter().map(move |(&start, &end)| Stretch { timeline, start, end }))
    }

    /// Says whether an object of an archive is needed. What this function does not judge is: descriptions of lives and timelines, seals and
    /// keys, which stay for ever, and marks, closed times and plans, which have rules of their own.
    #[must_use]
    pub fn needs(&self, key: &str, size: u64) -> bool {
        match Key::parse(key) {
            Key::Extent(..) if size == SEAL_LEN => true,
            Key::Extent(timeline, start) | Key::Whole(timeline, start) => {
                self.needs_log(timeline, start, extent::end_of(start, size).unwrap_or(start))
            }
            Key::Object(_) | Key::Manifest(..) | Key::Base(..) | Key::Snapshot(_) => self.keys.contains(key),
            Key::Archive
            | Key::Timeline(_)
            | Key::Collection(_)
            | Key::WrappedKey(_)
            | Key::Low(..)
            | Key::Pin(_)
            | Key::Reader(_)
            | Key::Closed(..)
            | Key::GarbagePlan(_)
            | Key::Ledger(_)
            | Key::Other => true,
        }
    }

    /// Lists what is there and not needed, with sizes.
    pub fn unneeded<'a>(&'a self, listing: &'a Listing) -> impl Iterator<Item = (&'a str, u64)> + 'a {
        listing.sizes.iter().filter(|&(key, &size)| !self.needs(key, size)).map(|(key, &size)| (key.as_str(), size))
    }

    /// Sums up the stored bytes that are needed.
    #[must_use]
    pub fn bytes(&self, listing: &Listing) -> u64 {
        listing.sizes.iter().filter(|&(key, &size)| self.needs(key, size)).map(|(_, &size)| size).sum()
    }
}

/// Lists the extents under `log/` whose bytes all lie in whole log files too, with those files.
#[must_use]
pub fn superseded(listing: &Listing) -> Vec<(Timeline, ExtentRef, Vec<ExtentRef>)> {
    let mut found = Vec::new();
    for (&timeline, extents) in &listing.extents {
        let Some(whole) = listing.whole.get(&timeline) else { continue };
        for extent in extents.values() {
            let (mut at, mut by) = (extent.start, Vec::new());
            while at < extent.end {
                let near = whole.range(..=at).rev().map(|(_, whole)| *whole).take_while(|w| w.start + extent::EXTENT_LEN_MAX > at);
                let Some(next) = near.filter(|w| w.end > at).max_by_key(|w| w.end) else { break };
                by.push(next);
                at = next.end;
            }
            if at >= extent.end {
                found.push((timeline, *extent, by));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
