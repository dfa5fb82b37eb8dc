//! Sends a manifest: its objects, then the manifest, then the base that says where they are.

use engine::Collection;
use engine::codec::checksum::{HASH_LEN, Hash};
use engine::collection::Snapshot;
use engine::error::{Error, ErrorKind, Result};
use engine::manifest::{Manifest, ManifestName};
use engine::object_file::Role;
use platform::World;
use platform::object_store::PutOutcome;

use super::{Life, PassReport};
use crate::answers::record;
use crate::archive::base::{BaseFile, put_base, read_base};
use crate::archive::stored::{self, JSON_VERSION, store_error};
use crate::archive::{Archive, Key, Listing};
use crate::backup::format::{ManifestEntry, ObjectEntry};
use crate::backup::plan::{NeededObject, objects_of};
use crate::backup::send::holds_object;

/// Log files whose operations are looked at for a client's number.
const FILES_LOOKED_AT: usize = 4;
/// Queries whose answers are stored with a base, where there is time for so many.
const QUERIES: usize = 16;
/// Names that are tried for one object.
const ATTEMPTS_MAX: u8 = 8;

/// Archives the newest manifest of a collection whose log is archived up to the position that it covers.
pub(super) fn send(archive: &Archive, world: &World, collection: &Collection, life: &mut Life, report: &mut PassReport) -> Result<()> {
    let began = world.clock.monotonic_micros();
    let (snapshot, _pin) = collection.pinned_snapshot()?;
    let manifest = snapshot.manifest();
    if manifest.covered_lsn > life.log.sent {
        // The log behind it is sent first, by the next pass.
        return Ok(());
    }
    let name = manifest.file_name();
    learn(archive, manifest, life)?;
    let needed = objects_of(manifest);
    let objects = if world.known_bad.base_before_objects {
        needed.iter().map(|object| promised(life, object)).collect()
    } else {
        needed.iter().map(|object| send_object(archive, &snapshot, life, object, report)).collect::<Result<Vec<_>>>()?
    };
    let entry = put_manifest(archive, manifest, report)?;
    let client_sequence = last_sequence(collection, manifest)?;
    // What was written since is in the state here, and not in that of the manifest.
    let is_at_rest = snapshot.lsn() == manifest.covered_lsn;
    let ask = || record(world, snapshot.version(), world.clock.monotonic_micros() - began, QUERIES);
    let answers = is_at_rest.then(ask).flatten();
    let archived = world.clock.wall_micros();
    let base = BaseFile { format: JSON_VERSION, manifest: entry, objects, archived, client_sequence, answers };
    base.agree(manifest).map_err(|e| Error::internal(format!("a base that does not hold together was not written: {e}")))?;
    let base = match put_base(archive, name, &base)? {
        PutOutcome::Created => base,
        PutOutcome::Exists => {
            let found = read_base(archive, manifest.timeline(), name)?;
            found.agree(manifest)?;
            found
        }
    };
    if world.known_bad.base_before_objects {
        needed.iter().try_for_each(|object| send_object(archive, &snapshot, life, object, report).map(drop))?;
    }
    life.names.follow(&base);
    life.base = Some(name.to_string());
    Ok(())
}

/// Names an object as if it had been sent; for the deliberate mistake alone.
fn promised(life: &Life, needed: &NeededObject) -> ObjectEntry {
    let NeededObject { role, id, bytes, blake3 } = *needed;
    let name = life.names.find(blake3, bytes).unwrap_or_else(|| life.names.fresh(blake3, 0));
    ObjectEntry { role, id, name, bytes, blake3, archive: None }
}

