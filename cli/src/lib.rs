//! The `vectra` command line: words in, words out, exit codes.
//!
//! `args` is the grammar, `commands` act, `output` is the only place that prints, `exit` the only
//! place that knows exit codes, `input` reads the files that users bring.

use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;

pub mod args;
pub mod commands;
pub mod data_dir;
pub mod exit;
pub mod generate;
pub mod input;
pub mod key;
pub mod output;
pub mod time;

pub use exit::Failure;

/// Runs the program on the arguments of this process and gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let clock = Arc::new(platform::clock::OsClock::new());
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::after_grammar(&error, std::env::args_os(), clock),
    };
    let out = output::Output::real(cli.globals.json, cli.globals.quiet, clock);
    let outcome = commands::run(cli, &out).and_then(|()| out.finish());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.error(&failure);
            exit::code(&failure)
        }
    }
}
