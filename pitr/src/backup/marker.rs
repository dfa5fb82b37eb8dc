//! The mark of an attempt: put before anything is sent, removed once the backup is complete; a later attempt of the same id goes on from it.

use engine::codec::checksum::Hash;
use engine::error::Result;
use platform::random::Random;
use serde::{Deserialize, Serialize};

use super::held::is_about_content;
use crate::archive::stored::{self, JSON_VERSION, get_json};
use crate::archive::{Archive, Key, ObjectName};

/// The mark of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Version of the format.
    pub format: u32,
    /// The id of the backup that is being made.
    pub snapshot_id: String,
    /// The collection.
    pub collection: String,
    /// When the first attempt of this id began, microseconds since 1970.
    pub started: u64,
    /// Names of objects follow from it, so that a later attempt finds what an earlier one sent, and nobody else uses these names.
    pub nonce: ObjectName,
}

impl Marker {
    /// Finds the mark of an earlier attempt, or leaves a new one.
    ///
    /// # Errors
    /// `NewerFormat`, those of the store.
    pub fn begin(archive: &Archive, snapshot_id: &str, collection: &str, now: u64, random: &dyn Random) -> Result<Self> {
        let key = Key::Pin(snapshot_id.to_owned()).to_string();
        let nonce = ObjectName::draw(random);
        let new =
            Marker { format: JSON_VERSION, snapshot_id: snapshot_id.to_owned(), collection: collection.to_owned(), started: now, nonce };
        stored::put(&*archive.store, &key, stored::encode_json(&new))?;
        match Marker::read(archive, snapshot_id) {
            Ok(marker) => Ok(marker),
            // Damaged marks say nothing; what the attempt sent is left over, and harmless.
            Err(error) if is_about_content(error.kind) && error.kind != engine::ErrorKind::NewerFormat => {
                archive.store.delete(&key).map_err(|e| stored::store_error(&e))?;
                stored::put(&*archive.store, &key, stored::encode_json(&new))?;
                Marker::read(archive, snapshot_id)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the mark of an attempt.
    ///
    /// # Errors
    /// `Incomplete`, `Corrupt`, `NewerFormat`, those of the store.
    pub fn read(archive: &Archive, snapshot_id: &str) -> Result<Self> {
        get_json(&*archive.store, &Key::Pin(snapshot_id.to_owned()).to_string(), "mark of an unfinished backup")
    }

    /// Removes the mark. The backup is complete; a mark that stays is seen to be of a complete one.
    pub fn end(&self, archive: &Archive) {
        let _ = archive.store.delete(&Key::Pin(self.snapshot_id.clone()).to_string());
    }

    /// Gives the name under which this attempt sends an object; `number` counts names that turned out to hold something else.
    #[must_use]
    pub fn object_name(&self, blake3: Hash, number: u8) -> ObjectName {
        self.nonce.of_upload(blake3, number)
    }
}
