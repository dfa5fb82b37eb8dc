//! What a living machine does: it writes, indexes, archives, backs up, and creates, drops and rewinds collections.

use std::time::Duration;

use engine::collection::Step;
use engine::collection::cleaning::policy::Cleaning;
use engine::collection::indexer::{Goal, Threads};
use pitr::archiver::{Archiver, Mode};
use pitr::{BackupRequest, RestoreRequest, Target};

use super::driver::{Driver, NAMES, Pending, SIZES};
use super::life::{Event, Life};
use crate::model::{Change, Points, difference, seen};
use crate::simulate::check::read_all;
use crate::simulate::driver::Check;
use crate::simulate::generate::{Shape, bulk, change, operation};

/// Rows of a large batch: enough of them for a graph.
const BULK: u64 = 1_200;
/// Steps of cleaning that are done in a row.
const CLEANING_STEPS: u64 = 6;
/// Large batches of one life.
const BULKS_MAX: u64 = 2;

impl Driver {
    /// Does something.
    pub(super) fn act(&mut self) -> Check {
        self.machine.clock.advance(Duration::from_micros(self.stream.below(3_000_000)));
        if self.database.is_none() {
            return Ok(());
        }
        let living = self.names.living();
        if living.is_empty() || living.len() < NAMES.len() && self.stream.chance(1, 15) {
            return self.create();
        }
        let life = living[self.stream.below(living.len() as u64) as usize];
        match self.stream.below(100) {
            0..42 => self.write(life),
            42..54 => self.index(life),
            54..66 => self.pass(Mode::Running),
            66..70 => self.pass(Mode::Log),
            70..74 => self.pass(Mode::Closing),
            74..76 => self.compact(life),
            76..78 => self.back_up(life),
            78..86 => self.trouble(),
            86..88 => self.write_unsynced(life),
            88 => self.drop_life(life),
            89 => self.bring_back(),
            90..92 => self.rewind(life),
            92 if self.stream.chance(1, 3) => self.lose_machine(),
            93..95 => self.restart(),
            95 | 96 => {
                self.heal_archive();
                Ok(())
            }
            97 => self.begin_copy(),
            _ => self.probe(3),
        }
    }

    pub(super) fn write(&mut self, index: usize) -> Check {
        let life = &mut self.names.lives[index];
        let change = if life.bulks < BULKS_MAX && self.stream.chance(1, 25) {
            life.bulks += 1;
            bulk(&mut self.stream, &life.shape, 100 + life.bulks * BULK, BULK)
        } else {
            change(&mut self.stream, &life.shape, SIZES)
        };
        let collection = &self.open[&index];
        let version = collection.version();
        let drawn = operation(&change, &version.schema).map_err(|error| format!("a drawn change was refused: {error}"))?;
        let written = collection.write(drawn);
        if change.is_refused(&self.names.lives[index].points) {
            return match written {
                Err(error) if error.kind == engine::ErrorKind::NotFound => Ok(()),
                other => Err(format!("vectors of points that are not there gave {other:?}")),
            };
        }
        let Some(ack) = self.attempt("a write", written)? else {
            self.pending = Some(Pending::Write(index, change));
            return Ok(());
        };
        if ack.lsn > version.lsn_end {
            self.note(format!("wrote to life {index}: {} at {}", name_of(&change), ack.commit_time));
            self.acknowledge(index, change, ack.commit_time)?;
        }
        Ok(())
    }

    /// Notes a change that is durable.
    fn acknowledge(&mut self, index: usize, change: Change, time: u64) -> Check {
        self.rise(time)?;
        let life = &mut self.names.lives[index];
        change.apply(&mut life.points);
        life.changes.push((time, change));
        self.done.writes += 1;
        Ok(())
    }

    /// Checks that a commit time lies behind all others, and behind what was closed.
    pub(super) fn rise(&mut self, time: u64) -> Check {
        if time <= self.last_commit.max(self.closed) {
            return Err(format!("commit time {time} after {} and closed time {}", self.last_commit, self.closed));
        }
        self.last_commit = time;
        Ok(())
    }

