//! What is kept of each schedule: which moments were run, how the last one ended, and what was missed.

use std::path::{Path, PathBuf};

use engine::Result;
use pitr::kept_json;
use pitr::schedule::Runs;
use platform::World;
use serde::{Deserialize, Serialize};

use super::ScheduleEntry;

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// It goes on.
    Running,
    /// It ended as it should.
    Done,
    /// It ended otherwise, or its server is gone.
    Failed,
}

impl RunOutcome {
    /// Names it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            RunOutcome::Running => "running",
            RunOutcome::Done => "done",
            RunOutcome::Failed => "failed",
        }
    }
}

/// The last run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// The moment that it was due at, in microseconds UTC.
    pub moment: u64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The job that it was, or is.
    pub job: Option<String>,
    /// When it ended, in microseconds UTC.
    pub ended: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// A schedule, and how it stands. Times are microseconds UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleState {
    /// The schedule.
    pub entry: ScheduleEntry,
    /// When it is due next; `None`: never again.
    pub next: Option<u64>,
    /// Its last run.
    pub last: Option<LastRun>,
    /// When its work last ended as it should.
    pub last_success: Option<u64>,
    /// Moments that passed without a run, because no server ran.
    pub missed: u64,
    /// Moments that were not run because the run of an earlier one went on.
    pub refused: u64,
}

/// A schedule as the data directory has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub entry: ScheduleEntry,
    pub runs: Runs,
    pub last: Option<LastRun>,
    pub last_success: Option<u64>,
    pub missed: u64,
    pub refused: u64,
}

impl Kept {
    /// Begins with a schedule that is set up now: nothing before is missed.
    pub fn new(entry: ScheduleEntry, now: u64) -> Self {
        Kept { entry, runs: Runs::since(now), last: None, last_success: None, missed: 0, refused: 0 }
    }

    /// Takes another setup of the same name over; when it is due at other moments, those begin now.
    pub fn change(&mut self, entry: ScheduleEntry, now: u64) {
        assert_eq!(self.entry.name, entry.name, "a schedule keeps its name");
        if self.entry.when() != entry.when() {
            self.runs.last = now;
        }
        self.entry = entry;
    }

    /// Says that whoever worked on its last run is gone.
    pub fn abandon(&mut self) {
        if let Some(last) = self.last.as_mut().filter(|last| last.outcome == RunOutcome::Running) {
            last.outcome = RunOutcome::Failed;
            last.error = Some("the server that worked on it is gone".to_owned());
        }
    }

    /// Says how it stands.
    pub fn state(&self) -> ScheduleState {
        let schedule = self.entry.schedule().ok();
        ScheduleState {
            next: schedule.and_then(|schedule| schedule.next_after(self.runs.last)),
            entry: self.entry.clone(),
            last: self.last.clone(),
            last_success: self.last_success,
            missed: self.missed,
            refused: self.refused,
        }
    }
}

pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("schedules.json")
}

/// Reads what is kept.
pub(super) fn read(world: &World, path: &Path) -> Result<Vec<Kept>> {
    Ok(kept_json::read(world, path, "schedules")?.unwrap_or_default())
}

pub(super) fn write(world: &World, path: &Path, kept: &[Kept]) -> Result<()> {
    kept_json::write(world, path, kept)
}

/// Reads the schedules of a data directory, with a server or without one.
///
/// # Errors
/// Those of [`kept_json::read`].
pub fn read_schedules(world: &World, data_dir: &Path, is_served: bool) -> Result<Vec<ScheduleState>> {
    let mut kept = read(world, &path(data_dir))?;
    if !is_served {
        kept.iter_mut().for_each(Kept::abandon);
    }
    Ok(kept.iter().map(Kept::state).collect())
}
