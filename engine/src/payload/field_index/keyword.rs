//! The values of an index of strings: which are kept, and which of them pass a test.

use std::borrow::Cow;

use super::format::Words;
use super::{Spans, gaps, joined};
use crate::payload::filter::{Scalar, Scalars, Test};
use crate::payload::value::Value;

/// The longest string that is kept; rows with a longer one are found through the payload.
pub const KEYWORD_BYTES_MAX: usize = 64 * 1024;

/// Gives the string that is kept of a value; `None` when it is no string or too long.
pub(super) fn key(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.decode()).filter(|text| text.len() <= KEYWORD_BYTES_MAX),
        _ => None,
    }
}

/// Finds the values that pass.
pub(super) fn spans(words: &Words<'_>, test: &Test) -> Spans {
    match test {
        Test::Match(Scalar::Keyword(keyword)) => Spans::sure(joined(words.find(keyword))),
        Test::Any(Scalars::Keywords(list)) => Spans::sure(joined(places(words, list))),
        Test::Except(Scalars::Keywords(list)) => Spans::sure(gaps(words.count(), &joined(places(words, list)))),
        Test::Except(Scalars::Integers(_)) => Spans::sure(gaps(words.count(), &[])),
        Test::Match(_) | Test::Any(_) | Test::Range(_) | Test::IsEmpty | Test::IsNull => Spans::default(),
    }
}

fn places(words: &Words<'_>, list: &[String]) -> impl Iterator<Item = u32> {
    list.iter().filter_map(|keyword| words.find(keyword))
}
