//! Continuous archiving of what is served: one thread for each archive, and what writers and threads tell each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::catalog::{ArchiveSettings, CatalogState, Durability};
use engine::collection::Ack;
use engine::{Collection, Error, ErrorKind, Lsn, Result};
use parking_lot::{Condvar, Mutex};
use pitr::archive::stored::store_error;
use pitr::archiver::{Archiver, EXTENT_BYTES, Mode, PassReport, ends_writing};
use platform::object_store::sim::SimStore;
use platform::object_store::{ObjectStore, open_directory};
use platform::{KnownBad, World};

use super::{Host, Passes, Served};
use crate::location::shown_location;
use crate::logs;

/// Between two looks of a thread that nobody wakes.
const LOOK: Duration = Duration::from_millis(20);
/// After a pass that failed, before the next, in microseconds.
const RETRY_MICROS: u64 = 1_000_000;
/// How long a write that is acknowledged once archived waits for an archive that does not answer, in microseconds.
const PATIENCE_MICROS: u64 = 30_000_000;
/// How often an archive is looked after although nothing was written, in microseconds: manifests follow their data.
const QUIET_MICROS: u64 = 10_000_000;

type Open = dyn Fn(&str) -> Result<Arc<dyn ObjectStore>> + Send + Sync;

type OpenOwn = dyn Fn(&Path) -> Result<Arc<dyn ObjectStore>> + Send + Sync;

/// How the stores of archives are reached: by their locations, and those below the data directory by their paths.
#[derive(Clone)]
pub struct Stores {
    open: Arc<Open>,
    open_own: Arc<OpenOwn>,
}

impl Stores {
    /// Reaches them through a function.
    #[must_use]
    pub fn new(open: impl Fn(&str) -> Result<Arc<dyn ObjectStore>> + Send + Sync + 'static) -> Self {
        let open_own = |path: &Path| open_directory(path, true).map_err(|error| store_error(&error));
        Stores { open: Arc::new(open), open_own: Arc::new(open_own) }
    }

    /// The twin on a simulated disk: what is below the data directory lies there, and no location is reached.
    #[must_use]
    pub fn simulated(world: &World) -> Self {
        let fs = world.fs.clone();
        let open_own = move |path: &Path| -> Result<Arc<dyn ObjectStore>> {
            Ok(Arc::new(SimStore::open(fs.clone(), path, KnownBad::default()).map_err(|error| store_error(&error))?))
        };
        let nowhere = |url: &str| Err(Error::new(ErrorKind::Unreachable, format!("no store at {url}")));
        Stores { open_own: Arc::new(open_own), ..Stores::new(nowhere) }
    }

    /// Opens a store in a directory of ours, which is made when it is missing.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn own(&self, path: &Path) -> Result<Arc<dyn ObjectStore>> {
        (self.open_own)(path)
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stores")
    }
}

/// What the thread of a collection's archive and its writers tell each other.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Writes are acknowledged once they are archived.
    waits: AtomicBool,
    /// A write waits to be archived.
    urgent: AtomicBool,
    state: Mutex<Heard>,
    /// A pass ended.
    passed: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    /// What ends writing: another writer took over, another history, rot.
    fatal: Option<Error>,
    /// Why the last pass failed; the next one may not.
    failed: Option<Error>,
}

impl Watch {
    /// Fails when the archiver found that nothing may be written any more.
    ///
    /// # Errors
    /// What it found.
    pub(super) fn check(&self) -> Result<()> {
        self.state.lock().fatal.clone().map_or(Ok(()), Err)
    }

    /// Gives why the last pass failed.
    pub(super) fn failure(&self) -> Option<Error> {
        let state = self.state.lock();
        state.fatal.clone().or_else(|| state.failed.clone())
    }

