//! Runs the simulations of continuous archiving by hand: a range of seeds, one seed again, or with a deliberate mistake switched on.
#![expect(clippy::disallowed_macros, reason = "a program for developers: its output is its purpose")]

use std::process::ExitCode;

use platform::KnownBad;
use platform::clock::{Clock, OsClock};
use vectra_tests::archiving::{Extent, known_bads, run_seeds};

const USAGE: &str = "archiving [--seeds N] [--from S] [--seed X] [--ops N] [--stride K] [--known-bad NAME]

  --seeds N         simulations to run (default 36)
  --from S          the first seed (default 0)
  --seed X          only this one
  --ops N           actions of each (default 80)
  --stride K        at the end, restore every K-th change of each life (default 3)
  --known-bad NAME  switch a deliberate mistake on; a simulation must fail then";

struct Arguments {
    seeds: u64,
    from: u64,
    extent: Extent,
    known_bad: KnownBad,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(arguments) => run(&arguments),
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let extent = Extent { operations: 80, stride: 3 };
    let mut parsed = Arguments { seeds: 36, from: 0, extent, known_bad: KnownBad::default() };
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{option} needs a number, not \"{value}\""));
        match option.as_str() {
            "--seeds" => parsed.seeds = number()?,
            "--from" => parsed.from = number()?,
            "--seed" => (parsed.from, parsed.seeds) = (number()?, 1),
            "--ops" => parsed.extent.operations = number()?,
            "--stride" => parsed.extent.stride = number()?,
            "--known-bad" => {
                let known = known_bads().into_iter().find(|(name, _)| *name == value);
                let names = || known_bads().map(|(name, _)| name).join(", ");
                parsed.known_bad = known.ok_or_else(|| format!("the deliberate mistakes are: {}", names()))?.1;
            }
            _ => return Err(format!("there is no option {option}")),
        }
    }
    Ok(parsed)
}

fn run(arguments: &Arguments) -> ExitCode {
    if arguments.known_bad != KnownBad::default() {
        // A panic is one way in which a deliberate mistake shows; the report says so in one line.
        std::panic::set_hook(Box::new(|_| {}));
    }
    let clock = OsClock::new();
    let (seeds, sums, failures) = run_seeds(arguments.from, arguments.seeds, arguments.known_bad, arguments.extent, 3);
    let seconds = clock.monotonic_micros() as f64 / 1e6;
    println!("{seeds} seeds in {seconds:.1} s: {sums:?}");
    for failure in &failures {
        println!("{failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
