//! Text for people: errors, sizes, counts and lengths of time.

use crate::exit::Failure;
use std::time::Duration;

/// Renders a failure: what failed, where, expected and got, then the next step.
pub(super) fn error(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("error: {failure}\nhint: {hint}"),
        None => format!("error: {failure}"),
    }
}

/// Renders a size in bytes in powers of 1024: `1.5 GiB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size < 1_024 {
        return format!("{size} B");
    }
    let mut value = size as f64;
    let mut unit = "B";
    for next in UNITS {
        // What would be shown as 1024.0 belongs to the next unit.
        if value < 1_023.95 {
            break;
        }
        value /= 1_024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// Renders a count with a comma at every thousand.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Renders a length of time with the two units that matter: `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 10 min`.
#[must_use]
pub fn duration(length: Duration) -> String {
    let millis = length.as_millis();
    if millis < 1_000 {
        return format!("{millis} ms");
    }
    if millis < 59_950 {
        return format!("{:.1} s", length.as_secs_f64());
    }
    let seconds = length.as_secs() + u64::from(length.subsec_millis() >= 500);
    if seconds < 3_600 {
        return format!("{} min {:02} s", seconds / 60, seconds % 60);
    }
    format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_change_their_unit_at_1024() {
        for (size, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (3 << 30, "3.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn counts_have_a_comma_at_every_thousand() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_500_000, "1,500,000")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn lengths_of_time_never_show_sixty_of_a_unit() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (59_949, "59.9 s"),
            (59_999, "1 min 00 s"),
            (245_000, "4 min 05 s"),
            (3_599_600, "1 h 00 min"),
            (7_800_000, "2 h 10 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }
}
