//! Backups and restores on a simulated machine: what comes back, what is sent, and what damage, cuts and crashes do.

mod chains;
mod crashes;
mod damage;
#[expect(dead_code, reason = "the other suites use parts of the machine that this one does not")]
mod machine;
mod refusals;
mod round_trip;
