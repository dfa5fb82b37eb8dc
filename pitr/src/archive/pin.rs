//! What readers hold: an object that keeps the collector away while a restore runs, or for as long as a branch needs what it names.

use std::sync::Arc;

use engine::error::Result;
use engine::ids::{Lsn, Timeline};
use platform::World;
use platform::clock::Clock;
use platform::random::Random;
use serde::{Deserialize, Serialize};

use super::Archive;
use super::ids::ObjectName;
use super::layout::Key;
use super::stored::{self, JSON_VERSION, get_json, store_error};

/// Time after which a pin that nobody renewed holds nothing any more, microseconds: a day.
pub const LEASE: u64 = 86_400_000_000;

/// What a reader holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Holds {
    /// Nothing is deleted at all.
    Everything,
    /// A backup stays with all that it needs.
    Snapshot {
        /// The backup.
        id: String,
    },
    /// A base stays with all that it needs.
    Base {
        /// The timeline that it lies under.
        timeline: Timeline,
        /// Its name there.
        name: String,
    },
    /// The log of a history stays, up to a position.
    Log {
        /// The timeline that the history ends with.
        timeline: Timeline,
        /// The position behind the last byte that is held.
        lsn: Lsn,
    },
}

/// The content of a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinFile {
    /// Version of the format.
    pub format: u32,
    /// Who holds it, for people.
    pub holder: String,
    /// When the reader began, microseconds since 1970.
    pub started: u64,
    /// How long it holds from the moment that the store dates it at; `None`: until it is removed.
    pub lease: Option<u64>,
    /// What it holds.
    pub holds: Vec<Holds>,
}

impl PinFile {
    /// Reads a pin.
    ///
    /// # Errors
    /// `Incomplete`, `Corrupt`, `NewerFormat`, those of the store.
    pub fn read(archive: &Archive, name: ObjectName) -> Result<Self> {
        get_json(&*archive.store, &Key::Reader(name).to_string(), "pin of a reader")
    }

    /// Says whether it holds at a moment of the store's clock, when the store dated it at another.
    #[must_use]
    pub fn holds_at(&self, now: u64, modified: u64) -> bool {
        self.lease.is_none_or(|lease| now <= modified.saturating_add(lease))
    }
}

/// A pin that this process holds; removed when it is dropped.
#[derive(Debug)]
pub struct ReaderPin {
    archive: Archive,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    file: PinFile,
    name: ObjectName,
    put_at: u64,
}

impl ReaderPin {
    /// Holds everything of an archive for a reader that will be done soon; [`ReaderPin::renew`] prolongs it.
    ///
    /// # Errors
    /// Those of the store: one that cannot be written gives no pin, and a reader may go on without.
    pub fn begin(archive: &Archive, world: &World, holder: &str) -> Result<Self> {
        let started = world.clock.wall_micros();
        let file = PinFile { format: JSON_VERSION, holder: holder.to_owned(), started, lease: Some(LEASE), holds: vec![Holds::Everything] };
        let name = put(archive, &*world.random, &file)?;
        let put_at = world.clock.monotonic_micros();
        Ok(ReaderPin { archive: archive.clone(), clock: world.clock.clone(), random: world.random.clone(), file, name, put_at })
    }

    /// Puts the pin again when a quarter of its lease is over; a reader calls this from time to time.
    ///
    /// # Errors
    /// Those of the store; the older pin holds on.
    pub fn renew(&mut self) -> Result<()> {
        let now = self.clock.monotonic_micros();
        if now.saturating_sub(self.put_at) < LEASE / 4 {
            return Ok(());
        }
        // The new one first: there is no moment without.
        let name = put(&self.archive, &*self.random, &self.file)?;
        let old = std::mem::replace(&mut self.name, name);
        self.put_at = now;
        self.archive.store.delete(&Key::Reader(old).to_string()).map_err(|e| store_error(&e))
    }
}

impl Drop for ReaderPin {
    fn drop(&mut self) {
        // A pin that stays runs out by itself.
        let _ = self.archive.store.delete(&Key::Reader(self.name).to_string());
    }
}

/// Puts a pin under a name of its own; gives the name.
///
/// # Errors
/// Those of the store.
pub fn put(archive: &Archive, random: &dyn Random, file: &PinFile) -> Result<ObjectName> {
    let name = ObjectName::draw(random);
    stored::put(&*archive.store, &Key::Reader(name).to_string(), stored::encode_json(file))?;
    Ok(name)
}
