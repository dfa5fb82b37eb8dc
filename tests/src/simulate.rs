//! Simulations of the engine: one seed draws a machine, its faults and a history, and every recovery is compared with the model.
//!
//! A simulation is single-threaded and repeats exactly: the same seed gives the same trace of the disk. It fails when a recovered state is
//! not everything acknowledged and a prefix of what was in flight, when an answer is not the model's, when an error names no fault that was
//! injected, or when anything panics.

pub mod actions;
pub mod check;
pub mod driver;
pub mod ending;
pub mod generate;
pub mod recovery;
pub mod registry;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use platform::KnownBad;

pub use driver::Driver;

/// What a simulation went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Hash over every call to the disk and its result.
    pub trace: u64,
    /// Actions tried.
    pub actions: u64,
    /// Power cuts and kills.
    pub crashes: u64,
    /// Crashes in the middle of a recovery.
    pub crashes_in_recovery: u64,
    /// Changes in flight at a crash that were found whole afterwards, and those that were gone.
    pub in_flight: (u64, u64),
    /// Changes refused for want of space, and failed syncs.
    pub refused: (u64, u64),
    /// Flipped bits that were refused as corruption, and those that changed nothing.
    pub rot: (u64, u64),
    /// Background steps done.
    pub steps: u64,
    /// Steps of cleaning that moved rows, and those that left log files out.
    pub cleanings: (u64, u64),
}

impl Outcome {
    fn add(&mut self, other: &Outcome) {
        self.actions += other.actions;
        self.crashes += other.crashes;
        self.crashes_in_recovery += other.crashes_in_recovery;
        self.in_flight = (self.in_flight.0 + other.in_flight.0, self.in_flight.1 + other.in_flight.1);
        self.refused = (self.refused.0 + other.refused.0, self.refused.1 + other.refused.1);
        self.rot = (self.rot.0 + other.rot.0, self.rot.1 + other.rot.1);
        self.steps += other.steps;
        self.cleanings = (self.cleanings.0 + other.cleanings.0, self.cleanings.1 + other.cleanings.1);
    }
}

/// A simulation that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that repeats it.
    pub seed: u64,
    /// What was wrong, and the last actions before.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {}: {}\nrepeat it with: cargo run -p vectra-tests --bin crash -- --seed {}", self.seed, self.message, self.seed)
    }
}

/// Names of the deliberate mistakes that this suite must catch, with the switch of each.
pub const KNOWN_BAD: [(&str, KnownBad); 7] = {
    const NONE: KnownBad = KnownBad {
        ack_before_sync: false,
        rename_without_dir_sync: false,
        skip_bad_record: false,
        valid_after_bad_is_corruption: false,
        always_cut: false,
        objects_not_synced: false,
        close_before_sent: false,
        archive_unsynced: false,
        base_before_objects: false,
        unlink_before_manifest: false,
        unlink_unarchived: false,
        move_blindly: false,
    };
    [
        ("ack_before_sync", KnownBad { ack_before_sync: true, ..NONE }),
        ("rename_without_dir_sync", KnownBad { rename_without_dir_sync: true, ..NONE }),
        ("skip_bad_record", KnownBad { skip_bad_record: true, ..NONE }),
        ("valid_after_bad_is_corruption", KnownBad { valid_after_bad_is_corruption: true, ..NONE }),
        ("always_cut", KnownBad { always_cut: true, ..NONE }),
        ("unlink_before_manifest", KnownBad { unlink_before_manifest: true, ..NONE }),
        ("move_blindly", KnownBad { move_blindly: true, ..NONE }),
    ]
};

/// Gives the switch of a deliberate mistake by its name.
#[must_use]
pub fn known_bad(name: &str) -> Option<KnownBad> {
    KNOWN_BAD.iter().find(|(known, _)| *known == name).map(|(_, switch)| *switch)
}

/// Runs the simulation of one seed.
///
/// # Errors
/// What was wrong, with the last actions before it.
pub fn run(seed: u64, known_bad: KnownBad) -> Result<Outcome, Failure> {
    let mut driver = Driver::new(seed, known_bad);
    let result = catch_unwind(AssertUnwindSafe(|| driver.run()));
    let wrong = match result {
        Ok(Ok(())) => return Ok(driver.outcome()),
        Ok(Err(wrong)) => wrong,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panicked: {}", text.unwrap_or("without a message"))
        }
    };
    Err(Failure { seed, message: format!("{wrong}\nlast actions:\n  {}", driver.last_actions().join("\n  ")) })
}

/// What a range of seeds gave.
#[derive(Debug, Default)]
pub struct Report {
    /// Simulations that were run.
    pub seeds: u64,
    /// Sums over those that passed; the trace is of no meaning.
    pub sums: Outcome,
    /// Those that failed, smallest seed first.
    pub failures: Vec<Failure>,
}

/// Runs the simulations of `count` seeds from `from` on several threads; stops early at `failures_max` failures.
#[must_use]
pub fn run_seeds(from: u64, count: u64, known_bad: KnownBad, threads: usize, failures_max: usize) -> Report {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let report = Mutex::new(Report::default());
    let worker = || {
        loop {
            let taken = next.fetch_add(1, Ordering::Relaxed);
            if taken >= count || stop.load(Ordering::Relaxed) {
                break;
            }
            let result = run(from + taken, known_bad);
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            report.seeds += 1;
            match result {
                Ok(outcome) => report.sums.add(&outcome),
                Err(failure) => report.failures.push(failure),
            }
            if report.failures.len() >= failures_max {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(worker))));
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.failures.sort_by_key(|failure| failure.seed);
    report
}
