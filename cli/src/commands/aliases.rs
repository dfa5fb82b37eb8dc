//! `vectra aliases`: second names of collections.

use super::session::Session;
use crate::args::AliasesCommand;
use crate::exit::Failure;
use serde_json::json;

/// Runs one of its commands.
pub(super) fn run(session: &Session<'_>, command: AliasesCommand) -> Result<(), Failure> {
    match command {
        AliasesCommand::List => list(session),
        AliasesCommand::Set { alias, name } => {
            session.change(|database| database.set_alias(&alias, &name))?;
            let target = session.look()?.state().aliases.get(&alias).cloned().unwrap_or(name);
            done(session, &alias, Some(&target), &format!("{alias} stands for {target}"))
        }
        AliasesCommand::Delete { alias } => {
            session.change(|database| database.delete_alias(&alias))?;
            done(session, &alias, None, &format!("deleted {alias}"))
        }
    }
}

fn list(session: &Session<'_>) -> Result<(), Failure> {
    for (alias, name) in session.look()?.state().aliases {
        if session.out.is_json() {
            session.out.row_json(&json!({"alias": alias, "collection": name}))?;
        } else if session.out.is_quiet() {
            session.out.row(&alias)?;
        } else {
            session.out.row(&format!("{alias} -> {name}"))?;
        }
    }
    Ok(())
}

fn done(session: &Session<'_>, alias: &str, name: Option<&str>, text: &str) -> Result<(), Failure> {
    if session.out.is_json() {
        return session.out.result_json(&json!({"alias": alias, "collection": name}));
    }
    session.out.note(text);
    Ok(())
}
