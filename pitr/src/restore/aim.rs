//! Finds what a request means: the state, where its parts are, and what is known around it. Nothing is written.

use std::sync::Arc;

use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Timeline};
use engine::manifest::{Manifest, ManifestName, Span};
use platform::object_store::ObjectStore;

use super::bases::{Base, archives_of, newest_whole};
use super::choose::{Chosen, choose};
use super::fetch::fetch_manifest;
use super::fetch_plan::{FetchPlan, plan_fetch, plan_point};
use super::gap::behind;
use super::plan::{BaseCandidate, Cut, Goal, RestorePoint, base_candidates};
use super::report::Gap;
use super::request::{RestoreRequest, Target};
use super::window::{Window, Windows, has_more, last_continuous, outside, windows, windows_of_name};
use crate::archive::{Archive, Key, Listing};
use crate::backup::format::{Position, SnapshotFile};
use crate::backup::held::{Candidates, HeldSnapshot, HeldSnapshots, Library, is_about_content};
use crate::history::resolve::{Resolved, Wanted, resolve};
use crate::history::walk::{Held, Walked, walk_operations};
use crate::history::{History, Lives};
use crate::time_text::format;
use crate::timeline::common_lsn;

/// A state that can be restored, and what is known of it.
#[derive(Debug)]
pub struct Aim {
    /// The state.
    pub point: RestorePoint,
    /// The manifest that it builds on.
    pub manifest: Manifest,
    /// What is fetched for it; nothing is missing.
    pub plan: FetchPlan,
    /// The backup that it is, where it is one.
    pub snapshot_id: Option<String>,
    /// The aliases that the collection had.
    pub aliases: Vec<String>,
    /// Commit time of the first known write that is not in it.
    pub next_time: Option<CommitTime>,
    /// Known writes that are not in it.
    pub gap: Gap,
    /// The times that can be restored; of the state alone when nobody looked around.
    pub window: Window,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Finds the state that a request means, and the window when it `looks_around`.
///
/// # Errors
/// `NotFound` when the source holds no archive, no such name, backup, timeline or time (naming the nearest), `Conflict` when the name means several
/// collections, `Incomplete` when a part is missing, naming the newest complete state before it, `Corrupt`, `NewerFormat`, those of the stores.
pub fn aim(store: &Arc<dyn ObjectStore>, request: &RestoreRequest<'_>, looks_around: bool) -> Result<Aim> {
    let archive = Archive::open(store)?;
    let listing = Arc::new(Listing::read(&**store)?);
    let Target::Snapshot(id) = request.target else {
        let lives = Lives::read(&archive, &listing)?;
        let seeker = Seeker::new(&archive, &listing, &lives, &request.candidates, request.name);
        return seeker.looking_around(looks_around).aim(request.target, request.timeline);
    };
    if request.timeline.is_some() {
        return Err(Error::new(
            ErrorKind::Usage,
            "a timeline is named together with a time, a position or the newest state, not with a backup",
        ));
    }
    match choose(&archive, &listing, request.name, id, &request.candidates) {
        Ok(chosen) => of_backup(&archive, &listing, chosen),
        Err(error) if id.is_none() && !listing.bases.is_empty() && !has_backup(&archive, &listing, request.name)? => {
            let lives = Lives::read(&archive, &listing)?;
            if !lives.names().contains(request.name) {
                return Err(error);
            }
            let seeker = Seeker::new(&archive, &listing, &lives, &request.candidates, request.name);
            seeker.looking_around(looks_around).aim(Target::Latest, None)
        }
        Err(error) => Err(error),
    }
}

/// Says whether there is a backup of a name, or one that cannot be read and may be of it.
fn has_backup(archive: &Archive, listing: &Listing, name: &str) -> Result<bool> {
    let all = HeldSnapshots::read(archive, listing)?;
    Ok(!all.bad.is_empty() || all.good.iter().any(|held| held.file.collection == name))
}

/// Adds to a backup what the archive knows around it.
fn of_backup(archive: &Archive, listing: &Listing, chosen: Chosen) -> Result<Aim> {
    let Chosen { held: HeldSnapshot { file, .. }, plan, newest_known } = chosen;
    let manifest = fetch_manifest(archive, &file)?;
    let mut warnings = Vec::new();
    let complete = newest_known <= file.position.commit_time;
    let mut gap = Gap { newest_known_time: newest_known, missing_records: complete.then_some(0), resume_token: None };
    let mut next_time = None;
    let held: Vec<Held<'_>> = plan.archives.iter().map(|(archive, listing)| Held { archive, listing }).collect();
    gap.resume_token = resume_token(&held, &file)?;
    if !listing.bases.is_empty()
        && let Some(history) = history_around(archive, listing, &file)?
    {
        let found = behind(&held, &history, file.position.lsn, &mut warnings)?;
        next_time = found.first;
        gap.newest_known_time = gap.newest_known_time.max(found.newest.unwrap_or(0));
        gap.missing_records = if gap.newest_known_time <= found.newest.unwrap_or(file.position.commit_time) { found.count } else { None };
    }
    let window = Window { from: file.position.commit_time, to: file.pin_time.max(file.position.commit_time) };
    let point = RestorePoint::of_snapshot(&file);
    Ok(Aim { point, manifest, plan, snapshot_id: Some(file.snapshot_id), aliases: file.aliases, next_time, gap, window, warnings })
}

/// Finds the history that went on from a backup: the one that its name means where that holds the backup, its own otherwise.
fn history_around(archive: &Archive, listing: &Listing, file: &SnapshotFile) -> Result<Option<History>> {
    let lives = Lives::read(archive, listing)?;
    let named = resolve(&lives, &Wanted { name: &file.collection, at: None, timeline: None }).map(|resolved| resolved.history);
    let holds = |history: &History| common_lsn(&file.ancestry, &history.spans) == file.position.lsn;
    Ok(named.ok().filter(holds).or_else(|| lives.timelines.history(file.position.timeline).ok().filter(holds)))
}

/// Finds the largest number that a client gave a write between a backup's manifest and its position; damage there is found when it is fetched.
fn resume_token(held: &[Held<'_>], file: &SnapshotFile) -> Result<Option<u64>> {
    let Some(covered) = ManifestName::parse(&file.manifest.name).map(|name| name.covered_lsn) else { return Ok(None) };
    let mut largest = None;
    let history = History { spans: file.ancestry.clone() };
    let walked = walk_operations(held, &history, covered, &mut |operation| {
        largest = largest.max(Some(operation.client_sequence).filter(|number| *number > 0));
        Ok(true)
    });
    match walked {
        Err(error) if !is_about_content(error.kind) => Err(error),
        _ => Ok(largest),
    }
}

/// Looks for the state of one name.
pub struct Seeker<'a> {
    archive: &'a Archive,
    listing: &'a Arc<Listing>,
    lives: &'a Lives,
    others: &'a Candidates<'a>,
    name: &'a str,
    library: Library,
    warnings: Vec<String>,
    looks_around: bool,
}

impl<'a> Seeker<'a> {
    /// Begins with an archive that was read.
    #[must_use]
    pub fn new(archive: &'a Archive, listing: &'a Arc<Listing>, lives: &'a Lives, others: &'a Candidates<'a>, name: &'a str) -> Self {
        let library = Library::of(archive.clone(), listing.clone());
        Seeker { archive, listing, lives, others, name, library, warnings: Vec::new(), looks_around: false }
    }

