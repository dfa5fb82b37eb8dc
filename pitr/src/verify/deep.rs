//! The two deepest levels: walks the index of a backup, and restores it and asks it.

use std::path::PathBuf;

use bytes::Bytes;
use engine::Database;
use engine::codec::checksum::Hash;
use engine::database::DatabaseOptions;
use engine::error::{Error, Result};
use engine::manifest::Manifest;
use engine::object_file::{ObjectFile, Role};
use engine::segment::deletes::Deletes;
use engine::segment::{ObjectMeta, Segment};
use platform::World;

use crate::archive::Archive;
use crate::backup::format::SnapshotFile;
use crate::backup::held::Candidates;
use crate::restore::fetch::fetch_object;
use crate::restore::fetch_plan::FetchPlan;
use crate::restore::probe::{check_answers, sample};
use crate::restore::{RestoreRequest, Target, restore};

/// Points that are read back and searched for.
const SAMPLE: usize = 32;

/// A place where a backup may be restored to and removed again.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// The world of that place.
    pub world: World,
    /// A directory that does not exist yet.
    pub dir: PathBuf,
}

/// Opens each segment of a manifest and checks ids, presence, addresses and graphs against each other.
pub(crate) fn check_index(plan: &FetchPlan, manifest: &Manifest) -> Result<()> {
    let parts = manifest.schema.parts() as u32;
    let deletes = match &manifest.deletes {
        None => None,
        Some(meta) => Some(Deletes::open(fetch(plan, Role::Deletes, meta.id, meta.blake3)?, meta.id)?),
    };
    for meta in &manifest.segments {
        let segment = Segment::open(meta.clone(), &mut |object: &ObjectMeta| fetch(plan, object.role, object.id, object.blake3), parts)?;
        engine::segment::verify::verify(&segment)?;
        for part in 0..segment.parts() {
            if let Some(deletes) = &deletes {
                deletes.get(meta.id, part, segment.rows())?;
            }
        }
    }
    Ok(())
}

fn fetch(plan: &FetchPlan, role: Role, id: engine::SegmentId, blake3: Hash) -> Result<Bytes> {
    let object = plan.objects.iter().find(|object| object.entry.id == id && object.entry.blake3 == blake3);
    let object =
        object.ok_or_else(|| Error::corrupt(format!("the backup lacks an object: {}", role.name())).with_object(id.to_string()))?;
    let mut pieces = fetch_object(plan, object)?;
    let bytes = if pieces.len() == 1 { pieces.remove(0) } else { Bytes::from(pieces.concat()) };
    ObjectFile::open(bytes.clone(), role, id)?;
    Ok(bytes)
}

/// Restores a backup to a scratch directory, counts, reads points back and finds their vectors by exact searches; removes everything again.
pub(crate) fn check_restore(file: &SnapshotFile, archive: &Archive, candidates: Candidates<'_>, scratch: &Scratch) -> Result<()> {
    let result = restore_and_ask(file, archive, candidates, scratch);
    let removed = scratch.world.fs.remove_dir_all(&scratch.dir);
    result?;
    removed?;
    Ok(())
}

fn restore_and_ask(file: &SnapshotFile, archive: &Archive, candidates: Candidates<'_>, scratch: &Scratch) -> Result<()> {
    let options = DatabaseOptions { accept_clock: true, ..DatabaseOptions::default() };
    let database = Database::open(&scratch.world, &scratch.dir, options)?;
    let request = RestoreRequest {
        name: &file.collection,
        target: Target::Snapshot(Some(&file.snapshot_id)),
        candidates,
        ..RestoreRequest::default()
    };
    restore(&database, &archive.store, &request, &|_, _| ())?;
    let collection = database.collection(&file.collection)?;
    let version = collection.version();
    let (mut points, mut with_payload) = (0_u64, 0_u64);
    version.for_each_point(false, &mut |point| {
        points += 1;
        with_payload += u64::from(point.payload.is_some());
        Ok(())
    })?;
    if (points, with_payload) != (file.points, file.points_with_payload) {
        return Err(Error::corrupt("the restored collection has other points than the backup states").with_expected(
            format!("{} points, {} with payload", file.points, file.points_with_payload),
            format!("{points} and {with_payload}"),
        ));
    }
    check_answers(&version, &sample(&version, SAMPLE)?)?;
    drop(version);
    collection.close()?;
    drop(collection);
    database.close()
}
