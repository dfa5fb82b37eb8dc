//! Decides what is fetched from where for a backup, and what is missing: a pure function of a description and listings.

use std::sync::Arc;

use engine::collection::snapshot::LogRange;

use super::plan::RestorePoint;
use crate::archive::tiling::{Source, Stretch, Tiling, tile};
use crate::archive::{Archive, Key, Listing};
use crate::backup::format::{ObjectEntry, SnapshotFile};
use crate::backup::held::Library;

/// How a stretch of the log is fetched.
#[derive(Debug, Clone)]
pub struct RangeFetch {
    /// The stretch, with the hash of its bytes where one is stated.
    pub entry: LogRange,
    /// Its parts; `source` numbers the archives of the plan.
    pub tiling: Tiling,
}

/// How an object is fetched.
#[derive(Debug, Clone)]
pub struct ObjectFetch {
    /// The object.
    pub entry: ObjectEntry,
    /// The number of the archive that holds it.
    pub source: usize,
}

/// Something that is needed and is not there, or not whole, or too large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The key that was looked for.
    pub key: String,
    /// What was expected.
    pub expected: String,
    /// What is there.
    pub got: String,
    /// Whether it is larger than it should be: damage, and not a missing part.
    pub is_damage: bool,
}

/// What is fetched for a backup.
#[derive(Debug, Clone, Default)]
pub struct FetchPlan {
    /// The archives, the backup's own first.
    pub archives: Vec<(Archive, Arc<Listing>)>,
    /// Stretches of the log, in order.
    pub ranges: Vec<RangeFetch>,
    /// Objects.
    pub objects: Vec<ObjectFetch>,
    /// What cannot be fetched.
    pub lacks: Vec<Lack>,
    /// Bytes that are fetched.
    pub bytes: u64,
}

impl FetchPlan {
    /// Counts the stored objects that are fetched.
    #[must_use]
    pub fn object_count(&self) -> usize {
        let mut extents: Vec<_> =
            self.ranges.iter().flat_map(|r| r.tiling.pieces.iter().map(|p| (p.source, r.entry.timeline, p.extent))).collect();
        extents.sort_unstable();
        extents.dedup();
        extents.len() + self.objects.len() + 2
    }
}

/// Plans the fetch of a backup.
#[must_use]
pub fn plan_fetch(file: &SnapshotFile, library: &Library) -> FetchPlan {
    plan_point(&RestorePoint::of_snapshot(file), library)
}

/// Plans the fetch of a state.
#[must_use]
pub fn plan_point(point: &RestorePoint, library: &Library) -> FetchPlan {
    let archives = point.sources.iter().filter_map(|id| library.get(*id)).map(|(archive, listing)| (archive.clone(), listing.clone()));
    let mut plan = FetchPlan { archives: archives.collect(), ..FetchPlan::default() };
    let listings: Vec<Arc<Listing>> = plan.archives.iter().map(|(_, listing)| listing.clone()).collect();
    let sources: Vec<Source<'_>> = listings.iter().map(|listing| Source { listing, only: None }).collect();
    for entry in &point.log {
        let tiling = tile(&sources, Stretch { timeline: entry.timeline, start: entry.start, end: entry.end });
        if tiling.reached < entry.end {
            let key = Key::Extent(entry.timeline, tiling.reached).to_string();
            plan.lacks.push(Lack {
                key,
                expected: format!("log up to {}", entry.end),
                got: format!("log up to {}", tiling.reached),
                is_damage: false,
            });
        }
        plan.bytes += entry.end - entry.start;
        plan.ranges.push(RangeFetch { entry: *entry, tiling });
    }
    for entry in &point.objects {
        let home = entry.archive.unwrap_or(point.home);
        let source = plan.archives.iter().position(|(archive, _)| archive.id == home);
        let size = source.and_then(|source| plan.archives[source].1.objects.get(&entry.name).copied());
        plan.lacks.extend(lack(&Key::Object(entry.name).to_string(), entry.bytes, size));
        plan.bytes += entry.bytes;
        plan.objects.push(ObjectFetch { entry: entry.clone(), source: source.unwrap_or(0) });
    }
    if let (Ok(key), Some((_, listing))) = (point.manifest_key(), library.get(point.home)) {
        let key = key.to_string();
        plan.lacks.extend(lack(&key, point.manifest.bytes, listing.sizes.get(&key).copied()));
        plan.bytes += point.manifest.bytes;
    }
    plan
}

/// Compares the size of something with the size that it should have.
#[must_use]
pub fn lack(key: &str, expected: u64, got: Option<u64>) -> Option<Lack> {
    if got == Some(expected) {
        return None;
    }
    let shown = got.map_or_else(|| "nothing".to_owned(), |got| format!("{got} bytes"));
    Some(Lack { key: key.to_owned(), expected: format!("{expected} bytes"), got: shown, is_damage: got.is_some_and(|got| got > expected) })
}
