//! Puts a collection together from files that came from elsewhere, as a new life on a new timeline: the engine's half of a restore.

use std::path::PathBuf;
use std::sync::Arc;

use platform::World;
use platform::fs::{File, OpenMode};

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
}

impl Installer {
    /// Starts in a new, empty directory.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn begin(world: &World, root: PathBuf, incarnation: Incarnation) -> Result<Self> {
        let dir = CollectionDir::new(root);
        dir.create(&*world.fs)?;
        Ok(Installer { world: world.clone(), dir, incarnation, files: Vec::new() })
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
        if source.covered_lsn > lsn {
            return Err(
                Error::corrupt("the manifest reaches beyond the position").with_expected(format!("at most {lsn}"), source.covered_lsn)
            );
        }
        for file in &self.files {
            file.sync_all()?;
        }
        for dir in [self.dir.log(), self.dir.segments()] {
            self.world.fs.sync_dir(&dir)?;
        }
        let timeline = Timeline::draw(&*self.world.random);
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
