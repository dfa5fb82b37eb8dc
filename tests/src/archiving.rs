//! Simulations of continuous archiving: one seed draws a machine, an archive, the faults of both and a history; every state that was
//! promised is restored on another machine and compared with the model.
//!
//! A simulation is single-threaded and repeats exactly. It fails when a restored state is not the model's, when one that was promised cannot be
//! had, when an error names no fault that was injected, when the archive names what it does not hold, or when anything panics.

pub mod actions;
pub mod check;
pub mod copy;
pub mod driver;
pub mod faults;
pub mod life;
pub mod recovery;

use std::panic::{AssertUnwindSafe, catch_unwind};

use platform::KnownBad;

pub use driver::Driver;

/// A simulation that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that repeats it.
    pub seed: u64,
    /// How many actions it was to have.
    pub operations: u64,
    /// What was wrong, and the last actions before.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { seed, operations, message } = self;
        write!(f, "seed {seed}: {message}\nrepeat it with: cargo run -p vectra-tests --bin archiving -- --seed {seed} --ops {operations}")
    }
}

/// How far a simulation goes.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Actions before the last pass.
    pub operations: u64,
    /// Of the changes of each life, every so many are restored at the end.
    pub stride: u64,
}

/// What simulations went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Changes acknowledged.
    pub writes: u64,
    /// Passes that succeeded, and those that did not.
    pub passes: (u64, u64),
    /// Power cuts and kills of the machine, and of the archive.
    pub crashes: (u64, u64),
    /// Machines that were lost for good.
    pub lost: u64,
    /// Restores in place of the collection they came from.
    pub rewinds: u64,
    /// Restores elsewhere that gave the model's state, and those that rightly found nothing.
    pub restores: (u64, u64),
    /// Restores through a link that fails that gave an error.
    pub unreached: u64,
    /// Restores from partial copies that gave a state, and those that said what is missing.
    pub copies: (u64, u64),
    /// Steps of cleaning that moved rows, and those that left log files out.
    pub cleanings: (u64, u64),
    /// Steps of the wall clock.
    pub clock_steps: u64,
    /// Hash over every call to the machine's disk and its result; of one simulation.
    pub trace: u64,
}

impl Sums {
    /// Adds what another simulation went through.
    pub fn add(&mut self, other: &Sums) {
        let pair = |a: (u64, u64), b: (u64, u64)| (a.0 + b.0, a.1 + b.1);
        self.writes += other.writes;
        self.passes = pair(self.passes, other.passes);
        self.crashes = pair(self.crashes, other.crashes);
        self.lost += other.lost;
        self.rewinds += other.rewinds;
        self.restores = pair(self.restores, other.restores);
        self.unreached += other.unreached;
        self.copies = pair(self.copies, other.copies);
        self.cleanings = pair(self.cleanings, other.cleanings);
        self.clock_steps += other.clock_steps;
    }
}

/// Names of the deliberate mistakes that these simulations must catch, with the switch of each.
#[must_use]
pub fn known_bads() -> [(&'static str, KnownBad); 4] {
    let none = KnownBad::default();
    [
        ("close_before_sent", KnownBad { close_before_sent: true, ..none }),
        ("archive_unsynced", KnownBad { archive_unsynced: true, ..none }),
        ("base_before_objects", KnownBad { base_before_objects: true, ..none }),
        ("unlink_unarchived", KnownBad { unlink_unarchived: true, ..none }),
    ]
}

/// Runs the simulation of one seed.
///
/// # Errors
/// What was wrong, with the last actions before it.
pub fn run(seed: u64, known_bad: KnownBad, extent: Extent) -> Result<Sums, Failure> {
    let mut driver = Driver::new(seed, known_bad);
    let result = catch_unwind(AssertUnwindSafe(|| driver.run(extent)));
    let wrong = match result {
        Ok(Ok(())) => return Ok(driver.sums()),
        Ok(Err(wrong)) => wrong,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panicked: {}", text.unwrap_or("without a message"))
        }
    };
    let message = format!("{wrong}\nlast actions:\n  {}", driver.last_actions().join("\n  "));
    Err(Failure { seed, operations: extent.operations, message })
}

/// Runs the simulations of `count` seeds from `from`; stops at `failures_max` failures. Gives how many were run, their sums, and the failures.
#[must_use]
pub fn run_seeds(from: u64, count: u64, known_bad: KnownBad, extent: Extent, failures_max: usize) -> (u64, Sums, Vec<Failure>) {
    let (mut sums, mut failures, mut seeds) = (Sums::default(), Vec::new(), 0);
    for seed in from..from + count {
        seeds += 1;
        match run(seed, known_bad, extent) {
            Ok(done) => sums.add(&done),
            Err(failure) => failures.push(failure),
        }
        if failures.len() >= failures_max {
            break;
        }
    }
    (seeds, sums, failures)
}
