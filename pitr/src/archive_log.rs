//! Lists what happened, as an archive tells it: writes by the heads of their records, and the entries of catalogs, in the order of time.

mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::catalog::{CatalogEntry, Origin};
use engine::error::{Error, Result};
use engine::ids::{CommitTime, Incarnation, Lsn, Timeline};
use platform::object_store::ObjectStore;
use serde::Serialize;

use crate::archive::roots::read_root;
use crate::archive::{Archive, Listing};
use crate::backup::held::is_about_content;
use crate::history::{Lives, walk::Held};
use source::{Operation, Source};

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogRequest<'a> {
    /// One collection, by a name that it had; `None`: all.
    pub collection: Option<&'a str>,
    /// The earliest commit time.
    pub from: Option<CommitTime>,
    /// The latest commit time.
    pub to: Option<CommitTime>,
    /// One timeline; `None`: all, abandoned ones too.
    pub timeline: Option<Timeline>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// When it was committed.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub time: CommitTime,
    /// What: `upsert`, `payload`, `delete`, `schema`, or `create`, `restore`, `drop`, `undrop`, `purge`, `alias`, `unalias`, `archive`, `unarchive`.
    pub kind: &'static str,
    /// The collection's name as of then, where it is known.
    pub collection: Option<String>,
    /// Rows that it wrote or deleted.
    pub rows: u64,
    /// The position behind it in its timeline; `None` for an entry of a catalog.
    pub lsn: Option<Lsn>,
    /// The timeline that it was written to; the database's id for an entry of a catalog.
    pub timeline: Timeline,
    /// More about it, for people.
    pub detail: Option<String>,
}

/// What was listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogSummary {
    /// Entries that were shown.
    pub entries: u64,
    /// Stretches of the log that are missing: timeline, first position, position behind the last.
    pub holes: Vec<(Timeline, Lsn, Lsn)>,
    /// What could not be read, in words.
    pub warnings: Vec<String>,
}

/// Shows everything that happened, oldest first. Memory does not grow with the length of the log.
///
/// # Errors
/// `NotFound` when the location holds no archive or no such timeline or name, `Corrupt` naming the extent and the offset of a damaged record, those of
/// the store and of `visit`.
pub fn archive_log(
    store: &Arc<dyn ObjectStore>,
    request: &LogRequest<'_>,
    visit: &mut dyn FnMut(&LogEntry) -> Result<()>,
) -> Result<LogSummary> {
    let archive = Archive::open(store)?;
    let listing = Listing::read(&**store)?;
    let lives = Lives::read(&archive, &listing)?;
    check_known(request, &listing, &lives)?;
    let held = [Held { archive: &archive, listing: &listing }];
    let mut summary = LogSummary::default();
    summary.warnings.extend(lives.bad_catalogs.iter().map(|(id, error)| format!("the catalog of database {id} does not read: {error}")));
    let mut sources = sources(&archive, &listing, &lives, request)?;
    // The next of each source by time; equal times by source, so that the order is always the same.
    let mut next: BTreeMap<(CommitTime, usize), Operation> = BTreeMap::new();
    for (index, source) in sources.iter_mut().enumerate() {
        next.extend(source.next(&held, request.to)?.map(|operation| ((operation.time, index), operation)));
    }
    while let Some(((time, index), operation)) = next.pop_first() {
        let source = &mut sources[index];
        let entry = source.entry(operation, &lives);
        let is_wanted = request.from.is_none_or(|from| from <= time)
            && request.to.is_none_or(|to| time <= to)
            && request.collection.is_none_or(|name| entry.collection.as_deref() == Some(name));
        if is_wanted {
            visit(&entry)?;
            summary.entries += 1;
        }
        next.extend(source.next(&held, request.to)?.map(|operation| ((operation.time, index), operation)));
    }
    sources.iter_mut().for_each(|source| summary.holes.append(&mut source.holes));
    Ok(summary)
}

