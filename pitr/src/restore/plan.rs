//! What a restore is put together from: a manifest, stretches of the log, objects and a position, wherever they were found. Pure.

use engine::collection::snapshot::LogRange;
use engine::error::{Error, Result};
use engine::ids::{CommitTime, Lsn, Timeline};
use engine::log::file::LOG_FILE_LEN_MAX;
use engine::manifest::{Manifest, ManifestName, Span};

use crate::archive::{ArchiveId, Key, Listing};
use crate::backup::format::{ManifestEntry, ObjectEntry, Position, SnapshotFile};
use crate::backup::held::HeldSnapshot;
use crate::history::History;
use crate::history::walk::Operation;
use crate::timeline::{common_lsn, span_of};

/// What is restored, down to the last byte.
#[derive(Debug, Clone)]
pub struct RestorePoint {
    /// The archive that it was found in.
    pub home: ArchiveId,
    /// The archives that hold parts of it, its own first.
    pub sources: Vec<ArchiveId>,
    /// The manifest that it builds on.
    pub manifest: ManifestEntry,
    /// The log from 0 to the position, one stretch for each local file.
    pub log: Vec<LogRange>,
    /// The objects of the manifest.
    pub objects: Vec<ObjectEntry>,
    /// The history, closed at the position.
    pub ancestry: Vec<Span>,
    /// The position.
    pub position: Position,
    /// Live points, and those of them with a payload, where somebody counted them.
    pub counts: Option<(u64, u64)>,
}

impl RestorePoint {
    /// Takes what a backup describes.
    #[must_use]
    pub fn of_snapshot(file: &SnapshotFile) -> Self {
        let log = file.log.iter().map(|r| LogRange { timeline: r.timeline, start: r.start, end: r.end, blake3: Some(r.blake3) });
        RestorePoint {
            home: file.archive,
            sources: [file.archive].into_iter().chain(file.parents.iter().map(|parent| parent.archive)).collect(),
            manifest: file.manifest.clone(),
            log: log.collect(),
            objects: file.objects.clone(),
            ancestry: file.ancestry.clone(),
            position: file.position,
            counts: Some((file.points, file.points_with_payload)),
        }
    }

    /// Gives the key of the manifest.
    ///
    /// # Errors
    /// `Corrupt` when its name is not one.
    pub fn manifest_key(&self) -> Result<Key> {
        let name = ManifestName::parse(&self.manifest.name).ok_or_else(|| Error::corrupt("no manifest has the name that is stated"))?;
        Ok(Key::Manifest(self.manifest.timeline, name))
    }
}

/// Where the description of a base comes from.
#[derive(Debug, Clone)]
pub enum BaseSource {
    /// The manifest was archived while the collection was written.
    Archived,
    /// A backup names it.
    Backup(Box<SnapshotFile>),
}

/// A manifest that a state may be built on.
#[derive(Debug, Clone)]
pub struct BaseCandidate {
    /// The timeline that it lies under.
    pub timeline: Timeline,
    /// Its name: covered position, number, commit time.
    pub name: ManifestName,
    /// Where its objects are told.
    pub source: BaseSource,
}

/// Lists the manifests of a history, oldest first; those of abandoned branches are left out.
#[must_use]
pub fn base_candidates(listing: &Listing, snapshots: &[HeldSnapshot], history: &History) -> Vec<BaseCandidate> {
    let mut all = Vec::new();
    for held in snapshots {
        let shared = common_lsn(&held.file.ancestry, &history.spans);
        if let Some(name) = ManifestName::parse(&held.file.manifest.name).filter(|name| name.covered_lsn <= shared && shared > 0) {
            let source = BaseSource::Backup(Box::new(held.file.clone()));
            all.push(BaseCandidate { timeline: held.file.manifest.timeline, name, source });
        }
    }
    for span in &history.spans {
        let names = listing.bases.get(&span.timeline).into_iter().flatten();
        let of_history = names.filter(|name| span.to.is_none_or(|to| name.covered_lsn <= to));
        all.extend(of_history.map(|&name| BaseCandidate { timeline: span.timeline, name, source: BaseSource::Archived }));
    }
    // Of equal ones the archived one is tried first: it needs no other archive.
    all.sort_by_key(|base| (base.name.covered_lsn, base.name.seq, matches!(base.source, BaseSource::Archived)));
    all
}

