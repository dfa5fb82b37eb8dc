//! Runs a drill: restores, compares, measures, clears away, and keeps the report, whatever happens on the way.

use std::path::Path;
use std::sync::Arc;

use engine::collection::{TargetRecall, Version};
use engine::database::DatabaseOptions;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::CommitTime;
use engine::schema::check_name;
use engine::{Database, PointId};
use platform::World;
use platform::object_store::ObjectStore;
use platform::random::Stream;

use super::compare::{Answer, Evidence, compare, judge_recall, nothing};
use super::history::{self, Entry};
use super::lag::{Lag, lag_of};
use super::reference::{Kin, has_same_index, read_again};
use super::report::{Check, DrillReport, Drilled, Failed, Outcome, REPORT_VERSION, Restored, Rpo, Rto, Verdict};
use super::request::{DrillRequest, DrillTarget};
use super::scratch::Place;
use crate::Progress;
use crate::answers::{Asked, Effort, ask, content_of, digest_of, draw, recall};
use crate::archive::base::read_base;
use crate::archive::pin::ReaderPin;
use crate::archive::{Archive, Listing};
use crate::backup::held::{is_about_content, read_snapshot};
use crate::restore::aim::aim;
use crate::restore::{RestoreReport, RestoreRequest, Target, restore};

/// Queries that are asked of what was restored.
const QUERIES: usize = 100;

/// Runs a drill for a data directory: what is restored lies below it, and so does the report.
///
/// # Errors
/// `Exists` when the scratch name is taken, `InvalidInput` when it cannot be one, `Locked` while another drill runs, `Io` or `NoSpace` when not even a
/// place for it can be made. Whatever goes wrong later is in the report, and given beside it.
pub fn run(
    world: &World,
    data_dir: &Path,
    store: &Arc<dyn ObjectStore>,
    request: &DrillRequest<'_>,
    progress: Progress<'_>,
) -> Result<Drilled> {
    let began = world.clock.monotonic_micros();
    let mut report = begin(world, request)?;
    let (place, left) = Place::begin(world, data_dir, &report)?;
    for dead in left {
        history::keep(world, data_dir, &Entry::Drill(Box::new(dead)))?;
    }
    let earlier = history::read(world, data_dir).unwrap_or_default();
    let drill = Drill { world, store, request, place: &place, earlier: &earlier };
    let done = drill.attempt(&mut report, progress);
    // What is stopped fails somewhere on its way: the reason is what counts.
    let error = done.and(place.remove()).err().map(|error| (request.stopped)().unwrap_or(error));
    report.finished = world.clock.wall_micros();
    report.seconds = world.clock.monotonic_micros().saturating_sub(began) as f64 / 1e6;
    let error = conclude(&mut report, error);
    if let Err(unkept) = history::keep(world, data_dir, &Entry::Drill(Box::new(report.clone()))) {
        report.warnings.push(format!("the report could not be kept in the data directory: {unkept}"));
    }
    Ok(Drilled { report, error })
}

/// Begins the report: as it stays if nothing else is ever written.
fn begin(world: &World, request: &DrillRequest<'_>) -> Result<DrillReport> {
    let (id, started) = history::draw_id(world);
    let scratch_name = request.scratch_name.map_or_else(|| format!("drill-{:08x}", world.random.u64() as u32), str::to_owned);
    check_name(&scratch_name)?;
    if (request.is_taken)(&scratch_name) {
        let message = format!("\"{}\" exists already: a drill never takes a name that does", scratch_name.escape_debug());
        return Err(Error::new(ErrorKind::Exists, message)
            .with_object(&scratch_name)
            .with_hint("leave --scratch-name out, or give another one"));
    }
    Ok(DrillReport {
        format: REPORT_VERSION,
        kind: "drill".to_owned(),
        id,
        started,
        finished: started,
        seconds: 0.0,
        outcome: Outcome::Interrupted,
        collection: request.name.to_owned(),
        source: request.source.to_owned(),
        target: request.target.word().to_owned(),
        to_time: None,
        scratch_name,
        seed: world.random.u64() >> 11,
        restored: None,
        recall: None,
        rpo: None,
        rto: None,
        checks: Vec::new(),
        misses: Vec::new(),
        failed: None,
        warnings: Vec::new(),
    })
}