    /// Holds an acknowledgement back until it holds: for durability `archive`, until the write is archived.
    ///
    /// # Errors
    /// `Unreachable` and others when the archive does not take it in time.
    pub(super) fn written(&self, collection: &Collection, ack: Ack, now: &dyn Fn() -> u64) -> Result<()> {
        if !self.waits.load(Ordering::Acquire) {
            return Ok(());
        }
        let began = now();
        let mut state = self.state.lock();
        while collection.archived() < ack.lsn {
            if let Some(error) = &state.fatal {
                return Err(error.clone());
            }
            if now().saturating_sub(began) > PATIENCE_MICROS {
                let why = state.failed.clone().unwrap_or_else(|| Error::new(ErrorKind::Unreachable, "the archive does not answer"));
                return Err(why.with_hint("the write is durable here, and not acknowledged: it is not archived yet"));
            }
            self.urgent.store(true, Ordering::Release);
            self.passed.wait_for(&mut state, LOOK);
        }
        Ok(())
    }

    fn heard(&self, outcome: &Result<()>) {
        let mut state = self.state.lock();
        match outcome {
            Ok(()) => *state = Heard { fatal: state.fatal.take(), failed: None },
            Err(error) if ends_writing(error.kind) => state.fatal = Some(error.clone()),
            Err(error) => state.failed = Some(error.clone()),
        }
        self.passed.notify_all();
    }
}

/// The threads of the archives, by location.
#[derive(Debug)]
pub(super) struct Archiving {
    stores: Stores,
    threads: Mutex<BTreeMap<String, JoinHandle<()>>>,
    stopping: Arc<AtomicBool>,
    /// The archiver of each location, once it was reached: one pass at a time.
    archivers: Mutex<BTreeMap<String, Slot>>,
    /// What came of the passes to each location.
    passes: Mutex<BTreeMap<String, Arc<Passes>>>,
}

type Slot = Arc<Mutex<Option<Archiver>>>;

impl Archiving {
    pub(super) fn new(stores: Stores) -> Self {
        Archiving { stores, threads: Mutex::default(), stopping: Arc::default(), archivers: Mutex::default(), passes: Mutex::default() }
    }

    /// Sees to it that each archive of the catalog has its thread.
    pub(super) fn follow(&self, host: &Arc<Host>) {
        let mut threads = self.threads.lock();
        threads.retain(|_, thread| !thread.is_finished());
        for settings in host.names().archives.values() {
            if !threads.contains_key(&settings.url) && !self.stopping.load(Ordering::Acquire) {
                let (weak, url, stopping) = (Arc::downgrade(host), settings.url.clone(), self.stopping.clone());
                let thread = std::thread::spawn(move || keep_up(&weak, &url, &stopping));
                threads.insert(settings.url.clone(), thread);
            }
        }
    }

    /// Gives how stores are reached.
    pub(super) fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Reaches a store by its location.
    ///
    /// # Errors
    /// `Unreachable`, and those of the location.
    pub(super) fn store(&self, url: &str) -> Result<Arc<dyn ObjectStore>> {
        (self.stores.open)(url)
    }

    /// Ends the threads, and sends what is left to every archive.
    ///
    /// # Errors
    /// Why the last pass to an archive failed; the others were tried all the same.
    pub(super) fn stop(&self, host: &Host) -> Result<()> {
        self.stopping.store(true, Ordering::Release);
        for thread in std::mem::take(&mut *self.threads.lock()).into_values() {
            // A panic of that thread was reported when it happened; stopping goes on.
            let _ended = thread.join();
        }
        self.now(host).map(drop)
    }

    /// Sends everything that waits to every archive; gives what each got.
    ///
    /// # Errors
    /// Why the pass to the first archive failed that did; the others were tried all the same.
    pub(super) fn now(&self, host: &Host) -> Result<Vec<(String, PassReport)>> {
        let urls: BTreeSet<String> = host.names().archives.values().map(|settings| settings.url.clone()).collect();
        let passes: Vec<_> = urls.into_iter().map(|url| (self.pass(host, &url, Mode::Closing), url)).collect();
        passes.into_iter().map(|(report, url)| Ok((url, report?))).collect()
    }

    /// Lists the locations with the passes to each.
    pub(super) fn passes(&self) -> Vec<(String, Arc<Passes>)> {
        self.passes.lock().iter().map(|(url, passes)| (url.clone(), passes.clone())).collect()
    }

