//! The description of one backup, written last: what it is of, where it stands in which history, and everything it needs with its hashes.

use std::collections::{BTreeMap, BTreeSet};

use engine::codec::checksum::{HASH_LEN, Hash};
use engine::error::{Error, Result};
use engine::ids::{CommitTime, Incarnation, Lsn, SegmentId, Timeline};
use engine::manifest::{Manifest, ManifestName, Span};
use engine::object_file::Role;
use engine::schema::{Distance, IndexParams, Numbers, check_name};
use engine::segment::{SegmentKind, SegmentMeta};
use serde::{Deserialize, Serialize};

use crate::answers::RecordedAnswers;
use crate::archive::extent::{EXTENT_LEN_MAX, RECORD_ALIGN};
use crate::archive::layout::check_snapshot_id;
use crate::archive::stored::{JSON_VERSION, decode_json_up_to, encode_json};
use crate::archive::tiling::Stretch;
use crate::archive::{ArchiveId, Key, ObjectName};
use crate::timeline::{is_history, span_of};

/// Version of descriptions of backups whose log has holes, because files in which nothing lives are gone. Others are of version 1.
pub const SNAPSHOT_VERSION_CLEANED: u32 = 2;
/// Largest description of a backup that is read.
pub const SNAPSHOT_LEN_MAX: u64 = 64 << 20;

/// Whether a backup builds on an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupType {
    /// Everything was sent.
    Full,
    /// What an earlier backup holds was not sent again.
    Incremental,
}

/// A position with the time of the last operation before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The timeline that wrote the last record before it.
    pub timeline: Timeline,
    /// The position.
    pub lsn: Lsn,
    /// Commit time of the last operation before it.
    pub commit_time: CommitTime,
}

/// A stretch of the log that the backup needs; the same stretches as local log files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeEntry {
    /// The timeline.
    pub timeline: Timeline,
    /// First position.
    pub start: Lsn,
    /// Position behind the last.
    pub end: Lsn,
    /// BLAKE3 of the records.
    pub blake3: Hash,
}

impl RangeEntry {
    /// Gives the stretch without its hash.
    #[must_use]
    pub fn stretch(&self) -> Stretch {
        Stretch { timeline: self.timeline, start: self.start, end: self.end }
    }
}

/// An object that the backup needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEntry {
    /// What it is for.
    pub role: Role,
    /// Its id where it came from; a restore gives it back.
    pub id: SegmentId,
    /// Its name in the archive.
    pub name: ObjectName,
    /// Stored size.
    pub bytes: u64,
    /// The hash that it ends with: BLAKE3 of all bytes before.
    pub blake3: Hash,
    /// The archive that holds it, where it is not this one.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveId>,
}

/// The manifest that the backup builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// The timeline that it lies under.
    pub timeline: Timeline,
    /// Its name there.
    pub name: String,
    /// Stored size.
    pub bytes: u64,
    /// The hash that it ends with.
    pub blake3: Hash,
}

/// One named vector and its index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorDescription {
    /// Dimensions.
    pub dim: u32,
    /// How two vectors are compared.
    pub distance: Distance,
    /// How numbers are stored.
    pub datatype: Numbers,
    /// Kind and parameters of the index.
    pub index: IndexParams,
}

/// One segment of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentDescription {
    /// Its id.
    pub id: SegmentId,
    /// The hash of what it holds.
    pub blake3: Hash,
    /// How it is searched.
    pub kind: SegmentKind,
    /// Its rows, dead ones included.
    pub rows: u32,
    /// The hashes of its graphs and lists.
    pub graphs: Vec<Hash>,
}

/// The state of the index (A25).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexDescription {
    /// Vectors by name.
    pub vectors: BTreeMap<String, VectorDescription>,
    /// Segments in the order of the log.
    pub segments: Vec<SegmentDescription>,
}

impl IndexDescription {
    /// Describes the index of a manifest.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let vector =
            |v: &engine::VectorSchema| VectorDescription { dim: v.dim, distance: v.distance, datatype: v.datatype, index: v.index.clone() };
        let segment = |meta: &SegmentMeta| SegmentDescription {
            id: meta.id,
            blake3: meta.hash(),
            kind: meta.kind,
            rows: meta.rows,
            graphs: meta
                .objects
                .iter()
                .filter(|object| matches!(object.role, Role::Graph | Role::Ivf))
                .map(|object| object.blake3)
                .collect(),
        };
        IndexDescription {
            vectors: manifest.schema.vectors.iter().map(|v| (v.name.clone(), vector(v))).collect(),
            segments: manifest.segments.iter().map(segment).collect(),
        }
    }

    /// Says whether any segment has a graph or lists.
    #[must_use]
    pub fn has_graph(&self) -> bool {
        self.segments.iter().any(|segment| segment.kind.is_indexed())
    }
}

