//! What is kept of the file of a snapshot: its name, the backups in it, and every stored object, so that it is the same at each download.

use engine::codec::checksum::HASH_LEN;
use engine::{Error, Result};
use pitr::archive::layout::check_snapshot_id;
use pitr::archive::stored::{JSON_VERSION, decode_json, encode_json, get_bounded, put, store_error};
use platform::object_store::{ObjectStore, PutOutcome};
use serde::{Deserialize, Serialize};

use super::tar::Entry;

/// Where descriptions lie in the store; no archive has such a key.
const BELOW: &str = "files/";
/// Longest description that is read.
const LEN_MAX: u64 = 64 << 20;

/// The file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotTar {
    /// Version of the format.
    pub format: u32,
    /// Its name.
    pub name: String,
    /// The collection, if it is a snapshot of one.
    pub collection: Option<String>,
    /// When it was made, microseconds since 1970.
    pub created: u64,
    /// The ids of the backups in it.
    pub backups: Vec<String>,
    /// Size of the tar.
    pub bytes: u64,
    /// SHA-256 of the tar.
    pub sha256: String,
    /// What the tar holds, in its order.
    pub entries: Vec<Entry>,
}

impl SnapshotTar {
    /// Keeps it; false when the name is taken.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn keep(&self, store: &dyn ObjectStore) -> Result<bool> {
        assert_eq!(self.format, JSON_VERSION, "what is written is of the version that is read");
        Ok(put(store, &key_of(&self.name), encode_json(self))? == PutOutcome::Created)
    }

    /// Says that there is none of a name.
    pub(super) fn missing(name: &str) -> Error {
        Error::not_found(format!("snapshot \"{}\" does not exist", name.escape_debug())).with_object(name)
    }

    /// Reads the one of a name.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Corrupt`, `Incomplete`, `NewerFormat`, those of the store.
    pub(super) fn read(store: &dyn ObjectStore, name: &str) -> Result<Self> {
        let missing = || SnapshotTar::missing(name);
        check_snapshot_id(name).map_err(|_| missing())?;
        let key = key_of(name);
        if store.head(&key).map_err(|error| store_error(&error))?.is_none() {
            return Err(missing());
        }
        let stored = get_bounded(store, &key, LEN_MAX)?;
        assert!(stored.len() as u64 <= LEN_MAX, "what is read is bounded");
        let file: SnapshotTar = decode_json("description of a snapshot's file", &stored).map_err(|error| error.with_object(&key))?;
        if file.name == name && stored.len() > HASH_LEN {
            return Ok(file);
        }
        Err(Error::corrupt("the description of a snapshot's file is that of another").with_object(key))
    }

    /// Forgets the one of a name.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn forget(store: &dyn ObjectStore, name: &str) -> Result<()> {
        check_snapshot_id(name)?;
        store.delete(&key_of(name)).map_err(|error| store_error(&error))
    }

    /// Reads all of them, the oldest first.
    ///
    /// # Errors
    /// As [`SnapshotTar::read`], of the first that does not read.
    pub(super) fn all(store: &dyn ObjectStore) -> Result<Vec<Self>> {
        let listed = store.list(BELOW).map_err(|error| store_error(&error))?;
        let names = listed.iter().filter_map(|meta| meta.key.strip_prefix(BELOW)?.strip_suffix(".json"));
        let mut all = names.map(|name| SnapshotTar::read(store, name)).collect::<Result<Vec<_>>>()?;
        all.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        Ok(all)
    }
}

fn key_of(name: &str) -> String {
    format!("{BELOW}{name}.json")
}
