//! Which bytes of a sealed log file are on the local disk while the rest lies elsewhere, and how the others come.
//!
//! A lazy file has its full length and its final name, and holes where nothing was brought yet. Nothing of it is believed because it is
//! there: after a start every block counts as absent until it was fetched again. A block that was brought is written to the file once and
//! never again, so that bytes that a reader holds, or has checked, do not change under him. Where the file cannot be written (a reader beside
//! a writer, a full disk), where the mapping does not show what was written, and where a block turned out to be bad, blocks are kept in memory.

mod blocks;
pub mod fetch;
mod finish;
mod lazy_file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use platform::fs::{File, Mapping};

pub use lazy_file::{LazyFile, LazySource};

use super::writer::SealedName;
use crate::error::{Error, Result};
use crate::ids::{Lsn, Timeline};
use blocks::Pins;

/// Bytes that are brought and remembered as one.
pub const BLOCK: u64 = 64 << 10;
/// Blocks that are brought at least where reading goes on behind bytes that are here.
const AHEAD: usize = 4;
/// Blocks that are brought although nobody asked, rather than asking twice.
const GAP: usize = 1;
/// Most bytes that are asked for at once.
pub const RUN_MAX: u64 = 8 << 20;

/// The block was written to the file.
const WRITTEN: u8 = 1;
/// The mapping shows what was written.
const SHOWN: u8 = 2;
/// What was written was not what belongs there; the file gets other bytes only by being written anew.
const BAD: u8 = 4;

/// Where the bytes of a log come from that are not on the local disk.
pub trait RangeSource: Send + Sync + Debug {
    /// Gives the record bytes of a stretch of a timeline's log, `from` to `to`, both multiples of 64. What comes is checked by whoever asks.
    ///
    /// # Errors
    /// `Unreachable` when the place does not answer, `Incomplete` or `NotFound` when it does not have them.
    fn fetch(&self, timeline: Timeline, from: Lsn, to: Lsn) -> Result<Bytes>;

    /// Says how many may ask at the same time.
    fn lanes(&self) -> usize {
        4
    }
}

/// Says where records begin, from what is known locally.
pub trait RecordGuide: Send + Sync + Debug {
    /// Gives the position of a record that begins at or before `lsn`, the nearer the better; `None` when none is known.
    fn record_before(&self, lsn: Lsn) -> Option<Lsn>;
}

/// Bytes of a lazy file: in the file and mapped, or in memory.
pub(super) enum Piece<'a> {
    Shown(&'a [u8]),
    Loose(Bytes),
}

impl Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Piece::Shown(bytes) => bytes,
            Piece::Loose(bytes) => bytes,
        }
    }
}

/// The blocks of one lazy file.
#[derive(Debug)]
pub struct Residency {
    sealed: SealedName,
    source: Arc<dyn RangeSource>,
    map: Mapping,
    /// `None` for who may not write.
    file: Option<Arc<dyn File>>,
    states: Box<[AtomicU8]>,
    /// Blocks in memory, as they came.
    loose: Mutex<BTreeMap<usize, Bytes>>,
    /// Stretches in memory that were checked and are lent out.
    pins: Box<[Pins]>,
    /// One writes at a time.
    writing: Mutex<()>,
    /// Whether the file must be written anew as a whole.
    spoiled: AtomicBool,
}

impl Residency {
    pub(super) fn new(sealed: SealedName, source: Arc<dyn RangeSource>, map: Mapping, file: Option<Arc<dyn File>>) -> Self {
        let blocks = (sealed.end - sealed.name.start).div_ceil(BLOCK) as usize;
        assert!(map.len() as u64 >= sealed.name.offset(sealed.end), "a lazy file has its full length");
        Residency {
            sealed,
            source,
            map,
            file,
            states: (0..blocks).map(|_| AtomicU8::new(0)).collect(),
            loose: Mutex::new(BTreeMap::new()),
            pins: (0..blocks).map(|_| Pins::default()).collect(),
            writing: Mutex::new(()),
            spoiled: AtomicBool::new(false),
        }
    }

    /// Numbers the blocks that hold a stretch.
    fn blocks(&self, range: &Range<Lsn>) -> Range<usize> {
        assert!(range.start >= self.sealed.name.start && range.end <= self.sealed.end, "a stretch lies in its file");
        let relative = |lsn: Lsn| lsn - self.sealed.name.start;
        (relative(range.start) / BLOCK) as usize..relative(range.end).div_ceil(BLOCK) as usize
    }

    /// Gives the positions of some blocks.
    fn span(&self, blocks: &Range<usize>) -> Range<Lsn> {
        let start = self.sealed.name.start;
        start + blocks.start as u64 * BLOCK..(start + blocks.end as u64 * BLOCK).min(self.sealed.end)
    }

