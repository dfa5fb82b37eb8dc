//! The catalog: which names exist, which life each of them has, aliases, and what was dropped; a small log of its own.

pub mod entry;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platform::World;

pub use entry::{ArchiveSettings, CatalogEntry, Durability, Origin};

use crate::archived::Archived;
use crate::clock::CommitClock;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{CommitTime, Incarnation, Lsn, Timeline};
use crate::log::record::{RecordDraft, RecordKind, SectionKind};
use crate::log::scan::ScanOptions;
use crate::log::{LogWriter, Outgoing, outgoing, recovery, scan, writer};

/// One life of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Its id.
    pub incarnation: Incarnation,
    /// When it began.
    pub created: CommitTime,
    /// Where it came from.
    pub origin: Origin,
}

/// A life that was dropped and not yet purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The name it had.
    pub name: String,
    /// The life.
    pub life: Life,
    /// When it was dropped.
    pub dropped: CommitTime,
}

/// What the catalog says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogState {
    /// Collections by name.
    pub collections: BTreeMap<String, Life>,
    /// Dropped ones, oldest first.
    pub dropped: Vec<Dropped>,
    /// Collection names by alias.
    pub aliases: BTreeMap<String, String>,
    /// Where the writes of names are archived to; a name keeps it through drops and restores.
    pub archives: BTreeMap<String, ArchiveSettings>,
}

impl CatalogState {
    /// Finds the collection that a name or alias means.
    ///
    /// # Errors
    /// `NotFound` naming what exists.
    pub fn resolve(&self, name: &str) -> Result<(&str, &Life)> {
        self.find(name).ok_or_else(|| {
            let names = self.collections.keys().cloned().collect::<Vec<_>>().join(", ");
            Error::not_found(format!("collection \"{}\" does not exist", name.escape_debug())).with_object(name).with_hint(
                if names.is_empty() {
                    "there are no collections; create one with \"vectra collections create\"".to_owned()
                } else {
                    format!("these exist: {names}")
                },
            )
        })
    }

    /// Gives the collection that a name or alias means; a name that means none stands for itself.
    #[must_use]
    pub fn meant<'a>(&'a self, name: &'a str) -> &'a str {
        self.find(name).map_or(name, |(name, _)| name)
    }

    fn find(&self, name: &str) -> Option<(&str, &Life)> {
        let target = self.aliases.get(name).map_or(name, String::as_str);
        self.collections.get_key_value(target).map(|(name, life)| (name.as_str(), life))
    }

    /// Lists the aliases of a collection.
    #[must_use]
    pub fn aliases_of(&self, name: &str) -> Vec<String> {
        self.aliases.iter().filter(|(_, target)| *target == name).map(|(alias, _)| alias.clone()).collect()
    }

    /// Applies an entry that was committed at a time.
    ///
    /// # Errors
    /// `Corrupt` when it does not fit what the catalog says.
    pub fn apply(&mut self, entry: &CatalogEntry, at: CommitTime) -> Result<()> {
        let impossible = |what: &str| Error::corrupt(format!("the catalog does not make sense: {what}"));
        match entry {
            CatalogEntry::Create { name, incarnation, origin } => {
                let life = Life { incarnation: *incarnation, created: at, origin: origin.clone() };
                if self.collections.insert(name.clone(), life).is_some() {
                    return Err(impossible("a name is created twice"));
                }
            }
            CatalogEntry::Replace { name, incarnation, origin } => {
                let life = Life { incarnation: *incarnation, created: at, origin: origin.clone() };
                if let Some(old) = self.collections.insert(name.clone(), life) {
                    self.dropped.push(Dropped { name: name.clone(), life: old, dropped: at });
                }
            }
            CatalogEntry::Drop { name } => {
                let life = self.collections.remove(name).ok_or_else(|| impossible("a missing name is dropped"))?;
                self.aliases.retain(|_, target| target != name);
                self.dropped.push(Dropped { name: name.clone(), life, dropped: at });
            }
            CatalogEntry::Undrop { name, incarnation } => {
                let index = self.dropped.iter().position(|d| d.life.incarnation == *incarnation);
                let dropped = self.dropped.remove(index.ok_or_else(|| impossible("what was not dropped comes back"))?);
                self.collections.insert(name.clone(), dropped.life);
            }
            CatalogEntry::Purge { incarnation } => self.dropped.retain(|d| d.life.incarnation != *incarnation),
            CatalogEntry::SetAlias { alias, name } => {
                self.aliases.insert(alias.clone(), name.clone());
            }
            CatalogEntry::DeleteAlias { alias } => {
                self.aliases.remove(alias);
            }
            CatalogEntry::SetArchive { name, archive: Some(settings) } => {
                self.archives.insert(name.clone(), settings.clone());
            }
            CatalogEntry::SetArchive { name, archive: None } => {
                self.archives.remove(name);
            }
        }
        Ok(())
    }
}

