//! Promises that cross crates: the command line, crashes, simulation, the house rules.

pub mod archiving;
pub mod faults;
pub mod model;
pub mod simulate;
pub mod storm;
pub mod tidy;
pub mod tree;
