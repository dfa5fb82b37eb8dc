//! A collection whose sealed log files are partly elsewhere: the marker that says so, opening it, and bringing the rest.
//!
//! Its segments are local, so a search walks at once; vectors and payloads come by range from an archive when they are first touched.
//! [`Collection::hydrate`] brings everything in order, file by file, while searches go on; with the last file the marker goes, and the
//! collection is one like any other. `docs/format/lazy.md` is the document of the marker.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use platform::World;
use platform::fs::FileSystem;
use serde::{Deserialize, Serialize};

use super::Collection;
use super::version::OpenSegment;
use crate::codec::sealed_json;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Lsn, Timeline};
use crate::log::LogFileName;
use crate::log::residency::{LazySource, RangeSource, RecordGuide};
use crate::log::sealed::{SealedFile, payload_place};
use crate::log::writer::SealedName;
use crate::manifest::Manifest;
use crate::manifest::store::CollectionDir;

/// Version of the marker's format.
pub const MARKER_VERSION: u32 = 1;
/// Largest marker that is read.
pub const MARKER_LEN_MAX: u64 = 16 << 20;
/// Rows that are looked at for one that has a record's position.
const GUIDE_STEPS: u32 = 64;

/// A log file that is not whole on the local disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwayFile {
    /// The timeline that wrote it.
    pub timeline: Timeline,
    /// Position of its first record.
    pub start: Lsn,
    /// Position behind its last record.
    pub end: Lsn,
}

impl AwayFile {
    fn sealed(&self) -> SealedName {
        SealedName { name: LogFileName { start: self.start, timeline: self.timeline }, end: self.end }
    }
}

/// What a collection's directory says of log files whose bytes are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LazyMarker {
    /// Version of the format.
    pub format: u32,
    /// Where the bytes are, in the words of whoever provides the [`RangeSource`].
    pub source: String,
    /// Whether they stay there: the collection refers to them and is not to be made whole unless somebody asks for it.
    pub keep: bool,
    /// The files; what they hold locally is not believed.
    pub files: Vec<AwayFile>,
}

impl LazyMarker {
    /// Describes a collection of which no file is away yet.
    #[must_use]
    pub fn new(source: &str, keep: bool) -> Self {
        LazyMarker { format: MARKER_VERSION, source: source.to_owned(), keep, files: Vec::new() }
    }

    /// Lays the marker out: JSON text, then the BLAKE3 of it.
    ///
    /// # Panics
    /// Never: it holds nothing that JSON cannot say.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        sealed_json::encode(self)
    }

    /// Reads a marker, hash first.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not what was written, `NewerFormat` when a later version wrote them.
    pub fn decode(stored: &[u8]) -> Result<Self> {
        let marker: LazyMarker = sealed_json::decode("marker of a lazy collection", MARKER_VERSION, stored)?;
        let ordered = marker.files.windows(2).all(|pair| pair[0].end <= pair[1].start);
        if !ordered || marker.files.iter().any(|file| file.start >= file.end) {
            return Err(Error::corrupt("the files of a lazy collection do not follow each other"));
        }
        Ok(marker)
    }

    /// Reads the marker of a collection; `None` for an ordinary one.
    ///
    /// # Errors
    /// `Corrupt` or `NewerFormat` naming the file, `Io`.
    pub fn read(fs: &dyn FileSystem, dir: &CollectionDir) -> Result<Option<Self>> {
        let path = dir.lazy();
        let Some(meta) = fs.metadata(&path)? else { return Ok(None) };
        if meta.len > MARKER_LEN_MAX {
            let error = Error::corrupt("the marker of a lazy collection is too large").with_file(&path);
            return Err(error.with_expected(format!("at most {MARKER_LEN_MAX} bytes"), meta.len));
        }
        match platform::fs::read_file(fs, &path) {
            // Who made the collection whole was faster.
            Err(error) if error.is_not_found() => Ok(None),
            stored => LazyMarker::decode(&stored?).map(Some).map_err(|error| {
                error.with_file(&path).with_hint("restore the collection again: which of its log files are whole is not known")
            }),
        }
    }

    /// Makes this the marker of a collection, durably; with no file left the collection becomes an ordinary one.
    ///
    /// # Errors
    /// `Io` or `NoSpace`; what was there before counts then.
    pub fn store(&self, world: &World, dir: &CollectionDir) -> Result<()> {
        if !self.files.is_empty() {
            return Ok(world.write_file_durably(&dir.lazy(), &self.encode())?);
        }
        if world.fs.metadata(&dir.lazy())?.is_some() {
            world.fs.remove_file(&dir.lazy())?;
        }
        Ok(world.fs.sync_dir(dir.root())?)
    }
}