/// Finds the largest number that a client gave an operation of the last log file that a manifest covers; where cleaning wrote that file, of one of
/// those before.
fn last_sequence(collection: &Collection, manifest: &Manifest) -> Result<Option<u64>> {
    for file in manifest.log.iter().rev().take(FILES_LOOKED_AT) {
        let (mut at, mut largest) = (file.start, 0);
        while at < file.end {
            let Some(chunk) = collection.outgoing(at, super::EXTENT_BYTES)? else { break };
            (at, largest) = (chunk.end(), chunk.client_sequence.max(largest));
        }
        if largest > 0 {
            return Ok(Some(largest));
        }
        let moved = collection.version().moved_bytes > 0;
        if !moved {
            break;
        }
    }
    Ok(None)
}

/// Learns at the first base of a run which objects are there: those of the newest base of this history.
fn learn(archive: &Archive, manifest: &Manifest, life: &mut Life) -> Result<()> {
    if life.names.is_taught() {
        return Ok(());
    }
    for span in manifest.ancestry.iter().rev() {
        let listing = Listing::read_below(&*archive.store, &format!("timelines/{}/bases/", span.timeline))?;
        let newest =
            listing.bases.get(&span.timeline).and_then(|names| names.iter().max_by_key(|name| (name.covered_lsn, name.seq))).copied();
        // One that does not read teaches nothing: its objects are sent again.
        if let Some(base) = newest.and_then(|name: ManifestName| read_base(archive, span.timeline, name).ok()) {
            life.names.follow(&base);
            break;
        }
    }
    life.names.set_taught();
    Ok(())
}

fn send_object(archive: &Archive, snapshot: &Snapshot, life: &Life, needed: &NeededObject, report: &mut PassReport) -> Result<ObjectEntry> {
    let NeededObject { role, id, bytes, blake3 } = *needed;
    let entry = |name| ObjectEntry { role, id, name, bytes, blake3, archive: None };
    if let Some(name) = life.names.find(blake3, bytes) {
        let size = archive.store.head(&Key::Object(name).to_string()).map_err(|e| store_error(&e))?;
        if size == Some(bytes) {
            return Ok(entry(name));
        }
    }
    let content = snapshot.object(id, bytes, blake3)?;
    for attempt in 0..ATTEMPTS_MAX {
        let name = life.names.fresh(blake3, attempt);
        let put = archive.store.put_unique(&Key::Object(name).to_string(), vec![content.clone()]).map_err(|e| store_error(&e))?;
        if put == PutOutcome::Created {
            let sent = match role {
                Role::Codes | Role::Ivf => &mut report.sent.codes,
                Role::Graph => &mut report.sent.adjacency,
                Role::Rows | Role::Addresses | Role::Deletes => &mut report.sent.segments,
            };
            *sent += bytes;
        }
        if put == PutOutcome::Created || holds_object(archive, &Key::Object(name), needed)? {
            return Ok(entry(name));
        }
    }
    Err(Error::corrupt("every name for an object is taken by something else").with_object(id.to_string()))
}

/// Puts a manifest; what lies there under its name already has to be the same bytes.
fn put_manifest(archive: &Archive, manifest: &Manifest, report: &mut PassReport) -> Result<ManifestEntry> {
    let stored = manifest.encode();
    let key = Key::Manifest(manifest.timeline(), manifest.file_name());
    let mut blake3 = [0; HASH_LEN];
    blake3.copy_from_slice(&stored[stored.len() - HASH_LEN..]);
    let (timeline, name, bytes) = (manifest.timeline(), manifest.file_name().to_string(), stored.len() as u64);
    match stored::put(&*archive.store, &key.to_string(), stored.clone())? {
        PutOutcome::Created => report.sent.manifests += bytes,
        PutOutcome::Exists => {
            let found = stored::get_bounded(&*archive.store, &key.to_string(), engine::manifest::MANIFEST_LEN_MAX)?;
            if found != stored {
                let error = Error::new(ErrorKind::Diverged, "the archive holds another manifest of this name");
                return Err(archive
                    .at(error, &key)
                    .with_hint("it is never overwritten; \"vectra collections fork\" begins a history of its own"));
            }
        }
    }
    Ok(ManifestEntry { timeline, name, bytes, blake3: Hash(blake3) })
}
