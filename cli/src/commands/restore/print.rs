//! What a restore prints: plan or report, as JSON or as lines for people.

use crate::commands::session::Session;
use crate::exit::Failure;
use crate::output::{bytes, count, duration};
use crate::time::format_time;
use pitr::restore::IndexState;
use pitr::{DryRun, RestoreReport};
use std::time::Duration;

/// Prints what would be restored.
pub(super) fn plan(session: &Session<'_>, plan: &DryRun) -> Result<(), Failure> {
    plan.warnings.iter().for_each(|warning| session.out.warn(warning));
    if session.out.is_json() {
        return session.out.row_json(plan);
    }
    let expected = duration(Duration::from_secs_f64(plan.expected_seconds));
    let (from, to) = (format_time(plan.window.from), format_time(plan.window.to));
    let lines = [
        plan.snapshot_id.as_ref().map_or_else(|| format!("archive      {}", plan.collection), |id| format!("backup       {id}")),
        format!("fetch        {} objects, {}, in about {expected}", plan.objects, bytes(plan.bytes)),
        format!("state        {}, position {}", format_time(plan.commit_time), plan.lsn),
        next(plan.next_time),
        format!("window       {from} to {to}"),
    ];
    lines.iter().try_for_each(|line| session.out.row(line))
}

fn next(time: Option<u64>) -> String {
    time.map_or_else(|| "next write   none is known".to_owned(), |time| format!("next write   {}, left out", format_time(time)))
}

/// Prints what was restored.
pub(in crate::commands) fn report(session: &Session<'_>, report: &RestoreReport) -> Result<(), Failure> {
    report.warnings.iter().for_each(|warning| session.out.warn(warning));
    if !report.aliases_left.is_empty() {
        session.out.note(&format!(
            "aliases of the source that were left alone: {}; \"vectra aliases set ALIAS {}\" sets one",
            report.aliases_left.join(", "),
            report.collection
        ));
    }
    if session.out.is_json() {
        return session.out.row_json(report);
    }
    as_text(report).iter().try_for_each(|line| session.out.row(line))
}

/// Prints that the rest of a lazy restore is there too.
pub(super) fn whole(session: &Session<'_>, report: &RestoreReport) -> Result<(), Failure> {
    if session.out.is_json() {
        return session.out.row_json(report);
    }
    let all = Duration::from_secs_f64(report.seconds);
    session.out.row(&format!("whole        {} after {}", bytes(report.bytes), duration(all)))
}

fn as_text(report: &RestoreReport) -> Vec<String> {
    let index = match report.index {
        IndexState::Kept => "kept, not rebuilt",
        IndexState::Differs => "loaded; built otherwise than the configuration asks for",
        IndexState::None => "there is none",
    };
    let newest = format_time(report.gap.newest_known_time);
    let gap = match report.gap.missing_records {
        Some(0) => "no later write is known there".to_owned(),
        Some(missing) => format!("{} known writes are missing, the newest of {newest}", count(missing)),
        None => format!("later writes are known there, the newest of {newest}; how many is not"),
    };
    let (answered, all) = (Duration::from_secs_f64(report.first_answer_s), Duration::from_secs_f64(report.seconds));
    let from = report.snapshot_id.clone().unwrap_or_else(|| "the archive".to_owned());
    let mut lines = vec![
        format!("restored     {} from {from}", report.collection),
        format!("points       {}", count(report.points)),
        format!("bytes        {}", bytes(report.bytes)),
        format!("state        {}, position {}", format_time(report.commit_time), report.lsn),
        next(report.next_time),
        format!("index        {index}"),
        format!("gap          {gap}"),
        format!("duration     {}, first answer after {}", duration(all), duration(answered)),
    ];
    if report.bytes_away > 0 {
        lines.push(format!("elsewhere    {} of the log, fetched when needed", bytes(report.bytes_away)));
    }
    if let Some(token) = report.gap.resume_token {
        lines.push(format!("resume       behind client sequence {token}"));
    }
    if !report.aliases.is_empty() {
        lines.push(format!("aliases      {}", report.aliases.join(", ")));
    }
    lines
}
