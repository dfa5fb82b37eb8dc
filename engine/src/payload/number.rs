//! Numbers as JSON writes them, compared exactly: an integer and a float meet without either being rounded.

use std::cmp::Ordering;

/// A number of JSON text.
///
/// A number written without point or exponent that fits `i64` or `u64` is an integer; every other is the nearest `f64`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// From -2^63 to 2^64-1.
    Integer(i128),
    /// Never NaN; infinite where the text is beyond the range of `f64`.
    Float(f64),
}

impl Number {
    /// Reads the text of a JSON number; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Number> {
        // 20 digits and a sign hold every u64; longer text is not worth an attempt.
        if text.len() <= 21
            && let Ok(integer) = text.parse::<i128>()
            && (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer)
        {
            return Some(Number::Integer(integer));
        }
        text.parse::<f64>().ok().filter(|float| !float.is_nan()).map(Number::Float)
    }

    /// Orders two numbers by their exact values.
    #[must_use]
    pub fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
            (Number::Integer(a), Number::Float(b)) => integer_to_float(a, b),
            (Number::Float(a), Number::Integer(b)) => integer_to_float(b, a).reverse(),
            // Only NaN has no order, and no number is NaN.
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        }
    }

    /// Gives the `f64` that is exactly this number, if there is one.
    #[must_use]
    pub fn exact_float(self) -> Option<f64> {
        let float = match self {
            Number::Integer(integer) => integer as f64,
            Number::Float(float) => float,
        };
        (self.compare(Number::Float(float)) == Ordering::Equal).then_some(float)
    }
}

fn integer_to_float(integer: i128, float: f64) -> Ordering {
    // Every integer here is within 2^64, so beyond 2^100 the sign of the float decides, and within it the cast is exact.
    if float.abs() >= 2_f64.powi(100) {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let whole = float.trunc();
    let fraction = float - whole;
    integer.cmp(&(whole as i128)).then(0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn integers_beyond_2_to_the_53_are_told_apart_from_floats() {
        let order = ["-1e400", "-9223372036854775809.5e3", "-9223372036854775808", "-1.5", "-1", "-0.5", "0", "1e-320", "0.5", "1", "1.5"];
        let high =
            ["9007199254740992.0", "9007199254740993", "9007199254740994", "18446744073709551615", "18446744073709551616", "1e30", "1e400"];
        let all: Vec<Number> = order.iter().chain(&high).map(|text| number(text)).collect();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a.compare(*b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
        assert_eq!(number("5.0").compare(number("5")), Ordering::Equal);
        assert_eq!(number("-0").compare(number("-0.0")), Ordering::Equal);
    }

    #[test]
    fn only_json_integers_are_integers() {
        assert_eq!(number("-0"), Number::Integer(0));
        assert_eq!(number("18446744073709551615"), Number::Integer(i128::from(u64::MAX)));
        assert!(matches!(number("18446744073709551616"), Number::Float(_)));
        assert!(matches!(number("1.0"), Number::Float(_)));
        assert_eq!(Number::parse("nan"), None);
        assert_eq!(Number::parse("-"), None);
        assert_eq!(number("9007199254740993").exact_float(), None);
        assert_eq!(number("9007199254740992").exact_float(), Some(9_007_199_254_740_992.0));
    }
}