fn check_known(request: &LogRequest<'_>, listing: &Listing, lives: &Lives) -> Result<()> {
    if let Some(timeline) = request.timeline.filter(|timeline| !listing.timelines.contains(timeline)) {
        return Err(Error::not_found(format!("there is no timeline {timeline}")).with_object(timeline.to_string()));
    }
    let Some(name) = request.collection else { return Ok(()) };
    let names = lives.names();
    let described = lives.described.values().any(|(known, _)| known == name);
    if names.contains(name) || described {
        return Ok(());
    }
    let held = names.into_iter().collect::<Vec<_>>().join(", ");
    Err(Error::not_found(format!("nothing there is of a collection \"{}\"", name.escape_debug()))
        .with_object(name)
        .with_hint(format!("it knows: {held}")))
}

/// Opens a source for each timeline that has log, and for each catalog.
fn sources(archive: &Archive, listing: &Listing, lives: &Lives, request: &LogRequest<'_>) -> Result<Vec<Source>> {
    let wanted = |timeline: &Timeline| request.timeline.is_none_or(|wanted| wanted == *timeline);
    let mut sources = Vec::new();
    for known in lives.databases.iter().filter_map(|known| known.catalog.as_ref()).filter(|catalog| wanted(&catalog.database)) {
        sources.push(Source::of_catalog(known.database, known.entries.clone()));
    }
    let catalogs: Vec<Timeline> = lives.timelines.catalogs().collect();
    let logs = listing.extents.keys().chain(listing.whole.keys()).copied().collect::<std::collections::BTreeSet<_>>();
    for timeline in logs.into_iter().filter(|timeline| !catalogs.contains(timeline)).filter(wanted) {
        let owner = owner(archive, listing, lives, timeline)?;
        let names = owner.map(|incarnation| lives.names_of(incarnation));
        if request.collection.is_some_and(|name| names.is_some_and(|names| !names.contains(name))) {
            continue;
        }
        sources.push(Source::of_log(listing, timeline, owner, request.from));
    }
    Ok(sources)
}

/// Finds the life that wrote a timeline: as its description says, or a manifest under it.
fn owner(archive: &Archive, listing: &Listing, lives: &Lives, timeline: Timeline) -> Result<Option<Incarnation>> {
    if let Some(described) = lives.timelines.good.get(&timeline).and_then(|file| file.incarnation) {
        return Ok(Some(described));
    }
    for &name in listing.bases.get(&timeline).into_iter().flatten() {
        match read_root(archive, timeline, name) {
            Ok((root, ..)) => return Ok(Some(root.incarnation)),
            Err(error) if is_about_content(error.kind) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Names an entry of a catalog, the collection that it is about and what else there is to say.
fn told(entry: &CatalogEntry) -> (&'static str, Option<&str>, Option<String>) {
    let of_origin = |origin: &Origin, otherwise| match origin {
        Origin::Restored { name, timeline, lsn } => ("restore", Some(format!("of \"{name}\" at {timeline} {lsn}"))),
        _ => (otherwise, None),
    };
    match entry {
        CatalogEntry::Create { name, origin, .. } => {
            let (kind, detail) = of_origin(origin, "create");
            (kind, Some(name), detail)
        }
        CatalogEntry::Replace { name, origin, .. } => {
            let (kind, detail) = of_origin(origin, "replace");
            (kind, Some(name), detail)
        }
        CatalogEntry::Drop { name } => ("drop", Some(name), None),
        CatalogEntry::Undrop { name, .. } => ("undrop", Some(name), None),
        CatalogEntry::Purge { .. } => ("purge", None, None),
        CatalogEntry::SetAlias { alias, name } => ("alias", Some(name), Some(format!("\"{alias}\""))),
        CatalogEntry::DeleteAlias { alias } => ("unalias", None, Some(format!("\"{alias}\""))),
        CatalogEntry::SetArchive { name, archive: Some(settings) } => ("archive", Some(name), Some(settings.url.clone())),
        CatalogEntry::SetArchive { name, archive: None } => ("unarchive", Some(name), None),
    }
}
