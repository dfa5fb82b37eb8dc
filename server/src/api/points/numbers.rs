//! Lists of numbers, the bulk of what requests are made of, read faster than any JSON.

/// What is not a list of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotNumbers;

/// Powers of ten that are exact as `f64`.
const POWERS: [f64; 23] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];
/// Up to here whole numbers are exact as `f64`.
const EXACT_MAX: u64 = 1 << 53;
/// Digits that fit a `u64` whatever they are.
const DIGITS_MAX: usize = 19;

/// Reads a list of numbers out of text that is JSON: whoever calls this has had its grammar checked.
///
/// A number of few digits, as nearly all are, is one whole number divided by a power of ten, which is the `f64` nearest to it; the others are
/// read by the standard library. What is beyond an `f32` becomes infinite, and is refused where vectors are checked.
///
/// # Errors
/// When it is something else than a list, or one that holds something else than numbers.
pub(super) fn floats(json: &str) -> Result<Vec<f32>, NotNumbers> {
    let mut rest = json.trim_ascii().as_bytes().strip_prefix(b"[").ok_or(NotNumbers)?;
    // A list of one digit a number is the shortest there is.
    let mut numbers = Vec::with_capacity(rest.len() / 8 + 1);
    rest = rest.trim_ascii_start();
    if rest == b"]" {
        return Ok(numbers);
    }
    loop {
        let (number, len) = number(rest).ok_or(NotNumbers)?;
        numbers.push(number);
        rest = after_space(&rest[len..]);
        match rest {
            [b',', behind @ ..] => rest = after_space(behind),
            b"]" => return Ok(numbers),
            _ => return Err(NotNumbers),
        }
    }
}

fn after_space(text: &[u8]) -> &[u8] {
    match text {
        // What programs write: nothing, or one space.
        [b' ', next, ..] if !next.is_ascii_whitespace() => &text[1..],
        [next, ..] if next.is_ascii_whitespace() => text.trim_ascii_start(),
        _ => text,
    }
}

/// Reads the number that a text begins with; gives it and its length.
fn number(text: &[u8]) -> Option<(f32, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let mut at = usize::from(is_negative);
    let (mut whole, mut digits, mut behind_point) = (0_u64, 0, None);
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                // Too many digits wrap, and are read again below.
                whole = whole.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                digits += 1;
            }
            b'.' if behind_point.is_none() => behind_point = Some(digits),
            b'e' | b'E' => return slow_number(text),
            _ => break,
        }
        at += 1;
    }
    let power = POWERS.get(digits - behind_point.unwrap_or(digits));
    let (true, true, Some(power)) = (digits <= DIGITS_MAX, whole <= EXACT_MAX, power) else { return slow_number(text) };
    let value = (whole as f64 / power) as f32;
    (digits > 0).then_some((if is_negative { -value } else { value }, at))
}

fn slow_number(text: &[u8]) -> Option<(f32, usize)> {
    let len = text.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')).count();
    let number: f64 = std::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    Some((number as f32, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::random::Stream;

    #[test]
    fn numbers_are_those_that_the_json_reader_finds() {
        let mut stream = Stream::new(1);
        for _ in 0..20_000 {
            let float = f32::from_bits(stream.next_u64() as u32);
            let count = stream.below(24) as usize;
            let forms = [
                format!("{float:?}"),
                format!("{float:e}"),
                format!("{:.count$}", f64::from(stream.unit_f32()) - 0.5),
                format!("{}", stream.next_u64() >> stream.below(64)),
                format!("-{}.{}", stream.below(1_000), stream.next_u64()),
            ];
            for form in forms.iter().filter(|form| !form.contains("NaN") && !form.contains("inf")) {
                let expected = form.parse::<f64>().unwrap() as f32;
                let read = floats(&format!("[{form}]")).unwrap();
                assert_eq!(read[0].to_bits(), expected.to_bits(), "{form}");
                let of_json: f32 = serde_json::from_str(form).unwrap();
                assert!(
                    (of_json - read[0]).abs() <= expected.abs() * f32::EPSILON || !expected.is_normal(),
                    "{form}: {of_json} {}",
                    read[0]
                );
            }
        }
    }

    #[test]
    fn spaces_are_where_json_has_them() {
        assert_eq!(floats("[]"), Ok(vec![]));
        assert_eq!(floats("[ \n ]"), Ok(vec![]));
        assert_eq!(floats("[1,2 ,\t3\r\n,  4 ]"), Ok(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(floats(" [-0.0] ").map(|read| read[0].to_bits()), Ok((-0.0_f32).to_bits()));
    }

    #[test]
    fn what_is_no_list_of_numbers_is_refused() {
        for json in [
            "1", "{}", "null", "\"[1]\"", "[\"1\"]", "[null]", "[[1]]", "[true]", "[{}]", "[1,[2]]", "[-]", "[.]", "[1", "[1,]", "[1]]",
            "[", "",
        ] {
            assert_eq!(floats(json), Err(NotNumbers), "{json}");
        }
        assert_eq!(floats("[1e999, -1e400]"), Ok(vec![f32::INFINITY, f32::NEG_INFINITY]), "refused where vectors are checked");
    }
}
