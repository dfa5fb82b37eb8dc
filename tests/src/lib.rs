//! Promises that cross crates: the command line, crashes, simulation, the house rules.

pub mod tidy;
pub mod tree;
