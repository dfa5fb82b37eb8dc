//! Time: the wall clock, the monotonic clock, processor time, and waiting.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

/// A source of time. All readings are in microseconds.
pub trait Clock: Send + Sync + Debug {
    /// Returns microseconds since 1970-01-01 UTC; may jump either way.
    fn wall_micros(&self) -> u64;
    /// Returns microseconds since a fixed moment of this process; never goes back.
    fn monotonic_micros(&self) -> u64;
    /// Returns the processor time that this process has used, user and system, all threads.
    fn cpu_micros(&self) -> u64;
    /// Waits for at least `duration`.
    fn sleep(&self, duration: Duration);
}

/// The clocks of this machine.
#[derive(Debug)]
pub struct OsClock {
    start: Instant,
}

impl OsClock {
    /// Returns the machine's clock; its monotonic time starts at zero now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the door to the machine's clock")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for OsClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for OsClock {
    #[expect(clippy::disallowed_methods, reason = "the door to the machine's clock")]
    fn wall_micros(&self) -> u64 {
        // A clock set before 1970 reads as 0: commit times have their own floor.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, whole_micros)
    }

    fn monotonic_micros(&self) -> u64 {
        whole_micros(self.start.elapsed())
    }

    fn cpu_micros(&self) -> u64 {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(used.tv_nsec).unwrap_or(0);
        seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
    }

    #[expect(clippy::disallowed_methods, reason = "the door to waiting")]
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A clock that moves only when it is read, slept on, or told to; clones share one time.
#[derive(Clone, Debug)]
pub struct SimClock {
    now: Arc<Mutex<SimTime>>,
}

#[derive(Debug)]
struct SimTime {
    wall: u64,
    monotonic: u64,
    readings: u64,
}

impl SimTime {
    fn advance(&mut self, micros: u64) {
        self.wall = self.wall.saturating_add(micros);
        self.monotonic = self.monotonic.saturating_add(micros);
    }

    fn read(&mut self) {
        self.advance(1);
        self.readings += 1;
    }
}

impl SimClock {
    /// Returns a clock whose wall time begins at `start_micros` and whose monotonic time at zero.
    #[must_use]
    pub fn new(start_micros: u64) -> Self {
        Self { now: Arc::new(Mutex::new(SimTime { wall: start_micros, monotonic: 0, readings: 0 })) }
    }

    /// Lets `duration` pass.
    pub fn advance(&self, duration: Duration) {
        self.now.lock().advance(whole_micros(duration));
    }

    /// Sets the wall clock forward or back by `micros`; monotonic time does not notice.
    pub fn step_wall(&self, micros: i64) {
        let mut now = self.now.lock();
        now.wall = now.wall.saturating_add_signed(micros);
    }

    /// Returns the wall time without letting any pass.
    #[must_use]
    pub fn peek_wall_micros(&self) -> u64 {
        self.now.lock().wall
    }
}

impl Clock for SimClock {
    fn wall_micros(&self) -> u64 {
        let mut now = self.now.lock();
        now.read();
        now.wall
    }

    fn monotonic_micros(&self) -> u64 {
        let mut now = self.now.lock();
        now.read();
        now.monotonic
    }

    /// Counts one microsecond a reading: a simulated process works only when it looks.
    fn cpu_micros(&self) -> u64 {
        let mut now = self.now.lock();
        now.read();
        now.readings
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_moves_one_microsecond_a_reading_and_as_told() {
        let clock = SimClock::new(1_000);
        assert_eq!(clock.wall_micros(), 1_001);
        assert_eq!(clock.monotonic_micros(), 2);
        clock.advance(Duration::from_millis(5));
        assert_eq!(clock.peek_wall_micros(), 6_002);
        clock.sleep(Duration::from_micros(8));
        assert_eq!(clock.clone().wall_micros(), 6_011);
        assert_eq!(clock.cpu_micros(), 4);
    }

    #[test]
    fn a_step_of_the_wall_clock_leaves_monotonic_time_alone() {
        let clock = SimClock::new(5_000_000);
        let before = clock.monotonic_micros();
        clock.step_wall(-4_000_000);
        assert_eq!(clock.peek_wall_micros(), 1_000_001);
        assert_eq!(clock.monotonic_micros(), before + 1);
        clock.step_wall(i64::MIN);
        assert_eq!(clock.peek_wall_micros(), 0);
    }

    #[test]
    fn the_real_clock_is_after_2020_and_never_goes_back() {
        let clock = OsClock::new();
        assert!(clock.wall_micros() > 1_577_836_800_000_000);
        let first = clock.monotonic_micros();
        clock.sleep(Duration::from_micros(1));
        assert!(clock.monotonic_micros() > first);
        let cpu = clock.cpu_micros();
        assert!(clock.cpu_micros() >= cpu);
    }
}
