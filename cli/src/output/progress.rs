//! How far a long command is: a bar on a terminal, a line every ten seconds elsewhere, nothing when quiet.

use super::{Output, json, lock, text};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Mutex;
use std::time::Duration;

/// Between two lines where stderr is not a terminal; short commands print none.
const LINE_EVERY_MICROS: u64 = 10_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Points of a collection.
    Points,
    /// Bytes read or sent.
    Bytes,
    /// Files or objects.
    Objects,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Points => "points",
            Unit::Bytes => "bytes",
            Unit::Objects => "objects",
        }
    }

    fn bar(self, with_total: bool) -> &'static str {
        match (self, with_total) {
            (Unit::Bytes, true) => "{msg} {wide_bar} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
            (Unit::Bytes, false) => "{msg} {spinner} {binary_bytes}, {binary_bytes_per_sec}",
            (_, true) => "{msg} {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left",
            (_, false) => "{msg} {spinner} {human_pos}, {per_sec}",
        }
    }

    fn amount(self, number: u64) -> String {
        match self {
            Unit::Bytes => text::bytes(number),
            Unit::Points | Unit::Objects => text::count(number),
        }
    }
}

/// Progress of one thing; it disappears from the terminal when dropped.
pub struct Progress<'a> {
    output: &'a Output,
    what: &'static str,
    total: Option<u64>,
    unit: Unit,
    started: u64,
    /// The last number of lines' worth of ten seconds that was told.
    lines: Mutex<u64>,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(output: &'a Output, what: &'static str, total: Option<u64>, unit: Unit) -> Self {
        let bar = output.bars.as_ref().map(|bars| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let style = ProgressStyle::with_template(unit.bar(total.is_some()));
            let bar = style.into_iter().fold(bar, ProgressBar::with_style);
            bars.add(bar.with_message(what))
        });
        Self { output, what, total, unit, started: output.clock.monotonic_micros(), lines: Mutex::new(0), bar }
    }

    /// Tells how much is done. Cheap enough to be called for every batch.
    pub fn set(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        if self.output.quiet {
            return;
        }
        let elapsed = self.output.clock.monotonic_micros().saturating_sub(self.started);
        let due = elapsed / LINE_EVERY_MICROS;
        {
            let mut lines = lock(&self.lines);
            if due <= *lines {
                return;
            }
            *lines = due;
        }
        self.output.write_err(&self.line(done, Duration::from_micros(elapsed)));
    }

    fn line(&self, done: u64, elapsed: Duration) -> String {
        if self.output.json {
            return json::progress(self.what, done, self.total, self.unit.name(), elapsed.as_secs_f64());
        }
        let unit = if self.unit == Unit::Bytes { "" } else { self.unit.name() };
        let done_of = match self.total {
            Some(total) if total > 0 => {
                let percent = u128::from(done) * 100 / u128::from(total);
                format!("{} of {} {unit} ({percent}%)", self.unit.amount(done), self.unit.amount(total))
            }
            _ => format!("{} {unit}", self.unit.amount(done)),
        };
        // Bytes bring their unit with them and leave a double or trailing blank.
        let done_of = done_of.replace("  ", " ");
        format!("{}: {}, {}", self.what, done_of.trim_end(), text::duration(elapsed))
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
