//! The values of an index of texts: the words of each string, and what they tell about a test.

use std::ops::Range;

use super::format::Words;
use super::{KEYWORD_BYTES_MAX, Spans, joined};
use crate::payload::filter::{Scalar, Scalars, Test};
use crate::payload::text::{Wanted, words};
use crate::payload::value::Value;

/// Adds the words of a value; `false` when it is no string or one of its words is too long to be kept.
pub(super) fn add_words(value: Value<'_>, found: &mut Vec<String>) -> bool {
    let Value::String(text) = value else { return false };
    let before = found.len();
    found.extend(words(&text.decode()));
    found.get(before..).unwrap_or_default().iter().all(|word| word.len() <= KEYWORD_BYTES_MAX)
}

/// Finds what the rows of words tell about a test, given how many rows a range of words has; `None` where they tell nothing.
pub(super) fn spans(known: &Words<'_>, test: &Test, rows: impl Fn(&Range<u32>) -> usize) -> Option<Spans> {
    // A row that lacks one of the words does not pass; the one that fewest rows have leaves least to be read.
    let rarest = |wanted: &[String]| -> Option<Spans> {
        let places: Option<Vec<u32>> = wanted.iter().map(|word| known.find(word)).collect();
        let Some(places) = places else { return Some(Spans::default()) };
        let spans = places.into_iter().map(|place| place..place + 1);
        let rarest = spans.min_by_key(|span| rows(span))?;
        Some(Spans { sure: Vec::new(), maybe: vec![rarest] })
    };
    match test {
        Test::Text(Wanted::All(wanted) | Wanted::Phrase(wanted)) => match wanted.as_slice() {
            [] => Some(Spans::default()),
            [word] => Some(Spans::sure(joined(known.find(word)))),
            _ => rarest(wanted),
        },
        Test::Text(Wanted::Any(wanted)) => Some(Spans::sure(joined(wanted.iter().filter_map(|word| known.find(word))))),
        // The string itself is not kept; one without a word has no rows here at all.
        Test::Match(Scalar::Keyword(text)) => rarest(&words(text).collect::<Vec<_>>()),
        Test::Any(Scalars::Keywords(_)) | Test::Except(_) | Test::Prefix(_) | Test::Substring(_) | Test::Moments(_) => None,
        _ => Some(Spans::default()),
    }
}
