//! Restores a backup as a new life of a name: everything checked and durable first, visible by one entry of the catalog.

use std::path::Path;
use std::sync::Arc;

use engine::catalog::Origin;
use engine::clock::CommitClock;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Incarnation, Timeline};
use engine::install::Installer;
use engine::manifest::Manifest;
use engine::{Collection, Database};
use platform::object_store::ObjectStore;
use serde::Serialize;

use super::choose::{Chosen, choose};
use super::fetch::{fetch_into, fetch_manifest};
use super::probe::probe;
use crate::Progress;
use crate::archive::{Archive, Listing};
use crate::backup::format::SnapshotFile;
use crate::backup::held::Candidates;

/// Bytes a second that the duration of a restore is estimated with: a slow disk, every byte hashed.
const EXPECTED_BYTES_PER_SECOND: u64 = 200 << 20;

/// What a restore is to do.
#[derive(Debug, Default)]
pub struct RestoreRequest<'a> {
    /// The collection's name in the backup.
    pub name: &'a str,
    /// Which backup; `None`: the newest of that name.
    pub snapshot_id: Option<&'a str>,
    /// The name it gets here; `None`: the same.
    pub new_name: Option<&'a str>,
    /// Drop the collection that has the name now, in the same step.
    pub replace: bool,
    /// Where other archives may be.
    pub candidates: Candidates<'a>,
}

impl RestoreRequest<'_> {
    fn target(&self) -> &str {
        self.new_name.unwrap_or(self.name)
    }
}

/// Whether the index came with the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexState {
    /// Its segments were loaded as they were.
    Kept,
    /// The backup has no graph; none was needed.
    None,
}

/// What is known of writes that the restored state does not have.
#[derive(Debug, Clone, Serialize)]
pub struct Gap {
    /// Commit time of the newest write that the archive knows of this name.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub newest_known_time: CommitTime,
    /// How many known writes are missing; `None`: some, and the archive does not say how many.
    pub missing_records: Option<u64>,
}

/// What was restored.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The name it has here.
    pub collection: String,
    /// The backup.
    pub snapshot_id: String,
    /// Live points.
    pub points: u64,
    /// Bytes fetched.
    pub bytes: u64,
    /// The position restored to.
    pub lsn: u64,
    /// Commit time of the last operation in it.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub commit_time: CommitTime,
    /// The timeline that begins there.
    pub timeline: Timeline,
    /// Whether the index came with it.
    pub index: IndexState,
    /// Seconds until it had answered once.
    pub first_answer_s: f64,
    /// Seconds until nothing was left to fetch or to build.
    pub full_speed_s: f64,
    /// Seconds in all.
    pub seconds: f64,
    /// Aliases that came back.
    pub aliases: Vec<String>,
    /// Aliases of the backup that mean something else here, or came under another name, and were left alone.
    pub aliases_left: Vec<String>,
    /// Writes that it does not have.
    pub gap: Gap,
}

/// The moments that a source can be restored to.
#[derive(Debug, Clone, Serialize)]
pub struct Window {
    /// The earliest.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub from: CommitTime,
    /// The latest.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub to: CommitTime,
}

/// What a restore would do.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// The backup.
    pub snapshot_id: String,
    /// Stored objects that would be fetched.
    pub objects: usize,
    /// Bytes that would be fetched.
    pub bytes: u64,
    /// An estimate: at 200 MiB a second.
    pub expected_seconds: f64,
    /// The position.
    pub lsn: u64,
    /// Commit time of the last operation in it.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub commit_time: CommitTime,
    /// From the last operation to the moment when the state was pinned: the backup is the state at each moment between.
    pub window: Window,
}

/// Says what a restore would do; writes nothing.
///
/// # Errors
/// As [`restore`], as far as it is known before a byte is fetched.
pub fn dry_run(database: &Database, store: &Arc<dyn ObjectStore>, request: &RestoreRequest<'_>) -> Result<DryRun> {
    let chosen = prepare(database, store, request)?;
    let file = &chosen.held.file;
    Ok(DryRun {
        snapshot_id: file.snapshot_id.clone(),
        objects: chosen.plan.object_count(),
        bytes: chosen.plan.bytes,
        expected_seconds: chosen.plan.bytes as f64 / EXPECTED_BYTES_PER_SECOND as f64,
        lsn: file.position.lsn,
        commit_time: file.position.commit_time,
        window: Window { from: file.position.commit_time, to: file.pin_time.max(file.position.commit_time) },
    })
}

