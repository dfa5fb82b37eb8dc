//! The steps of a demo: command lines, shown as a user would type them and run in this process.

use crate::args::{Cli, Globals};
use crate::exit::Failure;
use crate::output::{Output, duration};
use clap::Parser;
use engine::ErrorKind;
use platform::World;
use platform::clock::Clock;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Runs and shows.
pub(super) struct Steps<'a> {
    out: &'a Output,
    clock: Arc<dyn Clock>,
    /// What stands before the words of every command, unshown.
    before: Vec<OsString>,
}

/// What a command gave.
pub(super) struct Done {
    /// Its lines of JSON.
    pub results: Vec<Value>,
    /// How long it took.
    pub seconds: f64,
}

impl Done {
    /// The last line, which sums a command up; null where it printed nothing.
    pub fn last(&self) -> &Value {
        self.results.last().unwrap_or(&Value::Null)
    }
}

impl<'a> Steps<'a> {
    /// Prepares steps on the database in a directory.
    pub fn new(world: &World, globals: &Globals, out: &'a Output, data_dir: PathBuf) -> Self {
        let mut before: Vec<OsString> = vec!["vectra".into(), "--json".into(), "--quiet".into(), "--data-dir".into(), data_dir.into()];
        if globals.accept_clock {
            before.push("--accept-clock".into());
        }
        Self { out, clock: world.clock.clone(), before }
    }

    /// Tells something before the first step.
    pub fn say(&self, text: &str) -> Result<(), Failure> {
        self.tell(text)
    }

    /// Begins a part of the story.
    pub fn heading(&self, title: &str) -> Result<(), Failure> {
        self.tell(&format!("\n{title}"))
    }

    /// Tells what a step gave.
    pub fn result(&self, text: &str) -> Result<(), Failure> {
        self.tell(&format!("  {text}"))
    }

    /// Runs a command under a title.
    pub fn run(&self, title: &str, words: &[&str]) -> Result<Done, Failure> {
        self.heading(title)?;
        self.again(words)
    }

    /// Runs one more command under the same title.
    pub fn again(&self, words: &[&str]) -> Result<Done, Failure> {
        if platform::process::interrupted() {
            return Err(Failure::new(ErrorKind::Interrupted, "interrupted between two steps"));
        }
        let shown = shown(words);
        self.tell(&format!("$ {shown}"))?;
        let done = self.execute(words).map_err(|failure| Failure { message: format!("`{shown}`: {}", failure.message), ..failure })?;
        if self.out.is_json() {
            self.out.result_json(&json!({"event": "step", "command": shown, "seconds": done.seconds}))?;
        } else {
            self.result(&format!("({})", duration(Duration::from_secs_f64(done.seconds))))?;
        }
        Ok(done)
    }

    fn execute(&self, words: &[&str]) -> Result<Done, Failure> {
        let line = self.before.iter().cloned().chain(words.iter().map(OsString::from));
        let cli = Cli::try_parse_from(line).map_err(|error| Failure::internal(error.to_string()))?;
        let (inner, printed) = self.out.within();
        let started = self.clock.monotonic_micros();
        crate::commands::run(cli, &inner)?;
        inner.finish()?;
        let micros = self.clock.monotonic_micros() - started;
        let parse = |line: &str| serde_json::from_str(line).map_err(|error| Failure::internal(format!("a result is not JSON: {error}")));
        let results = printed.text().lines().map(parse).collect::<Result<Vec<Value>, _>>()?;
        Ok(Done { results, seconds: micros as f64 / 1e6 })
    }

    fn tell(&self, text: &str) -> Result<(), Failure> {
        if self.out.is_json() { Ok(()) } else { self.out.result(text) }
    }
}

/// Writes a command as a shell takes it.
fn shown(words: &[&str]) -> String {
    let is_plain = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./,:=".contains(&byte));
    let quote = |word: &&str| if is_plain(word) { (*word).to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) };
    let quoted: Vec<String> = words.iter().map(quote).collect();
    format!("vectra {}", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        assert_eq!(shown(&["import", "a", "--vectors", "/tmp/x.npy"]), "vectra import a --vectors /tmp/x.npy");
        assert_eq!(shown(&["a b", "it's", ""]), "vectra 'a b' 'it'\\''s' ''");
    }
}
