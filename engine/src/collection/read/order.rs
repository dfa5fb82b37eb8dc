//! Points in the order of a payload field: of its numbers, and of its strings that say a moment.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::super::version::Version;
use crate::error::Result;
use crate::ids::PointId;
use crate::payload::datetime::parse_micros;
use crate::payload::value::Value;
use crate::payload::{FieldPath, Filter, Number};

/// In which direction, and where it begins.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FieldOrder {
    /// Largest values first.
    pub is_descending: bool,
    /// The first value that is shown, if points have it.
    pub start: Option<Number>,
}

/// A value and the point that has it, in the order that is asked for; equal values are in the order of ids.
#[derive(Debug, Clone, Copy)]
struct Ordered {
    value: Number,
    id: PointId,
    is_descending: bool,
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = self.value.compare(other.value);
        (if self.is_descending { by_value.reverse() } else { by_value }).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ordered {}

impl Version {
    /// Gives the first points that pass a filter in the order of a field, with the number that orders each. A point with several values comes
    /// once for each of them; one without comes never.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub fn ordered_by(&self, path: &FieldPath, order: FieldOrder, limit: usize, filter: Option<&Filter>) -> Result<Vec<(PointId, Number)>> {
        let mut first: BTreeMap<Ordered, ()> = BTreeMap::new();
        self.for_each_payload(filter, &mut |id, payload| {
            let _all = path.leaves_at(payload, &mut |value| {
                if let Some(value) = number_of(value).filter(|value| order.shows(*value)) {
                    first.insert(Ordered { value, id, is_descending: order.is_descending }, ());
                    if first.len() > limit {
                        first.pop_last();
                    }
                }
                ControlFlow::Continue(())
            });
            Ok(())
        })?;
        Ok(first.into_keys().map(|ordered| (ordered.id, ordered.value)).collect())
    }
}

impl FieldOrder {
    fn shows(&self, value: Number) -> bool {
        self.start.is_none_or(|start| {
            let at = value.compare(start);
            at == Ordering::Equal || (at == Ordering::Less) == self.is_descending
        })
    }
}

/// Gives the number by which a value is ordered: of a string that says a moment its microseconds UTC.
fn number_of(value: Value<'_>) -> Option<Number> {
    match value {
        // JSON has no way to write a number that is not finite.
        Value::Number(text) => Number::parse(text).filter(|number| !matches!(number, Number::Float(float) if !float.is_finite())),
        Value::String(text) => parse_micros(&text.decode()).map(|micros| Number::Integer(micros.into())),
        _ => None,
    }
}
