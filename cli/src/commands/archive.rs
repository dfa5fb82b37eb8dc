//! `vectra archive`: continuous archiving, and what is done with an archive.

mod enable;
mod log;
mod prune;
mod rekey;
mod run;
mod status;
mod verify;

use super::session::Session;
use crate::args::{ArchiveCommand, Globals};
use crate::exit::Failure;
use crate::output::Output;
use serde_json::json;

/// Runs one of its commands; those that look at an archive need no database, and none is chosen for them.
pub(super) fn run(globals: &Globals, out: &Output, command: ArchiveCommand) -> Result<(), Failure> {
    let session = || Session::new(globals, out);
    match command {
        ArchiveCommand::Enable(args) => enable::run(&session()?, &args),
        ArchiveCommand::Disable { name } => disable(&session()?, &name),
        ArchiveCommand::Status { name } => status::run(&session()?, name.as_deref()),
        ArchiveCommand::Run(args) => run::run(&session()?, &args),
        ArchiveCommand::Verify(args) => verify::run(globals, out, &args),
        ArchiveCommand::Prune(args) => prune::run(globals, out, &args),
        ArchiveCommand::Log(args) => log::run(globals, out, &args),
        ArchiveCommand::Rekey(args) => rekey::run(globals, out, &args),
        ArchiveCommand::NewKey { file } => rekey::new_key(out, &file),
    }
}

fn disable(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    let settings = session.look()?.state().archives.get(name).cloned();
    let Some(settings) = settings else {
        let failure = Failure::not_found(format!("nothing that is called \"{name}\" is archived")).with_object(name);
        return Err(failure.with_hint("\"vectra archive status\" lists what is"));
    };
    session.change(|database| database.set_archive(name, None))?;
    session.out.note(&format!("what was archived stays restorable from {}", settings.url));
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": name, "archived": false, "url": settings.url}));
    }
    session.out.result(&format!("{name} is no longer archived"))
}
