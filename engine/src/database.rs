//! A data directory: its lock, its catalog, its collections; who may do what at the same time (rules S13, S14, S28).

mod archiving;
mod changes;
mod handles;
mod listener;
mod lock;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use index::Kernels;
use parking_lot::{Mutex, ReentrantMutex};
use platform::World;
use platform::fs::FileLock;

use crate::catalog::{self, Catalog, CatalogState, Life};
use crate::clock::CommitClock;
use crate::collection::{CleaningLimits, Collection, OpenOptions, RangeSources};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Incarnation, Timeline};
use crate::reserve::Reserve;
use crate::schema::check_name;

pub use changes::DROP_GRACE_MICROS;
use handles::{Arrivals, Handles};
pub use handles::{Arriving, Handle};
pub use listener::CatalogListener;
pub use lock::served_at;

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseOptions {
    /// How long to wait for the lock.
    pub lock_wait: Duration,
    /// Go on although the data is more than 60 s in the future.
    pub accept_clock: bool,
    /// The kernels that graphs are built with; `None` takes the best of this machine.
    pub kernels: Option<&'static Kernels>,
    /// When the space of dead rows is given back.
    pub cleaning: CleaningLimits,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        DatabaseOptions { lock_wait: Duration::from_secs(10), accept_clock: false, kernels: None, cleaning: CleaningLimits::default() }
    }
}

/// An open data directory, for reading or for writing.
#[derive(Debug)]
pub struct Database {
    world: World,
    dir: PathBuf,
    clock: Arc<CommitClock>,
    options: DatabaseOptions,
    /// What a reader found; a writer asks its catalog.
    seen: CatalogState,
    catalog: Option<Mutex<Catalog>>,
    lock: Option<FileLock>,
    reserve: Option<Arc<Reserve>>,
    ranges: Option<RangeSources>,
    handles: Handles,
    arrivals: Arrivals,
    listener: Option<Arc<dyn CatalogListener>>,
    /// One change of the catalog at a time, each with what has to be checked before it.
    changing: ReentrantMutex<()>,
}

impl Database {
    /// Opens for writing: takes the lock, recovers the catalog, and clears away what a crash left half-done.
    ///
    /// # Errors
    /// `Locked` with the holder's pid when the lock is not had in time; `Corrupt`, `NewerFormat`, `Clock`, `Io`, `NoSpace`.
    pub fn open(world: &World, dir: &Path, options: DatabaseOptions) -> Result<Self> {
        world.fs.create_dir_all(&collections_dir(dir))?;
        world.fs.create_dir_all(&dropped_dir(dir))?;
        let lock = lock::take(world, dir, options.lock_wait)?;
        let clock = Arc::new(CommitClock::new(world.clock.clone()));
        clock.follow(archiving::closed(world, dir)?, options.accept_clock)?;
        let catalog = Catalog::open(world, dir, &clock, options.accept_clock)?;
        let database = Database {
            world: world.clone(),
            dir: dir.to_path_buf(),
            clock,
            options,
            seen: CatalogState::default(),
            catalog: Some(Mutex::new(catalog)),
            lock: Some(lock),
            reserve: Some(Arc::new(Reserve::lay_out(world, dir)?)),
            ranges: None,
            handles: Handles::default(),
            arrivals: Arrivals::default(),
            listener: None,
            changing: ReentrantMutex::default(),
        };
        database.settle()?;
        Ok(database)
    }

    /// Opens for reading beside a writer; an absent directory is an empty database.
    ///
    /// # Errors
    /// `Corrupt`, `NewerFormat`, `Io`.
    pub fn open_read(world: &World, dir: &Path, options: DatabaseOptions) -> Result<Self> {
        let clock = Arc::new(CommitClock::new(world.clock.clone()));
        let seen = catalog::read_state(world, dir)?.state;
        let (world, dir) = (world.clone(), dir.to_path_buf());
        Ok(Database {
            world,
            dir,
            clock,
            options,
            seen,
            catalog: None,
            lock: None,
            reserve: None,
            ranges: None,
            handles: Handles::default(),
            arrivals: Arrivals::default(),
            listener: None,
            changing: ReentrantMutex::default(),
        })
    }

    /// Says how the log files of lazy collections are reached; without it they do not open.
    pub fn set_range_sources(&mut self, ranges: RangeSources) {
        self.ranges = Some(ranges);
    }

    /// Says who is told before a collection is dropped or replaced, and after each change of the catalog.
    pub fn set_listener(&mut self, listener: Arc<dyn CatalogListener>) {
        self.listener = Some(listener);
    }

    /// Does work that looks at the catalog and changes it, while nobody else changes it. Long work belongs outside.
    pub fn exclusively<T>(&self, work: impl FnOnce(&Self) -> T) -> T {
        let _changing = self.changing.lock();
        work(self)
    }

    /// Notes that a life is being put together: until what this gives is dropped, its directory is not cleared away.
    ///
    /// # Panics
    /// When it is being put together already.
    #[must_use]
    pub fn arrive(&self, incarnation: Incarnation) -> Arriving {
        self.arrivals.begin(incarnation)
    }