    fn index(&mut self, index: usize) -> Check {
        let collection = &self.open[&index];
        match self.stream.below(4) {
            0 => self.step(index, &Step::Seal).map(drop),
            1 => collection.next_step(Goal::Indexed).map_or(Ok(()), |step| self.step(index, &step).map(drop)),
            _ => self.clean(index),
        }
    }

    /// Cleans a collection of what is dead now, and stops anywhere.
    fn clean(&mut self, index: usize) -> Check {
        if !self.step(index, &Step::Seal)? {
            return Ok(());
        }
        for _ in 0..CLEANING_STEPS {
            let Some(step) = self.open.get(&index).and_then(|collection| collection.next_cleaning(Goal::Indexed)) else { break };
            if !self.step(index, &step)? || self.stream.chance(1, 5) {
                break;
            }
        }
        Ok(())
    }

    /// Runs a background step; says whether it was done.
    fn step(&mut self, index: usize, step: &Step) -> Check<bool> {
        let done = self.open[&index].step(step, &Threads(1), &|_, _| true);
        if self.attempt(&format!("an indexing step ({step:?})"), done)?.is_none() {
            return Ok(false);
        }
        match step {
            Step::Clean(Cleaning::Move(_)) => self.done.cleanings.0 += 1,
            Step::Clean(Cleaning::Leave) => self.done.cleanings.1 += 1,
            Step::Clean(Cleaning::Renew) | Step::Seal | Step::Segments(_) => {}
        }
        Ok(true)
    }

    /// Archives; after a pass that succeeded, what was acknowledged before it is promised.
    pub(super) fn pass(&mut self, mode: Mode) -> Check {
        if self.archiver.is_none() {
            let opened = Archiver::open(self.database()?, &self.link());
            self.archiver = self.attempt("opening the archive", opened)?;
        }
        let living = self.names.living();
        let collections: Vec<_> = living.iter().map_while(|index| self.open.get(index)).collect();
        let (Some(archiver), Some(database)) = (&mut self.archiver, &self.database) else { return Ok(()) };
        assert_eq!(collections.len(), living.len(), "every living collection is open");
        let passed = archiver.pass(database, &collections, mode);
        let what = format!("a pass ({mode:?})");
        let Some(report) = self.attempt(&what, passed)? else {
            self.done.passes.1 += 1;
            if self.stream.chance(1, 2) {
                self.archiver = None;
            }
            return Ok(());
        };
        self.done.passes.0 += 1;
        self.note(format!("{what} sent {} operations and closed {:?}", report.operations, report.closed));
        self.names.told = self.names.events.len();
        for index in living {
            let life = &mut self.names.lives[index];
            life.archived = life.last();
        }
        if let Some(closed) = report.closed {
            // Nothing that was acknowledged lies behind a time that was drawn after it.
            if closed <= self.last_commit.max(self.closed) {
                return Err(format!("{closed} was closed after {} and {}", self.closed, self.last_commit));
            }
            self.closed = closed;
        }
        Ok(())
    }

    fn compact(&mut self, index: usize) -> Check {
        let (Some(archiver), Some(collection)) = (&mut self.archiver, self.open.get(&index)) else { return Ok(()) };
        let done = archiver.compact(collection);
        self.attempt("putting extents together", done).map(drop)
    }

    fn back_up(&mut self, index: usize) -> Check {
        let id = format!("backup-{}", self.stream.next_u64());
        let request = BackupRequest { snapshot_id: Some(&id), ..BackupRequest::default() };
        let done = pitr::backup(self.database()?, &self.open[&index], &self.link(), &request, &|_, _| ());
        // Whether it is complete or not, its pin may be known.
        self.pinned = self.pinned.max(self.machine.clock.peek_wall_micros()).max(self.last_commit);
        self.attempt("a backup", done).map(drop)
    }

