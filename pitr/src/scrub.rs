//! Scrubs a collection: reads every local file that does not change any more and every record behind them, and repairs what rotted from an archive.
//!
//! A rotten collection may refuse to open, so that this works on its directory, under the database's lock. What is repaired is written beside,
//! checked, and renamed over: whoever has the rotten file open goes on with that one until the collection is opened again.

mod check;
mod repair;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::Database;
use engine::codec::checksum::Hash;
use engine::collection::lazy::LazyMarker;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, SegmentId};
use engine::log::LogFileName;
use engine::manifest::store::CollectionDir;
use engine::manifest::{Manifest, ManifestName};
use platform::World;
use platform::object_store::ObjectStore;
use serde::Serialize;

use crate::Progress;
use check::Found;
use repair::Source;

/// What is to be scrubbed.
#[derive(Debug, Clone, Copy)]
pub struct ScrubRequest<'a> {
    /// The collection's name or alias.
    pub name: &'a str,
    /// An archive or backup location that rotten files are repaired from; `None`: they are reported only.
    pub source: Option<&'a Arc<dyn ObjectStore>>,
}

/// What a scrub found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ScrubReport {
    /// Whether everything is sound, now.
    pub ok: bool,
    /// The collection.
    pub collection: String,
    /// Log files that were read.
    pub log_files: usize,
    /// Objects and manifests that were read.
    pub objects: usize,
    /// Bytes that were read.
    pub bytes: u64,
    /// Log files that are not local yet.
    pub away: usize,
    /// Files that were rotten or missing and are whole again.
    pub repaired: Vec<String>,
    /// What is wrong still, in words.
    pub problems: Vec<String>,
    /// Duration.
    pub seconds: f64,
    /// The first thing that is wrong still: its kind gives the exit code.
    #[serde(skip)]
    pub error: Option<Error>,
}

/// A file of a collection that does not change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A manifest.
    Manifest(ManifestName),
    /// A sealed log file: its name, its end and, where a manifest states it, the hash of its records.
    Log(LogFileName, Lsn),
    /// An object.
    Object(SegmentId, u64),
}

/// A part that is rotten or missing.
#[derive(Debug, Clone)]
pub(crate) struct Rot {
    pub part: Part,
    pub blake3: Option<Hash>,
    pub error: Error,
}

/// Reads every file of a collection, and repairs what can be repaired. What is wrong is in the report.
///
/// # Errors
/// `NotFound` when there is no such collection, `Locked` when the database is open for reading only, `Corrupt` or `NewerFormat` when no manifest
/// reads and none can be fetched; those of the disk, and of a source that cannot be reached.
pub fn scrub(database: &Database, request: &ScrubRequest<'_>, progress: Progress<'_>) -> Result<ScrubReport> {
    let world = database.world();
    let began = world.clock.monotonic_micros();
    // Only whoever holds the lock has an end of the catalog to tell.
    database.catalog_end()?;
    let state = database.state();
    let (name, life) = state.resolve(request.name)?;
    let dir = CollectionDir::new(database.collection_dir(life.incarnation));
    let mut scrub = Scrub {
        world,
        dir: &dir,
        source: request.source.map(Source::open).transpose()?,
        progress,
        newest: BTreeMap::new(),
        report: ScrubReport { collection: name.to_owned(), ..ScrubReport::default() },
    };
    scrub.run()?;
    let mut report = scrub.report;
    report.ok = report.error.is_none();
    report.seconds = world.clock.monotonic_micros().saturating_sub(began) as f64 / 1e6;
    Ok(report)
}

struct Scrub<'a> {
    world: &'a World,
    dir: &'a CollectionDir,
    source: Option<Source>,
    progress: Progress<'a>,
    /// What the newest manifest names.
    newest: BTreeMap<Part, Option<Hash>>,
    report: ScrubReport,
}