/// Says how a drill ended, and gives what its caller should fail with.
fn conclude(report: &mut DrillReport, error: Option<Error>) -> Option<Error> {
    let missed = report.checks.iter().filter(|check| check.result == Verdict::Missed);
    report.misses = missed.map(in_words).collect();
    if let Some(error) = error {
        let is_stop = matches!(error.kind, ErrorKind::Interrupted | ErrorKind::Timeout);
        report.outcome = if is_stop { Outcome::Interrupted } else { Outcome::Failed };
        let failed = Failed { kind: error.kind.name().to_owned(), message: error.to_string(), hint: error.hint.clone() };
        report.failed = Some(failed);
        return Some(error);
    }
    let Some(first) = report.misses.first() else {
        report.outcome = Outcome::Passed;
        return None;
    };
    report.outcome = Outcome::Missed;
    let more = if report.misses.len() == 1 { String::new() } else { format!(" (and {} more)", report.misses.len() - 1) };
    let message = format!("the drill of \"{}\" found a difference: {first}{more}", report.collection.escape_debug());
    let hint = format!("\"vectra drill show {}\" has all of it; do not rely on this source before it is understood", report.id);
    Some(Error::new(ErrorKind::Missed, message).with_object(&report.collection).with_hint(hint))
}

fn in_words(check: &Check) -> String {
    let Check { check, with, expected, got, detail, .. } = check;
    let seen = match (expected, got) {
        (Some(expected), Some(got)) => format!(": expected {expected}, got {got}"),
        _ => String::new(),
    };
    let detail = detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{check} against {with}{seen}{detail}")
}

/// A question to a collection.
struct Question {
    point: PointId,
    vector: String,
    effort: Effort,
    exactly: bool,
}

/// A drill on its way.
struct Drill<'a> {
    world: &'a World,
    store: &'a Arc<dyn ObjectStore>,
    request: &'a DrillRequest<'a>,
    place: &'a Place,
    earlier: &'a history::History,
}

