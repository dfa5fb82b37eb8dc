//! Restores every collection of a database as it was at one instant: all checked first, then one after the other.

use std::sync::Arc;

use engine::Database;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Timeline};
use platform::object_store::ObjectStore;

use super::aim::{Aim, Seeker};
use super::report::{DryRun, RestoreReport};
use super::request::Target;
use super::run::{Order, check_space, describe};
use super::window::Window;
use crate::Progress;
use crate::archive::{Archive, Listing};
use crate::backup::held::Candidates;
use crate::history::Lives;
use crate::history::catalog::ArchivedCatalog;
use crate::history::resolve::{Resolved, history_of_life};
use crate::time_text::format;

/// What a restore of everything is to do.
#[derive(Debug, Default)]
pub struct RestoreAllRequest<'a> {
    /// The instant: a time, or the newest that is known to be complete.
    pub target: Target<'a>,
    /// The database whose collections are meant; `None`: the only one there is.
    pub database: Option<Timeline>,
    /// Drop the collections that have the names now.
    pub replace: bool,
    /// Where other archives may be.
    pub candidates: Candidates<'a>,
    /// How many threads fetch; 0 and 1: none but the caller's.
    pub threads: usize,
}

/// What a restore of everything found, before anything is written.
struct Plan {
    at: CommitTime,
    aims: Vec<(String, Aim)>,
    skipped: Vec<String>,
}

/// Says what a restore of everything would do; writes nothing.
///
/// # Errors
/// As [`restore_all`], as far as it is known before a byte is fetched.
pub fn dry_run_all(database: &Database, store: &Arc<dyn ObjectStore>, request: &RestoreAllRequest<'_>) -> Result<Vec<DryRun>> {
    let plan = plan_all(database, store, request)?;
    Ok(plan.aims.into_iter().map(|(name, aim)| describe(&order(&name, request), aim)).collect())
}

/// Restores every collection that existed at one instant, each under its own name. Names, parts and space are checked for all of them before the
/// first byte; then they become visible one after the other.
///
/// A collection that was not archived is left out, and a warning of the first report says so.
///
/// # Errors
/// `NotFound` when the instant is later than the newest closed time of the database (everything up to it is archived) or earlier than what is held,
/// `Conflict` when the archive holds several databases and none is named, `Usage` for a target that is no instant; otherwise as
/// [`super::restore`]. Collections that were restored before a failure stay.
pub fn restore_all(
    database: &Database,
    store: &Arc<dyn ObjectStore>,
    request: &RestoreAllRequest<'_>,
    progress: Progress<'_>,
) -> Result<Vec<RestoreReport>> {
    let clock = &database.world().clock;
    let plan = plan_all(database, store, request)?;
    let all: u64 = plan.aims.iter().map(|(_, aim)| aim.plan.bytes).sum();
    let (mut done, mut reports, mut skipped) = (0, Vec::with_capacity(plan.aims.len()), plan.skipped);
    for (name, mut aim) in plan.aims {
        let (began, bytes) = (clock.monotonic_micros(), aim.plan.bytes);
        aim.warnings.append(&mut skipped);
        let shown = |part: u64, _: u64| progress(done + part, all);
        reports.push(order(&name, request).carry_out(database, aim, began, &shown)?);
        done += bytes;
    }
    assert!(reports.iter().all(|report| report.commit_time <= plan.at), "nothing later than the instant was restored");
    Ok(reports)
}

fn order<'a>(name: &'a str, request: &RestoreAllRequest<'_>) -> Order<'a> {
    Order { name, target: name, replace: request.replace, threads: request.threads, claimed: None, finish: None, lazy: None }
}

fn plan_all(database: &Database, store: &Arc<dyn ObjectStore>, request: &RestoreAllRequest<'_>) -> Result<Plan> {
    let archive = Archive::open(store)?;
    let listing = Arc::new(Listing::read(&**store)?);
    let lives = Lives::read(&archive, &listing)?;
    let catalog = choose_catalog(&lives, request.database)?;
    let at = instant(catalog, request.target)?;
    let state = catalog.state_at(at)?;
    let mut plan = Plan { at, aims: Vec::new(), skipped: Vec::new() };
    for (name, life) in &state.collections {
        if !state.archives.contains_key(name) {
            plan.skipped.push(format!("\"{name}\" was not archived then and is left out"));
            continue;
        }
        order(name, request).check_target(database)?;
        let history = history_of_life(&lives, life.incarnation).map_err(|error| error.with_object(name))?;
        let incarnation = Some(life.incarnation);
        let resolved = Resolved { history, incarnation, database: Some(catalog.database), until: None, warnings: Vec::new() };
        let seeker = Seeker::new(&archive, &listing, &lives, &request.candidates, name);
        plan.aims.push((name.clone(), seeker.aim_along(Target::Time(at), resolved)?));
    }
    if plan.aims.is_empty() {
        return Err(Error::not_found(format!("no archived collection existed at {}", format(at))).with_hint(names_hint(&lives)));
    }
    check_space(database, &plan.aims.iter().map(|(_, aim)| &aim.plan).collect::<Vec<_>>())?;
    Ok(plan)
}

fn names_hint(lives: &Lives) -> String {
    format!("the archive holds: {}", lives.names().into_iter().collect::<Vec<_>>().join(", "))
}

fn choose_catalog(lives: &Lives, wanted: Option<Timeline>) -> Result<&ArchivedCatalog> {
    if let Some(error) = wanted.and_then(|wanted| lives.bad_catalogs.get(&wanted)).or_else(|| lives.bad_catalogs.values().next()) {
        return Err(error.clone());
    }
    let mut all: Vec<&ArchivedCatalog> = lives.databases.iter().filter_map(|database| database.catalog.as_ref()).collect();
    all.retain(|catalog| wanted.is_none_or(|wanted| catalog.database == wanted));
    if wanted.is_none() && all.iter().any(|catalog| !catalog.sealed) {
        all.retain(|catalog| !catalog.sealed);
    }
    match all[..] {
        [] => Err(Error::not_found("the source holds no archived catalog: which collections existed is not known")
            .with_hint("restore collections by name; \"vectra archive enable\" archives the catalog with them")),
        [catalog] => Ok(catalog),
        _ => {
            let ids = all.iter().map(|catalog| catalog.database.to_string()).collect::<Vec<_>>().join(", ");
            Err(Error::new(ErrorKind::Conflict, format!("the archive holds {} databases: {ids}", all.len())).with_hint("name one of them"))
        }
    }
}

/// Decides the instant: all of the database up to it is archived.
fn instant(catalog: &ArchivedCatalog, target: Target<'_>) -> Result<CommitTime> {
    let first = catalog.entries.first().map_or(CommitTime::MAX, |(time, _)| *time);
    let window = Window { from: first, to: catalog.closed };
    match target {
        Target::Latest | Target::Snapshot(None) if catalog.closed > 0 => Ok(catalog.closed),
        Target::Time(at) if window.contains(at) => Ok(at),
        Target::Time(at) => Err(Error::not_found(format!("the collections cannot be restored to {} together", format(at)))
            .with_expected(format!("a time from {} to {}", format(window.from), format(window.to)), format(at))
            .with_hint(format!("the nearest that can be restored: {}", format(at.clamp(window.from.min(window.to), window.to))))),
        Target::Latest | Target::Snapshot(None) => {
            Err(Error::not_found("the database never closed a time: no instant is known to be complete in all collections"))
        }
        Target::Lsn(_) | Target::Snapshot(Some(_)) => {
            Err(Error::new(ErrorKind::Usage, "several collections are restored to a time: a position or a backup is of one only"))
        }
    }
}
