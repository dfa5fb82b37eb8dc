//! Moments as payloads and filters write them: RFC 3339 and its usual leniencies, read as microseconds UTC.
//!
//! What Qdrant's clients accept is accepted: a date alone, a blank for the `T`, one digit for a month, a day, an hour, a minute or a second,
//! no seconds, no offset (then it is UTC), an offset of hours alone, `UTC`, and a blank before the offset. Digits behind the microsecond
//! are cut off.

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Reads a moment; `None` when the text is none, or none that exists (no 30th of February, no hour 24, no leap second).
#[must_use]
pub fn parse_micros(text: &str) -> Option<i64> {
    let mut cursor = Cursor { rest: text.trim_start().as_bytes() };
    let (year, month, day) = (cursor.number(4, 4)?, cursor.after(b'-')?, cursor.after(b'-')?);
    let date = days_since_1970(year, month, day)?;
    if cursor.rest.is_empty() {
        return Some(date * 86_400 * MICROS_PER_SECOND);
    }
    if !cursor.take(b'T') && !cursor.take(b't') && cursor.blanks() == 0 {
        return None;
    }
    let (hour, minute) = (cursor.number(1, 2)?, cursor.after(b':')?);
    let (mut second, mut micros, mut offset) = (0, 0, 0);
    if !cursor.rest.is_empty() {
        second = cursor.after(b':')?;
        if cursor.take(b'.') {
            micros = cursor.fraction()?;
        }
        offset = cursor.offset()?;
    }
    if hour > 23 || minute > 59 || second > 59 || !cursor.rest.is_empty() {
        return None;
    }
    let seconds = ((date * 24 + hour) * 60 + minute) * 60 + second - offset;
    Some(seconds * MICROS_PER_SECOND + micros)
}

/// A text that is read from its beginning; years have four digits, so that no sum here can overflow.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let here = self.rest.first() == Some(&byte);
        self.rest = self.rest.get(usize::from(here)..).unwrap_or_default();
        here
    }

    fn blanks(&mut self) -> usize {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.rest = self.rest.get(count..).unwrap_or_default();
        count
    }

    /// Reads a number of some digits, no more than are there.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let digits = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at_checked(digits).filter(|_| digits >= least)?;
        self.rest = rest;
        Some(number.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    }

    /// Reads a sign between two numbers, and the second of them.
    fn after(&mut self, byte: u8) -> Option<i64> {
        if self.take(byte) { self.number(1, 2) } else { None }
    }

    /// Reads the digits of a fraction as microseconds.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let kept = self.number(1, 6)?;
        self.rest = self.rest.get(digits.saturating_sub(6)..).unwrap_or_default();
        Some(kept * 10_i64.pow(6 - digits.min(6) as u32))
    }

    /// Reads an offset as seconds; nothing is UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.rest.is_empty() {
            return Some(0);
        }
        let blanks = self.blanks();
        if self.take(b'Z') || self.take(b'z') {
            return Some(0);
        }
        if blanks > 0 && self.rest == b"UTC" {
            self.rest = &[];
            return Some(0);
        }
        let sign = if self.take(b'+') { 1 } else { -i64::from(self.take(b'-')) };
        let hours = self.number(2, 2).filter(|hours| sign != 0 && *hours < 24)?;
        let has_colon = self.take(b':');
        let minutes = if has_colon || !self.rest.is_empty() { self.number(2, 2)? } else { 0 };
        (minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
    }
}

/// Counts the days from the first of January 1970 to a day of the Gregorian calendar; `None` when there is no such day.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if year < 1 || day < 1 || day > days_in_month {
        return None;
    }
    // Counted from the first of March, each leap day is the last day of its year.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day - 1;
    Some(days - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_microseconds_utc() {
        for (text, micros) in [
            ("1970-01-01", 0),
            ("2024-02-29", 1_709_164_800_000_000),
            ("2024-1-5", 1_704_412_800_000_000),
            ("2021-01-01T00:00:00.123456789Z", 1_609_459_200_123_456),
            (" 2021-01-01 00:00:00.5 +01:00", 1_609_455_600_500_000),
            ("2021-01-01 00:00:00+01", 1_609_455_600_000_000),
            ("2021-01-01T10:30", 1_609_497_000_000_000),
            ("2021-01-01T00:00:00 UTC", 1_609_459_200_000_000),
            ("2021-01-01t00:00:00z", 1_609_459_200_000_000),
            ("2021-01-01T00:00:00+0130", 1_609_453_800_000_000),
            ("2021-01-01T00:00:00-23:59", 1_609_545_540_000_000),
            ("2021-01-01T1:2:3", 1_609_462_923_000_000),
            ("0001-01-01", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
            ("1969-12-31T23:59:59.999999", -1),
            ("2021-01-01T00:00:00 +01", 1_609_455_600_000_000),
            ("2021-01-01  00:00:00", 1_609_459_200_000_000),
        ] {
            assert_eq!(parse_micros(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "x",
            "2024",
            "20210101",
            "2023-02-29",
            "0000-01-01",
            "2021-13-01",
            "2021-00-01",
            "2021-04-31",
            "2021-01-00",
            "2021-01-01 ",
            "2021-01-01T",
            "2021-01-01T10",
            "2021-01-01T10:30Z",
            "2021-01-01T24:00:00",
            "2021-01-01T00:60:00",
            "2021-01-01T00:00:60",
            "2021-01-01T00:00:00.",
            "2021-01-01T00:00:00+24:00",
            "2021-01-01T00:00:00+01:60",
            "2021-01-01T00:00:00+01:",
            "2021-01-01T00:00:00+1",
            "2021-01-01T00:00:00UTC",
            "2021-01-01T00:00:00Zx",
            "2021-01-01T00:00:00 ",
            "2021-01-01X00:00:00",
            "12021-01-01",
            "-2021-01-01",
            "2021-01-01T00:00:00\u{663}",
        ] {
            assert_eq!(parse_micros(text), None, "{text}");
        }
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut expected = -719_162;
        for year in 1..=2400 {
            for month in 1..=12 {
                for day in (1..=31).filter(|day| days_since_1970(year, month, *day).is_some()) {
                    assert_eq!(days_since_1970(year, month, day), Some(expected), "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
    }
}
