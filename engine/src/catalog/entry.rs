//! Entries of the catalog's log, as JSON; `docs/format/catalog.md` is the document.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Incarnation, Lsn, Timeline};

/// Where a life came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// It was created empty.
    Created,
    /// It was restored from a backup or archive.
    Restored {
        /// The name it had there.
        name: String,
        /// The timeline it came from.
        timeline: Timeline,
        /// The position it was restored to.
        lsn: Lsn,
    },
}

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Once it is synced here.
    #[default]
    Fsync,
    /// Once it is archived.
    Archive,
}

/// Where a name's writes are archived to, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveSettings {
    /// The archive's location.
    pub url: String,
    /// When a write is acknowledged.
    pub durability: Durability,
    /// Bytes of log that may wait; beyond it writes are turned away.
    pub backlog_limit: u64,
    /// Longest time that a synced write waits before it is sent, microseconds.
    pub delay: u64,
}

/// One change of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum CatalogEntry {
    /// A name begins a life.
    Create {
        /// The name.
        name: String,
        /// The life.
        incarnation: Incarnation,
        /// Where it came from.
        origin: Origin,
    },
    /// A name begins a life and its old one is dropped, in one step.
    Replace {
        /// The name.
        name: String,
        /// The new life.
        incarnation: Incarnation,
        /// Where it came from.
        origin: Origin,
    },
    /// A name ends; its life can be brought back until it is purged.
    Drop {
        /// The name.
        name: String,
    },
    /// A dropped life gets a name again.
    Undrop {
        /// The name.
        name: String,
        /// The life.
        incarnation: Incarnation,
    },
    /// A dropped life is gone for good.
    Purge {
        /// The life.
        incarnation: Incarnation,
    },
    /// An alias means a collection from now on.
    SetAlias {
        /// The alias.
        alias: String,
        /// The collection's name.
        name: String,
    },
    /// An alias is gone.
    DeleteAlias {
        /// The alias.
        alias: String,
    },
    /// What is written under a name is archived continuously from now on, or not any more.
    SetArchive {
        /// The name; it keeps the setting through drops and restores.
        name: String,
        /// Where to and how; `None`: no more.
        archive: Option<ArchiveSettings>,
    },
}

impl CatalogEntry {
    /// Gives the JSON text that a record carries.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an entry has nothing that JSON cannot say")
    }

    /// Reads an entry back.
    ///
    /// # Errors
    /// `NewerFormat` when it is not one that this version knows.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| {
            Error::new(ErrorKind::NewerFormat, format!("the catalog holds an entry that this version does not know: {e}"))
                .with_hint("use the version of vectra that wrote it, or a newer one")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table_rows;

    #[test]
    fn the_document_names_the_same_entries() {
        let (name, alias) = ("n".to_owned(), "a".to_owned());
        let (incarnation, origin) = (Incarnation([1; 16]), Origin::Created);
        let entries = [
            CatalogEntry::Create { name: name.clone(), incarnation, origin: origin.clone() },
            CatalogEntry::Replace { name: name.clone(), incarnation, origin },
            CatalogEntry::Drop { name: name.clone() },
            CatalogEntry::Undrop { name: name.clone(), incarnation },
            CatalogEntry::Purge { incarnation },
            CatalogEntry::SetAlias { alias: alias.clone(), name },
            CatalogEntry::DeleteAlias { alias },
            CatalogEntry::SetArchive { name: "n".to_owned(), archive: None },
        ];
        let rows = table_rows(include_str!("../../../docs/format/catalog.md"));
        assert_eq!(rows.len(), entries.len() + 2, "one row an entry");
        for (entry, row) in entries.iter().zip(&rows[2..]) {
            let value: serde_json::Value = serde_json::from_str(&entry.to_json()).unwrap();
            let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).filter(|key| *key != "op").collect();
            assert_eq!((value["op"].as_str().unwrap(), keys.join(", ")), (row[0].as_str(), row[1].clone()));
            assert_eq!(CatalogEntry::from_json(&entry.to_json()).unwrap(), *entry);
        }
    }

    #[test]
    fn an_entry_of_a_later_version_is_newer() {
        let error = CatalogEntry::from_json("{\"op\":\"split\",\"name\":\"x\"}").unwrap_err();
        assert_eq!(error.kind, ErrorKind::NewerFormat);
    }
}
