//! Verifies backups: presence, every byte, the index, or a whole restore; changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::error::{Error, ErrorKind, Result};
use engine::ids::CommitTime;
use platform::World;
use platform::object_store::ObjectStore;
use serde::Serialize;

use super::check_data::{DataCheck, check_listing};
use super::deep::{Scratch, check_index, check_restore};
use super::problem::{Problem, Problems};
use crate::Progress;
use crate::archive::reachable::{Roots, reachable};
use crate::archive::retention::{Policy, decide};
use crate::archive::roots::ReadArchive;
use crate::archive::{Archive, Listing};
use crate::backup::format::IndexDescription;
use crate::backup::held::{Candidates, HeldSnapshot, HeldSnapshots, Library, is_about_content, read_snapshot};
use crate::backup::look::{ChainLink, chain, none_complete, unfinished};

/// How deep a verification looks; each level does what the one before does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Everything is there with the right length.
    List,
    /// Every byte is read and hashed.
    Data,
    /// The index is opened and its graphs are walked.
    Index,
    /// The backup is restored to a scratch place and asked.
    Restore,
}

/// What to verify.
#[derive(Debug)]
pub struct VerifyRequest<'a> {
    /// How deep.
    pub level: Level,
    /// One backup; `None`: all of them.
    pub snapshot_id: Option<&'a str>,
    /// Where other archives may be.
    pub candidates: Candidates<'a>,
    /// Where a backup may be restored to, for [`Level::Restore`].
    pub scratch: Option<Scratch>,
}

/// One backup in a report.
#[derive(Debug, Clone, Serialize)]
pub struct VerifiedSnapshot {
    /// Its id.
    pub id: String,
    /// The collection's name as of then; `None` when the description cannot be read.
    pub collection: Option<String>,
    /// Whether nothing is wrong with it.
    pub ok: bool,
}

/// What a verification found.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// Whether nothing is wrong with any backup that was verified.
    pub ok: bool,
    /// How deep it looked.
    pub level: Level,
    /// The backup that the report describes: the one asked for, or the newest.
    pub snapshot_id: Option<String>,
    /// Stored objects that were checked.
    pub objects: usize,
    /// Bytes that were checked (level `list`: that are needed).
    pub bytes: u64,
    /// Live points of the backup described.
    pub points: u64,
    /// Its index.
    pub index: IndexDescription,
    /// The backup described, the one it builds on, and so on.
    pub chain: Vec<ChainLink>,
    /// Every backup that was verified.
    pub snapshots: Vec<VerifiedSnapshot>,
    /// Ids of attempts that did not finish.
    pub unfinished: Vec<String>,
    /// Keys that no backup needs.
    pub strays: Vec<String>,
    /// The position of the backup described.
    pub lsn: u64,
    /// Commit time of the last operation in it.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub commit_time: CommitTime,
    /// Duration.
    pub seconds: f64,
    /// Everything that is wrong, in words.
    pub problems: Vec<String>,
    /// What is wrong as a whole: its kind gives the exit code.
    #[serde(skip)]
    pub error: Option<Error>,
}

/// Verifies one backup or all of an archive. What is wrong with them is in the report.
///
/// # Errors
/// `NotFound` when the location holds no archive or not the backup asked for, `Usage` when a place to restore to is needed and none is given,
/// `Corrupt` or `Incomplete` when the archive's own description is damaged or missing, `Unreachable`, `Io`.
pub fn verify(world: &World, store: &Arc<dyn ObjectStore>, request: &VerifyRequest<'_>, progress: Progress<'_>) -> Result<VerifyReport> {
    let began = world.clock.monotonic_micros();
    if request.level == Level::Restore && request.scratch.is_none() {
        return Err(Error::new(ErrorKind::Usage, "level \"restore\" needs a place to restore to"));
    }
    let archive = Archive::open(store)?;
    let listing = Arc::new(Listing::read(&**store)?);
    let all = HeldSnapshots::read(&archive, &listing)?;
    let (targets, mut problems) = targets(&archive, &all, request)?;
    let mut library = Library::of(archive.clone(), listing.clone());
    for held in &targets {
        library.add_parents(&held.file, &request.candidates)?;
        check_listing(held, &library, &mut problems)?;
    }
    let checked = check(request, &archive, &targets, &library, &mut problems, progress)?;
    let strays = if all.bad.is_empty() { strays(&archive, &listing, &all)? } else { Vec::new() };
    let newest = targets.last().copied();
    let chain = newest.map(|held| chain(held, &mut library, &request.candidates)).transpose()?.unwrap_or_default();
    let snapshots = verified(&targets, &problems, if request.snapshot_id.is_none() { &all.bad } else { &[] });
    let complete = targets.iter().rev().find(|held| problems.of(&held.file.snapshot_id).next().is_none());
    let mut error = problems.summary(complete.map(|held| held.file.snapshot_id.as_str()));
    if targets.is_empty() && error.is_none() {
        error = Some(none_complete(&**store, &listing));
    }
    let file = newest.map(|held| &held.file);
    Ok(VerifyReport {
        ok: error.is_none(),
        level: request.level,
        snapshot_id: file.map(|file| file.snapshot_id.clone()),
        objects: checked.objects,
        bytes: checked.bytes,
        points: file.map_or(0, |file| file.points),
        index: file.map(|file| file.index.clone()).unwrap_or_default(),
        chain,
        unfinished: unfinished(&listing),
        strays,
        lsn: file.map_or(0, |file| file.position.lsn),
        commit_time: file.map_or(0, |file| file.position.commit_time),
        seconds: world.clock.monotonic_micros().saturating_sub(began) as f64 / 1e6,
        problems: describe(&targets, &problems, &all),
        snapshots,
        error,
    })
}

