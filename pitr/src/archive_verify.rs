//! Verifies a whole archive: every base, every backup, and that no history has a hole; each stored object is read once, or not at all when it was read
//! lately.

mod data;
mod deep;
mod ledger;
mod present;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::codec::checksum::Hash;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Lsn, Timeline};
use engine::manifest::Manifest;
use platform::World;
use platform::object_store::ObjectStore;
use serde::Serialize;

use crate::Progress;
use crate::archive::reachable::{Needed, reachable};
use crate::archive::retention::{Decision, Policy, decide};
use crate::archive::roots::ReadArchive;
use crate::archive::{Archive, Key, ObjectName};
use crate::backup::held::{Candidates, Library, is_about_content};
use crate::backup::look::unfinished;
use crate::prune::Amount;
use crate::verify::{Level, Scratch, VerifiedSnapshot};
pub use ledger::LedgerFile;

/// What to verify.
#[derive(Debug)]
pub struct ArchiveVerifyRequest<'a> {
    /// How deep.
    pub level: Level,
    /// What was read and found whole within so many microseconds is not read again; `None`: everything is read.
    pub max_age: Option<u64>,
    /// Whether to note in the archive what was found whole, for [`ArchiveVerifyRequest::max_age`].
    pub notes: bool,
    /// Where other archives may be that backups here rest on.
    pub candidates: Candidates<'a>,
    /// Where states may be restored to, for [`Level::Restore`].
    pub scratch: Option<Scratch>,
}

/// One history of the archive.
#[derive(Debug, Clone, Serialize)]
pub struct VerifiedHistory {
    /// The collection's name, where known.
    pub collection: Option<String>,
    /// The timeline that it ends with.
    pub timeline: Timeline,
    /// The earliest moment that can be restored; `None`: no base is whole.
    #[serde(serialize_with = "crate::time_text::serialize_option")]
    pub from: Option<CommitTime>,
    /// Commit time of the last operation that can be reached; `None`: none can.
    #[serde(serialize_with = "crate::time_text::serialize_option")]
    pub to: Option<CommitTime>,
    /// Bases of it.
    pub bases: usize,
    /// The position that it reaches without a hole.
    pub lsn: Lsn,
    /// Whether nothing is wrong with it.
    pub ok: bool,
}

/// What a verification found.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveVerifyReport {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// How deep it looked.
    pub level: Level,
    /// Every history that can be asked for.
    pub windows: Vec<VerifiedHistory>,
    /// Every backup.
    pub snapshots: Vec<VerifiedSnapshot>,
    /// Stored objects that something needs.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What was read.
    pub read: Amount,
    /// What was not read again, because it was lately.
    pub skipped: Amount,
    /// Everything that is wrong, in words.
    pub problems: Vec<String>,
    /// Attempts that did not finish.
    pub unfinished: Vec<String>,
    /// Keys that nothing needs.
    pub strays: Vec<String>,
    /// Duration.
    pub seconds: f64,
    /// What is wrong as a whole: its kind gives the exit code.
    #[serde(skip)]
    pub error: Option<Error>,
}

/// A problem, and what it is a problem of.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// The histories or backups that it spoils, by their last timeline or id.
    pub spoils: Vec<Spoiled>,
    pub error: Error,
}

/// What a problem spoils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spoiled {
    History(Timeline),
    Snapshot(String),
}

/// The hashes that are stated of what is stored.
#[derive(Debug, Default)]
pub(crate) struct Stated {
    /// Of sealed log files.
    pub ranges: BTreeMap<(Timeline, Lsn, Lsn), Hash>,
    /// Of objects: size and hash.
    pub objects: BTreeMap<ObjectName, (u64, Hash)>,
}

impl Stated {
    fn learn(&mut self, file: &crate::archive::base::BaseFile, manifest: &Manifest) {
        self.ranges.extend(manifest.log.iter().map(|file| ((file.timeline, file.start, file.end), file.blake3)));
        self.objects.extend(file.objects.iter().map(|object| (object.name, (object.bytes, object.blake3))));
    }
}

