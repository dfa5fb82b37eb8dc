//! What a restored state is compared with where nothing was recorded: the collection here, or a second reading of the source.

use std::path::Path;
use std::sync::Arc;

use engine::collection::Version;
use engine::database::DatabaseOptions;
use engine::error::Result;
use engine::ids::CommitTime;
use engine::{Collection, Database};
use platform::World;
use platform::object_store::ObjectStore;

use super::lag::first_write_behind;
use super::request::DrillRequest;
use crate::lazy::{Lazy, Stay};
use crate::restore::{RestoreReport, RestoreRequest, Target, restore};

/// How the collection of the name here is related to what was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kin {
    /// It has another history, or there is none.
    None,
    /// It holds exactly what was restored: nothing was written since.
    Same,
    /// It goes on with that history. The time is that of its newest write.
    Newer(CommitTime),
}

impl Kin {
    /// Looks at both.
    pub fn of(live: Option<&Collection>, restored: &RestoreReport) -> Self {
        let Some(live) = live else { return Kin::None };
        let version = live.version();
        let is_kin = version.manifest.ancestry.iter().any(|span| span.timeline == restored.source_timeline);
        if !is_kin {
            return Kin::None;
        }
        let at_tip = version.manifest.timeline() == restored.source_timeline && version.lsn_end >= restored.lsn;
        // What cannot be read of the log was written once.
        let nothing_since = at_tip && matches!(first_write_behind(live, restored.lsn), Ok(None));
        if nothing_since { Kin::Same } else { Kin::Newer(version.commit_time.max(restored.commit_time)) }
    }
}

/// Says whether two versions have the same index, and so have to give the same answers: an index that was built anew since may give others.
pub(super) fn has_same_index(one: &Version, other: &Version) -> bool {
    let segments = |version: &Version| version.manifest.segments.iter().map(|segment| segment.hash()).collect::<Vec<_>>();
    segments(one) == segments(other)
}

/// Puts the same state together a second time, its sealed log files read from the source when they are needed.
pub(super) fn read_again(
    world: &World,
    dir: &Path,
    store: &Arc<dyn ObjectStore>,
    request: &DrillRequest<'_>,
    restored: &RestoreReport,
) -> Result<(Database, Collection)> {
    let options = DatabaseOptions { accept_clock: true, ..DatabaseOptions::default() };
    let mut database = Database::open(world, dir, options)?;
    database.set_range_sources(request.ranges.clone());
    let (target, timeline) = match &restored.snapshot_id {
        Some(id) => (Target::Snapshot(Some(id)), None),
        None => (Target::Lsn(restored.lsn), Some(restored.source_timeline)),
    };
    let again = RestoreRequest {
        name: request.name,
        target,
        timeline,
        new_name: Some(&restored.collection),
        candidates: request.candidates.copy(),
        threads: request.threads,
        lazy: Some(Lazy { location: request.source, endpoint: request.endpoint, stay: Stay::ForNow }),
        ..RestoreRequest::default()
    };
    restore(&database, store, &again, &|_, _| ())?;
    let collection = database.collection(&restored.collection)?;
    Ok((database, collection))
}