    /// Finds the window too, which takes further reads.
    #[must_use]
    pub fn looking_around(self, looks_around: bool) -> Self {
        Seeker { looks_around, ..self }
    }

    /// Finds the state of the history that the name means.
    ///
    /// # Errors
    /// As [`aim`].
    pub fn aim(mut self, target: Target<'_>, timeline: Option<Timeline>) -> Result<Aim> {
        let at = if let Target::Time(at) = target { Some(at) } else { None };
        match resolve(self.lives, &Wanted { name: self.name, at, timeline }) {
            Ok(resolved) => self.aim_along(target, resolved),
            // The name is known, and that time is none of its: the nearest that are.
            Err(error) if error.kind == ErrorKind::NotFound && self.lives.names().contains(self.name) => {
                let Some(at) = at.filter(|_| timeline.is_none()) else { return Err(error) };
                let all = windows_of_name(self.archive, &mut self.library, self.lives, self.name, self.others)?;
                Err(outside(self.name, at, &all))
            }
            Err(error) => Err(error),
        }
    }

    /// Finds the state of a history that was chosen.
    ///
    /// # Errors
    /// As [`aim`].
    pub fn aim_along(mut self, target: Target<'_>, resolved: Resolved) -> Result<Aim> {
        self.warnings.extend(resolved.warnings.iter().cloned());
        let goal = match target {
            Target::Time(at) => Goal::Time(at),
            Target::Lsn(lsn) => Goal::Lsn(lsn),
            Target::Latest | Target::Snapshot(_) => Goal::End,
        };
        if let Goal::Time(at) = goal
            && resolved.until.is_some_and(|until| until <= at)
        {
            return Err(self.outside(&resolved, at)?);
        }
        if let Some(file) = self.backup_for(goal, &resolved) {
            return self.of_snapshot(file, &resolved);
        }
        let (base, cut) = self.cut(goal, &resolved)?;
        let aliases = self.aliases_at(goal, &cut, &resolved)?;
        let mut aim = self.finish(base, cut, &resolved)?;
        aim.aliases = aliases;
        Ok(aim)
    }