/// What is being verified.
pub(crate) struct Subject {
    pub read: ReadArchive,
    pub decision: Decision,
    pub needed: Needed,
    pub stated: Stated,
    pub library: Library,
    /// Why the histories could not be followed.
    pub broken: Option<Error>,
}

/// Verifies an archive. What is wrong is in the report.
///
/// # Errors
/// `NotFound` when the location holds no archive, `Usage` when a place to restore to is needed and none is given, `NewerFormat`, those of the store.
pub fn verify_archive(
    world: &World,
    store: &Arc<dyn ObjectStore>,
    request: &ArchiveVerifyRequest<'_>,
    progress: Progress<'_>,
) -> Result<ArchiveVerifyReport> {
    let began = world.clock.monotonic_micros();
    if request.level == Level::Restore && request.scratch.is_none() {
        return Err(Error::new(ErrorKind::Usage, "level \"restore\" needs a place to restore to"));
    }
    let archive = Archive::open(store)?;
    let subject = Subject::read(&archive, &request.candidates)?;
    let (mut findings, windows) = present::check(&subject)?;
    let (mut read, mut skipped) = (Amount::default(), Amount::default());
    if request.level >= Level::Data {
        let now = world.clock.wall_micros();
        let mut ledger = ledger::Ledger::read(&subject, now, request.max_age)?;
        let mut check = data::DataCheck::new(&subject, &mut ledger, progress);
        findings.append(&mut check.run()?);
        (read, skipped) = (check.read, check.skipped);
        if request.notes {
            ledger.write(&archive)?;
        }
    }
    if request.level >= Level::Index {
        findings.append(&mut deep::check(&subject, request, &windows, &findings)?);
    }
    let mut report = report(&subject, request.level, windows, findings);
    (report.read, report.skipped) = (read, skipped);
    report.seconds = world.clock.monotonic_micros().saturating_sub(began) as f64 / 1e6;
    Ok(report)
}

impl Subject {
    fn read(archive: &Archive, candidates: &Candidates<'_>) -> Result<Self> {
        let mut stated = Stated::default();
        let read = ReadArchive::read(archive, &mut |file, manifest| {
            stated.learn(file, manifest);
            Ok(())
        })?;
        for held in &read.lives.snapshots.good {
            stated.ranges.extend(held.file.log.iter().map(|r| ((r.timeline, r.start, r.end), r.blake3)));
            let own = held.file.objects.iter().filter(|object| held.file.home_of(object) == archive.id);
            stated.objects.extend(own.map(|object| (object.name, (object.bytes, object.blake3))));
        }
        // Nothing goes by this policy, so that everything is looked at.
        let (decision, broken) = match decide(&Policy::default(), &read.state(), 0) {
            Ok(decision) => (decision, None),
            Err(error) if is_about_content(error.kind) => (Decision::default(), Some(error)),
            Err(error) => return Err(error),
        };
        let needed = reachable(archive.id, &decision.roots(&read.state()));
        let mut library = Library::of(archive.clone(), read.listing.clone());
        for held in &read.lives.snapshots.good {
            library.add_parents(&held.file, candidates)?;
        }
        Ok(Subject { read, decision, needed, stated, library, broken })
    }

