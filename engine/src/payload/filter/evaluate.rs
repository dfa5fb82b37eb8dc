//! Whether a filter holds for one point: the definition that every index is measured against.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::{Condition, Filter, Range, Scalar, Scalars, Test};
use crate::PointId;
use crate::payload::number::Number;
use crate::payload::path::FieldPath;
use crate::payload::value::{Value, elements};

impl Filter {
    /// Says whether the filter holds for the point; `None` is a point without payload.
    #[must_use]
    pub fn matches(&self, id: &PointId, payload: Option<&str>) -> bool {
        let payload = payload.unwrap_or("{}");
        let holds = |condition: &Condition| condition.holds(id, payload);
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
    fn holds(&self, id: &PointId, payload: &str) -> bool {
        match self {
            Condition::Field { path, test } => test.holds(path, payload),
            Condition::HasId(ids) => ids.binary_search(id).is_ok(),
            Condition::Filter(filter) => filter.matches(id, Some(payload)),
        }
    }
}

impl Test {
    /// Says whether the values at `path` pass.
    pub(in crate::payload) fn holds(&self, path: &FieldPath, payload: &str) -> bool {
        let stop_if = |found: bool| if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        match self {
            Test::IsEmpty => path.values_at(payload, &mut |value| stop_if(!is_empty(value))).is_continue(),
            Test::IsNull => path.values_at(payload, &mut |value| stop_if(value == Value::Null)).is_break(),
            _ => path.leaves_at(payload, &mut |leaf| stop_if(self.passes(leaf))).is_break(),
        }
    }

    fn passes(&self, leaf: Value<'_>) -> bool {
        match self {
            Test::Match(scalar) => scalar.is(leaf),
            Test::Any(list) => list.contains(leaf),
            Test::Except(list) => leaf != Value::Null && !list.contains(leaf),
            Test::Range(range) => matches!(leaf, Value::Number(text) if Number::parse(text).is_some_and(|number| range.contains(number))),
            Test::IsEmpty => is_empty(leaf),
            Test::IsNull => leaf == Value::Null,
        }
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
