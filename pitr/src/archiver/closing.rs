//! Closed times: the promise that everything up to a time is archived, and that nothing will be committed at or before it (rule S20).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use engine::error::{Error, Result};
use engine::ids::{CommitTime, Lsn, Timeline};
use engine::manifest::store::{self, CollectionDir};
use engine::{Collection, Database};
use serde::{Deserialize, Serialize};

use super::{Archiver, CLOSE_EVERY, Mode, PassReport, note};
use crate::archive::stored::{self, JSON_VERSION, get_json};
use crate::archive::{Archive, Key};

/// What an archive says about a closed time; the key says all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedFile {
    /// Version of the format.
    pub format: u32,
    /// The database.
    pub database: Timeline,
    /// The time.
    pub commit_time: CommitTime,
    /// Where the logs ended that are archived here, by timeline, the catalog's included: an end that went missing since is noticed.
    pub ends: BTreeMap<Timeline, Lsn>,
}

impl ClosedFile {
    /// Reads what an archive says of a closed time.
    ///
    /// # Errors
    /// `Incomplete`, `Corrupt`, `NewerFormat`, those of the store.
    pub fn read(archive: &Archive, database: Timeline, time: CommitTime) -> Result<Self> {
        get_json(&*archive.store, &Key::Closed(database, time).to_string(), "note of a closed time")
    }
}

impl Archiver {
    /// Draws the time that this pass will close, when one is due. Everything that has a smaller time is durable when this returns.
    pub(super) fn begin_closing(&mut self, database: &Database, collections: &[&Collection], mode: Mode) -> Option<CommitTime> {
        let now = database.world().clock.monotonic_micros();
        let is_due = match mode {
            Mode::Log => false,
            Mode::Running => self.closed_at.is_none_or(|at| now.saturating_sub(at) >= CLOSE_EVERY),
            Mode::Closing => true,
        };
        let behind = |collection: &&Collection| collection.version().lsn_end > self.reached(collection.incarnation());
        let catalog_has_news = database.catalog_end().is_ok_and(|end| end > self.catalog.sent);
        let has_news = self.changed || self.closed_at.is_none() || catalog_has_news || collections.iter().any(behind);
        if !is_due || !has_news {
            return None;
        }
        let time = database.draw_time();
        collections.iter().for_each(|collection| collection.barrier());
        Some(time)
    }

    /// Closes a time: first the promise here, then the word of it there.
    pub(super) fn close(&mut self, database: &Database, collections: &[&Collection], time: CommitTime) -> Result<()> {
        database.close_time(time)?;
        let mut ends: BTreeMap<Timeline, Lsn> = collections
            .iter()
            .map(|collection| (collection.version().manifest.timeline(), self.reached(collection.incarnation())))
            .collect();
        ends.insert(self.database, self.catalog.sent);
        ends.extend(self.dropped_ends.values().copied());
        let file = ClosedFile { format: JSON_VERSION, database: self.database, commit_time: time, ends };
        stored::put(&*self.archive.store, &Key::Closed(self.database, time).to_string(), stored::encode_json(&file))?;
        self.closed_at = Some(database.world().clock.monotonic_micros());
        self.changed = false;
        Ok(())
    }

    /// Sends what is missing of dropped lives, so that they may be given up.
    pub(super) fn send_dropped(&mut self, database: &Database, report: &mut PassReport) -> Result<()> {
        let state = database.state();
        let mine = |name: &str| state.archives.contains_key(name);
        for dropped in state.dropped.iter().filter(|dropped| mine(&dropped.name)) {
            let incarnation = dropped.life.incarnation;
            let root = database.dropped_dir(incarnation);
            if database.world().fs.metadata(&root)?.is_none() {
                continue;
            }
            let archive = self.archive.clone();
            let id = archive.id.to_string();
            let kept = engine::archived::Archived::read(&*database.world().fs, &root)?;
            // What was never sent here belongs to another archive, or to none.
            let Some(reached) = kept.archives.get(&id) else { continue };
            if reached.complete {
                if let Entry::Vacant(unknown) = self.dropped_ends.entry(incarnation) {
                    let manifest = store::newest(&*database.world().fs, &CollectionDir::new(root))?;
                    unknown.insert((manifest.timeline(), reached.lsn));
                }
                continue;
            }
            let collection = database.dropped_collection(&dropped.name, incarnation)?;
            let life = self.life(database, incarnation, &root)?;
            let before = life.log.sent;
            let sent = life.log.send(&archive, &collection.version().manifest.ancestry, &collection, report);
            life.complete = sent.is_ok() && life.log.sent == collection.version().lsn_end;
            if life.complete || life.log.sent > before {
                note(database.world(), &root, &archive, life)?;
            }
            let (timeline, end) = (collection.version().manifest.timeline(), life.log.sent);
            sent?;
            self.dropped_ends.insert(incarnation, (timeline, end));
            self.changed = true;
        }
        Ok(())
    }

    /// Says whether a commit time is closed by this archiver's database.
    ///
    /// # Errors
    /// Those of the store.
    pub fn newest_closed(&self) -> Result<Option<CommitTime>> {
        let listing = crate::archive::Listing::read_below(&*self.archive.store, &format!("databases/{}/closed/", self.database))?;
        let newest = listing.closed.get(&self.database).and_then(|times| times.last().copied());
        if newest == Some(0) { Err(Error::corrupt("a closed time of zero")) } else { Ok(newest) }
    }
}