/// The type of [`RangeSources`]' function.
type FindSource = dyn Fn(&LazyMarker) -> Result<Arc<dyn RangeSource>> + Send + Sync;

/// Finds where the bytes of a lazy collection come from.
#[derive(Clone)]
pub struct RangeSources(Arc<FindSource>);

impl RangeSources {
    /// Takes a function that reaches what a marker names.
    pub fn new(find: impl Fn(&LazyMarker) -> Result<Arc<dyn RangeSource>> + Send + Sync + 'static) -> Self {
        RangeSources(Arc::new(find))
    }
}

impl std::fmt::Debug for RangeSources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RangeSources")
    }
}

/// What opening needs to know of files that are away.
pub(super) struct Away {
    pub marker: LazyMarker,
    source: LazySource,
    is_writer: bool,
}

impl Away {
    /// Reads the marker of a collection and finds the source that it names; `None` for an ordinary collection.
    pub(super) fn find(
        fs: &dyn FileSystem,
        dir: &CollectionDir,
        manifest: &Manifest,
        segments: &[Arc<OpenSegment>],
        sources: Option<&RangeSources>,
        is_writer: bool,
    ) -> Result<Option<Self>> {
        let Some(marker) = LazyMarker::read(fs, dir)? else { return Ok(None) };
        let is_covered = |away: &AwayFile| manifest.log.iter().any(|file| file.name() == away.sealed().name && file.end == away.end);
        if let Some(file) = marker.files.iter().find(|file| !is_covered(file)) {
            let error = Error::corrupt("a log file is away that the manifest does not cover").with_file(&dir.lazy());
            return Err(error.with_expected("a file of the manifest", file.sealed().name.path(&dir.log()).display()));
        }
        let Some(sources) = sources else {
            return Err(Error::new(
                ErrorKind::Unreachable,
                "log files of the collection are in an archive, and nobody said how to reach it",
            )
            .with_object(&marker.source)
            .with_hint("open the collection where that archive can be reached"));
        };
        let guide = Arc::new(SegmentGuide(segments.to_vec()));
        let source = LazySource { ranges: sources.0(&marker)?, guide: Some(guide) };
        Ok(Some(Away { marker, source, is_writer }))
    }

    /// Opens a sealed file, which is away if the marker names it.
    pub(super) fn open_sealed(away: Option<&Away>, fs: &dyn FileSystem, log: &Path, sealed: SealedName) -> Result<Arc<SealedFile>> {
        let away = away.filter(|away| away.marker.files.iter().any(|file| file.sealed() == sealed));
        let file = match away {
            Some(away) => SealedFile::open_lazy(fs, log, sealed, &away.source, away.is_writer),
            None => SealedFile::open(fs, log, sealed),
        };
        file.map(Arc::new)
    }
}

/// Knows from the segments where records begin: the address of a point names its record.
#[derive(Debug)]
struct SegmentGuide(Vec<Arc<OpenSegment>>);

impl RecordGuide for SegmentGuide {
    fn record_before(&self, lsn: Lsn) -> Option<Lsn> {
        let open = &self.0[self.0.partition_point(|open| open.segment.meta().from <= lsn).checked_sub(1)?];
        // Rows without a point of their own (a vector written alone, a payload replaced later) are stepped over, a few.
        let record_at = |row: u32| {
            let rows = (row.saturating_sub(GUIDE_STEPS)..=row).rev();
            rows.filter_map(|row| open.segment.address(0, row)).map(|address| payload_place(address).0).next()
        };
        let (mut low, mut high) = (0, open.segment.rows());
        while low < high {
            let middle = low + (high - low) / 2;
            if record_at(middle).is_some_and(|record| record <= lsn) { low = middle + 1 } else { high = middle }
        }
        record_at(low.checked_sub(1)?).filter(|&record| record <= lsn)
    }
}

/// What an open collection keeps of its marker.
#[derive(Debug, Default)]
pub(super) struct LazyState {
    marker: Mutex<Option<LazyMarker>>,
    /// One hydrates at a time.
    hydrating: Mutex<()>,
}

