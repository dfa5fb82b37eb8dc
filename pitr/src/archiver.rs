//! Continuous archiving: synced log bytes, then segments and manifests, then the time up to which nothing is missing.
//!
//! One pass sends what is new. It may be stopped at any point and run again by anybody who holds the database's lock: everything is put
//! under a key that was free, and what is there already is compared and adopted (rules S17 to S21).

mod ancestors;
mod bases;
mod cleaned;
mod closing;
mod identity;
mod logs;
mod lost;
mod objects;
mod wholes;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::archived::{Archived, Reached};
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Incarnation, Lsn, Timeline};
use engine::{Collection, Database};
use platform::object_store::ObjectStore;
use serde::Serialize;

use crate::archive::Archive;
pub use closing::ClosedFile;
use logs::LogState;
pub use lost::fetch_lost;
use objects::ObjectNames;

/// Most log bytes of one extent, unless one operation is larger.
pub const EXTENT_BYTES: u64 = 8 << 20;
/// Time between two closed times while something is written, microseconds.
pub const CLOSE_EVERY: u64 = 10_000_000;
/// Log bytes that may wait by default.
pub const BACKLOG_LIMIT: u64 = 16 << 30;
/// Longest time that a synced write waits by default, microseconds.
pub const DELAY: u64 = 1_000_000;

/// What was sent, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SentBytes {
    /// Log records, as extents; those that an earlier archiver put and forgot to note are counted again.
    pub log: u64,
    /// Log records sent again as whole files.
    pub whole: u64,
    /// Objects of segments, codes and graphs apart.
    pub segments: u64,
    /// Codes.
    pub codes: u64,
    /// Graphs.
    pub adjacency: u64,
    /// Manifests and descriptions.
    pub manifests: u64,
}

impl SentBytes {
    /// Adds everything up.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.log + self.whole + self.segments + self.codes + self.adjacency + self.manifests
    }
}

/// What a pass did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PassReport {
    /// What it sent.
    pub sent: SentBytes,
    /// Operations that it sent.
    pub operations: u64,
    /// Log bytes that were synced when it looked and are still to be sent.
    pub backlog: u64,
    /// The time that it closed.
    pub closed: Option<CommitTime>,
}

/// How much a pass does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What was written to the logs, and a first state of what has none there: what durability `archive` waits for.
    Log,
    /// Logs, manifests, and a closed time when one is due.
    Running,
    /// Everything, and a closed time if anything changed since the last: what a command does before it ends.
    Closing,
}

/// Says whether a pass that failed so ends writing: another writer took over, the archive has another history, or bytes are rotten. Anything
/// else may pass.
#[must_use]
pub fn ends_writing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Fenced | ErrorKind::Diverged | ErrorKind::Corrupt | ErrorKind::NewerFormat)
}

/// One life of a collection, as far as the archiver knows it.
#[derive(Debug)]
struct Life {
    log: LogState,
    names: ObjectNames,
    /// The newest manifest that is archived with its objects.
    base: Option<String>,
    is_described: bool,
    complete: bool,
}

/// Archives a database to one archive; for whoever holds the database's lock.
#[derive(Debug)]
pub struct Archiver {
    archive: Archive,
    database: Timeline,
    catalog: LogState,
    catalog_is_described: bool,
    lives: BTreeMap<Incarnation, Life>,
    /// Where the logs ended of lives that were dropped.
    dropped_ends: BTreeMap<Incarnation, (Timeline, Lsn)>,
    /// The monotonic time of the last closing, and whether something was sent since.
    closed_at: Option<u64>,
    changed: bool,
}

impl Archiver {
    /// Opens an archive, making it where there is none, for one database.
    ///
    /// # Errors
    /// Those of the store; `Corrupt` when a local note of what was archived is damaged.
    pub fn open(database: &Database, store: &Arc<dyn ObjectStore>) -> Result<Self> {
        let archive = Archive::open_or_create(store, &*database.world().random)?;
        let id = database.id()?.ok_or_else(|| Error::internal("a database that is archived has an id"))?;
        let kept = Archived::read(&*database.world().fs, &database.catalog_dir())?;
        let reached = kept.archives.get(&archive.id.to_string()).cloned().unwrap_or_default();
        Ok(Archiver {
            archive,
            database: id,
            catalog: LogState::new(reached.lsn),
            catalog_is_described: false,
            lives: BTreeMap::new(),
            dropped_ends: BTreeMap::new(),
            closed_at: None,
            changed: false,
        })
    }

    /// Shows the archive.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Gives the position up to which a life is archived, as far as this archiver knows.
    #[must_use]
    pub fn reached(&self, incarnation: Incarnation) -> Lsn {
        self.lives.get(&incarnation).map_or(0, |life| life.log.sent)
    }

