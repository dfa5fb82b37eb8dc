//! Which times a history can be restored to (rule S20), and what is said of one outside.

use engine::catalog::CatalogEntry;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Lsn};
use serde::Serialize;

use super::bases::earliest;
use super::fetch_plan::plan_fetch;
use super::plan::base_candidates;
use crate::archive::base::read_base;
use crate::archive::{Archive, Listing};
use crate::archiver::ClosedFile;
use crate::backup::held::{Candidates, Library, is_about_content};
use crate::history::resolve::began;
use crate::history::walk::{Held, last_operation};
use crate::history::{History, Lives, Resolved};
use crate::time_text::format;
use crate::timeline::common_lsn;

/// The moments that a source can be restored to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The earliest.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub from: CommitTime,
    /// The latest.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub to: CommitTime,
}

impl Window {
    /// Says whether a time lies in it.
    #[must_use]
    pub fn contains(&self, at: CommitTime) -> bool {
        self.from <= at && at <= self.to
    }
}

/// Every time that a history can be restored to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows {
    /// From the oldest base to the end of what was archived continuously.
    pub continuous: Option<Window>,
    /// Of each backup, from its last operation to the moment when it was pinned; and what was archived before a gap.
    pub backups: Vec<Window>,
    /// Gaps in what was archived continuously.
    pub gaps: u64,
}

impl Windows {
    /// Lists all of them.
    pub fn all(&self) -> impl Iterator<Item = Window> + '_ {
        self.continuous.iter().chain(&self.backups).copied()
    }

    /// Says whether a time can be restored.
    #[must_use]
    pub fn contains(&self, at: CommitTime) -> bool {
        self.all().any(|window| window.contains(at))
    }

    /// Gives the window that holds a time, or else the one that reaches from the first moment to the last.
    #[must_use]
    pub fn around(&self, at: CommitTime) -> Option<Window> {
        self.all().find(|window| window.contains(at)).or_else(|| self.whole())
    }

    /// Gives the first and the last moment of all; not everything between them can be restored.
    #[must_use]
    pub fn whole(&self) -> Option<Window> {
        Some(Window { from: self.all().map(|w| w.from).min()?, to: self.all().map(|w| w.to).max()? })
    }
}

/// Finds the times that a history can be restored to.
///
/// # Errors
/// Those of the stores, `Corrupt` when a head of the log that decides is damaged.
pub fn windows(archive: &Archive, library: &mut Library, lives: &Lives, resolved: &Resolved, others: &Candidates<'_>) -> Result<Windows> {
    let history = &resolved.history;
    let until = resolved.until.map_or(CommitTime::MAX, |until| until.saturating_sub(1));
    let cut = |window: Window| (window.from <= until).then_some(Window { to: window.to.min(until), ..window });
    let (mut found, gaps) = continuous(archive, library, lives, resolved, others)?;
    let newest = found.pop();
    let mut windows = Windows { continuous: newest.and_then(cut), backups: found.into_iter().filter_map(cut).collect(), gaps };
    for held in &lives.snapshots.good {
        let file = &held.file;
        if common_lsn(&file.ancestry, &history.spans) < file.position.lsn {
            continue;
        }
        library.add_parents(file, others)?;
        let found = file.parents.iter().all(|parent| !library.missing.contains_key(&parent.archive));
        if found && plan_fetch(file, library).lacks.is_empty() {
            let to = file.pin_time.max(file.position.commit_time);
            windows.backups.extend(cut(Window { from: file.position.commit_time, to }));
        }
    }
    Ok(windows)
}

