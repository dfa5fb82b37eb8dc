//! Backups and restores on a simulated machine: what comes back, what is sent, and what damage, cuts and crashes do.

mod chains;
mod crashes;
mod damage;
mod machine;
mod refusals;
mod round_trip;
