//! What a drill says it found; `docs/disaster-recovery.md` has the keys.

use engine::codec::checksum::Hash;
use engine::error::Error;
use engine::ids::{CommitTime, Timeline};
use serde::{Deserialize, Serialize};

use crate::restore::IndexState;
use crate::time_text;

/// Version of reports.
pub const REPORT_VERSION: u32 = 1;

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything is what it has to be.
    Passed,
    /// It was restored, and something is not what it has to be.
    Missed,
    /// It could not be restored, or not be compared.
    Failed,
    /// Somebody stopped it, or it died.
    Interrupted,
}

/// What came of one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The same.
    Passed,
    /// Something differs.
    Missed,
    /// There was nothing to compare with. That is no miss.
    Unknown,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was compared: `count`, `content`, `points`, `answers`, `exact`, `recall`.
    pub check: String,
    /// What it was compared with: `backup` (recorded when it was made), `live` (the collection here, at the same position), `as_of` (a second
    /// reading of the source), `earlier` (a drill of the same position), `goal`.
    pub with: String,
    /// What came of it.
    pub result: Verdict,
    /// What was expected.
    pub expected: Option<String>,
    /// What was found.
    pub got: Option<String>,
    /// The first thing that differs, or why nothing could be compared.
    pub detail: Option<String>,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    /// The backup; `None` when it was put together from what was archived.
    pub snapshot_id: Option<String>,
    /// Live points.
    pub points: u64,
    /// Bytes fetched.
    pub bytes: u64,
    /// The position.
    pub lsn: u64,
    /// Commit time of the last operation in it.
    #[serde(serialize_with = "time_text::serialize", deserialize_with = "time_text::deserialize")]
    pub commit_time: CommitTime,
    /// The timeline that was restored from.
    pub timeline: Timeline,
    /// Whether the index came with it: `kept`, `differs`, `none`.
    pub index: String,
    /// Digest of ids, payloads and vectors, whatever their order.
    pub content: Option<Hash>,
    /// Nothing that was acknowledged up to here is missing, as far as anybody knows.
    #[serde(serialize_with = "time_text::serialize", deserialize_with = "time_text::deserialize")]
    pub proven_until: CommitTime,
}

impl Restored {
    /// Gives the word for the state of an index.
    #[must_use]
    pub fn index_word(state: IndexState) -> &'static str {
        match state {
            IndexState::Kept => "kept",
            IndexState::Differs => "differs",
            IndexState::None => "none",
        }
    }
}

/// How much would have been lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rpo {
    /// In seconds; `None`: nobody knows.
    pub seconds: Option<f64>,
    /// How it was measured: `newest_write` (from the newest known write back to the state restored) or `archive_lag` (what the archive did not
    /// have when the drill began; for a state in the past).
    pub measured: String,
    /// Commit time of the newest write that is known.
    #[serde(serialize_with = "time_text::serialize_option", deserialize_with = "time_text::deserialize_option")]
    pub newest_known_time: Option<CommitTime>,
    /// Known writes that the state does not have; `None`: not counted.
    pub missing_records: Option<u64>,
}

/// How long it took until it answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rto {
    /// Seconds until the first answer.
    pub first_answer_s: f64,
    /// Seconds until nothing was left to fetch or to build; `None`: something is.
    pub full_speed_s: Option<f64>,
    /// Seconds until it was durable.
    pub total_s: f64,
    /// Bytes fetched in a second.
    pub bytes_per_second: f64,
}

/// Why a drill failed, as an error says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// The kind, as in errors.
    pub kind: String,
    /// What failed, on what, where.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

/// What a drill found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrillReport {
    /// Version of the report.
    pub format: u32,
    /// `drill`.
    pub kind: String,
    /// Its id: the time at which it began and a few random digits.
    pub id: String,
    /// When it began.
    #[serde(serialize_with = "time_text::serialize", deserialize_with = "time_text::deserialize")]
    pub started: u64,
    /// When it ended.
    #[serde(serialize_with = "time_text::serialize", deserialize_with = "time_text::deserialize")]
    pub finished: u64,
    /// Seconds in all, comparisons included.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// The collection's name in the source.
    pub collection: String,
    /// The source.
    pub source: String,
    /// Which state was asked for: `newest`, `latest`, `time`, `random`.
    pub target: String,
    /// The time that was asked for, or drawn.
    #[serde(serialize_with = "time_text::serialize_option", deserialize_with = "time_text::deserialize_option")]
    pub to_time: Option<CommitTime>,
    /// What the collection was called meanwhile.
    pub scratch_name: String,
    /// Seed of the queries.
    pub seed: u64,
    /// What was restored; `None`: nothing was.
    pub restored: Option<Restored>,
    /// The share of the nearest neighbours that was found; `None`: nobody looked, or there are none.
    pub recall: Option<f64>,
    /// How much would have been lost.
    pub rpo: Option<Rpo>,
    /// How long it took.
    pub rto: Option<Rto>,
    /// The comparisons.
    pub checks: Vec<Check>,
    /// What is not what it has to be, in words.
    pub misses: Vec<String>,
    /// Why it failed.
    pub failed: Option<Failed>,
    /// What the user should know besides.
    pub warnings: Vec<String>,
}

impl DrillReport {
    /// Gives the time up to which this drill proved that everything comes back; `None` when it did not pass.
    #[must_use]
    pub fn proven_until(&self) -> Option<CommitTime> {
        self.restored.as_ref().filter(|_| self.outcome == Outcome::Passed).map(|restored| restored.proven_until)
    }
}

/// What came of a drill.
#[derive(Debug)]
pub struct Drilled {
    /// What it found; kept in the history.
    pub report: DrillReport,
    /// What went wrong, or what was missed: its kind gives the exit code.
    pub error: Option<Error>,
}
