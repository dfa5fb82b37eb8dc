//! Reads a log from a position to its end and decides where that is: the last whole operation, a torn tail, or corruption.
//!
//! Rule S4: a bad record is corruption when a valid record behind it proves that it was synced, and a torn tail otherwise.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use platform::KnownBad;
use platform::fs::{File, FileSystem, OpenMode};

use super::file::{self, LogFileName};
use super::record::{FIXED_HEAD_LEN, RECORD_ALIGN, RECORD_LEN_MAX, Record, RecordHead, RecordKind};
use crate::codec::reader::u32_at;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{CommitTime, Lsn};

/// Bytes fetched at once.
const WINDOW: usize = 1 << 20;

/// Where a log ends and what is known about its end.
#[derive(Debug, Clone)]
pub struct LogEnd {
    /// First position behind the last whole operation.
    pub lsn: Lsn,
    /// Everything below was synced, as later records prove.
    pub proven: Lsn,
    /// Whether the last record says that everything is synced: the writer closed it, or was idle.
    pub clean: bool,
    /// Bytes behind the end that a crash left: `lsn` to here, to be zeroed before the next append.
    pub torn_to: Lsn,
    /// Commit time of the last operation.
    pub commit_time: CommitTime,
    /// The file that holds the end; `None` in an empty directory.
    pub file: Option<LogFileName>,
}

/// The records of a log from a position on.
#[derive(Debug)]
pub struct Scan {
    /// Whole operations only, every byte checked.
    pub records: Vec<Arc<Record>>,
    /// Where they end.
    pub end: LogEnd,
}

/// What a scan needs to know besides the files.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanOptions {
    /// Position from which records are read.
    pub from: Lsn,
    /// Below this a bad record is corruption whatever follows: it was archived.
    pub archived: Lsn,
    /// Positions at and behind this are not looked at (`None`: to the end).
    pub until: Option<Lsn>,
    /// Deliberate mistakes of the crash suite.
    pub known_bad: KnownBad,
}

/// Scans the log in a directory.
///
/// # Errors
/// `Corrupt` with file and offset when a synced record is bad or a file of the chain is missing, `NewerFormat` when a later version wrote it.
pub fn scan(fs: &dyn FileSystem, dir: &Path, options: ScanOptions) -> Result<Scan> {
    let names = file::list(fs, dir)?;
    let mut scanner = Scanner::new(fs, dir, names, options)?;
    scanner.run()?;
    scanner.finish()
}

struct Scanner<'a> {
    fs: &'a dyn FileSystem,
    dir: &'a Path,
    names: Vec<LogFileName>,
    options: ScanOptions,
    records: Vec<Arc<Record>>,
    /// Records of `records` that belong to whole operations.
    whole: usize,
    end: LogEnd,
    /// A position that was read twice: a writer may have finished the record in between.
    read_again: Option<Lsn>,
}

impl<'a> Scanner<'a> {
    fn new(fs: &'a dyn FileSystem, dir: &'a Path, names: Vec<LogFileName>, options: ScanOptions) -> Result<Self> {
        let first = names.partition_point(|name| name.start <= options.from).saturating_sub(1);
        let names = names[first.min(names.len())..].to_vec();
        if let Some(name) = names.first().filter(|name| name.start > options.from) {
            return Err(Error::corrupt("log files are missing before this one")
                .with_file(&name.path(dir))
                .with_expected(options.from, name.start)
                .with_hint("restore the collection from a backup"));
        }
        let end = LogEnd {
            lsn: options.from,
            proven: names.last().map_or(options.from, |name| name.start).min(options.from),
            clean: false,
            torn_to: options.from,
            commit_time: 0,
            file: names.last().copied(),
        };
        Ok(Scanner { fs, dir, names, options, records: Vec::new(), whole: 0, end, read_again: None })
    }

    fn run(&mut self) -> Result<()> {
        for index in 0..self.names.len() {
            let (name, next) = (self.names[index], self.names.get(index + 1).copied());
            if self.options.until.is_some_and(|until| name.start >= until) {
                break;
            }
            let path = name.path(self.dir);
            let file = self.fs.open(&path, OpenMode::Read)?;
            name.check_header(&*file)?;
            let mut window = Window::new(&*file, name)?;
            let stopped = self.run_file(&mut window, next)?;
            self.end.file = Some(name);
            if stopped {
                break;
            }
        }
        Ok(())
    }

