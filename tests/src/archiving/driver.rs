//! The one who lives through a simulation: holds the machine, its archive, the open database, and what must be true of all three.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::catalog::{ArchiveSettings, Durability};
use engine::{Collection, Database, Error, ErrorKind};
use pitr::archiver::Archiver;
use platform::KnownBad;
use platform::fs::SimDisk;
use platform::object_store::ObjectStore;
use platform::object_store::faulty::{FaultyStore, Rates};
use platform::object_store::sim::SimStore;
use platform::random::Stream;
use platform::sim::SimWorld;

use super::copy::Copying;
use super::life::Names;
use super::{Extent, Sums};
use crate::model::Change;
use crate::simulate::driver::Check;
use crate::simulate::generate::{Shape, Sizes};

/// Sizes of changes.
pub const SIZES: Sizes = Sizes { pool: 40, batch: 6, long_payloads: false };
/// The names that collections get.
pub const NAMES: [&str; 2] = ["a", "b"];
/// Where the simulated database lies.
pub const DATA: &str = "/data";
/// Actions that a failure reports.
const REPORTED: usize = 60;

/// Where a machine archives to: a store on a disk that loses power apart from the machine's.
#[derive(Debug)]
pub struct Place {
    /// The disk.
    pub disk: SimDisk,
    /// The directory on it.
    pub root: String,
    /// The link to it.
    pub link: Arc<FaultyStore>,
}

impl Place {
    /// Opens a place; its faults follow from the seed.
    #[must_use]
    pub fn open(disk: SimDisk, root: String, seed: u64) -> Self {
        let link = Arc::new(FaultyStore::new(store_on(&disk, &root), seed, Rates::default()));
        Place { disk, root, link }
    }
}

/// Opens a store without faults of its own.
#[must_use]
pub fn store_on(disk: &SimDisk, root: &str) -> Arc<dyn ObjectStore> {
    let store = SimStore::open(disk.file_system(), Path::new(root), KnownBad::default());
    Arc::new(store.unwrap_or_else(|error| panic!("a store opens: {error}")))
}

/// What was being done when the process ended: it is there afterwards, or it is not.
#[derive(Clone, Debug)]
pub enum Pending {
    /// A change of a life.
    Write(usize, Change),
    /// A new life of a name.
    Create(usize, Shape),
    /// The end of a life, or its return.
    Drop(usize),
    /// A life that takes the place of the one that it comes from: the source, and the time.
    Rewind(usize, u64),
}

/// The faults that may show in an error now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Armed {
    /// The machine's power may go.
    pub power: bool,
    /// A sync of the machine may fail, or has.
    pub syncs: bool,
    /// The archive's power may go.
    pub archive_power: bool,
    /// The link to the archive may fail.
    pub link: bool,
    /// The link may give less than there is.
    pub short: bool,
    /// The clock was set back and said to be right.
    pub clock: bool,
}

/// What an error meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The machine's power is gone.
    Cut,
    /// A sync failed.
    SyncFailed,
    /// The archive could not be reached, or said less than it has.
    Archive,
    /// The clock was set back: the process ends, and the next one goes on from the time of the data.
    Clock,
}

/// Lives through one simulation.
#[derive(Debug)]
pub struct Driver {
    pub(super) machine: SimWorld,
    pub(super) seed: u64,
    pub(super) stream: Stream,
    pub(super) place: Place,
    pub(super) names: Names,
    /// The open collections by life; dropped before the database.
    pub(super) open: BTreeMap<usize, Collection>,
    pub(super) archiver: Option<Archiver>,
    pub(super) database: Option<Database>,
    pub(super) pending: Option<Pending>,
    pub(super) copying: Option<Copying>,
    pub(super) armed: Armed,
    pub(super) last_commit: u64,
    /// Newest time that a pass said to be closed.
    pub(super) closed: u64,
    /// Newest moment at which a backup was pinned.
    pub(super) pinned: u64,
    /// Newest moment at which a log may have been marked as synced.
    pub(super) marked: u64,
    /// Machines and archives so far.
    pub(super) places: u64,
    pub(super) years: u64,
    pub(super) done: Sums,
    actions: Vec<String>,
}

