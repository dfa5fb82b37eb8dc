//! Decides what a backup has to send: a pure function of what is needed and what is held.

use std::collections::{BTreeMap, BTreeSet};

use engine::codec::checksum::Hash;
use engine::collection::snapshot::LogRange;
use engine::ids::{Lsn, SegmentId};
use engine::manifest::{Manifest, Span};
use engine::object_file::Role;

use super::format::{ParentRef, RangeEntry, SnapshotFile};
use super::held::HeldSnapshot;
use crate::archive::tiling::{Piece, Source, Stretch, tile};
use crate::archive::{ArchiveId, Listing, ObjectName};
use crate::timeline::common_lsn;

/// An object that a backup needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeededObject {
    /// What it is for.
    pub role: Role,
    /// Its local id.
    pub id: SegmentId,
    /// Its size.
    pub bytes: u64,
    /// The hash that it ends with.
    pub blake3: Hash,
}

/// Lists the objects of a manifest.
#[must_use]
pub fn objects_of(manifest: &Manifest) -> Vec<NeededObject> {
    let of_segments = manifest.segments.iter().flat_map(|segment| &segment.objects);
    let mut objects: Vec<_> = of_segments.map(|o| NeededObject { role: o.role, id: o.id, bytes: o.bytes, blake3: o.blake3 }).collect();
    objects.extend(manifest.deletes.iter().map(|d| NeededObject { role: Role::Deletes, id: d.id, bytes: d.bytes, blake3: d.blake3 }));
    objects
}

/// An archive whose content may be used instead of sending it again.
#[derive(Debug)]
pub struct HeldArchive<'a> {
    /// Which archive.
    pub archive: ArchiveId,
    /// What lies there.
    pub listing: &'a Listing,
    /// How to refer to it; `None` for the destination itself.
    pub parent: Option<ParentRef>,
    /// The stretches that the backup referred to needs too; `None`: everything (the destination).
    pub only: Option<Vec<Stretch>>,
}

/// What may be used: archives, the destination first, and the backups that vouch for their content.
#[derive(Debug)]
pub struct Held<'a> {
    /// The archives.
    pub archives: Vec<HeldArchive<'a>>,
    /// Complete backups at the destination: they vouch for log ranges, and for objects there.
    pub own: Vec<&'a SnapshotFile>,
    /// The backups that this one builds on: they vouch for objects in other archives too.
    pub bases: Vec<&'a SnapshotFile>,
    /// Whether objects are sent although they are there.
    pub full: bool,
}

/// What is to be done for one stretch of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangePlan {
    /// The stretch.
    pub range: LogRange,
    /// The position up to which a complete backup vouches for what is there, with the hash from the start of the stretch.
    pub vouched: Option<(Lsn, Hash)>,
    /// The parts that are there.
    pub pieces: Vec<Piece>,
    /// The position behind them; the rest is sent.
    pub reached: Lsn,
}

impl RangePlan {
    /// Says whether hashes alone prove that everything is there: nothing of the stretch needs to be read.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.reached == self.range.end && self.vouched.is_some_and(|(end, hash)| end == self.range.end && Some(hash) == self.range.blake3)
    }
}

/// What is to be done for one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPlan {
    /// The object.
    pub needed: NeededObject,
    /// The archive's number and the name under which it is there.
    pub held: Option<(usize, ObjectName)>,
}

/// What a backup has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// For each stretch of the log.
    pub ranges: Vec<RangePlan>,
    /// For each object.
    pub objects: Vec<ObjectPlan>,
}

impl Plan {
    /// Gives the bytes that are to be read and compared or sent.
    #[must_use]
    pub fn work_bytes(&self) -> u64 {
        let ranges = self.ranges.iter().filter(|plan| !plan.is_proven()).map(|plan| plan.range.end - plan.range.start);
        let objects = self.objects.iter().filter(|plan| plan.held.is_none()).map(|plan| plan.needed.bytes);
        ranges.chain(objects).sum()
    }

    /// Gives the numbers of the archives that a part of the backup stays in.
    #[must_use]
    pub fn used_archives(&self) -> BTreeSet<usize> {
        let ranges = self.ranges.iter().flat_map(|plan| plan.pieces.iter().map(|piece| piece.source));
        ranges.chain(self.objects.iter().filter_map(|plan| plan.held.map(|(number, _)| number))).collect()
    }
}

