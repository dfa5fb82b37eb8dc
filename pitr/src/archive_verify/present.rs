//! What a listing and the small descriptions tell: what is missing, and how far each history reaches.

use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};

use super::{Finding, Spoiled, Subject, VerifiedHistory, at};
use crate::archive::Key;
use crate::archive::reachable::BaseRoot;
use crate::archive::stored::get_json;
use crate::archive::tiling::{Source, tile};
use crate::archiver::ClosedFile;
use crate::backup::held::is_about_content;
use crate::history::History;
use crate::history::walk::{Held, last_operation};
use crate::restore::fetch_plan::plan_fetch;
use crate::restore::window::has_more;

/// Checks what is there.
pub(super) fn check(subject: &Subject) -> Result<(Vec<Finding>, Vec<VerifiedHistory>)> {
    let mut findings = unreadable(subject);
    for base in &subject.read.bases {
        findings.extend(lack_of(subject, base));
    }
    for held in &subject.read.lives.snapshots.good {
        let spoils = vec![Spoiled::Snapshot(held.file.snapshot_id.clone())];
        let missing = held.file.parents.iter().filter_map(|parent| subject.library.missing.get(&parent.archive));
        findings.extend(missing.map(|error| Finding { spoils: spoils.clone(), error: error.clone() }));
        for lack in plan_fetch(&held.file, &subject.library).lacks {
            let kind = if lack.is_damage { ErrorKind::Corrupt } else { ErrorKind::Incomplete };
            let what = if lack.is_damage { "an object is larger than it was" } else { "an object is missing or cut off" };
            let error = Error::new(kind, what).with_object(&lack.key).with_expected(&lack.expected, &lack.got);
            findings.push(Finding { spoils: spoils.clone(), error: at(subject, error, &Key::Other) });
        }
    }
    findings.append(&mut lost_ends(subject)?);
    let mut windows = Vec::new();
    for kept in &subject.decision.histories {
        let history = subject.read.lives.timelines.history(kept.timeline)?;
        let (end, hole) = reached(subject, &history);
        findings.extend(hole.map(|error| Finding { spoils: vec![Spoiled::History(kept.timeline)], error }));
        let held = [Held { archive: &subject.read.archive, listing: &subject.read.listing }];
        let last = match last_operation(&held, &history, end) {
            Ok(last) => last.map(|operation| operation.commit_time),
            Err(error) if is_about_content(error.kind) => {
                findings.push(Finding { spoils: vec![Spoiled::History(kept.timeline)], error });
                None
            }
            Err(error) => return Err(error),
        };
        let is_of = |base: &&BaseRoot| {
            history.spans.iter().any(|span| span.timeline == base.timeline && span.to.is_none_or(|to| base.name.covered_lsn <= to))
        };
        windows.push(VerifiedHistory {
            collection: kept.collection.clone(),
            timeline: kept.timeline,
            from: kept.from,
            to: last,
            bases: subject.read.bases.iter().filter(is_of).count(),
            lsn: end,
            ok: true,
        });
    }
    Ok((findings, windows))
}

/// Compares each log with the end that the newest closed time of its database states: a log that lost its end looks like a shorter one.
fn lost_ends(subject: &Subject) -> Result<Vec<Finding>> {
    let (read, listing) = (&subject.read, &subject.read.listing);
    let newest = listing.closed.iter().filter_map(|(&database, times)| times.last().map(|&time| (database, time)));
    let mut findings = Vec::new();
    for (database, time) in newest {
        let key = Key::Closed(database, time);
        let ends = match get_json::<ClosedFile>(&*read.archive.store, &key.to_string(), "closed time") {
            Ok(file) => file.ends,
            Err(error) if is_about_content(error.kind) && error.kind != ErrorKind::NewerFormat => {
                findings.push(Finding { spoils: subject.spoiled_by_log(database, 0, Lsn::MAX), error });
                continue;
            }
            Err(error) => return Err(error),
        };
        for (timeline, end) in ends {
            let origin = read.lives.timelines.good.get(&timeline).and_then(|file| file.parent).map_or(0, |parent| parent.lsn);
            // Below its boundary a log need not be whole: what is needed of it is named by those that need it.
            let low = listing.low.get(&timeline).copied().unwrap_or(0);
            let reached = listing.reached(timeline, origin.max(low));
            if reached < end && subject.needed.needs_log(timeline, reached, end) {
                let error = Error::new(ErrorKind::Incomplete, "the end of a log is missing");
                let error = error.with_expected(format!("log up to {end}"), format!("log up to {reached}"));
                let spoils = subject.spoiled_by_log(timeline, reached, end);
                findings.push(Finding { spoils, error: at(subject, error, &Key::Extent(timeline, reached)) });
            }
        }
    }
    Ok(findings)
}

