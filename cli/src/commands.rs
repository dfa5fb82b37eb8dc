//! From a parsed command to what it does: one arm a command, and no work of its own.

use crate::args::{BenchCommand, Cli, CollectionsCommand, Command, DoctorCommand, Globals};
use crate::exit::Failure;
use crate::output::Output;
use clap::CommandFactory;
use session::Session;

mod aliases;
mod archive;
mod archiving;
mod as_of;
mod backup;
mod backup_list;
mod backup_show;
mod backup_verify;
mod bench;
mod branch;
mod config;
mod configure;
mod count;
mod create;
mod demo;
mod destination;
mod doctor;
mod dr;
mod drill;
mod drop;
mod export;
mod field_index;
mod fork;
mod import;
mod info;
mod ingest;
mod jobs;
mod lazy;
mod list;
mod logging;
mod man;
mod optimize;
mod point_json;
mod points;
mod purge;
mod restore;
mod schedules;
mod scrub;
mod search;
mod serve;
mod session;
mod settle;
mod stop;
mod temporary;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod undrop;
mod version;

/// Runs a command.
///
/// # Errors
/// What the command could not do.
pub fn run(cli: Cli, out: &Output) -> Result<(), Failure> {
    let session = || Session::new(&cli.globals, out);
    match cli.command {
        Command::Version => version::run(out),
        Command::Completions { shell } => completions(shell, out),
        Command::Man { output } => man::run(out, output.as_deref()),
        Command::Collections(command) => collections(command, &cli.globals, out),
        Command::Import(args) => import::run(&session()?.settling(Some(args.settle)), &args),
        Command::Export(args) => export::run(&session()?, &args),
        Command::Search(args) => search::run(&session()?, &args),
        Command::Serve(args) => serve::run(&cli.globals, out, &args),
        Command::Config(command) => config::run(&cli.globals, out, &command),
        Command::Jobs(command) => jobs::run(&session()?, &command),
        Command::Schedules(command) => schedules::run(&session()?, &command),
        Command::Points(command) => points::run(&session()?.settling(command.settle()), command),
        Command::Restore(args) => restore::run(&session()?, &args),
        Command::Archive(command) => archive::run(&cli.globals, out, command),
        Command::Drill(command) => drill::run(&session()?, &command),
        Command::Dr(command) => dr::run(&session()?, &command),
        Command::Scrub(args) => scrub::run(&session()?, &args),
        Command::Doctor(DoctorCommand::Archive { url }) => doctor::run(&cli.globals, out, &url),
        Command::Aliases(command) => aliases::run(&session()?, command),
        Command::Bench(BenchCommand::Search(args)) => bench::run(&cli.globals, out, &args),
        Command::Demo(args) => demo::run(&cli.globals, out, &args),
    }
}

fn collections(command: CollectionsCommand, globals: &Globals, out: &Output) -> Result<(), Failure> {
    // Looking at backups needs no database: one is chosen only where it is used.
    let session = || Session::new(globals, out);
    match command {
        CollectionsCommand::Create(args) => create::run(&session()?, &args),
        CollectionsCommand::Update(args) => configure::update(&session()?.settling(Some(args.settle)), &args),
        CollectionsCommand::Index(command) => configure::index(&session()?.settling(command.settle()), &command),
        CollectionsCommand::Info(args) => info::run(&session()?, &args.name),
        CollectionsCommand::List => list::run(&session()?),
        CollectionsCommand::Count(args) => count::run(&session()?, &args),
        CollectionsCommand::Drop(args) => drop::run(&session()?, &args),
        CollectionsCommand::Purge { yes } => purge::run(&session()?, yes),
        CollectionsCommand::Undrop(args) => undrop::run(&session()?, &args.name),
        CollectionsCommand::FieldIndex(args) => field_index::run(&session()?, &args),
        CollectionsCommand::Optimize(args) => optimize::run(&session()?, &args),
        CollectionsCommand::Fork(args) => fork::run(&session()?, &args.name),
        CollectionsCommand::Branch(args) => branch::run(&session()?, &args),
        CollectionsCommand::Restore(args) => restore::run(&session()?, &args),
        CollectionsCommand::Backup(args) => backup::run(globals, out, &args),
    }
}

fn completions(shell: clap_complete::Shell, out: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vectra", &mut script);
    out.raw(&script)
}
