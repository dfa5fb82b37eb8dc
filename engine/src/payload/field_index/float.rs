//! The values of an index of floats: how they sort as keys, and which of them pass a test.

use super::format::Keys;
use super::integer::within;
use super::{Spans, gaps, joined};
use crate::payload::filter::{Scalar, Scalars, Test};
use crate::payload::number::Number;
use crate::payload::value::Value;

const SIGN: u64 = 1 << 63;

/// Gives the key of a value; `None` when it is no number or an integer that `f64` would round.
pub(super) fn key(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Number(text) => Number::parse(text)?.exact_float().map(key_of),
        _ => None,
    }
}

/// Finds the values that pass; whether `5` or `5.0` was written is not kept, so a match of an integer may pass.
pub(super) fn spans(keys: &Keys<'_>, test: &Test) -> Spans {
    match test {
        Test::Match(Scalar::Integer(integer)) => Spans { sure: Vec::new(), maybe: places(keys, &[*integer]) },
        Test::Any(Scalars::Integers(list)) => Spans { sure: Vec::new(), maybe: places(keys, list) },
        Test::Except(Scalars::Integers(list)) => {
            let maybe = places(keys, list);
            Spans { sure: gaps(keys.count(), &maybe), maybe }
        }
        Test::Except(Scalars::Keywords(_)) => Spans::sure(gaps(keys.count(), &[])),
        Test::Range(range) => Spans::sure(within(keys, range, number)),
        _ => Spans::default(),
    }
}

fn places(keys: &Keys<'_>, list: &[i128]) -> Vec<std::ops::Range<u32>> {
    let exact = |integer: &i128| Number::Integer(*integer).exact_float();
    joined(list.iter().filter_map(|integer| keys.find(key_of(exact(integer)?))))
}

/// Flips the sign bit of positive floats and every bit of negative ones, so that keys sort as unsigned numbers.
fn key_of(float: f64) -> u64 {
    // Adding zero makes one zero of the two.
    let bits = (float + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn number(key: u64) -> Number {
    Number::Float(f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_floats() {
        let texts = ["-1e400", "-1e308", "-2", "-1.5", "-1e-320", "0", "1e-320", "0.1", "1.0", "9007199254740992", "1e308", "1e400"];
        let keys: Vec<u64> = texts.iter().map(|text| key(Value::Number(text)).unwrap()).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        for (key, text) in keys.iter().zip(texts) {
            assert!(number(*key).compare(Number::parse(text).unwrap()).is_eq(), "{text}");
        }
        assert_eq!(key(Value::Number("-0.0")), key(Value::Number("0")));
        assert_eq!(key(Value::Number("9007199254740993")), None);
    }
}