/// Plans a backup.
#[must_use]
pub fn plan(ranges: &[LogRange], objects: &[NeededObject], held: &Held<'_>) -> Plan {
    let sources: Vec<Source<'_>> = held.archives.iter().map(|h| Source { listing: h.listing, only: h.only.as_deref() }).collect();
    let vouched: Vec<RangeEntry> = held.own.iter().chain(&held.bases).flat_map(|file| file.log.iter().copied()).collect();
    let known = known_objects(held);
    Plan {
        ranges: ranges.iter().map(|range| plan_range(*range, &sources, &vouched)).collect(),
        objects: objects.iter().map(|&needed| ObjectPlan { needed, held: known.get(&(needed.blake3, needed.bytes)).copied() }).collect(),
    }
}

fn plan_range(range: LogRange, sources: &[Source<'_>], vouched: &[RangeEntry]) -> RangePlan {
    let stretch = Stretch { timeline: range.timeline, start: range.start, end: range.end };
    let tiling = tile(sources, stretch);
    let same_start = vouched.iter().filter(|v| v.timeline == range.timeline && v.start == range.start && v.end <= tiling.reached);
    let best = same_start.max_by_key(|v| v.end).map(|v| (v.end, v.blake3));
    RangePlan { range, vouched: best, pieces: tiling.pieces, reached: tiling.reached }
}

/// Objects that a complete backup reaches and that are there with the right size; the destination's own are preferred. An object in another
/// archive is only used when the very backup that this one will refer to needs it too: else that archive may forget it.
fn known_objects(held: &Held<'_>) -> BTreeMap<(Hash, u64), (usize, ObjectName)> {
    let mut known = BTreeMap::new();
    if held.full {
        return known;
    }
    let of_own = held.own.iter().flat_map(|file| file.objects.iter().map(|object| (*file, object, false)));
    let of_bases = held.bases.iter().flat_map(|file| file.objects.iter().map(|object| (*file, object, true)));
    for (file, object, foreign_too) in of_own.chain(of_bases) {
        let Some(number) = held.archives.iter().position(|h| h.archive == file.home_of(object)) else { continue };
        let is_there = held.archives[number].listing.objects.get(&object.name) == Some(&object.bytes);
        if !is_there || (number > 0 && !foreign_too) {
            continue;
        }
        let best = known.entry((object.blake3, object.bytes)).or_insert((number, object.name));
        if number < best.0 {
            *best = (number, object.name);
        }
    }
    known
}

/// Chooses the backup that shares the longest history with an ancestry; the newest of equal ones, `None` when none shares any.
#[must_use]
pub fn choose_base<'a>(held: &'a [HeldSnapshot], ancestry: &[Span]) -> Option<&'a HeldSnapshot> {
    let shared = |held: &HeldSnapshot| common_lsn(&held.file.ancestry, ancestry);
    held.iter().filter(|held| shared(held) > 0).max_by_key(|held| (shared(held), held.file.position.commit_time, held.file.pin_time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Key;
    use engine::ids::Timeline;

    const T: Timeline = Timeline([1; 16]);

    fn listing(extents: &[(Lsn, Lsn)]) -> Listing {
        Listing::of(extents.iter().map(|&(start, end)| (Key::Extent(T, start).to_string(), end - start + 96)))
    }

    fn range(start: Lsn, end: Lsn, hash: Option<u8>) -> LogRange {
        LogRange { timeline: T, start, end, blake3: hash.map(|byte| Hash([byte; 32])) }
    }

    fn entry(start: Lsn, end: Lsn, hash: u8) -> RangeEntry {
        RangeEntry { timeline: T, start, end, blake3: Hash([hash; 32]) }
    }

    #[test]
    fn a_sealed_file_that_a_backup_vouches_for_is_not_read() {
        let held = listing(&[(0, 640)]);
        let sources = [Source { listing: &held, only: None }];
        assert!(plan_range(range(0, 640, Some(7)), &sources, &[entry(0, 640, 7)]).is_proven());
        assert!(!plan_range(range(0, 640, Some(8)), &sources, &[entry(0, 640, 7)]).is_proven(), "another hash is another history");
        assert!(!plan_range(range(0, 640, None), &sources, &[entry(0, 640, 7)]).is_proven());
        assert!(!plan_range(range(0, 640, Some(7)), &sources, &[]).is_proven(), "nobody vouches for what an attempt left");
        let cut = listing(&[(0, 576)]);
        let plan = plan_range(range(0, 640, Some(7)), &[Source { listing: &cut, only: None }], &[entry(0, 640, 7)]);
        assert!(!plan.is_proven() && plan.vouched.is_none(), "a cut extent proves nothing");
    }

    #[test]
    fn a_grown_tail_is_sent_from_where_the_last_backup_ended() {
        let held = listing(&[(0, 320)]);
        let plan = plan_range(range(0, 640, None), &[Source { listing: &held, only: None }], &[entry(0, 192, 1), entry(0, 320, 2)]);
        assert_eq!((plan.vouched, plan.reached), (Some((320, Hash([2; 32]))), 320));
    }
}
