//! Makes a backup: pins a state, brings the destination up to it, and writes the description last.

use std::sync::Arc;

use engine::codec::checksum::{HASH_LEN, Hash};
use engine::collection::Snapshot;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::CommitTime;
use engine::{Collection, Database};
use platform::object_store::{ObjectStore, PutOutcome};
use serde::Serialize;

use super::format::{BackupType, BaseRef, ByteCounts, IndexDescription, ManifestEntry, ObjectEntry, Position, RangeEntry, SnapshotFile};
use super::held::{Candidates, read_snapshot};
use super::identity::put_identity;
use super::marker::Marker;
use super::noted;
use super::plan::{Plan, objects_of, plan};
use super::send::Sender;
use super::surroundings::Surroundings;
use crate::Progress;
use crate::answers::{RecordedAnswers, record};
use crate::archive::layout::{check_snapshot_id, snapshot_id_of};
use crate::archive::stored::{self, store_error};
use crate::archive::{Archive, Key};

/// Queries whose answers are stored with a backup, where there is time for so many.
const QUERIES: usize = 32;

/// What a backup is to be.
#[derive(Debug, Default)]
pub struct BackupRequest<'a> {
    /// Its id; `None`: made from the collection's name and the time.
    pub snapshot_id: Option<&'a str>,
    /// Send every object, whatever is there already. Log bytes have one key each and are compared instead.
    pub full: bool,
    /// Other archives that this backup may rest on (`parents`), and where those that they rest on may be.
    pub candidates: Candidates<'a>,
}

/// What was backed up.
#[derive(Debug, Clone, Serialize)]
pub struct BackupReport {
    /// The backup's id.
    pub snapshot_id: String,
    /// The collection.
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
    /// Bytes sent.
    pub bytes_new: u64,
    /// Graphs among the bytes sent.
    pub bytes_adjacency: u64,
    /// Codes among the bytes sent.
    pub bytes_codes: u64,
    /// The position.
    pub lsn: u64,
    /// Commit time of the last operation in it, microseconds since 1970.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub commit_time: CommitTime,
    /// Duration.
    pub seconds: f64,
    /// What a user should know though the backup is complete.
    pub warnings: Vec<String>,
}

/// Backs a collection up. The state is everything acknowledged before the call; writers are not in its way.
///
/// When this returns the backup is complete and durable at the destination. After any failure the destination holds what it held before and an
/// unfinished attempt, which the same id resumes.
///
/// # Errors
/// `Exists` when a backup of this id is complete there, `Usage` on an id that cannot be one, `Diverged` when the location holds another history of
/// the same timeline, `Corrupt` on rot in the local files or in what is compared, `Unreachable`, `NoSpace`, `Io`.
///
/// # Panics
/// When an invariant is broken.
pub fn backup(
    database: &Database,
    collection: &Collection,
    store: &Arc<dyn ObjectStore>,
    request: &BackupRequest<'_>,
    progress: Progress<'_>,
) -> Result<BackupReport> {
    let world = database.world();
    let began = world.clock.monotonic_micros();
    let snapshot = collection.snapshot();
    let pin_time = world.clock.wall_micros();
    let id = choose_id(&**store, request.snapshot_id, collection.name(), pin_time)?;
    let archive = Archive::open_or_create(store, &*world.random)?;
    refuse_existing(&archive, &id)?;
    let marker = Marker::begin(&archive, &id, collection.name(), pin_time, &*world.random)?;
    put_identity(database, collection, &snapshot, &archive)?;
    let around = Surroundings::read(&archive, &snapshot.ancestry(), request)?;
    let plan = plan(&snapshot.log_ranges()?, &objects_of(snapshot.manifest()), &around.held());
    let mut sender = Sender {
        snapshot: &snapshot,
        archives: around.archives(&archive),
        marker: &marker,
        progress,
        bytes: ByteCounts::default(),
        done: 0,
        work: plan.work_bytes(),
    };
    let log = plan.ranges.iter().map(|range| sender.send_range(range)).collect::<Result<Vec<_>>>()?;
    let objects = plan.objects.iter().map(|object| sender.send_object(object)).collect::<Result<Vec<_>>>()?;
    let manifest = put_manifest(&archive, &snapshot, &mut sender.bytes)?;
    let bytes = sender.bytes;
    let answers = record(world, snapshot.version(), world.clock.monotonic_micros() - began, QUERIES);
    let pinned = Pinned { id: &id, pin_time, snapshot: &snapshot, collection, database };
    let file = describe(&archive, &pinned, Sent { log, objects, manifest, bytes, answers }, &around, &plan)?;
    publish(&archive, &file)?;
    marker.end(&archive);
    let mut report = report(&file, &around, world.clock.monotonic_micros() - began);
    if let Err(error) = noted::note(world, database.dir(), &report, around.chain_length()) {
        // Who has no right to write there may make a backup all the same.
        report.warnings.push(format!("that it was made could not be noted in the data directory: {error}"));
    }
    Ok(report)
}

/// Takes the id asked for, or draws one that is free.
fn choose_id(store: &dyn ObjectStore, asked: Option<&str>, collection: &str, now: u64) -> Result<String> {
    if let Some(id) = asked {
        check_snapshot_id(id)?;
        return Ok(id.to_owned());
    }
    let mut micros = now;
    loop {
        let id = snapshot_id_of(collection, micros);
        if store.head(&Key::Snapshot(id.clone()).to_string()).map_err(|e| store_error(&e))?.is_none() {
            return Ok(id);
        }
        micros += 1_000_000;
    }
}

