//! Makes a new manifest of a collection: objects first, then the manifest that names them, then the version that uses them.

use std::collections::BTreeSet;
use std::sync::Arc;

use platform::fs::OpenMode;

use super::version::{OpenSegment, Version};
use super::{Collection, Writer, open};
use crate::error::Result;
use crate::ids::{CommitTime, Lsn, SegmentId};
use crate::log::writer::SealedName;
use crate::manifest::store;
use crate::manifest::{DeletesMeta, LogFileMeta, Manifest, version_of};
use crate::object_file::ObjectFile;
use crate::schema::Schema;
use crate::segment::deletes::DeletesBuilder;
use crate::segment::{ObjectMeta, Segment, SegmentMeta};

/// Bytes handed to the file system at once.
const CHUNK: usize = 8 << 20;

/// The state at a covered position, apart from its segments.
pub(super) struct Covered {
    pub lsn: Lsn,
    pub commit_time: CommitTime,
    pub schema: Arc<Schema>,
    pub points: u64,
    pub points_with_payload: u64,
    pub moved_bytes: u64,
    pub log: Vec<LogFileMeta>,
}

impl Covered {
    /// Takes over what the newest manifest covers.
    pub(super) fn of_manifest(manifest: &Manifest) -> Self {
        Covered {
            lsn: manifest.covered_lsn,
            commit_time: manifest.commit_time,
            schema: Arc::new(manifest.schema.clone()),
            points: manifest.points,
            points_with_payload: manifest.points_with_payload,
            moved_bytes: manifest.moved_bytes,
            log: manifest.log.clone(),
        }
    }

    /// Covers everything in a version whose log ends at a sealed file; hashes the files that became sealed since the last manifest.
    ///
    /// # Errors
    /// Those of [`SealedFile::hash`](crate::log::sealed::SealedFile::hash): none, since these files were written here.
    pub(super) fn of_version(version: &Version) -> Result<Self> {
        let mut log = version.manifest.log.clone();
        let known = log.last().map_or(0, |file| file.end);
        let new = version.log.files().iter().filter(|file| file.sealed.name.start >= known && file.sealed.end <= version.lsn_end);
        for file in new {
            let SealedName { name, end } = file.sealed;
            log.push(LogFileMeta { timeline: name.timeline, start: name.start, end, blake3: file.hash()? });
        }
        Ok(Covered {
            lsn: version.lsn_end,
            commit_time: version.commit_time,
            schema: version.schema.clone(),
            points: version.points,
            points_with_payload: version.points_with_payload,
            moved_bytes: version.moved_bytes,
            log,
        })
    }
}

impl Collection {
    pub(super) fn draw_id(&self) -> SegmentId {
        SegmentId::draw(&*self.world.random)
    }

    /// Writes objects durably under their ids; on failure none of them stays.
    pub(super) fn store_objects(&self, objects: &[(ObjectMeta, Vec<u8>)]) -> Result<()> {
        let fs = &*self.world.fs;
        for (at, (meta, bytes)) in objects.iter().enumerate() {
            if let Err(error) = self.store_object(meta.id, bytes) {
                for (written, _) in &objects[..=at] {
                    // Left behind, it is a stray that the next publication clears away.
                    let _ = fs.remove_file(&self.dir.object(written.id));
                }
                return Err(error);
            }
        }
        fs.sync_dir(&self.dir.segments())?;
        Ok(())
    }

    fn store_object(&self, id: SegmentId, bytes: &[u8]) -> Result<()> {
        let file = self.world.fs.open(&self.dir.object(id), OpenMode::CreateNew)?;
        for (index, chunk) in bytes.chunks(CHUNK).enumerate() {
            file.write_all_at(chunk, (index * CHUNK) as u64)?;
        }
        file.sync_all()?;
        Ok(())
    }

    /// Opens a segment whose objects were stored.
    pub(super) fn open_segment(&self, meta: SegmentMeta, parts: u32) -> Result<Segment> {
        Segment::open(meta, &mut |object| open::map_object(&*self.world.fs, &self.dir, object.id, object.bytes), parts)
    }

    /// Publishes a manifest of these segments at a covered position; gives it.
    pub(super) fn publish_manifest(&self, last: &Manifest, covered: &Covered, segments: &[Arc<OpenSegment>]) -> Result<Arc<Manifest>> {
        self.with_reserve(|| self.try_publish(last, covered, segments))
    }

    /// Does something that a full disk must not stop.
    pub(super) fn with_reserve<T>(&self, mut action: impl FnMut() -> Result<T>) -> Result<T> {
        match &self.reserve {
            Some(reserve) => reserve.with(action),
            None => action(),
        }
    }

    fn try_publish(&self, last: &Manifest, covered: &Covered, segments: &[Arc<OpenSegment>]) -> Result<Arc<Manifest>> {
        let deletes = self.store_deletes(covered.lsn, segments)?;
        let manifest = Manifest {
            format: version_of(&covered.log),
            seq: last.seq + 1,
            covered_lsn: covered.lsn,
            commit_time: covered.commit_time,
            schema: Schema::clone(&covered.schema),
            log: covered.log.clone(),
            segments: segments.iter().map(|open| open.segment.meta().clone()).collect(),
            deletes,
            points: covered.points,
            points_with_payload: covered.points_with_payload,
            moved_bytes: covered.moved_bytes,
            ..last.clone()
        };
        assert!(manifest.covered_lsn >= last.covered_lsn, "manifests cover more and more");
        store::publish(&self.world, &self.dir, &manifest)?;
        Ok(Arc::new(manifest))
    }

    /// Stores the rows that are dead at a position: exactly those, whatever later records ended (rule S9).
    fn store_deletes(&self, covered: Lsn, segments: &[Arc<OpenSegment>]) -> Result<Option<DeletesMeta>> {
        let id = self.draw_id();
        let mut builder = DeletesBuilder::new(id);
        let mut any = false;
        for segment in segments.iter().map(|open| &open.segment) {
            for part in 0..segment.parts() {
                let dead = segment.dead_at(part, covered);
                any |= dead.count() > 0;
                builder.add(segment.meta().id, part, &dead);
            }
        }
        if !any {
            return Ok(None);
        }
        let bytes = builder.finish();
        let meta = DeletesMeta { id, bytes: bytes.len() as u64, blake3: ObjectFile::stored_hash(&bytes)? };
        self.store_object(id, &bytes)?;
        self.world.fs.sync_dir(&self.dir.segments())?;
        Ok(Some(meta))
    }

    /// Lets readers see a new set of segments; `change` runs while no write is applied.
    pub(super) fn switch(&self, change: impl FnOnce(&mut Version)) -> Result<()> {
        let mut writer = self.writer()?.lock();
        let Writer { version, .. } = &mut *writer;
        change(version);
        self.current.store(Arc::new(version.clone()));
        drop(writer);
        store::clear_unreferenced(&self.world, &self.dir, &BTreeSet::new())?;
        self.clear_log()
    }
}
