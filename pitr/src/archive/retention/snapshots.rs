//! Which backups stay, and why.

use std::collections::{BTreeMap, BTreeSet};

use engine::ids::CommitTime;
use serde::Serialize;

use super::{DAY, Policy, State};
use crate::backup::format::{BackupType, SnapshotFile};
use crate::backup::held::HeldSnapshot;

/// Numbers the day, week or month that a time lies in.
type BucketOf = fn(u64) -> u64;

/// What becomes of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The backup.
    pub snapshot_id: String,
    /// The collection's name as of then.
    pub collection: String,
    /// Why it stays; `None`: it goes.
    pub reason: Option<&'static str>,
}

/// Judges every backup.
pub(super) fn judge(policy: &Policy, state: &State<'_>, start: Option<CommitTime>) -> Vec<Verdict> {
    let mut reasons: BTreeMap<&str, &'static str> = BTreeMap::new();
    let mut by_name: BTreeMap<&str, Vec<&SnapshotFile>> = BTreeMap::new();
    for HeldSnapshot { file, .. } in state.snapshots {
        by_name.entry(&file.collection).or_default().push(file);
    }
    for (name, mut files) in by_name {
        files.sort_by_key(|file| (file.pin_time, file.position.commit_time, &file.snapshot_id));
        let mut keep = |id, reason| {
            reasons.entry(id).or_insert(reason);
        };
        if !policy.thins_snapshots() {
            files.iter().for_each(|file| keep(file.snapshot_id.as_str(), "no rule for backups"));
            continue;
        }
        for id in with_increments(&files, policy.keep_full.unwrap_or(0)) {
            keep(id, "keep-full");
        }
        let calendars: [(Option<usize>, BucketOf, &'static str); 3] = [
            (policy.keep_daily, day_of, "keep-daily"),
            (policy.keep_weekly, week_of, "keep-weekly"),
            (policy.keep_monthly, month_of, "keep-monthly"),
        ];
        for (count, bucket_of, reason) in calendars {
            newest_of_buckets(&files, count.unwrap_or(0), bucket_of).into_iter().for_each(|id| keep(id, reason));
        }
        for file in files.iter().filter(|file| start.is_some_and(|start| file.pin_time >= start)) {
            keep(&file.snapshot_id, "inside the window");
        }
        for file in files.iter().filter(|file| state.held_snapshots.contains(&file.snapshot_id)) {
            keep(&file.snapshot_id, "held");
        }
        if let Some(newest) = files.last().filter(|_| is_living(state, name)) {
            keep(&newest.snapshot_id, "newest of its name");
        }
    }
    let verdict = |file: &SnapshotFile| Verdict {
        snapshot_id: file.snapshot_id.clone(),
        collection: file.collection.clone(),
        reason: reasons.get(file.snapshot_id.as_str()).copied(),
    };
    state.snapshots.iter().map(|held| verdict(&held.file)).collect()
}

/// Says whether a name is in use: a catalog says so, or none of those here tells of any of its lives.
fn is_living(state: &State<'_>, name: &str) -> bool {
    let mut told = state.lives.values().filter(|life| life.name == name).peekable();
    let mut of_snapshots = state.snapshots.iter().map(|held| &held.file).filter(|file| file.collection == name);
    let untold = of_snapshots.any(|file| !state.lives.contains_key(&file.incarnation));
    untold || told.peek().is_none() || told.any(|life| life.ended.is_none())
}

/// Gives the newest so many full backups and those that build on them; one whose full backup is not here counts with the oldest that is.
fn with_increments<'a>(files: &[&'a SnapshotFile], count: usize) -> Vec<&'a str> {
    let by_id: BTreeMap<&str, &SnapshotFile> = files.iter().map(|file| (file.snapshot_id.as_str(), *file)).collect();
    let root_of = |file: &'a SnapshotFile| {
        let (mut at, mut seen) = (file, BTreeSet::new());
        while at.backup_type == BackupType::Incremental && seen.insert(at.snapshot_id.as_str()) {
            let base = at.base.as_ref().filter(|base| base.archive == at.archive);
            let Some(next) = base.and_then(|base| by_id.get(base.snapshot_id.as_str())) else { break };
            at = next;
        }
        at.snapshot_id.as_str()
    };
    let roots: Vec<&str> = files.iter().map(|file| root_of(file)).collect();
    let mut newest: Vec<&str> = Vec::new();
    for file in files.iter().rev().filter(|file| root_of(file) == file.snapshot_id) {
        if newest.len() < count {
            newest.push(&file.snapshot_id);
        }
    }
    files.iter().zip(roots).filter(|(_, root)| newest.contains(root)).map(|(file, _)| file.snapshot_id.as_str()).collect()
}

/// Gives the newest backup of each of the newest so many buckets of time that have one.
fn newest_of_buckets<'a>(files: &[&'a SnapshotFile], count: usize, bucket_of: BucketOf) -> Vec<&'a str> {
    let mut newest: BTreeMap<u64, &str> = BTreeMap::new();
    for file in files {
        // Later ones come later.
        newest.insert(bucket_of(file.pin_time), &file.snapshot_id);
    }
    newest.into_values().rev().take(count).collect()
}

fn day_of(micros: u64) -> u64 {
    micros / DAY
}

/// 1970-01-01 was a Thursday: three days after a Monday.
fn week_of(micros: u64) -> u64 {
    (micros / DAY + 3) / 7
}

fn month_of(micros: u64) -> u64 {
    let (year, month, _) = crate::time_text::civil(micros / DAY);
    year * 12 + month
}
