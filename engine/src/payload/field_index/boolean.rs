//! The values of an index of truth values: how they sort as keys, and which of them pass a test.

use super::format::Keys;
use super::{Spans, gaps, joined};
use crate::payload::filter::{Scalar, Test};
use crate::payload::value::Value;

/// Gives the key of a value; `None` when it is no truth value.
pub(super) fn key(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Bool(value) => Some(u64::from(value)),
        _ => None,
    }
}

/// Finds the values that pass; lists hold strings or integers, so no truth value is ever in one.
pub(super) fn spans(keys: &Keys<'_>, test: &Test) -> Spans {
    match test {
        Test::Match(Scalar::Bool(value)) => Spans::sure(joined(keys.find(u64::from(*value)))),
        Test::Except(_) => Spans::sure(gaps(keys.count(), &[])),
        _ => Spans::default(),
    }
}