/// Finds the backups to verify, oldest first; those whose description cannot be read are problems already.
fn targets<'a>(archive: &Archive, all: &'a HeldSnapshots, request: &VerifyRequest<'_>) -> Result<(Vec<&'a HeldSnapshot>, Problems)> {
    let mut problems = Problems::default();
    let Some(id) = request.snapshot_id else {
        for (id, error) in &all.bad {
            problems.add(Problem { snapshot_id: id.clone(), error: error.clone() });
        }
        return Ok((all.good.iter().collect(), problems));
    };
    match all.find(id) {
        Some(held) => Ok((vec![held], problems)),
        None => match read_snapshot(archive, id) {
            Err(error) if error.kind != ErrorKind::NotFound && is_about_content(error.kind) => {
                problems.add(Problem { snapshot_id: id.to_owned(), error });
                Ok((Vec::new(), problems))
            }
            read => read.and_then(|_| Err(Error::internal("a backup appeared while it was verified"))),
        },
    }
}

/// How much was checked.
struct Checked {
    objects: usize,
    bytes: u64,
}

fn check<'a>(
    request: &VerifyRequest<'a>,
    archive: &Archive,
    targets: &[&HeldSnapshot],
    library: &Library,
    problems: &mut Problems,
    progress: Progress<'_>,
) -> Result<Checked> {
    if request.level == Level::List {
        let plans = targets.iter().map(|held| crate::restore::fetch_plan::plan_fetch(&held.file, library));
        let sums = plans.fold((0, 0), |(objects, bytes), plan| (objects + plan.object_count(), bytes + plan.bytes));
        return Ok(Checked { objects: sums.0, bytes: sums.1 });
    }
    let mut data = DataCheck::new(library, problems, progress, targets);
    let manifests = data.run(targets)?;
    let checked = Checked { objects: data.objects, bytes: data.bytes };
    for held in targets {
        problems.assign_objects(&held.file);
    }
    for held in targets.iter().filter(|_| request.level >= Level::Index) {
        let file = &held.file;
        let sound = problems.of(&file.snapshot_id).next().is_none();
        if let Some(manifest) = manifests.get(&file.snapshot_id).filter(|_| sound) {
            check_index(&crate::restore::fetch_plan::plan_fetch(file, library), manifest)
                .or_else(|error| problems.add_or_fail([file.snapshot_id.as_str()], error))?;
            if let Some(scratch) = request.scratch.as_ref().filter(|_| request.level == Level::Restore) {
                let candidates = request.candidates.copy();
                check_restore(file, archive, candidates, scratch)
                    .or_else(|error| problems.add_or_fail([file.snapshot_id.as_str()], error))?;
            }
        }
    }
    Ok(checked)
}

fn verified(targets: &[&HeldSnapshot], problems: &Problems, bad: &[(String, Error)]) -> Vec<VerifiedSnapshot> {
    let read = targets.iter().map(|held| VerifiedSnapshot {
        id: held.file.snapshot_id.clone(),
        collection: Some(held.file.collection.clone()),
        ok: problems.of(&held.file.snapshot_id).next().is_none(),
    });
    let unread = bad.iter().map(|(id, _)| VerifiedSnapshot { id: id.clone(), collection: None, ok: false });
    read.chain(unread).collect()
}

/// Says what is wrong, each thing once.
fn describe(targets: &[&HeldSnapshot], problems: &Problems, all: &HeldSnapshots) -> Vec<String> {
    let ids = targets.iter().map(|held| held.file.snapshot_id.as_str()).chain(all.bad.iter().map(|(id, _)| id.as_str()));
    let mut texts: Vec<String> = ids.flat_map(|id| problems.of(id)).map(|problem| problem.error.to_string()).collect();
    let mut seen = BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

/// Lists the keys that neither a complete backup nor what was archived continuously needs; none where that is not known.
fn strays(archive: &Archive, listing: &Listing, all: &HeldSnapshots) -> Result<Vec<String>> {
    let needed = if listing.bases.is_empty() && listing.closed.is_empty() {
        reachable(archive.id, &Roots { snapshots: all.good.iter().map(|held| &held.file).collect(), ..Roots::default() })
    } else {
        let read = ReadArchive::read(archive, &mut |_, _| Ok(()))?;
        match decide(&Policy::default(), &read.state(), 0) {
            Ok(decision) => reachable(archive.id, &decision.roots(&read.state())),
            Err(error) if is_about_content(error.kind) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
    };
    Ok(needed.unneeded(listing).map(|(key, _)| key.to_owned()).collect())
}