/// Restores a backup. When this returns the collection is durable and has answered; after any failure nothing of it is visible.
///
/// # Errors
/// `Exists` when the target exists and is not to be replaced, `NotFound` when the source holds no archive, no such backup or no such name,
/// `Incomplete` when a part of it is missing, `Corrupt` naming what is damaged, `NewerFormat`, `NoSpace` before the first byte when the disk is too
/// small, `Locked` on a database open for reading, `Unreachable`, `Io`.
///
/// # Panics
/// When an invariant is broken.
pub fn restore(
    database: &Database,
    store: &Arc<dyn ObjectStore>,
    request: &RestoreRequest<'_>,
    progress: Progress<'_>,
) -> Result<RestoreReport> {
    let clock = &database.world().clock;
    let began = clock.monotonic_micros();
    let chosen = prepare(database, store, request)?;
    let file = &chosen.held.file;
    let manifest = fetch_manifest(&chosen.plan.archives[0].0, file)?;
    let target = request.target();
    let incarnation = Incarnation::draw(&*database.world().random);
    let timeline = install(database, &chosen, &manifest, incarnation, progress)?;
    let answered = seconds_since(began, clock.monotonic_micros());
    let origin = Origin::Restored { name: request.name.to_owned(), timeline: file.position.timeline, lsn: file.position.lsn };
    database.adopt(target, incarnation, origin, request.replace)?;
    let (aliases, aliases_left) = bring_back_aliases(database, file, target)?;
    let complete = chosen.newest_known <= file.position.commit_time;
    Ok(RestoreReport {
        collection: target.to_owned(),
        snapshot_id: file.snapshot_id.clone(),
        points: file.points,
        bytes: chosen.plan.bytes,
        lsn: file.position.lsn,
        commit_time: file.position.commit_time,
        timeline,
        index: if file.index.has_graph() { IndexState::Kept } else { IndexState::None },
        first_answer_s: answered,
        full_speed_s: answered,
        seconds: seconds_since(began, clock.monotonic_micros()),
        aliases,
        aliases_left,
        gap: Gap { newest_known_time: chosen.newest_known, missing_records: complete.then_some(0) },
    })
}

fn seconds_since(began: u64, now: u64) -> f64 {
    now.saturating_sub(began) as f64 / 1e6
}

/// Everything that can be known before a byte is written: the target's name, the backup, the room.
fn prepare(database: &Database, store: &Arc<dyn ObjectStore>, request: &RestoreRequest<'_>) -> Result<Chosen> {
    let target = request.target();
    let replaces = request.replace && database.state().collections.contains_key(target);
    if !replaces {
        database.check_free(target).map_err(|error| match error.kind {
            ErrorKind::Exists => error.with_hint("--new-collection-name gives it another name, --replace swaps the collection atomically"),
            _ => error,
        })?;
    }
    let archive = Archive::open(store)?;
    let listing = Arc::new(Listing::read(&**store)?);
    let chosen = choose(&archive, &listing, request.name, request.snapshot_id, &request.candidates)?;
    check_space(database, &chosen)?;
    Ok(chosen)
}

fn check_space(database: &Database, chosen: &Chosen) -> Result<()> {
    let files = chosen.plan.ranges.len() + chosen.plan.objects.len() + 2;
    let needed = chosen.plan.bytes.saturating_add(Installer::overhead(files));
    let world = database.world();
    // A dry run may mean a database that nobody has made yet: its disk is that of the directory above.
    let exists = |dir: &&Path| matches!(world.fs.metadata(dir), Ok(Some(_)));
    let dir = database.dir().ancestors().find(exists).unwrap_or(Path::new("."));
    let free = world.fs.available_bytes(dir)?;
    if free >= needed {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NoSpace, "the disk is too small for this backup; nothing was written")
        .with_file(database.dir())
        .with_expected(format!("{needed} bytes free"), format!("{free} bytes"))
        .with_hint("free space, or run \"vectra collections purge\" to give back dropped collections at once"))
}

/// Puts the files of the new life together, durably; on failure none of them stays.
fn install(
    database: &Database,
    chosen: &Chosen,
    manifest: &Manifest,
    incarnation: Incarnation,
    progress: Progress<'_>,
) -> Result<Timeline> {
    let world = database.world();
    let root = database.collection_dir(incarnation);
    let file = &chosen.held.file;
    let installed = Installer::begin(world, root.clone(), incarnation).and_then(|mut installer| {
        fetch_into(&chosen.plan, &mut installer, progress)?;
        let timeline = installer.finish(manifest, &file.ancestry, file.position.lsn)?;
        // Opened and asked before anybody can see it: what does not answer never replaces what does.
        let clock = Arc::new(CommitClock::new(world.clock.clone()));
        let collection = Collection::open_read(world, &file.collection, &root, incarnation, &clock)?;
        check_restored(&collection, file)?;
        probe(&collection)?;
        Ok(timeline)
    });
    if installed.is_err() {
        // Nobody ever saw it; what cannot be removed now is cleared away at the next open.
        let _ = world.fs.remove_dir_all(&root);
    }
    installed
}

/// Gives aliases back that are free, under the original name only (A27).
fn bring_back_aliases(database: &Database, file: &SnapshotFile, target: &str) -> Result<(Vec<String>, Vec<String>)> {
    let (mut back, mut left) = (Vec::new(), Vec::new());
    for alias in &file.aliases {
        let state = database.state();
        let free = !state.aliases.contains_key(alias) && !state.collections.contains_key(alias);
        if target == file.collection && free {
            database.set_alias(alias, target)?;
            back.push(alias.clone());
        } else {
            left.push(alias.clone());
        }
    }
    Ok((back, left))
}

fn check_restored(collection: &Collection, file: &SnapshotFile) -> Result<()> {
    let version = collection.version();
    let agrees =
        version.points == file.points && version.points_with_payload == file.points_with_payload && version.lsn_end == file.position.lsn;
    if agrees {
        return Ok(());
    }
    Err(Error::corrupt("the restored collection is not what the backup describes").with_object(collection.name()).with_expected(
        format!("{} points at {}", file.points, file.position.lsn),
        format!("{} points at {}", version.points, version.lsn_end),
    ))
}
