//! Attacks on every reader of bytes.
//!
//! A target takes any bytes and must neither panic, nor hang, nor take memory without bound. Each comes with seeds, valid inputs made by
//! the code that writes the format, and with the words of its grammar. `fuzz/run.sh` runs all of them; see its help.

pub mod driver;
pub mod fixup;
pub mod mutate;
pub mod targets;

pub use targets::{CANARY, TARGETS, Target};
