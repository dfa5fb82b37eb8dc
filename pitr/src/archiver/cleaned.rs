//! Sends a log that was cleaned before anybody archived it: files of it are gone, so that it is not sent from its beginning, as a chain of extents,
//! but as the whole files that the newest manifest names; the chain begins at the position that the manifest covers.

use engine::collection::Snapshot;
use engine::collection::snapshot::LogRange;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use engine::manifest::Span;
use engine::manifest::store::Pin;
use platform::object_store::PutOutcome;

use super::PassReport;
use crate::archive::extent::{self, ExtentRef};
use crate::archive::extent_stream::stream_extent;
use crate::archive::stored::store_error;
use crate::archive::{Archive, Key, Listing};
use crate::fence::drive::put_boundary;

/// A log of which files are gone that were never archived here.
pub(super) struct Cleaned {
    /// A state whose log is complete without them.
    pub snapshot: Snapshot,
    /// Keeps its files.
    pub pin: Pin,
    /// The position from which nothing is gone.
    pub kept_from: Lsn,
}

/// Brings the archive to hold what a state needs of the log below its covered position, as far as what follows will not bring it; gives the position
/// from which the log goes on as usual: the fork, when what is gone is of the past, the end of what was archived earlier, when nothing is gone
/// behind it, and else the covered position.
///
/// In the last case the boundary of the own timeline is raised over positions that were never archived here. That takes nothing from anybody: no key
/// below was put by this writer and forgotten, since it archived nothing there, and who took the timeline over before left a seal, which is looked
/// for before the boundary is put and again afterwards. A candidate looks at the boundary again after its seal: one of the two sees the other.
pub(super) fn send(archive: &Archive, own: Span, cleaned: &Cleaned, report: &mut PassReport) -> Result<Lsn> {
    let Cleaned { snapshot, kept_from, .. } = cleaned;
    let covered = snapshot.manifest().covered_lsn;
    let listing = Listing::read_timeline(&*archive.store, own.timeline)?;
    let low = listing.low.get(&own.timeline).copied().unwrap_or(0);
    let reached = listing.reached(own.timeline, own.from.max(low));
    let begin = match *kept_from {
        kept if kept <= own.from => kept,
        kept if kept <= reached && reached <= covered => reached,
        _ => covered,
    };
    assert!(begin <= covered, "a log goes on where it is whole");
    refuse_sealed(archive, own, low)?;
    for range in snapshot.log_ranges()?.iter().filter(|range| range.end <= begin) {
        send_range(archive, own.timeline, snapshot, range, report)?;
    }
    if begin > own.from.max(low) && begin != reached {
        put_boundary(archive, own.timeline, begin)?;
        refuse_sealed(archive, own, low)?;
    }
    Ok(begin)
}

/// Refuses to go on where somebody took the timeline over: a seal at or above the boundary that stood before.
fn refuse_sealed(archive: &Archive, own: Span, low: Lsn) -> Result<()> {
    let listing = Listing::read_timeline(&*archive.store, own.timeline)?;
    let seal = listing.seals.get(&own.timeline).and_then(|seals| seals.range(low..).next().copied());
    let Some(at) = seal else { return Ok(()) };
    let error = Error::new(ErrorKind::Fenced, format!("another writer took over at position {at}"));
    Err(archive
        .at(error, &Key::Extent(own.timeline, at))
        .with_hint("stop this process: what it wrote after that position is not part of the history that goes on"))
}

/// Brings the archive to hold a log file. Nobody owns the timelines of the past here: what is there of them is taken as it is.
fn send_range(archive: &Archive, own: Timeline, snapshot: &Snapshot, range: &LogRange, report: &mut PassReport) -> Result<()> {
    let LogRange { timeline, start, end, .. } = *range;
    let listing = Listing::read_timeline(&*archive.store, timeline)?;
    let mut at = start;
    let mut held = Vec::new();
    while let Some(found) = listing.extent_at(timeline, at).filter(|_| at < end) {
        at = found.end;
        held.push(found);
    }
    if at >= end && timeline != own {
        return Ok(());
    }
    let records = snapshot.log_bytes(range)?;
    for found in held.into_iter().filter(|_| timeline == own) {
        compare(archive, range, found, &records)?;
    }
    if at >= end {
        return Ok(());
    }
    let (key, len) = (Key::Whole(timeline, start).to_string(), records.len() as u64);
    let put = archive.store.put_if_absent(&key, extent::body(timeline, start, records.clone())).map_err(|e| store_error(&e))?;
    if put == PutOutcome::Created {
        report.sent.whole += len;
        return Ok(());
    }
    compare(archive, range, ExtentRef { start, end, whole: true }, &records)
}

/// Compares what is there with the part of it that lies in a stretch.
fn compare(archive: &Archive, range: &LogRange, found: ExtentRef, records: &[u8]) -> Result<()> {
    let mut differs = false;
    stream_extent(archive, range.timeline, found, &mut |at, piece| {
        let (from, to) = (at.max(range.start), (at + piece.len() as u64).min(range.end));
        if from < to {
            differs |=
                piece[(from - at) as usize..(to - at) as usize] != records[(from - range.start) as usize..(to - range.start) as usize];
        }
        Ok(())
    })?;
    if !differs {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Diverged, "the archive holds other bytes of a timeline that this history comes from");
    Err(archive.at(error, &found.key(range.timeline)).with_hint("archive to another location"))
}
