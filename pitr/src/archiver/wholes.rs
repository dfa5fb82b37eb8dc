//! Puts the extents of a sealed log file together: one object in place of many, from the local copy.

use engine::Collection;
use engine::error::Result;
use platform::object_store::PutOutcome;

use super::SentBytes;
use crate::archive::extent;
use crate::archive::stored::store_error;
use crate::archive::{Archive, Key, Listing};

/// Fewer extents than this are left alone.
const EXTENTS_MIN: usize = 3;

/// Sends every sealed file of a collection that lies in several extents as one.
pub(super) fn compact(archive: &Archive, collection: &Collection) -> Result<SentBytes> {
    let mut sent = SentBytes::default();
    let (snapshot, _pin) = collection.pinned_snapshot()?;
    let timeline = snapshot.manifest().timeline();
    let listing = Listing::read_timeline(&*archive.store, timeline)?;
    for range in snapshot.log_ranges()?.iter().filter(|range| range.timeline == timeline && range.blake3.is_some()) {
        let parts = listing.extents.get(&timeline).map_or(0, |extents| extents.range(range.start..range.end).count());
        let is_whole = listing.whole.get(&timeline).is_some_and(|whole| whole.get(&range.start).is_some_and(|w| w.end >= range.end));
        let is_archived = listing.reached(timeline, range.start) >= range.end;
        if parts < EXTENTS_MIN || is_whole || !is_archived {
            continue;
        }
        let records = snapshot.log_bytes(range)?;
        let (key, len) = (Key::Whole(timeline, range.start).to_string(), records.len() as u64);
        if archive.store.put_if_absent(&key, extent::body(timeline, range.start, records)).map_err(|e| store_error(&e))?
            == PutOutcome::Created
        {
            sent.whole += len;
        }
    }
    Ok(sent)
}
