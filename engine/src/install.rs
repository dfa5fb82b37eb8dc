//! Puts a collection together from files that came from elsewhere, as a new life on a new timeline: the engine's half of a restore.

use std::path::PathBuf;
use std::sync::Arc;

use platform::World;
use platform::fs::{File, OpenMode};

use crate::collection::lazy::{AwayFile, LazyMarker};
use crate::error::{Error, Result};
use crate::ids::{Incarnation, Lsn, SegmentId, Timeline};
use crate::log::file::LogFileName;
use crate::manifest::store::{self, CollectionDir};
use crate::manifest::{Manifest, Span};

/// Bytes handed to the file system at once.
const CHUNK: usize = 8 << 20;

/// A collection that is being put together; nobody sees it before the catalog names it.
#[derive(Debug)]
pub struct Installer {
    world: World,
    dir: CollectionDir,
    incarnation: Incarnation,
    files: Vec<Arc<dyn File>>,
    lazy: Option<LazyMarker>,
}

impl Installer {
    /// Starts in a new, empty directory.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn begin(world: &World, root: PathBuf, incarnation: Incarnation) -> Result<Self> {
        let dir = CollectionDir::new(root);
        dir.create(&*world.fs)?;
        Ok(Installer { world: world.clone(), dir, incarnation, files: Vec::new(), lazy: None })
    }

    /// Begins a log file, whose records of a timeline from a position on come piece by piece; [`Installer::finish`] makes it durable.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn begin_log(&mut self, timeline: Timeline, start: Lsn) -> Result<ObjectWriter> {
        let name = LogFileName { start, timeline };
        let file = self.world.fs.open(&name.path(&self.dir.log()), OpenMode::CreateNew)?;
        file.write_all_at(&name.header(), 0)?;
        self.files.push(file.clone());
        Ok(ObjectWriter { file, at: name.header_len() })
    }

    /// Says where the bytes are of the log files that are not fetched now, in words that the one who opens the collection understands; `keep`:
    /// and that they stay there.
    pub fn set_source(&mut self, source: &str, keep: bool) {
        self.lazy = Some(LazyMarker::new(source, keep));
    }

    /// Begins a log file whose records are not fetched now: it has its full length and no bytes. Only files that the manifest covers whole can be
    /// such, in the order of the log.
    ///
    /// # Errors
    /// `Io` or `NoSpace`; `Internal` before [`Installer::set_source`].
    pub fn begin_lazy_log(&mut self, timeline: Timeline, start: Lsn, end: Lsn) -> Result<()> {
        let lazy = self.lazy.as_mut().ok_or_else(|| Error::internal("a lazy log file needs a source"))?;
        assert!(start < end && lazy.files.last().is_none_or(|last| last.end <= start), "log files come in order");
        lazy.files.push(AwayFile { timeline, start, end });
        let name = LogFileName { start, timeline };
        let file = self.world.fs.open(&name.path(&self.dir.log()), OpenMode::CreateNew)?;
        file.write_all_at(&name.header(), 0)?;
        file.set_len(name.offset(end))?;
        self.files.push(file);
        Ok(())
    }

    /// Begins an object whose bytes come piece by piece; [`Installer::finish`] makes it durable.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn begin_object(&mut self, id: SegmentId) -> Result<ObjectWriter> {
        let file = self.world.fs.open(&self.dir.object(id), OpenMode::CreateNew)?;
        self.files.push(file.clone());
        Ok(ObjectWriter { file, at: 0 })
    }

    /// Makes everything durable and publishes the manifest: the state of `source` plus the log up to `lsn`, as the start of a new timeline.
    /// Gives that timeline.
    ///
    /// # Errors
    /// `Io` or `NoSpace`; `Corrupt` when the manifest covers more than was put.
    pub fn finish(self, source: &Manifest, ancestry: &[Span], lsn: Lsn) -> Result<Timeline> {
        let timeline = Timeline::draw(&*self.world.random);
        self.finish_on(timeline, source, ancestry, lsn)
    }

    /// Does the same on a timeline that was drawn before, by whoever took the old one over.
    ///
    /// # Errors
    /// As [`Installer::finish`].
    pub fn finish_on(self, timeline: Timeline, source: &Manifest, ancestry: &[Span], lsn: Lsn) -> Result<Timeline> {
        if source.covered_lsn > lsn {
            return Err(
                Error::corrupt("the manifest reaches beyond the position").with_expected(format!("at most {lsn}"), source.covered_lsn)
            );
        }
        let away = self.lazy.as_ref().map_or(&[][..], |lazy| &lazy.files);
        let is_covered =
            |away: &&AwayFile| source.log.iter().any(|f| f.start == away.start && f.end == away.end && f.timeline == away.timeline);
        if let Some(file) = away.iter().find(|away| !is_covered(away)) {
            return Err(Error::corrupt("a log file that the manifest does not cover was not fetched").with_offset(file.start));
        }
        for file in &self.files {
            file.sync_all()?;
        }
        for dir in [self.dir.log(), self.dir.segments()] {
            self.world.fs.sync_dir(&dir)?;
        }
        // The marker stands before anything could take the empty files for whole ones.
        if let Some(lazy) = self.lazy.as_ref().filter(|lazy| !lazy.files.is_empty()) {
            lazy.store(&self.world, &self.dir)?;
        }
        let mut ancestry = ancestry.to_vec();
        if let Some(last) = ancestry.last_mut() {
            last.to = Some(lsn);
        }
        ancestry.push(Span { timeline, from: lsn, to: None });
        let manifest = Manifest { incarnation: self.incarnation, seq: source.seq + 1, ancestry, ..source.clone() };
        store::publish(&self.world, &self.dir, &manifest)?;
        Ok(timeline)
    }

    /// Gives the number of bytes that a log file or object takes besides its content.
    #[must_use]
    pub fn overhead(files: usize) -> u64 {
        files as u64 * 8192
    }
}

/// An object or log file that is being written, front to back.
#[derive(Debug)]
pub struct ObjectWriter {
    file: Arc<dyn File>,
    at: u64,
}

impl ObjectWriter {
    /// Makes what was written durable; where several files are written side by side, so are their syncs.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn sync(&self) -> Result<()> {
        Ok(self.file.sync_all()?)
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        for chunk in bytes.chunks(CHUNK) {
            self.file.write_all_at(chunk, self.at)?;
            self.at += chunk.len() as u64;
        }
        Ok(())
    }
}
