//! Finds what nothing needs: a pure function of what was read and what stays.

use std::collections::BTreeMap;

use engine::codec::checksum::Hash;
use engine::ids::{Lsn, Timeline};
use engine::manifest::Manifest;

use super::hold::has_run_out;
use crate::archive::Key;
use crate::archive::extent::ExtentRef;
use crate::archive::reachable::{Needed, superseded};
use crate::archive::retention::Decision;
use crate::archive::roots::ReadArchive;

/// The hashes that manifests state of sealed log files.
#[derive(Debug, Default)]
pub struct LogHashes(BTreeMap<(Timeline, Lsn, Lsn), Hash>);

impl LogHashes {
    /// Takes those of a manifest.
    pub fn learn(&mut self, manifest: &Manifest) {
        self.0.extend(manifest.log.iter().map(|file| ((file.timeline, file.start, file.end), file.blake3)));
    }

    /// Gives the hash of a stretch.
    #[must_use]
    pub fn get(&self, timeline: Timeline, extent: ExtentRef) -> Option<Hash> {
        self.0.get(&(timeline, extent.start, extent.end)).copied()
    }
}

/// What nothing needs.
#[derive(Debug, Default)]
pub struct Garbage {
    /// Keys with their sizes.
    pub keys: BTreeMap<String, u64>,
    /// Extents that go because whole log files hold the same bytes: those have to be sound before.
    pub superseded: BTreeMap<String, (Timeline, Vec<ExtentRef>)>,
}

impl Garbage {
    /// Finds it, at a moment of the store's clock.
    pub fn find(read: &ReadArchive, decision: &Decision, needed: &Needed, now: u64) -> Self {
        let mut garbage = Garbage::default();
        let listing = &read.listing;
        let damaged = |key: &str| match Key::parse(key) {
            // What does not read is left for people to look at.
            Key::Base(timeline, name) | Key::Manifest(timeline, name) => {
                read.bad_bases.iter().any(|(bad, _)| *bad == Key::Base(timeline, name))
            }
            _ => false,
        };
        // Descriptions go at once and are no matter of plans.
        let is_description = |key: &str| matches!(Key::parse(key), Key::Snapshot(_) | Key::Base(..));
        let unneeded = needed.unneeded(listing).filter(|(key, _)| !is_description(key) && !damaged(key));
        garbage.keys.extend(unneeded.map(|(key, size)| (key.to_owned(), size)));
        for (timeline, extent, by) in superseded(listing) {
            let key = extent.key(timeline).to_string();
            if let Some(&size) = listing.sizes.get(&key).filter(|_| needed.needs_log(timeline, extent.start, extent.end)) {
                garbage.superseded.insert(key.clone(), (timeline, by));
                garbage.keys.insert(key, size);
            }
        }
        let closed = decision.closed_removed.iter().map(|&(database, time)| Key::Closed(database, time).to_string());
        let pins = read.pins.iter().filter(|pin| has_run_out(pin, now)).map(|pin| pin.key.clone());
        garbage.add(read, closed.chain(pins).chain(outdated(read)));
        garbage
    }

    fn add(&mut self, read: &ReadArchive, keys: impl Iterator<Item = String>) {
        let sized = keys.filter_map(|key| read.listing.sizes.get(&key).map(|&size| (key, size)));
        self.keys.extend(sized);
    }
}

/// Lists boundaries and ledgers that a later one replaced.
fn outdated(read: &ReadArchive) -> impl Iterator<Item = String> + '_ {
    let newest_ledger = read.listing.sizes.keys().rfind(|key| matches!(Key::parse(key), Key::Ledger(_)));
    let is_outdated = move |key: &&String| match Key::parse(key) {
        Key::Low(timeline, boundary) => read.listing.low.get(&timeline).is_some_and(|&low| boundary < low),
        Key::Ledger(_) => Some(*key) != newest_ledger,
        _ => false,
    };
    read.listing.sizes.keys().filter(is_outdated).cloned()
}
