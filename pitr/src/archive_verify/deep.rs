//! The two deepest levels: walks the index of the newest base of each history, and restores each history and each backup and asks it.

use engine::Database;
use engine::database::DatabaseOptions;
use engine::error::Result;
use engine::ids::Timeline;

use super::{ArchiveVerifyRequest, Finding, Spoiled, Subject, VerifiedHistory};
use crate::archive::reachable::BaseRoot;
use crate::archive::roots::read_root;
use crate::backup::format::Position;
use crate::backup::held::is_about_content;
use crate::restore::fetch::fetch_manifest;
use crate::restore::fetch_plan::{plan_fetch, plan_point};
use crate::restore::plan::{RestorePoint, covered_log};
use crate::restore::probe::{check_answers, sample};
use crate::restore::{RestoreRequest, Target, restore};
use crate::verify::{Level, Scratch, check_index, check_restore};

/// Points that are read back and searched for.
const SAMPLE: usize = 32;

/// Checks what is sound so far.
pub(super) fn check(
    subject: &Subject,
    request: &ArchiveVerifyRequest<'_>,
    windows: &[VerifiedHistory],
    before: &[Finding],
) -> Result<Vec<Finding>> {
    let is_sound = |what: &Spoiled| !before.iter().any(|finding| finding.spoils.contains(what));
    let scratch = request.scratch.as_ref().filter(|_| request.level == Level::Restore);
    let mut findings = Vec::new();
    let mut note = |what: Spoiled, checked: Result<()>| match checked {
        Ok(()) => Ok(()),
        Err(error) if is_about_content(error.kind) => {
            findings.push(Finding { spoils: vec![what], error });
            Ok(())
        }
        Err(error) => Err(error),
    };
    for window in windows {
        let what = Spoiled::History(window.timeline);
        if !is_sound(&what) {
            continue;
        }
        note(what.clone(), check_newest(subject, window.timeline))?;
        if let Some((scratch, name)) = scratch.zip(window.collection.as_deref().filter(|_| window.from.is_some())) {
            note(what, check_latest(subject, request, name, window.timeline, scratch))?;
        }
    }
    for held in &subject.read.lives.snapshots.good {
        let (file, archive) = (&held.file, &subject.read.archive);
        let what = Spoiled::Snapshot(file.snapshot_id.clone());
        if !is_sound(&what) {
            continue;
        }
        let checked = fetch_manifest(archive, file).and_then(|manifest| check_index(&plan_fetch(file, &subject.library), &manifest));
        note(what.clone(), checked)?;
        if let Some(scratch) = scratch {
            note(what, check_restore(file, archive, request.candidates.copy(), scratch))?;
        }
    }
    Ok(findings)
}

/// Opens the segments of the newest whole base of a history.
fn check_newest(subject: &Subject, tip: Timeline) -> Result<()> {
    let read = &subject.read;
    let history = read.lives.timelines.history(tip)?;
    let is_of = |base: &&BaseRoot| {
        let span = history.spans.iter().find(|span| span.timeline == base.timeline);
        span.is_some_and(|span| span.to.is_none_or(|to| base.name.covered_lsn <= to)) && base.is_whole(&read.listing)
    };
    let newest = read.bases.iter().filter(is_of).max_by_key(|base| (base.name.covered_lsn, base.name.seq));
    let Some(base) = newest else { return Ok(()) };
    let (_, file, manifest) = read_root(&read.archive, base.timeline, base.name)?;
    let covered = manifest.covered_lsn;
    let point = RestorePoint {
        home: read.archive.id,
        sources: vec![read.archive.id],
        manifest: file.manifest,
        log: covered_log(&manifest),
        objects: file.objects,
        ancestry: history.closed_at(covered),
        position: Position { timeline: base.timeline, lsn: covered, commit_time: manifest.commit_time },
        counts: None,
    };
    check_index(&plan_point(&point, &subject.library), &manifest)
}

/// Restores the newest state of a history to a scratch directory and asks it; removes everything again.
fn check_latest(subject: &Subject, request: &ArchiveVerifyRequest<'_>, name: &str, tip: Timeline, scratch: &Scratch) -> Result<()> {
    let result = restore_and_ask(subject, request, name, tip, scratch);
    let removed = scratch.world.fs.remove_dir_all(&scratch.dir);
    result?;
    Ok(removed?)
}

fn restore_and_ask(subject: &Subject, request: &ArchiveVerifyRequest<'_>, name: &str, tip: Timeline, scratch: &Scratch) -> Result<()> {
    let options = DatabaseOptions { accept_clock: true, ..DatabaseOptions::default() };
    let database = Database::open(&scratch.world, &scratch.dir, options)?;
    let order = RestoreRequest {
        name,
        target: Target::Latest,
        timeline: Some(tip),
        candidates: request.candidates.copy(),
        ..RestoreRequest::default()
    };
    restore(&database, &subject.read.archive.store, &order, &|_, _| ())?;
    let collection = database.collection(name)?;
    let version = collection.version();
    version.for_each_point(false, &mut |_| Ok(()))?;
    check_answers(&version, &sample(&version, SAMPLE)?)?;
    drop(version);
    collection.close()?;
    drop(collection);
    database.close()
}
