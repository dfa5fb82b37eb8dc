//! The values of an index of strings: which are kept, and which of them pass a test.

use std::borrow::Cow;
use std::ops::Range;

use super::format::Words;
use super::{Spans, first_not, gaps, joined};
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
        Test::Prefix(prefix) => Spans::sure(beginning_with(words, prefix)),
        // Fewer strings are looked at than there are rows, and no payload is read.
        Test::Text(_) | Test::Substring(_) | Test::Moments(_) => {
            let passes =
                |place: &u32| words.get(*place).and_then(|word| std::str::from_utf8(word).ok()).is_some_and(|word| test.passes_text(word));
            Spans::sure(joined((0..words.count()).filter(passes)))
        }
        _ => Spans::default(),
    }
}

/// Finds the strings with a beginning, which stand together.
fn beginning_with(words: &Words<'_>, prefix: &str) -> Option<Range<u32>> {
    let prefix = prefix.as_bytes();
    let from = first_not(words.count(), |place| words.get(place) < Some(prefix));
    let to = first_not(words.count(), |place| words.get(place).is_some_and(|word| word < prefix || word.starts_with(prefix)));
    (from < to).then_some(from..to)
}

fn places(words: &Words<'_>, list: &[String]) -> impl Iterator<Item = u32> {
    list.iter().filter_map(|keyword| words.find(keyword))
}
