//! Whether a filter holds for one point: the definition that every index is measured against.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::{Condition, Filter, Range, Scalar, Scalars, Test};
use crate::PointId;
use crate::payload::datetime::parse_micros;
use crate::payload::geo::GeoPoint;
use crate::payload::number::Number;
use crate::payload::path::FieldPath;
use crate::payload::value::{Value, elements};

/// Says whether a point has a vector of a name.
pub type HasVector<'a> = dyn Fn(&str) -> bool + 'a;

/// What a filter is asked about: a point, or an object within its payload.
#[derive(Clone, Copy)]
struct Subject<'a> {
    /// `None` for an object, which has neither id nor vectors.
    point: Option<(&'a PointId, &'a HasVector<'a>)>,
    payload: &'a str,
}

impl Filter {
    /// Says whether the filter holds for the point; `None` is a point without payload.
    #[must_use]
    pub fn matches(&self, id: &PointId, payload: Option<&str>, has_vector: &HasVector<'_>) -> bool {
        self.holds(Subject { point: Some((id, has_vector)), payload: payload.unwrap_or("{}") })
    }

    fn holds(&self, subject: Subject<'_>) -> bool {
        let holds = |condition: &Condition| condition.holds(subject);
        self.must.iter().all(holds)
            && (self.should.is_empty() || self.should.iter().any(holds))
            && !self.must_not.iter().any(holds)
            && self.min_should.as_ref().is_none_or(|counted| {
                let enough = counted.conditions.iter().filter(|condition| holds(condition)).take(counted.min_count);
                enough.count() == counted.min_count
            })
    }
}

impl Condition {
    fn holds(&self, subject: Subject<'_>) -> bool {
        match self {
            Condition::Field { path, test } => test.holds(path, subject.payload),
            Condition::HasId(ids) => subject.point.is_some_and(|(id, _)| ids.binary_search(id).is_ok()),
            Condition::HasVector(name) => subject.point.is_some_and(|(_, has_vector)| has_vector(name)),
            Condition::Slice(slice) => subject.point.is_some_and(|(id, _)| slice.contains(id)),
            Condition::Nested { path, filter } => holds_for_element(path, filter, subject.payload),
            Condition::Filter(filter) => filter.holds(subject),
        }
    }
}

/// Says whether a filter holds for an object in an array at a path.
fn holds_for_element(path: &FieldPath, filter: &Filter, payload: &str) -> bool {
    let holds = |element: Value<'_>| match element {
        Value::Object(object) => filter.holds(Subject { point: None, payload: object }),
        _ => false,
    };
    let flow = path.values_at(payload, &mut |value| match value {
        Value::Array(array) => stop_if(elements(array).any(holds)),
        _ => ControlFlow::Continue(()),
    });
    flow.is_break()
}

fn stop_if(found: bool) -> ControlFlow<()> {
    if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

impl Test {
    /// Says whether the values at `path` pass.
    pub(in crate::payload) fn holds(&self, path: &FieldPath, payload: &str) -> bool {
        match self {
            Test::IsEmpty => path.values_at(payload, &mut |value| stop_if(!is_empty(value))).is_continue(),
            Test::IsNull => path.values_at(payload, &mut |value| stop_if(is_null(value))).is_break(),
            Test::ValuesCount(range) => {
                let mut is_there = false;
                let flow = path.values_at(payload, &mut |value| {
                    is_there = true;
                    stop_if(range.contains(Number::Integer(count(value))))
                });
                flow.is_break() || (!is_there && range.contains(Number::Integer(0)))
            }
            _ => path.leaves_at(payload, &mut |leaf| stop_if(self.passes(leaf))).is_break(),
        }
    }

    fn passes(&self, leaf: Value<'_>) -> bool {
        match self {
            Test::Match(scalar) => scalar.is(leaf),
            Test::Any(list) => list.contains(leaf),
            Test::Except(list) => leaf != Value::Null && !list.contains(leaf),
            Test::Range(range) => matches!(leaf, Value::Number(text) if Number::parse(text).is_some_and(|number| range.contains(number))),
            Test::Text(_) | Test::Prefix(_) | Test::Substring(_) | Test::Moments(_) => {
                matches!(leaf, Value::String(text) if self.passes_text(&text.decode()))
            }
            Test::Geo(area) => GeoPoint::of(leaf).is_some_and(|place| area.contains(place)),
            Test::ValuesCount(range) => range.contains(Number::Integer(count(leaf))),
            Test::IsEmpty => is_empty(leaf),
            Test::IsNull => is_null(leaf),
        }
    }

    /// Says whether a string passes, as far as the test is one of what a string says; no string passes any other.
    pub(in crate::payload) fn passes_text(&self, text: &str) -> bool {
        match self {
            Test::Text(wanted) => wanted.is_in(text),
            Test::Prefix(prefix) => text.starts_with(prefix),
            Test::Substring(part) => text.contains(part),
            Test::Moments(range) => parse_micros(text).is_some_and(|micros| range.contains(Number::Integer(micros.into()))),
            _ => false,
        }
    }
}

/// Counts what a value holds.
fn count(value: Value<'_>) -> i128 {
    match value {
        Value::Null => 0,
        Value::Array(array) => elements(array).count() as i128,
        _ => 1,
    }
}

fn is_null(value: Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Array(array) => elements(array).any(|element| element == Value::Null),
        _ => false,
    }
}

fn is_empty(value: Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Array(array) => elements(array).next().is_none(),
        _ => false,
    }
}

impl Scalar {
    fn is(&self, leaf: Value<'_>) -> bool {
        match (self, leaf) {
            (Scalar::Keyword(keyword), Value::String(text)) => text.is(keyword),
            (Scalar::Integer(integer), Value::Number(text)) => Number::parse(text) == Some(Number::Integer(*integer)),
            (Scalar::Bool(expected), Value::Bool(found)) => *expected == found,
            _ => false,
        }
    }
}

impl Scalars {
    fn contains(&self, leaf: Value<'_>) -> bool {
        match (self, leaf) {
            (Scalars::Keywords(list), Value::String(text)) => {
                let text = text.decode();
                list.binary_search_by(|keyword| keyword.as_str().cmp(&text)).is_ok()
            }
            (Scalars::Integers(list), Value::Number(text)) => {
                matches!(Number::parse(text), Some(Number::Integer(integer)) if list.binary_search(&integer).is_ok())
            }
            _ => false,
        }
    }
}

impl Range {
    /// Says whether the number is within the bounds.
    #[must_use]
    pub fn contains(&self, number: Number) -> bool {
        !self.is_above(number) && !self.is_below(number)
    }

    /// Says whether the whole range lies above the number.
    pub(in crate::payload) fn is_above(&self, number: Number) -> bool {
        self.gt.is_some_and(|bound| number.compare(bound) != Ordering::Greater)
            || self.gte.is_some_and(|bound| number.compare(bound) == Ordering::Less)
    }

    /// Says whether the whole range lies below the number.
    pub(in crate::payload) fn is_below(&self, number: Number) -> bool {
        self.lt.is_some_and(|bound| number.compare(bound) != Ordering::Less)
            || self.lte.is_some_and(|bound| number.compare(bound) == Ordering::Greater)
    }
}

#[cfg(test)]
mod tests;