    /// Reads one file from the current position; gives whether the log ends in it.
    fn run_file(&mut self, window: &mut Window<'_>, next: Option<LogFileName>) -> Result<bool> {
        let mut at = self.records.last().map_or(self.options.from, |record| record.head.end()).max(window.name.start);
        loop {
            if self.options.until.is_some_and(|until| at >= until) {
                return Ok(true);
            }
            if let Some(next) = next.filter(|next| at >= next.start) {
                if at != next.start {
                    return Err(Error::corrupt("the next log file does not continue this one")
                        .with_file(&next.path(self.dir))
                        .with_expected(at, next.start));
                }
                // The next file was created after this one was synced.
                self.end.proven = self.end.proven.max(next.start);
                return Ok(false);
            }
            match window.record(at) {
                Ok(record) => {
                    at = record.head.end();
                    self.accept(record).map_err(|error| error.with_file(&window.path()))?;
                }
                Err(error) if error.kind == ErrorKind::NewerFormat => {
                    return Err(error.with_file(&window.path()).with_offset(window.name.offset(at)));
                }
                Err(error) => match self.stop_or_skip(window, at, next, error)? {
                    Some(resume) => at = resume,
                    None => return Ok(true),
                },
            }
        }
    }

    fn accept(&mut self, record: Record) -> Result<()> {
        let head = &record.head;
        if head.commit_time < self.end.commit_time {
            return Err(Error::corrupt("commit times fall along the log")
                .with_offset(head.lsn)
                .with_expected(format!("{} or later", self.end.commit_time), head.commit_time));
        }
        self.end.commit_time = head.commit_time;
        self.end.proven = self.end.proven.max(head.durable_lsn);
        self.end.clean = head.kind == RecordKind::Durable;
        let whole = !head.more_follows;
        self.end.torn_to = head.end();
        self.records.push(Arc::new(record));
        if whole {
            self.whole = self.records.len();
            self.end.lsn = self.end.torn_to;
        }
        Ok(())
    }

    /// Decides what a bad record at `at` means. Gives where to go on (only a deliberate mistake does), or `None` when the log ends here.
    fn stop_or_skip(&mut self, window: &mut Window<'_>, at: Lsn, next: Option<LogFileName>, error: Error) -> Result<Option<Lsn>> {
        let rest = window.survey(at)?;
        let bad = self.options.known_bad;
        let corrupt = || {
            let offset = window.name.offset(at);
            error
                .clone()
                .with_file(&window.path())
                .with_offset(offset)
                .with_hint("the record was synced, so this is damage, not a crash; restore the collection from a backup")
        };
        if bad.always_cut {
            self.end.torn_to = rest.garbage_to;
            return Ok(None);
        }
        if bad.skip_bad_record && rest.next_valid.is_some() {
            return Ok(rest.next_valid);
        }
        let proven = next.is_some() || rest.durable_max > at || at < self.options.archived;
        if proven && self.read_again != Some(at) {
            // A reader may have seen half of a record that the writer finished and synced since.
            self.read_again = Some(at);
            window.forget()?;
            return Ok(Some(at));
        }
        if proven || (bad.valid_after_bad_is_corruption && rest.next_valid.is_some()) {
            return Err(corrupt());
        }
        self.end.clean &= rest.garbage_to <= at;
        self.end.torn_to = self.end.torn_to.max(rest.garbage_to);
        Ok(None)
    }

    fn finish(mut self) -> Result<Scan> {
        self.end.clean &= self.whole == self.records.len();
        self.records.truncate(self.whole);
        self.end.commit_time = self.records.last().map_or(0, |record| record.head.commit_time);
        // A writer syncs whole operations: half of one that was synced, or even archived, is no crash's doing.
        let archived = if self.options.until.is_none() { self.options.archived } else { 0 };
        let proven = self.end.proven.max(archived);
        if proven > self.end.lsn && self.options.known_bad == KnownBad::default() {
            let error = Error::corrupt("an operation that was synced is not whole").with_offset(self.end.lsn);
            return Err(error.with_expected(format!("records up to position {proven} at least"), self.end.lsn));
        }
        Ok(Scan { records: self.records, end: self.end })
    }
}

/// What lies behind a bad record in its file.
struct Survey {
    /// First valid record.
    next_valid: Option<Lsn>,
    /// Largest `durable_lsn` of a valid record.
    durable_max: Lsn,
    /// Position behind the last byte that is not zero.
    garbage_to: Lsn,
}

