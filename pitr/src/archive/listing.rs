//! What lies in an archive, by listing alone: keys and sizes, sorted by what they are.

use std::collections::BTreeMap;

use engine::error::Result;
use engine::ids::{Lsn, Timeline};
use platform::object_store::ObjectStore;

use super::extent;
use super::ids::ObjectName;
use super::layout::Key;
use super::stored::store_error;

/// A listing of an archive. Names that this version does not know are left out.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Sizes of extents by timeline and start.
    pub extents: BTreeMap<Timeline, BTreeMap<Lsn, u64>>,
    /// Sizes of objects.
    pub objects: BTreeMap<ObjectName, u64>,
    /// Ids of complete backups.
    pub snapshots: Vec<String>,
    /// Ids of attempts that left their mark.
    pub pins: Vec<String>,
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

    /// Sorts keys and sizes.
    #[must_use]
    pub fn of(keys: impl Iterator<Item = (String, u64)>) -> Self {
        let mut listing = Listing::default();
        for (key, size) in keys {
            match Key::parse(&key) {
                Key::Other => continue,
                Key::Extent(timeline, start) => {
                    listing.extents.entry(timeline).or_default().insert(start, size);
                }
                Key::Object(name) => {
                    listing.objects.insert(name, size);
                }
                Key::Snapshot(id) => listing.snapshots.push(id),
                Key::Pin(id) => listing.pins.push(id),
                Key::Archive | Key::Collection(_) | Key::Timeline(_) | Key::Manifest(..) => {}
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

    /// Finds an extent that holds a position: its start and the position behind it.
    #[must_use]
    pub fn extent_at(&self, timeline: Timeline, position: Lsn) -> Option<(Lsn, Lsn)> {
        let near = position.saturating_sub(extent::EXTENT_LEN_MAX)..=position;
        let candidates = self.extents.get(&timeline)?.range(near).rev();
        candidates.filter_map(|(&start, &size)| extent::end_of(start, size).map(|end| (start, end))).find(|&(_, end)| end > position)
    }
}