    /// Where a history was not archived continuously up to its end, only its backups can be restored: finds the one that is meant.
    fn backup_for(&self, goal: Goal, resolved: &Resolved) -> Option<&'a SnapshotFile> {
        let spans = &resolved.history.spans;
        let beyond = last_continuous(self.lives, &resolved.history).map_or(0, |last| spans[last].to.unwrap_or(u64::MAX));
        let lives = self.lives;
        let of_history = lives.snapshots.good.iter().map(|held| &held.file).filter(|file| {
            file.position.lsn > beyond
                && common_lsn(&file.ancestry, spans) >= file.position.lsn
                && match goal {
                    Goal::Time(at) => file.position.commit_time <= at && at <= file.pin_time.max(file.position.commit_time),
                    Goal::Lsn(lsn) => file.position.lsn == lsn,
                    Goal::End => true,
                }
        });
        of_history.max_by_key(|file| (file.position.lsn, file.pin_time))
    }

    fn of_snapshot(mut self, file: &SnapshotFile, resolved: &Resolved) -> Result<Aim> {
        self.library.add_parents(file, self.others)?;
        if let Some(error) = file.parents.iter().find_map(|parent| self.library.missing.get(&parent.archive)) {
            return Err(error.clone());
        }
        let point = RestorePoint::of_snapshot(file);
        let plan = plan_fetch(file, &self.library);
        self.check_whole(&plan)?;
        let manifest = fetch_manifest(self.archive, file)?;
        let held: Vec<Held<'_>> = plan.archives.iter().map(|(archive, listing)| Held { archive, listing }).collect();
        let token = resume_token(&held, file)?;
        let mut aim = self.describe(point, manifest, plan.clone(), resolved, token)?;
        aim.snapshot_id = Some(file.snapshot_id.clone());
        aim.aliases.clone_from(&file.aliases);
        Ok(aim)
    }

