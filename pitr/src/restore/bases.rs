//! Looks at the manifests that a state may be built on, and takes the newest one that is whole.

use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Lsn};
use engine::manifest::Manifest;

use super::fetch::fetch_stated_manifest;
use super::fetch_plan::{FetchPlan, plan_point};
use super::plan::{BaseCandidate, BaseSource, RestorePoint, check_of_history, covered_log};
use crate::archive::base::read_base;
use crate::archive::{Archive, Key};
use crate::backup::format::Position;
use crate::backup::held::{Candidates, Library, is_about_content};
use crate::history::History;
use crate::history::walk::{Held, walk_operations};

/// A manifest whose objects and covered log are all there.
#[derive(Debug, Clone)]
pub struct Base {
    /// The manifest.
    pub manifest: Manifest,
    /// The state that it covers.
    pub point: RestorePoint,
    /// The largest number that a client gave one of the last operations that it covers.
    pub client_sequence: Option<u64>,
}

/// Reads what describes a candidate and checks, by listing, that all of it is there.
///
/// # Errors
/// `Incomplete` naming what is missing, `Corrupt` when a description is damaged or of another history, `NewerFormat`, those of the stores.
pub fn read_candidate(
    archive: &Archive,
    library: &mut Library,
    candidate: &BaseCandidate,
    history: &History,
    others: &Candidates<'_>,
) -> Result<Base> {
    let mut base = None;
    let (entry, objects, sources) = match &candidate.source {
        BaseSource::Archived => {
            let base = base.insert(read_base(archive, candidate.timeline, candidate.name)?);
            (base.manifest.clone(), base.objects.clone(), vec![archive.id])
        }
        BaseSource::Backup(file) => {
            library.add_parents(file, others)?;
            if let Some(error) = file.parents.iter().find_map(|parent| library.missing.get(&parent.archive)) {
                return Err(error.clone());
            }
            let parents = file.parents.iter().map(|parent| parent.archive);
            (file.manifest.clone(), file.objects.clone(), [archive.id].into_iter().chain(parents).collect())
        }
    };
    let manifest = fetch_stated_manifest(archive, &entry)?;
    let key = Key::Manifest(candidate.timeline, candidate.name);
    check_of_history(&manifest, history).map_err(|error| archive.at(error, &key))?;
    let agreed = match (&candidate.source, &base) {
        (BaseSource::Backup(file), _) => file.agree(&manifest),
        (BaseSource::Archived, base) => base.as_ref().map_or(Ok(()), |base| base.agree(&manifest)),
    };
    agreed.map_err(|error| archive.at(error, &key))?;
    let covered = manifest.covered_lsn;
    let timeline = history.span_before(covered).map_or(history.root(), |span| span.timeline);
    let point = RestorePoint {
        home: archive.id,
        sources,
        manifest: entry,
        log: covered_log(&manifest),
        objects,
        ancestry: history.closed_at(covered),
        position: Position { timeline, lsn: covered, commit_time: manifest.commit_time },
        counts: None,
    };
    let plan = plan_point(&point, library);
    let client_sequence = base.and_then(|base| base.client_sequence);
    not_whole(&plan).map_or(Ok(Base { manifest, point, client_sequence }), Err)
}

/// Says what a plan lacks.
fn not_whole(plan: &FetchPlan) -> Option<Error> {
    let first = plan.lacks.first()?;
    let kind = if plan.lacks.iter().any(|lack| lack.is_damage) { ErrorKind::Corrupt } else { ErrorKind::Incomplete };
    let message = format!("{} of {} objects are missing or cut off", plan.lacks.len(), plan.object_count());
    let error = Error::new(kind, message).with_object(&first.key).with_expected(&first.expected, &first.got);
    Some(plan.archives.first().map_or(error.clone(), |(archive, _)| archive.at(error, &Key::Other)))
}

/// Takes the newest candidate that is whole; each newer one that is not becomes a warning: more of the log is replayed, the state is the same.
///
/// # Errors
/// That of the newest candidate when none is whole (`None`: there was no candidate), those of the stores.
pub fn newest_whole(
    archive: &Archive,
    library: &mut Library,
    candidates: &[BaseCandidate],
    history: &History,
    others: &Candidates<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<Base>> {
    let mut first = None;
    for candidate in candidates.iter().rev() {
        match read_candidate(archive, library, candidate, history, others) {
            Ok(base) => return Ok(Some(base)),
            Err(error) if is_about_content(error.kind) => {
                let key = Key::Base(candidate.timeline, candidate.name);
                warnings.push(format!("\"{key}\" cannot be built on, an older state and more of the log were used: {error}"));
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    first.map_or(Ok(None), Err)
}

/// Gives the time of the earliest state that can be restored, and the position that it covers: those of the oldest base that is whole; `None` when
/// no base is.
///
/// # Errors
/// Those of the stores, `Corrupt` when the log's first record is damaged.
pub fn earliest(
    archive: &Archive,
    library: &mut Library,
    candidates: &[BaseCandidate],
    history: &History,
    others: &Candidates<'_>,
) -> Result<Option<(CommitTime, Lsn)>> {
    for candidate in candidates {
        let base = match read_candidate(archive, library, candidate, history, others) {
            Ok(base) => base,
            Err(error) if is_about_content(error.kind) => continue,
            Err(error) => return Err(error),
        };
        if candidate.name.covered_lsn > 0 {
            return Ok(Some((candidate.name.commit_time, candidate.name.covered_lsn)));
        }
        // A collection that nothing was sealed of yet begins with its first record.
        let archives = archives_of(library, &base.point);
        let held: Vec<Held<'_>> = archives.iter().map(|(archive, listing)| Held { archive, listing }).collect();
        let mut first = None;
        walk_operations(&held, history, 0, &mut |operation| {
            first = Some(operation.commit_time);
            Ok(false)
        })?;
        if let Some(first) = first {
            return Ok(Some((first, 0)));
        }
    }
    Ok(None)
}

/// Gives the archives that a state lies in.
#[must_use]
pub fn archives_of(library: &Library, point: &RestorePoint) -> Vec<(Archive, std::sync::Arc<crate::archive::Listing>)> {
    let known = point.sources.iter().filter_map(|id| library.get(*id));
    known.map(|(archive, listing)| (archive.clone(), listing.clone())).collect()
}