/// A file read through a sliding buffer.
struct Window<'a> {
    file: &'a dyn File,
    name: LogFileName,
    len: u64,
    start: u64,
    bytes: Bytes,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn File, name: LogFileName) -> Result<Self> {
        Ok(Window { file, name, len: file.len()?, start: 0, bytes: Bytes::new() })
    }

    fn path(&self) -> PathBuf {
        self.file.path().to_path_buf()
    }

    /// Drops what was fetched, so that the file is read again.
    fn forget(&mut self) -> Result<()> {
        self.bytes = Bytes::new();
        self.len = self.file.len()?;
        Ok(())
    }

    /// Gives up to `len` bytes at a file offset; fewer at the end of the file.
    fn fetch(&mut self, offset: u64, len: usize) -> Result<Bytes> {
        let available = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX).min(len);
        let inside = !self.bytes.is_empty() && offset >= self.start && offset + available as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            let want = available.max(WINDOW).min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX));
            let mut buffer = vec![0; want];
            let read = file::read_up_to(self.file, &mut buffer, offset)?;
            buffer.truncate(read);
            (self.start, self.bytes) = (offset, Bytes::from(buffer));
        }
        let from = (offset - self.start) as usize;
        Ok(self.bytes.slice(from.min(self.bytes.len())..(from + available).min(self.bytes.len())))
    }

    /// Reads and checks the whole record at a position.
    fn record(&mut self, at: Lsn) -> Result<Record> {
        let offset = self.name.offset(at);
        let fixed = self.fetch(offset, FIXED_HEAD_LEN)?;
        let Some((record_len, _)) = RecordHead::claimed_lens(&fixed) else {
            return Err(Error::corrupt("no record begins here").with_expected("the head of a record", "other bytes"));
        };
        let record = Record::parse(self.fetch(offset, record_len)?, at)?;
        if record.head.lineage != self.name.timeline {
            return Err(Error::corrupt("a record of another timeline lies here").with_expected(self.name.timeline, record.head.lineage));
        }
        record.verify()?;
        Ok(record)
    }

    /// Looks at everything behind a bad record at `at`.
    fn survey(&mut self, at: Lsn) -> Result<Survey> {
        let mut survey = Survey { next_valid: None, durable_max: 0, garbage_to: at };
        let mut offset = self.name.offset(at);
        while offset < self.len {
            let chunk = self.fetch(offset, WINDOW)?;
            if chunk.is_empty() {
                break;
            }
            if let Some(last) = chunk.iter().rposition(|&b| b != 0) {
                survey.garbage_to = at + (offset - self.name.offset(at)) + last as u64 + 1;
                self.survey_chunk(at, offset, &chunk, &mut survey)?;
            }
            offset += chunk.len() as u64;
        }
        survey.garbage_to = survey.garbage_to.next_multiple_of(RECORD_ALIGN as u64);
        Ok(survey)
    }

    fn survey_chunk(&mut self, at: Lsn, offset: u64, chunk: &Bytes, survey: &mut Survey) -> Result<()> {
        assert!(offset >= self.name.offset(at), "a survey looks behind the bad record");
        for step in (0..chunk.len().saturating_sub(4)).step_by(RECORD_ALIGN) {
            if u32_at(chunk, step) != super::record::RECORD_MAGIC {
                continue;
            }
            let lsn = at + (offset - self.name.offset(at)) + step as u64;
            if lsn == at {
                continue;
            }
            if let Some(head) = self.valid_head(lsn)? {
                survey.next_valid.get_or_insert(lsn);
                survey.durable_max = survey.durable_max.max(head.durable_lsn);
            }
        }
        Ok(())
    }

    /// Reads the head of a candidate without moving the window; `None` when it is not one of this timeline.
    fn valid_head(&self, lsn: Lsn) -> Result<Option<RecordHead>> {
        let mut fixed = vec![0; FIXED_HEAD_LEN];
        let offset = self.name.offset(lsn);
        let read = file::read_up_to(self.file, &mut fixed, offset)?;
        let Some((_, head_len)) = RecordHead::claimed_lens(&fixed[..read]).filter(|lens| lens.1 <= RECORD_LEN_MAX) else { return Ok(None) };
        // What claims to be a head is read whole only when its first part is one: garbage full of claims would cost its square otherwise.
        let Some(table_len) = RecordHead::table_len(&fixed, lsn, self.name.timeline) else { return Ok(None) };
        let mut table = vec![0; table_len];
        let read = file::read_up_to(self.file, &mut table, offset)?;
        if read < table_len || !RecordHead::table_is_whole(&table) {
            return Ok(None);
        }
        let mut bytes = vec![0; head_len];
        let read = file::read_up_to(self.file, &mut bytes, offset)?;
        let head = RecordHead::parse(&bytes[..read], lsn).ok();
        Ok(head.filter(|head| head.lineage == self.name.timeline))
    }
}
