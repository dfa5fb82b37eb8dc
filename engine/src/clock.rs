//! Commit times: a hybrid logical clock in microseconds UTC, strictly rising from operation to operation (rule S15).

use std::sync::Arc;

use parking_lot::Mutex;
use platform::clock::Clock;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::CommitTime;

/// A wall clock that jumps by more than this within a process is not followed.
const STEP_MAX_MICROS: u64 = 10_000_000;
/// Data from further in the future than this stops writers: the machine's clock is wrong.
const AHEAD_MAX_MICROS: u64 = 60_000_000;

/// Hands out commit times; one for each database.
#[derive(Debug)]
pub struct CommitClock {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: CommitTime,
    wall: u64,
    monotonic: u64,
}

impl CommitClock {
    /// Starts at the machine's wall time.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State { last: 0, wall: clock.wall_micros(), monotonic: clock.monotonic_micros() };
        CommitClock { clock, state: Mutex::new(state) }
    }

    /// Makes every later commit time larger than `seen`, a time found in a log.
    ///
    /// # Errors
    /// `Clock` when that lies more than 60 s in the future and `accept` is not set.
    pub fn follow(&self, seen: CommitTime, accept: bool) -> Result<()> {
        let now = self.wall_now();
        if !accept && seen > now + AHEAD_MAX_MICROS {
            return Err(Error::new(ErrorKind::Clock, "the clock of this machine is behind the data")
                .with_expected(format!("a time after {seen} microseconds UTC"), format!("{now}"))
                .with_hint("set the clock right, or pass --accept-clock to go on from the time of the data"));
        }
        let mut state = self.state.lock();
        state.last = state.last.max(seen);
        Ok(())
    }

    /// Draws the next commit time.
    #[must_use]
    pub fn next(&self) -> CommitTime {
        let now = self.wall_now();
        let mut state = self.state.lock();
        let next = now.max(state.last + 1);
        assert!(next > state.last, "commit times rise strictly");
        state.last = next;
        next
    }

    /// Gives the wall time as this process follows it: a step of the system's clock by more than 10 s is ignored.
    #[must_use]
    pub fn wall_now(&self) -> u64 {
        let (wall, monotonic) = (self.clock.wall_micros(), self.clock.monotonic_micros());
        let mut state = self.state.lock();
        let expected = state.wall + monotonic.saturating_sub(state.monotonic);
        state.monotonic = monotonic;
        state.wall = if wall.abs_diff(expected) > STEP_MAX_MICROS { expected } else { wall };
        state.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::clock::SimClock;

    #[test]
    fn commit_times_rise_strictly_though_the_wall_clock_goes_back() {
        let sim = Arc::new(SimClock::new(1_000_000_000_000));
        let clock = CommitClock::new(sim.clone());
        let mut last = 0;
        for step in [0_i64, -5_000_000, 3_600_000_000, -7_200_000_000, 0] {
            sim.step_wall(step);
            let next = clock.next();
            assert!(next > last);
            last = next;
        }
        assert!(last < 1_000_000_000_000 + 60_000_000, "a jump of an hour is not followed");
    }

    #[test]
    fn data_from_the_future_stops_a_writer_unless_accepted() {
        let clock = CommitClock::new(Arc::new(SimClock::new(1_000_000)));
        let future = 1_000_000 + 3_600_000_000;
        assert_eq!(clock.follow(future, false).unwrap_err().kind, ErrorKind::Clock);
        clock.follow(future, true).unwrap();
        assert!(clock.next() > future);
    }
}
