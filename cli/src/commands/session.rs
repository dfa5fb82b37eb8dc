//! The database that a command works on: opened for reading or writing, and closed whatever happens.

use super::archiving::{self, Watch};
use super::destination::{Location, Reach};
use super::lazy;
use super::version::chosen_kernels;
use crate::args::{Background, Globals, SettleArgs};
use crate::data_dir;
use crate::exit::{Failure, usage};
use crate::output::Output;
use crate::time::format_time;
use engine::database::DatabaseOptions;
use engine::{Collection, Database};
use index::Kernels;
use platform::World;
use server::Host;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Data this far ahead of the wall clock is worth a warning to readers; writers are refused by the engine.
const CLOCK_AHEAD_MICROS: u64 = 60_000_000;

/// What every data command needs: the outside world, the database's place, and where to print.
pub(super) struct Session<'a> {
    pub world: World,
    pub out: &'a Output,
    pub kernels: &'static Kernels,
    /// What the archiver beside a command found.
    pub watch: Watch,
    dir: PathBuf,
    /// The server of locations in buckets.
    reach: Reach,
    options: DatabaseOptions,
    settle: Option<SettleArgs>,
    /// The server in which the command is carried out.
    hosted: Option<Arc<Host>>,
    job: Option<Background>,
}

impl<'a> Session<'a> {
    /// Finds the database that the flags and the environment mean (rule S28); opens nothing.
    pub fn new(globals: &Globals, out: &'a Output) -> Result<Self, Failure> {
        let dir = match &globals.hosted {
            Some(hosted) => hosted.host.database().dir().to_path_buf(),
            None => data_dir::choose(&data_dir::Said::gather(globals))?.directory()?,
        };
        Self::at(dir, globals, out)
    }

    /// Works on the database in a given directory.
    pub fn at(dir: PathBuf, globals: &Globals, out: &'a Output) -> Result<Self, Failure> {
        let kernels = chosen_kernels(platform::process::env("VECTRA_SIMD").as_deref())?;
        let options = DatabaseOptions {
            lock_wait: globals.lock_wait,
            accept_clock: globals.accept_clock,
            kernels: Some(kernels),
            ..DatabaseOptions::default()
        };
        let job = globals.hosted.as_ref().and_then(|hosted| hosted.job.clone());
        let (reach, hosted) = (Reach::of(globals), globals.hosted.as_ref().map(|hosted| hosted.host.clone()));
        Ok(Self { world: World::real(), out, kernels, watch: Watch::default(), dir, options, settle: None, reach, hosted, job })
    }

    /// Reads a location as the user writes it.
    pub fn location(&self, text: &str) -> Result<Location, Failure> {
        Location::parse(text, &self.reach)
    }

    /// Reads a location that a restore is to read from; a server allows what its configuration names.
    pub fn source(&self, text: &str) -> Result<Location, Failure> {
        let location = self.location(text)?;
        if let Some(host) = &self.hosted {
            host.sources().check(&location.to_string(), true)?;
        }
        Ok(location)
    }

    /// The same for the places where parents of a backup are now.
    pub fn check_parents(&self, parents: &[String]) -> Result<(), Failure> {
        parents.iter().try_for_each(|parent| self.source(parent).map(drop))
    }

    /// Gives the directory where relative paths of the command line begin.
    pub fn directory(&self) -> Result<PathBuf, Failure> {
        let directory = self.reach.directory.clone().or_else(platform::process::current_dir);
        directory.ok_or_else(|| usage("the working directory is gone").with_hint("give absolute paths"))
    }

    /// Ends as these say: with or without waiting for the archive, and how long.
    pub fn settling(self, args: Option<SettleArgs>) -> Self {
        Self { settle: args, ..self }
    }

    /// How long the archive may take to catch up before the command ends.
    pub fn archive_timeout(&self) -> Option<Duration> {
        self.settle.and_then(|args| args.wait_timeout)
    }

    /// What it takes to reach a location.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Gives the directory of the database.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Gives the job that the command is, if nobody waits for it.
    pub fn job(&self) -> Option<&Background> {
        self.job.as_ref()
    }

