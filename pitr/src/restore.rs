//! Restores: which backup, what is fetched from where, and the new life that it becomes.

pub mod choose;
pub mod fetch;
pub mod fetch_plan;
pub mod probe;
mod run;

pub use run::{DryRun, Gap, IndexState, RestoreReport, RestoreRequest, Window, dry_run, restore};
