//! Schedules of a server: command lines that run themselves, as jobs. What is due is decided by the wall clock; what was run is kept on the disk.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use pitr::schedule::Turn;
use pitr::time_text;
use platform::World;

use super::Host;
use crate::api::commands::{CommandLine, Commander};

mod entry;
mod room;
mod state;
#[cfg(test)]
mod tests;

pub use entry::{Keep, ScheduleEntry, ScheduleKind};
use room::Rooms;
use state::Kept;
pub use state::{LastRun, RunOutcome, ScheduleState, read_schedules};

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_millis(100);
/// How long is rested when what was run cannot be written down, in microseconds.
const REST_MICROS: u64 = 5_000_000;

/// Is told what a person should know.
#[derive(Clone)]
pub struct Tell(Arc<dyn Fn(&str) + Send + Sync>);

impl Tell {
    /// Tells a function.
    #[must_use]
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Tell(Arc::new(tell))
    }
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}

/// The work of one schedule for one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    name: String,
    kind: &'static str,
    moment: u64,
    lines: Vec<Vec<String>>,
}

/// The schedules of a data directory.
#[derive(Debug)]
pub struct Schedules {
    world: World,
    path: PathBuf,
    state: Mutex<State>,
    /// A schedule was changed, or it is time to stop.
    wakes: Condvar,
    rooms: Rooms,
}

#[derive(Debug, Default)]
struct State {
    kept: Vec<Kept>,
    is_stopping: bool,
    /// Nothing is begun before then, by the monotonic clock.
    rests_until: u64,
    thread: Option<JoinHandle<()>>,
}

impl Schedules {
    /// Takes the schedules of a data directory over: what an earlier server did not end has failed.
    ///
    /// # Errors
    /// `Io`, `Corrupt`.
    pub fn open(world: &World, data_dir: &Path) -> Result<Arc<Self>> {
        let path = state::path(data_dir);
        let mut kept = state::read(world, &path)?;
        kept.iter_mut().for_each(Kept::abandon);
        let state = Mutex::new(State { kept, ..State::default() });
        Ok(Arc::new(Schedules { world: world.clone(), path, state, wakes: Condvar::new(), rooms: Rooms::default() }))
    }

    /// Says how each stands.
    #[must_use]
    pub fn list(&self) -> Vec<ScheduleState> {
        self.state.lock().kept.iter().map(Kept::state).collect()
    }

    /// Sets one up, or changes the one of its name.
    ///
    /// # Errors
    /// `Usage`, `InvalidInput` when it cannot be carried out; `Conflict` when the configuration file has the name; `Io`, `NoSpace`. Nothing changed then.
    pub fn set(&self, entry: ScheduleEntry) -> Result<ScheduleState> {
        entry.check()?;
        let (name, now) = (entry.name.clone(), self.world.clock.wall_micros());
        self.change(|kept| {
            kept.iter().find(|kept| kept.entry.name == entry.name).map_or(Ok(()), check_not_of_file)?;
            put(kept, entry, now);
            Ok(())
        })?;
        self.list().into_iter().find(|state| state.entry.name == name).ok_or_else(|| Error::internal("a schedule that was set up is gone"))
    }

    /// Removes one; the job of a run that goes on goes on.
    ///
    /// # Errors
    /// `NotFound` naming those there are, `Conflict` when the configuration file has it, `Io`, `NoSpace`.
    pub fn delete(&self, name: &str) -> Result<()> {
        self.change(|kept| {
            let Some(at) = kept.iter().position(|kept| kept.entry.name == name) else {
                let names: Vec<&str> = kept.iter().map(|kept| kept.entry.name.as_str()).collect();
                let failure = Error::not_found(format!("schedule \"{}\" does not exist", name.escape_debug())).with_object(name);
                return Err(if names.is_empty() { failure } else { failure.with_hint(format!("these exist: {}", names.join(", "))) });
            };
            check_not_of_file(&kept[at])?;
            kept.remove(at);
            Ok(())
        })
    }