    fn state(&self, block: usize) -> u8 {
        self.states[block].load(Ordering::Acquire)
    }

    fn is_shown(&self, block: usize) -> bool {
        self.state(block) & (SHOWN | BAD) == SHOWN
    }

    fn mapped(&self, range: &Range<Lsn>) -> &[u8] {
        let from = self.sealed.name.offset(range.start) as usize;
        &self.map[from..from + (range.end - range.start) as usize]
    }

    /// Gives a stretch as it lies in the file; `None` when not all of it is there.
    pub(super) fn shown(&self, range: &Range<Lsn>) -> Option<&[u8]> {
        self.blocks(range).all(|block| self.is_shown(block)).then(|| self.mapped(range))
    }

    /// Gives a stretch as it lies in the file, of which only some places must be there; `None` when they are not.
    pub(super) fn shown_bytes(&self, range: &Range<Lsn>, places: &[Range<Lsn>]) -> Option<Bytes> {
        let from = self.sealed.name.offset(range.start) as usize;
        let all = places.iter().all(|place| self.shown(place).is_some());
        all.then(|| self.map.bytes(from..from + (range.end - range.start) as usize))
    }

    /// Gives a stretch that was checked before and is kept in memory.
    pub(super) fn pinned(&self, range: &Range<Lsn>) -> Option<&[u8]> {
        self.pins[self.blocks(range).start].find(range)
    }

    /// Keeps a checked stretch for as long as the file is open.
    pub(super) fn pin(&self, range: Range<Lsn>, bytes: Bytes) -> &[u8] {
        assert_eq!(bytes.len() as u64, range.end - range.start, "a stretch is pinned with its bytes");
        // A vector that begins in a later block of the stretch is looked up there.
        let blocks = self.blocks(&range);
        for block in blocks.clone().skip(1) {
            self.pins[block].push(range.clone(), bytes.clone());
        }
        self.pins[blocks.start].push(range, bytes)
    }

