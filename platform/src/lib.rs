//! The outside world behind one door each, and a simulated twin of every door.
//!
//! Files ([`fs`]), memory ([`memory`]), time ([`clock`]), randomness ([`random`]), the process and its surroundings
//! ([`process`]), object stores ([`object_store`]) and, with the feature `http`, the network. Everything above takes a [`World`], so the
//! same code runs on a real machine and inside a simulation ([`sim`]) in which one seed is one run.

pub mod clock;
#[cfg(feature = "http")]
pub mod digest;
pub mod fs;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "log")]
pub mod log;
pub mod memory;
pub mod object_store;
pub mod process;
pub mod random;
pub mod sim;
mod world;

pub use world::{KnownBad, World};
