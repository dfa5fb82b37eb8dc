//! Command lines carried out in a server, for clients on its machine.

use crate::args::{Background, Cli, CollectionsCommand, Command, DrCommand, DrillCommand, Hosted, IndexCommand, PointsCommand};
use crate::commands;
use crate::exit::{Failure, from_grammar, usage};
use crate::output::{self, Captured, Output};
use clap::Parser;
use platform::clock::OsClock;
use serde_json::Value;
use server::Host;
use server::commands::{CommandLine, Commands};
use server::jobs::Job;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;

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
                let is_json = line.words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
                let out = Output::new(is_json, false, clock, result, notes);
                let failure = from_grammar(&error);
                let failure = Failure { message: format!("the server does not know this command: {}", failure.message), ..failure };
                out.error(&failure);
                return failure.kind.exit_code();
            }
        };
        let out = Output::new(cli.globals.json, cli.globals.quiet, clock, result, notes);
        let directory = PathBuf::from(&line.directory);
        resolve(&mut cli, &directory);
        cli.globals.hosted = Some(Hosted { host: host.clone(), directory, job: None });
        let outcome = check(&cli.command).and_then(|()| match job_kind(&cli.command) {
            Some(kind) => in_background(host, kind, cli, line, &out),
            None => commands::run(cli, &out).and_then(|()| out.finish()),
        });
        match outcome {
            Ok(()) => 0,
            Err(failure) => {
                out.error(&failure);
                failure.kind.exit_code()
            }
        }
    }

    fn run_as_job(&self, host: &Arc<Host>, kind: &str, line: &CommandLine, began: &dyn Fn(&str)) -> Result<(), Failure> {
        let words = std::iter::once("vectra").chain(line.words.iter().map(String::as_str));
        let mut cli = Cli::try_parse_from(words).map_err(|error| usage(format!("the server does not know this command: {error}")))?;
        let directory = PathBuf::from(&line.directory);
        resolve(&mut cli, &directory);
        check(&cli.command)?;
        let job = Arc::new(host.jobs().begin(kind, &line.words)?);
        began(&job.id());
        let background = Background { cancelled: job.cancelled.clone(), begun: Arc::new(|| {}) };
        cli.globals.hosted = Some(Hosted { host: host.clone(), directory, job: Some(background) });
        work(&job, cli)
    }
}

/// Does the work of a job, and writes down how it ended.
fn work(job: &Arc<Job>, cli: Cli) -> Result<(), Failure> {
    let results = Captured::default();
    let notes = Notes { job: job.clone(), line: Vec::new() };
    let inner = Output::new(true, false, Arc::new(OsClock::new()), Box::new(results.clone()), Box::new(notes));
    let outcome = commands::run(cli, &inner).and_then(|()| inner.finish());
    let result = serde_json::from_str(&results.text()).ok();
    let (exit, error) = match &outcome {
        Ok(()) => (0, None),
        Err(failure) => (failure.kind.exit_code(), serde_json::from_str(&output::error_json(failure)).ok()),
    };
    // What cannot be written down is found by the next server: a job that nobody works on has failed.
    let _written = job.end(exit, result, error);
    outcome
}

/// Says what kind of job a command becomes; `None` when who asked for it waits.
fn job_kind(command: &Command) -> Option<&'static str> {
    match command {
        Command::Collections(CollectionsCommand::Backup(args)) if args.create.is_some() && !args.wait.wait => Some("backup"),
        Command::Collections(CollectionsCommand::Restore(args)) | Command::Restore(args) if !args.wait.wait && !args.dry_run => {
            Some("restore")
        }
        _ => None,
    }
}

/// Begins a job, and prints its id once what it works on is fixed. What fails before is the command's own failure.
fn in_background(host: &Arc<Host>, kind: &str, mut cli: Cli, line: &CommandLine, out: &Output) -> Result<(), Failure> {
    let job = Arc::new(host.jobs().begin(kind, &line.words)?);
    let (told, heard) = channel();
    let begun = told.clone();
    if let Some(hosted) = &mut cli.globals.hosted {
        let begun = move || drop(begun.send(Ok(())));
        hosted.job = Some(Background { cancelled: job.cancelled.clone(), begun: Arc::new(begun) });
    }
    let working = job.clone();
    std::thread::spawn(move || {
        let outcome = work(&working, cli);
        let _heard = told.send(outcome);
    });
    match heard.recv() {
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(())) => out.result(&job.id()),
        Err(_) => Err(Failure::internal("a job ended without a word")),
    }
}

/// Takes what a job says, and keeps how far it is.
struct Notes {
    job: Arc<Job>,
    line: Vec<u8>,
}

impl Write for Notes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let said: Option<Value> = serde_json::from_slice(&std::mem::take(&mut self.line)).ok();
            if let Some(progress) = said.filter(|said| said["event"] == "progress") {
                self.job.progress(progress);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Refuses what has no place in a server.
fn check(command: &Command) -> Result<(), Failure> {
    let refuse = |what: &str| Err(usage(format!("{what} needs the database for itself")).with_hint("stop the server first"));
    match command {
        Command::Serve(_) | Command::Config(_) | Command::Bench(_) | Command::Demo(_) => Err(usage("this command is not for a server")),
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
        Command::Drill(DrillCommand::Run(args)) => paths.extend(&mut args.report),
        Command::Dr(DrCommand::Plan(args)) => paths.extend(&mut args.output),
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
