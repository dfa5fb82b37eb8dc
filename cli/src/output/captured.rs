//! An output within another one: for a command that runs other commands and uses what they print.

use super::{Output, lock};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// What was printed, in memory.
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// Gives what was printed so far. Commands print text; anything else would show as replacement characters.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// Gives an output of JSON results that are kept instead of printed. Its notes are dropped; its progress bars are shown where these are.
    #[must_use]
    pub fn within(&self) -> (Output, Captured) {
        let results = Captured::default();
        let mut inner = Output::new(true, true, self.clock.clone(), Box::new(results.clone()), Box::new(io::sink()));
        inner.bars = self.bars.clone();
        (inner, results)
    }
}
