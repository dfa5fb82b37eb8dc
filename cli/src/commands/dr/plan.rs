//! `vectra dr plan`: the runbook of this deployment.

use super::standings;
use crate::args::DrPlan;
use crate::commands::session::Session;
use crate::exit::Failure;
use pitr::drill::history::read;
use pitr::readiness::{Deployment, plan};
use serde_json::json;

/// Prints the runbook, or writes it to a file.
pub(super) fn run(session: &Session<'_>, args: &DrPlan) -> Result<(), Failure> {
    let database = session.look()?;
    let history = read(&session.world, database.dir())?;
    let archived = standings(session, &database, None, &history)?;
    let state = database.state();
    let unprotected: Vec<String> = state.collections.keys().filter(|name| !state.archives.contains_key(*name)).cloned().collect();
    let aliases: Vec<(String, String)> = state.aliases.iter().map(|(alias, name)| (alias.clone(), name.clone())).collect();
    let now = session.world.clock.wall_micros();
    let current = platform::process::current_dir().unwrap_or_default();
    let data_dir = current.join(database.dir()).display().to_string();
    let deployment =
        Deployment { data_dir: &data_dir, now, archived: &archived, unprotected: &unprotected, aliases: &aliases, history: &history };
    let page = plan(&deployment);
    let Some(path) = &args.output else {
        return if session.out.is_json() { session.out.result_json(&json!({"plan": page})) } else { session.out.row(page.trim_end()) };
    };
    let whole = current.join(path);
    session.world.write_file_durably(&whole, page.as_bytes())?;
    session.out.note("contacts, escalation, communication and responsibilities are left to be filled in by hand");
    if session.out.is_json() {
        return session.out.result_json(&json!({"output": whole.display().to_string(), "collections": archived.len()}));
    }
    session.out.result(&whole.display().to_string())
}
