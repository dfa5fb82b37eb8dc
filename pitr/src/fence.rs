//! The fence: how one writer of a timeline gives way to another, through nothing but put-if-absent on one key (rule S17).
//!
//! The log of a timeline is a chain of extents in an archive: each begins at the key where the one before it ends. A seal lies under the same
//! keys and names the timeline that goes on, so a writer and whoever takes over always meet at the chain's end. [`appender`] is the writer,
//! [`takeover`] the candidate, both pure machines without clock or store; [`drive`] carries their requests out, and `tests/fence` searches the
//! same machines through every interleaving of a small world.
//!
//! What the proof rests on, besides the machines:
//! - **Exact chain.** The end of a timeline is found by [`chain::walk`] from its boundary, key by key. Objects that overlap the chain (backups
//!   without the lock leave such) are data to readers and nothing to the fence.
//! - **Only the owner of a timeline raises its boundary**, over what its own appender has archived and its machine remembers durably; nobody
//!   deletes an extent that does not end at or below the boundary. A successor that raised the boundary up to the fork would empty the very key that
//!   a sleeping owner puts next, and the owner would take its late put for an acknowledgement.
//! - **Seals are never deleted**, not even void ones.
//! - One process at a time writes a data directory. Two running copies of one directory are told apart by their bytes (diverged), but not where one of
//!   them has raised the boundary over what the other was about to put.
//!
//! A timeline that was claimed and never sealed to (its candidate crashed, or lost) is garbage that nothing leads to: no history enters it, no one
//! writes to it, and it stands in nobody's way. A timeline that was sealed to, and whose candidate crashed then, is the chain's end with an empty
//! log: whoever comes next takes over *that* one, from the same position.

pub mod appender;
pub mod chain;
pub mod drive;
pub mod seal;
pub mod takeover;

use engine::ids::{Lsn, Timeline};

/// What a look at one key of a log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found {
    /// Nothing.
    Absent,
    /// Log bytes.
    Data {
        /// The position behind them.
        end: Lsn,
        /// The position up to which they were compared with the looker's own log; a looker without a log compares nothing.
        compared: Lsn,
        /// Whether they are the same so far.
        agrees: bool,
    },
    /// A seal.
    Seal {
        /// The timeline that goes on.
        successor: Timeline,
    },
    /// Something that is neither, or does not match its own hash.
    Damaged,
}

/// A deliberate mistake of the machines; only tests ask for one, to see that their search notices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Broken {
    /// None.
    #[default]
    Nothing,
    /// A seal counts without another look at the boundary.
    NoSecondLook,
}
