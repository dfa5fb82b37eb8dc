//! `vectra dr`: how a deployment stands against its goals, and what is to be done when it is needed.

pub(super) mod note;
mod plan;
mod status;

use super::session::Session;
use crate::args::DrCommand;
use crate::exit::Failure;
use engine::Database;
use pitr::drill::history::History;
use pitr::readiness::{Standing, observe};

/// Runs one of its commands.
pub(super) fn run(session: &Session<'_>, command: &DrCommand) -> Result<(), Failure> {
    match command {
        DrCommand::Status(args) => status::run(session, args),
        DrCommand::Plan(args) => plan::run(session, args),
    }
}

/// Looks at one archived name, or all of them.
fn standings(session: &Session<'_>, database: &Database, name: Option<&str>, history: &History) -> Result<Vec<Standing>, Failure> {
    let state = database.state();
    let names: Vec<String> = match name {
        None => state.archives.keys().cloned().collect(),
        Some(name) => vec![state.meant(name).to_owned()],
    };
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let Some(settings) = state.archives.get(&name) else {
            let failure = Failure::not_found(format!("\"{}\" is not archived", name.escape_debug())).with_object(&name);
            return Err(failure.with_hint(format!("\"vectra archive enable {name} --to URL\" begins it")));
        };
        let collection = if state.collections.contains_key(&name) { Some(database.collection(&name)?) } else { None };
        found.push(observe(&session.world, &name, &settings.url, collection.as_ref(), history)?);
    }
    Ok(found)
}
