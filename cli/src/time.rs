//! Times as users read and write them: RFC 3339 with an offset, or relative to now.

use jiff::Timestamp;
use std::time::Duration;

/// Formats microseconds since 1970 as RFC 3339 in UTC with microseconds: `2026-11-20T23:16:57.000001Z`.
///
/// A time behind the year 9999 is printed as its number of microseconds.
#[must_use]
pub fn format_time(micros: u64) -> String {
    i64::try_from(micros)
        .ok()
        .and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .map_or_else(|| format!("{micros} us"), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// Gives a length of time in microseconds, as clocks count; what is too long for them is as long as they go.
#[must_use]
pub fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

/// A moment that a user named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Microseconds since 1970.
    At(u64),
    /// So many microseconds before now.
    Ago(u64),
}

impl Moment {
    /// Gives microseconds since 1970, for a clock that shows `now_micros`.
    #[must_use]
    pub fn resolve(self, now_micros: u64) -> u64 {
        match self {
            Moment::At(micros) => micros,
            Moment::Ago(micros) => now_micros.saturating_sub(micros),
        }
    }
}

/// Parses a moment: RFC 3339 with an offset, `now`, `now-5m`, `-5m`, `-1h30m` (units s, m, h, d, w).
///
/// # Errors
/// Says what is expected; a time without an offset is refused because it means another moment on another machine.
pub fn parse_moment(text: &str) -> Result<Moment, String> {
    let relative = text.strip_prefix("now").unwrap_or(text);
    if relative.is_empty() && !text.is_empty() {
        return Ok(Moment::Ago(0));
    }
    if let Some(length) = relative.strip_prefix('-') {
        return parse_length(length).map(Moment::Ago).ok_or_else(|| expected(text));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return u64::try_from(time.as_microsecond()).map(Moment::At).map_err(|_| format!("{text:?} lies before 1970"));
    }
    if text.parse::<jiff::civil::DateTime>().is_ok() {
        return Err(format!("{text:?} has no offset from UTC; append Z or +hh:mm"));
    }
    Err(expected(text))
}

fn expected(text: &str) -> String {
    format!("expected a time such as 2026-11-20T10:00:00Z, 2026-11-20T11:00:00+01:00, now-5m or -5m, got {text:?}")
}

/// Parses `1h30m` to microseconds.
pub(crate) fn parse_length(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        total = count.checked_mul(seconds)?.checked_mul(1_000_000)?.checked_add(total)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_utc_with_six_digits() {
        assert_eq!(format_time(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(format_time(1_698_400_800_000_001), "2023-10-27T10:00:00.000001Z");
        assert_eq!(format_time(1_698_400_800_120_000), "2023-10-27T10:00:00.120000Z");
        assert_eq!(format_time(u64::MAX), "18446744073709551615 us");
    }

    #[test]
    fn what_is_printed_reads_back() {
        for micros in [0, 1, 1_698_400_800_000_001, 4_102_444_799_999_999] {
            assert_eq!(parse_moment(&format_time(micros)), Ok(Moment::At(micros)));
        }
    }

    #[test]
    fn an_offset_is_honoured() {
        assert_eq!(parse_moment("2023-10-27T12:00:00+02:00"), parse_moment("2023-10-27T10:00:00Z"));
    }

    #[test]
    fn a_time_without_an_offset_is_refused_with_the_reason() {
        for naive in ["2023-10-27T10:00:00", "2023-10-27 10:00:00", "2023-10-27"] {
            let error = parse_moment(naive).unwrap_err();
            assert!(error.contains("no offset"), "{error}");
        }
    }

    #[test]
    fn relative_times_count_back_from_now() {
        assert_eq!(parse_moment("-5m").unwrap().resolve(1_000_000_000), 700_000_000);
        assert_eq!(parse_moment("now-5m"), parse_moment("-5m"));
        assert_eq!(parse_moment("now"), Ok(Moment::Ago(0)));
        assert_eq!(parse_moment("-1h30m"), Ok(Moment::Ago(5_400_000_000)));
        assert_eq!(parse_moment("-5m").unwrap().resolve(1), 0);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in ["", "-", "now-", "5m", "now+5m", "-5", "-5y", "-99999999999999w", "yesterday", "-5\u{e9}", "now5m"] {
            assert!(parse_moment(bad).is_err(), "{bad:?} was taken");
        }
    }
}