    /// Gives a stretch, wherever it is now; `None` when not all of it is here.
    fn have(&self, range: &Range<Lsn>) -> Option<Piece<'_>> {
        if let Some(bytes) = self.shown(range) {
            return Some(Piece::Shown(bytes));
        }
        let loose = self.loose.lock();
        let mut blocks = self.blocks(range);
        let within = |block: usize| {
            let span = self.span(&(block..block + 1));
            let part = range.start.max(span.start)..range.end.min(span.end);
            ((part.start - span.start) as usize..(part.end - span.start) as usize, part)
        };
        if blocks.len() == 1 {
            return loose.get(&blocks.start).map(|bytes| Piece::Loose(bytes.slice(within(blocks.start).0)));
        }
        let mut all = Vec::with_capacity((range.end - range.start) as usize);
        let whole = blocks.all(|block| {
            let (place, part) = within(block);
            match loose.get(&block) {
                Some(bytes) => all.extend_from_slice(&bytes[place]),
                None if self.is_shown(block) => all.extend_from_slice(self.mapped(&part)),
                None => return false,
            }
            true
        });
        whole.then(|| Piece::Loose(Bytes::from(all)))
    }

    /// Gives a stretch, fetching what is missing.
    ///
    /// # Errors
    /// Those of the source; `Corrupt` when it gives another number of bytes than asked for.
    pub(super) fn piece(&self, range: &Range<Lsn>) -> Result<Piece<'_>> {
        loop {
            if let Some(piece) = self.have(range) {
                return Ok(piece);
            }
            // Another thread may find what came to be bad before it is read here: then it comes again.
            for run in self.missing(std::slice::from_ref(range)) {
                let bytes = self.fetch(&run)?;
                self.take_in(&run, &bytes);
            }
        }
    }

    /// Lists what must be fetched for some stretches, as few runs of whole blocks.
    pub(super) fn missing(&self, ranges: &[Range<Lsn>]) -> Vec<Range<Lsn>> {
        let loose = self.loose.lock();
        let is_here = |block: usize| self.is_shown(block) || loose.contains_key(&block);
        let absent: BTreeSet<usize> = ranges.iter().flat_map(|range| self.blocks(range)).filter(|&block| !is_here(block)).collect();
        let mut runs: Vec<Range<usize>> = Vec::new();
        for block in absent {
            match runs.last_mut().filter(|run| block <= run.end + GAP && (block + 1 - run.start) as u64 * BLOCK <= RUN_MAX) {
                Some(run) => run.end = block + 1,
                None => runs.push(block..block + 1),
            }
        }
        for run in &mut runs {
            // Whoever goes on where bytes end that are here reads in order.
            if run.start > 0 && is_here(run.start - 1) {
                let ahead = (run.end..(run.start + AHEAD).min(self.states.len())).take_while(|&block| !is_here(block)).count();
                run.end += ahead;
            }
        }
        runs.iter().map(|run| self.span(run)).collect()
    }

    /// Fetches a run; nothing is remembered of it.
    ///
    /// # Errors
    /// As [`RangeSource::fetch`]; `Corrupt` when another number of bytes comes than was asked for.
    pub(super) fn fetch(&self, run: &Range<Lsn>) -> Result<Bytes> {
        let timeline = self.sealed.name.timeline;
        let bytes = self.source.fetch(timeline, run.start, run.end)?;
        if bytes.len() as u64 == run.end - run.start {
            return Ok(bytes);
        }
        Err(Error::corrupt("the archive gave another number of bytes of the log than it was asked for")
            .with_object(format!("timeline {timeline}, positions {} to {}", run.start, run.end))
            .with_expected(run.end - run.start, bytes.len()))
    }

    /// Takes in a run that was fetched: into the file if that works and shows, into memory otherwise.
    pub(super) fn take_in(&self, run: &Range<Lsn>, bytes: &Bytes) {
        // A disk that is full, or fails, does not keep a search from its answer.
        let _ = self.write(run, bytes);
        let mut loose = self.loose.lock();
        for block in self.blocks(run).filter(|&block| !self.is_shown(block)) {
            let span = self.span(&(block..block + 1));
            loose.insert(block, bytes.slice((span.start - run.start) as usize..(span.end - run.start) as usize));
        }
    }

    /// Writes a run of whole blocks to the file, those that were never written.
    ///
    /// # Errors
    /// `Io` or `NoSpace`; blocks whose writing failed count as absent.
    pub(super) fn write(&self, run: &Range<Lsn>, bytes: &Bytes) -> Result<()> {
        assert_eq!(bytes.len() as u64, run.end - run.start, "a run comes with its bytes");
        let Some(file) = &self.file else { return Ok(()) };
        let _one_at_a_time = self.writing.lock();
        let blocks = self.blocks(run);
        assert_eq!(self.span(&blocks), *run, "a run is whole blocks");
        let mut at = blocks.start;
        while at < blocks.end {
            let end = (at..blocks.end).find(|&block| self.state(block) & (WRITTEN | BAD) != 0).unwrap_or(blocks.end);
            if end == at {
                at += 1;
                continue;
            }
            let span = self.span(&(at..end));
            let part = &bytes[(span.start - run.start) as usize..(span.end - run.start) as usize];
            file.write_all_at(part, self.sealed.name.offset(span.start))?;
            // Not every system, and no simulated disk, shows in a mapping what is written to its file.
            let set = if self.mapped(&span) == part { WRITTEN | SHOWN } else { WRITTEN };
            for state in &self.states[at..end] {
                state.fetch_or(set, Ordering::Release);
            }
            at = end;
        }
        Ok(())
    }

    /// Notes that what came for a stretch is not what belongs there: it is fetched again when it is needed next.
    pub(super) fn doubt(&self, range: &Range<Lsn>) {
        let _nobody_writes = self.writing.lock();
        let mut loose = self.loose.lock();
        for block in self.blocks(range) {
            loose.remove(&block);
            if self.state(block) & WRITTEN != 0 {
                self.states[block].fetch_or(BAD, Ordering::AcqRel);
                self.spoil();
            }
        }
    }

    /// Notes that the file must be written anew as a whole before it is believed.
    pub(super) fn spoil(&self) {
        self.spoiled.store(true, Ordering::Release);
    }

    pub(super) fn is_spoiled(&self) -> bool {
        self.spoiled.load(Ordering::Acquire)
    }

    /// Finds the next run that the file does not hold, at most `max` bytes long.
    pub(super) fn next_unwritten(&self, max: u64) -> Option<Range<Lsn>> {
        let is_absent = |block: &usize| self.state(*block) & (WRITTEN | BAD) == 0;
        let start = (0..self.states.len()).find(is_absent)?;
        let most = (max / BLOCK).max(1) as usize;
        let count = (start..self.states.len()).take(most).take_while(is_absent).count();
        Some(self.span(&(start..start + count)))
    }

    /// Gives the number of bytes that the file does not hold yet.
    pub(super) fn unwritten_bytes(&self) -> u64 {
        let absent = (0..self.states.len()).filter(|&block| self.state(block) & (WRITTEN | BAD) != WRITTEN);
        absent.map(|block| self.span(&(block..block + 1))).map(|span| span.end - span.start).sum()
    }
}