    fn create(&mut self) -> Check {
        let free: Vec<usize> = (0..NAMES.len()).filter(|name| self.names.holder(*name).is_none()).collect();
        let name = free[self.stream.below(free.len() as u64) as usize];
        let shape = Shape::draw(&mut self.stream);
        let created = self.database()?.create_collection(NAMES[name], &shape.schema());
        self.pending = Some(Pending::Create(name, shape.clone()));
        if self.attempt("creating a collection", created)?.is_none() {
            return Ok(());
        }
        self.pending = None;
        self.begin_created(name, shape)?;
        self.archive_all()
    }

    /// Notes a new and empty life.
    pub(super) fn begin_created(&mut self, name: usize, shape: Shape) -> Check {
        let state = self.database()?.state();
        let found = &state.collections[NAMES[name]];
        let (incarnation, at) = (found.incarnation, found.created);
        self.rise(at)?;
        let (points, changes, spans) = (Points::new(), Vec::new(), Vec::new());
        self.begin(Life { name, shape, incarnation, spans, created: at, began: at, points, changes, archived: 0, bulks: 0 }, at)
    }

    /// Notes a life that was restored from another one's state at a time, and opens it.
    pub(super) fn begin_restored(&mut self, source: &Life, time: u64, began: u64) -> Check {
        let (changes, points) = source.until(time);
        let state = self.database()?.state();
        let found = &state.collections[NAMES[source.name]];
        let (incarnation, at) = (found.incarnation, found.created);
        self.rise(at)?;
        self.begin(Life { incarnation, began, changes, points, archived: 0, ..source.clone() }, at)
    }

    fn begin(&mut self, life: Life, at: u64) -> Check {
        self.note(format!("life {} of \"{}\" begins at {at} with {} points", self.names.lives.len(), NAMES[life.name], life.points.len()));
        self.names.events.push(Event { name: life.name, life: Some(self.names.lives.len()), at });
        self.names.lives.push(life);
        self.archive_all()?;
        self.open_life(self.names.lives.len() - 1)
    }

    /// Opens a life, compares it with the model, and learns its history.
    pub(super) fn open_life(&mut self, index: usize) -> Check {
        let Some(database) = &self.database else { return Ok(()) };
        let life = &self.names.lives[index];
        let opened = database.collection(NAMES[life.name]);
        let Some(collection) = self.attempt("opening a collection", opened)? else { return Ok(()) };
        let version = collection.version();
        let (got, expected) = (read_all(&version)?, seen(&self.names.lives[index].points));
        if got != expected {
            return Err(format!("life {index} was opened: {}", difference(&expected, &got)));
        }
        self.names.lives[index].spans.clone_from(&version.manifest.ancestry);
        self.open.insert(index, collection);
        Ok(())
    }

    /// Archives every name; they keep that through drops and restores.
    pub(super) fn archive_all(&mut self) -> Check {
        for name in NAMES {
            let Some(database) = &self.database else { return Ok(()) };
            let set = database.set_archive(name, Some(self.settings()));
            self.attempt("setting the archive", set)?;
        }
        Ok(())
    }

    fn drop_life(&mut self, index: usize) -> Check {
        let name = self.names.lives[index].name;
        self.open.remove(&index);
        let dropped = self.database()?.drop_collection(NAMES[name], false);
        self.pending = Some(Pending::Drop(index));
        if self.attempt("a drop", dropped)?.is_none() {
            return Ok(());
        }
        self.pending = None;
        self.end_life(index)
    }

    /// Notes that a life lost its name.
    pub(super) fn end_life(&mut self, index: usize) -> Check {
        let life = &self.names.lives[index];
        let state = self.database()?.state();
        let dropped = state.dropped.iter().rev().find(|dropped| dropped.life.incarnation == life.incarnation);
        let at = dropped.ok_or_else(|| format!("life {index} was dropped and is gone"))?.dropped;
        let name = life.name;
        self.rise(at)?;
        self.note(format!("life {index} was dropped at {at}"));
        self.names.events.push(Event { name, life: None, at });
        Ok(())
    }