impl Drill<'_> {
    /// Does all of it, and writes down what is known as soon as it is.
    fn attempt(&self, report: &mut DrillReport, progress: Progress<'_>) -> Result<()> {
        let request = self.request;
        let archive = Archive::open(self.store)?;
        let pin = ReaderPin::begin(&archive, self.world, "a drill");
        if let Err(error) = &pin {
            report.warnings.push(format!("the archive must not be pruned meanwhile, it cannot be told: {error}"));
        }
        let lag = request.live.and_then(|live| lag_of(self.world, live).ok());
        let drawn = self.draw_snapshot(&archive, report.seed)?;
        let target = match (request.target, &drawn) {
            (DrillTarget::Newest, _) => Target::Snapshot(None),
            (DrillTarget::Latest, _) => Target::Latest,
            (DrillTarget::Time(time), _) => Target::Time(time),
            (DrillTarget::Random, Some(id)) => Target::Snapshot(Some(id)),
            (DrillTarget::Random, None) => Target::Time(self.draw_time(report.seed)?),
        };
        report.to_time = if let Target::Time(time) = target { Some(time) } else { None };
        let options = DatabaseOptions { accept_clock: true, ..DatabaseOptions::default() };
        let database = Database::open(self.world, &self.place.database(), options)?;
        let restoring = RestoreRequest {
            name: request.name,
            target,
            new_name: Some(&report.scratch_name),
            candidates: request.candidates.copy(),
            threads: request.threads,
            ..RestoreRequest::default()
        };
        let restored = restore(&database, self.store, &restoring, progress)?;
        report.warnings.extend(restored.warnings.iter().cloned());
        let per_second = restored.bytes as f64 / restored.seconds.max(1e-6);
        let (first_answer_s, full_speed_s, total_s) = (restored.first_answer_s, restored.full_speed_s, restored.seconds);
        // Whole: a report says the same when it is read again.
        report.rto = Some(Rto { first_answer_s, full_speed_s, total_s, bytes_per_second: per_second.round() });
        let kin = Kin::of(request.live, &restored);
        report.rpo = Some(self.rpo(&restored, kin, lag));
        report.restored = Some(describe(&archive, &restored, kin, report)?);
        let collection = database.collection(&report.scratch_name)?;
        let version = collection.version();
        self.compare_all(&archive, &restored, kin, &version, report)
    }

    /// Chooses a backup at random where the source holds nothing else of the name.
    fn draw_snapshot(&self, archive: &Archive, seed: u64) -> Result<Option<String>> {
        if self.request.target != DrillTarget::Random || !Listing::read(&*archive.store)?.bases.is_empty() {
            return Ok(None);
        }
        let mut snapshots = crate::backup::list(self.store)?.snapshots;
        snapshots.retain(|snapshot| snapshot.collection == self.request.name);
        let chosen = (!snapshots.is_empty()).then(|| Stream::new(seed).below(snapshots.len() as u64) as usize);
        Ok(chosen.map(|number| snapshots.swap_remove(number).snapshot_id))
    }

    /// Chooses a moment at random, of all those that the history of the name can be restored to.
    fn draw_time(&self, seed: u64) -> Result<CommitTime> {
        let candidates = self.request.candidates.copy();
        let newest = RestoreRequest { name: self.request.name, target: Target::Latest, candidates, ..RestoreRequest::default() };
        let window = aim(self.store, &newest, true)?.window;
        assert!(window.from <= window.to, "a window begins before it ends");
        Ok(window.from + Stream::new(seed).below((window.to - window.from).saturating_add(1)))
    }

    fn rpo(&self, restored: &RestoreReport, kin: Kin, lag: Option<Lag>) -> Rpo {
        let live = match kin {
            Kin::None => None,
            Kin::Same => Some(restored.commit_time),
            Kin::Newer(newest) => Some(newest),
        };
        let newest = restored.gap.newest_known_time.max(live.unwrap_or(0));
        let is_past = matches!(self.request.target, DrillTarget::Time(_) | DrillTarget::Random);
        let (seconds, measured) = match (is_past, live.and(lag)) {
            (true, Some(lag)) => (lag.seconds, "archive_lag"),
            (true, None) => (None, "archive_lag"),
            (false, _) => (Some(newest.saturating_sub(restored.commit_time) as f64 / 1e6), "newest_write"),
        };
        let known = live.is_none_or(|live| live <= restored.gap.newest_known_time);
        let missing_records = restored.gap.missing_records.filter(|_| known);
        Rpo { seconds, measured: measured.to_owned(), newest_known_time: Some(newest), missing_records }
    }

    /// Compares with everything that there is to compare with.
    fn compare_all(
        &self,
        archive: &Archive,
        restored: &RestoreReport,
        kin: Kin,
        version: &Version,
        report: &mut DrillReport,
    ) -> Result<()> {
        let content = content_of(version, self.request.stopped)?;
        if let Some(restored) = &mut report.restored {
            restored.content = Some(content.digest);
        }
        let seen = Evidence { counts: Some((content.points, content.points_with_payload)), content: Some(content.digest), answers: None };
        report.checks.extend(self.compare_recorded(archive, restored, version, &seen)?);
        let target = TargetRecall::new(((self.request.recall_min + 1.0) / 2.0).min(1.0))?;
        let points = draw(version, report.seed, QUERIES)?;
        let question = |(number, point): (usize, &engine::collection::PointView)| {
            let (vector, _) = point.vectors.get(number % point.vectors.len().max(1))?;
            Some(Question { point: point.id, vector: vector.clone(), effort: Effort::Recall(target), exactly: true })
        };
        let questions: Vec<Question> = points.iter().enumerate().filter_map(question).collect();
        let (asked, answers) = self.ask_all(version, &questions)?;
        let found = recall(&asked);
        report.recall = (found.1 > 0).then(|| f64::from(found.0) / f64::from(found.1));
        report.checks.push(judge_recall(found, self.request.recall_min));
        report.checks.extend(self.compare_earlier(restored, &seen));
        self.compare_reference(restored, kin, version, Evidence { answers: Some(answers), ..seen }, report)
    }

    /// Compares with what was recorded when the state was saved.
    fn compare_recorded(&self, archive: &Archive, restored: &RestoreReport, version: &Version, seen: &Evidence) -> Result<Vec<Check>> {
        let (with, expected) = match &restored.snapshot_id {
            Some(id) => {
                let file = read_snapshot(archive, id)?.file;
                let answers = file.answers.as_ref().map(Answer::recorded);
                ("backup", Evidence { counts: Some((file.points, file.points_with_payload)), content: None, answers })
            }
            None => ("archive", Evidence { answers: answers_of_base(archive, restored, version)?, ..Evidence::default() }),
        };
        let Some(wanted) = &expected.answers else {
            let mut checks = compare(with, &expected, seen);
            checks.push(nothing("answers", with, "no answers were recorded for this position"));
            return Ok(checks);
        };
        let question = |wanted: &Answer| Question {
            point: wanted.point,
            vector: wanted.vector.clone(),
            effort: Effort::Candidates(wanted.candidates),
            exactly: wanted.exact.is_some(),
        };
        let (_, answers) = self.ask_all(version, &wanted.iter().map(question).collect::<Vec<_>>())?;
        Ok(compare(with, &expected, &Evidence { answers: Some(answers), ..seen.clone() }))
    }

    /// Compares with the newest drill of the same position that passed.
    fn compare_earlier(&self, restored: &RestoreReport, seen: &Evidence) -> Vec<Check> {
        let is_same = |other: &&Restored| (other.timeline, other.lsn) == (restored.source_timeline, restored.lsn);
        let passed = self.earlier.drills().filter(|drill| drill.outcome == Outcome::Passed);
        let earlier = passed.filter_map(|drill| drill.restored.as_ref()).find(is_same);
        earlier.map_or_else(Vec::new, |other| compare("earlier", &Evidence { content: other.content, ..Evidence::default() }, seen))
    }

    /// Compares with the collection here where it stands at the same position, and otherwise with a second reading of the source.
    fn compare_reference(&self, restored: &RestoreReport, kin: Kin, here: &Version, got: Evidence, report: &mut DrillReport) -> Result<()> {
        let again;
        let (with, version) = match self.request.live.filter(|_| kin == Kin::Same) {
            Some(live) => ("live", live.version()),
            None => {
                again = read_again(self.world, &self.place.reference(), self.store, self.request, restored)?;
                ("as_of", again.1.version())
            }
        };
        let content = content_of(&version, self.request.stopped)?;
        let question = |answer: &Answer| Question {
            point: answer.point,
            vector: answer.vector.clone(),
            effort: Effort::Candidates(answer.candidates),
            exactly: false,
        };
        let questions: Vec<Question> = got.answers.iter().flatten().map(question).collect();
        let answers = if has_same_index(here, &version) { Some(self.ask_all(&version, &questions)?.1) } else { None };
        if answers.is_none() {
            report.checks.push(nothing("answers", with, "its index was built anew since"));
        }
        let counts = Some((content.points, content.points_with_payload));
        let expected = Evidence { counts, content: Some(content.digest), answers };
        // Nobody compares with every vector twice: that the nearest are found is another check.
        report.checks.extend(compare(with, &expected, &got).into_iter().filter(|check| check.check != "exact"));
        Ok(())
    }

    /// Asks each question; a point that is not there gives no answer.
    fn ask_all(&self, version: &Version, questions: &[Question]) -> Result<(Vec<Asked>, Vec<Answer>)> {
        let (mut all, mut answers) = (Vec::with_capacity(questions.len()), Vec::with_capacity(questions.len()));
        for question in questions {
            if let Some(reason) = (self.request.stopped)() {
                return Err(reason);
            }
            let Some(point) = version.point(&question.point, true)? else { continue };
            if let Some(asked) = ask(version, &point, &question.vector, question.effort, question.exactly)? {
                answers.push(Answer::of(&asked, digest_of(&point)));
                all.push(asked);
            }
        }
        assert_eq!(all.len(), answers.len(), "an answer belongs to each question");
        Ok((all, answers))
    }
}

