//! `vectra dr status`: every archived collection against its goals.

use super::standings;
use crate::args::DrStatus;
use crate::commands::session::Session;
use crate::exit::Failure;
use crate::output::bytes;
use crate::time::{format_time, micros};
use engine::ErrorKind;
use pitr::drill::history::read;
use pitr::readiness::{Goals, Judged, Judgement, judge};
use serde_json::json;
use server::read_goals;

/// Prints how each stands, then fails if a goal is missed.
pub(super) fn run(session: &Session<'_>, args: &DrStatus) -> Result<(), Failure> {
    let database = session.look()?;
    let history = read(&session.world, database.dir())?;
    let standings = standings(session, &database, args.name.as_deref(), &history)?;
    let configured = read_goals(&session.world, database.dir())?;
    let now = session.world.clock.wall_micros();
    let held = standings.into_iter().map(|standing| {
        // What the command line asks for beats what the server was told.
        let own = configured.get(&standing.collection).copied().unwrap_or_default();
        let goals = Goals {
            rpo: args.rpo.map(micros).or(own.rpo),
            rto: args.rto.map(micros).or(own.rto),
            verified_age: args.verified_age.map(micros),
        };
        judge(standing, &goals, now)
    });
    let judged: Vec<Judged> = held.collect();
    let ok = judged.iter().all(|judged| judged.ok);
    if judged.is_empty() {
        session.out.warn("nothing is archived: with this machine everything is lost; \"vectra archive enable NAME --to URL\" begins");
    }
    if session.out.is_json() {
        session.out.result_json(&json!({"ok": ok, "collections": judged}))?;
    } else {
        judged.iter().flat_map(as_text).try_for_each(|line| session.out.row(&line))?;
    }
    if ok { Ok(()) } else { Err(missed(&judged)) }
}

fn missed(judged: &[Judged]) -> Failure {
    let goals = judged.iter().flat_map(|judged| judged.goals.iter().filter(|goal| goal.is_miss).map(move |goal| (judged, goal)));
    let words: Vec<String> =
        goals.map(|(judged, goal)| format!("{} of {}: {}", goal.goal, judged.standing.collection, goal.meaning)).collect();
    let failure = Failure::new(ErrorKind::Missed, format!("{} goals are missed: {}", words.len(), words.join("; ")));
    failure
        .with_hint("\"vectra archive run --once\" sends what waits, \"vectra drill run NAME --source URL\" proves and measures a restore")
}

fn as_text(judged: &Judged) -> Vec<String> {
    let standing = &judged.standing;
    let mut lines = vec![format!("collection   {} to {}", standing.collection, standing.archive)];
    if !standing.exists {
        lines.push("state        no collection has this name now".to_owned());
        return lines;
    }
    for goal in &judged.goals {
        let result = match (goal.is_miss, goal.result) {
            (true, _) => "MISSED",
            (false, Judgement::Unknown) => "unknown",
            (false, _) => "ok",
        };
        lines.push(format!("{:<12} {result}: {}", goal.goal, goal.meaning));
    }
    if let Some(lag) = standing.lag.filter(|lag| lag.bytes > 0) {
        lines.push(format!("waiting      {} of the log", bytes(lag.bytes)));
    }
    let proof = standing.verified.as_ref();
    lines.push(proof.map_or_else(
        || "proven       never: \"vectra drill run\" does it".to_owned(),
        |proof| format!("proven       up to {}, by {} {}", format_time(proof.until), proof.by, proof.id),
    ));
    lines.push(format!("restore      {}", bytes(standing.restore.bytes)));
    lines
}