    /// Sends what is new of the catalog and of these collections, which are every living one that is archived here; with dropped ones of
    /// which something may be missing.
    ///
    /// After an error what was sent stays sent, and the next pass goes on.
    ///
    /// # Errors
    /// `Fenced` when another writer took over, `Diverged` when the archive has another history, `Corrupt` on rot in the local files,
    /// `Unreachable`, `NoSpace`, `Io`.
    pub fn pass(&mut self, database: &Database, collections: &[&Collection], mode: Mode) -> Result<PassReport> {
        let mut report = PassReport::default();
        let closing = self.begin_closing(database, collections, mode);
        if let Some(time) = closing.filter(|_| database.world().known_bad.close_before_sent) {
            self.close(database, collections, time)?;
        }
        self.send_catalog(database, &mut report)?;
        let (mut going, mut over) = (Vec::with_capacity(collections.len()), None);
        for collection in collections {
            match self.send_collection(database, collection, mode, &mut report) {
                Ok(()) => going.push(*collection),
                // Its history goes on elsewhere; the others of this database are in nobody's way.
                Err(error) if matches!(error.kind, ErrorKind::Fenced | ErrorKind::Diverged) => {
                    over.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        if mode != Mode::Log {
            self.send_dropped(database, &mut report)?;
        }
        if let Some(time) = closing {
            self.close(database, &going, time)?;
            report.closed = Some(time);
        }
        over.map_or(Ok(report), Err)
    }

    fn send_collection(&mut self, database: &Database, collection: &Collection, mode: Mode, report: &mut PassReport) -> Result<()> {
        let (archive, world) = (self.archive.clone(), database.world());
        let root = collection.dir().root().to_path_buf();
        let life = self.life(database, collection.incarnation(), &root)?;
        // One that was dropped and is back is written to again.
        life.complete = false;
        if !life.is_described {
            // A snapshot knows the history; what it pins is not needed here.
            crate::backup::identity::put_identity(database, collection, &collection.snapshot(), &archive)?;
            life.is_described = true;
            // No log file goes from here on before it is in this archive.
            collection.hold_for_archive();
            note(world, &root, &archive, life)?;
        }
        let before = life.log.sent;
        let sent = life.log.send(&archive, &collection.version().manifest.ancestry, collection, report);
        let kept = (life.log.sent > before).then(|| note(world, &root, &archive, life)).transpose();
        let moved = life.log.sent > before;
        // However much of a log is there, it is archived once there is a state to begin with, too.
        let needs_base = life.base.is_none();
        if !needs_base {
            collection.set_archived(life.log.sent, limit_of(database, collection.name()));
        }
        sent.and(kept)?;
        let newest = collection.version().manifest.file_name().to_string();
        let has_new_base = (needs_base || mode != Mode::Log) && life.base.as_deref() != Some(newest.as_str());
        if has_new_base {
            bases::send(&archive, world, collection, life, report)?;
            note(world, &root, &archive, life)?;
        }
        if needs_base && life.base.is_some() {
            collection.set_archived(life.log.sent, limit_of(database, collection.name()));
        }
        if moved || has_new_base {
            collection.clear_log()?;
        }
        self.changed |= moved || has_new_base;
        Ok(())
    }

    fn life(&mut self, database: &Database, incarnation: Incarnation, root: &std::path::Path) -> Result<&mut Life> {
        if !self.lives.contains_key(&incarnation) {
            let kept = Archived::read(&*database.world().fs, root)?;
            let reached = kept.archives.get(&self.archive.id.to_string()).cloned().unwrap_or_default();
            let life = Life {
                log: LogState::new(reached.lsn),
                names: ObjectNames::draw(&*database.world().random),
                base: reached.base,
                is_described: false,
                complete: reached.complete,
            };
            self.lives.insert(incarnation, life);
        }
        self.lives.get_mut(&incarnation).ok_or_else(|| Error::internal("a life was just inserted"))
    }

    /// Sends again, as one object each, sealed log files whose bytes lie in many extents; for when nothing else is to be done.
    ///
    /// # Errors
    /// As [`Archiver::pass`].
    pub fn compact(&mut self, collection: &Collection) -> Result<SentBytes> {
        let sent = wholes::compact(&self.archive, collection)?;
        let life = self.lives.get(&collection.incarnation()).filter(|_| sent.whole > 0);
        // What lies in whole files may go, up to what is noted here as archived.
        life.map_or(Ok(()), |life| life.log.raise_boundary(&self.archive))?;
        Ok(sent)
    }
}

/// Gives the backlog limit of a name.
fn limit_of(database: &Database, name: &str) -> u64 {
    database.state().archives.get(name).map_or(u64::MAX, |settings| settings.backlog_limit)
}

/// Keeps locally how far the archive has come with a life.
fn note(world: &platform::World, root: &std::path::Path, archive: &Archive, life: &Life) -> Result<()> {
    let mut kept = Archived::read(&*world.fs, root)?;
    let reached = Reached { lsn: life.log.sent, base: life.base.clone(), complete: life.complete };
    let current = Some(archive.id.to_string());
    let is_news = kept.current != current || kept.archives.get(&archive.id.to_string()) != Some(&reached);
    kept.archives.insert(archive.id.to_string(), reached);
    kept.current = current;
    if is_news { kept.write(world, root) } else { Ok(()) }
}
