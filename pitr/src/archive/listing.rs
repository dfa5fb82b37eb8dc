//! What lies in an archive, by listing alone: keys and sizes, sorted by what they are.

use std::collections::{BTreeMap, BTreeSet};

use engine::error::Result;
use engine::ids::{CommitTime, Incarnation, Lsn, Timeline};
use engine::manifest::ManifestName;
use platform::object_store::ObjectStore;

use super::extent::{self, ExtentRef};
use super::ids::ObjectName;
use super::layout::Key;
use super::stored::store_error;

/// A listing of an archive. Names that this version does not know are left out.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Extents by timeline and start.
    pub extents: BTreeMap<Timeline, BTreeMap<Lsn, ExtentRef>>,
    /// Whole log files by timeline and start.
    pub whole: BTreeMap<Timeline, BTreeMap<Lsn, ExtentRef>>,
    /// Seals by timeline and the position at which they end it.
    pub seals: BTreeMap<Timeline, BTreeSet<Lsn>>,
    /// The largest boundary of each timeline.
    pub low: BTreeMap<Timeline, Lsn>,
    /// Manifests whose objects are known, by timeline.
    pub bases: BTreeMap<Timeline, BTreeSet<ManifestName>>,
    /// Times that databases closed: everything up to them is archived.
    pub closed: BTreeMap<Timeline, BTreeSet<CommitTime>>,
    /// Timelines that are described.
    pub timelines: BTreeSet<Timeline>,
    /// Lives that are described.
    pub lives: BTreeSet<Incarnation>,
    /// Sizes of objects.
    pub objects: BTreeMap<ObjectName, u64>,
    /// Ids of complete backups.
    pub snapshots: Vec<String>,
    /// Ids of attempts that left their mark.
    pub pins: Vec<String>,
    /// What readers hold.
    pub readers: Vec<ObjectName>,
    /// Every key that is known, with its size.
    pub sizes: BTreeMap<String, u64>,
}

impl Listing {
    /// Lists a store.
    ///
    /// # Errors
    /// Those of the store.
    pub fn read(store: &dyn ObjectStore) -> Result<Self> {
        let listed = store.list("").map_err(|e| store_error(&e))?;
        Ok(Listing::of(listed.into_iter().map(|meta| (meta.key, meta.size))))
    }

    /// Lists what lies below a prefix that ends in '/'.
    ///
    /// # Errors
    /// Those of the store.
    pub fn read_below(store: &dyn ObjectStore, prefix: &str) -> Result<Self> {
        let listed = store.list(prefix).map_err(|e| store_error(&e))?;
        Ok(Listing::of(listed.into_iter().map(|meta| (meta.key, meta.size))))
    }

    /// Lists what there is of a timeline.
    ///
    /// # Errors
    /// Those of the store.
    pub fn read_timeline(store: &dyn ObjectStore, timeline: Timeline) -> Result<Self> {
        Self::read_below(store, &format!("timelines/{timeline}/"))
    }

    /// Sorts keys and sizes.
    #[must_use]
    pub fn of(keys: impl Iterator<Item = (String, u64)>) -> Self {
        let mut listing = Listing::default();
        for (key, size) in keys {
            match Key::parse(&key) {
                Key::Other => continue,
                Key::Extent(timeline, start) if size == extent::SEAL_LEN => {
                    listing.seals.entry(timeline).or_default().insert(start);
                }
                Key::Extent(timeline, start) => insert_extent(&mut listing.extents, timeline, start, size, false),
                Key::Whole(timeline, start) => insert_extent(&mut listing.whole, timeline, start, size, true),
                Key::Low(timeline, boundary) => {
                    let low = listing.low.entry(timeline).or_default();
                    *low = boundary.max(*low);
                }
                Key::Base(timeline, name) => {
                    listing.bases.entry(timeline).or_default().insert(name);
                }
                Key::Closed(database, time) => {
                    listing.closed.entry(database).or_default().insert(time);
                }
                Key::Timeline(timeline) => {
                    listing.timelines.insert(timeline);
                }
                Key::Collection(incarnation) => {
                    listing.lives.insert(incarnation);
                }
                Key::Object(name) => {
                    listing.objects.insert(name, size);
                }
                Key::Snapshot(id) => listing.snapshots.push(id),
                Key::Pin(id) => listing.pins.push(id),
                Key::Reader(name) => listing.readers.push(name),
                Key::Archive | Key::Manifest(..) | Key::WrappedKey(_) | Key::GarbagePlan(_) | Key::Ledger(_) => {}
            }
            listing.sizes.insert(key, size);
        }
        listing
    }

    /// Says whether there is anything that only an archive holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// Finds an extent that holds a position: a whole log file where there is one, the longest reach otherwise.
    #[must_use]
    pub fn extent_at(&self, timeline: Timeline, position: Lsn) -> Option<ExtentRef> {
        let near = position.saturating_sub(extent::EXTENT_LEN_MAX)..=position;
        let find = |held: &BTreeMap<Timeline, BTreeMap<Lsn, ExtentRef>>| {
            let candidates = held.get(&timeline)?.range(near.clone()).rev();
            candidates.map(|(_, extent)| *extent).find(|extent| extent.end > position)
        };
        find(&self.whole).or_else(|| find(&self.extents))
    }

    /// Lists every extent of a timeline, whole log files included, in the order of the log.
    #[must_use]
    pub fn extents_of(&self, timeline: Timeline) -> Vec<ExtentRef> {
        let small = self.extents.get(&timeline).into_iter().flat_map(BTreeMap::values);
        let whole = self.whole.get(&timeline).into_iter().flat_map(BTreeMap::values);
        let mut all: Vec<ExtentRef> = small.chain(whole).copied().collect();
        all.sort_by_key(|extent| (extent.start, extent.end, extent.whole));
        all
    }

    /// Gives the position behind the last byte of a timeline that is there without a hole from `from` on.
    #[must_use]
    pub fn reached(&self, timeline: Timeline, from: Lsn) -> Lsn {
        let mut at = from;
        while let Some(extent) = self.extent_at(timeline, at) {
            at = extent.end;
        }
        at
    }
}

fn insert_extent(held: &mut BTreeMap<Timeline, BTreeMap<Lsn, ExtentRef>>, timeline: Timeline, start: Lsn, size: u64, whole: bool) {
    if let Some(end) = extent::end_of(start, size) {
        held.entry(timeline).or_default().insert(start, ExtentRef { start, end, whole });
    }
}