/// What a backup weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteCounts {
    /// Everything it needs: records, objects, manifest.
    pub total: u64,
    /// What was sent for it.
    pub new: u64,
    /// The graphs among what was sent.
    pub adjacency: u64,
    /// The codes among what was sent.
    pub codes: u64,
}

/// Another archive that holds a part of what is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentRef {
    /// Which archive.
    pub archive: ArchiveId,
    /// The backup there that needs that part too.
    pub snapshot_id: String,
    /// The hash that this backup's description ends with: a match is by archive and hash only (rule S24).
    pub blake3: Hash,
    /// Where it was when this backup was made.
    pub hint: String,
}

/// The backup that this one was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRef {
    /// The archive that it is in.
    pub archive: ArchiveId,
    /// Its id.
    pub snapshot_id: String,
}

/// The description of one backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFile {
    /// Version of the format.
    pub format: u32,
    /// Its id.
    pub snapshot_id: String,
    /// The archive that it was written to.
    pub archive: ArchiveId,
    /// The collection's name as of then.
    pub collection: String,
    /// Its aliases as of then.
    pub aliases: Vec<String>,
    /// The life that was backed up.
    pub incarnation: Incarnation,
    /// The database that it lived in.
    pub database: Option<Timeline>,
    /// Full or incremental.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// The backup that it builds on.
    pub base: Option<BaseRef>,
    /// When the state was pinned, microseconds since 1970 by the wall clock: nothing acknowledged before is missing.
    pub pin_time: u64,
    /// When everything else was durable at the destination.
    pub finished: u64,
    /// The position that it holds.
    pub position: Position,
    /// The history up to there.
    pub ancestry: Vec<Span>,
    /// Live points.
    pub points: u64,
    /// Live points with a payload.
    pub points_with_payload: u64,
    /// The manifest.
    pub manifest: ManifestEntry,
    /// The log that the state needs: the files that the manifest names, and everything from its covered position to the position.
    pub log: Vec<RangeEntry>,
    /// The objects of the manifest.
    pub objects: Vec<ObjectEntry>,
    /// What the manifest says about the index.
    pub index: IndexDescription,
    /// What it weighs.
    pub bytes: ByteCounts,
    /// Other archives that hold a part of it.
    pub parents: Vec<ParentRef>,
    /// What the state answered when it was backed up, for drills. A restore does not look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<RecordedAnswers>,
}

