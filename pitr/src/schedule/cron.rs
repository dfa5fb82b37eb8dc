//! A calendar of five fields, as cron has them: minute, hour, day of the month, month, day of the week.

use engine::error::{Error, ErrorKind, Result};

use super::zone::{Shift, Zone};
use crate::time_text::civil;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
/// How far the next moment is looked for: a 29th of February on a given weekday comes within 40 years.
const SPAN: u64 = 41 * 366 * DAY;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A calendar; bit `n` of a field says whether the number `n` is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both the day of the month and that of the week are restricted: one of them is enough then, as cron has it.
    either_day: bool,
}

impl Cron {
    /// Reads five fields of numbers, names, lists, ranges and steps, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    ///
    /// # Errors
    /// `Usage` naming the field.
    pub fn parse(text: &str) -> Result<Self> {
        let spelled = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" => "0 0 1 1 *",
            other => other,
        };
        let fields: Vec<&str> = spelled.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let error = Error::new(ErrorKind::Usage, "a calendar has five fields");
            return Err(error.with_expected("minute hour day month weekday", format!("\"{}\"", text.escape_debug())));
        };
        let week = read_field("weekday", weekday, 0, 7, &WEEKDAYS)?;
        Ok(Cron {
            minutes: read_field("minute", minute, 0, 59, &[])?,
            hours: read_field("hour", hour, 0, 23, &[])?,
            days: read_field("day", day, 1, 31, &[])?,
            months: read_field("month", month, 1, 12, &MONTHS)?,
            // Sunday is 0 and 7.
            weekdays: (week | week >> 7) & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        })
    }

    /// Gives the first moment behind a time, in microseconds since 1970.
    ///
    /// At the moment when clocks are set forward, what was due in the hour that is left out runs once. When they are set back, what has a given hour
    /// runs in the first of both; what runs every hour runs in both.
    #[must_use]
    pub fn next_after(&self, after: u64, zone: &Zone) -> Option<u64> {
        let mut at = (after / SECOND / MINUTE).checked_add(1)?.checked_mul(MINUTE)?;
        let end = at.checked_add(SPAN)?;
        while at < end {
            let shift = zone.shift_after(at - 1);
            if shift.is_some_and(|shift| shift.at == at && self.falls_into(&shift)) {
                return at.checked_mul(SECOND);
            }
            let local = zone.local(at);
            let Some(skip) = self.skip(local) else {
                if self.is_every_hour() || !zone.is_again(at) {
                    return at.checked_mul(SECOND);
                }
                at += MINUTE;
                continue;
            };
            let limit = zone.shift_after(at).map_or(u64::MAX, |shift| shift.at);
            at = (at + skip).min(limit);
        }
        None
    }

    /// Says how many seconds there is no match from a local time on, which is a whole minute; `None` when it matches.
    fn skip(&self, local: u64) -> Option<u64> {
        let of_day = local % DAY;
        if !self.matches_day(local / DAY) {
            return Some(DAY - of_day);
        }
        if self.hours >> (of_day / HOUR) & 1 == 0 {
            return Some(HOUR - of_day % HOUR);
        }
        let rest = self.minutes >> (of_day % HOUR / MINUTE);
        if rest == 0 {
            return Some(HOUR - of_day % HOUR);
        }
        (rest & 1 == 0).then(|| u64::from(rest.trailing_zeros()) * MINUTE)
    }

    /// Says whether something is due in the local time that a shift leaves out.
    fn falls_into(&self, shift: &Shift) -> bool {
        if self.is_every_hour() || shift.after <= shift.before {
            return false;
        }
        let (mut local, end) = (shift.at.saturating_add_signed(shift.before), shift.at.saturating_add_signed(shift.after));
        while local < end {
            match self.skip(local) {
                None => return true,
                Some(skip) => local += skip,
            }
        }
        false
    }

    fn is_every_hour(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    fn matches_day(&self, day: u64) -> bool {
        let (_, month, of_month) = civil(day);
        // 1970-01-01 was a Thursday.
        let (of_month, of_week) = (self.days >> of_month & 1 == 1, self.weekdays >> ((day + 4) % 7) & 1 == 1);
        let day_matches = if self.either_day { of_month || of_week } else { of_month && of_week };
        day_matches && self.months >> month & 1 == 1
    }
}

/// Reads one field into bits.
fn read_field(what: &str, text: &str, min: u64, max: u64, names: &[&str]) -> Result<u64> {
    let wrong = || {
        Error::new(ErrorKind::Usage, format!("the calendar's {what} cannot be read"))
            .with_expected(format!("numbers from {min} to {max}, as *, 1, 1-5, */5 or 1,3,5"), format!("\"{}\"", text.escape_debug()))
    };
    let number = |word: &str| {
        let lower = word.to_ascii_lowercase();
        // Months count from 1, days of the week from 0.
        let named = names.iter().position(|name| *name == lower).map(|place| place as u64 + if names.len() == 12 { 1 } else { 0 });
        let digits = (!word.is_empty() && word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit())).then(|| word.parse().ok());
        named.or(digits.flatten()).filter(|number| (min..=max).contains(number))
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(step.parse::<u64>().ok().filter(|step| (1..=max).contains(step)).ok_or_else(wrong)?)),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (min, max),
            Some((first, last)) => (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?),
            None => {
                let first = number(range).ok_or_else(wrong)?;
                (first, if step.is_some() { max } else { first })
            }
        };
        if first > last {
            return Err(wrong());
        }
        (first..=last).step_by(step.unwrap_or(1) as usize).for_each(|number| bits |= 1 << number);
    }
    Ok(bits)
}
