//! Restores a state as a new life of a name: everything checked and durable first, visible by one entry of the catalog.

use std::path::Path;
use std::sync::Arc;

use engine::catalog::Origin;
use engine::clock::CommitClock;
use engine::collection::snapshot::LogRange;
use engine::collection::{OpenOptions, RangeSources};
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Incarnation, Timeline};
use engine::install::Installer;
use engine::{Collection, Database};
use platform::World;
use platform::object_store::ObjectStore;

use super::aim::{Aim, aim};
use super::fetch::fetch_into;
use super::fetch_plan::{FetchPlan, RangeFetch};
use super::plan::RestorePoint;
use super::probe::probe;
use super::report::{DryRun, IndexState, RestoreReport};
use super::request::{Claimed, Finish, RestoreRequest};
use crate::Progress;
use crate::backup::format::IndexDescription;
use crate::lazy::{ArchiveRanges, Hold, Lazy, Stay};

/// Bytes a second that the duration of a restore is estimated with: a slow disk, every byte hashed.
const EXPECTED_BYTES_PER_SECOND: u64 = 200 << 20;

/// Says what a restore would do; writes nothing.
///
/// # Errors
/// As [`restore`], as far as it is known before a byte is fetched.
pub fn dry_run(database: &Database, store: &Arc<dyn ObjectStore>, request: &RestoreRequest<'_>) -> Result<DryRun> {
    let order = Order::of(request);
    order.check_target(database)?;
    let aim = aim(store, request, true)?;
    check_space(database, &[&order.needed(&aim)])?;
    Ok(describe(&order, aim))
}

/// Says what carrying an order out would do.
pub(super) fn describe(order: &Order<'_>, aim: Aim) -> DryRun {
    DryRun {
        collection: order.target.to_owned(),
        objects: aim.plan.object_count(),
        bytes: aim.plan.bytes,
        expected_seconds: aim.plan.bytes as f64 / EXPECTED_BYTES_PER_SECOND as f64,
        lsn: aim.point.position.lsn,
        commit_time: aim.point.position.commit_time,
        next_time: aim.next_time,
        source_timeline: aim.point.position.timeline,
        window: aim.window,
        snapshot_id: aim.snapshot_id,
        warnings: aim.warnings,
    }
}

/// Restores a state. When this returns the collection is durable and has answered; after any failure nothing of it is visible.
///
/// # Errors
/// `Exists` when the target exists and is not to be replaced, `NotFound` when the source holds no archive, no such backup, name, timeline or time (with
/// the nearest ones), `Conflict` when the name means collections of several databases, `Incomplete` when a part of it is missing, `Corrupt` naming
/// what is damaged, `NewerFormat`, `NoSpace` before the first byte when the disk is too small, `Locked` on a database open for reading,
/// `Unreachable`, `Io`.
///
/// # Panics
/// When an invariant is broken.
pub fn restore(
    database: &Database,
    store: &Arc<dyn ObjectStore>,
    request: &RestoreRequest<'_>,
    progress: Progress<'_>,
) -> Result<RestoreReport> {
    let began = database.world().clock.monotonic_micros();
    let order = Order::of(request);
    order.check_target(database)?;
    let aim = aim(store, request, false)?;
    check_space(database, &[&order.needed(&aim)])?;
    order.carry_out(database, aim, began, progress)
}

/// What is done with a state once it was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    /// The name in the source.
    pub name: &'a str,
    /// The name here.
    pub target: &'a str,
    pub replace: bool,
    pub threads: usize,
    pub claimed: Option<Claimed>,
    pub finish: Option<Finish<'a>>,
    pub lazy: Option<Lazy<'a>>,
}

impl<'a> Order<'a> {
    fn of(request: &'a RestoreRequest<'_>) -> Self {
        Order {
            name: request.name,
            target: request.target_name(),
            replace: request.replace,
            threads: request.threads,
            claimed: request.claimed,
            finish: request.finish,
            lazy: request.lazy,
        }
    }

    /// Splits what a state needs into what is fetched now and the stretches of the log that stay: whole files that the manifest covers.
    fn split(&self, aim: &Aim) -> (FetchPlan, Vec<RangeFetch>) {
        let mut now = aim.plan.clone();
        let mut away = Vec::new();
        if self.lazy.is_some() {
            let is_covered = |range: &RangeFetch| {
                let LogRange { timeline, start, end, .. } = range.entry;
                aim.manifest.log.iter().any(|file| (file.timeline, file.start, file.end) == (timeline, start, end))
            };
            (away, now.ranges) = now.ranges.into_iter().partition(is_covered);
            now.bytes -= away.iter().map(|range| range.entry.end - range.entry.start).sum::<u64>();
        }
        (now, away)
    }

