//! Creates a collection on disk, and opens one: for writing with recovery, or for reading beside a writer.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use index::Kernels;
use parking_lot::Mutex;
use platform::World;
use platform::fs::{FileSystem, OpenMode};

use super::cleaning::{CleaningLimits, CleaningState};
use super::lazy::{Away, LazyMarker, LazyState, RangeSources};
use super::version::{OpenSegment, Version};
use super::{Collection, Writer};
use crate::archived::Archived;
use crate::clock::CommitClock;
use crate::database::Handle;
use crate::error::{Error, Result};
use crate::ids::{Incarnation, Lsn, Timeline};
use crate::log::file::{self as log_file};
use crate::log::record::{RecordDraft, RecordKind, SectionKind};
use crate::log::scan::{LogEnd, Scan, ScanOptions};
use crate::log::sealed::SealedFile;
use crate::log::writer::{self, SealedName};
use crate::log::{LogFileName, LogMap, LogWriter, recovery, scan};
use crate::manifest::Manifest;
use crate::manifest::store::{self, CollectionDir, Pin};
use crate::reserve::Reserve;
use crate::schema::Schema;
use crate::segment::Segment;
use crate::segment::deletes::Deletes;
use crate::tail::Tail;
use crate::timings::Timings;

/// How a collection is opened.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Go on although the data is more than 60 s in the future.
    pub accept_clock: bool,
    /// The kernels that graphs are built with; `None` takes the best of this machine. Every choice gives the same bytes.
    pub kernels: Option<&'static Kernels>,
    /// Room that deletes and manifests may use when the disk is full.
    pub reserve: Option<Arc<Reserve>>,
    /// How the log files are reached that a lazy collection has not got; without it only whole ones open.
    pub ranges: Option<RangeSources>,
    /// When space of dead rows is given back.
    pub cleaning: CleaningLimits,
    /// Whether what is written is archived: no log file goes before it is.
    pub is_archived: bool,
    /// The right to write, given back with the collection.
    pub handle: Option<Arc<Handle>>,
}

/// Lays a new, empty collection out on disk, durably; the catalog's entry makes it exist.
///
/// # Errors
/// `InvalidInput` when the schema breaks a limit, `Io` or `NoSpace`.
pub fn create(world: &World, dir: &CollectionDir, incarnation: Incarnation, schema: &Schema, clock: &CommitClock) -> Result<()> {
    schema.check()?;
    dir.create(&*world.fs)?;
    let timeline = Timeline::draw(&*world.random);
    let mut log = LogWriter::start(world, &dir.log(), timeline, 0)?;
    let mut draft = RecordDraft::new(RecordKind::Schema, 0);
    draft.section(SectionKind::Json, 0, 0, 1, schema.to_json().into_bytes());
    log.append(&draft, clock.next())?;
    log.close(clock)?;
    store::publish(world, dir, &Manifest::empty(incarnation, timeline, schema.clone()))
}

/// What opening found before any record is applied.
struct Found {
    manifest: Manifest,
    scan: Scan,
    base: Version,
    lazy: Option<LazyMarker>,
}

fn find(world: &World, dir: &CollectionDir, manifest: Manifest, ranges: Option<&RangeSources>, is_writer: bool) -> Result<Found> {
    let fs = &*world.fs;
    // Read before the scan: what was archived by then is in the log by then.
    let archived = Archived::read(fs, dir.root())?.lsn();
    let options = ScanOptions { from: manifest.covered_lsn, archived, known_bad: world.known_bad, ..ScanOptions::default() };
    let scan = scan::scan(fs, &dir.log(), options)?;
    let segments = open_segments(fs, dir, &manifest)?;
    // Read before the files are mapped: one that is not named is whole, and stays so.
    let away = Away::find(fs, dir, &manifest, &segments, ranges, is_writer)?;
    let last = scan.end.file.map(|name| name.start);
    let log = Arc::new(LogMap::new(sealed_files(fs, dir, last, &manifest, away.as_ref())?));
    let base = Version {
        lsn_end: manifest.covered_lsn,
        commit_time: manifest.commit_time,
        schema: Arc::new(manifest.schema.clone()),
        segments: Arc::new(segments),
        log,
        tail: Arc::new(Tail::new(manifest.covered_lsn)),
        tail_filters: Arc::default(),
        tail_last: Arc::default(),
        tail_end: 0,
        points: manifest.points,
        points_with_payload: manifest.points_with_payload,
        tail_rows: 0,
        moves: Arc::default(),
        moved_bytes: manifest.moved_bytes,
        manifest: Arc::new(manifest.clone()),
    };
    Ok(Found { manifest, scan, base, lazy: away.map(|away| away.marker) })
}

