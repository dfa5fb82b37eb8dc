//! Command lines carried out in a server, for clients on its machine.

use crate::args::{Cli, CollectionsCommand, Command, Hosted, IndexCommand, PointsCommand};
use crate::commands;
use crate::exit::{Failure, usage};
use crate::output::Output;
use clap::Parser;
use platform::clock::OsClock;
use server::Host;
use server::commands::{CommandLine, Commands};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Carries command lines out as this program does, over the database of a server.
#[derive(Debug)]
pub struct InServer;

impl Commands for InServer {
    fn run(&self, host: &Arc<Host>, line: &CommandLine, result: Box<dyn Write + Send>, notes: Box<dyn Write + Send>) -> u8 {
        let clock = Arc::new(OsClock::new());
        let words = std::iter::once("vectra").chain(line.words.iter().map(String::as_str));
        let mut cli = match Cli::try_parse_from(words) {
            Ok(cli) => cli,
            Err(error) => {
                let out = Output::new(false, false, clock, result, notes);
                let failure = usage(format!("the server does not know this command: {error}"));
                out.error(&failure);
                return failure.kind.exit_code();
            }
        };
        let out = Output::new(cli.globals.json, cli.globals.quiet, clock, result, notes);
        let directory = PathBuf::from(&line.directory);
        resolve(&mut cli, &directory);
        cli.globals.hosted = Some(Hosted { host: host.clone(), directory });
        let outcome = check(&cli.command).and_then(|()| commands::run(cli, &out)).and_then(|()| out.finish());
        match outcome {
            Ok(()) => 0,
            Err(failure) => {
                out.error(&failure);
                failure.kind.exit_code()
            }
        }
    }
}

/// Refuses what has no place in a server.
fn check(command: &Command) -> Result<(), Failure> {
    let refuse = |what: &str| Err(usage(format!("{what} needs the database for itself")).with_hint("stop the server first"));
    match command {
        Command::Serve(_) | Command::Bench(_) | Command::Demo(_) => Err(usage("this command is not for a server")),
        Command::Scrub(_) => refuse("\"vectra scrub\""),
        Command::Collections(CollectionsCommand::Fork(_)) => refuse("\"vectra collections fork\""),
        _ => Ok(()),
    }
}

/// Makes paths that a client wrote absolute: it stands elsewhere than the server.
fn resolve(cli: &mut Cli, directory: &Path) {
    let mut paths: Vec<&mut PathBuf> = Vec::new();
    paths.extend(&mut cli.globals.key_file);
    match &mut cli.command {
        Command::Import(args) => paths.extend([&mut args.vectors, &mut args.jsonl, &mut args.ids, &mut args.payload].into_iter().flatten()),
        Command::Export(args) => paths.push(&mut args.jsonl),
        Command::Search(args) => paths.push(&mut args.vectors),
        Command::Points(PointsCommand::Upsert(args)) => paths.push(&mut args.jsonl),
        Command::Collections(CollectionsCommand::Index(IndexCommand::Import { file, .. })) => paths.push(file),
        Command::Collections(CollectionsCommand::Index(IndexCommand::Export { output, .. })) => paths.extend(output),
        _ => {}
    }
    for path in paths {
        if path != Path::new("-") {
            *path = directory.join(&*path);
        }
    }
}
