//! A database that stays open: one handle a collection, shared by all requests, and the one place that changes the catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use engine::archived::Archived;
use engine::catalog::CatalogState;
use engine::collection::Ack;
use engine::manifest::store::{self, CollectionDir};
use engine::schema::IndexConfig;
use engine::segment::SearchScratch;
use engine::{Collection, Database, Error, Incarnation, Result, Schema};
use index::Kernels;
use parking_lot::Mutex;
use pitr::archiver::PassReport;
use platform::object_store::ObjectStore;

use crate::api::commands::Commander;
use crate::metrics::Figures;

mod aliases;
mod archiving;
mod broken;
mod goals;
pub mod jobs;
mod lives;
mod opening;
mod passes;
pub mod schedules;
mod searches;
mod served;
mod sources;
mod upkeep;

pub use aliases::AliasChange;
use archiving::Archiving;
pub use archiving::Stores;
use broken::Broken;
pub use broken::WhenBroken;
pub use goals::{Goals, read_goals};
use jobs::Jobs;
use lives::Lives;
pub use opening::Opening;
pub(crate) use passes::Passes;
use schedules::{ScheduleEntry, Schedules, Tell};
pub use searches::{SearchOp, Searches};
pub use served::Served;
pub use sources::Sources;
use upkeep::Upkeep;

/// How a database is held.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// The kernels that searches and builds run on.
    pub kernels: &'static Kernels,
    /// Threads of one build in the background.
    pub build_threads: usize,
    /// How the stores of archives are reached.
    pub stores: Stores,
    /// Who is told when a log takes no more writes.
    pub when_broken: WhenBroken,
}

/// An open database and the handles of its collections.
#[derive(Debug)]
pub struct Host {
    database: Database,
    kernels: &'static Kernels,
    lives: Arc<Lives>,
    scratches: Mutex<Vec<SearchScratch>>,
    broken: Arc<Broken>,
    upkeep: Arc<Upkeep>,
    archiving: Archiving,
    jobs: Arc<Jobs>,
    goals: ArcSwap<BTreeMap<String, Goals>>,
    schedules: Arc<Schedules>,
    sources: ArcSwap<Sources>,
    figures: Figures,
    /// When it began, by the wall clock.
    started: u64,
}

impl Drop for Host {
    fn drop(&mut self) {
        // Nothing is closed here: what was acknowledged is durable, and the next opening recovers.
        self.upkeep.stop();
    }
}

impl Host {
    /// Takes over a database that was opened for writing, opens its collections, and begins to keep their indexes up.
    ///
    /// # Errors
    /// Those of opening a collection.
    pub fn start(database: Database, options: HostOptions) -> Result<Arc<Self>> {
        Self::start_watched(database, options, &Opening::default())
    }

