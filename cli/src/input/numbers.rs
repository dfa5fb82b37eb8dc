//! Arrays of numbers in JSON, as vectors.

/// Reads a JSON array of numbers. The text must be valid JSON already; what it holds is checked here.
///
/// Each number is rounded once, to the nearest float.
///
/// # Errors
/// Says which element is no number or too large, or that there are more than `limit`.
pub(super) fn parse_vector(json: &str, limit: usize) -> Result<Vec<f32>, String> {
    let inner = json.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::trim);
    let inner = inner.ok_or_else(|| format!("expected an array of numbers, got {}", start_of(json)))?;
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    let mut vector = Vec::new();
    for (at, element) in inner.split(',').enumerate() {
        if at == limit {
            return Err(format!("more than {limit} numbers in a vector"));
        }
        vector.push(number(element.trim()).map_err(|why| format!("number {at} {why}"))?);
    }
    Ok(vector)
}

fn number(text: &str) -> Result<f32, String> {
    // JSON texts of other things begin with other letters, and Rust's own "inf" and "nan" are none of JSON's.
    let starts_like_one = text.bytes().next().is_some_and(|first| first == b'-' || first.is_ascii_digit());
    match text.parse::<f32>() {
        Ok(value) if starts_like_one && value.is_finite() => Ok(value),
        Ok(_) if starts_like_one => Err(format!("is too large: {}", start_of(text))),
        _ => Err(format!("is not a number: {}", start_of(text))),
    }
}

/// Enough of a text to recognise it.
pub(super) fn start_of(text: &str) -> String {
    const LETTERS: usize = 40;
    let mut letters = text.trim().chars();
    let start: String = letters.by_ref().take(LETTERS).collect();
    if letters.next().is_some() { format!("{start}...") } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Vec<f32>, String> {
        parse_vector(json, 4)
    }

    #[test]
    fn whole_numbers_fractions_and_exponents_are_numbers() {
        assert_eq!(parse("[1, -2.5 ,3e2,\t-4E-1\n]").unwrap(), [1.0, -2.5, 300.0, -0.4]);
        assert_eq!(parse("[ ]").unwrap(), [0.0_f32; 0]);
        assert_eq!(parse("[-0]").unwrap()[0].to_bits(), (-0.0_f32).to_bits());
    }

    #[test]
    fn a_number_is_rounded_once() {
        // Halfway between two floats and a little more: through a double it would round to even, down.
        assert_eq!(parse("[1.00000005960464477541]").unwrap(), [1.000_000_1]);
        assert_eq!(parse("[16777217.0000000001]").unwrap(), [16_777_218.0]);
    }

    #[test]
    fn what_is_no_finite_number_is_refused_with_its_place() {
        for (json, place) in [
            ("[1,\"2\"]", "number 1"),
            ("[null]", "number 0"),
            ("[1,2,[3]]", "number 2"),
            ("[true]", "number 0"),
            ("[1e39]", "too large"),
            ("[-1e400]", "too large"),
            ("[1,2,3,4,5]", "more than 4"),
            ("{\"indices\":[1]}", "array of numbers"),
            ("\"[1]\"", "array of numbers"),
            ("7", "array of numbers"),
            ("[inf]", "not a number"),
            ("[,]", "not a number"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(place), "{json}: {error}");
        }
    }
}