impl Scrub<'_> {
    fn run(&mut self) -> Result<()> {
        let fs = &*self.world.fs;
        // Manifests first: they say what else there is.
        let (mut manifests, rotten) = check::manifests(fs, self.dir)?;
        self.newest = newest_of(&manifests).map(|newest| check::parts(std::slice::from_ref(newest))).unwrap_or_default();
        for rot in rotten {
            self.judge(rot)?;
        }
        if manifests.is_empty() || !self.report.repaired.is_empty() {
            manifests = check::manifests(fs, self.dir)?.0;
        }
        let Some(newest) = newest_of(&manifests) else {
            return Err(self
                .report
                .error
                .take()
                .unwrap_or_else(|| Error::corrupt("the collection has no manifest").with_file(self.dir.root())));
        };
        self.newest = check::parts(std::slice::from_ref(newest));
        self.report.objects += manifests.len();
        let away = LazyMarker::read(fs, self.dir)?.map_or_else(Vec::new, |marker| marker.files);
        self.report.away = away.len();
        let mut parts = check::parts(&manifests);
        parts.extend(check::sealed_behind(fs, self.dir, newest.covered_lsn)?);
        parts.retain(|part, _| !matches!(part, Part::Log(name, _) if away.iter().any(|file| file.start == name.start && file.timeline == name.timeline)));
        let work: u64 = parts.keys().map(Part::bytes).sum();
        for (part, blake3) in parts {
            match check::part(fs, self.dir, part, blake3)? {
                Found::Sound => {}
                Found::Rotten(error) => self.judge(Rot { part, blake3, error })?,
            }
            self.report.bytes += part.bytes();
            match part {
                Part::Log(..) => self.report.log_files += 1,
                Part::Object(..) | Part::Manifest(_) => self.report.objects += 1,
            }
            (self.progress)(self.report.bytes, work);
        }
        self.check_end(newest.covered_lsn)
    }

    /// Reads the log behind the newest manifest, record by record.
    fn check_end(&mut self, covered: Lsn) -> Result<()> {
        match check::end(self.world, self.dir, covered) {
            Ok(bytes) => self.report.bytes += bytes,
            Err(error) if error.kind == ErrorKind::Corrupt => self.note(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Repairs what is rotten, or reports it.
    fn judge(&mut self, rot: Rot) -> Result<()> {
        let path = rot.part.path(self.dir);
        let Some(source) = &mut self.source else {
            self.note(rot.error.with_hint("scrub again with --source naming an archive or a backup of it, or restore the collection"));
            return Ok(());
        };
        match source.repair(self.world, self.dir, &rot) {
            Ok(()) => self.report.repaired.push(path.display().to_string()),
            Err(error) if crate::backup::held::is_about_content(error.kind) => {
                let is_spare = rot.part.is_spare(&self.newest);
                let rest = if is_spare { "; the newest manifest does not need it, and the next ones replace it" } else { "" };
                let why = format!("the source cannot repair it: {error}{rest}");
                self.note(rot.error.with_hint(why));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn note(&mut self, error: Error) {
        self.report.problems.push(error.to_string());
        self.report.error.get_or_insert(error);
    }
}

fn newest_of(manifests: &[Manifest]) -> Option<&Manifest> {
    manifests.iter().max_by_key(|manifest| (manifest.seq, manifest.covered_lsn))
}

impl Part {
    /// Says whether the collection is whole without it, where the newest manifest names `newest`.
    fn is_spare(&self, newest: &BTreeMap<Part, Option<Hash>>) -> bool {
        match self {
            Part::Manifest(_) => !newest.is_empty(),
            Part::Object(..) => !newest.is_empty() && !newest.contains_key(self),
            Part::Log(..) => false,
        }
    }

    fn path(&self, dir: &CollectionDir) -> std::path::PathBuf {
        match self {
            Part::Manifest(name) => dir.manifests().join(name.to_string()),
            Part::Log(name, _) => name.path(&dir.log()),
            Part::Object(id, _) => dir.object(*id),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Part::Manifest(_) => 0,
            Part::Log(name, end) => end - name.start,
            Part::Object(_, bytes) => *bytes,
        }
    }
}
