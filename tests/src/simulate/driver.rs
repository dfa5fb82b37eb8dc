//! The one who lives through a simulation: holds the machine, the open database and what must be true of both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::{Collection, Database, Error, ErrorKind};
use platform::KnownBad;
use platform::fs::{CrashKeep, SyncFault};
use platform::random::Stream;
use platform::sim::SimWorld;

use super::Outcome;
use super::generate::Sizes;
use super::registry::Registry;

/// Where the simulated database lies.
pub const DATA: &str = "/data";
/// Actions that a failure reports.
const REPORTED: usize = 40;

/// A check that failed says what was wrong.
pub type Check<T = ()> = Result<T, String>;

/// How a simulation ends, after its last recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a last comparison.
    Plain,
    /// With a flipped bit somewhere on the disk.
    Rot,
    /// With a device that acknowledges syncs and does not do them, and a power cut.
    Lie,
}

/// What can happen in a simulation, drawn once: each seed leaves most kinds of trouble out, so that the others get further.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Actions before the ending.
    pub actions: u64,
    /// Sizes of changes.
    pub sizes: Sizes,
    /// Whether power cuts are planned ahead, into the middle of things.
    pub planned_cuts: bool,
    /// Whether the disk fills up at times.
    pub full: bool,
    /// Whether syncs fail at times.
    pub failing_syncs: bool,
    /// Whether the wall clock is set at times.
    pub clock: bool,
    /// Whether there are enough points for a graph.
    pub graphs: bool,
    /// Whether space is given back again and again.
    pub cleans: bool,
    /// How it ends.
    pub ending: Ending,
}

impl Profile {
    fn draw(stream: &mut Stream) -> Self {
        let graphs = stream.chance(1, 200);
        let sizes = Sizes {
            pool: if stream.chance(1, 4) { 200 } else { 12 + stream.below(40) },
            batch: if stream.chance(1, 6) { 100 } else { 1 + stream.below(12) },
            long_payloads: stream.chance(1, 8),
        };
        Profile {
            actions: if graphs { 25 } else { 15 + stream.below(40) },
            sizes,
            planned_cuts: stream.chance(2, 3),
            full: stream.chance(1, 4),
            failing_syncs: stream.chance(1, 4),
            clock: stream.chance(1, 6),
            graphs,
            cleans: stream.chance(1, 5),
            ending: match stream.below(8) {
                0..3 => Ending::Rot,
                3 => Ending::Lie,
                _ => Ending::Plain,
            },
        }
    }
}

/// The faults that may show in an error now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Armed {
    /// The power may go.
    pub power: bool,
    /// The disk may be full.
    pub full: bool,
    /// A sync may fail.
    pub syncs: bool,
}

/// What an error meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The power is gone.
    Cut,
    /// The disk is full; the process goes on.
    Full,
    /// A sync failed, or the log remembers one that did.
    SyncFailed,
}

/// Lives through one simulation.
#[derive(Debug)]
pub struct Driver {
    pub(super) machine: SimWorld,
    pub(super) stream: Stream,
    pub(super) profile: Profile,
    pub(super) registry: Registry,
    /// The open collections by life; dropped before the database.
    pub(super) open: BTreeMap<usize, Collection>,
    pub(super) database: Option<Database>,
    /// Lives whose log may take no more writes in this process.
    pub(super) broken: BTreeSet<usize>,
    pub(super) armed: Armed,
    /// Whether a sync failed in this process.
    sync_failed: bool,
    pub(super) last_commit: u64,
    /// Largest wall time that this machine has shown: nothing is stamped later.
    latest_wall: u64,
    pub(super) done: Outcome,
    actions: Vec<String>,
}

impl Driver {
    /// Draws the machine and the profile of a seed.
    #[must_use]
    pub fn new(seed: u64, known_bad: KnownBad) -> Self {
        let mut machine = SimWorld::new(seed);
        machine.known_bad = known_bad;
        let mut stream = Stream::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x7369_6d75_6c61_7465);
        let profile = Profile::draw(&mut stream);
        Driver {
            machine,
            stream,
            profile,
            registry: Registry::default(),
            open: BTreeMap::new(),
            database: None,
            broken: BTreeSet::new(),
            armed: Armed::default(),
            sync_failed: false,
            last_commit: 0,
            latest_wall: 0,
            done: Outcome::default(),
            actions: Vec::new(),
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// What was wrong.
    pub fn run(&mut self) -> Check {
        self.boot()?;
        for _ in 0..self.profile.actions {
            self.done.actions += 1;
            if self.database.is_none() { self.boot()? } else { self.act()? }
        }
        match self.profile.ending {
            Ending::Plain => {
                let cut = self.stream.chance(1, 2);
                if cut {
                    self.cut()
                } else {
                    self.close()?
                }
                self.boot()
            }
            Ending::Rot => self.rot(),
            Ending::Lie => self.lie(),
        }
    }

    /// Gives what happened.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome { trace: self.machine.disk.trace_hash(), ..self.done }
    }

