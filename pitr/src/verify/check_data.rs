//! Reads everything that some backups need, each object once, and says what is wrong with which of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::codec::checksum::Hasher;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use engine::manifest::Manifest;

use super::problem::{Problem, Problems};
use crate::Progress;
use crate::archive::extent::ExtentRef;
use crate::archive::extent_stream::{stream_extent, stream_object};
use crate::archive::{Archive, ArchiveId, Key, Listing, ObjectName};
use crate::backup::format::{ObjectEntry, RangeEntry, SnapshotFile};
use crate::backup::held::{HeldSnapshot, Library, is_about_content};
use crate::restore::fetch::fetch_manifest;

/// Reads what several backups need.
pub(super) struct DataCheck<'a> {
    pub library: &'a Library,
    pub problems: &'a mut Problems,
    pub progress: Progress<'a>,
    /// Bytes read so far, and stored objects.
    pub bytes: u64,
    pub objects: usize,
    pub work: u64,
    seen: BTreeSet<(ArchiveId, ObjectName)>,
}

/// A stretch of the log that is being hashed while extents stream by.
struct OpenRange<'a> {
    entry: RangeEntry,
    needed_by: Vec<&'a str>,
    hasher: Hasher,
    next: Lsn,
}

/// A damaged extent.
struct BadExtent {
    start: Lsn,
    end: Lsn,
    error: Error,
}

impl<'a> DataCheck<'a> {
    pub fn new(library: &'a Library, problems: &'a mut Problems, progress: Progress<'a>, snapshots: &[&HeldSnapshot]) -> Self {
        let work = snapshots.iter().map(|held| held.file.bytes.total).sum();
        DataCheck { library, problems, progress, bytes: 0, objects: 0, work, seen: BTreeSet::new() }
    }

    fn read(&mut self, objects: usize, bytes: u64) {
        self.objects += objects;
        self.bytes += bytes;
        (self.progress)(self.bytes, self.work.max(self.bytes));
    }

    /// Reads everything; gives the manifests that are sound.
    pub fn run(&mut self, snapshots: &[&'a HeldSnapshot]) -> Result<BTreeMap<String, Manifest>> {
        let mut manifests = BTreeMap::new();
        for held in snapshots {
            let file = &held.file;
            let Some((archive, _)) = self.library.get(file.archive) else { continue };
            match fetch_manifest(archive, file) {
                Ok(manifest) => {
                    manifests.insert(file.snapshot_id.clone(), manifest);
                }
                Err(error) => self.problems.add_or_fail([file.snapshot_id.as_str()], error)?,
            }
            self.read(2, file.manifest.bytes + held.bytes);
            for object in &file.objects {
                self.check_object(file, object)?;
            }
        }
        for (timeline, ranges) in ranges_by_timeline(snapshots) {
            let extents = self.extents_of(snapshots, timeline);
            self.check_log(timeline, ranges, &extents)?;
        }
        Ok(manifests)
    }

    fn check_object(&mut self, file: &SnapshotFile, object: &ObjectEntry) -> Result<()> {
        let home = file.home_of(object);
        let Some((archive, listing)) = self.library.get(home) else { return Ok(()) };
        let key = Key::Object(object.name);
        // A wrong size is found by listing.
        if listing.objects.get(&object.name) != Some(&object.bytes) || !self.seen.insert((home, object.name)) {
            return Ok(());
        }
        match stream_object(archive, &key, object.bytes, &mut |_| Ok(())) {
            Ok((actual, stated)) if actual == object.blake3 && stated == actual => {}
            Ok((actual, _)) => {
                let error = Error::corrupt("the object does not match its hash").with_offset(0).with_expected(object.blake3, actual);
                let error = archive.at(error, &key);
                self.problems.note_object(home, object.name, error);
            }
            Err(error) if is_about_content(error.kind) => self.problems.note_object(home, object.name, error),
            Err(error) => return Err(error),
        }
        self.read(1, object.bytes);
        Ok(())
    }

    /// Lists the extents of a timeline in all archives that the backups use, in the order of the log.
    fn extents_of(&self, snapshots: &[&HeldSnapshot], timeline: Timeline) -> Vec<(Archive, ExtentRef)> {
        let mut archives: BTreeMap<ArchiveId, (Archive, Arc<Listing>)> = BTreeMap::new();
        for held in snapshots {
            for (archive, listing) in self.library.archives_of(&held.file) {
                archives.insert(archive.id, (archive.clone(), listing.clone()));
            }
        }
        let mut extents = Vec::new();
        for (archive, listing) in archives.into_values() {
            extents.extend(listing.extents_of(timeline).into_iter().map(|extent| (archive.clone(), extent)));
        }
        extents.sort_by_key(|(_, extent)| (extent.start, extent.end));
        extents
    }

    fn check_log(&mut self, timeline: Timeline, mut ranges: Vec<OpenRange<'_>>, extents: &[(Archive, ExtentRef)]) -> Result<()> {
        let mut bad = Vec::new();
        for (archive, extent) in extents {
            let ExtentRef { start, end, .. } = *extent;
            if !ranges.iter().any(|range| range.entry.start < end && start < range.entry.end) {
                continue;
            }
            let streamed = stream_extent(archive, timeline, *extent, &mut |at, piece| {
                ranges.iter_mut().for_each(|range| range.feed(at, piece));
                Ok(())
            });
            match streamed {
                Ok(()) => {}
                Err(error) if is_about_content(error.kind) => bad.push(BadExtent { start, end, error }),
                Err(error) => return Err(error),
            }
            self.read(1, end - start);
        }
        for range in &ranges {
            self.judge(timeline, range, &bad)?;
        }
        Ok(())
    }

    /// Says what is wrong with a stretch. An extent that ends where the cover ends was cut off, however its hash looks: something is missing.
    fn judge(&mut self, timeline: Timeline, range: &OpenRange<'_>, bad: &[BadExtent]) -> Result<()> {
        let RangeEntry { start, end, blake3, .. } = range.entry;
        let whole = range.next == end;
        let touching = bad.iter().filter(|extent| extent.start < end && start < extent.end);
        for extent in touching.filter(|extent| whole || extent.end != range.next) {
            self.problems.add_or_fail(range.needed_by.iter().copied(), extent.error.clone())?;
        }
        let got = range.hasher.finish();
        let explained = bad.iter().any(|extent| extent.start < end && start < extent.end);
        if whole && got != blake3 && !explained {
            let error = Error::corrupt("the log does not match the hash that the backup states")
                .with_object(Key::Extent(timeline, start).to_string());
            self.problems.add_or_fail(range.needed_by.iter().copied(), error.with_offset(0).with_expected(blake3, got))?;
        }
        Ok(())
    }
}

impl OpenRange<'_> {
    /// Takes what comes next of a piece that begins at a position.
    fn feed(&mut self, at: Lsn, piece: &[u8]) {
        let to = (at + piece.len() as u64).min(self.entry.end);
        if at <= self.next && self.next < to {
            self.hasher.update(&piece[(self.next - at) as usize..(to - at) as usize]);
            self.next = to;
        }
    }
}

