//! `vectra collections drop`: a name ends; its data can be brought back for a while.

use super::lazy;
use super::session::Session;
use crate::args::DropArgs;
use crate::exit::Failure;
use crate::time::format_time;
use engine::Database;
use engine::database::DROP_GRACE_MICROS;
use serde_json::json;

/// Drops the collection; never asks.
pub(super) fn run(session: &Session<'_>, args: &DropArgs) -> Result<(), Failure> {
    let name = &args.name;
    let state = session.look()?.state();
    let is_known = |state: &engine::catalog::CatalogState| state.collections.contains_key(name) || state.aliases.contains_key(name);
    if !is_known(&state) {
        return if args.if_exists { missing(session, name) } else { state.resolve(name).map(|_| ()) };
    }
    let dropped = session.change(|database| {
        if args.if_exists && !is_known(&database.state()) {
            return Ok(None);
        }
        let drop = || database.drop_collection(name, args.purge).map(|kept| Some(until(database, name, kept)));
        lazy::letting_go(session, database, drop)
    })?;
    let Some(until) = dropped else { return missing(session, name) };
    let until = until.map(format_time);
    match &until {
        Some(until) => session.out.note(&format!("dropped {name}; until {until}, \"vectra collections undrop {name}\" brings it back")),
        None => session.out.note(&format!("dropped {name}; its space was given back, and it cannot be brought back")),
    }
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": name, "dropped": true, "undrop_until": until}));
    }
    Ok(())
}

fn missing(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    session.out.note(&format!("collection \"{name}\" does not exist: nothing to drop"));
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": name, "dropped": false, "undrop_until": null}));
    }
    Ok(())
}

/// Gives the end of the grace, where there is one.
fn until(database: &Database, name: &str, kept: bool) -> Option<u64> {
    let state = database.state();
    let newest = state.dropped.iter().rev().find(|dropped| dropped.name == name)?;
    kept.then(|| newest.dropped.saturating_add(DROP_GRACE_MICROS))
}
