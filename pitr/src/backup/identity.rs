//! What an archive says about collections and timelines besides backups: whose they are and where they came from.

use engine::collection::Snapshot;
use engine::error::Result;
use engine::ids::{CommitTime, Incarnation, Timeline};
use engine::manifest::Span;
use engine::{Collection, Database};
use platform::object_store::PutOutcome;
use serde::{Deserialize, Serialize};

use crate::archive::stored::{self, JSON_VERSION};
use crate::archive::{Archive, Key};
use crate::timeline::{Parent, TimelineFile};

/// What an archive says about one life of a collection's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionFile {
    /// Version of the format.
    pub format: u32,
    /// The life.
    pub incarnation: Incarnation,
    /// The name it had when it was first backed up.
    pub name: String,
    /// When it began.
    pub created: CommitTime,
}

/// Puts the descriptions of a collection's life and of the timelines of its history, where they are not there yet.
pub(crate) fn put_identity(database: &Database, collection: &Collection, snapshot: &Snapshot, archive: &Archive) -> Result<()> {
    let incarnation = collection.incarnation();
    let created = database.state().collections.get(collection.name()).map_or(0, |life| life.created);
    let file = CollectionFile { format: JSON_VERSION, incarnation, name: collection.name().to_owned(), created };
    put(archive, &Key::Collection(incarnation), stored::encode_json(&file))?;
    let spans = &snapshot.manifest().ancestry;
    let id = database.id()?;
    for (index, span) in spans.iter().enumerate() {
        let own = index + 1 == spans.len();
        let parent =
            index.checked_sub(1).and_then(|before| spans.get(before)).map(|before| Parent { timeline: before.timeline, lsn: span.from });
        let file = TimelineFile {
            format: JSON_VERSION,
            timeline: span.timeline,
            database: id.filter(|_| own),
            incarnation: own.then_some(incarnation),
            reason: if parent.is_some() { "restored" } else { "created" }.to_owned(),
            parent,
        };
        put(archive, &Key::Timeline(span.timeline), stored::encode_json(&file))?;
    }
    Ok(())
}

fn put(archive: &Archive, key: &Key, bytes: Vec<u8>) -> Result<()> {
    match stored::put(&*archive.store, &key.to_string(), bytes)? {
        PutOutcome::Created => Ok(()),
        // A new backup must not rest on a description that a copy damaged.
        PutOutcome::Exists => check(archive, key).map_err(|e| e.with_hint("it is never overwritten; back up to another location")),
    }
}

/// Reads the description of a life or a timeline and throws it away.
///
/// # Errors
/// `Incomplete`, `Corrupt`, `NewerFormat`, those of the store.
pub fn check(archive: &Archive, key: &Key) -> Result<()> {
    let name = key.to_string();
    match key {
        Key::Collection(_) => stored::get_json::<CollectionFile>(&*archive.store, &name, "description of a collection").map(drop),
        _ => stored::get_json::<TimelineFile>(&*archive.store, &name, "description of a timeline").map(drop),
    }
}

/// Lists the keys of the descriptions that belong to a life and its history.
#[must_use]
pub fn keys_of(incarnation: Incarnation, ancestry: &[Span], manifest: Timeline) -> Vec<Key> {
    let mut timelines: Vec<Timeline> = ancestry.iter().map(|span| span.timeline).chain([manifest]).collect();
    timelines.dedup();
    [Key::Collection(incarnation)].into_iter().chain(timelines.into_iter().map(Key::Timeline)).collect()
}
