//! The lines of a log on their way out: a bounded queue, so that who writes a line never waits for who reads it.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Bytes that wait at most. As many again may be in the hands of the thread that writes them.
const WAITING_MAX: usize = 1 << 20;

/// Takes lines and writes them in the background. Clones are one queue.
#[derive(Clone)]
pub(super) struct Queue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Lines came, or the last ones were written.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
    /// Lines that found no room since the beginning.
    dropped: u64,
}

impl Queue {
    /// Begins to write to `out` what comes; `tell` is called with a number of lines that were dropped, once there is room again.
    pub(super) fn start(out: impl Write + Send + 'static, tell: impl Fn(u64) + Send + 'static) -> Self {
        let queue = Queue(Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() }));
        let writing = queue.clone();
        // It ends with the process: a line may come at any time.
        std::thread::spawn(move || writing.run(out, tell));
        queue
    }

    /// Lines that were dropped since the beginning.
    pub(super) fn dropped(&self) -> u64 {
        self.0.state.lock().dropped
    }

    /// Waits until all lines are written, for at most about `patience`.
    pub(super) fn settle(&self, patience: Duration) {
        let mut state = self.0.state.lock();
        // Late is late: nobody is told that lines were left.
        let _ = self.0.changed.wait_while_for(&mut state, |state| state.is_writing || !state.waiting.is_empty(), patience);
    }

    fn run(&self, mut out: impl Write, tell: impl Fn(u64)) {
        let (mut taken, mut told) = (Vec::new(), 0);
        loop {
            let dropped = {
                let mut state = self.0.state.lock();
                state.is_writing = false;
                self.0.changed.notify_all();
                self.0.changed.wait_while(&mut state, |state| state.waiting.is_empty());
                taken.clear();
                std::mem::swap(&mut taken, &mut state.waiting);
                state.is_writing = true;
                state.dropped
            };
            // Of a log that cannot be written nobody can be told.
            let _ = out.write_all(&taken).and_then(|()| out.flush());
            if dropped > told {
                tell(dropped - told);
                told = dropped;
            }
        }
    }
}

impl Write for Queue {
    /// Takes one line whole, or drops it. It never fails.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        if state.waiting.len().saturating_add(line.len()) > WAITING_MAX {
            state.dropped += 1;
        } else {
            state.waiting.extend_from_slice(line);
            assert!(state.waiting.len() <= WAITING_MAX, "what waits is bounded");
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Lines;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn lines_come_out_whole_and_in_order_and_settle_waits_for_the_last() {
        let reader = Lines::default();
        let mut queue = Queue::start(reader.clone(), |_| ());
        let lines: Vec<String> = (0..1000).map(|at| format!("line {at}\n")).collect();
        for line in &lines {
            queue.write_all(line.as_bytes()).unwrap();
        }
        queue.settle(PATIENCE);
        assert_eq!(String::from_utf8(reader.0.lock().clone()).unwrap(), lines.concat());
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn a_reader_that_stands_still_holds_nobody_up_and_what_was_dropped_is_counted_and_told_when_it_goes_on() {
        let (reader, told) = (Lines::default(), Arc::new(Mutex::new(0)));
        let tell = told.clone();
        let mut queue = Queue::start(reader.clone(), move |lines| *tell.lock() += lines);
        let line = [b'x'; 1 << 10];
        let written = 3 * (WAITING_MAX / line.len()) as u64;
        let stopped = reader.0.lock();
        for _ in 0..written {
            queue.write_all(&line).unwrap();
        }
        let dropped = queue.dropped();
        assert!(dropped > 0 && dropped < written, "{dropped} of {written}");
        queue.settle(Duration::from_millis(1));
        drop(stopped);
        // Room again: the next line is written, and with it the number is told.
        queue.settle(PATIENCE);
        queue.write_all(b"end").unwrap();
        queue.settle(PATIENCE);
        let kept = reader.0.lock();
        assert!(kept.ends_with(b"end"));
        assert_eq!(kept.len() as u64, (written - dropped) * line.len() as u64 + 3);
        assert_eq!(*told.lock(), dropped);
    }
}
