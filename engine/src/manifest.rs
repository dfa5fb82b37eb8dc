//! One immutable version of a collection: the exact state at its covered LSN. `docs/format/manifest.md` is the document.

pub mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::codec::checksum::Hash;
use crate::codec::sealed_json;
use crate::error::{Error, Result};
use crate::ids::{CommitTime, Incarnation, Lsn, SegmentId, Timeline};
use crate::log::file::{LSN_MAX, LogFileName};
use crate::log::record::RECORD_ALIGN;
use crate::schema::Schema;
use crate::segment::SegmentMeta;

/// Version of the manifest format: of manifests whose log has holes, because files that nobody needs any more are gone.
pub const MANIFEST_VERSION: u32 = 2;
/// Version of manifests whose log is there from its beginning.
pub const MANIFEST_VERSION_WHOLE: u32 = 1;
/// Largest manifest that is read.
pub const MANIFEST_LEN_MAX: u64 = 64 << 20;

/// A stretch of one timeline's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The timeline.
    pub timeline: Timeline,
    /// Where this history enters it.
    pub from: Lsn,
    /// Where this history leaves it; `None`: it is the one being written.
    pub to: Option<Lsn>,
}

/// A sealed log file with the hash of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFileMeta {
    /// The timeline that wrote it.
    pub timeline: Timeline,
    /// Position of its first record.
    pub start: Lsn,
    /// Position behind its last record.
    pub end: Lsn,
    /// BLAKE3 of the records, without the file header.
    pub blake3: Hash,
}

impl LogFileMeta {
    /// Gives the file's name.
    #[must_use]
    pub fn name(&self) -> LogFileName {
        LogFileName { start: self.start, timeline: self.timeline }
    }
}

/// The object that holds the rows which are dead at the covered LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletesMeta {
    /// Names the file.
    pub id: SegmentId,
    /// Length of the file.
    pub bytes: u64,
    /// The hash that the file ends with.
    pub blake3: Hash,
}

/// The state of a collection at its covered LSN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format.
    pub format: u32,
    /// The life of the name that it belongs to.
    pub incarnation: Incarnation,
    /// Rises with every manifest of an incarnation.
    pub seq: u64,
    /// Every effect of a record below, and of none at or above, is in it.
    pub covered_lsn: Lsn,
    /// Commit time of the last operation below the covered LSN.
    pub commit_time: CommitTime,
    /// The history: stretches of timelines, the last one open.
    pub ancestry: Vec<Span>,
    /// The schema at the covered LSN.
    pub schema: Schema,
    /// Sealed log files below the covered LSN that hold something alive, in order, and the one that ends there.
    pub log: Vec<LogFileMeta>,
    /// Segments in the order of their ranges.
    pub segments: Vec<SegmentMeta>,
    /// Dead rows of the segments; `None` when there are none.
    pub deletes: Option<DeletesMeta>,
    /// Live points.
    pub points: u64,
    /// Live points with a payload.
    pub points_with_payload: u64,
    /// Bytes of the records that moved rows to new addresses, since the collection began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moved_bytes: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Gives the version of a manifest that names these log files.
#[must_use]
pub fn version_of(log: &[LogFileMeta]) -> u32 {
    let is_whole = log.first().is_none_or(|file| file.start == 0) && log.windows(2).all(|pair| pair[0].end == pair[1].start);
    if is_whole { MANIFEST_VERSION_WHOLE } else { MANIFEST_VERSION }
}

impl Manifest {
    /// Describes an empty collection whose log begins on a timeline.
    #[must_use]
    pub fn empty(incarnation: Incarnation, timeline: Timeline, schema: Schema) -> Self {
        Manifest {
            format: MANIFEST_VERSION_WHOLE,
            incarnation,
            seq: 0,
            covered_lsn: 0,
            commit_time: 0,
            ancestry: vec![Span { timeline, from: 0, to: None }],
            schema,
            log: Vec::new(),
            segments: Vec::new(),
            deletes: None,
            points: 0,
            points_with_payload: 0,
            moved_bytes: 0,
        }
    }

