//! Gives space back: applies the rules of retention, and deletes in two phases what nothing needs any more.
//!
//! Phase one removes the descriptions of what goes, so that nothing names the rest, and writes down what it would delete. A later run, when the
//! grace is over, looks again and deletes what is still needed by nobody. A run that dies anywhere does no harm, and the next one goes on.

mod boundary;
mod garbage;
mod hold;
mod plan;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::error::{Error, Result};
use platform::World;
use platform::object_store::ObjectStore;
use serde::Serialize;

use crate::Progress;
use crate::archive::reachable::{Needed, reachable};
use crate::archive::retention::{DAY, Decision, KeptHistory, Policy, Verdict, decide};
use crate::archive::roots::ReadArchive;
use crate::archive::stored::store_error;
use crate::archive::{Archive, Key};

use garbage::{Garbage, LogHashes};
pub use plan::GarbagePlan;
use sweep::Sweep;

/// Time between the two phases, microseconds: a day. A backup or a restore that began before the first is over by the second.
pub const GRACE: u64 = DAY;

/// What a collection of garbage is to do.
#[derive(Debug, Clone, Copy)]
pub struct PruneRequest {
    /// What stays.
    pub policy: Policy,
    /// Time between the two phases, microseconds.
    pub grace: u64,
    /// Says what would be done; writes nothing.
    pub dry_run: bool,
}

impl Default for PruneRequest {
    fn default() -> Self {
        PruneRequest { policy: Policy::default(), grace: GRACE, dry_run: false }
    }
}

/// So many objects of so many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Stored objects.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// What a collection of garbage did, or would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PruneReport {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Every backup, and why it stays.
    pub snapshots: Vec<Verdict>,
    /// Ids of the backups that went (or would).
    pub snapshots_removed: Vec<String>,
    /// Bases that went (or would).
    pub bases_removed: usize,
    /// What nothing needs and this run wrote down (or would), to be deleted by a run after the grace.
    pub planned: Amount,
    /// What earlier runs wrote down, and the grace is not over or somebody holds it.
    pub waiting: Amount,
    /// What was deleted (dry run: what could be, by now).
    pub deleted: Amount,
    /// Stored bytes that something needs.
    pub kept_bytes: u64,
    /// What keeps the collector from deleting more, in words.
    pub held: Vec<String>,
    /// The moments that stay restorable, for each history.
    pub windows: Vec<KeptHistory>,
    /// The keys that nothing needs (dry run only).
    pub keys: Vec<String>,
    /// What a user should know.
    pub warnings: Vec<String>,
    /// Duration.
    pub seconds: f64,
}

/// Applies the rules of retention to an archive, and collects its garbage.
///
/// # Errors
/// `NotFound` when the location holds no archive; `Corrupt`, `Incomplete` or `NewerFormat` when a backup or a history does not read: what it needs is
/// not known then, and nothing is touched; those of the store. What was done before an error stays done, and the next run goes on.
pub fn prune(world: &World, store: &Arc<dyn ObjectStore>, request: &PruneRequest, progress: Progress<'_>) -> Result<PruneReport> {
    let began = world.clock.monotonic_micros();
    let archive = Archive::open(store)?;
    let mut hashes = LogHashes::default();
    let read = ReadArchive::read(&archive, &mut |_, manifest| {
        hashes.learn(manifest);
        Ok(())
    })?;
    refuse_unreadable(&read)?;
    let decision = decide(&request.policy, &read.state(), world.clock.wall_micros())?;
    let needed = reachable(archive.id, &decision.roots(&read.state()));
    let plans = plan::read_all(&archive, &read)?;
    let mut report = describe(request, &read, &decision, &needed);
    if request.dry_run {
        let garbage = Garbage::find(&read, &decision, &needed, world.clock.wall_micros());
        foresee(&read, &garbage, &plans, &mut report);
    } else {
        let now = plan::store_time(&archive, world)?;
        let garbage = Garbage::find(&read, &decision, &needed, now);
        let mut sweep = Sweep { read: &read, garbage: &garbage, hashes: &hashes, now, grace: request.grace, progress, report: &mut report };
        sweep.run(world, &decision, &plans)?;
    }
    report.seconds = world.clock.monotonic_micros().saturating_sub(began) as f64 / 1e6;
    Ok(report)
}

/// What does not read might need anything.
fn refuse_unreadable(read: &ReadArchive) -> Result<()> {
    let Some((id, error)) = read.lives.snapshots.bad.first() else { return Ok(()) };
    Err(error.clone().with_hint(format!(
        "what backup \"{id}\" needs is not known, so nothing was deleted: copy its description again, or remove \"{}\" by hand",
        Key::Snapshot(id.clone())
    )))
}

fn describe(request: &PruneRequest, read: &ReadArchive, decision: &Decision, needed: &Needed) -> PruneReport {
    let bad_bases = read.bad_bases.iter().map(|(key, error)| format!("base {key} does not read and counts as absent: {error}"));
    let bad_catalogs =
        read.lives.bad_catalogs.iter().map(|(id, error)| {
            format!("the catalog of database {id} does not read, so that each of its collections counts as alive: {error}")
        });
    PruneReport {
        dry_run: request.dry_run,
        snapshots_removed: decision.snapshots.iter().filter(|v| v.reason.is_none()).map(|v| v.snapshot_id.clone()).collect(),
        snapshots: decision.snapshots.clone(),
        bases_removed: decision.bases_removed.len(),
        kept_bytes: needed.bytes(&read.listing),
        windows: decision.histories.clone(),
        warnings: bad_bases.chain(bad_catalogs).collect(),
        ..PruneReport::default()
    }
}

/// Says what the next runs would delete.
fn foresee(read: &ReadArchive, garbage: &Garbage, plans: &[GarbagePlan], report: &mut PruneReport) {
    let written: BTreeSet<&str> = plans.iter().flat_map(|plan| plan.keys.iter().map(String::as_str)).collect();
    for (key, &size) in &garbage.keys {
        let amount = if written.contains(key.as_str()) { &mut report.waiting } else { &mut report.planned };
        amount.add(size);
        report.keys.push(key.clone());
    }
    report.held = hold::shown(&read.pins);
}

/// Deletes one object; one that is gone already is fine.
fn delete(archive: &Archive, key: &str) -> Result<()> {
    archive.store.delete(key).map_err(|error| -> Error { store_error(&error) })
}
