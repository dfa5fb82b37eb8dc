//! Appends encoded records to the last file of a log, syncs them, and goes on in a new file when one is full.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use platform::World;
use platform::fs::{File, OpenMode};

use super::file::{LOG_FILE_LEN_FIRST, LOG_FILE_LEN_MAX, LogFileName};
use super::record::{RECORD_ALIGN, Record, RecordDraft, RecordKind};
use super::scan::LogEnd;
use crate::clock::CommitClock;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{CommitTime, Lsn, Timeline};

/// Name of a log file whose header is not yet written.
const STARTING: &str = "starting.tmp";
/// A file that holds less than this has no zeros laid out ahead: a command that writes one point shall not write thousands of zeros.
const AHEAD_MIN: u64 = 8 << 10;
/// Most zeros laid out at once.
const AHEAD_MAX: u64 = 4 << 20;
/// Zeros written at once.
const CHUNK: usize = 1 << 20;

/// A log file that is complete: its name and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedName {
    /// Its name.
    pub name: LogFileName,
    /// Position behind its last record.
    pub end: Lsn,
}

/// The one who appends to a log.
#[derive(Debug)]
pub struct LogWriter {
    world: World,
    dir: PathBuf,
    name: LogFileName,
    file: Arc<dyn File>,
    end: Lsn,
    durable: Lsn,
    file_len: u64,
    /// Offset up to which the file has its length and its blocks: appending below it changes no metadata.
    laid_out: u64,
    /// Set once an append or a sync failed in a way that leaves the file unknown; nothing is acknowledged from then on.
    broken: Option<Error>,
}

impl LogWriter {
    /// Starts a file of `timeline` at `start`: the first of a log, or the first of a timeline.
    ///
    /// # Errors
    /// `Io` or `NoSpace` when the file cannot be made durable.
    pub fn start(world: &World, dir: &Path, timeline: Timeline, start: Lsn) -> Result<Self> {
        let name = LogFileName { start, timeline };
        let file = start_file(world, dir, name)?;
        Ok(LogWriter {
            world: world.clone(),
            dir: dir.to_path_buf(),
            name,
            file,
            end: start,
            durable: start,
            file_len: LOG_FILE_LEN_FIRST,
            laid_out: name.header_len(),
            broken: None,
        })
    }

    /// Goes on at the end of a log that was scanned and repaired.
    ///
    /// # Errors
    /// `Io` when the file cannot be opened.
    ///
    /// # Panics
    /// When the log has no file.
    pub fn resume(world: &World, dir: &Path, end: &LogEnd) -> Result<Self> {
        let name = end.file.expect("a log that goes on has a file");
        let file = world.fs.open(&name.path(dir), OpenMode::ReadWrite)?;
        let laid_out = file.len()?;
        let file_len = (end.lsn - name.start).next_power_of_two().clamp(LOG_FILE_LEN_FIRST, LOG_FILE_LEN_MAX);
        Ok(LogWriter {
            world: world.clone(),
            dir: dir.to_path_buf(),
            name,
            file,
            end: end.lsn,
            durable: end.lsn,
            file_len,
            laid_out,
            broken: None,
        })
    }