/// Describes what was restored.
fn describe(archive: &Archive, restored: &RestoreReport, kin: Kin, report: &DrillReport) -> Result<Restored> {
    let pinned = match &restored.snapshot_id {
        Some(id) => Some(read_snapshot(archive, id)?.file.pin_time),
        None => None,
    };
    let proven_until = match (restored.next_time, kin) {
        (Some(next), _) => next.saturating_sub(1),
        (None, Kin::Same) => report.started,
        (None, _) => pinned.or(report.to_time).unwrap_or(0),
    };
    Ok(Restored {
        snapshot_id: restored.snapshot_id.clone(),
        points: restored.points,
        bytes: restored.bytes,
        lsn: restored.lsn,
        commit_time: restored.commit_time,
        timeline: restored.source_timeline,
        index: Restored::index_word(restored.index).to_owned(),
        content: None,
        proven_until: proven_until.max(restored.commit_time),
    })
}

/// Gives the answers that the base at this very position carries, with the objects that were restored; `None` when it carries none.
fn answers_of_base(archive: &Archive, restored: &RestoreReport, version: &Version) -> Result<Option<Vec<Answer>>> {
    let listing = Listing::read_below(&*archive.store, &format!("timelines/{}/bases/", restored.source_timeline))?;
    let names = listing.bases.get(&restored.source_timeline).into_iter().flatten().filter(|name| name.covered_lsn == restored.lsn);
    for name in names {
        let base = match read_base(archive, restored.source_timeline, *name) {
            Ok(base) => base,
            Err(error) if is_about_content(error.kind) => continue,
            Err(error) => return Err(error),
        };
        let mut held: Vec<_> = base.objects.iter().map(|object| object.id).collect();
        let mut here: Vec<_> = version.manifest.objects().map(|(id, ..)| id).collect();
        held.sort_unstable();
        here.sort_unstable();
        if held == here {
            return Ok(base.answers.as_ref().map(Answer::recorded));
        }
    }
    Ok(None)
}