    /// What a state needs room for in the end.
    fn needed(&self, aim: &Aim) -> FetchPlan {
        let stays = self.lazy.is_some_and(|lazy| lazy.stay != Stay::UntilBrought);
        if stays { self.split(aim).0 } else { aim.plan.clone() }
    }

    /// Checks that the name here is free, or may be taken.
    pub fn check_target(&self, database: &Database) -> Result<()> {
        if self.replace && database.state().collections.contains_key(self.target) {
            return Ok(());
        }
        database.check_free(self.target).map_err(|error| match error.kind {
            ErrorKind::Exists => error.with_hint("--new-collection-name gives it another name, --replace swaps the collection atomically"),
            _ => error,
        })
    }

    /// Makes the collection exist.
    pub fn carry_out(&self, database: &Database, mut aim: Aim, began: u64, progress: Progress<'_>) -> Result<RestoreReport> {
        let World { clock, random, .. } = database.world();
        let (now, away) = self.split(&aim);
        let lazy = self.lazy.filter(|_| !away.is_empty());
        let hold = lazy.map(|lazy| Hold::begin(database.world(), &aim.plan, &away, lazy, self.target, &mut aim.warnings));
        let source = hold.as_ref().zip(lazy).map(|(hold, lazy)| (hold.source.as_str(), lazy.stay != Stay::UntilBrought));
        let drawn = Incarnation::draw(&**random);
        let incarnation = self.claimed.map_or(drawn, |claimed| claimed.incarnation);
        // Until the catalog names it, or it failed and was removed.
        let _arriving = database.arrive(incarnation);
        let files = Files { now: &now, away: &away, source };
        let (timeline, points, state) = install(database, self, &aim, &files, incarnation, progress)?;
        let answered = seconds_since(began, clock.monotonic_micros());
        let position = aim.point.position;
        let origin = Origin::Restored { name: self.name.to_owned(), timeline: position.timeline, lsn: position.lsn };
        database.adopt(self.target, incarnation, origin, self.replace)?;
        if let Some(hold) = hold {
            hold.keep();
        }
        let (aliases, aliases_left) = bring_back_aliases(database, self, &aim.aliases)?;
        Ok(RestoreReport {
            collection: self.target.to_owned(),
            points,
            bytes: now.bytes,
            bytes_away: aim.plan.bytes - now.bytes,
            lsn: position.lsn,
            commit_time: position.commit_time,
            next_time: aim.next_time,
            timeline,
            source_timeline: position.timeline,
            index: state,
            first_answer_s: answered,
            full_speed_s: (away.is_empty() && state != IndexState::Differs).then_some(answered),
            seconds: seconds_since(began, clock.monotonic_micros()),
            aliases,
            aliases_left,
            snapshot_id: aim.snapshot_id,
            gap: aim.gap,
            warnings: aim.warnings,
        })
    }
}

/// The files of a state: those that are fetched, and those that are not.
struct Files<'a> {
    now: &'a FetchPlan,
    away: &'a [RangeFetch],
    /// What the marker says of those that are not, and whether they stay there.
    source: Option<(&'a str, bool)>,
}

impl Files<'_> {
    fn put(&self, mut installer: Installer, threads: usize, progress: Progress<'_>) -> Result<Installer> {
        if let Some((source, keep)) = self.source {
            installer.set_source(source, keep);
            for RangeFetch { entry, .. } in self.away {
                installer.begin_lazy_log(entry.timeline, entry.start, entry.end)?;
            }
        }
        fetch_into(self.now, &mut installer, threads, progress)?;
        Ok(installer)
    }
}

fn seconds_since(began: u64, now: u64) -> f64 {
    now.saturating_sub(began) as f64 / 1e6
}

