//! Commands that a running server carries out, since the database is its own: which they are, and how its answer is printed.

use crate::api_key;
use crate::args::{
    AliasesCommand, ArchiveCommand, Cli, CollectionsCommand, Command, DrillCommand, IndexCommand, JobsCommand, PointsCommand,
    SchedulesCommand,
};
use crate::data_dir::{self, Place, Said};
use crate::exit::{Failure, usage};
use crate::output::Output;
use engine::ErrorKind;
use engine::database::served_at;
use platform::World;
use platform::http::client::{Client, ClientOptions};
use platform::http::{HttpError, Method};
use platform::process;
use server::commands::{COMMANDS_PATH, CommandLine, FRAME_EXIT, FRAME_HEAD_LEN, FRAME_LEN_MAX, FRAME_NOTES, FRAME_RESULT};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// A command may print nothing for so long.
const SILENCE: Duration = Duration::from_secs(24 * 3600);

/// Finds the server that has to carry a command out: the one that is named, or the one that has the database that is written to.
///
/// # Errors
/// A usage failure when two databases are named, or the command cannot be carried out by a server.
pub fn target(cli: &Cli) -> Result<Option<String>, Failure> {
    let Some(access) = access(&cli.command) else { return Ok(None) };
    let url = match data_dir::choose(&Said::gather(&cli.globals))? {
        Place::Server(url) => Some(url),
        Place::Directory(_) if access == Access::Reads => None,
        Place::Directory(dir) => served_at(&World::real(), &dir)?,
    };
    if url.is_some() && reads_stdin(&cli.command) {
        return Err(usage("a server cannot read this command's standard input").with_hint("write the lines to a file, and name it"));
    }
    Ok(url)
}

/// What a command does with a database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Reads,
    Writes,
}

/// Says what a command does with a database; `None` when it needs none, or is about a server itself.
fn access(command: &Command) -> Option<Access> {
    use Access::{Reads, Writes};
    match command {
        Command::Collections(command) => match command {
            CollectionsCommand::List | CollectionsCommand::Info(_) | CollectionsCommand::Count(_) => Some(Reads),
            // Who does not wait wants a job, and a server has those.
            CollectionsCommand::Backup(args) => args.create.as_ref().map(|_| if args.wait.wait { Reads } else { Writes }),
            CollectionsCommand::Index(IndexCommand::Export { .. }) => Some(Reads),
            CollectionsCommand::Restore(args) if args.dry_run => Some(Reads),
            _ => Some(Writes),
        },
        Command::Points(PointsCommand::Get(_)) | Command::Export(_) | Command::Search(_) => Some(Reads),
        Command::Import(_) | Command::Points(_) | Command::Scrub(_) => Some(Writes),
        Command::Restore(args) => Some(if args.dry_run { Reads } else { Writes }),
        Command::Jobs(JobsCommand::Cancel { .. }) => Some(Writes),
        Command::Schedules(SchedulesCommand::Set(_) | SchedulesCommand::Delete { .. }) => Some(Writes),
        Command::Drill(DrillCommand::Schedule(_)) => Some(Writes),
        Command::Schedules(_) | Command::Jobs(_) | Command::Drill(_) | Command::Dr(_) => Some(Reads),
        Command::Aliases(AliasesCommand::List) => Some(Reads),
        Command::Aliases(_) => Some(Writes),
        Command::Archive(command) => match command {
            ArchiveCommand::Enable(_) | ArchiveCommand::Disable { .. } | ArchiveCommand::Run(_) => Some(Writes),
            ArchiveCommand::Status { .. } => Some(Reads),
            _ => None,
        },
        _ => None,
    }
}

fn reads_stdin(command: &Command) -> bool {
    let is_stdin = |path: &Path| path == Path::new("-");
    match command {
        Command::Import(args) => args.jsonl.as_deref().is_some_and(is_stdin),
        Command::Points(PointsCommand::Upsert(args)) => is_stdin(&args.jsonl),
        _ => false,
    }
}

/// Has a server carry out the words of this process, prints what it prints, and gives its exit code.
///
/// # Errors
/// `Unreachable` when the server does not answer or does not allow it, `Usage` when this process has no working directory.
pub fn run(url: &str, words: Vec<String>, out: &Output) -> Result<u8, Failure> {
    let directory = process::current_dir().ok_or_else(|| usage("the working directory is gone"))?;
    let line = CommandLine { words, directory: directory.to_string_lossy().into_owned() };
    let body = serde_json::to_vec(&line).map_err(|error| Failure::internal(format!("a command line cannot be said in JSON: {error}")))?;
    let key = api_key::find(&*World::real().fs, "VECTRA_API_KEY", process::env("VECTRA_API_KEY_FILE").as_deref())?;
    let headers = key.map(|key| ("api-key".to_owned(), key)).into_iter().collect();
    let client = Client::new(url, ClientOptions { read_timeout: SILENCE, headers, ..ClientOptions::default() }).map_err(unreachable)?;
    let mut answer = client.send(Method::Post, COMMANDS_PATH, &[("content-type", "application/json")], &body).map_err(unreachable)?;
    if answer.status != 200 {
        let text = answer.into_whole(1 << 20).unwrap_or_default();
        return Err(refused(url, &text));
    }
    print(&mut answer.body, out)
}

fn unreachable(error: HttpError) -> Failure {
    Failure::new(ErrorKind::Unreachable, error.to_string()).with_hint("is the server that has the database still there?")
}

fn refused(url: &str, text: &[u8]) -> Failure {
    let said: Option<serde_json::Value> = serde_json::from_slice(text).ok();
    let why = said.and_then(|said| said["status"]["error"].as_str().map(str::to_owned));
    let why = why.unwrap_or_else(|| "it does not say why".to_owned());
    Failure::new(ErrorKind::Unreachable, format!("the server at {url} does not carry the command out: {why}"))
        .with_hint("give its key in VECTRA_API_KEY or VECTRA_API_KEY_FILE, and run the command on its machine")
}

/// Prints frames as they come, up to the exit code.
fn print(from: &mut dyn Read, out: &Output) -> Result<u8, Failure> {
    let broken = |error: std::io::Error| Failure::new(ErrorKind::Unreachable, format!("the server went away: {error}"));
    loop {
        let mut head = [0; FRAME_HEAD_LEN];
        from.read_exact(&mut head).map_err(broken)?;
        let [kind, len @ ..] = head;
        let len = u32::from_le_bytes(len) as usize;
        if len > FRAME_LEN_MAX {
            return Err(Failure::new(ErrorKind::Unreachable, "what answers is no server of this database"));
        }
        let mut bytes = vec![0; len];
        from.read_exact(&mut bytes).map_err(broken)?;
        match (kind, bytes.as_slice()) {
            (FRAME_RESULT, bytes) => {
                out.raw(bytes)?;
                out.finish()?;
            }
            (FRAME_NOTES, bytes) => out.notes_raw(bytes),
            (FRAME_EXIT, [code]) => return Ok(*code),
            _ => return Err(Failure::new(ErrorKind::Unreachable, "what answers is no server of this database")),
        }
    }
}
