//! The printing door: results to stdout, everything else to stderr, as text or as JSON.

use crate::exit::Failure;
use engine::ErrorKind;
use indicatif::MultiProgress;
use platform::clock::Clock;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod captured;
mod json;
mod progress;
mod text;

pub use captured::Captured;
pub use json::error as error_json;
pub use progress::{Progress, Unit};
pub use text::{bytes, count, duration};

/// Where a command prints. Shared by threads; each line stays whole.
pub struct Output {
    json: bool,
    quiet: bool,
    out: Mutex<Stdout>,
    err: Mutex<Box<dyn Write + Send>>,
    /// Progress bars, when stderr is a terminal.
    bars: Option<MultiProgress>,
    clock: Arc<dyn Clock>,
}

struct Stdout {
    to: Box<dyn Write + Send>,
    /// The reader went away: what follows is dropped, and the command still does its work.
    closed: bool,
}

impl Output {
    /// Prints to the streams of this process.
    #[must_use]
    pub fn real(json: bool, quiet: bool, clock: Arc<dyn Clock>) -> Self {
        let stdout = BufWriter::with_capacity(64 << 10, io::stdout());
        let mut output = Self::new(json, quiet, clock, Box::new(stdout), Box::new(io::stderr()));
        if io::stderr().is_terminal() && !json && !quiet {
            output.bars = Some(MultiProgress::new());
        }
        output
    }

    /// Prints to any two writers, without progress bars.
    #[must_use]
    pub fn new(json: bool, quiet: bool, clock: Arc<dyn Clock>, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { json, quiet, out: Mutex::new(Stdout { to: out, closed: false }), err: Mutex::new(err), bars: None, clock }
    }

    /// Says from now on through a writer what would go to stderr.
    pub fn say_through(&self, err: Box<dyn Write + Send>) {
        *lock(&self.err) = err;
    }

    /// Whether results are JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether only results are wanted.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The clock by which progress is told.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Prints one line of the result; the reader has it when this returns.
    ///
    /// # Errors
    /// When stdout refuses it, except that a reader who went away is no failure.
    pub fn result(&self, line: &str) -> Result<(), Failure> {
        self.write_out(|to| writeln!(to, "{line}").and_then(|()| to.flush()))
    }

    /// Prints one line of a long result; the reader may have it later, at [`Output::finish`] at the latest.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn row(&self, line: &str) -> Result<(), Failure> {
        self.write_out(|to| writeln!(to, "{line}"))
    }

    /// Prints bytes of a long result as they are.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.write_out(|to| to.write_all(bytes))
    }

    /// Prints a value as one line of JSON; the reader has it when this returns.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn result_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Failure> {
        self.result(&json::line(value)?)
    }

    /// Prints a value as one line of JSON of a long result.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn row_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Failure> {
        self.row(&json::line(value)?)
    }

    /// Whether the reader of stdout went away: a long result may stop.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.out).closed
    }

    /// Hands everything printed to the reader.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn finish(&self) -> Result<(), Failure> {
        self.write_out(|to| to.flush())
    }

    /// Says something beside the result, on stderr; silent with `--quiet`.
    pub fn note(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.json {
            self.write_err(&json::note(text));
        } else {
            self.write_err(text);
        }
    }

    /// Prints bytes on stderr as they are.
    pub fn notes_raw(&self, bytes: &[u8]) {
        let mut err = lock(&self.err);
        let _written = err.write_all(bytes).and_then(|()| err.flush());
    }

    /// Says on stderr what others wait to read, even with `--quiet`.
    pub fn announce(&self, text: &str) {
        self.write_err(&if self.json { json::note(text) } else { text.to_owned() });
    }

    /// Says that something may be wrong though the command goes on, on stderr, even with `--quiet`.
    pub fn warn(&self, text: &str) {
        if self.json {
            self.write_err(&json::warning(text));
        } else {
            self.write_err(&format!("warning: {text}"));
        }
    }

    /// Asks a question on stderr and says whether the answer on stdin is yes. For a terminal only: the caller has looked.
    ///
    /// # Errors
    /// When stdin cannot be read.
    pub fn ask(&self, question: &str) -> Result<bool, Failure> {
        {
            let mut err = lock(&self.err);
            let _written = write!(err, "{question}").and_then(|()| err.flush());
        }
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        read.map_err(|error| Failure::new(ErrorKind::Io, format!("cannot read the answer: {error}")))?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Prints a failure on stderr.
    pub fn error(&self, failure: &Failure) {
        if self.json {
            self.write_err(&json::error(failure));
        } else {
            self.write_err(&text::error(failure));
        }
    }

    /// Shows how far something is: a bar on a terminal, else a line on stderr every ten seconds.
    #[must_use]
    pub fn progress(&self, what: &'static str, total: Option<u64>, unit: Unit) -> Progress<'_> {
        Progress::new(self, what, total, unit)
    }

    fn write_out(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let mut out = lock(&self.out);
        if out.closed {
            return Ok(());
        }
        let written = match &self.bars {
            Some(bars) => bars.suspend(|| write(&mut *out.to)),
            None => write(&mut *out.to),
        };
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                out.closed = true;
                Ok(())
            }
            Err(error) => {
                // Nothing after a hole in the output: the first refusal is the last attempt.
                out.closed = true;
                let kind = if error.kind() == io::ErrorKind::StorageFull { ErrorKind::NoSpace } else { ErrorKind::Io };
                Err(Failure::new(kind, format!("cannot write the result to stdout: {error}")))
            }
        }
    }

    /// A stderr that cannot be written is no reason to stop, and there is nobody left to tell.
    fn write_err(&self, line: &str) {
        let mut err = lock(&self.err);
        let mut write = || {
            // In one call, so that it stays whole wherever it goes.
            let _written = err.write_all(format!("{line}\n").as_bytes()).and_then(|()| err.flush());
        };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
