//! Chooses the backup to restore: the one named, or the newest of a name, and never silently an older one.

use std::sync::Arc;

use engine::error::{Error, ErrorKind, Result};

use super::fetch_plan::{FetchPlan, plan_fetch};
use crate::archive::{Archive, Key, Listing};
use crate::backup::held::{Candidates, HeldSnapshot, HeldSnapshots, Library, read_snapshot};
use crate::backup::look::{none_complete, unfinished};
use crate::backup::marker::Marker;

/// A backup that can be fetched.
#[derive(Debug)]
pub struct Chosen {
    /// Its description.
    pub held: HeldSnapshot,
    /// What is to be fetched; nothing is missing.
    pub plan: FetchPlan,
    /// Commit time of the newest write that the archive knows of this collection's name.
    pub newest_known: u64,
}

/// Chooses a backup of a collection.
///
/// # Errors
/// `NotFound` when the archive holds no such backup or name (listing what it holds), `Incomplete` when the one chosen misses something, when the
/// newest attempt did not finish, or when there is no complete one; those of reading descriptions.
pub fn choose(archive: &Archive, listing: &Arc<Listing>, name: &str, id: Option<&str>, candidates: &Candidates<'_>) -> Result<Chosen> {
    let all = HeldSnapshots::read(archive, listing)?;
    let held = match id {
        Some(id) => named(archive, &all, name, id)?,
        None => newest(archive, listing, &all, name, candidates)?,
    };
    let newest_known = all.good.iter().filter(|other| other.file.collection == name).map(|other| other.file.position.commit_time).max();
    let mut library = Library::of(archive.clone(), listing.clone());
    library.add_parents(&held.file, candidates)?;
    if let Some(error) = held.file.parents.iter().find_map(|parent| library.missing.get(&parent.archive)) {
        return Err(error.clone());
    }
    let plan = plan_fetch(&held.file, &library);
    match plan.lacks.first() {
        None => Ok(Chosen { newest_known: newest_known.unwrap_or(held.file.position.commit_time), held, plan }),
        Some(first) => {
            let kind = if plan.lacks.iter().any(|lack| lack.is_damage) { ErrorKind::Corrupt } else { ErrorKind::Incomplete };
            let id = &held.file.snapshot_id;
            let message =
                format!("backup \"{id}\" is not whole: {} of {} objects are missing or cut off", plan.lacks.len(), plan.object_count());
            let error = Error::new(kind, message).with_object(&first.key).with_expected(&first.expected, &first.got);
            Err(archive.at(error, &Key::Other).with_hint(alternative(archive, listing, &all, name, id, candidates)))
        }
    }
}

fn named(archive: &Archive, all: &HeldSnapshots, name: &str, id: &str) -> Result<HeldSnapshot> {
    let held = read_snapshot(archive, id).map_err(|error| {
        let ids: Vec<&str> = all.good.iter().map(|held| held.file.snapshot_id.as_str()).collect();
        let about = format!("complete backups there: {}", if ids.is_empty() { "none".to_owned() } else { ids.join(", ") });
        if error.kind == ErrorKind::NotFound { error.with_hint(about) } else { error }
    })?;
    if held.file.collection == name {
        return Ok(held);
    }
    let message = format!("backup \"{id}\" is of collection \"{}\", not of \"{name}\"", held.file.collection);
    Err(Error::not_found(message)
        .with_object(name)
        .with_hint(format!("restore \"{}\", with --new-collection-name to name it differently", held.file.collection)))
}

/// Finds the newest backup of a name; refuses when a newer attempt may exist that is not whole.
fn newest(archive: &Archive, listing: &Arc<Listing>, all: &HeldSnapshots, name: &str, candidates: &Candidates<'_>) -> Result<HeldSnapshot> {
    if let Some((id, error)) = all.bad.first() {
        let hint = alternative(archive, listing, all, name, id, candidates);
        return Err(error.clone().with_hint(format!("which backup is the newest is not known; {hint}")));
    }
    if all.good.is_empty() {
        return Err(none_complete(&*archive.store, listing));
    }
    let Some(newest) = all.good.iter().rev().find(|held| held.file.collection == name) else {
        return Err(unknown_name(archive, listing, all, name));
    };
    for id in unfinished(listing) {
        let newer = Marker::read(archive, &id).is_ok_and(|marker| marker.collection == name && marker.started > newest.file.pin_time);
        if newer {
            let message = format!("the newest attempt to back up \"{name}\", \"{id}\", did not finish");
            let hint = alternative(archive, listing, all, name, &id, candidates);
            return Err(Error::new(ErrorKind::Incomplete, message).with_object(id).with_hint(hint));
        }
    }
    Ok(newest.clone())
}

fn unknown_name(archive: &Archive, listing: &Listing, all: &HeldSnapshots, name: &str) -> Error {
    let mut names: Vec<&str> = all.good.iter().map(|held| held.file.collection.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let attempt = unfinished(listing).into_iter().find(|id| Marker::read(archive, id).is_ok_and(|marker| marker.collection == name));
    let held = format!("it holds: {}", names.join(", "));
    match attempt {
        Some(id) => Error::new(ErrorKind::Incomplete, format!("the only backup of \"{name}\", \"{id}\", did not finish"))
            .with_object(id)
            .with_hint(held),
        None => Error::not_found(format!("\"{}\" holds no backup of collection \"{}\"", archive.store.describe(), name.escape_debug()))
            .with_object(name)
            .with_hint(held),
    }
}

/// Names the newest backup of a name that is whole, besides one that is not.
fn alternative(
    archive: &Archive,
    listing: &Arc<Listing>,
    all: &HeldSnapshots,
    name: &str,
    besides: &str,
    candidates: &Candidates<'_>,
) -> String {
    let others = all.good.iter().rev().filter(|held| held.file.collection == name && held.file.snapshot_id != besides);
    for held in others {
        let mut library = Library::of(archive.clone(), listing.clone());
        let found = library.add_parents(&held.file, candidates).is_ok() && library.missing.is_empty();
        if found && plan_fetch(&held.file, &library).lacks.is_empty() {
            let time = crate::time_text::format(held.file.position.commit_time);
            return format!("the newest complete backup is \"{}\" of {time}; name it with --snapshot-id", held.file.snapshot_id);
        }
    }
    "no other complete backup of it is there".to_owned()
}
