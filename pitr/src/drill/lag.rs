//! What a collection has that its archive does not have yet: what would be lost if the machine were gone now.

use engine::Collection;
use engine::archived::Archived;
use engine::error::Result;
use engine::ids::{CommitTime, Lsn};
use platform::World;
use serde::Serialize;

/// What is not archived yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lag {
    /// Bytes of the log.
    pub bytes: u64,
    /// Seconds since the oldest write that is not archived was committed, 0 when everything is; `None`: its time cannot be read.
    pub seconds: Option<f64>,
    /// Commit time of the newest write.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub newest: CommitTime,
}

/// Looks how far the archive of a collection has come, by what is noted here.
///
/// # Errors
/// `Corrupt` when the note is damaged, `Io`.
pub fn lag_of(world: &World, collection: &Collection) -> Result<Lag> {
    let kept = Archived::read(&*world.fs, collection.dir().root())?;
    let archived = if kept.current.is_some() { kept.current_lsn() } else { kept.lsn() };
    let version = collection.version();
    let (bytes, newest) = (version.lsn_end.saturating_sub(archived), version.commit_time);
    // Log files from before the archive's time may be gone: then nobody knows.
    let seconds = match first_write_behind(collection, archived) {
        Ok(Some(oldest)) => Some(world.clock.wall_micros().saturating_sub(oldest) as f64 / 1e6),
        Ok(None) => Some(0.0),
        Err(_) => None,
    };
    Ok(Lag { bytes, seconds, newest })
}

/// Gives the commit time of the first write behind a position of a collection's log; `None` when nothing stands there but marks of durability and moves,
/// which change no point.
///
/// # Errors
/// `Corrupt` when no log file holds the position, or a record there is damaged; `Io`.
pub fn first_write_behind(collection: &Collection, position: Lsn) -> Result<Option<CommitTime>> {
    let (mut at, end) = (position, collection.outgoing_end());
    while at < end {
        let Some(found) = collection.outgoing(at, 1)? else { break };
        if found.operations > 0 {
            return Ok(Some(found.commit_time));
        }
        assert!(found.end() > at, "something was read");
        at = found.end();
    }
    Ok(None)
}