    /// Gives the timeline that is written.
    ///
    /// # Panics
    /// Never on a manifest that was checked.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        self.ancestry.last().expect("a checked manifest has an ancestry").timeline
    }

    /// Gives the name of its file: covered LSN, sequence, commit time.
    #[must_use]
    pub fn file_name(&self) -> ManifestName {
        ManifestName { covered_lsn: self.covered_lsn, seq: self.seq, commit_time: self.commit_time }
    }

    /// Lays the manifest out: JSON text, then the BLAKE3 of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        sealed_json::encode(self)
    }

    /// Reads a manifest, hash first.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not what was written, `NewerFormat` when a later version wrote them.
    pub fn decode(stored: &[u8]) -> Result<Self> {
        let manifest: Manifest = sealed_json::decode("manifest", MANIFEST_VERSION, stored)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks what the types do not say.
    fn check(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::corrupt(format!("the manifest is wrong: {what}")));
        self.schema.check()?;
        let spans = &self.ancestry;
        let chained = spans.windows(2).all(|pair| pair[0].to == Some(pair[1].from));
        if spans.is_empty() || spans[0].from != 0 || !chained || spans.last().is_none_or(|span| span.to.is_some()) {
            return bad("its ancestry has a hole");
        }
        if spans.iter().any(|span| span.to.is_some_and(|to| to < span.from)) {
            return bad("its ancestry runs backwards");
        }
        if self.covered_lsn > LSN_MAX || spans.iter().any(|span| span.from > LSN_MAX || span.to.is_some_and(|to| to > LSN_MAX)) {
            return bad("a position is beyond the largest");
        }
        let mut end = 0;
        for file in &self.log {
            let aligned = file.start.is_multiple_of(RECORD_ALIGN as u64) && file.end.is_multiple_of(RECORD_ALIGN as u64);
            if file.start < end || file.end <= file.start || !aligned {
                return bad("its log files do not follow each other");
            }
            end = file.end;
        }
        if self.format < version_of(&self.log) {
            return bad("its log has a hole, which its version does not have");
        }
        if end != self.covered_lsn {
            return bad("its log files do not reach the covered position");
        }
        let mut end = 0;
        for segment in &self.segments {
            segment.check()?;
            if segment.from < end || segment.to > self.covered_lsn {
                return bad("its segments overlap or reach beyond the covered position");
            }
            end = segment.to;
        }
        if self.points_with_payload > self.points {
            return bad("more points have a payload than there are");
        }
        Ok(())
    }

    /// Says whether a log file is needed for this state or for what follows it.
    #[must_use]
    pub fn needs(&self, name: &LogFileName) -> bool {
        name.start >= self.covered_lsn || self.log.iter().any(|file| file.name() == *name)
    }

    /// Lists every object that it names: id, bytes and hash.
    pub fn objects(&self) -> impl Iterator<Item = (SegmentId, u64, Hash)> + '_ {
        let of_segments = self.segments.iter().flat_map(|s| &s.objects).map(|o| (o.id, o.bytes, o.blake3));
        of_segments.chain(self.deletes.iter().map(|d| (d.id, d.bytes, d.blake3)))
    }
}

/// What the name of a manifest's file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManifestName {
    /// Its covered LSN.
    pub covered_lsn: Lsn,
    /// Its sequence.
    pub seq: u64,
    /// Its commit time.
    pub commit_time: CommitTime,
}

impl ManifestName {
    /// Reads a name; `None` when it is not that of a manifest.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut fields = name.split('-').map(|field| {
            let digits = field.len() == 20 && field.bytes().all(|b| b.is_ascii_digit());
            field.parse::<u64>().ok().filter(|_| digits)
        });
        let parsed = ManifestName { covered_lsn: fields.next()??, seq: fields.next()??, commit_time: fields.next()?? };
        fields.next().is_none().then_some(parsed)
    }
}

impl std::fmt::Display for ManifestName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:020}-{:020}-{:020}", self.covered_lsn, self.seq, self.commit_time)
    }
}
