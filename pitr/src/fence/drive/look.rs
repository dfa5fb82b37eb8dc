//! Looks at a timeline in an archive: where it ends, its boundary, and who goes on.

use std::collections::{BTreeMap, BTreeSet};

use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};

use crate::archive::extent::{SEAL_LEN, end_of};
use crate::archive::stored::{at, get_exact, get_json, store_error};
use crate::archive::{Archive, Key};
use crate::fence::chain::{ChainEnd, Slot, walk};
use crate::fence::seal::Seal;
use crate::fence::takeover::Takeover;
use crate::timeline::TimelineFile;

/// A timeline and whoever took it over, up to the one that is written now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The takeovers, in order.
    pub takeovers: Vec<Takeover>,
    /// The timeline that nobody has sealed.
    pub timeline: Timeline,
    /// The end of its archived log.
    pub end: Lsn,
}

/// Gives the position where a timeline begins: 0, or where it left its parent.
///
/// # Errors
/// `Incomplete` when the archive does not describe the timeline, `Corrupt`, `NewerFormat`, those of the store.
pub fn origin(archive: &Archive, timeline: Timeline) -> Result<Lsn> {
    let key = Key::Timeline(timeline).to_string();
    let file: TimelineFile = get_json(&*archive.store, &key, "description of a timeline")?;
    if file.timeline != timeline {
        let other = Error::corrupt("this is the description of another timeline").with_expected(timeline, file.timeline);
        return Err(at(other, &*archive.store, &key));
    }
    Ok(file.parent.map_or(0, |parent| parent.lsn))
}

/// Gives the boundary of a timeline: extents below it may be gone. 0 when none was put.
///
/// # Errors
/// Those of the store.
pub fn boundary(archive: &Archive, timeline: Timeline) -> Result<Lsn> {
    let listed = archive.store.list(&format!("timelines/{timeline}/low/")).map_err(|e| store_error(&e))?;
    let boundaries = listed.iter().filter_map(|meta| match Key::parse(&meta.key) {
        Key::Low(_, boundary) => Some(boundary),
        _ => None,
    });
    Ok(boundaries.max().unwrap_or(0))
}

/// Finds where the log of a timeline that begins at `origin` ends in an archive, and the seal that stands there.
///
/// # Errors
/// `Corrupt` when what has a seal's size is none, `NewerFormat`, those of the store.
pub fn scan(archive: &Archive, timeline: Timeline, origin: Lsn) -> Result<(ChainEnd, Option<Timeline>)> {
    let listed = archive.store.list(&format!("timelines/{timeline}/log/")).map_err(|e| store_error(&e))?;
    let sizes: BTreeMap<Lsn, u64> = listed
        .into_iter()
        .filter_map(|meta| match Key::parse(&meta.key) {
            Key::Extent(_, start) => Some((start, meta.size)),
            _ => None,
        })
        .collect();
    // After the log, never before: see `chain::walk`.
    let from = boundary(archive, timeline)?.max(origin);
    let end = walk(from, |start| match *sizes.get(&start)? {
        SEAL_LEN => Some(Slot::Seal),
        size => end_of(start, size).map(|end| Slot::Data { end }),
    });
    let cut_off = sizes.get(&end.at).filter(|_| !end.sealed);
    if let Some(size) = cut_off {
        let error = Error::corrupt("what stands at the end of a log is neither an extent nor a seal").with_expected("whole records", size);
        return Err(archive.at(error, &Key::Extent(timeline, end.at)));
    }
    let successor = if end.sealed { Some(read_seal(archive, timeline, end.at)?.successor) } else { None };
    Ok((end, successor))
}

/// Reads the seal that stands at a position.
pub(super) fn read_seal(archive: &Archive, timeline: Timeline, position: Lsn) -> Result<Seal> {
    let key = Key::Extent(timeline, position);
    let stored = get_exact(&*archive.store, &key.to_string(), 0..SEAL_LEN)?;
    Seal::decode(&stored, timeline, position).map_err(|e| archive.at(e, &key))
}

/// Follows the seals from a timeline to the one that is written now.
///
/// # Errors
/// Those of [`origin`] and [`scan`]; `Corrupt` when the seals lead in a circle.
pub fn follow(archive: &Archive, timeline: Timeline) -> Result<Chain> {
    let mut chain = Chain { takeovers: Vec::new(), timeline, end: origin(archive, timeline)? };
    let mut seen = BTreeSet::from([timeline]);
    loop {
        let (end, successor) = scan(archive, chain.timeline, chain.end)?;
        let takeover = successor.map(|new| Takeover { old: chain.timeline, fork: end.at, new });
        chain.end = end.at;
        let Some(takeover) = takeover else { return Ok(chain) };
        if !seen.insert(takeover.new) {
            let error = Error::new(ErrorKind::Corrupt, "the seals of timelines lead in a circle");
            return Err(archive.at(error, &Key::Extent(takeover.old, takeover.fork)));
        }
        chain.timeline = takeover.new;
        chain.takeovers.push(takeover);
    }
}
