//! Counts the writes behind a position that an archive knows of and a restored state does not have.

use engine::error::Result;
use engine::ids::{CommitTime, Lsn};

use crate::archive::Listing;
use crate::backup::held::is_about_content;
use crate::history::History;
use crate::history::walk::{Held, last_operation, walk_operations};

/// Bytes of log whose heads are counted; of more only the end is looked at.
const COUNTED_BYTES_MAX: u64 = 1 << 30;

/// The writes behind a position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind {
    /// Commit time of the first; `None` when there is none, or nobody could look.
    pub first: Option<CommitTime>,
    /// Commit time of the newest.
    pub newest: Option<CommitTime>,
    /// How many; `None` when they were not counted.
    pub count: Option<u64>,
}

/// Looks at the writes of a history behind a position. Damage there does not stand in the way of what lies before: it is a warning.
///
/// # Errors
/// Those of the stores.
pub fn behind(held: &[Held<'_>], history: &History, position: Lsn, warnings: &mut Vec<String>) -> Result<Behind> {
    let mut found = Behind { count: Some(0), ..Behind::default() };
    let end = log_end(held.iter().map(|held| held.listing), history, position);
    let many = end.saturating_sub(position) > COUNTED_BYTES_MAX;
    let walked = walk_operations(held, history, position, &mut |operation| {
        if !operation.is_mark {
            found.first.get_or_insert(operation.commit_time);
            found.newest = Some(operation.commit_time);
            found.count = found.count.map(|count| count + 1);
        }
        Ok(!many || found.first.is_none())
    });
    let looked = walked.and_then(|_| {
        if many {
            found.count = None;
            found.newest = last_operation(held, history, end)?.map(|operation| operation.commit_time).max(found.newest);
        }
        Ok(())
    });
    match looked {
        Ok(()) => Ok(found),
        Err(error) if is_about_content(error.kind) => {
            warnings.push(format!("the writes behind position {position} could not be counted: {error}"));
            Ok(Behind { count: None, ..found })
        }
        Err(error) => Err(error),
    }
}

/// Gives the position up to which a history's log is there without a hole, from a position on.
pub fn log_end<'a>(listings: impl Iterator<Item = &'a Listing> + Clone, history: &History, position: Lsn) -> Lsn {
    let mut at = position;
    for span in &history.spans {
        let end = span.to.unwrap_or(Lsn::MAX);
        if end <= at {
            continue;
        }
        while at < end
            && let Some(extent) = listings.clone().find_map(|listing| listing.extent_at(span.timeline, at))
        {
            at = extent.end.min(end);
        }
        if at < end {
            break;
        }
    }
    at
}
