//! What a restore says of what it did, and a dry run of what it would do.

use engine::ids::{CommitTime, Timeline};
use serde::Serialize;

use super::window::Window;

/// Whether the index came with what was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexState {
    /// Its segments were loaded as they were.
    Kept,
    /// Its segments were loaded, and some were built otherwise than the configuration of that time asks for: they answer until the
    /// background steps have built them anew.
    Differs,
    /// There is no graph; none was needed.
    None,
}

/// What is known of writes that the restored state does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Commit time of the newest write that the archive knows of this name.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub newest_known_time: CommitTime,
    /// How many known writes are missing; `None`: the archive does not say how many, or there are too many to count.
    pub missing_records: Option<u64>,
    /// The largest number that a client gave a write in the part of the log that was replayed, or just before: the client goes on behind it.
    pub resume_token: Option<u64>,
}

/// What was restored.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The name it has here.
    pub collection: String,
    /// The backup; `None` when it was put together from what was archived.
    pub snapshot_id: Option<String>,
    /// Live points.
    pub points: u64,
    /// Bytes fetched.
    pub bytes: u64,
    /// Bytes of the log that are still in the source: they come when they are needed.
    pub bytes_away: u64,
    /// The position restored to.
    pub lsn: u64,
    /// Commit time of the last operation in it.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub commit_time: CommitTime,
    /// Commit time of the first known write that is not in it.
    #[serde(serialize_with = "crate::time_text::serialize_option")]
    pub next_time: Option<CommitTime>,
    /// The timeline that begins there.
    pub timeline: Timeline,
    /// The timeline that was restored from.
    pub source_timeline: Timeline,
    /// Whether the index came with it.
    pub index: IndexState,
    /// Seconds until it had answered once.
    pub first_answer_s: f64,
    /// Seconds until nothing was left to fetch or to build; `None`: something is.
    pub full_speed_s: Option<f64>,
    /// Seconds in all.
    pub seconds: f64,
    /// Aliases that came back.
    pub aliases: Vec<String>,
    /// Aliases of the source that mean something else here, or came under another name, and were left alone.
    pub aliases_left: Vec<String>,
    /// Writes that it does not have.
    pub gap: Gap,
    /// What the user should know though the restore succeeded.
    pub warnings: Vec<String>,
}

/// What a restore would do.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// The name it would have here.
    pub collection: String,
    /// The backup; `None` when it would be put together from what was archived.
    pub snapshot_id: Option<String>,
    /// Stored objects that would be fetched.
    pub objects: usize,
    /// Bytes that would be fetched.
    pub bytes: u64,
    /// An estimate: at 200 MiB a second.
    pub expected_seconds: f64,
    /// The position.
    pub lsn: u64,
    /// Commit time of the last operation in it.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub commit_time: CommitTime,
    /// Commit time of the first known write that would not be in it.
    #[serde(serialize_with = "crate::time_text::serialize_option")]
    pub next_time: Option<CommitTime>,
    /// The timeline that would be restored from.
    pub source_timeline: Timeline,
    /// Of a backup: from its last operation to the moment when the state was pinned. Otherwise: every time that can be restored.
    pub window: Window,
    /// What the user should know.
    pub warnings: Vec<String>,
}
