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
}
