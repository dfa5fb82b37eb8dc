//! Zones of time that need no database of zones: UTC, a fixed offset, or the rule of a zone as POSIX writes it.

use engine::error::{Error, ErrorKind, Result};

use crate::time_text::{civil, days};

const DAY: u64 = 86_400;

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Seconds that local time is ahead of UTC, in winter.
    standard: i64,
    summer: Option<Summer>,
}

/// When clocks are set forward, and back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Summer {
    offset: i64,
    begins: Rule,
    ends: Rule,
}

/// A moment of each year: the `week`th `weekday` of a month (5: the last one), at so many seconds of the local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    month: u64,
    week: u64,
    weekday: u64,
    seconds: i64,
}

/// A moment at which the offset changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    /// Seconds since 1970, UTC.
    pub at: u64,
    /// The offset before.
    pub before: i64,
    /// The offset from then on.
    pub after: i64,
}

impl Zone {
    /// The zone that everything else is told in.
    pub const UTC: Zone = Zone { standard: 0, summer: None };

    /// Reads `UTC`, an offset (`+02:00`), or a POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`).
    ///
    /// # Errors
    /// `Usage` on anything else; names such as `Europe/Paris` need a database that may differ from machine to machine.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(ErrorKind::Usage, "this zone is not known")
                .with_expected(
                    "UTC, an offset such as +02:00, or a rule such as CET-1CEST,M3.5.0,M10.5.0/3",
                    format!("\"{}\"", text.escape_debug()),
                )
                .with_hint("the last line of a zone's file, such as that of Europe/Paris, is its rule")
        };
        match text {
            "UTC" | "Z" => Ok(Zone::UTC),
            _ if text.starts_with(['+', '-']) => offset(text).map(|standard| Zone { standard, summer: None }).ok_or_else(wrong),
            _ => posix(text).ok_or_else(wrong),
        }
    }

    /// Gives the local time of a moment, both in seconds.
    pub(super) fn local(&self, at: u64) -> u64 {
        at.saturating_add_signed(self.offset_at(at))
    }

    fn offset_at(&self, at: u64) -> i64 {
        // Any year has its shifts: the last one before this moment says what holds.
        self.shifts_around(at).iter().rev().find(|shift| shift.at <= at).map_or(self.standard, |shift| shift.after)
    }

    /// Gives the first shift behind a moment; `None` where there are none.
    pub(super) fn shift_after(&self, at: u64) -> Option<Shift> {
        self.shifts_around(at).into_iter().find(|shift| shift.at > at)
    }

    /// Says whether clocks show the time of this moment for the second time, because they were set back.
    pub(super) fn is_again(&self, at: u64) -> bool {
        let last = self.shifts_around(at).into_iter().rev().find(|shift| shift.at <= at);
        last.is_some_and(|shift| shift.before > shift.after && at - shift.at < (shift.before - shift.after) as u64)
    }

    /// Lists the shifts of the year before, of this and of the next, in order.
    fn shifts_around(&self, at: u64) -> Vec<Shift> {
        let Some(summer) = &self.summer else { return Vec::new() };
        let (year, ..) = civil(at / DAY);
        let mut shifts = Vec::with_capacity(6);
        for year in year.saturating_sub(1).max(1970)..=year + 1 {
            let (standard, offset) = (self.standard, summer.offset);
            shifts.extend(summer.begins.moment(year, standard).map(|at| Shift { at, before: standard, after: offset }));
            shifts.extend(summer.ends.moment(year, offset).map(|at| Shift { at, before: offset, after: standard }));
        }
        shifts.sort_by_key(|shift| shift.at);
        shifts
    }
}

impl Rule {
    /// Gives the moment in a year, as local clocks say that are so many seconds ahead.
    fn moment(&self, year: u64, offset: i64) -> Option<u64> {
        let first = days(year, self.month, 1)?;
        let length = (28..=31).rev().find(|day| days(year, self.month, *day).is_some())?;
        let to_weekday = (self.weekday + 7 - (first + 4) % 7) % 7;
        let mut day = to_weekday + (self.week - 1) * 7;
        while day >= length {
            day -= 7;
        }
        ((first + day) * DAY).checked_add_signed(self.seconds - offset)
    }
}

/// Reads `+02:00` or `-0530` as seconds.
fn offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    let well_formed = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) && [5, 6].contains(&text.len());
    let (hours, minutes): (i64, i64) = (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse().ok()?);
    (well_formed && hours <= 14 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Reads a rule as POSIX writes it: offsets count westward there.
fn posix(text: &str) -> Option<Zone> {
    let mut parts = text.split(',');
    let (_, rest) = name(parts.next()?)?;
    let (standard, rest) = clock(rest)?;
    if rest.is_empty() {
        return parts.next().is_none().then_some(Zone { standard: -standard, summer: None });
    }
    let (_, rest) = name(rest)?;
    let (summer, rest) = if rest.is_empty() { (standard - 3_600, "") } else { clock(rest)? };
    let (begins, ends) = (rule(parts.next()?)?, rule(parts.next()?)?);
    let whole_minutes = [standard, summer, begins.seconds, ends.seconds].iter().all(|seconds| seconds % 60 == 0);
    let fits = rest.is_empty() && parts.next().is_none() && whole_minutes && summer != standard && begins.month != ends.month;
    fits.then_some(Zone { standard: -standard, summer: Some(Summer { offset: -summer, begins, ends }) })
}

/// Takes a zone's abbreviation from the front: letters, or anything in `<` and `>`.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>');
    }
    let end = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    (end >= 3).then(|| text.split_at(end))
}

/// Takes `[+-]hh[:mm[:ss]]` from the front, as seconds.
fn clock(text: &str) -> Option<(i64, &str)> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let end = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b':').count();
    let numbers: Vec<i64> = rest[..end].split(':').map(|part| part.parse().ok().filter(|n| *n < 168)).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match numbers[..] {
        [hours] => (hours, 0, 0),
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    (hours <= 24 && minutes < 60 && seconds < 60).then(|| (sign * (hours * 3_600 + minutes * 60 + seconds), &rest[end..]))
}

/// Reads `M3.5.0/2`.
fn rule(text: &str) -> Option<Rule> {
    let (date, time) = text.strip_prefix('M').map(|rest| rest.split_once('/').unwrap_or((rest, "2")))?;
    let numbers: Vec<u64> = date.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [month, week, weekday] = numbers[..] else { return None };
    let (seconds, rest) = clock(time)?;
    let fits = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday <= 6 && rest.is_empty();
    fits.then_some(Rule { month, week, weekday, seconds })
}
