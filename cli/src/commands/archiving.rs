//! The archiver beside a command: sends what is written while it is written, and the rest before the command ends.

use super::session::Session;
use super::stop::Stop;
use crate::exit::Failure;
use engine::archived::Archived;
use engine::catalog::{ArchiveSettings, Durability};
use engine::collection::Ack;
use engine::manifest::store::{self, CollectionDir};
use engine::{Collection, Database, ErrorKind};
use pitr::archiver::{Archiver, EXTENT_BYTES, Mode, PassReport, SentBytes, ends_writing, fetch_lost};
use platform::World;
use platform::object_store::ObjectStore;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks of the archiver's thread, and of a writer that waits for it.
const LOOK: Duration = Duration::from_millis(2);
/// After a pass that failed, before the next.
const RETRY_MICROS: u64 = 1_000_000;
/// How long a write that is acknowledged once archived waits for an archive that does not answer.
const PATIENCE_MICROS: u64 = 30_000_000;
const STOPPED_HINT: &str = "everything is written and durable here; \"vectra archive run --once\" sends the rest";

/// What the archiver's thread and the writer tell each other.
#[derive(Debug, Default)]
pub(super) struct Watch {
    stop: AtomicBool,
    /// Writes are acknowledged once they are archived.
    waits: AtomicBool,
    /// A write waits to be archived.
    urgent: AtomicBool,
    /// What ends the command: another writer took over, another history, rot.
    fatal: Mutex<Option<Failure>>,
    /// Why the archive could not be opened.
    unopened: Mutex<Option<Failure>>,
    /// Why the last pass failed; the next one may not.
    passing: Mutex<Option<Failure>>,
}

impl Watch {
    fn set(slot: &Mutex<Option<Failure>>, failure: Option<Failure>) {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    fn get(slot: &Mutex<Option<Failure>>) -> Option<Failure> {
        slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails when the archiver found that nothing may be written any more.
    pub fn check(&self) -> Result<(), Failure> {
        Watch::get(&self.fatal).map_or(Ok(()), Err)
    }
}

/// Ends the thread when dropped, also when the work fails.
struct StopAtEnd<'a>(&'a Watch);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Release);
    }
}

/// Opens the archive that a setting names, to write to.
fn open(session: &Session<'_>, database: &Database, url: &str) -> Result<Arc<dyn ObjectStore>, Failure> {
    session.location(url)?.open_destination(database.dir())
}

/// Does work that writes to a collection, with the archiver beside it where the name is archived.
pub(super) fn beside<T>(
    session: &Session<'_>,
    database: &Database,
    collection: &Collection,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Some(settings) = database.state().archives.get(collection.name()).cloned() else { return work() };
    let kept = Archived::read(&*session.world.fs, collection.dir().root())?;
    collection.set_archived(kept.lsn(), settings.backlog_limit);
    let (watch, store) = (&session.watch, open(session, database, &settings.url));
    // An archive that does not even open is not waited for.
    Watch::set(&watch.unopened, store.as_ref().err().cloned());
    watch.stop.store(false, Ordering::Release);
    watch.waits.store(settings.durability == Durability::Archive, Ordering::Release);
    let done = std::thread::scope(|scope| {
        let _stop = StopAtEnd(watch);
        let world = &session.world;
        scope.spawn(|| keep_up(watch, world, database, collection, &settings, store));
        work()
    });
    watch.waits.store(false, Ordering::Release);
    watch.check()?;
    done
}

fn keep_up(
    watch: &Watch,
    world: &World,
    database: &Database,
    collection: &Collection,
    settings: &ArchiveSettings,
    store: Result<Arc<dyn ObjectStore>, Failure>,
) {
    let mut archiver: Option<Archiver> = None;
    let mut next = world.clock.monotonic_micros() + settings.delay;
    while !watch.stop.load(Ordering::Acquire) {
        let urgent = watch.urgent.load(Ordering::Acquire);
        let waiting = collection.version().lsn_end.saturating_sub(collection.archived());
        let now = world.clock.monotonic_micros();
        let is_due = waiting > 0 && (urgent || now >= next || waiting >= EXTENT_BYTES && Watch::get(&watch.passing).is_none());
        if !is_due {
            world.clock.sleep(LOOK);
            continue;
        }
        let mode = if urgent { Mode::Log } else { Mode::Running };
        let outcome = store.clone().and_then(|store| {
            if archiver.is_none() {
                archiver = Some(Archiver::open(database, &store)?);
            }
            match &mut archiver {
                Some(archiver) => archiver.pass(database, &[collection], mode).map(drop),
                None => Ok(()),
            }
        });
        match outcome {
            Ok(()) => Watch::set(&watch.passing, None),
            Err(failure) if ends_writing(failure.kind) => return Watch::set(&watch.fatal, Some(failure)),
            Err(failure) => {
                Watch::set(&watch.passing, Some(failure));
                world.clock.sleep(Duration::from_micros(RETRY_MICROS.min(settings.delay.max(100_000))));
            }
        }
        next = world.clock.monotonic_micros() + settings.delay;
    }
}