/// Lists descriptions that do not read.
fn unreadable(subject: &Subject) -> Vec<Finding> {
    let read = &subject.read;
    let snapshots = read.lives.snapshots.bad.iter().map(|(id, error)| (vec![Spoiled::Snapshot(id.clone())], error.clone()));
    let bases = read.bad_bases.iter().map(|(key, error)| {
        let spoils = match key {
            Key::Base(timeline, _) => subject.spoiled_by_log(*timeline, 0, Lsn::MAX),
            _ => Vec::new(),
        };
        (spoils, error.clone())
    });
    let timelines = read.lives.timelines.bad.values().map(|error| (Vec::new(), error.clone()));
    let catalogs = read.lives.bad_catalogs.iter().map(|(id, error)| (subject.spoiled_by_log(*id, 0, Lsn::MAX), error.clone()));
    let broken = subject.broken.iter().map(|error| (Vec::new(), error.clone()));
    snapshots.chain(bases).chain(timelines).chain(catalogs).chain(broken).map(|(spoils, error)| Finding { spoils, error }).collect()
}

/// Finds the first thing that a base names and that is not there.
fn lack_of(subject: &Subject, base: &BaseRoot) -> Option<Finding> {
    if base.is_whole(&subject.read.listing) {
        return None;
    }
    let listing = &subject.read.listing;
    let object = base.objects.iter().find(|object| listing.objects.get(&object.name) != Some(&object.bytes));
    let (key, expected, got) = match object {
        Some(object) => (Key::Object(object.name), object.bytes, listing.objects.get(&object.name).copied()),
        None => {
            let key = Key::Manifest(base.timeline, base.name);
            let got = listing.sizes.get(&key.to_string()).copied();
            (key, base.manifest.bytes, got)
        }
    };
    if got == Some(expected) {
        // The log is what it lacks; that is said once for each history.
        return None;
    }
    let is_damage = got.is_some_and(|got| got > expected);
    let kind = if is_damage { ErrorKind::Corrupt } else { ErrorKind::Incomplete };
    let shown = got.map_or_else(|| "nothing".to_owned(), |got| format!("{got} bytes"));
    let error = Error::new(kind, "a base is not whole: an object is missing or has another size");
    let error = at(subject, error.with_expected(format!("{expected} bytes"), shown), &key);
    let spoils = match key {
        Key::Object(name) => subject.spoiled_by_object(name),
        _ => subject.spoiled_by_log(base.timeline, 0, Lsn::MAX),
    };
    Some(Finding { spoils, error })
}

/// Finds how far a history reaches without a hole, and what is wrong when something lies behind one.
fn reached(subject: &Subject, history: &History) -> (Lsn, Option<Error>) {
    let listing = &subject.read.listing;
    let missing = |timeline: Timeline, at: Lsn| {
        let error = Error::new(ErrorKind::Incomplete, "a part of the log is missing");
        self::at(subject, error.with_expected("log without a hole", format!("log up to {at}")), &Key::Extent(timeline, at))
    };
    let spans = &history.spans;
    let of_history =
        |base: &&BaseRoot| spans.iter().any(|s| s.timeline == base.timeline && s.to.is_none_or(|to| base.name.covered_lsn <= to));
    let bases: Vec<&BaseRoot> = subject.read.bases.iter().filter(of_history).collect();
    // Below the oldest base only what bases name is needed; behind it everything is replayed.
    let begin = bases.iter().map(|base| base.name.covered_lsn).min().unwrap_or(0);
    for stretch in bases.iter().flat_map(|base| &base.log) {
        let reached = tile(&[Source { listing, only: None }], *stretch).reached;
        if reached < stretch.end {
            return (begin.min(reached), Some(missing(stretch.timeline, reached)));
        }
    }
    // What cleaning removed before anybody archived it is named by nobody: the log goes on at the boundary, where a base begins.
    let begins_anew = |timeline: Timeline, end: Lsn| {
        let low = listing.low.get(&timeline).copied().filter(|&low| low > end);
        low.filter(|&low| bases.iter().any(|base| base.name.covered_lsn == low))
    };
    let mut end = begin;
    for span in spans.iter().filter(|span| span.to.is_none_or(|to| to > begin)) {
        end = listing.reached(span.timeline, span.from.max(begin)).min(span.to.unwrap_or(Lsn::MAX));
        if let Some(low) = begins_anew(span.timeline, end) {
            end = listing.reached(span.timeline, low).min(span.to.unwrap_or(Lsn::MAX));
        }
        let is_cut = span.to.is_some_and(|to| end < to);
        if is_cut || has_more(listing, history, end) && span.to.is_none() {
            return (end, Some(missing(span.timeline, end)));
        }
    }
    (end, None)
}
