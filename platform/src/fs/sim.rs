//! A disk in memory that keeps durable and volatile bytes apart, fills up, rots and loses power.
//!
//! One seed and the same calls give the same run: [`SimDisk::trace_hash`] covers every call and
//! its result.
//!
//! What it injects:
//! - power cuts that keep any subset of the unsynced sectors, earlier unsynced versions of a sector
//!   included, and any of the lengths that an unsynced file has had (F2, F3, F13, F14);
//! - loss of the names created, renamed and removed since the last sync of their directory (F11);
//! - a process kill, after which the page cache lives on and every handle and lock is gone (F1);
//! - a cut at the n-th change, in the middle of a write, also during recovery (F4, F5);
//! - failing syncs, once or for ever, that leave the bytes marked clean and unwritten (F6 to F9);
//! - a full disk with short writes, and room that comes back (F23, F24, F36, F38);
//! - a device that acknowledges a flush and does not do it (F28);
//! - read-only media; flipped bits, cut and vanished files (F12, F15, F16, F17, F21).
//!
//! What it does not inject, and why:
//! - a sector torn in itself: the devices that we build on write 512 bytes in one piece, and the
//!   checksums of every format are tested against single flipped bits anyway;
//! - read errors: they reach the reader as a failed call and leave nothing behind; the tests of the
//!   readers use rotten bytes, which is the harder case;
//! - slow and stalled devices (F27): time is the clock's, not the disk's;
//! - misdirected writes (F18): a test builds them from two files and a copy of their blocks;
//! - a move between directories that leaves both names or none: no journaling file system does it;
//! - interruptions and descriptor limits (F25): nothing above the file layer ever sees the first,
//!   and the second is an ordinary error of `open`.
//!
//! Lengths count as used space, holes included: an extension beyond the capacity fails at once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{FileSystem, IoError};
use crate::clock::SimClock;
use crate::random::Stream;

mod content;
mod handles;
mod trace;
mod tree;

pub use content::SECTOR;

use content::{Content, Survival};
use handles::SimFileSystem;
use trace::Trace;
use tree::{Names, Node, Tree};

/// What survives of the changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashKeep {
    /// Nothing: the kindest cache, the harshest cut.
    Nothing,
    /// Everything: the process was killed and the machine went on.
    Everything,
    /// Any subset of sectors, any length that a file has had, and the first so many changes of
    /// names in the order in which they were made.
    Random,
}

/// Which syncs fail from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncFault {
    /// None.
    None,
    /// The next one.
    Once,
    /// The n-th from now, counted from 1, and every one after it.
    From(u64),
}

/// A simulated disk; clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// Everything that one lock guards.
#[derive(Debug)]
struct State {
    tree: Tree,
    stream: Stream,
    trace: Trace,
    /// Rises at each crash: handles of an earlier boot are dead.
    boot: u64,
    power_is_off: bool,
    /// How many more changes succeed before the power goes.
    changes_left: Option<u64>,
    changes: u64,
    capacity: Option<u64>,
    read_only: bool,
    sync_fault: SyncFault,
    lies_on_sync: bool,
    /// Holders by file: -1 for an exclusive one, else the number of shared ones.
    locks: BTreeMap<u64, i64>,
    clock: Option<SimClock>,
}

/// The cause inside of the error that every call gives between a power cut and the next boot.
#[derive(Debug)]
struct PowerCut;

impl std::fmt::Display for PowerCut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("simulated power cut (handles and file systems from before it are dead)")
    }
}

impl std::error::Error for PowerCut {}

/// Tells whether a call failed because the simulated machine has no power, or has lost it since
/// the handle or file system that was used came to be.
#[must_use]
pub fn is_power_cut(error: &IoError) -> bool {
    error.source.get_ref().is_some_and(|cause| cause.is::<PowerCut>())
}

impl SimDisk {
    /// Returns an empty disk without limits, whose faults are drawn from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            tree: Tree::new(),
            stream: Stream::new(seed),
            trace: Trace::new(seed),
            boot: 0,
            power_is_off: false,
            changes_left: None,
            changes: 0,
            capacity: None,
            read_only: false,
            sync_fault: SyncFault::None,
            lies_on_sync: false,
            locks: BTreeMap::new(),
            clock: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Returns the file system of the machine as it runs now. It dies at the next crash, so that
    /// threads of a dead process change nothing: ask again after each crash.
    #[must_use]
    pub fn file_system(&self) -> Arc<dyn FileSystem> {
        let boot = self.state.lock().boot;
        Arc::new(SimFileSystem { disk: self.clone(), boot })
    }

    /// Cuts the power, in the strict reading of the rules: any subset of the unsynced sectors of a
    /// file survives (what does not is as it was, or zero where nothing was), its length is any
    /// that it has had since its last sync, and every name that was created, renamed or removed
    /// since the last sync of its directory is as it was then. Power is back when this returns.
    pub fn crash(&self) {
        self.state.lock().crash(Some(Survival::Random), Names::Synced);
    }

    /// Cuts the power, or kills the process, and keeps what `keep` says. Power is back when this
    /// returns.
    pub fn crash_keeping(&self, keep: CrashKeep) {
        let mut state = self.state.lock();
        match keep {
            CrashKeep::Nothing => state.crash(Some(Survival::Nothing), Names::Synced),
            CrashKeep::Everything => state.crash(None, Names::All),
            CrashKeep::Random => state.crash(Some(Survival::Random), Names::Prefix),
        }
    }

    /// Lets the power go at the n-th change from now, counted from 1 (0 is the same as 1): that
    /// call fails (a write may have written its first sectors) and so does every call after it,
    /// until one of the crash functions is called. `None` takes the plan back.
    pub fn crash_after_ops(&self, n: Option<u64>) {
        self.state.lock().changes_left = n.map(|n| n.saturating_sub(1));
    }

