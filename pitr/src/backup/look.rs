//! Looks at backups without checking them: a list of what is there, and the chain that one rests on.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::error::{Error, ErrorKind, Result};
use platform::object_store::ObjectStore;
use serde::Serialize;

use super::format::{BackupType, SnapshotFile};
use super::held::{Candidates, HeldSnapshot, HeldSnapshots, Library, read_snapshot};
use crate::archive::{Archive, ArchiveId, Listing};

/// One backup in a list.
#[derive(Debug, Clone, Serialize)]
pub struct BackupSummary {
    /// Its id.
    pub snapshot_id: String,
    /// The collection's name as of then.
    pub collection: String,
    /// Full or incremental.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// The id of the backup that it builds on.
    pub parent: Option<String>,
    /// Live points.
    pub points: u64,
    /// Bytes that a restore needs.
    pub bytes_total: u64,
    /// Bytes that were sent for it.
    pub bytes_new: u64,
    /// The position.
    pub lsn: u64,
    /// Commit time of the last operation in it.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub commit_time: u64,
    /// When its state was pinned.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub pin_time: u64,
}

impl BackupSummary {
    /// Describes a backup.
    #[must_use]
    pub fn of(file: &SnapshotFile) -> Self {
        BackupSummary {
            snapshot_id: file.snapshot_id.clone(),
            collection: file.collection.clone(),
            backup_type: file.backup_type,
            parent: file.base.as_ref().map(|base| base.snapshot_id.clone()),
            points: file.points,
            bytes_total: file.bytes.total,
            bytes_new: file.bytes.new,
            lsn: file.position.lsn,
            commit_time: file.position.commit_time,
            pin_time: file.pin_time,
        }
    }
}

/// What lies at a location.
#[derive(Debug, Clone, Serialize)]
pub struct BackupList {
    /// The archive.
    pub archive: ArchiveId,
    /// Complete backups, oldest first.
    pub snapshots: Vec<BackupSummary>,
    /// Ids of attempts that did not finish.
    pub unfinished: Vec<String>,
    /// Ids of backups whose description cannot be read, with the reason.
    pub unreadable: Vec<(String, String)>,
}

/// Lists the backups at a location.
///
/// # Errors
/// `NotFound` when it holds no archive, `Incomplete` or `Corrupt` when the archive's own description is missing or damaged, those of the store.
pub fn list(store: &Arc<dyn ObjectStore>) -> Result<BackupList> {
    let archive = Archive::open(store)?;
    let listing = Listing::read(&**store)?;
    let held = HeldSnapshots::read(&archive, &listing)?;
    Ok(BackupList {
        archive: archive.id,
        snapshots: held.good.iter().map(|held| BackupSummary::of(&held.file)).collect(),
        unfinished: unfinished(&listing),
        unreadable: held.bad.iter().map(|(id, error)| (id.clone(), error.to_string())).collect(),
    })
}

/// Lists the attempts that left their mark and no backup.
#[must_use]
pub fn unfinished(listing: &Listing) -> Vec<String> {
    listing.pins.iter().filter(|id| !listing.snapshots.contains(id)).cloned().collect()
}

/// One backup of a chain.
#[derive(Debug, Clone, Serialize)]
pub struct ChainLink {
    /// The archive that it is in.
    pub archive: ArchiveId,
    /// The backup.
    #[serde(flatten)]
    pub summary: BackupSummary,
}

/// A backup with what it rests on.
#[derive(Debug, Clone, Serialize)]
pub struct BackupDetails {
    /// The backup itself, then the one it builds on, and so on to a full one (or to one that is not found).
    pub chain: Vec<ChainLink>,
    /// Bytes that a restore needs.
    pub bytes_total: u64,
    /// Bytes that were sent for it.
    pub bytes_new: u64,
    /// Bytes that were there before it.
    pub bytes_shared: u64,
    /// Graphs among what was sent.
    pub bytes_adjacency: u64,
    /// Codes among what was sent.
    pub bytes_codes: u64,
    /// Objects and log stretches that it needs.
    pub objects: usize,
    /// Other archives that it needs.
    pub archives: Vec<ArchiveId>,
    /// The index.
    pub index: super::format::IndexDescription,
    /// Aliases as of then.
    pub aliases: Vec<String>,
}

/// Shows a backup (`None`: the newest) with its chain, new and shared bytes.
///
/// # Errors
/// `NotFound` when there is no such backup, `Incomplete` when the location holds none at all, those of reading it.
pub fn show(store: &Arc<dyn ObjectStore>, snapshot_id: Option<&str>, candidates: &Candidates<'_>) -> Result<BackupDetails> {
    let archive = Archive::open(store)?;
    let listing = Arc::new(Listing::read(&**store)?);
    let shown = match snapshot_id {
        Some(id) => read_snapshot(&archive, id)?,
        None => HeldSnapshots::read(&archive, &listing)?.good.pop().ok_or_else(|| none_complete(&**store, &listing))?,
    };
    let mut library = Library::of(archive, listing);
    library.add_parents(&shown.file, candidates)?;
    let file = &shown.file;
    Ok(BackupDetails {
        chain: chain(&shown, &mut library, candidates)?,
        bytes_total: file.bytes.total,
        bytes_new: file.bytes.new,
        bytes_shared: file.bytes.total.saturating_sub(file.bytes.new),
        bytes_adjacency: file.bytes.adjacency,
        bytes_codes: file.bytes.codes,
        objects: file.objects.len() + file.log.len() + 1,
        archives: file.parents.iter().map(|parent| parent.archive).collect(),
        index: file.index.clone(),
        aliases: file.aliases.clone(),
    })
}

/// Makes the error on an archive in which no backup was finished.
#[must_use]
pub fn none_complete(store: &dyn ObjectStore, listing: &Listing) -> Error {
    let attempts = unfinished(listing);
    let error = Error::new(ErrorKind::Incomplete, format!("\"{}\" holds no complete backup", store.describe()));
    if attempts.is_empty() {
        return error.with_hint("copy it again, or make a backup there");
    }
    error.with_hint(format!("unfinished: {}; the same \"collections backup\" command resumes it", attempts.join(", ")))
}

/// Follows a backup to those that it builds on; ends at a full one, at one that is not found, and before a circle.
///
/// # Errors
/// Those of the stores.
pub fn chain(newest: &HeldSnapshot, library: &mut Library, candidates: &Candidates<'_>) -> Result<Vec<ChainLink>> {
    let mut links = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(newest.clone());
    while let Some(held) = next.take() {
        if !seen.insert((held.file.archive, held.file.snapshot_id.clone())) {
            break;
        }
        library.add_parents(&held.file, candidates)?;
        if let Some(base) = &held.file.base {
            next = library.get(base.archive).and_then(|(archive, _)| read_snapshot(archive, &base.snapshot_id).ok());
        }
        links.push(ChainLink { archive: held.file.archive, summary: BackupSummary::of(&held.file) });
    }
    Ok(links)
}
