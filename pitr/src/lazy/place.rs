//! Where the bytes of a lazy collection are, as its marker tells it: locations as users write them, and the pins that it has there.

use std::sync::Arc;

use engine::error::{Error, Result};
use platform::object_store::ObjectStore;
use serde::{Deserialize, Serialize};

use super::OpenLocation;
use crate::archive::stored::store_error;
use crate::archive::{Key, ObjectName};

/// Most archives that a marker may name.
const ARCHIVES_MAX: usize = 4096;

/// One archive that holds bytes of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivePlace {
    /// Where it is, as the user wrote it.
    pub location: String,
    /// What the collection holds there against being pruned; `None`: nothing, or somebody else does.
    pub pin: Option<ObjectName>,
}

/// The `source` of a marker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// The archives; earlier ones are preferred.
    pub archives: Vec<ArchivePlace>,
    /// The server at which locations in buckets are asked for, where the user named one.
    pub endpoint: Option<String>,
}

impl Places {
    /// Writes it as one line of JSON.
    ///
    /// # Panics
    /// Never: it holds nothing that JSON cannot say.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("places have nothing that JSON cannot say")
    }

    /// Reads the `source` of a marker.
    ///
    /// # Errors
    /// `Corrupt` when it is none.
    pub fn parse(source: &str) -> Result<Self> {
        let wrong = |why: String| Error::corrupt(format!("the marker of a lazy collection does not say where its log is: {why}"));
        let places: Places = serde_json::from_str(source).map_err(|error| wrong(error.to_string()))?;
        if places.archives.is_empty() || places.archives.len() > ARCHIVES_MAX {
            return Err(wrong(format!("it names {} archives", places.archives.len())));
        }
        Ok(places)
    }

    /// Opens every archive, in order.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open(&self, open: OpenLocation<'_>) -> Result<Vec<Arc<dyn ObjectStore>>> {
        self.archives.iter().map(|archive| open(&archive.location, self.endpoint.as_deref())).collect()
    }

    /// Removes the pins: nothing of the archives is needed any more.
    ///
    /// # Errors
    /// Those of `open` and of the stores: the first, after all were tried.
    pub fn release(&self, open: OpenLocation<'_>) -> Result<()> {
        let mut first = Ok(());
        for archive in &self.archives {
            let Some(pin) = archive.pin else { continue };
            let removed = open(&archive.location, self.endpoint.as_deref())
                .and_then(|store| store.delete(&Key::Reader(pin).to_string()).map_err(|e| store_error(&e)));
            first = first.and(removed);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::error::ErrorKind;

    #[test]
    fn places_read_back_as_they_are_written_and_other_text_is_refused() {
        let archives = vec![
            ArchivePlace { location: "s3://bucket/x".to_owned(), pin: Some(ObjectName([3; 16])) },
            ArchivePlace { location: "/mnt/parent".to_owned(), pin: None },
        ];
        let places = Places { archives, endpoint: Some("http://host:1".to_owned()) };
        assert_eq!(Places::parse(&places.encode()).unwrap(), places);
        for other in ["", "/mnt/archive", "{}", "{\"archives\":[],\"endpoint\":null}", "[1]"] {
            assert_eq!(Places::parse(other).unwrap_err().kind, ErrorKind::Corrupt, "{other}");
        }
    }
}