/// Checks that the disk has room for all of several states, one beside the other.
pub(super) fn check_space(database: &Database, plans: &[&FetchPlan]) -> Result<()> {
    let needed = plans.iter().fold(0_u64, |sum, plan| {
        let files = plan.ranges.len() + plan.objects.len() + 2;
        sum.saturating_add(plan.bytes).saturating_add(Installer::overhead(files))
    });
    let world = database.world();
    // A dry run may mean a database that nobody has made yet: its disk is that of the directory above.
    let exists = |dir: &&Path| matches!(world.fs.metadata(dir), Ok(Some(_)));
    let dir = database.dir().ancestors().find(exists).unwrap_or(Path::new("."));
    let free = world.fs.available_bytes(dir)?;
    if free >= needed {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NoSpace, "the disk is too small for this; nothing was written")
        .with_file(database.dir())
        .with_expected(format!("{needed} bytes free"), format!("{free} bytes"))
        .with_hint("free space, or run \"vectra collections purge\" to give back dropped collections at once"))
}

/// Puts the files of the new life together, durably; on failure none of them stays. Gives its timeline, the number of its points, and
/// what is to be said of its index.
fn install(
    database: &Database,
    order: &Order<'_>,
    aim: &Aim,
    files: &Files<'_>,
    incarnation: Incarnation,
    progress: Progress<'_>,
) -> Result<(Timeline, u64, IndexState)> {
    let world = database.world();
    let root = database.collection_dir(incarnation);
    let point = &aim.point;
    let ranges = Arc::new(ArchiveRanges::of(aim.plan.archives.iter().map(|(archive, _)| archive.store.clone()).collect()));
    let sources = RangeSources::new(move |_| Ok(ranges.clone()));
    let installed = Installer::begin(world, root.clone(), incarnation).and_then(|installer| {
        let installer = files.put(installer, order.threads, progress)?;
        let timeline = order.claimed.map_or_else(|| Timeline::draw(&*world.random), |claimed| claimed.timeline);
        installer.finish_on(timeline, &aim.manifest, &point.ancestry, point.position.lsn)?;
        // Opened and asked before anybody can see it: what does not answer never replaces what does.
        let clock = Arc::new(CommitClock::new(world.clock.clone()));
        let collection = Collection::open_read_with(world, order.name, &root, incarnation, &clock, Some(&sources))?;
        check_restored(&collection, point)?;
        probe(&collection)?;
        let points = collection.version().points;
        let state = index_state(&collection, aim);
        drop(collection);
        let points = order.finish.map_or(Ok(points), |finish| finish_with(world, order, &root, incarnation, sources.clone(), finish))?;
        Ok((timeline, points, state))
    });
    if installed.is_err() {
        // Nobody ever saw it; what cannot be removed now is cleared away at the next open.
        let _ = world.fs.remove_dir_all(&root);
    }
    installed
}

/// Compares the index that came with what the configuration asks for (A26).
fn index_state(collection: &Collection, aim: &Aim) -> IndexState {
    match collection.version().has_other_indexes() {
        true => IndexState::Differs,
        false if IndexDescription::of(&aim.manifest).has_graph() => IndexState::Kept,
        false => IndexState::None,
    }
}

/// Opens what nobody sees yet for writing, and lets the work on it be done; gives the number of its points.
fn finish_with(
    world: &World,
    order: &Order<'_>,
    root: &Path,
    incarnation: Incarnation,
    sources: RangeSources,
    finish: Finish<'_>,
) -> Result<u64> {
    let clock = Arc::new(CommitClock::new(world.clock.clone()));
    let options = OpenOptions { ranges: Some(sources), ..OpenOptions::default() };
    let collection = Collection::open(world, order.name, root, incarnation, &clock, options)?;
    finish.0(&collection)?;
    collection.close()?;
    Ok(collection.version().points)
}

/// Gives aliases back that are free, under the original name only (A27).
fn bring_back_aliases(database: &Database, order: &Order<'_>, aliases: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let (mut back, mut left) = (Vec::new(), Vec::new());
    for alias in aliases {
        let state = database.state();
        let free = !state.aliases.contains_key(alias) && !state.collections.contains_key(alias);
        if order.target == order.name && free {
            database.set_alias(alias, order.target)?;
            back.push(alias.clone());
        } else {
            left.push(alias.clone());
        }
    }
    Ok((back, left))
}

fn check_restored(collection: &Collection, point: &RestorePoint) -> Result<()> {
    let version = collection.version();
    let counts = (version.points, version.points_with_payload);
    let expected = point.counts.unwrap_or(counts);
    if counts == expected && version.lsn_end == point.position.lsn && version.commit_time == point.position.commit_time {
        return Ok(());
    }
    Err(Error::corrupt("the restored collection is not the state that was to be restored").with_object(collection.name()).with_expected(
        format!("{} points at {}", expected.0, point.position.lsn),
        format!("{} points at {}", version.points, version.lsn_end),
    ))
}
