//! The values of an index of dates and times: how they sort as keys, and which of them pass a test.

use super::format::Keys;
use super::integer::{key_of, number, within};
use super::{Spans, gaps, joined};
use crate::payload::datetime::parse_micros;
use crate::payload::filter::{Scalar, Scalars, Test};
use crate::payload::value::Value;

/// Gives the key of a value; `None` when it is no string that says a moment.
pub(super) fn key(value: Value<'_>) -> Option<u64> {
    match value {
        Value::String(text) => of_text(&text.decode()),
        _ => None,
    }
}

/// Finds the values that pass; how a moment was written is not kept, so a test of its letters may pass.
pub(super) fn spans(keys: &Keys<'_>, test: &Test) -> Spans {
    let places = |list: &[String]| joined_unsorted(list.iter().filter_map(|text| keys.find(of_text(text)?)).collect());
    match test {
        Test::Moments(range) => Spans::sure(within(keys, range, number)),
        Test::Match(Scalar::Keyword(text)) => Spans { sure: Vec::new(), maybe: places(std::slice::from_ref(text)) },
        Test::Any(Scalars::Keywords(list)) => Spans { sure: Vec::new(), maybe: places(list) },
        Test::Except(Scalars::Keywords(list)) => {
            let maybe = places(list);
            Spans { sure: gaps(keys.count(), &maybe), maybe }
        }
        Test::Except(Scalars::Integers(_)) => Spans::sure(gaps(keys.count(), &[])),
        Test::Text(_) | Test::Prefix(_) | Test::Substring(_) => Spans { sure: Vec::new(), maybe: gaps(keys.count(), &[]) },
        _ => Spans::default(),
    }
}

fn of_text(text: &str) -> Option<u64> {
    parse_micros(text).and_then(|micros| key_of(micros.into()))
}

/// Texts that sort one way may say moments that sort another, and several may say the same.
fn joined_unsorted(mut places: Vec<u32>) -> Vec<std::ops::Range<u32>> {
    places.sort_unstable();
    places.dedup();
    joined(places)
}
