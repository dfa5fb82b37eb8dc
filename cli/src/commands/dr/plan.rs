//! `vectra dr plan`: the runbook of this deployment.

use super::standings;
use crate::args::DrPlan;
use crate::commands::session::Session;
use crate::exit::Failure;
use pitr::drill::history::read;
use pitr::readiness::{ByItself, Deployment, GoalsOf, plan};
use serde_json::json;
use server::read_goals;
use server::schedules::{ScheduleState, read_schedules};

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
    // Whether a run goes on is told nowhere in the plan: it is the same with a server and without.
    let schedules: Vec<ByItself> = read_schedules(&session.world, database.dir(), true)?.into_iter().map(by_itself).collect();
    let goals = read_goals(&session.world, database.dir())?.into_iter();
    let goals: Vec<GoalsOf> =
        goals.map(|(collection, goals)| GoalsOf { collection, rpo: goals.rpo, rto: goals.rto, window: goals.window }).collect();
    let deployment = Deployment {
        data_dir: &data_dir,
        now,
        archived: &archived,
        unprotected: &unprotected,
        aliases: &aliases,
        schedules: &schedules,
        goals: &goals,
        history: &history,
    };
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

fn by_itself(state: ScheduleState) -> ByItself {
    let (kind, when) = (state.entry.kind.word(), state.entry.when());
    let ScheduleState { entry, last_success, .. } = state;
    ByItself { name: entry.name, kind, collection: entry.collection, location: entry.location, when, last_success }
}
