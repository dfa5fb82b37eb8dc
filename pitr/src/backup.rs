//! Backups: made, described, listed.

pub mod create;
pub mod format;
pub mod held;
pub mod identity;
pub mod look;
pub mod marker;
pub mod noted;
pub mod plan;
pub(crate) mod send;
mod surroundings;

pub use create::{BackupReport, BackupRequest, backup};
pub use format::{BackupType, SnapshotFile};
pub use held::{Candidates, ParentStore};
pub use look::{BackupDetails, BackupList, BackupSummary, ChainLink, list, show};