/// Gives the windows of what was archived continuously, the newest last: one, unless a log was cleaned while nobody archived it; and how many
/// gaps end one.
fn continuous(
    archive: &Archive,
    library: &mut Library,
    lives: &Lives,
    resolved: &Resolved,
    others: &Candidates<'_>,
) -> Result<(Vec<Window>, u64)> {
    let (mut windows, mut gaps) = (Vec::new(), 0);
    let Some((_, listing)) = library.get(archive.id) else { return Ok((windows, gaps)) };
    let (history, listing) = (&resolved.history, listing.clone());
    let Some(last) = last_continuous(lives, history) else { return Ok((windows, gaps)) };
    let candidates = base_candidates(&listing, &lives.snapshots.good, history);
    let mut candidates = &candidates[..];
    let held = [Held { archive, listing: &listing }];
    let newest_before = |end: Lsn| Ok::<_, Error>(last_operation(&held, history, end)?.map_or(0, |operation| operation.commit_time));
    let Some((mut first, mut begin)) = earliest(archive, library, candidates, history, others)? else { return Ok((windows, gaps)) };
    let (mut end, mut is_open) = archived_from(&listing, history, last, begin);
    while !is_open {
        gaps += 1;
        // What cleaning removed while nobody archived is in no archive: a state behind it that needs none of it begins anew.
        candidates = &candidates[candidates.partition_point(|base| base.name.covered_lsn <= end)..];
        let Some(next) = earliest(archive, library, candidates, history, others)? else { break };
        windows.push(Window { from: first.max(began(lives, history)), to: newest_before(end)? });
        (first, begin) = next;
        (end, is_open) = archived_from(&listing, history, last, begin);
    }
    // Its log begins a moment before the catalog names a collection.
    let from = first.max(began(lives, history));
    let newest = newest_before(end)?;
    let is_tip = last + 1 == history.spans.len() && ends_where_closed(archive, &listing, resolved, end)?;
    let closed = if is_open && is_tip { closed_for(lives, resolved, archived_until(archive, &listing, history)?) } else { 0 };
    let to = newest.max(closed);
    windows.extend((from <= to).then_some(Window { from, to }));
    windows.retain(|window| window.from <= window.to);
    Ok((windows, gaps))
}

/// Gives the position up to which a history's log is there without a hole from a position on, and whether it goes on from there: nothing lies behind.
fn archived_from(listing: &Listing, history: &History, last: usize, begin: Lsn) -> (Lsn, bool) {
    let mut end = begin;
    for span in history.spans[..=last].iter().filter(|span| span.to.is_none_or(|to| to > begin)) {
        let reached = listing.reached(span.timeline, span.from.max(begin)).min(span.to.unwrap_or(Lsn::MAX));
        end = reached;
        // One that is whole goes on with the next.
        let is_whole = span.to == Some(reached);
        if !is_whole && (span.to.is_some() || has_more(listing, history, reached)) {
            return (end, false);
        }
    }
    (end, true)
}