    /// Brings the life back that lost a name last.
    fn bring_back(&mut self) -> Check {
        let state = self.database()?.state();
        let Some(name) = NAMES.iter().position(|name| !state.collections.contains_key(*name)) else { return Ok(()) };
        let Some(dropped) = state.dropped.iter().rev().find(|dropped| dropped.name == NAMES[name]) else { return Ok(()) };
        let Some(index) = self.names.lives.iter().position(|life| life.incarnation == dropped.life.incarnation) else {
            return Err("the engine dropped a life that there never was".to_owned());
        };
        let done = self.database()?.undrop(NAMES[name]);
        self.pending = Some(Pending::Drop(index));
        if self.attempt("bringing a life back", done)?.is_none() {
            return Ok(());
        }
        self.pending = None;
        self.resume_life(index)
    }

    /// Notes that a life has its name back. The catalog does not keep the time: it lies behind the last commit.
    pub(super) fn resume_life(&mut self, index: usize) -> Check {
        let at = self.last_commit + 1;
        self.note(format!("life {index} is back at {at}"));
        self.names.events.push(Event { name: self.names.lives[index].name, life: Some(index), at });
        self.open_life(index)
    }

    /// Restores an earlier state of a name in place.
    fn rewind(&mut self, index: usize) -> Check {
        let life = &self.names.lives[index];
        let (name, last) = (life.name, life.archived);
        let times: Vec<u64> = life.changes.iter().map(|(at, _)| *at).filter(|at| *at <= last).collect();
        if times.is_empty() || self.names.told < self.names.events.len() {
            return Ok(());
        }
        let time = times[self.stream.below(times.len() as u64) as usize];
        self.note(format!("rewinding life {index} to {time}"));
        self.open.remove(&index);
        let request = RestoreRequest { name: NAMES[name], target: Target::Time(time), replace: true, ..RestoreRequest::default() };
        let restored = pitr::restore(self.database()?, &self.link(), &request, &|_, _| ());
        if restored.as_ref().is_err_and(|error| error.kind == engine::ErrorKind::NotFound) && !self.is_covered(index, time)? {
            return self.open_life(index);
        }
        self.pending = Some(Pending::Rewind(index, time));
        let Some(report) = self.attempt("a rewind", restored)? else {
            if self.database.is_some() {
                self.pending = None;
                self.open_life(index)?;
            }
            return Ok(());
        };
        self.pending = None;
        self.done.rewinds += 1;
        let source = self.names.lives[index].clone();
        self.begin_restored(&source, report.commit_time.min(time), source.began)
    }

    /// Ends the process in peace.
    fn restart(&mut self) -> Check {
        self.note("restart");
        self.archiver = None;
        for (_, collection) in std::mem::take(&mut self.open) {
            let closed = collection.close();
            drop(collection);
            if self.attempt("closing a collection", closed)?.is_none() {
                break;
            }
        }
        let Some(database) = self.database.take() else { return Ok(()) };
        let closed = database.close();
        self.marked = self.machine.clock.peek_wall_micros().max(self.last_commit.max(self.closed) + 100);
        if let Err(error) = closed
            && self.judge("closing", &error)? == super::driver::Fate::Cut
        {
            self.cut();
        }
        self.forget();
        Ok(())
    }
}

fn name_of(change: &Change) -> &'static str {
    match change {
        Change::Upsert(_) => "an upsert",
        Change::Patch(_) => "a patch",
        Change::Delete(_) => "a delete",
        Change::SetPayload(..) => "a payload",
        Change::Index(_) => "an index",
        Change::UpsertIf(..) => "a conditional upsert",
        Change::PatchVectors(..) => "vectors",
        Change::DeleteVectors(..) => "a delete of vectors",
        Change::SetBelow(..) => "a payload below a key",
        Change::Overwrite(..) => "an overwrite of payloads",
        Change::DeleteKeys(..) => "a delete of keys",
        Change::Clear(_) => "a clearing of payloads",
        Change::DropIndex(_) => "a drop of an index",
    }
}