    /// Gives the server in which the command is carried out, if it is.
    pub fn hosted(&self) -> Option<&Arc<Host>> {
        self.hosted.as_ref()
    }

    /// Lets a database reach what is in archives of its collections.
    fn reaching(&self, mut database: Database) -> Database {
        database.set_range_sources(lazy::sources(&self.world, &self.reach));
        database
    }

    /// Opens the catalog for reading, beside whoever writes.
    pub fn look(&self) -> Result<Database, Failure> {
        Database::open_read(&self.world, &self.dir, self.options).map(|database| self.reaching(database))
    }

    /// Reads a collection, by name or alias.
    pub fn read<T>(&self, name: &str, work: impl FnOnce(&Database, &Collection) -> Result<T, Failure>) -> Result<T, Failure> {
        let database = self.look()?;
        let collection = database.collection(name)?;
        let (now, newest) = (self.world.clock.wall_micros(), collection.version().commit_time);
        if newest > now.saturating_add(CLOCK_AHEAD_MICROS) {
            let newest = format_time(newest);
            self.out.warn(&format!("collection \"{name}\" was last written at {newest}, which this machine's clock has not reached"));
        }
        work(&database, &collection)
    }

    /// Changes the catalog.
    pub fn change<T>(&self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        self.change_waiting(self.options.lock_wait, work)
    }

    /// Changes the catalog, and leaves archiving to the work.
    pub fn change_without_archiving<T>(&self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        if let Some(host) = &self.hosted {
            return host.change(work);
        }
        let database = self.reaching(Database::open(&self.world, &self.dir, self.options)?);
        let result = work(&database);
        first_failure(result, database.close())
    }

    /// Opens the database for as long as this process serves it.
    pub fn open_to_serve(&self) -> Result<Database, Failure> {
        Ok(self.reaching(Database::open(&self.world, &self.dir, self.options)?))
    }

    fn change_waiting<T>(&self, lock_wait: Duration, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        if let Some(host) = &self.hosted {
            let result = host.change(work)?;
            if self.settle.is_none_or(|args| !args.no_wait) {
                archiving::finish(self, host.database())?;
            }
            return Ok(result);
        }
        let database = self.reaching(Database::open(&self.world, &self.dir, DatabaseOptions { lock_wait, ..self.options })?);
        let result = work(&database);
        database.quiesce()?;
        let waits = self.settle.is_none_or(|args| !args.no_wait);
        let archived = if waits { archiving::finish(self, &database).map(drop) } else { Ok(()) };
        first_failure(first_failure(result, archived), database.close())
    }

    /// Writes to a collection, by name or alias. A missing one is said at once, without waiting for the lock.
    pub fn write<T>(&self, name: &str, work: impl FnOnce(&Database, &Collection) -> Result<T, Failure>) -> Result<T, Failure> {
        self.write_waiting(self.options.lock_wait, name, work)
    }

    /// Writes to a collection, waiting for the lock as long as given here.
    pub fn write_waiting<T>(
        &self,
        lock_wait: Duration,
        name: &str,
        work: impl FnOnce(&Database, &Collection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Some(host) = &self.hosted {
            let result = host.write_with(name, work)?;
            if self.settle.is_none_or(|args| !args.no_wait) {
                archiving::finish(self, host.database())?;
            }
            return Ok(result);
        }
        self.look()?.state().resolve(name)?;
        self.change_waiting(lock_wait, |database| {
            archiving::before_writing(self, database, name)?;
            let collection = database.collection(name)?;
            let result = archiving::beside(self, database, &collection, || work(database, &collection));
            // A clean end spares the next opening a recovery; of a log that broke, the first failure tells more.
            first_failure(result, collection.close())
        })
    }
}

/// Gives the result, or what went wrong first: the work, then the closing.
fn first_failure<T>(result: Result<T, Failure>, closed: Result<(), Failure>) -> Result<T, Failure> {
    let value = result?;
    closed?;
    Ok(value)
}
