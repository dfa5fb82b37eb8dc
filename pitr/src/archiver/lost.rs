//! Before a log is written: an end that it lost and the archive has is fetched (rule S19).

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use engine::archived::Archived;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use engine::log::lost::{LocalEnd, give_back, local_end};
use platform::World;
use platform::object_store::ObjectStore;

use crate::archive::extent_stream::stream_extent;
use crate::archive::tiling::{Source, Stretch, tile};
use crate::archive::{Archive, Listing};

/// Fetches what a log in `dir` lost of its timeline, and appends it; gives the bytes. `noted` holds the note of what was archived, `from` is a
/// position that operations begin at, at or before the end (0, or what a manifest covers).
///
/// Where the archive does not answer, the log may be written only if it reaches what was noted.
///
/// # Errors
/// `Unreachable` when the archive does not answer and the log ends below what was archived; `Corrupt`, `Incomplete`, `Io`, `NoSpace`.
pub fn fetch_lost(
    world: &World,
    store: Result<Arc<dyn ObjectStore>>,
    dir: &Path,
    noted: &Path,
    from: Lsn,
    timeline: Timeline,
) -> Result<u64> {
    let kept = Archived::read(&*world.fs, noted)?.lsn();
    let local = local_end(world, dir, from)?;
    let listed = store.and_then(|store| Ok((Archive::open(&store)?, Listing::read_timeline(&*store, timeline)?)));
    let (archive, listing) = match listed {
        Ok(listed) => listed,
        // Nothing was ever archived there.
        Err(error) if error.kind == ErrorKind::NotFound && kept <= local.lsn => return Ok(0),
        Err(error) if kept <= local.lsn && error.kind == ErrorKind::Unreachable => return Ok(0),
        Err(error) => {
            let hint = "the log lost its end, which the archive has: it can be written to once the archive can be reached";
            return Err(error.with_expected(format!("a log up to {kept}"), format!("one up to {}", local.lsn)).with_hint(hint));
        }
    };
    let end = listing.reached(timeline, local.lsn);
    if end <= local.lsn {
        return if kept > local.lsn { Err(neither_has(kept, local)) } else { Ok(0) };
    }
    let records = fetch(&archive, &listing, Stretch { timeline, start: local.lsn, end })?;
    give_back(world, dir, from, timeline, local.lsn, &records)?;
    Ok(end - local.lsn)
}

fn neither_has(kept: Lsn, local: LocalEnd) -> Error {
    let error = Error::corrupt("the log ends below what was archived, and the archive does not have the rest");
    error
        .with_expected(format!("a log up to {kept}"), format!("one up to {}", local.lsn))
        .with_hint("restore the collection from its archive")
}

/// Fetches a stretch of a timeline into memory, every extent checked against its hash.
fn fetch(archive: &Archive, listing: &Listing, stretch: Stretch) -> Result<Bytes> {
    let tiling = tile(&[Source { listing, only: None }], stretch);
    let mut records = Vec::with_capacity((stretch.end - stretch.start) as usize);
    for piece in &tiling.pieces {
        stream_extent(archive, stretch.timeline, piece.extent, &mut |at, bytes| {
            let (from, to) = (at.max(piece.from), (at + bytes.len() as u64).min(piece.to));
            if from < to {
                records.extend_from_slice(&bytes[(from - at) as usize..(to - at) as usize]);
            }
            Ok(())
        })?;
    }
    assert_eq!(records.len() as u64, stretch.end - stretch.start, "a stretch that was listed is fetched whole");
    Ok(Bytes::from(records))
}