/// Holds an acknowledgement back until it holds: for durability `archive`, until the write is archived.
pub(super) fn written(session: &Session<'_>, collection: &Collection, ack: Ack) -> Result<(), Failure> {
    if let Some(host) = session.hosted() {
        return host.written(collection.name(), ack);
    }
    let watch = &session.watch;
    watch.check()?;
    if !watch.waits.load(Ordering::Acquire) {
        return Ok(());
    }
    let began = session.world.clock.monotonic_micros();
    watch.urgent.store(true, Ordering::Release);
    while collection.archived() < ack.lsn {
        watch.check()?;
        if platform::process::interrupted() {
            return Err(Failure::new(ErrorKind::Interrupted, "interrupted before the write was archived").with_hint(STOPPED_HINT));
        }
        let unopened = Watch::get(&watch.unopened);
        if unopened.is_some() || session.world.clock.monotonic_micros() - began > PATIENCE_MICROS {
            let failure = unopened
                .or_else(|| Watch::get(&watch.passing))
                .unwrap_or_else(|| Failure::new(ErrorKind::Unreachable, "the archive does not answer"));
            return Err(failure.with_hint("the write is durable here, and not acknowledged: it is not archived yet"));
        }
        session.world.clock.sleep(LOOK);
    }
    watch.urgent.store(false, Ordering::Release);
    Ok(())
}

/// Fetches an end that the log of a name lost, before it is opened to be written (rule S19).
pub(super) fn before_writing(session: &Session<'_>, database: &Database, name: &str) -> Result<(), Failure> {
    let state = database.state();
    let (name, life) = state.resolve(name)?;
    let Some(settings) = state.archives.get(name) else { return Ok(()) };
    let dir = CollectionDir::new(database.collection_dir(life.incarnation));
    let manifest = store::newest(&*session.world.fs, &dir)?;
    let store = open(session, database, &settings.url);
    let fetched = fetch_lost(&session.world, store, &dir.log(), dir.root(), manifest.covered_lsn, manifest.timeline())?;
    if fetched > 0 {
        session.out.warn(&format!("the log of {name} had lost its last {fetched} bytes, which were archived: they are back"));
    }
    Ok(())
}

/// Sends what is left to every archive of the database, before a command ends.
pub(super) fn finish(session: &Session<'_>, database: &Database) -> Result<Vec<(String, PassReport)>, Failure> {
    if let Some(host) = session.hosted() {
        return host.archive_now();
    }
    let state = database.state();
    let mut by_url: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, settings) in &state.archives {
        by_url.entry(&settings.url).or_default().push(name);
    }
    let mut done = Vec::new();
    for (url, names) in by_url {
        let names = names.into_iter().filter(|name| state.collections.contains_key(*name));
        let collections = names.map(|name| database.collection(name)).collect::<Result<Vec<_>, Failure>>()?;
        let stop = Stop::begin(&session.world, session.archive_timeout(), STOPPED_HINT)?;
        let sent = open(session, database, url).and_then(|store| {
            let mut archiver = Archiver::open(database, &stop.guard(store))?;
            archiver.pass(database, &collections.iter().collect::<Vec<_>>(), Mode::Closing)
        });
        let report = sent.map_err(|failure| match failure.kind {
            kind if ends_writing(kind) => failure,
            _ => stop.explain(failure).with_hint(STOPPED_HINT),
        })?;
        done.push((url.to_owned(), report));
    }
    Ok(done)
}

/// Sends again, as one object each, the sealed log files of a database whose bytes lie in many extents of one archive.
pub(super) fn compact(session: &Session<'_>, database: &Database, url: &str) -> Result<SentBytes, Failure> {
    let mut sent = SentBytes::default();
    if session.hosted().is_some() {
        // A server's own archiver has the archive open.
        return Ok(sent);
    }
    let state = database.state();
    let mut archiver = Archiver::open(database, &open(session, database, url)?)?;
    for (name, _) in state.archives.iter().filter(|(name, settings)| settings.url == url && state.collections.contains_key(*name)) {
        sent.whole += archiver.compact(&database.collection(name)?)?.whole;
    }
    Ok(sent)
}