/// Checks that a manifest is one of a history's states.
///
/// # Errors
/// `Corrupt` saying what differs.
pub fn check_of_history(manifest: &Manifest, history: &History) -> Result<()> {
    let covered = manifest.covered_lsn;
    let same = covered == 0 || common_lsn(&manifest.ancestry, &history.spans) >= covered;
    let of_history =
        manifest.log.iter().all(|file| span_of(&history.spans, file.start, file.end).is_some_and(|span| span.timeline == file.timeline));
    if same && of_history {
        return Ok(());
    }
    Err(Error::corrupt("the manifest is of another history than the timelines tell"))
}

/// The stretches of the log that a manifest covers.
#[must_use]
pub fn covered_log(manifest: &Manifest) -> Vec<LogRange> {
    let range = |file: &engine::manifest::LogFileMeta| LogRange {
        timeline: file.timeline,
        start: file.start,
        end: file.end,
        blake3: Some(file.blake3),
    };
    manifest.log.iter().map(range).collect()
}

/// How far the log is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Every operation that committed at or before this time.
    Time(CommitTime),
    /// Every operation that ends at or before this position.
    Lsn(Lsn),
    /// Every operation that is there.
    End,
}

/// Finds where the log is cut: it is shown the operations behind a base one after the other.
#[derive(Debug, Clone)]
pub struct Cut {
    goal: Goal,
    /// The position behind the last operation that is wanted.
    pub lsn: Lsn,
    /// Its commit time.
    pub commit_time: CommitTime,
    /// The wanted stretches, laid out as local files: a new one for each timeline and behind the operation that fills one.
    pub files: Vec<LogRange>,
    /// Whether an operation was seen that is not wanted: nothing wanted can follow.
    pub went_beyond: bool,
    /// Commit time of the first write that is left out.
    pub next_time: Option<CommitTime>,
    /// The largest number that a client gave an operation that is wanted.
    pub resume_token: Option<u64>,
}

impl Cut {
    /// Begins at the position that a base covers.
    #[must_use]
    pub fn begin(goal: Goal, covered: &ManifestName) -> Self {
        let (lsn, commit_time) = (covered.covered_lsn, covered.commit_time);
        Cut { goal, lsn, commit_time, files: Vec::new(), went_beyond: false, next_time: None, resume_token: None }
    }

    /// Takes the next operation; says whether more is to be seen.
    pub fn see(&mut self, operation: &Operation) -> bool {
        assert!(self.went_beyond || operation.start == self.lsn, "operations follow each other");
        let wanted = match self.goal {
            Goal::Time(at) => operation.commit_time <= at,
            Goal::Lsn(lsn) => operation.end <= lsn,
            Goal::End => true,
        };
        if self.went_beyond || !wanted {
            self.went_beyond = true;
            if !operation.is_mark {
                self.next_time = Some(operation.commit_time);
            }
            return operation.is_mark;
        }
        self.lsn = operation.end;
        self.commit_time = operation.commit_time;
        self.resume_token = self.resume_token.max(Some(operation.client_sequence).filter(|number| *number > 0));
        match self.files.last_mut() {
            Some(file) if file.timeline == operation.timeline && file.end - file.start < LOG_FILE_LEN_MAX => file.end = operation.end,
            _ => self.files.push(LogRange { timeline: operation.timeline, start: operation.start, end: operation.end, blake3: None }),
        }
        true
    }

    /// Says whether what was seen proves that nothing wanted is missing, whatever follows.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let exact = match self.goal {
            Goal::Time(at) => self.commit_time == at,
            Goal::Lsn(lsn) => self.lsn == lsn,
            Goal::End => false,
        };
        self.went_beyond || exact
    }
}

#[cfg(test)]
mod tests;
