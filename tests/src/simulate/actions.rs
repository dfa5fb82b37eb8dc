//! What can happen between two recoveries: changes, names, background steps, readers, faults.

use std::time::Duration;

use engine::collection::Step;
use engine::collection::cleaning::policy::Cleaning;
use engine::collection::indexer::{Goal, Threads};
use engine::collection::merge::Work;
use engine::{Database, Error, ErrorKind};
use platform::fs::SyncFault;

use super::driver::{Check, Driver, Fate};
use super::generate::{Shape, bulk, change, operation, upsert};
use super::registry::NameChange;
use super::{check, recovery};
use crate::model::{Change, seen};

/// Names that collections get.
const NAMES: [&str; 3] = ["one", "two", "three"];
/// Steps of cleaning that are done in a row.
const CLEANING_STEPS: u64 = 5;
/// Steps within which a collection comes to rest.
const REST_STEPS: u64 = 200;
/// Points of a collection that gets a graph.
const GRAPH_POINTS: u64 = 1_000;

impl Driver {
    /// Does one thing, drawn from the seed.
    pub(super) fn act(&mut self) -> Check {
        if self.registry.names.living.is_empty() {
            return self.create();
        }
        if self.profile.cleans && self.stream.chance(1, 3) {
            return self.seal_and_clean();
        }
        match self.stream.below(100) {
            0..48 => self.change(),
            48..62 => self.background_step(),
            62..65 => self.create(),
            65..68 => self.drop_collection(),
            68..70 => self.undrop(),
            70..75 => self.read_beside(),
            75..79 | 92..95 => self.compare(),
            79..83 => self.close(),
            83..92 => self.cause_trouble(),
            _ => {
                self.cut();
                Ok(())
            }
        }
    }

    fn cause_trouble(&mut self) -> Check {
        let profile = self.profile;
        match self.stream.below(4) {
            0 if profile.full => {
                let used: usize = self
                    .machine
                    .disk
                    .paths()
                    .iter()
                    .filter_map(|path| self.machine.disk.durable_bytes(path))
                    .map(|bytes| bytes.len())
                    .sum();
                let room = self.stream.below(8_000);
                self.note(format!("the disk is full after about {room} bytes more"));
                self.machine.disk.set_capacity(Some(used as u64 + room));
                self.armed.full = true;
            }
            1 if profile.failing_syncs => {
                let n = 1 + self.stream.below(6);
                let fault = if self.stream.chance(1, 2) { SyncFault::Once } else { SyncFault::From(n) };
                self.note(format!("syncs fail: {fault:?}"));
                self.machine.disk.fail_syncs(fault);
                self.armed.syncs = true;
            }
            2 if profile.clock => {
                let minutes = 1 + self.stream.below(90) as i64;
                let forward = self.stream.chance(1, 2);
                self.note(format!("the wall clock is set {minutes} minutes {}", if forward { "forward" } else { "back" }));
                self.machine.clock.step_wall(if forward { minutes } else { -minutes } * 60_000_000);
            }
            _ if profile.planned_cuts && !self.armed.power => self.plan_cut(60),
            _ => self.machine.clock.advance(Duration::from_millis(self.stream.below(2_000))),
        }
        Ok(())
    }

    /// Draws a living collection, opening it if it is not open; `None` when that failed for an injected reason.
    fn pick(&mut self) -> Check<Option<usize>> {
        let index = self.stream.below(self.registry.names.living.len() as u64) as usize;
        let (name, life) = self.registry.names.living.iter().nth(index).map(|(name, life)| (name.clone(), *life)).unwrap_or_default();
        if self.open.contains_key(&life) {
            return Ok(Some(life));
        }
        match self.open_collection(&name, life)? {
            Ok(()) => Ok(Some(life)),
            Err(fate) => {
                self.suffer(fate);
                Ok(None)
            }
        }
    }

    fn change(&mut self) -> Check {
        let Some(life) = self.pick()? else { return Ok(()) };
        let shape = self.registry.lives[life].shape.clone();
        let count = if self.stream.chance(1, 3) { 2 + self.stream.below(4) } else { 1 };
        if count > 1 && self.profile.planned_cuts && !self.armed.power && self.stream.chance(1, 6) {
            // Into the sync of the group: some of its records are torn, others are whole.
            self.plan_cut(count + 2);
        }
        let draw = if self.stream.chance(1, 2) { upsert } else { change };
        let changes: Vec<Change> = (0..count).map(|_| draw(&mut self.stream, &shape, self.profile.sizes)).collect();
        self.write(life, changes)
    }