/// Maps every log file but the last, and checks that none of those the manifest names is missing.
fn sealed_files(
    fs: &dyn FileSystem,
    dir: &CollectionDir,
    last: Option<Lsn>,
    manifest: &Manifest,
    away: Option<&Away>,
) -> Result<Vec<Arc<SealedFile>>> {
    let names = log_file::list(fs, &dir.log())?;
    for expected in &manifest.log {
        if !names.contains(&expected.name()) {
            return Err(Error::corrupt("a log file is missing")
                .with_file(&expected.name().path(&dir.log()))
                .with_hint("restore the collection from a backup"));
        }
    }
    if let Some(next) = file_behind(manifest).filter(|next| !names.contains(next)) {
        return Err(Error::corrupt("the log file behind the covered position is missing")
            .with_file(&next.path(&dir.log()))
            .with_hint("restore the collection from a backup"));
    }
    let mut files = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let sealed_by_manifest = manifest.log.iter().find(|file| file.name() == *name).map(|file| file.end);
        if sealed_by_manifest.is_none() && name.start < manifest.covered_lsn {
            refuse_inside(name, manifest, dir)?;
            // An older manifest or a pin still names it; nothing that lives here stands in it.
            continue;
        }
        let next = names.get(index + 1).map(|next| next.start).filter(|_| last.is_none_or(|last| name.start < last));
        let Some(end) = sealed_by_manifest.or(next) else { continue };
        files.push(Away::open_sealed(away, fs, &dir.log(), SealedName { name: *name, end })?);
    }
    Ok(files)
}

/// Refuses a file that begins inside of one that a manifest names: no writer leaves such.
fn refuse_inside(name: &LogFileName, manifest: &Manifest, dir: &CollectionDir) -> Result<()> {
    match manifest.log.iter().find(|file| file.start <= name.start && name.start < file.end) {
        None => Ok(()),
        Some(file) => Err(Error::corrupt("a log file begins inside of another one")
            .with_file(&name.path(&dir.log()))
            .with_expected(format!("a start at {} or later", file.end), name.start)),
    }
}

/// Names the file that was begun before the manifest was published; `None` on a timeline that nobody has written to yet.
fn file_behind(manifest: &Manifest) -> Option<LogFileName> {
    let begun = manifest.ancestry.last().is_some_and(|span| span.from == 0 || span.from < manifest.covered_lsn);
    begun.then(|| LogFileName { start: manifest.covered_lsn, timeline: manifest.timeline() })
}

fn open_segments(fs: &dyn FileSystem, dir: &CollectionDir, manifest: &Manifest) -> Result<Vec<Arc<OpenSegment>>> {
    let parts = manifest.schema.parts() as u32;
    let deletes = match &manifest.deletes {
        None => None,
        Some(meta) => Some(Deletes::open(map_object(fs, dir, meta.id, meta.bytes)?, meta.id)?),
    };
    let mut segments = Vec::with_capacity(manifest.segments.len());
    for meta in &manifest.segments {
        let segment = Segment::open(meta.clone(), &mut |object| map_object(fs, dir, object.id, object.bytes), parts)?;
        for part in 0..segment.parts() {
            if let Some(deletes) = &deletes
                && let Some(dead) = deletes.get(meta.id, part, segment.rows())?
            {
                segment.load_deletes(part, &dead)?;
            }
        }
        segments.push(Arc::new(OpenSegment::new(segment)?));
    }
    Ok(segments)
}

/// Maps an object and checks that it has the length that the manifest states, so that nothing is read behind its end.
pub(super) fn map_object(fs: &dyn FileSystem, dir: &CollectionDir, id: crate::ids::SegmentId, len: u64) -> Result<bytes::Bytes> {
    let path = dir.object(id);
    let file = fs.open(&path, OpenMode::Read)?;
    let got = file.len()?;
    if got != len {
        return Err(Error::corrupt("an object of a segment has another length than the manifest states")
            .with_file(&path)
            .with_expected(len, got));
    }
    let map = file.map()?;
    Ok(map.bytes(0..map.len()))
}