impl Driver {
    /// Draws the machine and the archive of a seed.
    #[must_use]
    pub fn new(seed: u64, known_bad: KnownBad) -> Self {
        let mut machine = SimWorld::new(seed);
        machine.known_bad = known_bad;
        Driver {
            machine,
            seed,
            stream: Stream::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6172_6368_6976_6521),
            place: Place::open(SimDisk::new(!seed), "/archive".to_owned(), seed),
            names: Names::default(),
            open: BTreeMap::new(),
            archiver: None,
            database: None,
            pending: None,
            copying: None,
            armed: Armed::default(),
            last_commit: 0,
            closed: 0,
            pinned: 0,
            marked: 0,
            places: 1,
            years: 0,
            done: Sums::default(),
            actions: Vec::new(),
        }
    }

    /// Runs to the end: a history, then a last pass, and everything restored.
    ///
    /// # Errors
    /// What was wrong.
    pub fn run(&mut self, extent: Extent) -> Check {
        for _ in 0..extent.operations {
            if self.database.is_none() {
                self.boot()?;
            }
            self.act()?;
            self.copy_on()?;
        }
        self.end(extent.stride)
    }

    /// Gives what happened.
    #[must_use]
    pub fn sums(&self) -> Sums {
        Sums { trace: self.machine.disk.trace_hash(), ..self.done }
    }

    /// Gives the last actions, oldest first.
    #[must_use]
    pub fn last_actions(&self) -> &[String] {
        &self.actions[self.actions.len().saturating_sub(REPORTED)..]
    }

    /// Notes what is done, for the report of a failure.
    pub(super) fn note(&mut self, action: impl Into<String>) {
        self.actions.push(format!("[{} {}] {}", self.last_commit, self.machine.disk.op_count(), action.into()));
    }

    /// Gives the archive as the machine reaches it.
    pub(super) fn link(&self) -> Arc<dyn ObjectStore> {
        self.place.link.clone()
    }

    pub(super) fn settings(&self) -> ArchiveSettings {
        ArchiveSettings { url: self.place.root.clone(), durability: Durability::Fsync, backlog_limit: 1 << 40, delay: 0 }
    }

    /// Gives the open database.
    pub(super) fn database(&self) -> Check<&Database> {
        self.database.as_ref().ok_or_else(|| "the simulation lost its database".to_owned())
    }

    /// Gives the value of what succeeded. What failed because of an injected fault has its consequences and gives nothing; any other error is the
    /// failure that is looked for.
    pub(super) fn attempt<T>(&mut self, what: &str, result: engine::Result<T>) -> Check<Option<T>> {
        let error = match result {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        match self.judge(what, &error)? {
            Fate::Cut => self.cut(),
            Fate::SyncFailed => {}
            Fate::Archive if self.armed.archive_power => self.revive_archive(),
            Fate::Archive => {}
            Fate::Clock => {
                self.forget();
                self.armed.clock = true;
            }
        }
        Ok(None)
    }

    /// Says what an error meant.
    pub(super) fn judge(&mut self, what: &str, error: &Error) -> Check<Fate> {
        let text = error.to_string();
        self.note(format!("{what} failed: {:?}: {text}", error.kind));
        let is_cut = text.contains("simulated power cut");
        if is_cut && self.armed.power {
            return Ok(Fate::Cut);
        }
        let is_dead_log = text.contains("the log takes no writes after a failure") || text.contains("simulated input/output error");
        if error.kind == ErrorKind::Io && is_dead_log && self.armed.syncs {
            return Ok(Fate::SyncFailed);
        }
        if is_cut && self.armed.archive_power || error.kind == ErrorKind::Unreachable && (self.armed.link || self.armed.archive_power) {
            return Ok(Fate::Archive);
        }
        if error.kind == ErrorKind::Clock && self.done.clock_steps > 0 && !self.armed.clock {
            return Ok(Fate::Clock);
        }
        let is_short = matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Incomplete);
        if is_short && self.armed.short {
            return Ok(Fate::Archive);
        }
        Err(format!("{what}: no injected fault explains this error ({:?}): {text}; hint: {:?}", error.kind, error.hint))
    }
}
