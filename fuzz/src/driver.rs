//! The built-in attack: seeded mutations of the seeds, without a look at what the code covers.
//!
//! The same target and seed give the same inputs, so that a run needs no file to be repeated. Hangs and hunger for memory are for whoever
//! starts it to stop (`fuzz/run.sh` does); the input that did it is in the file given by `--save`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use platform::clock::{Clock, OsClock};
use platform::fs::{FileSystem, OpenMode, OsFileSystem, read_file, write_file_durably};
use platform::random::Stream;

use crate::mutate;
use crate::targets::{TARGETS, Target, find};

const HELP: &str = "\
Attacks readers of bytes with seeded mutations.

usage: vectra-fuzz --target=NAME [--seconds=N | --runs=N] [--seed=N] [--save=FILE] [--crashes=DIR]   attack
       vectra-fuzz --target=NAME FILE...                            run inputs again
       vectra-fuzz --target=NAME --write-seeds=DIR                  write the seeds, a file each
       vectra-fuzz --list                                           name the targets

--runs is 2000 unless --seconds is given. --save writes each input to FILE before it is run.
Exit code 1: an input made the target panic; it is kept in a file, and the command that repeats it is printed.
";

/// An input that made a target panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which run it was, counted from 0.
    pub run: u64,
    /// The input.
    pub input: Vec<u8>,
}

/// Runs the seeds of a target, then mutations of them while `goes_on` says so (it is given the runs done and the next input).
///
/// # Errors
/// The first input on which the target panics.
pub fn attack(target: Target, seed: u64, mut goes_on: impl FnMut(u64, &[u8]) -> bool) -> Result<Tally, Finding> {
    let corpus = (target.seeds)();
    let mut stream = Stream::new(seed);
    let mut inputs = corpus.iter().cloned();
    let mut tally = Tally { runs: 0, accepted: 0 };
    loop {
        let input = inputs.next().unwrap_or_else(|| mutate::draw(&mut stream, &corpus, target.words));
        if !goes_on(tally.runs, &input) {
            return Ok(tally);
        }
        match run_one(target, &input) {
            None => return Err(Finding { run: tally.runs, input }),
            Some(accepted) => tally.accepted += u64::from(accepted),
        }
        tally.runs += 1;
    }
}

/// What an attack did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Inputs that were run.
    pub runs: u64,
    /// Those that the target accepted, at least in part.
    pub accepted: u64,
}

/// Runs one input; `None` when it made the target panic, else whether it was accepted.
#[must_use]
pub fn run_one(target: Target, input: &[u8]) -> Option<bool> {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).ok()
}

/// What the command line says.
#[derive(Debug, Default)]
struct Arguments {
    target: Option<Target>,
    seconds: Option<u64>,
    runs: Option<u64>,
    seed: u64,
    save: Option<PathBuf>,
    crashes: PathBuf,
    write_seeds: Option<PathBuf>,
    list: bool,
    files: Vec<PathBuf>,
}

/// Does what the command line asks and gives the exit code: 0, 1 for a finding, 2 for a command line that makes no sense.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    let done = parse(arguments).and_then(|arguments| match arguments.target {
        None if arguments.list => {
            TARGETS.iter().for_each(|target| say(target.name));
            Ok(true)
        }
        None => Err(HELP.to_owned()),
        Some(target) => run(target, &arguments),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            say(message.trim_end());
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Result<Arguments, String> {
    let mut parsed = Arguments { seed: 1, ..Arguments::default() };
    for argument in arguments {
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a number: {argument}"));
        match name {
            "--target" => parsed.target = Some(find(value).ok_or_else(|| format!("there is no target \"{value}\"; see --list"))?),
            "--seconds" => parsed.seconds = Some(number()?),
            "--runs" => parsed.runs = Some(number()?),
            "--seed" => parsed.seed = number()?,
            "--save" => parsed.save = Some(PathBuf::from(value)),
            "--crashes" => parsed.crashes = PathBuf::from(value),
            "--write-seeds" => parsed.write_seeds = Some(PathBuf::from(value)),
            "--list" => parsed.list = true,
            name if name.starts_with('-') => return Err(format!("unknown argument {argument}\n\n{HELP}")),
            _ => parsed.files.push(PathBuf::from(argument)),
        }
    }
    Ok(parsed)
}

/// Gives whether the target held.
fn run(target: Target, arguments: &Arguments) -> Result<bool, String> {
    let fs = OsFileSystem::new();
    if let Some(dir) = &arguments.write_seeds {
        write_seeds(target, &fs, dir)?;
        return Ok(true);
    }
    if !arguments.files.is_empty() {
        let mut all_hold = true;
        for path in &arguments.files {
            let input = read_file(&fs, path).map_err(|error| error.to_string())?;
            let verdict = match run_one(target, &input) {
                None => "PANICS",
                Some(true) => "accepts",
                Some(false) => "refuses",
            };
            all_hold &= verdict != "PANICS";
            say(&format!("{}: {verdict} {}", target.name, path.display()));
        }
        return Ok(all_hold);
    }
    let clock = OsClock::new();
    let started = clock.monotonic_micros();
    let save = arguments.save.as_deref();
    let limit = arguments.runs.unwrap_or(if arguments.seconds.is_some() { u64::MAX } else { 2000 });
    let micros = arguments.seconds.map_or(u64::MAX, |seconds| seconds.saturating_mul(1_000_000));
    let mut unsaved = None;
    let result = attack(target, arguments.seed, |runs, input| {
        if let Some(path) = save {
            unsaved = overwrite(&fs, path, input).err();
        }
        unsaved.is_none() && runs < limit && clock.monotonic_micros() - started < micros
    });
    match (unsaved, result) {
        (Some(error), _) => Err(error.to_string()),
        (None, Ok(Tally { runs, accepted })) => {
            let seconds = (clock.monotonic_micros() - started) as f64 / 1e6;
            say(&format!(
                "{}: {runs} runs in {seconds:.1} s, {accepted} inputs accepted, seed {}, built-in driver",
                target.name, arguments.seed
            ));
            Ok(true)
        }
        (None, Err(finding)) => {
            keep(target, &fs, arguments, &finding)?;
            Ok(false)
        }
    }
}

fn write_seeds(target: Target, fs: &dyn FileSystem, dir: &Path) -> Result<(), String> {
    fs.create_dir_all(dir).map_err(|error| error.to_string())?;
    for (number, seed) in (target.seeds)().iter().enumerate() {
        overwrite(fs, &dir.join(format!("seed-{number}")), seed).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn overwrite(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> platform::fs::Result<()> {
    let mode = if fs.metadata(path)?.is_some() { OpenMode::ReadWrite } else { OpenMode::CreateNew };
    let file = fs.open(path, mode)?;
    file.set_len(bytes.len() as u64)?;
    file.write_all_at(bytes, 0)
}

/// Keeps the input of a finding and says how to see it again.
fn keep(target: Target, fs: &dyn FileSystem, arguments: &Arguments, finding: &Finding) -> Result<(), String> {
    let seed = arguments.seed;
    let path = arguments.crashes.join(format!("crash-{}-{seed}-{}", target.name, finding.run));
    write_file_durably(fs, &path, &finding.input).map_err(|error| error.to_string())?;
    say(&format!("{}: PANICS at run {} of seed {seed}; the input is in {}", target.name, finding.run, path.display()));
    say(&format!("repeat it: cargo run -p vectra-fuzz -- --target={} {}", target.name, path.display()));
    Ok(())
}

#[expect(clippy::disallowed_macros, reason = "the fuzzer is a program of its own and talks to whoever runs it")]
fn say(line: &str) {
    println!("{line}");
}
