//! Decides which history a name and a time mean (rule S22). Pure.

use std::collections::BTreeSet;

use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Incarnation, Timeline};

use super::lives::{DatabaseLives, Lives};
use super::map::History;
use super::tenure::Tenure;
use crate::time_text::format;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The collection's name.
    pub name: &'a str,
    /// The time; `None`: the end of the history.
    pub at: Option<CommitTime>,
    /// The timeline that the history ends with, where the user names one.
    pub timeline: Option<Timeline>,
}

/// The history that a name means.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The history.
    pub history: History,
    /// The life that its newest timeline belongs to, where that is known.
    pub incarnation: Option<Incarnation>,
    /// The database that this life is of, where that is known.
    pub database: Option<Timeline>,
    /// When the life lost the name; `None`: it holds it.
    pub until: Option<CommitTime>,
    /// What the user should know of the choice.
    pub warnings: Vec<String>,
}

/// A life that is a candidate.
struct Pick<'a> {
    lives: &'a DatabaseLives,
    tenure: &'a Tenure,
    history: History,
}

/// Finds the history that is wanted: the life that holds the name now (or held it last), along its ancestry; where that life began after the
/// time, the life that held the name then; a timeline that is named beats all that.
///
/// # Errors
/// `NotFound` when nobody held the name, or nobody at that time; `Conflict` when collections of several databases hold it, naming their timelines;
/// `Incomplete` or `Corrupt` when descriptions that are needed are missing or damaged.
pub fn resolve(lives: &Lives, wanted: &Wanted<'_>) -> Result<Resolved> {
    if let Some(timeline) = wanted.timeline {
        return named_timeline(lives, wanted.name, timeline);
    }
    if let Some(error) = lives.bad_catalogs.values().next() {
        return Err(error.clone().with_hint("without the catalog it is not known who held the name; --timeline names a history"));
    }
    let (mut picks, mut troubles) = (Vec::new(), Vec::new());
    for database in &lives.databases {
        match pick(lives, database, wanted) {
            Ok(found) => picks.extend(found),
            Err(error) => troubles.push(error),
        }
    }
    // A database that another one took over holds nothing any more.
    let is_over = |pick: &Pick<'_>| pick.lives.catalog.as_ref().is_some_and(|catalog| catalog.sealed);
    // So does a life whose timeline another one goes on from.
    let is_sealed = |pick: &Pick<'_>| lives.sealed.contains(&pick.history.tip());
    for gone in [&is_over as &dyn Fn(&Pick<'_>) -> bool, &is_sealed, &|pick| pick.tenure.until.is_some()] {
        if picks.iter().any(|pick| !gone(pick)) {
            picks.retain(|pick| !gone(pick));
        }
    }
    if picks.len() > 1 {
        return Err(conflict(wanted.name, &picks));
    }
    match picks.pop() {
        Some(found) => Ok(resolved(lives, wanted, found)),
        None => Err(troubles.into_iter().next().unwrap_or_else(|| nobody(lives, wanted))),
    }
}

fn pick<'a>(lives: &Lives, database: &'a DatabaseLives, wanted: &Wanted<'_>) -> Result<Option<Pick<'a>>> {
    let of_name: Vec<&Tenure> = database.tenures.iter().filter(|tenure| tenure.name == wanted.name).collect();
    let Some(newest) = of_name.last().copied() else { return Ok(None) };
    let at = wanted.at.unwrap_or(CommitTime::MAX);
    match history_of_life(lives, newest.incarnation) {
        Ok(history) if began(lives, &history) <= at => return Ok(Some(Pick { lives: database, tenure: newest, history })),
        Ok(_) => {}
        // Of the newest life the catalog alone has arrived: who asks for an earlier time means the life of then.
        Err(error) if error.kind == ErrorKind::NotFound && at < newest.from => {}
        Err(error) => return Err(error),
    }
    let Some(then) = of_name.iter().rev().find(|tenure| tenure.holds_at(at)).copied() else { return Ok(None) };
    let history = history_of_life(lives, then.incarnation)?;
    Ok(Some(Pick { lives: database, tenure: then, history }))
}

/// Gives the time at which a history's first life began; 0 when nobody says.
#[must_use]
pub fn began(lives: &Lives, history: &History) -> CommitTime {
    let first = lives.timelines.good.get(&history.root()).and_then(|root| root.incarnation);
    first.and_then(|first| lives.began(first)).unwrap_or(0)
}

/// Gives the history of a life: up to the newest timeline that it wrote.
///
/// # Errors
/// `NotFound` when the archive holds nothing of this life; `Incomplete` or `Corrupt` when descriptions are missing or damaged.
pub fn history_of_life(lives: &Lives, incarnation: Incarnation) -> Result<History> {
    let mut tips = lives.timelines.tips_of(incarnation);
    if tips.is_empty() {
        let backed_up = lives.snapshots.good.iter().rev().find(|held| held.file.incarnation == incarnation);
        tips.extend(backed_up.map(|held| held.file.position.timeline));
    }
    let mut histories = tips.iter().map(|tip| lives.timelines.history(*tip)).collect::<Result<Vec<_>>>()?;
    // The one that is written, or else the one that began last.
    histories.sort_by_key(|history| (!lives.sealed.contains(&history.tip()), history.spans.last().map(|span| span.from), history.tip()));
    histories.pop().ok_or_else(|| {
        Error::not_found("the archive holds nothing of this collection but its name")
            .with_object(incarnation.to_string())
            .with_hint("it was neither archived there (\"vectra archive enable\") nor backed up to there")
    })
}

fn named_timeline(lives: &Lives, name: &str, timeline: Timeline) -> Result<Resolved> {
    let known = lives.timelines.good.contains_key(&timeline) || lives.timelines.bad.contains_key(&timeline);
    if !known {
        return Err(Error::not_found(format!("the archive holds no timeline {timeline}"))
            .with_object(timeline.to_string())
            .with_hint(hint_of_timelines(lives, name)));
    }
    let history = lives.timelines.history(timeline)?;
    let file = &lives.timelines.good[&timeline];
    let names = file.incarnation.map(|incarnation| lives.names_of(incarnation)).unwrap_or_default();
    if !names.is_empty() && !names.contains(name) {
        let names = names.into_iter().collect::<Vec<_>>().join("\", \"");
        return Err(Error::not_found(format!("timeline {timeline} is of \"{names}\", not of \"{}\"", name.escape_debug()))
            .with_object(name)
            .with_hint(hint_of_timelines(lives, name)));
    }
    Ok(Resolved { history, incarnation: file.incarnation, database: file.database, until: None, warnings: Vec::new() })
}

fn hint_of_timelines(lives: &Lives, name: &str) -> String {
    let tenures = lives.databases.iter().flat_map(|database| &database.tenures).filter(|tenure| tenure.name == name);
    let incarnations: BTreeSet<Incarnation> = tenures.map(|tenure| tenure.incarnation).collect();
    let own = lives.timelines.good.values().filter(|file| file.incarnation.is_some_and(|life| incarnations.contains(&life)));
    let ids: Vec<String> = own.map(|file| file.timeline.to_string()).collect();
    if ids.is_empty() {
        format!("no timeline of \"{}\" is there", name.escape_debug())
    } else {
        format!("its timelines: {}", ids.join(", "))
    }
}

fn resolved(lives: &Lives, wanted: &Wanted<'_>, found: Pick<'_>) -> Resolved {
    let mut warnings = Vec::new();
    let then = wanted.at.and_then(|at| found.lives.tenures.iter().find(|tenure| tenure.name == wanted.name && tenure.holds_at(at)));
    if let Some(then) = then.filter(|then| then.incarnation != found.tenure.incarnation)
        && let Ok(abandoned) = history_of_life(lives, then.incarnation)
    {
        warnings.push(format!(
            "at that time \"{}\" was written on timeline {}, which was left since; --timeline {} restores what it held",
            wanted.name,
            abandoned.tip(),
            abandoned.tip()
        ));
    }
    let tip = lives.timelines.good.get(&found.history.tip());
    Resolved {
        database: tip.and_then(|file| file.database).or(found.lives.database),
        incarnation: Some(found.tenure.incarnation),
        until: found.tenure.until,
        history: found.history,
        warnings,
    }
}

fn conflict(name: &str, picks: &[Pick<'_>]) -> Error {
    let unknown = || "an unknown database".to_owned();
    let held = picks.iter().map(|pick| {
        let database = pick.lives.database.map_or_else(unknown, |id| format!("database {id}"));
        format!("timeline {} of {database} (since {})", pick.history.tip(), format(pick.tenure.from))
    });
    let held = held.collect::<Vec<_>>().join(", ");
    Error::new(ErrorKind::Conflict, format!("\"{}\" is held by collections of {} databases: {held}", name.escape_debug(), picks.len()))
        .with_object(name)
        .with_hint("choose one with --timeline")
}

fn nobody(lives: &Lives, wanted: &Wanted<'_>) -> Error {
    let name = wanted.name;
    let tenures: Vec<&Tenure> =
        lives.databases.iter().flat_map(|database| &database.tenures).filter(|tenure| tenure.name == name).collect();
    if tenures.is_empty() {
        if let Some(error) = lives.timelines.bad.values().next() {
            return error.clone().with_hint(format!("what \"{}\" is may be described there", name.escape_debug()));
        }
        let names = lives.names().into_iter().collect::<Vec<_>>().join(", ");
        return Error::not_found(format!("the archive holds no collection \"{}\"", name.escape_debug()))
            .with_object(name)
            .with_hint(if names.is_empty() { "it holds none at all".to_owned() } else { format!("it holds: {names}") });
    }
    let at = wanted.at.unwrap_or(0);
    let held = tenures.iter().map(|tenure| match tenure.until {
        Some(until) => format!("from {} until before {}", format(tenure.from), format(until)),
        None => format!("since {}", format(tenure.from)),
    });
    Error::not_found(format!("no collection held the name \"{}\" at {}", name.escape_debug(), format(at)))
        .with_object(name)
        .with_hint(format!("one held it {}", held.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests;