    /// Gives the sum of the lengths of all files: what a capacity is compared with.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().used()
    }

    /// Limits the sum of the lengths of all files to `bytes`; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Makes every change fail as on read-only media, or allows changes again.
    pub fn set_read_only(&self, read_only: bool) {
        self.state.lock().read_only = read_only;
    }

    /// Makes syncs fail, of files and of directories. What a failed sync was to write is marked
    /// clean: it is read back until the next power cut and never reaches the disk.
    pub fn fail_syncs(&self, fault: SyncFault) {
        self.state.lock().sync_fault = fault;
    }

    /// Makes the device acknowledge syncs without doing them.
    pub fn lie_on_sync(&self, lie: bool) {
        self.state.lock().lies_on_sync = lie;
    }

    /// Takes the times of last change from `clock`; without one they are all zero.
    pub fn follow(&self, clock: &SimClock) {
        self.state.lock().clock = Some(clock.clone());
    }

    /// Flips one bit (0 to 7) of the byte at `offset`, on the device and in the cache.
    ///
    /// # Panics
    ///
    /// Panics if there is no such file or byte: a test that flips nothing would prove nothing.
    pub fn flip_bit(&self, path: impl AsRef<Path>, offset: u64, bit: u8) {
        assert!(bit < 8, "a byte has no bit {bit}");
        self.spoil(path.as_ref(), |content| assert!(content.flip_bit(offset, bit), "no byte {offset}"));
    }

    /// Cuts a file to `len` bytes, on the device and in the cache.
    ///
    /// # Panics
    ///
    /// Panics if there is no such file or it is shorter.
    pub fn truncate(&self, path: impl AsRef<Path>, len: u64) {
        self.spoil(path.as_ref(), |content| {
            assert!(len <= content.len(), "cutting to {len} bytes would extend the file");
            content.set_len(len);
            content.sync();
        });
    }

    /// Removes a file, on the device and in the cache.
    ///
    /// # Panics
    ///
    /// Panics if there is no such file.
    pub fn remove(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        self.state.lock().tree.vanish(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn spoil(&self, path: &Path, change: impl FnOnce(&mut Content)) {
        let state = self.state.lock();
        let node = state.tree.find(path).ok().flatten();
        let node = node.unwrap_or_else(|| panic!("there is no file {}", path.display()));
        change(&mut node.content().unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    }

    /// Returns what a power cut that keeps nothing would leave of the file at `path`; `None` if
    /// its name would be gone.
    #[must_use]
    pub fn durable_bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let node = state.tree.find_durable(path.as_ref())?;
        Some(node.content().ok()?.durable().to_vec())
    }

    /// Returns the paths of all files as a running process sees them, sorted.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state.lock().tree.files().into_iter().map(|(path, _)| path).collect()
    }

    /// Returns how many changes were begun: writes, syncs, renames, creations, removals and
    /// changes of length.
    #[must_use]
    pub fn op_count(&self) -> u64 {
        self.state.lock().changes
    }

    /// Returns a hash over every call so far and its result.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.state.lock().trace.hash()
    }
}

impl State {
    /// Fails unless the power is on and the caller belongs to this boot.
    fn check_alive(&self, boot: u64) -> io::Result<()> {
        if self.power_is_off || self.boot != boot {
            return Err(io::Error::other(PowerCut));
        }
        Ok(())
    }

    /// Counts a change, and fails if the power goes at it or the media cannot be written.
    fn begin_change(&mut self) -> io::Result<()> {
        self.changes += 1;
        match &mut self.changes_left {
            Some(0) => {
                self.power_is_off = true;
                self.changes_left = None;
                return Err(io::Error::other(PowerCut));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    /// Decides what a sync that was asked for does.
    fn begin_sync(&mut self) -> io::Result<Sync> {
        match self.begin_change() {
            // A sync changes nothing where nothing can be changed.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(Sync::Skipped),
            begun => begun?,
        }
        let fails = match &mut self.sync_fault {
            SyncFault::None => false,
            SyncFault::Once => {
                self.sync_fault = SyncFault::None;
                true
            }
            SyncFault::From(n) if *n > 1 => {
                *n -= 1;
                false
            }
            SyncFault::From(_) => true,
        };
        Ok(match (fails, self.lies_on_sync) {
            (true, _) => Sync::Fails,
            (false, true) => Sync::Skipped,
            (false, false) => Sync::Done,
        })
    }

    fn now(&self) -> u64 {
        self.clock.as_ref().map_or(0, SimClock::peek_wall_micros)
    }

    /// Returns how many bytes files may still grow by.
    fn room(&self) -> u64 {
        // An unlimited disk of 1 TiB is enough for everything that fits into memory.
        let capacity = self.capacity.unwrap_or(1 << 40);
        capacity.saturating_sub(self.used())
    }

    fn used(&self) -> u64 {
        self.tree.files().iter().map(|(_, node)| node.len()).sum()
    }

    fn crash(&mut self, sectors: Option<Survival>, names: Names) {
        self.tree.crash(names, &mut self.stream);
        if let Some(survival) = sectors {
            for (path, node) in self.tree.files() {
                let mut content = node.content().unwrap_or_else(|_| unreachable!("files lists files"));
                content.crash(survival, &mut self.stream);
                self.trace.record("survived", &path, trace::of_bytes(content.durable()));
            }
        }
        self.boot += 1;
        self.locks.clear();
        self.power_is_off = false;
        self.changes_left = None;
    }
}

/// What becomes of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sync {
    Done,
    Skipped,
    Fails,
}

fn device_error() -> io::Error {
    io::Error::other("simulated input/output error")
}

#[cfg(test)]
mod tests;