    /// Gives the last actions, oldest first.
    #[must_use]
    pub fn last_actions(&self) -> &[String] {
        &self.actions[self.actions.len().saturating_sub(REPORTED)..]
    }

    /// Notes what is done, for the report of a failure.
    pub(super) fn note(&mut self, action: impl Into<String>) {
        self.latest_wall = self.latest_wall.max(self.machine.clock.peek_wall_micros());
        self.actions.push(format!("[{}] {}", self.machine.disk.op_count(), action.into()));
    }

    /// Says what an error meant; one that no injected fault explains is the failure that is looked for.
    pub(super) fn judge(&mut self, what: &str, error: &Error) -> Check<Fate> {
        let text = error.to_string();
        self.note(format!("{what} failed: {:?}: {text}", error.kind));
        if text.contains("simulated power cut") && self.armed.power {
            return Ok(Fate::Cut);
        }
        // A log that failed remembers it, whatever became of the fault since.
        let was_hit = self.armed.power || self.sync_failed;
        if error.kind == ErrorKind::Io && text.contains("the log takes no writes after a failure") && was_hit {
            return Ok(Fate::SyncFailed);
        }
        if error.kind == ErrorKind::NoSpace && self.armed.full {
            self.done.refused.0 += 1;
            return Ok(Fate::Full);
        }
        if error.kind == ErrorKind::Io && text.contains("simulated input/output error") && self.armed.syncs {
            self.done.refused.1 += 1;
            self.sync_failed = true;
            return Ok(Fate::SyncFailed);
        }
        Err(format!("{what}: no injected fault explains this error ({:?}): {text}", error.kind))
    }

    /// Plans a power cut for somewhere in the next changes of the disk.
    pub(super) fn plan_cut(&mut self, within: u64) {
        let n = 1 + self.stream.below(within);
        self.note(format!("planned a power cut at change {n} from now"));
        self.machine.disk.crash_after_ops(Some(n));
        self.armed.power = true;
    }

    /// Cuts the power or kills the process, keeping what the seed says; the process is gone.
    pub(super) fn cut(&mut self) {
        let kept = self.stream.below(6);
        self.note(match kept {
            0 => "cut: nothing unsynced is kept",
            1 => "killed: everything is kept",
            2 => "cut: some sectors and the first changes of names are kept",
            _ => "cut: some sectors are kept",
        });
        match kept {
            0 => self.machine.disk.crash_keeping(CrashKeep::Nothing),
            1 => self.machine.disk.crash_keeping(CrashKeep::Everything),
            2 => self.machine.disk.crash_keeping(CrashKeep::Random),
            _ => self.machine.disk.crash(),
        }
        self.gone();
    }

    /// Ends the process and keeps all that it wrote.
    pub(super) fn kill(&mut self) {
        self.note("killed: everything is kept");
        self.machine.disk.crash_keeping(CrashKeep::Everything);
        self.gone();
    }

    fn gone(&mut self) {
        self.done.crashes += 1;
        self.forget();
        self.armed.power = false;
        if self.armed.syncs && self.stream.chance(3, 4) {
            self.heal_syncs();
        }
        if self.armed.full && self.stream.chance(1, 2) {
            self.lift_capacity();
        }
    }

    /// Drops every handle; what they do then reaches the disk only if the process lives.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.database = None;
        self.broken.clear();
        self.sync_failed = false;
    }

    /// Lets syncs succeed again.
    pub(super) fn heal_syncs(&mut self) {
        self.note("syncs succeed again");
        self.machine.disk.fail_syncs(SyncFault::None);
        self.armed.syncs = false;
    }

    /// Lets a process go on after a failed sync, and mostly lets the fault pass: it must not believe that nothing happened.
    pub(super) fn go_on(&mut self) {
        if self.armed.syncs && self.stream.chance(2, 3) {
            self.heal_syncs();
        }
    }

    /// Gives the disk room again.
    pub(super) fn lift_capacity(&mut self) {
        self.note("the disk has room again");
        self.machine.disk.set_capacity(None);
        self.armed.full = false;
    }

    /// Takes every plan of a fault back; where the power may be gone already, the process is.
    pub(super) fn disarm(&mut self) {
        self.machine.disk.crash_after_ops(None);
        if self.armed.power {
            self.cut();
        }
        if self.armed.syncs {
            self.heal_syncs();
        }
        if self.armed.full {
            self.lift_capacity();
        }
    }

    /// Does what an error asks for: a lost machine starts again, a process whose syncs fail ends.
    pub(super) fn suffer(&mut self, fate: Fate) {
        match fate {
            Fate::Cut => self.cut(),
            Fate::Full if self.stream.chance(1, 2) => self.lift_capacity(),
            Fate::Full => {}
            Fate::SyncFailed => self.kill(),
        }
    }

    /// Says by how much the data may be ahead of the wall clock, in microseconds.
    pub(super) fn ahead(&self) -> u64 {
        self.latest_wall.max(self.last_commit).saturating_sub(self.machine.clock.peek_wall_micros())
    }

    /// Gives the directory of the database.
    pub(super) fn dir(&self) -> &'static Path {
        Path::new(DATA)
    }
}
