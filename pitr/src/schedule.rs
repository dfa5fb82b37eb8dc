//! Schedules: when something is due, what was missed, where it goes, and what of it stays. Pure: nothing here reads a clock or a store.

mod cron;
mod job;
mod template;
mod zone;

use engine::error::{Error, ErrorKind, Result};

pub use cron::Cron;
pub use job::{Runs, ScheduledBackup, Turn};
pub use template::Template;
pub use zone::Zone;

/// Shortest interval, microseconds.
const EVERY_MIN: u64 = 1_000_000;
/// Longest interval: a year.
const EVERY_MAX: u64 = 366 * 86_400_000_000;
/// Missed moments that are counted.
pub const MISSED_MAX: u64 = 10_000;
/// A last run that lies this far in the future was dated by a clock that was wrong, and says nothing.
const STEP_MAX: u64 = 86_400_000_000;

/// When something is to happen, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At every multiple of so many microseconds since 1970, UTC: the same moments whenever the program was started.
    Every(u64),
    /// At the moments of a calendar, in a zone.
    Cron(Cron, Zone),
}

/// Whether something is to happen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Later; `None`: the calendar has no such moment.
    NotYet(Option<u64>),
    /// Now, for this moment. Whoever runs it keeps the moment as that of the last run.
    Run(u64),
    /// Now, for this moment; and earlier moments passed without a run, which is told once.
    Missed {
        /// The moment that is run now.
        moment: u64,
        /// How many passed before it, at most [`MISSED_MAX`].
        count: u64,
        /// The first of them.
        first: u64,
    },
}

impl Schedule {
    /// Reads an interval: `30s`, `15m`, `1h`, `1d`, `1w`, `1h30m`.
    ///
    /// # Errors
    /// `Usage` on anything else, and on intervals below a second or above a year.
    pub fn every(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(ErrorKind::Usage, "this is no interval")
                .with_expected("30s, 15m, 1h, 1d, 1w or 1h30m, at least a second, at most a year", format!("\"{}\"", text.escape_debug()))
        };
        let micros = interval(text).filter(|micros| (EVERY_MIN..=EVERY_MAX).contains(micros)).ok_or_else(wrong)?;
        Ok(Schedule::Every(micros))
    }

    /// Reads a calendar of five fields (minute, hour, day, month, weekday), and the zone that it is meant in; `None`: UTC.
    ///
    /// # Errors
    /// `Usage` on anything else, or when no moment ever matches.
    pub fn cron(text: &str, zone: Option<&str>) -> Result<Self> {
        let zone = zone.map_or(Ok(Zone::UTC), Zone::parse)?;
        let schedule = Schedule::Cron(Cron::parse(text)?, zone);
        // A leap day that falls on a given weekday comes within 40 years.
        if schedule.next_after(0).is_none() {
            let error = Error::new(ErrorKind::Usage, "this calendar has no moment: no month has such a day");
            return Err(error.with_expected("minute hour day month weekday", format!("\"{}\"", text.escape_debug())));
        }
        Ok(schedule)
    }

    /// Gives the first moment behind a time; `None` when there is none within 40 years.
    #[must_use]
    pub fn next_after(&self, after: u64) -> Option<u64> {
        let next = match self {
            Schedule::Every(micros) => (after / micros).checked_add(1)?.checked_mul(*micros),
            Schedule::Cron(cron, zone) => cron.next_after(after, zone),
        };
        assert!(next.is_none_or(|next| next > after), "the next moment lies behind");
        next
    }

    /// Says whether something is to happen at `now`. `last` is the moment of the last run, or the time at which the schedule was set up.
    ///
    /// A clock that steps back runs nothing twice: what was run stays run until the clock is past it.
    #[must_use]
    pub fn due(&self, last: u64, now: u64) -> Due {
        let last = if last > now.saturating_add(STEP_MAX) { now } else { last };
        let Some(first) = self.next_after(last).filter(|first| *first <= now) else { return Due::NotYet(self.next_after(last)) };
        let moment = self.newest_until(first, now);
        if moment == first {
            return Due::Run(moment);
        }
        let (mut count, mut at) = (1, first);
        while count < MISSED_MAX
            && let Some(next) = self.next_after(at).filter(|next| *next < moment)
        {
            (count, at) = (count + 1, next);
        }
        Due::Missed { moment, count, first }
    }

    /// Gives the newest moment from `first`, which is one, up to `now`.
    fn newest_until(&self, first: u64, now: u64) -> u64 {
        if let Schedule::Every(micros) = self {
            return now / micros * micros;
        }
        // Looks back twice as far each time: the moments that are gone through are few.
        let (mut back, mut newest) = (120_000_000_u64, first);
        while newest == first {
            let from = now.saturating_sub(back).max(first);
            let mut at = self.next_after(from).filter(|at| *at <= now);
            while let Some(found) = at {
                newest = found;
                at = self.next_after(found).filter(|at| *at <= now);
            }
            if from == first {
                break;
            }
            back = back.saturating_mul(2);
        }
        newest
    }
}

/// Reads `1h30m` as microseconds.
fn interval(text: &str) -> Option<u64> {
    let (mut rest, mut total) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest[..digits].parse().ok()?;
        let seconds: u64 = match rest[digits..].bytes().next()? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 7 * 86_400,
            _ => return None,
        };
        total = count.checked_mul(seconds)?.checked_mul(1_000_000)?.checked_add(total)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests;
