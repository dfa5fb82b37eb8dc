//! The real program as a server under the load of several clients: killed, ended, backed up and watched over time.
//!
//! What every client writes follows from its number, so that any state of the collection says which writes it holds: the state after
//! the first so many of each client's, and nothing else.

pub mod backups;
pub mod kills;
pub mod mixed;
pub mod replaces;
mod server;
mod writers;

use std::path::PathBuf;

/// What a run is about.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The program.
    pub program: PathBuf,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// How often something is done: kills, backups.
    pub rounds: u64,
    /// Clients that write at a time.
    pub writers: u64,
    /// How long the load lasts, where it is a matter of time.
    pub seconds: u64,
}

/// What went wrong, or what was found.
pub type Outcome = Result<String, String>;
