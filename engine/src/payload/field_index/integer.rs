//! The values of an index of integers: how they sort as keys, and which of them pass a test.

use super::format::Keys;
use super::{Spans, gaps, joined};
use crate::payload::filter::{Range, Scalar, Scalars, Test};
use crate::payload::number::Number;
use crate::payload::value::Value;

/// Flipped so that keys sort as unsigned numbers.
const SIGN: u64 = 1 << 63;

/// Gives the key of a value; `None` when it is no integer or above 2^63-1.
pub(super) fn key(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Number(text) => match Number::parse(text)? {
            Number::Integer(integer) => key_of(integer),
            Number::Float(_) => None,
        },
        _ => None,
    }
}

/// Finds the values that pass.
pub(super) fn spans(keys: &Keys<'_>, test: &Test) -> Spans {
    match test {
        Test::Match(Scalar::Integer(integer)) => Spans::sure(joined(key_of(*integer).and_then(|key| keys.find(key)))),
        Test::Any(Scalars::Integers(list)) => Spans::sure(joined(places(keys, list))),
        Test::Except(Scalars::Integers(list)) => Spans::sure(gaps(keys.count(), &joined(places(keys, list)))),
        Test::Except(Scalars::Keywords(_)) => Spans::sure(gaps(keys.count(), &[])),
        Test::Range(range) => Spans::sure(within(keys, range, number)),
        _ => Spans::default(),
    }
}

/// Finds the values within a range, given what number a key stands for.
pub(super) fn within(keys: &Keys<'_>, range: &Range, number: fn(u64) -> Number) -> Option<std::ops::Range<u32>> {
    let from = keys.first_not(|key| range.is_above(number(key)));
    let to = keys.first_not(|key| !range.is_below(number(key)));
    (from < to).then_some(from..to)
}

fn places(keys: &Keys<'_>, list: &[i128]) -> impl Iterator<Item = u32> {
    list.iter().filter_map(|integer| keys.find(key_of(*integer)?))
}

pub(super) fn key_of(integer: i128) -> Option<u64> {
    i64::try_from(integer).ok().map(|integer| integer.cast_unsigned() ^ SIGN)
}

pub(super) fn number(key: u64) -> Number {
    Number::Integer(i128::from((key ^ SIGN).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_integers() {
        let integers = [i64::MIN, -2, -1, 0, 1, i64::MAX];
        let keys: Vec<u64> = integers.iter().map(|i| key(Value::Number(&i.to_string())).unwrap()).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(keys.iter().zip(integers).all(|(key, integer)| number(*key) == Number::Integer(i128::from(integer))));
        assert_eq!(key(Value::Number("9223372036854775808")), None);
        assert_eq!(key(Value::Number("1.0")), None);
    }
}