    /// Takes over what the configuration file says now: those of it that are gone there go here too. Gives the names of schedules that a command
    /// had set up and that the file has now.
    ///
    /// # Errors
    /// `Usage`, `InvalidInput` when one cannot be carried out, or two have one name; `Io`, `NoSpace`.
    pub fn take_file(&self, entries: Vec<ScheduleEntry>) -> Result<Vec<String>> {
        for (at, entry) in entries.iter().enumerate() {
            let origin = entry.origin.as_deref().unwrap_or_default();
            entry.check().map_err(|error| error.with_hint(format!("it stands in {origin}")))?;
            if let Some(other) = entries[..at].iter().find(|other| other.name == entry.name) {
                let first = other.origin.as_deref().unwrap_or_default();
                let failure = Error::new(ErrorKind::Usage, format!("two schedules are called \"{}\", in {first} and {origin}", entry.name));
                return Err(failure.with_hint("give one of them another name"));
            }
        }
        let now = self.world.clock.wall_micros();
        if entries.is_empty() && self.state.lock().kept.iter().all(|kept| kept.entry.origin.is_none()) {
            return Ok(Vec::new());
        }
        let mut replaced = Vec::new();
        self.change(|kept| {
            kept.retain(|kept| kept.entry.origin.is_none() || entries.iter().any(|entry| entry.name == kept.entry.name));
            for entry in entries {
                if kept.iter().any(|kept| kept.entry.name == entry.name && kept.entry.origin.is_none()) {
                    replaced.push(entry.name.clone());
                }
                put(kept, entry, now);
            }
            Ok(())
        })?;
        Ok(replaced)
    }

    /// Makes a change that is on the disk when this returns, or is not made.
    fn change(&self, change: impl FnOnce(&mut Vec<Kept>) -> Result<()>) -> Result<()> {
        let mut state = self.state.lock();
        let mut kept = state.kept.clone();
        change(&mut kept)?;
        state::write(&self.world, &self.path, &kept)?;
        state.kept = kept;
        drop(state);
        self.wakes.notify_all();
        Ok(())
    }

    /// Decides what begins at a time, and writes that down before it is given: a restart runs nothing twice.
    pub(crate) fn turn(&self, now: u64, tell: &Tell) -> Vec<Work> {
        let mut state = self.state.lock();
        if state.is_stopping || self.world.clock.monotonic_micros() < state.rests_until {
            return Vec::new();
        }
        let (mut kept, mut begun, mut news) = (state.kept.clone(), Vec::new(), Vec::new());
        for kept in &mut kept {
            begun.extend(look(kept, now, &mut news));
        }
        if kept == state.kept {
            return Vec::new();
        }
        if let Err(error) = state::write(&self.world, &self.path, &kept) {
            state.rests_until = self.world.clock.monotonic_micros().saturating_add(REST_MICROS);
            (tell.0)(&format!("nothing that is due begins: that it does cannot be written down: {error}"));
            return Vec::new();
        }
        state.kept = kept;
        drop(state);
        news.iter().for_each(|news| (tell.0)(news));
        begun
    }

    /// Notes the job that a run is.
    fn note_job(&self, work: &Work, job: &str) {
        let mut state = self.state.lock();
        if let Some(last) = state.run_of(work).and_then(|kept| kept.last.as_mut()) {
            last.job = Some(job.to_owned());
        }
    }

    /// Notes that the work itself succeeded, whatever follows.
    fn note_success(&self, work: &Work) {
        let now = self.world.clock.wall_micros();
        if let Some(kept) = self.state.lock().run_of(work) {
            kept.last_success = Some(now);
        }
    }

    /// Notes how a run ended; one whose schedule is gone is noted nowhere.
    pub(crate) fn ended(&self, work: &Work, error: Option<String>, tell: &Tell) {
        let now = self.world.clock.wall_micros();
        let mut state = self.state.lock();
        let Some(kept) = state.run_of(work) else { return };
        kept.runs.end(work.moment);
        if let Some(last) = &mut kept.last {
            last.outcome = if error.is_some() { RunOutcome::Failed } else { RunOutcome::Done };
            (last.ended, last.error) = (Some(now), error.clone());
        }
        let written = state::write(&self.world, &self.path, &state.kept);
        drop(state);
        if let Some(error) = error {
            (tell.0)(&format!("schedule \"{}\": its run of {} failed: {error}", work.name, time_text::format(work.moment)));
        }
        if let Err(error) = written {
            (tell.0)(&format!("schedule \"{}\": how its run ended cannot be written down: {error}", work.name));
        }
    }

    /// Begins to look what is due, again and again, until the host goes.
    pub(super) fn start(self: &Arc<Self>, host: &Arc<Host>, commander: Commander, tell: Tell) {
        let (schedules, host) = (self.clone(), Arc::downgrade(host));
        let thread = std::thread::spawn(move || schedules.run(&host, &commander, &tell));
        self.state.lock().thread = Some(thread);
    }

    /// Ends the thread. Work that goes on is that of its jobs.
    pub(super) fn stop(&self) {
        let thread = {
            let mut state = self.state.lock();
            state.is_stopping = true;
            state.thread.take()
        };
        self.wakes.notify_all();
        self.rooms.close();
        if let Some(thread) = thread {
            // A panic of that thread was reported when it happened; stopping goes on.
            let _ended = thread.join();
        }
    }

