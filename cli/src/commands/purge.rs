//! `vectra collections purge`: the space of dropped collections, given back now.

use super::lazy;
use super::session::Session;
use crate::exit::Failure;
use engine::ErrorKind;
use serde_json::json;

/// Purges, after asking where somebody can be asked.
pub(super) fn run(session: &Session<'_>, yes: bool) -> Result<(), Failure> {
    let dropped: Vec<String> = session.look()?.state().dropped.into_iter().map(|dropped| dropped.name).collect();
    if !dropped.is_empty() && !yes {
        confirm(session, &dropped)?;
    }
    let purged =
        if dropped.is_empty() { 0 } else { session.change(|database| lazy::letting_go(session, database, || database.purge()))? };
    if session.out.is_json() {
        return session.out.result_json(&json!({"purged": purged}));
    }
    session.out.note(&match purged {
        0 => "no dropped collection is left".to_owned(),
        1 => "the space of 1 dropped collection was given back".to_owned(),
        more => format!("the space of {more} dropped collections was given back"),
    });
    Ok(())
}

fn confirm(session: &Session<'_>, names: &[String]) -> Result<(), Failure> {
    let what = format!("{} can then not be brought back", names.join(", "));
    if session.hosted().is_some() || !platform::process::stdin_is_terminal() {
        let failure = Failure::new(ErrorKind::Conflict, format!("purging needs a confirmation: {what}"));
        return Err(failure.with_hint("give --yes"));
    }
    if session.out.ask(&format!("Give back the space of dropped collections? {what}. [y/N] "))? {
        return Ok(());
    }
    Err(Failure::new(ErrorKind::Conflict, "nothing was purged: it was not confirmed"))
}
