//! A navigable graph over codes: build, search, bytes, check, and merge.
//!
//! The walk compares integer code distances and breaks ties by node, and the build inserts batches into
//! a frozen graph and applies what they found in sorted order. So the same codes, parameters and seed
//! give the same bytes at any number of threads and on any instruction set, and the same answers.
//! Nodes are the rows of the codes. The caller re-ranks by exact distance.

mod blocks;
mod blur;
mod build;
mod candidates;
mod check;
mod connect;
mod equals;
mod extend;
mod filtered;
mod join;
mod layout;
mod level;
mod mend;
mod params;
mod relink;
mod search;
mod select_neighbors;
mod visited;

#[cfg(test)]
mod tests;

pub use crate::codes::LayoutError;
pub use blocks::{BlocksShape, BlocksView};
pub use build::{BuildError, Progress, build};
pub(crate) use candidates::{Key, Pool};
pub use check::{Offence, Report, check};
pub use extend::{REMOVED, Source, merge};
pub use filtered::{Wanted, filtered_width, search_filtered};
pub use layout::{GraphShape, GraphView};
pub use params::{MAX_NODES, Params};
pub use search::{Scratch, search, search_coarse};
pub(crate) use visited::Visited;

/// Runs the jobs of a build, on threads of the caller's choice.
pub trait Executor: Sync {
    /// Calls `job` once for each number below `jobs`, in any order and on any thread, and returns when
    /// all calls have returned. The result of a build does not depend on how.
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync));
}

/// Runs jobs one after the other on the calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Executor for Sequential {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).for_each(job);
    }
}