/// Collects the stretches of all backups, equal ones once.
fn ranges_by_timeline<'a>(snapshots: &[&'a HeldSnapshot]) -> BTreeMap<Timeline, Vec<OpenRange<'a>>> {
    let mut needed: BTreeMap<(Timeline, Lsn, Lsn, engine::codec::checksum::Hash), Vec<&'a str>> = BTreeMap::new();
    for held in snapshots {
        for r in &held.file.log {
            needed.entry((r.timeline, r.start, r.end, r.blake3)).or_default().push(&held.file.snapshot_id);
        }
    }
    let mut by_timeline: BTreeMap<Timeline, Vec<OpenRange<'a>>> = BTreeMap::new();
    for ((timeline, start, end, blake3), needed_by) in needed {
        let entry = RangeEntry { timeline, start, end, blake3 };
        by_timeline.entry(timeline).or_default().push(OpenRange { entry, needed_by, hasher: Hasher::new(), next: start });
    }
    by_timeline
}

/// Checks presence and sizes of what a backup needs, by listing alone, and reads the small descriptions beside it.
pub(super) fn check_listing(held: &HeldSnapshot, library: &Library, problems: &mut Problems) -> Result<()> {
    let file = &held.file;
    let id = file.snapshot_id.as_str();
    for parent in &file.parents {
        if let Some(error) = library.missing.get(&parent.archive) {
            problems.add_or_fail([id], error.clone())?;
        }
    }
    let plan = crate::restore::fetch_plan::plan_fetch(file, library);
    for lack in &plan.lacks {
        let kind = if lack.is_damage { ErrorKind::Corrupt } else { ErrorKind::Incomplete };
        let error = Error::new(kind, if lack.is_damage { "an object is larger than it was" } else { "an object is missing or cut off" });
        problems.add(Problem { snapshot_id: id.to_owned(), error: error.with_object(&lack.key).with_expected(&lack.expected, &lack.got) });
    }
    let Some((archive, _)) = library.get(file.archive) else { return Ok(()) };
    for key in crate::backup::identity::keys_of(file.incarnation, &file.ancestry, file.manifest.timeline) {
        if let Err(error) = crate::backup::identity::check(archive, &key) {
            problems.add_or_fail([id], error)?;
        }
    }
    Ok(())
}