impl SnapshotFile {
    /// Lays the description out as it is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode_json(self)
    }

    /// Reads a description; nothing in it is believed before the hash was checked, and nothing is a path.
    ///
    /// # Errors
    /// `Incomplete` when it is cut off, `Corrupt` when it is damaged or makes no sense, `NewerFormat`.
    pub fn decode(stored: &[u8], snapshot_id: &str) -> Result<Self> {
        let file: SnapshotFile = decode_json_up_to(SNAPSHOT_VERSION_CLEANED, "description of the backup", stored)?;
        match file.offence(snapshot_id) {
            None => Ok(file),
            Some(what) => Err(Error::corrupt(format!("the description of the backup is wrong: {what}"))),
        }
    }

    /// Gives the key of its manifest.
    ///
    /// # Errors
    /// `Corrupt` when the name is not one.
    pub fn manifest_key(&self) -> Result<Key> {
        let name =
            ManifestName::parse(&self.manifest.name).ok_or_else(|| Error::corrupt("the description of the backup names no manifest"))?;
        Ok(Key::Manifest(self.manifest.timeline, name))
    }

    /// Gives the archive that holds an object.
    #[must_use]
    pub fn home_of(&self, object: &ObjectEntry) -> ArchiveId {
        object.archive.unwrap_or(self.archive)
    }

    /// Says what is wrong with a description whose hash is right: a hostile one, or one of a faulty writer.
    fn offence(&self, snapshot_id: &str) -> Option<&'static str> {
        let aligned = |r: &RangeEntry| r.start < r.end && r.end.is_multiple_of(RECORD_ALIGN) && r.end - r.start <= EXTENT_LEN_MAX;
        let of_history = |r: &RangeEntry| span_of(&self.ancestry, r.start, r.end).is_some_and(|span| span.timeline == r.timeline);
        let ids: BTreeSet<_> = self.objects.iter().map(|object| object.id).collect();
        let known: BTreeSet<_> = self.parents.iter().map(|parent| parent.archive).chain([self.archive]).collect();
        let total = self.log.iter().map(|r| r.end.saturating_sub(r.start)).chain(self.objects.iter().map(|o| o.bytes));
        let checks = [
            (self.snapshot_id == snapshot_id && check_snapshot_id(snapshot_id).is_ok(), "it is of another backup"),
            (check_name(&self.collection).is_ok(), "the collection's name cannot be one"),
            (self.aliases.iter().all(|alias| check_name(alias).is_ok()), "an alias cannot be one"),
            (is_history(&self.ancestry, self.position.lsn), "its history has a hole"),
            (self.log_is_whole(), "its log has a hole"),
            (self.log.iter().all(aligned), "a stretch of its log has a size that none has"),
            (self.log.iter().all(of_history), "a stretch of its log is not of its history"),
            (self.ancestry.last().is_some_and(|span| span.timeline == self.position.timeline), "its position is on another timeline"),
            (ids.len() == self.objects.len(), "an object stands in it twice"),
            (self.objects.iter().all(|object| object.bytes > HASH_LEN as u64), "an object has a size that none has"),
            (self.objects.iter().all(|object| known.contains(&self.home_of(object))), "an object is in an archive that it does not name"),
            (self.parents.iter().all(|parent| check_snapshot_id(&parent.snapshot_id).is_ok()), "a parent's id cannot be one"),
            (total.into_iter().try_fold(0_u64, u64::checked_add).is_some(), "its sizes are beyond everything"),
            (ManifestName::parse(&self.manifest.name).is_some(), "it names no manifest"),
            (self.points_with_payload <= self.points, "more points have a payload than there are"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }

    /// Says whether the log is whole: ascending, without a hole behind what the manifest covers, and below it without one unless the version
    /// says that there may be.
    fn log_is_whole(&self) -> bool {
        let covered = ManifestName::parse(&self.manifest.name).map_or(0, |name| name.covered_lsn);
        let ascends = self.log.windows(2).all(|pair| pair[0].end <= pair[1].start);
        let ends = self.log.last().is_some_and(|r| r.end == self.position.lsn);
        let reaches_covered = covered == 0 || self.log.iter().any(|r| r.end == covered);
        // Where each stretch has to begin: where the one before ends.
        let befores = std::iter::once(0).chain(self.log.iter().map(|r| r.end));
        let chains = |from: Lsn| self.log.iter().zip(befores.clone()).all(|(r, before)| r.start < from || r.start == before);
        ascends && ends && reaches_covered && chains(if self.format < SNAPSHOT_VERSION_CLEANED { 0 } else { covered })
    }

    /// Gives the version of a description with this log.
    #[must_use]
    pub fn version_of(log: &[RangeEntry]) -> u32 {
        let is_whole = log.first().is_none_or(|r| r.start == 0) && log.windows(2).all(|pair| pair[0].end == pair[1].start);
        if is_whole { JSON_VERSION } else { SNAPSHOT_VERSION_CLEANED }
    }

    /// Checks that a manifest is the one described, and that everything it names is listed.
    ///
    /// # Errors
    /// `Corrupt` saying what differs.
    pub fn agree(&self, manifest: &Manifest) -> Result<()> {
        let objects: BTreeSet<_> = self.objects.iter().map(|object| (object.id, object.bytes, object.blake3)).collect();
        let ranges: BTreeSet<_> = self.log.iter().map(|r| (r.timeline, r.start, r.end, r.blake3)).collect();
        let below = self.log.iter().filter(|r| r.end <= manifest.covered_lsn).count();
        let known_position = manifest.covered_lsn <= self.position.lsn && manifest.commit_time <= self.position.commit_time;
        let checks = [
            (manifest.incarnation == self.incarnation, "it is of another life of the collection"),
            (known_position, "it reaches beyond the position"),
            (manifest.objects().all(|object| objects.contains(&object)), "it names an object that is not listed"),
            (manifest.objects().count() == self.objects.len(), "an object is listed that it does not name"),
            (
                manifest.log.iter().all(|f| ranges.contains(&(f.timeline, f.start, f.end, f.blake3))),
                "it names a log file that is not listed",
            ),
            (below == manifest.log.len(), "a log file is listed that it does not name"),
            (IndexDescription::of(manifest) == self.index, "it describes another index"),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, what)) => Err(Error::corrupt(format!("the manifest is not the one that the backup describes: {what}"))),
        }
    }
}

#[cfg(test)]
mod tests;
