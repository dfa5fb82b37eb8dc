//! Runs the simulated crashes by hand: a range of seeds, one seed again, or with a deliberate mistake switched on.
#![expect(clippy::disallowed_macros, reason = "a program for developers: its output is its purpose")]

use std::process::ExitCode;

use platform::KnownBad;
use platform::clock::{Clock, OsClock};
use vectra_tests::simulate;

const USAGE: &str = "crash [--seeds N] [--from S] [--seed X] [--threads T] [--known-bad NAME]

  --seeds N         simulations to run (default 2000)
  --from S          the first seed (default 0)
  --seed X          only this one
  --threads T       threads (default 2)
  --known-bad NAME  switch a deliberate mistake on; the suite must fail then";

struct Arguments {
    seeds: u64,
    from: u64,
    threads: usize,
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
    let mut parsed = Arguments { seeds: 2_000, from: 0, threads: 2, known_bad: KnownBad::default() };
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{option} needs a number, not \"{value}\""));
        match option.as_str() {
            "--seeds" => parsed.seeds = number()?,
            "--from" => parsed.from = number()?,
            "--seed" => (parsed.from, parsed.seeds) = (number()?, 1),
            "--threads" => parsed.threads = usize::try_from(number()?).unwrap_or(1),
            "--known-bad" => {
                let names = || simulate::KNOWN_BAD.map(|(name, _)| name).join(", ");
                parsed.known_bad = simulate::known_bad(&value).ok_or_else(|| format!("the deliberate mistakes are: {}", names()))?;
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
    let report = simulate::run_seeds(arguments.from, arguments.seeds, arguments.known_bad, arguments.threads, 3);
    let seconds = clock.monotonic_micros() as f64 / 1e6;
    println!("{} seeds in {seconds:.1} s, {:.0} a second: {:?}", report.seeds, report.seeds as f64 / seconds, report.sums);
    for failure in &report.failures {
        println!("{failure}");
    }
    if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