    fn run(self: &Arc<Self>, host: &Weak<Host>, commander: &Commander, tell: &Tell) {
        while let Some(host) = host.upgrade() {
            for work in self.turn(self.world.clock.wall_micros(), tell) {
                self.begin(work, &host, commander, tell);
            }
            drop(host);
            let mut state = self.state.lock();
            if state.is_stopping {
                return;
            }
            self.wakes.wait_for(&mut state, LOOK);
        }
    }

    /// Carries work out in a thread of its own. A defect that ends it is told, and its schedule goes on.
    fn begin(self: &Arc<Self>, work: Work, host: &Arc<Host>, commander: &Commander, tell: &Tell) -> JoinHandle<()> {
        let (schedules, host, commander, tell) = (self.clone(), host.clone(), commander.clone(), tell.clone());
        std::thread::spawn(move || {
            let carried = catch_unwind(AssertUnwindSafe(|| schedules.carry_out(&work, &host, &commander, &tell)));
            if carried.is_err() {
                schedules.ended(&work, Some("the run met a defect of this program: report it".to_owned()), &tell);
            }
        })
    }

    /// Carries the lines out once there is room, one after the other, as long as they succeed.
    fn carry_out(&self, work: &Work, host: &Arc<Host>, commander: &Commander, tell: &Tell) {
        let Some(_room) = self.rooms.take(work.kind == ScheduleKind::Drill.word()) else {
            return self.ended(work, Some("the server stopped before there was room for it".to_owned()), tell);
        };
        let commands = match commander.commands() {
            Ok(commands) => commands,
            Err(error) => return self.ended(work, Some(error.to_string()), tell),
        };
        let directory = host.database().dir().to_string_lossy().into_owned();
        for (at, words) in work.lines.iter().enumerate() {
            let kind = if at == 0 { work.kind } else { "prune" };
            let line = CommandLine { words: words.clone(), directory: directory.clone() };
            let ended = commands.run_as_job(host, kind, &line, &|job| {
                if at == 0 {
                    self.note_job(work, job)
                }
            });
            match ended {
                Ok(()) if at == 0 => self.note_success(work),
                Ok(()) => {}
                Err(error) => return self.ended(work, Some(error.to_string()), tell),
            }
        }
        self.ended(work, None, tell);
    }
}

impl State {
    /// Finds the schedule whose run some work is, if that run goes on.
    fn run_of(&mut self, work: &Work) -> Option<&mut Kept> {
        let is_run = |last: &LastRun| last.moment == work.moment && last.outcome == RunOutcome::Running;
        self.kept.iter_mut().find(|kept| kept.entry.name == work.name && kept.last.as_ref().is_some_and(is_run))
    }
}

/// Looks at one schedule: what begins, and what is to be told.
fn look(kept: &mut Kept, now: u64, news: &mut Vec<String>) -> Option<Work> {
    // What is kept was checked; a newer version's may not read here, and waits for that version.
    let schedule = kept.entry.schedule().ok()?;
    let name = &kept.entry.name;
    match kept.runs.look(&schedule, now) {
        Turn::Wait(_) => None,
        Turn::Refused { moment, running } => {
            kept.refused += 1;
            let (moment, running) = (time_text::format(moment), time_text::format(running));
            news.push(format!("schedule \"{name}\": {moment} is not run, because the run of {running} goes on"));
            None
        }
        Turn::Begin { moment, missed } => {
            if let Some((count, first)) = missed {
                kept.missed += count;
                let first = time_text::format(first);
                news.push(format!("schedule \"{name}\": {count} moments passed without a run, the first of them {first}"));
            }
            let lines = kept.entry.lines(moment);
            kept.last = Some(LastRun { moment, outcome: RunOutcome::Running, job: None, ended: None, error: None });
            match lines {
                Ok(lines) => Some(Work { name: name.clone(), kind: kept.entry.kind.word(), moment, lines }),
                Err(error) => {
                    kept.runs.end(moment);
                    kept.last =
                        Some(LastRun { moment, outcome: RunOutcome::Failed, job: None, ended: Some(now), error: Some(error.to_string()) });
                    None
                }
            }
        }
    }
}

/// Sets a schedule up, or changes the one of its name; they stay in the order of their names.
fn put(kept: &mut Vec<Kept>, entry: ScheduleEntry, now: u64) {
    match kept.iter_mut().find(|kept| kept.entry.name == entry.name) {
        Some(kept) => kept.change(entry, now),
        None => kept.push(Kept::new(entry, now)),
    }
    kept.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
}

fn check_not_of_file(kept: &Kept) -> Result<()> {
    match &kept.entry.origin {
        None => Ok(()),
        Some(origin) => {
            let failure =
                Error::new(ErrorKind::Conflict, format!("schedule \"{}\" is in the configuration file, {origin}", kept.entry.name));
            Err(failure.with_object(&kept.entry.name).with_hint("change it there, and start the server again"))
        }
    }
}