    /// Gives the position behind the last appended record.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.end
    }

    /// Gives the position up to which everything is synced.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// Gives the timeline that is being written.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        self.name.timeline
    }

    /// Gives what broke the log, if something did.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.broken.clone()
    }

    /// Says whether the file has reached its length and the next record belongs into a new one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.end - self.name.start >= self.file_len
    }

    /// Appends a record; it is durable only after [`LogWriter::sync`]. Gives its bytes as they lie in the file.
    ///
    /// # Errors
    /// `NoSpace` when the disk is full (what was written of it is cut off again, and a later append may succeed), `Io` otherwise.
    pub fn append(&mut self, draft: &RecordDraft, commit_time: CommitTime) -> Result<Vec<u8>> {
        self.check_usable()?;
        let mut bytes = Vec::with_capacity(draft.record_len());
        draft.encode(self.end, commit_time, self.durable, self.name.timeline, &mut bytes);
        let offset = self.name.offset(self.end);
        if let Err(error) = self.file.write_all_at(&bytes, offset) {
            return Err(self.cut_after(error.into()));
        }
        self.end += bytes.len() as u64;
        assert!(self.end.is_multiple_of(RECORD_ALIGN as u64), "records keep the alignment");
        self.lay_out_ahead();
        Ok(bytes)
    }

    /// Appends records as they were written once, and that this log lost: they are durable when this returns.
    ///
    /// # Errors
    /// `Corrupt` when they are not the records of this timeline that come next, `Io` or `NoSpace`.
    pub fn append_lost(&mut self, records: &Bytes) -> Result<()> {
        self.check_usable()?;
        let start = self.end;
        while self.end < start + records.len() as u64 {
            let record = Record::parse(records.slice((self.end - start) as usize..), self.end)?;
            record.verify()?;
            if record.head.lineage != self.name.timeline {
                let error = Error::corrupt("a record of another timeline was to be appended").with_offset(self.end);
                return Err(error.with_expected(self.name.timeline, record.head.lineage));
            }
            let (bytes, offset) = (&records[(self.end - start) as usize..][..record.head.record_len], self.name.offset(self.end));
            if let Err(error) = self.file.write_all_at(bytes, offset) {
                return Err(self.cut_after(error.into()));
            }
            self.end = record.head.end();
        }
        assert_eq!(self.end, start + records.len() as u64, "whole records were appended");
        self.sync()
    }

    /// Writes zeros behind the record that reached the end of what is laid out, as many as the file holds already: the syncs of the records
    /// that follow change no metadata, and take half the time. They become durable with the record.
    fn lay_out_ahead(&mut self) {
        let (reached, held) = (self.name.offset(self.end), self.end - self.name.start);
        if reached <= self.laid_out || held < AHEAD_MIN {
            return;
        }
        let to = (reached + held.min(AHEAD_MAX)).min(self.name.offset(self.name.start + self.file_len).max(reached));
        let zeros = vec![0; CHUNK.min((to - reached) as usize)];
        let mut at = reached;
        while at < to {
            let step = (to - at).min(CHUNK as u64);
            if self.file.write_all_at(&zeros[..step as usize], at).is_err() {
                // Only speed is lost; a device that fails says so again at the sync of the record.
                break;
            }
            at += step;
        }
        self.laid_out = at;
    }

    /// Removes what a failed append left behind the end; when that fails too, the log is broken until it is opened again.
    fn cut_after(&mut self, error: Error) -> Error {
        let cut = self.file.set_len(self.name.offset(self.end));
        self.laid_out = self.name.offset(self.end);
        if cut.is_err() || error.kind != ErrorKind::NoSpace {
            self.broken = Some(error.clone());
        }
        error
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// `Io` when the sync fails. It is never tried again: the log stays broken until it is opened anew, which writes the bytes again.
    pub fn sync(&mut self) -> Result<()> {
        self.check_usable()?;
        if self.durable == self.end {
            return Ok(());
        }
        if let Err(error) = self.file.sync_data() {
            let error = Error::from(error).with_hint("nothing of the last writes was acknowledged; check the disk, then start again");
            self.broken = Some(error.clone());
            return Err(error);
        }
        self.durable = self.end;
        Ok(())
    }

    /// Takes back records that were appended and not synced.
    ///
    /// # Panics
    /// When the position was synced already or is not behind.
    pub fn take_back(&mut self, end: Lsn) {
        assert!(end >= self.durable && end <= self.end, "only unsynced records are taken back");
        if end < self.end {
            self.end = end;
            self.laid_out = self.name.offset(end);
            if let Err(error) = self.file.set_len(self.name.offset(end)) {
                self.broken = Some(error.into());
            }
        }
    }

    fn check_usable(&self) -> Result<()> {
        match &self.broken {
            None => Ok(()),
            Some(cause) => Err(Error::new(ErrorKind::Io, format!("the log takes no writes after a failure: {cause}"))
                .with_file(&self.name.path(&self.dir))
                .with_hint("start the process again; recovery keeps every acknowledged write")),
        }
    }

    /// Seals the file and begins the next one; `None` when the file holds no record yet.
    ///
    /// # Errors
    /// `Io` or `NoSpace`; a full disk leaves the old file in use.
    pub fn roll(&mut self) -> Result<Option<SealedName>> {
        self.sync()?;
        if self.end == self.name.start {
            return Ok(None);
        }
        let sealed = SealedName { name: self.name, end: self.end };
        let next = LogFileName { start: self.end, timeline: self.name.timeline };
        let file_len = (self.file_len * 2).min(LOG_FILE_LEN_MAX);
        let cut = self.file.set_len(self.name.offset(self.end)).and_then(|()| self.file.sync_all());
        if let Err(error) = cut {
            let error = Error::from(error);
            self.broken = Some(error.clone());
            return Err(error);
        }
        self.file = start_file(&self.world, &self.dir, next).map_err(|error| self.go_back_from(next, error))?;
        (self.name, self.file_len, self.laid_out) = (next, file_len, next.header_len());
        assert_eq!(self.durable, next.start, "a new file begins where everything is synced");
        Ok(Some(sealed))
    }

    /// Stays in the old file when the next one could not be started; where its name is taken already, a record in the old file would contradict it.
    fn go_back_from(&mut self, next: LogFileName, error: Error) -> Error {
        let is_absent = matches!(self.world.fs.metadata(&next.path(&self.dir)), Ok(None));
        if !is_absent {
            self.broken = Some(error.clone());
        }
        error
    }

    /// Says by a record of its own that everything before is synced, so that later damage is not taken for a torn tail.
    ///
    /// # Errors
    /// As append and sync.
    pub fn mark_durable(&mut self, commit_time: CommitTime) -> Result<()> {
        self.sync()?;
        self.append(&RecordDraft::new(RecordKind::Durable, 0), commit_time)?;
        self.sync()
    }
}

impl LogWriter {
    /// Closes the log: says that everything is synced, and gives back the room laid out ahead.
    ///
    /// # Errors
    /// As append and sync.
    pub fn close(&mut self, clock: &CommitClock) -> Result<()> {
        self.mark_durable(clock.next())?;
        self.file.set_len(self.name.offset(self.end))?;
        Ok(())
    }
}

/// Creates a log file with its header, durably and under its final name last.
pub(super) fn start_file(world: &World, dir: &Path, name: LogFileName) -> Result<Arc<dyn File>> {
    let (path, starting) = (name.path(dir), dir.join(STARTING));
    if world.fs.metadata(&starting)?.is_some() {
        world.fs.remove_file(&starting)?;
    }
    let file = world.fs.open(&starting, OpenMode::CreateNew)?;
    file.write_all_at(&name.header(), 0)?;
    file.sync_all()?;
    drop(file);
    world.fs.rename(&starting, &path)?;
    if !world.known_bad.rename_without_dir_sync {
        world.fs.sync_dir(dir)?;
    }
    Ok(world.fs.open(&path, OpenMode::ReadWrite)?)
}

/// Removes temporaries that an earlier process left.
///
/// # Errors
/// `Io` when one cannot be removed.
pub fn remove_leftovers(world: &World, dir: &Path) -> Result<()> {
    for entry in world.fs.list(dir)?.iter().filter(|entry| entry.name.ends_with(".tmp")) {
        world.fs.remove_file(&dir.join(&entry.name))?;
    }
    Ok(())
}