impl Collection {
    /// Opens for writing, recovering first where the last writer did not close.
    ///
    /// # Errors
    /// `Corrupt` naming file and offset, `NewerFormat`, `Clock`, `Io`, `NoSpace`.
    pub fn open(
        world: &World,
        name: &str,
        root: &Path,
        incarnation: Incarnation,
        clock: &Arc<CommitClock>,
        options: OpenOptions,
    ) -> Result<Self> {
        let dir = CollectionDir::new(root.to_path_buf());
        writer::remove_leftovers(world, &dir.log())?;
        let manifest = store::newest(&*world.fs, &dir)?;
        check_incarnation(&manifest, incarnation, &dir)?;
        let Found { manifest, scan, mut base, lazy } = find(world, &dir, manifest, options.ranges.as_ref(), true)?;
        clock.follow(scan.end.commit_time.max(manifest.commit_time), options.accept_clock)?;
        if !is_away(&base.log, scan.end.file) {
            recovery::repair(world, &dir.log(), &scan.end)?;
        }
        if store::current_name(&*world.fs, &dir)? != Some(manifest.file_name()) {
            // Whoever published it died before he was done: its name may not be durable, and older objects go on the strength of it.
            store::publish(world, &dir, &manifest)?;
        }
        apply_all(&mut base, &scan)?;
        let log = resume(world, &dir, &manifest, &scan.end)?;
        if log.is_none() {
            base.log = Arc::new(with_last_file(world, &dir, &base.log, &scan.end)?);
        }
        store::clear_unreferenced(world, &dir, &BTreeSet::new())?;
        let collection = Collection::assemble(world, name, dir, incarnation, clock, base, Some(log), None, lazy, options);
        collection.clear_log()?;
        Ok(collection)
    }

    /// Opens for reading beside whoever writes: everything acknowledged before the call is seen, and nothing that a crash could take back.
    ///
    /// # Errors
    /// As [`Collection::open`]; `Locked` when the log needs recovery, which only a writer may do.
    pub fn open_read(world: &World, name: &str, root: &Path, incarnation: Incarnation, clock: &Arc<CommitClock>) -> Result<Self> {
        Self::open_read_with(world, name, root, incarnation, clock, None)
    }

    /// Opens for reading like [`Collection::open_read`], also a collection whose log is partly elsewhere; what comes of it stays in memory.
    ///
    /// # Errors
    /// As [`Collection::open_read`]; those of finding the source.
    pub fn open_read_with(
        world: &World,
        name: &str,
        root: &Path,
        incarnation: Incarnation,
        clock: &Arc<CommitClock>,
        ranges: Option<&RangeSources>,
    ) -> Result<Self> {
        let dir = CollectionDir::new(root.to_path_buf());
        let pin = store::pin_newest(world, &dir)?;
        check_incarnation(&pin.manifest, incarnation, &dir)?;
        let Found { mut scan, mut base, lazy, .. } = find(world, &dir, pin.manifest.clone(), ranges, false)?;
        if !pin.is_held() {
            // Nothing can be synced on such media: only what later records prove is used.
            scan.records.retain(|record| record.head.end() <= scan.end.proven || scan.end.clean);
        }
        // First the scan, then the sync: what is used is on the disk, whatever the writer does next (rule S14).
        if let Some(last) = scan.end.file {
            let file = world.fs.open(&last.path(&dir.log()), OpenMode::Read)?;
            file.sync_data()?;
            world.fs.sync_dir(&dir.log())?;
        }
        apply_all(&mut base, &scan)?;
        Ok(Collection::assemble(world, name, dir, incarnation, clock, base, None, Some(pin), lazy, OpenOptions::default()))
    }

