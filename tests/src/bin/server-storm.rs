//! Runs the real server under the load of several clients: kills it, backs up meanwhile, or watches latencies and memory.
#![expect(clippy::disallowed_macros, reason = "a program for developers: its output is its purpose")]

use std::path::PathBuf;
use std::process::ExitCode;

use vectra_tests::storm::{Plan, backups, kills, mixed, replaces};

const USAGE: &str = "server-storm PROGRAM kills|backups|replaces|mixed [--seed S] [--rounds N] [--writers W] [--seconds T]

  kills     the server is killed, or told to end, at random moments: no acknowledged write is lost
  backups   backups in a loop while clients write: each is the state at its position
  replaces  the collection is replaced by its backup while clients write: nothing acknowledged behind that is lost
  mixed     searches beside writes, an archive and backups: latencies and memory over time

  --seed S      of everything that is drawn (default 1)
  --rounds N    kills or backups (default 10)
  --writers W   clients that write (default 4)
  --seconds T   how long mixed lasts (default 60)";

fn main() -> ExitCode {
    let (what, plan) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let outcome = match what.as_str() {
        "kills" => kills::run(&plan),
        "backups" => backups::run(&plan),
        "replaces" => replaces::run(&plan),
        _ => mixed::run(&plan),
    };
    match outcome {
        Ok(found) => println!("{what}: {found}"),
        Err(wrong) => {
            eprintln!(
                "{what}: FAILED: {wrong}\nagain: server-storm {} {what} --seed {} --rounds {} --writers {}",
                plan.program.display(),
                plan.seed,
                plan.rounds,
                plan.writers
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(String, Plan), String> {
    let program = arguments.next().map(PathBuf::from).ok_or("which program?")?;
    let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
    let what = arguments.next().filter(|what| ["kills", "backups", "replaces", "mixed"].contains(&what.as_str())).ok_or("which load?")?;
    let mut plan = Plan { program, seed: 1, rounds: 10, writers: 4, seconds: 60 };
    while let Some(option) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse::<u64>().ok()).ok_or_else(|| format!("{option} needs a number"))?;
        match option.as_str() {
            "--seed" => plan.seed = value,
            "--rounds" => plan.rounds = value,
            "--writers" => plan.writers = value.clamp(1, 64),
            "--seconds" => plan.seconds = value,
            _ => return Err(format!("there is no option {option}")),
        }
    }
    Ok((what, plan))
}
