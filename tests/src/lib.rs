//! Promises that cross crates: the command line, crashes, simulation, the house rules.