    /// Sends what is new to one archive, and counts the pass.
    fn pass(&self, host: &Host, url: &str, mode: Mode) -> Result<PassReport> {
        let clock = &host.database().world().clock;
        let began = clock.monotonic_micros();
        let report = self.send(host, url, mode);
        let passes = self.passes.lock().entry(url.to_owned()).or_default().clone();
        passes.count(report.is_ok(), clock.monotonic_micros().saturating_sub(began));
        match &report {
            Err(error) if passes.begin_failing() => logs::archive_failed(&shown_location(url), error),
            Ok(_) if passes.end_failing() => logs::archive_recovered(&shown_location(url)),
            _ => {}
        }
        report
    }

    fn send(&self, host: &Host, url: &str, mode: Mode) -> Result<PassReport> {
        let slot = self.archivers.lock().entry(url.to_owned()).or_default().clone();
        let mut archiver = slot.lock();
        let served: Vec<Arc<Served>> = archived_at(&host.names(), url).keys().map(|name| host.served(name)).collect::<Result<_>>()?;
        let collections: Vec<&Collection> = served.iter().map(|served| served.collection()).collect();
        let database = host.database();
        let mut taken = match archiver.take() {
            Some(archiver) => archiver,
            None => Archiver::open(database, &self.store(url)?)?,
        };
        let report = taken.pass(database, &collections, mode);
        // After a failure the next pass opens the archive anew: what it remembered may not be so.
        *archiver = report.is_ok().then_some(taken);
        report
    }
}

/// Sends what is written to one archive until it is used no more.
fn keep_up(host: &Weak<Host>, url: &str, stopping: &AtomicBool) {
    let (mut next, mut quiet, mut retry) = (0, 0, 0);
    while !stopping.load(Ordering::Acquire) {
        let Some(host) = host.upgrade() else { return };
        let settings = archived_at(&host.names(), url);
        let Some(delay) = settings.values().map(|settings| settings.delay).min() else { return };
        let clock = &host.database().world().clock;
        let now = clock.monotonic_micros();
        let served: Vec<Arc<Served>> = settings.keys().filter_map(|name| host.served(name).ok()).collect();
        served.iter().for_each(|served| served.archive_as(settings.get(served.collection().name())));
        let waiting = served.iter().map(|served| waiting_bytes(served.collection())).max().unwrap_or(0);
        let is_urgent = served.iter().any(|served| served.watch().urgent.swap(false, Ordering::AcqRel));
        let is_due = waiting > 0 && (is_urgent || now >= next || waiting >= EXTENT_BYTES);
        if now < retry || !is_due && now < quiet {
            clock.sleep(if waiting > 0 { Duration::from_millis(1) } else { LOOK });
            continue;
        }
        let mode = if is_urgent { Mode::Log } else { Mode::Running };
        let outcome = host.archiving.pass(&host, url, mode).map(drop);
        served.iter().for_each(|served| served.watch().heard(&outcome));
        let after = clock.monotonic_micros();
        retry = if outcome.is_err() { after + RETRY_MICROS.min(delay.max(100_000)) } else { 0 };
        (next, quiet) = (after + delay, after + QUIET_MICROS);
    }
}

/// Gives the names that are archived at a location and served, with their settings.
fn archived_at(names: &CatalogState, url: &str) -> BTreeMap<String, ArchiveSettings> {
    let here = names.archives.iter().filter(|(name, settings)| settings.url == url && names.collections.contains_key(*name));
    here.map(|(name, settings)| (name.clone(), settings.clone())).collect()
}

fn waiting_bytes(collection: &Collection) -> Lsn {
    collection.version().lsn_end.saturating_sub(collection.archived())
}

impl Served {
    /// Takes over how the collection is archived.
    fn archive_as(&self, settings: Option<&ArchiveSettings>) {
        if settings.is_some() {
            self.collection().hold_for_archive();
        }
        let waits = settings.is_some_and(|settings| settings.durability == Durability::Archive);
        self.watch().waits.store(waits, Ordering::Release);
    }
}