fn refuse_existing(archive: &Archive, id: &str) -> Result<()> {
    match read_snapshot(archive, id) {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.with_hint("this backup is damaged and is never overwritten; use another --snapshot-id")),
        Ok(_) => Err(exists(archive, id)),
    }
}

fn exists(archive: &Archive, id: &str) -> Error {
    let error = Error::new(ErrorKind::Exists, format!("backup \"{id}\" exists already; nothing was changed"));
    archive.at(error, &Key::Snapshot(id.to_owned())).with_hint("use another --snapshot-id")
}

/// Puts the manifest. Its name says which state it is, so what lies there already has to be the same bytes.
fn put_manifest(archive: &Archive, snapshot: &Snapshot, bytes: &mut ByteCounts) -> Result<ManifestEntry> {
    let manifest = snapshot.manifest();
    let stored = manifest.encode();
    let name = manifest.file_name();
    let key = Key::Manifest(manifest.timeline(), name);
    let mut blake3 = [0; HASH_LEN];
    blake3.copy_from_slice(&stored[stored.len() - HASH_LEN..]);
    let entry = ManifestEntry { timeline: manifest.timeline(), name: name.to_string(), bytes: stored.len() as u64, blake3: Hash(blake3) };
    bytes.total += entry.bytes;
    match stored::put(&*archive.store, &key.to_string(), stored.clone())? {
        PutOutcome::Created => bytes.new += entry.bytes,
        PutOutcome::Exists => {
            let found = stored::get_bounded(&*archive.store, &key.to_string(), engine::manifest::MANIFEST_LEN_MAX)?;
            if found != stored {
                let sound = engine::codec::checksum::unseal(&found).is_ok();
                let error = if sound {
                    Error::new(ErrorKind::Diverged, "the location holds another manifest of this name")
                } else {
                    Error::corrupt("a manifest that is there already is damaged")
                };
                return Err(archive.at(error, &key).with_hint("it is never overwritten; back up to another location"));
            }
        }
    }
    Ok(entry)
}

/// What is backed up, and as what.
struct Pinned<'a> {
    id: &'a str,
    pin_time: u64,
    snapshot: &'a Snapshot,
    collection: &'a Collection,
    database: &'a Database,
}

/// What the destination holds now.
struct Sent {
    log: Vec<RangeEntry>,
    objects: Vec<ObjectEntry>,
    manifest: ManifestEntry,
    bytes: ByteCounts,
    answers: Option<RecordedAnswers>,
}

fn describe(archive: &Archive, pinned: &Pinned<'_>, sent: Sent, around: &Surroundings, plan: &Plan) -> Result<SnapshotFile> {
    let Pinned { snapshot, collection, database, .. } = pinned;
    let version = snapshot.version();
    let ancestry = snapshot.ancestry();
    let timeline = ancestry.last().map(|span| span.timeline).ok_or_else(|| Error::internal("a state has a history"))?;
    let used = plan.used_archives();
    let file = SnapshotFile {
        format: SnapshotFile::version_of(&sent.log),
        snapshot_id: pinned.id.to_owned(),
        archive: archive.id,
        collection: collection.name().to_owned(),
        aliases: database.state().aliases_of(collection.name()),
        incarnation: collection.incarnation(),
        database: database.id()?,
        backup_type: if around.base.is_some() { BackupType::Incremental } else { BackupType::Full },
        base: around.base.clone(),
        pin_time: pinned.pin_time,
        finished: database.world().clock.wall_micros(),
        position: Position { timeline, lsn: snapshot.lsn(), commit_time: version.commit_time },
        ancestry,
        points: version.points,
        points_with_payload: version.points_with_payload,
        manifest: sent.manifest,
        log: sent.log,
        objects: sent.objects,
        index: IndexDescription::of(snapshot.manifest()),
        bytes: sent.bytes,
        parents: around.parents(&used),
        answers: sent.answers,
    };
    file.agree(snapshot.manifest()).map_err(|e| Error::internal(format!("a backup that does not hold together was not written: {e}")))?;
    Ok(file)
}

fn publish(archive: &Archive, file: &SnapshotFile) -> Result<()> {
    let stored = file.encode();
    // What cannot be read back must not be written.
    SnapshotFile::decode(&stored, &file.snapshot_id)?;
    match stored::put(&*archive.store, &Key::Snapshot(file.snapshot_id.clone()).to_string(), stored)? {
        PutOutcome::Created => Ok(()),
        PutOutcome::Exists => Err(exists(archive, &file.snapshot_id)),
    }
}

fn report(file: &SnapshotFile, around: &Surroundings, micros: u64) -> BackupReport {
    BackupReport {
        snapshot_id: file.snapshot_id.clone(),
        collection: file.collection.clone(),
        backup_type: file.backup_type,
        parent: file.base.as_ref().map(|BaseRef { snapshot_id, .. }| snapshot_id.clone()),
        points: file.points,
        bytes_total: file.bytes.total,
        bytes_new: file.bytes.new,
        bytes_adjacency: file.bytes.adjacency,
        bytes_codes: file.bytes.codes,
        lsn: file.position.lsn,
        commit_time: file.position.commit_time,
        seconds: micros as f64 / 1e6,
        warnings: around.warnings.clone(),
    }
}