    /// Names what a stretch of a timeline's log belongs to.
    pub fn spoiled_by_log(&self, timeline: Timeline, start: Lsn, end: Lsn) -> Vec<Spoiled> {
        let overlaps = |t: Timeline, from: Lsn, to: Lsn| t == timeline && from < end && start < to;
        let state = self.read.state();
        let of_history = |tip: &Timeline| {
            let spans = state.timelines.history(*tip).map(|history| history.spans).unwrap_or_default();
            // Without its catalog nobody knows what a database's histories were called.
            let is_told = state.timelines.good.get(tip).is_some_and(|file| file.database == Some(timeline));
            is_told || spans.iter().any(|span| overlaps(span.timeline, span.from, span.to.unwrap_or(Lsn::MAX)))
        };
        let tips = self.decision.histories.iter().map(|history| history.timeline).filter(of_history).map(Spoiled::History);
        let files = self.read.lives.snapshots.good.iter().map(|held| &held.file);
        let backups = files.filter(|file| file.log.iter().any(|r| overlaps(r.timeline, r.start, r.end)));
        tips.chain(backups.map(|file| Spoiled::Snapshot(file.snapshot_id.clone()))).collect()
    }

    /// Names what an object belongs to.
    pub fn spoiled_by_object(&self, name: ObjectName) -> Vec<Spoiled> {
        let state = self.read.state();
        let bases = state.bases.iter().filter(|base| base.objects.iter().any(|object| object.name == name));
        let holders: Vec<Timeline> = bases.map(|base| base.timeline).collect();
        let of_history = |tip: &Timeline| {
            let spans = state.timelines.history(*tip).map(|history| history.spans).unwrap_or_default();
            spans.iter().any(|span| holders.contains(&span.timeline))
        };
        let tips = self.decision.histories.iter().map(|history| history.timeline).filter(of_history).map(Spoiled::History);
        let files = self.read.lives.snapshots.good.iter().map(|held| &held.file);
        let backups = files.filter(|file| file.objects.iter().any(|object| object.name == name && file.home_of(object) == file.archive));
        tips.chain(backups.map(|file| Spoiled::Snapshot(file.snapshot_id.clone()))).collect()
    }
}

fn report(subject: &Subject, level: Level, mut windows: Vec<VerifiedHistory>, findings: Vec<Finding>) -> ArchiveVerifyReport {
    let spoils = |what: &Spoiled| findings.iter().any(|finding| finding.spoils.contains(what));
    for window in &mut windows {
        window.ok = !spoils(&Spoiled::History(window.timeline));
    }
    let good = subject.read.lives.snapshots.good.iter().map(|held| VerifiedSnapshot {
        id: held.file.snapshot_id.clone(),
        collection: Some(held.file.collection.clone()),
        ok: !spoils(&Spoiled::Snapshot(held.file.snapshot_id.clone())),
    });
    let bad = subject.read.lives.snapshots.bad.iter().map(|(id, _)| VerifiedSnapshot { id: id.clone(), collection: None, ok: false });
    let listing = &subject.read.listing;
    let sizes = listing.sizes.iter().filter(|&(key, &size)| subject.needed.needs(key, size)).map(|(_, &size)| size);
    let strays = if subject.read.lives.snapshots.bad.is_empty() && subject.broken.is_none() {
        subject.needed.unneeded(listing).map(|(key, _)| key.to_owned()).collect()
    } else {
        Vec::new()
    };
    let mut problems: Vec<String> = Vec::new();
    for finding in &findings {
        let text = finding.error.to_string();
        if !problems.contains(&text) {
            problems.push(text);
        }
    }
    let first = |kind: ErrorKind| findings.iter().map(|finding| &finding.error).find(|error| error.kind == kind).cloned();
    // Damage counts more than what is missing.
    let error = first(ErrorKind::Corrupt).or_else(|| first(ErrorKind::Incomplete)).or_else(|| findings.first().map(|f| f.error.clone()));
    ArchiveVerifyReport {
        ok: error.is_none(),
        level,
        snapshots: good.chain(bad).collect(),
        objects: sizes.clone().count(),
        bytes: sizes.sum(),
        read: Amount::default(),
        skipped: Amount::default(),
        problems,
        unfinished: unfinished(listing),
        strays,
        seconds: 0.0,
        error,
        windows,
    }
}

/// Makes a finding about a key.
fn at(subject: &Subject, error: Error, key: &Key) -> Error {
    subject.read.archive.at(error, key)
}
