//! `vectra drill run`: one drill, its report printed and kept.

use crate::args::{DrillRun, DrillTime};
use crate::commands::destination::show_bytes;
use crate::commands::lazy;
use crate::commands::restore::threads;
use crate::commands::session::Session;
use crate::commands::stop::Stop;
use crate::exit::Failure;
use crate::output::{bytes, count, duration};
use crate::time::format_time;
use pitr::drill::history::{Entry, write_pair};
use pitr::drill::{Check, DrillReport, DrillRequest, DrillTarget, Drilled, Outcome, Verdict, run as run_drill};
use std::time::Duration;

const STOPPED_HINT: &str = "what it had restored is removed; nothing else was changed";

/// Runs a drill, prints what it found, then fails if anything is not what it has to be.
pub(in crate::commands) fn run(session: &Session<'_>, args: &DrillRun) -> Result<(), Failure> {
    let world = &session.world;
    let source = session.source(&args.source)?;
    session.check_parents(&args.parent)?;
    // The source before the database: a mistyped path must leave nothing behind, a data directory included.
    let store = source.open_source(world)?;
    let stop = Stop::begin(world, None, STOPPED_HINT)?.or_told(session.job());
    let explain = |failure| source.explain(world, stop.explain(failure));
    pitr::archive::Archive::open(&stop.guard(store.clone())).map_err(explain)?;
    let database = session.look()?;
    let state = database.state();
    // A collection here that does not open says nothing about what is elsewhere.
    let live = state.resolve(&args.name).ok().and_then(|(name, _)| database.collection(name).ok());
    let location = source.to_string();
    let request = DrillRequest {
        name: &args.name,
        source: &location,
        endpoint: session.reach().endpoint.as_deref(),
        live: live.as_ref(),
        is_taken: &|name| state.resolve(name).is_ok(),
        target: match args.to_time {
            None => DrillTarget::Newest,
            Some(DrillTime::Latest) => DrillTarget::Latest,
            Some(DrillTime::Random) => DrillTarget::Random,
            Some(DrillTime::At(moment)) => DrillTarget::Time(moment.resolve(world.clock.wall_micros())),
        },
        scratch_name: args.scratch_name.as_deref(),
        recall_min: args.recall_min.share(),
        candidates: source.candidates(world, &args.parent)?,
        ranges: lazy::sources_until(session, &stop),
        threads: threads(),
        stopped: &|| stop.reason(),
    };
    let drilled = run_drill(world, database.dir(), &stop.guard(store), &request, &show_bytes(session.out, "drill"));
    let Drilled { report, error } = drilled.map_err(explain)?;
    let written = args.report.as_ref().map_or(Ok(()), |path| write(session, path, &report));
    report.warnings.iter().for_each(|warning| session.out.warn(warning));
    if session.out.is_json() {
        session.out.result_json(&report)?;
    } else {
        as_text(&report).iter().try_for_each(|line| session.out.result(line))?;
    }
    error.map_or(written, |error| Err(explain(error)))
}

fn write(session: &Session<'_>, path: &std::path::Path, report: &DrillReport) -> Result<(), Failure> {
    let whole = platform::process::current_dir().map_or_else(|| path.to_owned(), |current| current.join(path));
    session.world.fs.create_dir_all(platform::fs::parent(&whole))?;
    write_pair(&session.world, &whole, &Entry::Drill(Box::new(report.clone())))
}

/// Gives the word for how a drill ended.
pub(super) fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Missed => "MISSED",
        Outcome::Failed => "FAILED",
        Outcome::Interrupted => "interrupted",
    }
}

/// Describes a report in lines for people.
pub(super) fn as_text(report: &DrillReport) -> Vec<String> {
    let seconds = |seconds: f64| duration(Duration::from_secs_f64(seconds.max(0.0)));
    let mut lines = vec![
        format!("drill        {} of {}: {}", report.id, report.collection, ended(report.outcome)),
        format!("source       {}, {}", report.source, report.to_time.map_or_else(|| report.target.clone(), format_time)),
    ];
    if let Some(restored) = &report.restored {
        let from = restored.snapshot_id.as_ref().map_or("the archive".to_owned(), |id| format!("backup {id}"));
        lines.push(format!(
            "restored     {} points, {} from {from}, index {}",
            count(restored.points),
            bytes(restored.bytes),
            restored.index
        ));
        lines.push(format!("state        {}, position {}", format_time(restored.commit_time), restored.lsn));
    }
    lines.extend(report.checks.iter().map(check));
    lines.extend(report.recall.map(|recall| format!("recall       {recall:.4}")));
    if let Some(rpo) = &report.rpo {
        let lost = rpo.seconds.map_or("unknown".to_owned(), seconds);
        lines.push(format!("RPO          {lost}"));
    }
    if let Some(rto) = &report.rto {
        lines.push(format!("RTO          first answer after {}, durable after {}", seconds(rto.first_answer_s), seconds(rto.total_s)));
    }
    lines.push(format!("duration     {}", seconds(report.seconds)));
    lines
}

fn check(check: &Check) -> String {
    let (result, note) = match check.result {
        Verdict::Passed => ("ok", check.got.clone().unwrap_or_default()),
        Verdict::Missed => {
            let parts = [&check.expected, &check.got, &check.detail].map(|part| part.clone().unwrap_or_default());
            ("MISSED", format!("expected {}, got {} {}", parts[0], parts[1], parts[2]))
        }
        Verdict::Unknown => ("unknown", check.detail.clone().unwrap_or_default()),
    };
    format!("check        {} against {}: {result} {note}", check.check, check.with).trim_end().to_owned()
}
