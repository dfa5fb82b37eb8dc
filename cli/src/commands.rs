//! From a parsed command to what it does: one arm a command, and no work of its own.

use crate::args::{Cli, Command};
use crate::exit::Failure;
use crate::output::Output;
use clap::CommandFactory;

mod version;

/// Runs a command.
///
/// # Errors
/// What the command could not do.
pub fn run(cli: Cli, out: &Output) -> Result<(), Failure> {
    match cli.command {
        Command::Version => version::run(out),
        Command::Completions { shell } => completions(shell, out),
        Command::Collections(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Search(_)
        | Command::Points(_)
        | Command::Aliases(_)
        | Command::Bench(_)
        | Command::Demo(_) => Err(Failure::internal("not yet available in this build")),
    }
}

fn completions(shell: clap_complete::Shell, out: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vectra", &mut script);
    out.raw(&script)
}
