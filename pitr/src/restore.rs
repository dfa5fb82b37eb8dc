//! Restores: which state, what is fetched from where, and the new life that it becomes.

pub mod aim;
pub mod all;
pub mod bases;
pub mod choose;
pub mod fetch;
pub mod fetch_plan;
pub mod gap;
pub mod plan;
pub mod probe;
mod report;
mod request;
mod run;
pub mod window;

pub use all::{RestoreAllRequest, dry_run_all, restore_all};
pub use report::{DryRun, Gap, IndexState, RestoreReport};
pub use request::{Claimed, Finish, RestoreRequest, Target};
pub use run::{dry_run, restore};
pub use window::{Window, Windows};