    /// Starts as [`Host::start`] does, and says how far it is.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub fn start_watched(mut database: Database, options: HostOptions, opening: &Opening) -> Result<Arc<Self>> {
        let jobs = Jobs::open(database.world(), database.dir())?;
        let schedules = Schedules::open(database.world(), database.dir())?;
        let lives = Lives::of(database.state());
        database.set_listener(lives.clone());
        let host = Arc::new(Host {
            lives,
            kernels: options.kernels,
            scratches: Mutex::default(),
            upkeep: Upkeep::start(database.world().clone(), options.build_threads),
            broken: Broken::new(options.when_broken),
            archiving: Archiving::new(options.stores),
            jobs,
            goals: ArcSwap::default(),
            schedules,
            sources: ArcSwap::default(),
            figures: Figures::default(),
            started: database.world().clock.wall_micros(),
            database,
        });
        host.open_all(opening)?;
        host.archiving.follow(&host);
        Ok(host)
    }

    /// Opens every collection.
    fn open_all(&self, opening: &Opening) -> Result<()> {
        let (names, world) = (self.names(), self.database.world());
        // What cannot be told beforehand is found again, and reported, by the opening.
        let size = |life: Incarnation| Collection::replay_bytes(world, &self.database.collection_dir(life)).unwrap_or(0);
        let sizes: Vec<u64> = names.collections.values().map(|life| size(life.incarnation)).collect();
        opening.begin(&sizes);
        for (name, size) in names.collections.keys().zip(sizes) {
            self.served(name)?;
            opening.opened(size);
        }
        Ok(())
    }

    /// Gives the database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Gives the catalog as it is now.
    #[must_use]
    pub fn names(&self) -> Arc<CatalogState> {
        self.lives.names()
    }

    /// Gives the jobs that are worked on for those who do not wait.
    #[must_use]
    pub fn jobs(&self) -> &Arc<Jobs> {
        &self.jobs
    }

    /// Gives what made a log take no more writes: acknowledged writes are safe, new ones need a new process.
    #[must_use]
    pub fn broken(&self) -> Option<Error> {
        self.broken.cause()
    }

    /// Takes over where restores may read from.
    pub fn set_sources(&self, sources: Sources) {
        self.sources.store(sources.into());
    }

    /// Gives where restores may read from.
    #[must_use]
    pub fn sources(&self) -> Arc<Sources> {
        self.sources.load_full()
    }

    /// Gives the schedules.
    #[must_use]
    pub fn schedules(&self) -> &Arc<Schedules> {
        &self.schedules
    }

    /// Begins to carry schedules out: those of the configuration file, and those that commands set up. Gives the names of the latter that the file
    /// has now.
    ///
    /// # Errors
    /// `Usage`, `InvalidInput` when one of the file cannot be carried out; `Io`, `NoSpace`.
    pub fn run_schedules(self: &Arc<Self>, of_file: Vec<ScheduleEntry>, commander: Commander, tell: Tell) -> Result<Vec<String>> {
        let replaced = self.schedules.take_file(of_file)?;
        self.schedules.start(self, commander, tell);
        Ok(replaced)
    }

    /// Gives how stores are reached.
    pub(crate) fn stores(&self) -> &Stores {
        self.archiving.stores()
    }

    /// Gives the kernels that searches run on.
    #[must_use]
    pub fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    /// Finds the collection that a name or alias means.
    ///
    /// # Errors
    /// `NotFound` naming what exists; those of opening it, the first time.
    pub fn served(&self, name: &str) -> Result<Arc<Served>> {
        self.lives.find(name, |names, name, life| {
            let archive = names.archives.get(name);
            if let Some(settings) = archive {
                self.fetch_lost(life.incarnation, &settings.url)?;
            }
            let collection = self.database.collection(name)?;
            if let Some(settings) = archive {
                let kept = Archived::read(&*self.database.world().fs, collection.dir().root())?;
                collection.set_archived(kept.lsn(), settings.backlog_limit);
            }
            let served = Arc::new(Served::new(collection, self.upkeep.clone(), self.broken.clone(), self.database.world().clone()));
            self.upkeep.add(&served);
            Ok(served)
        })
    }

    /// Lists the open collections that have a name now.
    pub(crate) fn all_served(&self) -> Vec<Arc<Served>> {
        self.lives.open()
    }

    /// Gives what was looked at in the background.
    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Looks now at what is otherwise looked at in the background, a minute after somebody asked for metrics.
    pub fn look_now(self: &Arc<Self>) {
        self.figures.look_now(self);
    }

    /// Gives when the server began, by the wall clock.
    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    /// Lists the archives with the passes to each since the server began.
    pub(crate) fn passes(&self) -> Vec<(String, Arc<Passes>)> {
        self.archiving.passes()
    }

    /// Reaches the store of an archive.
    ///
    /// # Errors
    /// `Unreachable`, and those of the location.
    pub(crate) fn store(&self, url: &str) -> Result<Arc<dyn ObjectStore>> {
        self.archiving.store(url)
    }

    /// Fetches an end that a log lost and its archive has, before the log is opened to be written (rule S19).
    fn fetch_lost(&self, incarnation: Incarnation, url: &str) -> Result<()> {
        let world = self.database.world();
        let dir = CollectionDir::new(self.database.collection_dir(incarnation));
        let manifest = store::newest(&*world.fs, &dir)?;
        let archive = self.archiving.store(url);
        pitr::archiver::fetch_lost(world, archive, &dir.log(), dir.root(), manifest.covered_lsn, manifest.timeline()).map(drop)
    }

    /// Creates a collection.
    ///
    /// # Errors
    /// Those of [`Database::create_collection`].
    pub fn create(self: &Arc<Self>, name: &str, schema: &Schema) -> Result<()> {
        self.change(|database| database.create_collection(name, schema).map(drop))?;
        self.served(name).map(drop)
    }

    /// Drops a collection; `false` when there was none of this name. Writes that began are finished first, later ones do not find it.
    ///
    /// # Errors
    /// `Locked` when a write takes too long to end, `Io`, `NoSpace`.
    pub fn drop_collection(self: &Arc<Self>, name: &str) -> Result<bool> {
        self.change(|database| {
            if !database.state().collections.contains_key(name) {
                return Ok(false);
            }
            database.drop_collection(name, false).map(|_| true)
        })
    }

    /// Changes how a collection is indexed, or what is kept for its clients.
    ///
    /// # Errors
    /// `NotFound`, and those of a write.
    pub fn configure(&self, name: &str, config: IndexConfig) -> Result<()> {
        let served = self.served(name)?;
        served.write(engine::collection::WriteOperation::Configure(config)).map(drop)
    }

    /// Changes aliases, all or none of them as far as anybody can see beforehand.
    ///
    /// # Errors
    /// `NotFound` when a collection or an alias does not exist, `Exists` when the alias is a collection's name; nothing changed then.
    pub fn change_aliases(self: &Arc<Self>, changes: &[AliasChange]) -> Result<()> {
        self.change(|database| database.exclusively(|database| aliases::carry_out(database, changes)))
    }

    /// Does work that changes the catalog, and sees to it that what is to be archived is. Others change it meanwhile: what belongs together is done
    /// within [`Database::exclusively`].
    ///
    /// # Errors
    /// Those of the work.
    pub fn change<T>(self: &Arc<Self>, work: impl FnOnce(&Database) -> Result<T>) -> Result<T> {
        let done = work(&self.database);
        self.archiving.follow(self);
        done
    }

    /// Does work with the one handle through which a collection is written; it is not dropped meanwhile.
    ///
    /// # Errors
    /// `NotFound`, and those of the work.
    pub fn write_with<T>(&self, name: &str, work: impl FnOnce(&Database, &Collection) -> Result<T>) -> Result<T> {
        let served = self.served(name)?;
        let done = served.unless_ended(|collection| work(&self.database, collection));
        if let Some(Err(error)) = &done {
            served.look_at(error);
        }
        self.upkeep.wake();
        done.unwrap_or_else(|| Err(served.gone()))
    }

    /// Holds an acknowledgement of work with a collection back until it holds: for durability `archive`, until the write is archived.
    ///
    /// # Errors
    /// `NotFound`; `Unreachable` and others when the archive does not take it in time.
    pub fn written(&self, name: &str, ack: Ack) -> Result<()> {
        let served = self.served(name)?;
        let clock = &self.database.world().clock;
        served.watch().written(served.collection(), ack, &|| clock.monotonic_micros())
    }

    /// Sends everything that waits to every archive; gives what each got.
    ///
    /// # Errors
    /// Those of [`pitr::archiver::Archiver::pass`].
    pub fn archive_now(&self) -> Result<Vec<(String, PassReport)>> {
        self.archiving.now(self)
    }

    /// Does work that searches, with room that is kept from one search to the next.
    pub fn with_scratch<T>(&self, work: impl FnOnce(&mut SearchScratch) -> T) -> T {
        let taken = self.scratches.lock().pop();
        let mut scratch = taken.unwrap_or_default();
        let done = work(&mut scratch);
        self.scratches.lock().push(scratch);
        done
    }

    /// Ends the background work, closes every collection and the database: what a later opening finds needs no recovery.
    ///
    /// # Errors
    /// `Io`, `NoSpace`: the first that occurred; the rest is closed all the same.
    pub fn stop(&self) -> Result<()> {
        self.schedules.stop();
        self.upkeep.stop();
        self.figures.stop();
        let archived = self.archiving.stop(self);
        self.database.exclusively(|database| {
            let mut first: Option<Error> = archived.err();
            for served in self.lives.take() {
                if let Err(error) = served.end() {
                    first.get_or_insert(error);
                }
            }
            let closed = database.quiesce();
            first.map_or(closed, Err)
        })
    }
}