/// Says whether an archive holds as much of a history as it held when the time was closed that counts for it: a copy may not. What cannot be
/// read closes nothing.
fn ends_where_closed(archive: &Archive, listing: &Listing, resolved: &Resolved, end: Lsn) -> Result<bool> {
    let Some(database) = resolved.database else { return Ok(true) };
    let Some(times) = listing.closed.get(&database) else { return Ok(true) };
    // The first time that was closed after it lost its name says how it ended.
    let after = resolved.until.and_then(|until| times.range(until..).next());
    let Some(time) = after.or_else(|| times.last()) else { return Ok(true) };
    match ClosedFile::read(archive, database, *time) {
        Ok(file) => Ok(file.ends.get(&resolved.history.tip()).is_none_or(|stated| *stated <= end)),
        Err(error) if is_about_content(error.kind) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the wall time at which the newest manifest of a history's last timeline was archived; 0 when nobody says.
fn archived_until(archive: &Archive, listing: &Listing, history: &History) -> Result<u64> {
    let tip = history.tip();
    let Some(newest) = listing.bases.get(&tip).and_then(|names| names.last()) else { return Ok(0) };
    match read_base(archive, tip, *newest) {
        Ok(base) => Ok(base.archived),
        Err(error) if is_about_content(error.kind) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Gives the newest closed time that counts for a life. A database goes on closing times when a name is no longer archived, or archived to
/// another place: what was committed under that name since is not here. A manifest that was archived here later shows that this is the new place.
fn closed_for(lives: &Lives, resolved: &Resolved, archived_until: u64) -> CommitTime {
    let Some(catalog) = resolved.database.and_then(|database| lives.catalog(database)) else { return 0 };
    let mut tenures =
        lives.databases.iter().filter(|database| database.database == resolved.database).flat_map(|database| &database.tenures);
    let Some(held) = tenures.rfind(|tenure| Some(tenure.incarnation) == resolved.incarnation) else { return 0 };
    let (mut place, mut left): (Option<&String>, Option<CommitTime>) = (None, None);
    for (at, entry) in &catalog.entries {
        let CatalogEntry::SetArchive { name, archive } = entry else { continue };
        if *name != held.name {
            continue;
        }
        match archive {
            Some(settings) if archived_until >= *at || place.is_none_or(|place| *place == settings.url) => left = None,
            Some(_) | None => left = left.or(Some(*at)),
        }
        place = archive.as_ref().map(|settings| &settings.url).or(place);
    }
    match (place, left) {
        (None, _) => 0,
        (Some(_), None) => catalog.closed,
        (Some(_), Some(left)) => catalog.closed.min(left.saturating_sub(1)),
    }
}

/// Finds the last span of a history that was archived continuously.
#[must_use]
pub fn last_continuous(lives: &Lives, history: &History) -> Option<usize> {
    history.spans.iter().rposition(|span| lives.continuous.contains(&span.timeline))
}

/// Says whether the archive holds something of a history behind a position at which its log ends: then a part is missing there.
#[must_use]
pub fn has_more(listing: &Listing, history: &History, position: Lsn) -> bool {
    history.spans.iter().any(|span| {
        let end = span.to.unwrap_or(Lsn::MAX);
        let bytes = listing.extents_of(span.timeline).iter().any(|extent| extent.end.min(end) > position);
        let names = listing.bases.get(&span.timeline).into_iter().flatten();
        let states = names.filter(|name| name.covered_lsn <= end).any(|name| name.covered_lsn > position);
        span.from > position || (end > position && (bytes || states))
    })
}

/// Finds the times of every life that a name had.
///
/// # Errors
/// As [`windows`].
pub fn windows_of_name(archive: &Archive, library: &mut Library, lives: &Lives, name: &str, others: &Candidates<'_>) -> Result<Windows> {
    let mut all = Windows::default();
    for database in &lives.databases {
        for tenure in database.tenures.iter().filter(|tenure| tenure.name == name) {
            let Ok(history) = crate::history::resolve::history_of_life(lives, tenure.incarnation) else { continue };
            let incarnation = Some(tenure.incarnation);
            let resolved = Resolved { history, incarnation, database: database.database, until: tenure.until, warnings: Vec::new() };
            all.backups.extend(windows(archive, library, lives, &resolved, others)?.all());
        }
    }
    Ok(all)
}

/// Makes the error on a time that cannot be restored: both ends, and the two nearest times that can.
#[must_use]
pub fn outside(name: &str, at: CommitTime, windows: &Windows) -> Error {
    let message = format!("\"{}\" cannot be restored to {}", name.escape_debug(), format(at));
    let error = Error::new(ErrorKind::NotFound, message).with_object(name);
    let Some(window) = windows.whole() else {
        return error.with_hint("nothing of it can be restored: neither a backup nor a manifest of it is whole");
    };
    let before = windows.all().filter(|w| w.from <= at).map(|w| w.to.min(at)).max();
    let after = windows.all().filter(|w| w.to >= at).map(|w| w.from.max(at)).min();
    let nearest = [before, after].into_iter().flatten().map(format).collect::<Vec<_>>().join(" and ");
    error
        .with_expected(format!("a time from {} to {}", format(window.from), format(window.to)), format(at))
        .with_hint(format!("the nearest that can be restored: {nearest}"))
}

#[cfg(test)]
mod tests;