    /// Writes a group of changes and notes what became of each.
    fn write(&mut self, life: usize, changes: Vec<Change>) -> Check {
        let collection = &self.open[&life];
        let schema = collection.version().schema.clone();
        let operations: Result<Vec<_>, Error> = changes.iter().map(|change| operation(change, &schema)).collect();
        let answers = operations.and_then(|operations| collection.write_all(operations)).map_err(|error| format!("refused: {error}"))?;
        let was_broken = self.broken.contains(&life);
        let mut worst = None;
        for (change, answer) in changes.into_iter().zip(answers) {
            let kind = kind_of(&change);
            match answer {
                // What cannot be is refused, and nothing else is.
                answer if change.is_refused(&self.registry.lives[life].points) => match answer {
                    Err(error) if error.kind == ErrorKind::NotFound => self.note(format!("{kind} on life {life} refused: {error}")),
                    answer => return Err(format!("{kind} of points that are not there gave {answer:?}")),
                },
                Ok(ack) => {
                    self.note(format!("{kind} on life {life} acknowledged: {} points, lsn {}", ack.points, ack.lsn));
                    let known = &mut self.registry.lives[life];
                    if ack.lsn < known.lsn || (ack.lsn > known.lsn && ack.commit_time <= self.last_commit) {
                        return Err(format!("positions and commit times rise: {ack:?} after lsn {}, time {}", known.lsn, self.last_commit));
                    }
                    if ack.lsn > known.lsn {
                        (known.lsn, self.last_commit) = (ack.lsn, ack.commit_time);
                    }
                    let before = was_broken.then(|| known.points.clone());
                    known.acknowledge(change);
                    if before.is_some_and(|before| before != known.points) {
                        return Err(format!("a log that failed acknowledged a {kind}"));
                    }
                }
                Err(error) => {
                    let fate = self.judge(kind, &error)?;
                    // A log that had failed before takes nothing; what the full disk refused was cut off again.
                    if fate != Fate::Full && !was_broken {
                        self.registry.lives[life].pending.push(change);
                    }
                    if fate != Fate::Full {
                        self.broken.insert(life);
                    }
                    worst = Some(fate);
                }
            }
        }
        match worst {
            // A process that does not end yet: it must not acknowledge, and what it reads must be right.
            Some(Fate::SyncFailed) if self.stream.chance(2, 3) => {
                self.go_on();
                Ok(())
            }
            Some(fate) => {
                self.suffer(fate);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn background_step(&mut self) -> Check {
        let Some(life) = self.pick()? else { return Ok(()) };
        let collection = &self.open[&life];
        let version = collection.version();
        let segments = version.segments.len();
        let goal = if self.stream.chance(1, 2) { Goal::Indexed } else { Goal::Bounded };
        let step = match self.stream.below(6) {
            0 | 1 => Step::Seal,
            2 | 3 => return self.clean(life, goal),
            4 if segments > 0 => {
                let from = self.stream.below(segments as u64) as usize;
                let to = from + 1 + self.stream.below((segments - from) as u64) as usize;
                Step::Segments(if self.stream.chance(1, 5) { Work::Fields(from) } else { Work::Merge(from..to) })
            }
            _ if self.stream.chance(1, 4) => return self.rest(life, goal),
            _ => match collection.next_step(goal) {
                Some(step) => step,
                None => return Ok(()),
            },
        };
        self.run_step(life, &step)
    }

    /// Runs the background until it has nothing to do, unless something fails.
    fn rest(&mut self, life: usize, goal: Goal) -> Check {
        for _ in 0..REST_STEPS {
            let Some(step) = self.open.get(&life).and_then(|collection| collection.next_step(goal)) else { return Ok(()) };
            let before = self.done.steps;
            self.run_step(life, &step)?;
            if self.done.steps == before {
                return Ok(());
            }
        }
        Err(format!("the background of life {life} does not come to rest within {REST_STEPS} steps"))
    }

    fn seal_and_clean(&mut self) -> Check {
        let Some(life) = self.pick()? else { return Ok(()) };
        self.run_step(life, &Step::Seal)?;
        self.clean(life, Goal::Indexed)
    }

    /// Cleans a collection, and stops anywhere.
    fn clean(&mut self, life: usize, goal: Goal) -> Check {
        for _ in 0..CLEANING_STEPS {
            let Some(step) = self.open.get(&life).and_then(|collection| collection.next_cleaning(goal)) else { break };
            if self.profile.planned_cuts && !self.armed.power && self.stream.chance(1, 3) {
                // Between what it removes and what it publishes.
                self.plan_cut(25);
            }
            self.run_step(life, &step)?;
            if self.stream.chance(1, 4) {
                break;
            }
        }
        Ok(())
    }

    /// Runs a background step and compares what is there then.
    fn run_step(&mut self, life: usize, step: &Step) -> Check {
        let result = self.open[&life].step(step, &Threads(1), &|_, _| true);
        self.note(format!("{step:?} of life {life}: {}", if result.is_ok() { "done" } else { "failed" }));
        match result {
            Ok(()) => {
                self.done.steps += 1;
                match step {
                    Step::Clean(Cleaning::Move(_)) => self.done.cleanings.0 += 1,
                    Step::Clean(Cleaning::Leave) => self.done.cleanings.1 += 1,
                    Step::Clean(Cleaning::Renew) | Step::Seal | Step::Segments(_) => {}
                }
                // Moves are records like any others: durable, and later than what was before.
                let version = self.open[&life].version();
                self.registry.lives[life].lsn = version.lsn_end;
                self.last_commit = self.last_commit.max(version.commit_time);
                self.compare_life(life)
            }
            Err(error) => {
                let fate = self.judge("a background step", &error)?;
                // A failed step changes nothing: the process may go on unless the power went.
                if fate == Fate::Cut || self.stream.chance(1, 2) {
                    self.suffer(fate);
                } else {
                    self.go_on();
                }
                Ok(())
            }
        }
    }

    fn create(&mut self) -> Check {
        let name = NAMES[self.stream.below(NAMES.len() as u64) as usize];
        let shape = Shape::draw(&mut self.stream);
        let Some(database) = &self.database else { return Ok(()) };
        let result = database.create_collection(name, &shape.schema());
        self.note(format!("create {name} {shape:?}: {}", if result.is_ok() { "done" } else { "failed" }));
        if self.registry.names.living.contains_key(name) {
            return expect_kind("creating a name twice", result.map(drop), ErrorKind::Exists);
        }
        let life = self.registry.begin(shape);
        let born = NameChange::Create(name.to_owned(), life);
        match result {
            Ok(incarnation) => {
                self.registry.lives[life].incarnation = Some(incarnation);
                self.registry.acknowledge(&born);
                if self.profile.graphs { self.fill(name, life) } else { Ok(()) }
            }
            Err(error) => self.names_failed("creating a collection", &error, vec![born]),
        }
    }

    /// Puts enough points into a collection for a graph, and waits for it.
    fn fill(&mut self, name: &str, life: usize) -> Check {
        if let Err(fate) = self.open_collection(name, life)? {
            self.suffer(fate);
            return Ok(());
        }
        let shape = self.registry.lives[life].shape.clone();
        for first in (0..GRAPH_POINTS).step_by(200) {
            if !self.open.contains_key(&life) || self.broken.contains(&life) {
                return Ok(());
            }
            let change = bulk(&mut self.stream, &shape, 1_000 + first, 200);
            self.write(life, vec![change])?;
        }
        let Some(collection) = self.open.get(&life) else { return Ok(()) };
        while let Some(step) = collection.next_step(Goal::Indexed) {
            self.done.steps += 1;
            if let Err(error) = collection.step(&step, &Threads(1), &|_, _| true) {
                let fate = self.judge("indexing", &error)?;
                self.suffer(fate);
                return Ok(());
            }
        }
        self.compare_life(life)
    }

    /// A change of names that failed: on a full disk the catalog says what is; otherwise nobody knows before the next recovery.
    fn names_failed(&mut self, what: &str, error: &Error, changes: Vec<NameChange>) -> Check {
        let fate = self.judge(what, error)?;
        changes.into_iter().for_each(|change| self.registry.suspect(change));
        match (fate, &self.database) {
            (Fate::Full, Some(database)) => {
                self.registry.resolve(&database.state())?;
                let living: Vec<usize> = self.registry.names.living.values().copied().collect();
                self.open.retain(|life, _| living.contains(life));
                self.suffer(fate);
            }
            _ => self.suffer(fate),
        }
        Ok(())
    }

    fn drop_collection(&mut self) -> Check {
        let index = self.stream.below(self.registry.names.living.len() as u64) as usize;
        let Some((name, life)) = self.registry.names.living.iter().nth(index).map(|(name, life)| (name.clone(), *life)) else {
            return Ok(());
        };
        let purge = self.stream.chance(1, 3);
        if let Some(collection) = self.open.remove(&life)
            && self.stream.chance(1, 2)
            && let Err(error) = collection.close()
        {
            let fate = self.judge("closing a collection", &error)?;
            if fate != Fate::Full {
                self.suffer(fate);
                return Ok(());
            }
        }
        let Some(database) = &self.database else { return Ok(()) };
        let result = database.drop_collection(&name, purge);
        self.note(format!("drop {name} (purge {purge}): {}", if result.is_ok() { "done" } else { "failed" }));
        let mut changes = vec![NameChange::Drop(name)];
        if purge {
            changes.push(NameChange::Purge(life));
        }
        match result {
            Ok(_) => {
                changes.iter().for_each(|change| self.registry.acknowledge(change));
                Ok(())
            }
            Err(error) => self.names_failed("dropping a collection", &error, changes),
        }
    }

    fn undrop(&mut self) -> Check {
        let dropped = &self.registry.names.dropped;
        if dropped.is_empty() {
            return Ok(());
        }
        let name = dropped[self.stream.below(dropped.len() as u64) as usize].0.clone();
        let Some(database) = &self.database else { return Ok(()) };
        let result = database.undrop(&name);
        self.note(format!("undrop {name}: {}", if result.is_ok() { "done" } else { "failed" }));
        if self.registry.names.living.contains_key(&name) {
            return expect_kind("bringing back a name that is taken", result, ErrorKind::Exists);
        }
        let change = NameChange::Undrop(name);
        match result {
            Ok(()) => {
                self.registry.acknowledge(&change);
                Ok(())
            }
            Err(error) => self.names_failed("bringing a collection back", &error, vec![change]),
        }
    }

    /// Reads beside the open writer: everything acknowledged, and a prefix of what failed.
    fn read_beside(&mut self) -> Check {
        let Some(life) = self.pick()? else { return Ok(()) };
        let name = self.open[&life].name().to_owned();
        let reader = Database::open_read(&self.machine.world(), self.dir(), recovery::options(true));
        let result = reader.and_then(|reader| {
            let state = reader.state();
            Ok((state, reader.collection(&name)?))
        });
        self.note(format!("a reader of {name}: {}", if result.is_ok() { "done" } else { "failed" }));
        match result {
            Ok((state, collection)) => {
                self.registry.allows(&state)?;
                let found = check::read_all(&collection.version())?;
                self.registry.lives[life].allows(&found).map_err(|wrong| format!("a reader beside the writer of {name} saw {wrong}"))
            }
            Err(error) => {
                let fate = self.judge("a reader", &error)?;
                if fate != Fate::Full {
                    self.suffer(fate);
                }
                Ok(())
            }
        }
    }

    fn compare(&mut self) -> Check {
        let Some(life) = self.pick()? else { return Ok(()) };
        self.compare_life(life)
    }

    /// Compares an open collection with the model in full.
    pub(super) fn compare_life(&mut self, life: usize) -> Check {
        let version = self.open[&life].version();
        let known = &self.registry.lives[life];
        let found = check::read_all(&version)?;
        if found != seen(&known.points) {
            let difference = crate::model::difference(&seen(&known.points), &found);
            return Err(format!("life {life} is not as acknowledged: {difference}"));
        }
        check::answers(&version, &known.points, &known.shape, self.profile.sizes, &mut self.stream)?;
        check::objects(&version, &*self.machine.world().fs, self.open[&life].dir()).or_else(|wrong| {
            // The power may have gone unnoticed before this comparison asked the disk.
            if wrong.contains("simulated power cut") && self.armed.power { Ok(()) } else { Err(wrong) }
        })
    }

    /// Closes everything and gives the lock back.
    pub(super) fn close(&mut self) -> Check {
        self.note("close");
        let mut results: Vec<Result<(), Error>> = self.open.values().map(engine::Collection::close).collect();
        self.open.clear();
        results.extend(self.database.take().map(Database::close));
        let mut fates = Vec::new();
        for error in results.into_iter().filter_map(Result::err) {
            fates.push(self.judge("closing", &error)?);
        }
        self.forget();
        if fates.contains(&Fate::Cut) {
            self.cut();
        } else if fates.contains(&Fate::SyncFailed) {
            self.kill();
        }
        Ok(())
    }
}

fn kind_of(change: &Change) -> &'static str {
    match change {
        Change::Upsert(_) => "upsert",
        Change::Patch(_) => "patch",
        Change::Delete(_) => "delete",
        Change::SetPayload(..) => "set-payload",
        Change::Index(_) => "field index",
        Change::UpsertIf(..) => "conditional upsert",
        Change::PatchVectors(..) => "vectors",
        Change::DeleteVectors(..) => "delete of vectors",
        Change::SetBelow(..) => "set-payload below a key",
        Change::Overwrite(..) => "overwrite of payloads",
        Change::DeleteKeys(..) => "delete of keys",
        Change::Clear(_) => "clearing of payloads",
        Change::DropIndex(_) => "drop of a field index",
    }
}

fn expect_kind(what: &str, result: Result<(), Error>, kind: ErrorKind) -> Check {
    match result {
        Err(error) if error.kind == kind => Ok(()),
        Err(error) => Err(format!("{what} gave {:?}: {error}, expected {kind:?}", error.kind)),
        Ok(()) => Err(format!("{what} was accepted, expected {kind:?}")),
    }
}
