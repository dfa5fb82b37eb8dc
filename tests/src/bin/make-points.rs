//! Writes points that say themselves what they must be, and checks an export of them: the input and the oracle of `kill.sh`.
#![expect(clippy::disallowed_macros, reason = "a program for scripts: its output is its purpose")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufWriter, Write};
use std::process::ExitCode;

use platform::random::Stream;
use serde_json::Value;

const USAGE: &str = "make-points --rows N --dim D --seed S           writes the points as JSON lines
make-points --rows N --dim D --seed S --check A  reads an export from stdin: the points 0..K for one K of A..=N, each as it
                                                 was written; prints K";

struct Arguments {
    rows: u64,
    dim: u64,
    seed: u64,
    check: Option<u64>,
}

fn main() -> ExitCode {
    let done = parse(std::env::args().skip(1)).and_then(|arguments| match arguments.check {
        None => write(&arguments).map_err(|error| format!("cannot write the points: {error}")),
        Some(at_least) => check(&arguments, at_least),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments { rows: 1_000, dim: 8, seed: 0, check: None };
    while let Some(option) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse::<u64>().ok());
        let value = value.ok_or_else(|| format!("{option} needs a number\n\n{USAGE}"))?;
        match option.as_str() {
            "--rows" => parsed.rows = value,
            "--dim" => parsed.dim = value,
            "--seed" => parsed.seed = value,
            "--check" => parsed.check = Some(value),
            _ => return Err(format!("there is no option {option}\n\n{USAGE}")),
        }
    }
    Ok(parsed)
}

/// Gives the one point of this seed with this id. Its numbers are exact in 32 bits and in decimal.
fn point(arguments: &Arguments, id: u64) -> Value {
    let mut stream = Stream::new(arguments.seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let vector: Vec<f64> = (0..arguments.dim).map(|_| stream.below(4_001) as f64 / 8.0 - 250.0).collect();
    let text: String = (0..stream.below(60)).map(|_| char::from(b'a' + stream.below(26) as u8)).collect();
    serde_json::json!({"id": id, "vector": vector, "payload": {"n": id, "text": text}})
}

fn write(arguments: &Arguments) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for id in 0..arguments.rows {
        writeln!(out, "{}", point(arguments, id))?;
    }
    out.flush()
}

fn check(arguments: &Arguments, at_least: u64) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("cannot read the export: {error}"))?;
        let got: Value = serde_json::from_str(&line).map_err(|error| format!("a line of the export does not read: {error}"))?;
        let id = got["id"].as_u64().filter(|id| *id < arguments.rows).ok_or_else(|| format!("invented: {line}"))?;
        let expected = point(arguments, id);
        if !is_same(&got, &expected) {
            return Err(format!("point {id} is not what was written\n  expected {expected}\n  got      {got}"));
        }
        if !seen.insert(id) {
            return Err(format!("point {id} is there twice"));
        }
    }
    let found = seen.len() as u64;
    if seen.last().is_some_and(|last| *last != found - 1) {
        return Err(format!("{found} points are there, the last is {:?}: not the first ones of the input", seen.last()));
    }
    if found < at_least {
        return Err(format!("{found} points are there, {at_least} were acknowledged"));
    }
    println!("{found}");
    Ok(())
}

fn is_same(got: &Value, expected: &Value) -> bool {
    let numbers = |value: &Value| value["vector"].as_array().map(|all| all.iter().map(Value::as_f64).collect::<Vec<_>>());
    numbers(got) == numbers(expected) && got["payload"] == expected["payload"]
}