impl LazyState {
    pub(super) fn new(marker: Option<LazyMarker>) -> Self {
        LazyState { marker: Mutex::new(marker), hydrating: Mutex::new(()) }
    }
}

impl Collection {
    /// Says whether bytes of the log are not on the local disk.
    #[must_use]
    pub fn is_lazy(&self) -> bool {
        self.current.load().log.is_lazy()
    }

    /// Gives the marker: where the bytes are, and whether they stay there; `None` for an ordinary collection.
    #[must_use]
    pub fn lazy_marker(&self) -> Option<LazyMarker> {
        self.lazy.marker.lock().clone()
    }

    /// Gives the bytes of sealed log files that are not on the local disk, and the bytes of all of them.
    #[must_use]
    pub fn lazy_bytes(&self) -> (u64, u64) {
        let version = self.current.load();
        let files = version.log.files().iter();
        files.fold((0, 0), |(missing, all), file| {
            (missing + file.lazy().map_or(0, |lazy| lazy.missing_bytes()), all + file.sealed.end - file.sealed.name.start)
        })
    }

    /// Notes that the bytes of a collection that refers to an archive are to be brought: [`Collection::hydrate`] then goes on after a restart
    /// like that of a lazy restore.
    ///
    /// # Errors
    /// `Locked` on a reader, `Io`, `NoSpace`.
    pub fn detach(&self) -> Result<()> {
        self.writer()?;
        let mut marker = self.lazy.marker.lock();
        if let Some(kept) = marker.as_mut().filter(|marker| marker.keep) {
            let detached = LazyMarker { keep: false, ..kept.clone() };
            detached.store(&self.world, &self.dir)?;
            *kept = detached;
        }
        Ok(())
    }

    /// Brings what is missing, file after file, while searches and writes go on. `stop` is asked before each piece; `progress` is told the
    /// missing and all bytes after each. Gives whether the collection is whole now; what was brought stays, file by file, when it is not.
    ///
    /// # Errors
    /// `Locked` on a reader; those of the source; `Corrupt` when the source does not hold what was written; `Io`, `NoSpace`. The collection
    /// goes on answering, and this may be called again.
    ///
    /// # Panics
    /// When an invariant is broken.
    pub fn hydrate(&self, stop: &dyn Fn() -> bool, progress: &dyn Fn(u64, u64)) -> Result<bool> {
        self.writer()?;
        let _one_at_a_time = self.lazy.hydrating.lock();
        loop {
            let version = self.version();
            let Some(file) = version.log.files().iter().find(|file| file.lazy().is_some()) else { return Ok(true) };
            if !self.hydrate_file(&version.manifest, file, stop, progress)? {
                return Ok(false);
            }
        }
    }

    fn hydrate_file(
        &self,
        manifest: &Manifest,
        file: &Arc<SealedFile>,
        stop: &dyn Fn() -> bool,
        progress: &dyn Fn(u64, u64),
    ) -> Result<bool> {
        let Some(lazy) = file.lazy() else { return Ok(true) };
        while let Some(run) = lazy.next_missing() {
            if stop() {
                return Ok(false);
            }
            lazy.bring(&run)?;
            let (missing, all) = self.lazy_bytes();
            progress(missing, all);
        }
        if stop() {
            return Ok(false);
        }
        let covered = manifest.log.iter().find(|covered| covered.name() == file.sealed.name);
        let covered = covered.ok_or_else(|| Error::internal("a log file is away that the manifest does not cover"))?;
        lazy.finish(&self.world, covered.blake3)?;
        self.take_off_the_marker(&file.sealed)?;
        // What is read from now on is read like any other file; who still holds an older version goes on with the lazy one.
        let whole = Arc::new(SealedFile::open(&*self.world.fs, &self.dir.log(), file.sealed)?);
        let mut writer = self.writer()?.lock();
        writer.version.log = Arc::new(writer.version.log.replaced(whole));
        self.current.store(Arc::new(writer.version.clone()));
        Ok(true)
    }

    /// Makes it durable that a file is whole; it is durable itself already.
    fn take_off_the_marker(&self, sealed: &SealedName) -> Result<()> {
        let mut marker = self.lazy.marker.lock();
        let Some(before) = marker.as_ref() else { return Ok(()) };
        let mut after = before.clone();
        after.files.retain(|file| file.sealed() != *sealed);
        after.store(&self.world, &self.dir)?;
        *marker = Some(after).filter(|marker| !marker.files.is_empty());
        Ok(())
    }
}