    /// Finds the base and the cut.
    fn cut(&mut self, goal: Goal, resolved: &Resolved) -> Result<(Base, Cut)> {
        // Behind what was archived continuously there are only backups.
        let last = last_continuous(self.lives, &resolved.history);
        let continuous = last.map(|last| History { spans: resolved.history.spans[..=last].to_vec() });
        let history = match goal {
            Goal::Lsn(_) => resolved.history.clone(),
            Goal::Time(_) | Goal::End => continuous.unwrap_or_else(|| resolved.history.clone()),
        };
        if let (Goal::Time(at), None) = (goal, last) {
            return Err(self.outside(resolved, at)?);
        }
        let fits = |base: &BaseCandidate| match goal {
            Goal::Time(at) => base.name.commit_time <= at,
            Goal::Lsn(lsn) => base.name.covered_lsn <= lsn,
            Goal::End => true,
        };
        let mut candidates = base_candidates(self.listing, &self.lives.snapshots.good, &history);
        candidates.retain(fits);
        let base = newest_whole(self.archive, &mut self.library, &candidates, &history, self.others, &mut self.warnings);
        let base = match base {
            Ok(Some(base)) => base,
            Ok(None) => return Err(self.beyond(goal, resolved, 0)?),
            Err(error) => return Err(self.with_alternative(error, resolved, goal)?),
        };
        let archives = archives_of(&self.library, &base.point);
        let held: Vec<Held<'_>> = archives.iter().map(|(archive, listing)| Held { archive, listing }).collect();
        let mut cut = Cut::begin(goal, &base.manifest.file_name());
        let walked = walk_operations(&held, &history, cut.lsn, &mut |operation| Ok(cut.see(operation)))?;
        if !cut.is_proven() {
            self.check_end(goal, resolved, &history, &cut, walked)?;
        }
        if cut.lsn == 0 {
            return Err(self.beyond(goal, resolved, 0)?);
        }
        Ok((base, cut))
    }

    /// Decides whether the log ended where it was read to, or a part of it is missing.
    fn check_end(&mut self, goal: Goal, resolved: &Resolved, history: &History, cut: &Cut, walked: Walked) -> Result<()> {
        let (timeline, reached) = walked.ran_out.unwrap_or((history.tip(), cut.lsn));
        // Extents end with an operation: half of one means that its other half is missing.
        let is_cut_off = walked.at < reached || history.spans.last().is_some_and(|span| span.to.is_some_and(|to| reached < to));
        if is_cut_off || has_more(self.listing, history, reached) {
            let newest = format!("the newest complete state before it is that of {} (position {})", format(cut.commit_time), cut.lsn);
            let error = Error::new(ErrorKind::Incomplete, format!("the log from position {reached} of timeline {timeline} on is missing"));
            let error = error.with_expected(format!("log from {reached} on"), "none");
            return Err(self.archive.at(error, &Key::Extent(timeline, reached)).with_hint(newest));
        }
        match goal {
            Goal::End => Ok(()),
            Goal::Lsn(_) => Err(self.beyond(goal, resolved, cut.lsn)?),
            Goal::Time(at) => {
                let found = self.windows(resolved)?;
                if found.continuous.is_some_and(|window| window.contains(at)) { Ok(()) } else { Err(outside(self.name, at, &found)) }
            }
        }
    }

    fn windows(&mut self, resolved: &Resolved) -> Result<Windows> {
        windows(self.archive, &mut self.library, self.lives, resolved, self.others)
    }

    /// Makes the error on a time that this history, and every other one of the name, does not have.
    fn outside(&mut self, resolved: &Resolved, at: CommitTime) -> Result<Error> {
        let mut found = self.windows(resolved)?;
        let others = windows_of_name(self.archive, &mut self.library, self.lives, self.name, self.others)?;
        found.backups.extend(others.all().filter(|window| !window.contains(at)));
        Ok(outside(self.name, at, &found))
    }

    /// Makes the error on a goal that no state reaches.
    fn beyond(&mut self, goal: Goal, resolved: &Resolved, newest: u64) -> Result<Error> {
        Ok(match goal {
            Goal::Time(at) => self.outside(resolved, at)?,
            Goal::Lsn(lsn) => Error::not_found(format!("\"{}\" cannot be restored to position {lsn}", self.name.escape_debug()))
                .with_object(self.name)
                .with_expected(if newest > 0 { format!("a position up to {newest}") } else { "a later position".to_owned() }, lsn)
                .with_hint("positions are those of the history that the name means; --timeline names another one"),
            Goal::End => {
                let error = Error::new(ErrorKind::Incomplete, format!("nothing of \"{}\" is whole yet", self.name.escape_debug()));
                error.with_object(self.name).with_hint("no manifest of it is archived: let the archiver run")
            }
        })
    }

