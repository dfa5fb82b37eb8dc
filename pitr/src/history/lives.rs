//! Everything that an archive says about who lived under which name: catalogs, backups, timelines.

use std::collections::{BTreeMap, BTreeSet};

use engine::error::{Error, Result};
use engine::ids::{CommitTime, Incarnation, Lsn, Timeline};

use super::catalog::ArchivedCatalog;
use super::map::TimelineMap;
use super::tenure::{BackedUp, Tenure, add_backed_up, tenures};
use crate::archive::stored::get_json;
use crate::archive::{Archive, Key, Listing};
use crate::backup::held::{HeldSnapshots, is_about_content};
use crate::backup::identity::CollectionFile;
use crate::timeline::TimelineFile;

/// The lives of one database.
#[derive(Debug, Clone, Default)]
pub struct DatabaseLives {
    /// The database, where it is known.
    pub database: Option<Timeline>,
    /// Its catalog, where it is archived.
    pub catalog: Option<ArchivedCatalog>,
    /// Who held which name when.
    pub tenures: Vec<Tenure>,
}

/// What an archive says about lives.
#[derive(Debug, Default)]
pub struct Lives {
    /// The descriptions of timelines.
    pub timelines: TimelineMap,
    /// The databases.
    pub databases: Vec<DatabaseLives>,
    /// Why catalogs could not be read.
    pub bad_catalogs: BTreeMap<Timeline, Error>,
    /// The backups.
    pub snapshots: HeldSnapshots,
    /// When lives began and the name they had then, as their descriptions say.
    pub described: BTreeMap<Incarnation, (String, CommitTime)>,
    /// Timelines that somebody sealed.
    pub sealed: BTreeSet<Timeline>,
    /// Timelines that were archived continuously: a manifest of theirs can be restored without a backup.
    pub continuous: BTreeSet<Timeline>,
}

impl Lives {
    /// Reads what an archive says.
    ///
    /// # Errors
    /// Those of the store; what is missing or damaged is noted, and an error once it is needed.
    pub fn read(archive: &Archive, listing: &Listing) -> Result<Self> {
        let mut lives = Lives { timelines: read_timelines(archive, listing)?, ..Lives::default() };
        lives.snapshots = HeldSnapshots::read(archive, listing)?;
        for incarnation in &listing.lives {
            let read =
                get_json::<CollectionFile>(&*archive.store, &Key::Collection(*incarnation).to_string(), "description of a collection");
            if let Some(file) = readable(read)? {
                lives.described.insert(*incarnation, (file.name, file.created));
            }
        }
        let is_valid = |timeline: &Timeline, seal: &Lsn| *seal >= listing.low.get(timeline).copied().unwrap_or(0);
        let sealed = listing.seals.iter().filter(|(timeline, seals)| seals.last().is_some_and(|seal| is_valid(timeline, seal)));
        lives.sealed = sealed.map(|(timeline, _)| *timeline).collect();
        lives.continuous = listing.bases.keys().copied().collect();
        let databases: Vec<Timeline> = lives.timelines.catalogs().collect();
        for database in databases {
            match ArchivedCatalog::read(archive, listing, database) {
                Ok(catalog) => lives.databases.push(DatabaseLives {
                    database: Some(database),
                    tenures: tenures(&catalog.entries),
                    catalog: Some(catalog),
                }),
                Err(error) if is_about_content(error.kind) => {
                    lives.bad_catalogs.insert(database, error);
                }
                Err(error) => return Err(error),
            }
        }
        lives.add_backups();
        Ok(lives)
    }

    /// Adds what only backups tell of.
    pub(super) fn add_backups(&mut self) {
        let mut told: BTreeMap<Option<Timeline>, Vec<BackedUp>> = BTreeMap::new();
        for held in &self.snapshots.good {
            let file = &held.file;
            let created = self.described.get(&file.incarnation).map_or(0, |(_, created)| *created);
            let life = BackedUp { name: file.collection.clone(), incarnation: file.incarnation, created };
            told.entry(file.database).or_default().push(life);
        }
        for (database, lives) in told {
            let index = self.databases.iter().position(|known| known.database == database).unwrap_or_else(|| {
                self.databases.push(DatabaseLives { database, ..DatabaseLives::default() });
                self.databases.len() - 1
            });
            add_backed_up(&mut self.databases[index].tenures, &lives);
        }
    }

    /// Gives the catalog of a database, where it is archived.
    #[must_use]
    pub fn catalog(&self, database: Timeline) -> Option<&ArchivedCatalog> {
        self.databases.iter().filter(|known| known.database == Some(database)).find_map(|known| known.catalog.as_ref())
    }

    /// Lists every name that some life held.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.databases.iter().flat_map(|database| database.tenures.iter().map(|tenure| tenure.name.as_str())).collect()
    }

    /// Lists the names that a life held.
    #[must_use]
    pub fn names_of(&self, incarnation: Incarnation) -> BTreeSet<&str> {
        let held = self.databases.iter().flat_map(|database| &database.tenures).filter(|tenure| tenure.incarnation == incarnation);
        held.map(|tenure| tenure.name.as_str()).chain(self.described.get(&incarnation).map(|(name, _)| name.as_str())).collect()
    }

    /// Gives the time at which a life began; `None` when nobody says.
    #[must_use]
    pub fn began(&self, incarnation: Incarnation) -> Option<CommitTime> {
        let tenures = self.databases.iter().flat_map(|database| &database.tenures);
        let held = tenures.filter(|tenure| tenure.incarnation == incarnation).map(|tenure| tenure.from).min();
        held.or_else(|| self.described.get(&incarnation).map(|(_, created)| *created)).filter(|began| *began > 0)
    }
}

fn read_timelines(archive: &Archive, listing: &Listing) -> Result<TimelineMap> {
    let mut map = TimelineMap::default();
    for timeline in &listing.timelines {
        let key = Key::Timeline(*timeline);
        match get_json::<TimelineFile>(&*archive.store, &key.to_string(), "description of a timeline") {
            Ok(file) if file.timeline == *timeline => {
                map.good.insert(*timeline, file);
            }
            Ok(_) => {
                map.bad.insert(*timeline, archive.at(Error::corrupt("this is the description of another timeline"), &key));
            }
            Err(error) if is_about_content(error.kind) => {
                map.bad.insert(*timeline, error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(map)
}

fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_about_content(error.kind) => Ok(None),
        Err(error) => Err(error),
    }
}
