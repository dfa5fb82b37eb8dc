//! Carries the machines of the fence out on a real archive. Calls block.

mod append;
mod look;
mod take_over;

use engine::error::Result;
use engine::ids::{Lsn, Timeline};
use platform::object_store::PutOutcome;
use serde::{Deserialize, Serialize};

use super::appender::Appender;
use crate::archive::stored::{self, JSON_VERSION};
use crate::archive::{Archive, Key};

pub use append::{LogSource, append_extent, open_appender};
pub use look::{Chain, boundary, follow, origin, scan};
pub use take_over::{Claim, Permission, take_over};

/// What a boundary says; its key says the same.
#[derive(Debug, Serialize, Deserialize)]
struct BoundaryFile {
    format: u32,
    timeline: Timeline,
    boundary: Lsn,
}

/// Raises the boundary of a timeline to its owner's archived end, so that extents below it may be deleted; gives that end.
///
/// Only the owner does this, and only after its machine has the archived end durably: an owner that started below the boundary would fill a key that was
/// emptied. A fenced owner may still do it.
///
/// # Errors
/// Those of the store; the boundary may have been put.
pub fn raise_boundary(archive: &Archive, appender: &Appender) -> Result<Lsn> {
    put_boundary(archive, appender.timeline(), appender.archived())?;
    Ok(appender.archived())
}

/// Puts a boundary of a timeline: a border of its chain of extents.
pub(crate) fn put_boundary(archive: &Archive, timeline: Timeline, boundary: Lsn) -> Result<()> {
    let key = Key::Low(timeline, boundary).to_string();
    let file = BoundaryFile { format: JSON_VERSION, timeline, boundary };
    match stored::put(&*archive.store, &key, stored::encode_json(&file))? {
        PutOutcome::Created | PutOutcome::Exists => Ok(()),
    }
}

#[cfg(test)]
mod tests;
