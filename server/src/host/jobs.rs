//! Jobs: commands that a server works on after who asked for them went away. Each is a file of the data directory, read without a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::logs;
use engine::Result;
use parking_lot::Mutex;
use pitr::kept_json;
use platform::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Jobs that are kept; the oldest that ended go first.
const KEPT_MAX: usize = 200;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It is worked on.
    Running,
    /// It ended as asked.
    Done,
    /// It ended otherwise, or whoever worked on it is gone.
    Failed,
    /// It was told to end, and ended.
    Cancelled,
}

impl JobState {
    /// Gives its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }
}

/// What is known of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its id.
    pub job: String,
    /// What it does: `backup`, `restore`.
    pub kind: String,
    /// How far it is.
    pub state: JobState,
    /// What it said last about how far it is.
    pub progress: Option<Value>,
    /// Why it failed.
    pub error: Option<Value>,
    /// What it gave.
    pub result: Option<Value>,
    /// The exit code that the command would have had.
    pub exit: Option<u8>,
    /// The words of its command line.
    pub words: Vec<String>,
    /// When it began and ended, in microseconds UTC.
    pub began: u64,
    /// When it ended.
    pub ended: Option<u64>,
}

impl JobRecord {
    /// Says whether nobody works on it any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state != JobState::Running
    }
}

/// The jobs of a server.
#[derive(Debug)]
pub struct Jobs {
    world: World,
    dir: PathBuf,
    /// Those that run, and whether they were told to end.
    running: Mutex<BTreeMap<String, Arc<AtomicBool>>>,
}

/// A job that is being worked on.
#[derive(Debug)]
pub struct Job {
    jobs: Arc<Jobs>,
    record: Mutex<JobRecord>,
    /// Set when it is told to end.
    pub cancelled: Arc<AtomicBool>,
}

fn jobs_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("jobs")
}

/// Reads the jobs of a data directory, newest first. What runs without a server that works on it has failed.
///
/// # Errors
/// Those of [`kept_json::read`].
pub fn read_jobs(world: &World, data_dir: &Path, is_served: bool) -> Result<Vec<JobRecord>> {
    let dir = jobs_dir(data_dir);
    if world.fs.metadata(&dir)?.is_none() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in world.fs.list(&dir)? {
        // One that said too much hides no others.
        if !entry.name.ends_with(".json") || entry.len > kept_json::LEN_MAX {
            continue;
        }
        // It may have been removed since the folder was listed.
        let Some(mut record): Option<JobRecord> = kept_json::read(world, &dir.join(&entry.name), "a job")? else { continue };
        if !is_served && !record.has_ended() {
            abandon(&mut record);
        }
        found.push(record);
    }
    found.sort_by_key(|record| (std::cmp::Reverse(record.began), record.job.clone()));
    Ok(found)
}

/// Says of a job that nobody works on it any more.
fn abandon(record: &mut JobRecord) {
    record.state = JobState::Failed;
    record.exit = Some(1);
    record.error = Some(serde_json::json!({"error": {
        "kind": "interrupted",
        "message": "the server that worked on it is gone",
        "hint": "ask for it again: what was done is found",
    }}));
}

impl Jobs {
    /// Takes the jobs of a data directory over: what an earlier server did not end has failed.
    ///
    /// # Errors
    /// Those of [`kept_json::read`], `NoSpace`.
    pub(super) fn open(world: &World, data_dir: &Path) -> Result<Arc<Self>> {
        let jobs = Arc::new(Jobs { world: world.clone(), dir: jobs_dir(data_dir), running: Mutex::default() });
        for record in read_jobs(world, data_dir, true)?.iter_mut().filter(|record| !record.has_ended()) {
            abandon(record);
            jobs.write(record)?;
        }
        Ok(jobs)
    }

    /// Begins a job; it is on the disk when this returns.
    ///
    /// # Errors
    /// `Io`, `NoSpace`.
    pub fn begin(self: &Arc<Self>, kind: &str, words: &[String]) -> Result<Job> {
        self.world.fs.create_dir_all(&self.dir)?;
        let record = JobRecord {
            job: format!("{:016x}", self.world.random.u64()),
            kind: kind.to_owned(),
            state: JobState::Running,
            progress: None,
            error: None,
            result: None,
            exit: None,
            words: words.to_vec(),
            began: self.world.clock.wall_micros(),
            ended: None,
        };
        self.write(&record)?;
        let cancelled = Arc::new(AtomicBool::new(false));
        self.running.lock().insert(record.job.clone(), cancelled.clone());
        logs::job_began(&record.job, kind);
        Ok(Job { jobs: self.clone(), record: Mutex::new(record), cancelled })
    }

    /// Tells a job to end; says whether it runs.
    #[must_use]
    pub fn cancel(&self, job: &str) -> bool {
        let running = self.running.lock();
        let told = running.get(job).map(|cancelled| cancelled.store(true, Ordering::Release));
        told.is_some()
    }

