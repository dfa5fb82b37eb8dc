//! Boots: what a process finds is everything acknowledged, and of what was being done all or nothing.

use std::path::Path;

use engine::database::{Database, DatabaseOptions};
use engine::manifest::store::{self, CollectionDir};
use pitr::archiver::fetch_lost;

use super::driver::{DATA, Driver, NAMES, Pending};
use crate::model::seen;
use crate::simulate::check::read_all;
use crate::simulate::driver::Check;
use crate::simulate::recovery::CLEANING;

/// Boots that may be cut short one after the other.
const BOOTS_MAX: u64 = 40;

impl Driver {
    /// Starts a process; one that dies on the way is followed by another.
    pub(super) fn boot(&mut self) -> Check {
        for attempt in 0..BOOTS_MAX {
            if attempt > 2 {
                self.heal_archive();
            }
            if self.try_boot()? {
                return Ok(());
            }
            self.forget();
        }
        Err("no process lives".to_owned())
    }

    fn try_boot(&mut self) -> Check<bool> {
        self.note("boot");
        let world = self.machine.world();
        let options = DatabaseOptions { accept_clock: self.armed.clock, cleaning: CLEANING, ..DatabaseOptions::default() };
        let opened = Database::open(&world, Path::new(DATA), options);
        self.database = self.attempt("opening the database", opened)?;
        self.archive_all()?;
        if self.database.is_some() {
            self.compare_catalog()?;
        }
        for index in self.names.living() {
            let is_open = self.database.is_some() && (self.open.contains_key(&index) || self.fetch(index)? && self.reopen(index)?);
            if !is_open {
                return Ok(false);
            }
        }
        self.pending = None;
        Ok(self.database.is_some())
    }

    /// Finds each name with the life that it had, or as what was being done left it.
    fn compare_catalog(&mut self) -> Check {
        for (name, text) in NAMES.iter().enumerate() {
            let found = self.database()?.state().collections.get(*text).map(|life| life.incarnation);
            let known = self.names.holder(name).map(|index| self.names.lives[index].incarnation);
            if found == known {
                continue;
            }
            match self.pending.clone() {
                Some(Pending::Create(of, shape)) if of == name && known.is_none() => self.begin_created(name, shape)?,
                Some(Pending::Drop(index)) if found.is_none() => self.end_life(index)?,
                Some(Pending::Drop(index)) if known.is_none() && found == Some(self.names.lives[index].incarnation) => {
                    self.resume_life(index)?
                }
                Some(Pending::Rewind(index, time)) if self.names.lives[index].name == name && found.is_some() => {
                    let source = self.names.lives[index].clone();
                    self.begin_restored(&source, time, source.began)?;
                }
                pending => return Err(format!("\"{text}\" is {found:?}, expected {known:?}; {pending:?} was being done")),
            }
            self.pending = None;
            if self.database.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Fetches what a log lost and its archive has, as every command does before it writes.
    fn fetch(&mut self, index: usize) -> Check<bool> {
        let (world, database) = (self.machine.world(), self.database()?);
        let dir = CollectionDir::new(database.collection_dir(self.names.lives[index].incarnation));
        let fetched = store::newest(&*world.fs, &dir).and_then(|manifest| {
            let (covered, timeline) = (manifest.covered_lsn, manifest.timeline());
            fetch_lost(&world, Ok(self.link()), &dir.log(), dir.root(), covered, timeline)
        });
        let fetched = self.attempt("fetching a lost end", fetched)?;
        if fetched.is_none() && self.armed.link {
            self.heal_archive();
        }
        Ok(fetched.is_some())
    }

    /// Opens a life whose last change may or may not have survived.
    fn reopen(&mut self, index: usize) -> Check<bool> {
        if let Some(Pending::Write(of, change)) = self.pending.clone()
            && of == index
        {
            let opened = self.database()?.collection(NAMES[self.names.lives[index].name]);
            let Some(collection) = self.attempt("opening a collection", opened)? else { return Ok(false) };
            let version = collection.version();
            let mut points = self.names.lives[index].points.clone();
            change.apply(&mut points);
            if read_all(&version)? == seen(&points) {
                self.note(format!("the change in flight is there, of {}", version.commit_time));
                let life = &mut self.names.lives[index];
                // One that changed nothing may be there too: the state is the same.
                if version.commit_time > self.last_commit {
                    life.points = points;
                    life.changes.push((version.commit_time, change));
                    self.last_commit = version.commit_time;
                }
            }
            drop(collection);
            self.pending = None;
        }
        self.open_life(index)?;
        Ok(self.open.contains_key(&index))
    }
}
