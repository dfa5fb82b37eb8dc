//! The `vectra` command line: words in, words out, exit codes.
//!
//! `args` is the grammar, `commands` act, `output` is the only place that prints, `exit` the only
//! place that knows exit codes, `input` reads the files that users bring.

use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;

pub mod api_key;
pub mod args;
pub mod commands;
pub mod config;
pub mod data_dir;
pub mod exit;
pub mod forward;
pub mod generate;
pub mod hosted;
pub mod input;
pub mod key;
pub mod likeness;
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
    let outcome = match forward::target(&cli) {
        Ok(None) => commands::run(cli, &out).and_then(|()| out.finish()).map(|()| 0),
        Ok(Some(url)) => forward::run(&url, words(), &out),
        Err(failure) => Err(failure),
    };
    let code = match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            out.error(&failure);
            exit::code(&failure)
        }
    };
    platform::log::settle();
    code
}

/// The words of this process's command line, without its name.
fn words() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}