    #[expect(clippy::too_many_arguments, reason = "one place puts the pieces together")]
    fn assemble(
        world: &World,
        name: &str,
        dir: CollectionDir,
        incarnation: Incarnation,
        clock: &Arc<CommitClock>,
        version: Version,
        log: Option<Option<LogWriter>>,
        pin: Option<Pin>,
        lazy: Option<LazyMarker>,
        options: OpenOptions,
    ) -> Self {
        Collection {
            world: world.clone(),
            name: name.to_owned(),
            dir,
            incarnation,
            clock: clock.clone(),
            kernels: options.kernels.unwrap_or_else(Kernels::detect),
            reserve: options.reserve,
            current: ArcSwap::from_pointee(version.clone()),
            queue: Mutex::new(Vec::new()),
            writer: log.map(|log| Mutex::new(Writer { version, log })),
            maintenance: Mutex::new(()),
            pin,
            lazy: LazyState::new(lazy),
            archiving: super::outgoing::Archiving::default(),
            cleaning: CleaningState::new(options.cleaning, options.is_archived),
            timings: Timings::default(),
            _handle: options.handle,
        }
    }

    /// Gives the bytes of log that an opening reads again, by the lengths of its files.
    ///
    /// # Errors
    /// `Corrupt` when the names of the files contradict each other, `Io`.
    pub fn replay_bytes(world: &World, root: &Path) -> Result<u64> {
        let dir = CollectionDir::new(root.to_path_buf());
        let covered = store::current_name(&*world.fs, &dir)?.map_or(0, |name| name.covered_lsn);
        let mut bytes = 0;
        for name in log_file::list(&*world.fs, &dir.log())?.iter().filter(|name| name.start >= covered) {
            bytes += world.fs.metadata(&name.path(&dir.log()))?.map_or(0, |found| found.len);
        }
        Ok(bytes)
    }

    /// Says whether the last writer of a collection's log closed it.
    ///
    /// # Errors
    /// As [`Collection::open_read`].
    pub fn was_closed(world: &World, root: &Path) -> Result<bool> {
        let dir = CollectionDir::new(root.to_path_buf());
        let manifest = store::newest(&*world.fs, &dir)?;
        let options = ScanOptions { from: manifest.covered_lsn, known_bad: world.known_bad, ..ScanOptions::default() };
        let end = scan::scan(&*world.fs, &dir.log(), options)?.end;
        Ok(end.clean || end.lsn == manifest.covered_lsn)
    }
}

fn check_incarnation(manifest: &Manifest, incarnation: Incarnation, dir: &CollectionDir) -> Result<()> {
    if manifest.incarnation == incarnation {
        return Ok(());
    }
    Err(Error::corrupt("the manifest belongs to another life of the collection")
        .with_file(dir.root())
        .with_expected(incarnation, manifest.incarnation))
}

/// Says whether a file is one whose bytes are elsewhere: nobody writes it, and nothing in it needs repair.
fn is_away(log: &LogMap, name: Option<LogFileName>) -> bool {
    log.files().iter().any(|file| file.lazy().is_some() && Some(file.sealed.name) == name)
}

/// Applies whole operations; a record of the log that a manifest covers was left out by the scan.
fn apply_all(version: &mut Version, scan: &Scan) -> Result<()> {
    for record in &scan.records {
        version.apply(record)?;
    }
    Ok(())
}

/// Goes on in the last file when it is of the timeline that is written; a timeline without a file gets one at its first write.
fn resume(world: &World, dir: &CollectionDir, manifest: &Manifest, end: &LogEnd) -> Result<Option<LogWriter>> {
    // A file that the manifest covers whole is never written again, even where the next one was not begun.
    match end.file.filter(|name| name.timeline == manifest.timeline() && name.start >= manifest.covered_lsn) {
        Some(_) => LogWriter::resume(world, &dir.log(), end).map(Some),
        None => Ok(None),
    }
}

/// Adds the last file of an ended timeline, which nobody writes any more, to the sealed ones.
fn with_last_file(world: &World, dir: &CollectionDir, log: &LogMap, end: &LogEnd) -> Result<LogMap> {
    let Some(name) = end.file.filter(|name| name.start < end.lsn) else { return Ok(log.clone()) };
    if log.files().iter().any(|file| file.sealed.name == name) {
        return Ok(log.clone());
    }
    let sealed = SealedName { name, end: end.lsn };
    Ok(log.with(Arc::new(SealedFile::open(&*world.fs, &dir.log(), sealed)?)))
}
