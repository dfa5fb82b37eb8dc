//! `vectra drill`: restores that are tried before they are needed, and exercises at a table.

mod history;
mod run;
mod tabletop;

use super::session::Session;
use crate::args::DrillCommand;
use crate::exit::Failure;

/// Runs one of its commands.
pub(super) fn run(session: &Session<'_>, command: &DrillCommand) -> Result<(), Failure> {
    match command {
        DrillCommand::Run(args) => run::run(session, args),
        DrillCommand::Schedule(args) => super::schedules::set_drill(session, args),
        DrillCommand::History => history::list(session),
        DrillCommand::Show { id } => history::show(session, id),
        DrillCommand::Tabletop(args) => tabletop::run(session, args),
    }
}