    /// Writes into the lock where this database is served, for those who find it locked.
    ///
    /// # Errors
    /// `Locked` on a reader, `Io`.
    pub fn announce(&self, url: &str) -> Result<()> {
        let lock = self.lock.as_ref().ok_or_else(|| Error::new(ErrorKind::Locked, "the database is open for reading only"))?;
        lock::announce(lock, url)
    }

    /// Gives the data directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Gives the outside world that it lives in.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Shows the catalog as it is now (for a reader: as it was at the open).
    #[must_use]
    pub fn state(&self) -> CatalogState {
        self.catalog.as_ref().map_or_else(|| self.seen.clone(), |catalog| catalog.lock().state().clone())
    }

    /// Gives the database's id; `None` for a reader of a database that was never written.
    ///
    /// # Errors
    /// As [`Database::open_read`].
    pub fn id(&self) -> Result<Option<Timeline>> {
        match &self.catalog {
            Some(catalog) => Ok(Some(catalog.lock().database())),
            None => Ok(catalog::read_state(&self.world, &self.dir)?.database),
        }
    }

    /// Gives the directory of a life.
    #[must_use]
    pub fn collection_dir(&self, incarnation: Incarnation) -> PathBuf {
        collections_dir(&self.dir).join(incarnation.to_string())
    }

    /// Opens a collection by name or alias: for writing when the database is, for reading otherwise. A reader that finds an unclean log and
    /// nobody who writes recovers it first.
    ///
    /// # Errors
    /// `NotFound` naming what exists; those of [`Collection::open`].
    pub fn collection(&self, name: &str) -> Result<Collection> {
        let state = self.state();
        let (name, life) = state.resolve(name)?;
        let root = self.collection_dir(life.incarnation);
        let result = if self.catalog.is_some() { self.open_writer(name, life, &root) } else { self.open_reader(name, life, &root) };
        result.map_err(|error| if error.object.is_none() { error.with_object(name) } else { error })
    }

    fn open_writer(&self, name: &str, life: &Life, root: &Path) -> Result<Collection> {
        let (reserve, ranges) = (self.reserve.clone(), self.ranges.clone());
        let options = OpenOptions {
            accept_clock: self.options.accept_clock,
            kernels: self.options.kernels,
            reserve,
            ranges,
            cleaning: self.options.cleaning,
            is_archived: self.state().archives.contains_key(name),
            handle: Some(Arc::new(self.handles.take(name, life.incarnation)?)),
        };
        Collection::open(&self.world, name, root, life.incarnation, &self.clock, options)
    }

    fn open_reader(&self, name: &str, life: &Life, root: &Path) -> Result<Collection> {
        // Who brought it back or dropped another one may have died before the directories followed the catalog.
        let is_settled = self.world.fs.metadata(root)?.is_some();
        if !is_settled || !Collection::was_closed(&self.world, root)? {
            self.recover_for_reading(name)?;
        }
        Collection::open_read_with(&self.world, name, root, life.incarnation, &self.clock, self.ranges.as_ref())
    }

    /// Recovers a collection whose writer is gone; where somebody holds the lock, he writes and there is nothing to recover.
    fn recover_for_reading(&self, name: &str) -> Result<()> {
        let options = DatabaseOptions { lock_wait: Duration::ZERO, ..self.options };
        match Database::open(&self.world, &self.dir, options) {
            Ok(mut database) => {
                database.ranges.clone_from(&self.ranges);
                let collection = database.collection(name)?;
                collection.close()?;
                drop(collection);
                database.close()
            }
            Err(error) if error.kind == ErrorKind::Locked => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn writable(&self) -> Result<&Mutex<Catalog>> {
        self.catalog.as_ref().ok_or_else(|| Error::new(ErrorKind::Locked, "the database is open for reading only"))
    }

    /// Says whether another process waits to write.
    ///
    /// # Errors
    /// `Io`.
    pub fn is_wanted(&self) -> Result<bool> {
        lock::is_wanted(&self.world, &self.dir)
    }

    /// Says in the catalog that everything is synced, unless its last entry says so; what closing does, while the lock is still held.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn quiesce(&self) -> Result<()> {
        self.catalog.as_ref().map_or(Ok(()), |catalog| catalog.lock().close(&self.clock))
    }

    /// Closes the catalog and gives the lock back.
    ///
    /// # Errors
    /// `Io` or `NoSpace`; the lock is given back all the same.
    pub fn close(mut self) -> Result<()> {
        let closed = self.quiesce();
        self.lock.take();
        closed
    }

    /// Checks that a name can be given to a new collection.
    ///
    /// # Errors
    /// `InvalidInput` when it cannot be a name, `Exists` when a collection or alias has it.
    pub fn check_free(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let state = self.state();
        let taken_by = if state.collections.contains_key(name) {
            Some(format!("collection \"{name}\" exists already"))
        } else {
            state.aliases.get(name).map(|target| format!("\"{name}\" is an alias of collection \"{target}\""))
        };
        match taken_by {
            None => Ok(()),
            Some(message) => Err(Error::new(ErrorKind::Exists, message).with_object(name)),
        }
    }
}

/// Gives the directory of the living collections.
#[must_use]
pub fn collections_dir(dir: &Path) -> PathBuf {
    dir.join("collections")
}

/// Gives the directory of the dropped ones.
#[must_use]
pub fn dropped_dir(dir: &Path) -> PathBuf {
    dir.join("dropped")
}