/// The catalog of a database, for whoever may write it; readers use [`read_state`].
#[derive(Debug)]
pub struct Catalog {
    state: CatalogState,
    log: LogWriter,
    is_closed: bool,
}

/// Gives the directory of the catalog's log.
#[must_use]
pub fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join("catalog")
}

/// The catalog as a reader finds it.
#[derive(Debug)]
pub struct CatalogView {
    /// What it says.
    pub state: CatalogState,
    /// The database's id: the timeline of its log. `None` before the first write.
    pub database: Option<Timeline>,
    /// Commit time of the last entry.
    pub commit_time: CommitTime,
    /// Whether the last writer closed it.
    pub clean: bool,
    end: scan::LogEnd,
}

/// Reads the catalog without changing anything; an absent one is empty.
///
/// # Errors
/// `Corrupt` naming file and offset, `NewerFormat` for entries of a later version.
pub fn read_state(world: &World, data_dir: &Path) -> Result<CatalogView> {
    let dir = dir(data_dir);
    let mut state = CatalogState::default();
    if world.fs.metadata(&dir)?.is_none() {
        let end = scan::LogEnd { lsn: 0, proven: 0, clean: true, torn_to: 0, commit_time: 0, file: None };
        return Ok(CatalogView { state, database: None, commit_time: 0, clean: true, end });
    }
    let archived = Archived::read(&*world.fs, &dir)?.lsn();
    let scan = scan::scan(&*world.fs, &dir, ScanOptions { archived, known_bad: world.known_bad, ..ScanOptions::default() })?;
    for record in &scan.records {
        if record.head.kind == RecordKind::Catalog {
            state.apply(&CatalogEntry::from_json(record.json()?)?, record.head.commit_time)?;
        }
    }
    let clean = scan.end.clean || scan.end.lsn == 0;
    Ok(CatalogView { state, database: scan.end.file.map(|f| f.timeline), commit_time: scan.end.commit_time, clean, end: scan.end })
}

impl Catalog {
    /// Opens the catalog for writing, creating it in a new data directory.
    ///
    /// # Errors
    /// As [`read_state`]; `Io` or `NoSpace` when it cannot be created or repaired; `Clock` when its last entry lies in the future.
    pub fn open(world: &World, data_dir: &Path, clock: &CommitClock, accept_clock: bool) -> Result<Self> {
        let dir = dir(data_dir);
        world.fs.create_dir_all(&dir)?;
        writer::remove_leftovers(world, &dir)?;
        let view = read_state(world, data_dir)?;
        clock.follow(view.commit_time, accept_clock)?;
        let log = if view.end.file.is_some() {
            recovery::repair(world, &dir, &view.end)?;
            LogWriter::resume(world, &dir, &view.end)?
        } else {
            LogWriter::start(world, &dir, Timeline::draw(&*world.random), 0)?
        };
        Ok(Catalog { state: view.state, log, is_closed: view.end.clean })
    }

    /// Shows what the catalog says.
    #[must_use]
    pub fn state(&self) -> &CatalogState {
        &self.state
    }

    /// Gives the database's id.
    #[must_use]
    pub fn database(&self) -> Timeline {
        self.log.timeline()
    }

    /// Logs an entry; it holds once this returns.
    ///
    /// # Errors
    /// `Conflict` when the entry does not fit what the catalog says, `Io` or `NoSpace` when it cannot be made durable.
    pub fn commit(&mut self, entry: &CatalogEntry, clock: &CommitClock) -> Result<CommitTime> {
        let time = clock.next();
        let mut next = self.state.clone();
        next.apply(entry, time).map_err(|e| Error { kind: ErrorKind::Conflict, ..e })?;
        if self.log.is_full() {
            self.log.roll()?;
        }
        let json = entry.to_json();
        let mut draft = RecordDraft::new(RecordKind::Catalog, 0);
        draft.section(SectionKind::Json, 0, 0, 1, json.into_bytes());
        self.is_closed = false;
        let before = self.log.end();
        self.log.append(&draft, time)?;
        if let Err(error) = self.log.sync() {
            self.log.take_back(before);
            return Err(error);
        }
        self.state = next;
        Ok(time)
    }

    /// Reads entries from a position on, as bytes that may leave the machine; `None` when there are none.
    ///
    /// # Errors
    /// `Corrupt`, `Io`.
    pub fn outgoing(&self, world: &World, data_dir: &Path, from: Lsn, len_max: u64) -> Result<Option<Outgoing>> {
        outgoing::read(&*world.fs, &dir(data_dir), from, self.log.durable(), len_max)
    }

    /// Gives the position behind the last entry.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.log.end()
    }

    /// Marks the catalog as closed.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn close(&mut self, clock: &CommitClock) -> Result<()> {
        if !self.is_closed {
            self.log.close(clock)?;
            self.is_closed = true;
        }
        Ok(())
    }
}