    /// Adds the nearest state that is whole to the error on one that is not.
    fn with_alternative(&mut self, error: Error, resolved: &Resolved, goal: Goal) -> Result<Error> {
        let found = self.windows(resolved)?;
        let before = match goal {
            Goal::Time(at) => found.all().filter(|window| window.from <= at).map(|window| window.to.min(at)).max(),
            _ => found.all().map(|window| window.to).max(),
        };
        Ok(match before {
            Some(before) => error.with_hint(format!("the newest complete state before it is that of {}", format(before))),
            None => error.with_hint("no complete state before it is there"),
        })
    }

    fn check_whole(&self, plan: &FetchPlan) -> Result<()> {
        let Some(first) = plan.lacks.first() else { return Ok(()) };
        let kind = if plan.lacks.iter().any(|lack| lack.is_damage) { ErrorKind::Corrupt } else { ErrorKind::Incomplete };
        let message = format!("the state is not whole: {} of {} objects are missing or cut off", plan.lacks.len(), plan.object_count());
        let error = Error::new(kind, message).with_object(&first.key).with_expected(&first.expected, &first.got);
        Err(self.archive.at(error, &Key::Other))
    }

    /// Puts base and cut together.
    fn finish(mut self, base: Base, cut: Cut, resolved: &Resolved) -> Result<Aim> {
        let Base { manifest, mut point, client_sequence } = base;
        assert!(cut.files.first().is_none_or(|file| file.start == manifest.covered_lsn), "the tail goes on where the base ends");
        point.log.extend(cut.files.iter().copied());
        point.ancestry = resolved.history.closed_at(cut.lsn);
        let timeline = point.ancestry.last().map_or(resolved.history.root(), |span: &Span| span.timeline);
        point.position = Position { timeline, lsn: cut.lsn, commit_time: cut.commit_time };
        let plan = plan_point(&point, &self.library);
        self.check_whole(&plan)?;
        let mut aim = self.describe(point, manifest, plan, resolved, cut.resume_token.or(client_sequence))?;
        aim.next_time = aim.next_time.or(cut.next_time);
        Ok(aim)
    }

    /// Gives the aliases that the name had at the time that is wanted, or last.
    fn aliases_at(&self, goal: Goal, cut: &Cut, resolved: &Resolved) -> Result<Vec<String>> {
        let Some(catalog) = resolved.database.and_then(|database| self.lives.catalog(database)) else { return Ok(Vec::new()) };
        let last = resolved.until.map_or(CommitTime::MAX, |until| until.saturating_sub(1));
        let at = match goal {
            Goal::Time(at) => at,
            Goal::Lsn(_) if cut.went_beyond => cut.commit_time,
            Goal::Lsn(_) | Goal::End => last,
        };
        Ok(catalog.state_at(at.min(last))?.aliases_of(self.name))
    }

    fn describe(
        &mut self,
        point: RestorePoint,
        manifest: Manifest,
        plan: FetchPlan,
        resolved: &Resolved,
        resume_token: Option<u64>,
    ) -> Result<Aim> {
        let position = point.position;
        let held: Vec<Held<'_>> = plan.archives.iter().map(|(archive, listing)| Held { archive, listing }).collect();
        let found = behind(&held, &resolved.history, position.lsn, &mut self.warnings)?;
        let newest_known_time = found.newest.unwrap_or(position.commit_time);
        let gap = Gap { newest_known_time, missing_records: found.count, resume_token };
        let window = match self.looks_around.then(|| self.windows(resolved)) {
            Some(Ok(windows)) => windows.around(position.commit_time),
            // What is damaged elsewhere does not stand in the way of this state.
            Some(Err(error)) if !is_about_content(error.kind) => return Err(error),
            Some(Err(_)) | None => None,
        };
        Ok(Aim {
            window: window.unwrap_or(Window { from: position.commit_time, to: position.commit_time }),
            snapshot_id: None,
            aliases: Vec::new(),
            next_time: found.first,
            warnings: std::mem::take(&mut self.warnings),
            gap,
            point,
            manifest,
            plan,
        })
    }
}
