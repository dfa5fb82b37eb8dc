//! What outlives a machine: archive, backups and restore.

pub mod answers;
pub mod archive;
pub mod archive_log;
pub mod archive_verify;
pub mod archiver;
pub mod backup;
pub mod branch;
pub mod doctor;
pub mod drill;
pub mod encryption;
pub mod fence;
pub mod fork;
pub mod history;
pub mod kept_json;
pub mod lazy;
pub mod prune;
pub mod readiness;
pub mod restore;
pub mod schedule;
pub mod scrub;
pub mod takeover;
pub mod time_text;
pub mod timeline;
pub mod verify;

pub use backup::{BackupReport, BackupRequest, Candidates, ParentStore, backup, list, show};
pub use branch::{BranchRequest, branch};
pub use restore::{DryRun, RestoreAllRequest, RestoreReport, RestoreRequest, Target, dry_run, dry_run_all, restore, restore_all};
pub use verify::{Level, Scratch, VerifyReport, VerifyRequest, verify};

/// Is told how many bytes are done and how many there are in all.
pub type Progress<'a> = &'a dyn Fn(u64, u64);