    fn write(&self, record: &JobRecord) -> Result<()> {
        kept_json::write(&self.world, &self.dir.join(format!("{}.json", record.job)), record)
    }

    /// Removes the oldest jobs that ended, down to those that are kept.
    fn clear(&self) -> Result<()> {
        let data_dir = self.dir.parent().unwrap_or(&self.dir);
        let ended = read_jobs(&self.world, data_dir, true)?.into_iter().filter(JobRecord::has_ended);
        for record in ended.skip(KEPT_MAX) {
            self.world.fs.remove_file(&self.dir.join(format!("{}.json", record.job)))?;
        }
        Ok(())
    }
}

impl Job {
    /// Gives its id.
    #[must_use]
    pub fn id(&self) -> String {
        self.record.lock().job.clone()
    }

    /// Notes how far it is; what cannot be noted is not missed.
    pub fn progress(&self, progress: Value) {
        let mut record = self.record.lock();
        record.progress = Some(progress);
        let _noted = self.jobs.write(&record);
    }

    /// Ends it with the exit code, the result and the error of its command.
    ///
    /// # Errors
    /// `Io`, `NoSpace` when its end cannot be written down.
    ///
    /// # Panics
    /// When it ended before.
    pub fn end(&self, exit: u8, result: Option<Value>, error: Option<Value>) -> Result<()> {
        let mut record = self.record.lock();
        assert!(!record.has_ended(), "a job ends once");
        record.state = match exit {
            0 => JobState::Done,
            _ if self.cancelled.load(Ordering::Acquire) => JobState::Cancelled,
            _ => JobState::Failed,
        };
        (record.exit, record.result, record.error) = (Some(exit), result, error);
        let now = self.jobs.world.clock.wall_micros();
        record.ended = Some(now);
        logs::job_ended(&record.job, &record.kind, record.state.word(), now.saturating_sub(record.began));
        self.jobs.running.lock().remove(&record.job);
        self.jobs.write(&record)?;
        self.jobs.clear()
    }
}

impl Drop for Job {
    /// Whoever worked on it is gone without a word: a record that says "running" for ever would be worse than what he met.
    fn drop(&mut self) {
        if self.record.get_mut().has_ended() {
            return;
        }
        let error = serde_json::json!({"error": {"kind": "internal", "message": "the job met a defect of the server: report it"}});
        // What cannot be written down is found by the next server.
        let _written = self.end(1, None, Some(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::sim::SimWorld;

    fn jobs(world: &World) -> Arc<Jobs> {
        world.fs.create_dir_all(Path::new("/data")).unwrap();
        Jobs::open(world, Path::new("/data")).unwrap()
    }

    fn states(world: &World, is_served: bool) -> Vec<JobState> {
        read_jobs(world, Path::new("/data"), is_served).unwrap().into_iter().map(|record| record.state).collect()
    }

    #[test]
    fn a_job_runs_until_it_ends_and_says_how() {
        let world = SimWorld::new(1).world();
        let jobs = jobs(&world);
        let job = jobs.begin("backup", &["x".to_owned()]).unwrap();
        assert_eq!(states(&world, true), [JobState::Running]);
        job.end(0, Some(Value::from(7)), None).unwrap();
        assert_eq!(states(&world, true), [JobState::Done]);
        assert_eq!(read_jobs(&world, Path::new("/data"), true).unwrap()[0].result, Some(Value::from(7)));
    }

    #[test]
    fn a_job_whose_server_is_gone_has_failed() {
        let machine = SimWorld::new(2);
        let _job = jobs(&machine.world()).begin("restore", &[]).unwrap();
        machine.disk.crash();
        let world = machine.world();
        assert_eq!(states(&world, false), [JobState::Failed]);
        drop(jobs(&world));
        assert_eq!(states(&world, true), [JobState::Failed], "the next server writes it down");
    }

    #[test]
    fn a_job_that_nobody_works_on_any_more_has_failed_at_once() {
        let world = SimWorld::new(4).world();
        let jobs = jobs(&world);
        let job = jobs.begin("backup", &[]).unwrap();
        let id = job.id();
        let died = std::thread::spawn(move || {
            let _working = job;
            panic!("a defect");
        });
        assert!(died.join().is_err());
        let record = &read_jobs(&world, Path::new("/data"), true).unwrap()[0];
        assert_eq!(
            (record.state, record.exit, &record.error.as_ref().unwrap()["error"]["kind"]),
            (JobState::Failed, Some(1), &"internal".into())
        );
        assert!(!jobs.cancel(&id), "it runs no more");
    }

    #[test]
    fn a_job_that_is_told_to_end_is_cancelled() {
        let world = SimWorld::new(3).world();
        let jobs = jobs(&world);
        let job = jobs.begin("backup", &[]).unwrap();
        assert!(jobs.cancel(&job.id()) && !jobs.cancel("another"));
        job.end(130, None, None).unwrap();
        assert_eq!(states(&world, true), [JobState::Cancelled]);
        assert!(!jobs.cancel(&job.id()), "it runs no more");
    }
}
