//! An archive: a location in an object store that holds the histories of collections.

pub mod base;
pub mod extent;
pub mod extent_stream;
pub mod ids;
pub mod layout;
pub mod listing;
pub mod pin;
pub mod reachable;
pub mod retention;
pub mod roots;
pub mod stored;
pub mod tiling;

use std::sync::Arc;

use engine::error::{Error, ErrorKind, Result};
use platform::object_store::ObjectStore;
use platform::random::Random;
use serde::{Deserialize, Serialize};

pub use ids::{ArchiveId, ObjectName};
pub use layout::Key;
pub use listing::Listing;

/// The object that makes a location an archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ArchiveFile {
    format: u32,
    archive: ArchiveId,
}

/// An archive opened.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Where it is.
    pub store: Arc<dyn ObjectStore>,
    /// Which one it is, wherever it was copied to.
    pub id: ArchiveId,
}

impl Archive {
    /// Opens an archive for reading; nothing is written.
    ///
    /// # Errors
    /// `NotFound` when the location holds none, `Incomplete` when it holds parts of one, `Unreachable` when it is encrypted and the store
    /// was not unlocked, `Corrupt`, `NewerFormat`, those of the store.
    pub fn open(store: &Arc<dyn ObjectStore>) -> Result<Self> {
        let found = store.head(layout::ARCHIVE_KEY).map_err(|e| stored::store_error(&e))?;
        if found.is_none() {
            return Err(no_archive(&**store)?);
        }
        let file: Result<ArchiveFile> = stored::get_json(&**store, layout::ARCHIVE_KEY, "archive's description");
        let file = file.map_err(|error| crate::encryption::explain_locked(error, &**store))?;
        Ok(Archive { store: store.clone(), id: file.archive })
    }

    /// Opens an archive for writing, and makes one where there is none.
    ///
    /// # Errors
    /// `Incomplete` when the location holds parts of an archive without its description, `Corrupt`, `NewerFormat`, those of the store.
    pub fn open_or_create(store: &Arc<dyn ObjectStore>, random: &dyn Random) -> Result<Self> {
        match Archive::open(store) {
            Err(error) if error.kind == ErrorKind::NotFound => {
                let file = ArchiveFile { format: stored::JSON_VERSION, archive: ArchiveId::draw(random) };
                stored::put(&**store, layout::ARCHIVE_KEY, stored::encode_json(&file))?;
                // Another process may have been first.
                Archive::open(store)
            }
            opened => opened,
        }
    }

    /// Names an object and this location in an error.
    #[must_use]
    pub fn at(&self, error: Error, key: &Key) -> Error {
        stored::at(error, &*self.store, &key.to_string())
    }
}

fn no_archive(store: &dyn ObjectStore) -> Result<Error> {
    let place = store.describe();
    if Listing::read(store)?.is_empty() {
        return Ok(Error::not_found(format!("\"{place}\" holds no backup")).with_object(layout::ARCHIVE_KEY).with_hint("check the path"));
    }
    Ok(Error::new(ErrorKind::Incomplete, format!("the backup in \"{place}\" lacks its description"))
        .with_object(layout::ARCHIVE_KEY)
        .with_hint("the copy is not whole: copy it again"))
}
