//! Describes a database's catalog in its archive: a timeline like any other, whose id is the database's.

use engine::error::Result;
use engine::ids::Timeline;

use crate::archive::stored::{self, JSON_VERSION};
use crate::archive::{Archive, Key};
use crate::timeline::TimelineFile;

/// The reason that a catalog's timeline states.
pub const CATALOG_REASON: &str = "catalog";

/// Puts the description of a catalog's timeline where there is none.
pub(super) fn put_catalog(archive: &Archive, database: Timeline) -> Result<()> {
    let file = TimelineFile {
        format: JSON_VERSION,
        timeline: database,
        database: Some(database),
        incarnation: None,
        parent: None,
        reason: CATALOG_REASON.to_owned(),
    };
    stored::put(&*archive.store, &Key::Timeline(database).to_string(), stored::encode_json(&file))?;
    Ok(())
}
