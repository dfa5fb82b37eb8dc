//! Times in reports: RFC 3339, UTC, with microseconds.

use serde::Serializer;

const MICROS_PER_DAY: u64 = 86_400_000_000;

/// Formats microseconds since 1970 as `2023-10-27T10:00:00.000001Z`; a time behind the year 9999 is printed as its number.
#[must_use]
pub fn format(micros: u64) -> String {
    let (year, month, day) = civil(micros / MICROS_PER_DAY);
    if year > 9999 {
        return format!("{micros} us");
    }
    let rest = micros % MICROS_PER_DAY;
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{fraction:06}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Turns days since 1970 into year, month and day of the Gregorian calendar. A year is counted from March, so that a leap day is its last.
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Counts the days from 1970 to a day of the Gregorian calendar; `None` when there is no such day, or it lies before.
pub(crate) fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    // A year is counted from March, as in [`civil`].
    let (shifted, from_march) = if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month + 9) };
    if year > 1_000_000 || from_march > 11 || !(1..=31).contains(&day) {
        return None;
    }
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let found = (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)?;
    (civil(found) == (year, month, day)).then_some(found)
}

/// Reads what [`format()`] writes; `None` for anything else.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten()
    };
    let (hours, minutes, seconds) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let day = days(number(0..4)?, number(5..7)?, number(8..10)?)?;
    let micros = day * MICROS_PER_DAY + (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + number(20..26)?;
    (format(micros) == text).then_some(micros)
}

/// Reads a time out of a stored report.
pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| serde::de::Error::custom(format!("\"{}\" is no time", text.escape_debug())))
}

/// Reads a time out of a stored report, or that there is none.
pub(crate) fn deserialize_option<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = <Option<String> as serde::Deserialize>::deserialize(deserializer)?;
    let read = |text: String| parse(&text).ok_or_else(|| serde::de::Error::custom(format!("\"{}\" is no time", text.escape_debug())));
    text.map(read).transpose()
}

pub(crate) fn serialize<S: Serializer>(micros: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*micros))
}

#[expect(clippy::ref_option, reason = "serde gives fields by reference")]
pub(crate) fn serialize_option<S: Serializer>(micros: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match micros {
        Some(micros) => serialize(micros, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(format(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(format(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
        assert_eq!(format(1_698_400_800_000_001), "2023-10-27T10:00:00.000001Z");
        assert_eq!(format(1_735_689_599_999_999), "2024-12-31T23:59:59.999999Z");
        assert!(format(u64::MAX).ends_with(" us"));
    }

    #[test]
    fn what_is_written_reads_back_and_nothing_else_does() {
        for micros in [0, 951_782_400_000_000, 1_698_400_800_000_001, 4_102_444_799_999_999] {
            assert_eq!(parse(&format(micros)), Some(micros));
        }
        let wrong = [
            "",
            "2023-10-27",
            "2023-02-29T00:00:00.000000Z",
            "2023-13-01T00:00:00.000000Z",
            "2023-10-27T24:00:00.000000Z",
            "2023-10-27T10:00:60.000000Z",
            "2023-10-27T10:00:00Z",
            "2023-10-27t10:00:00.000000Z",
            "1969-12-31T23:59:59.000000Z",
            "2023-10-27T10:00:00.00000\u{e9}Z",
            "2023-00-27T10:00:00.000000Z",
            "0000-00-00T00:00:00.000000Z",
        ];
        for wrong in wrong {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_and_the_calendar_say_the_same_for_four_centuries() {
        for day in 0..150_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
        assert_eq!([days(2023, 2, 29), days(2024, 4, 31), days(2024, 0, 1), days(2024, 1, 0), days(1969, 12, 31)], [None; 5]);
    }
}
