//! The values of a payload field, and how many points have each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::super::version::Version;
use crate::error::{Error, Result};
use crate::payload::value::Value;
use crate::payload::{FieldPath, Filter, Number};

/// Most different values that are counted.
pub const FACET_VALUES_MAX: usize = 1_000_000;

/// A value that can be counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FacetValue {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Integer(i128),
    /// A string.
    Text(String),
}

impl Version {
    /// Counts the points that pass a filter by the values that they have at a path: the most frequent first, equally frequent ones in their
    /// order. A point counts once for each of its values; numbers with a fraction, null and objects are not counted.
    ///
    /// # Errors
    /// `InvalidInput` above [`FACET_VALUES_MAX`] values, `Corrupt` when a payload does not read.
    pub fn facet(&self, path: &FieldPath, limit: usize, filter: Option<&Filter>) -> Result<Vec<(FacetValue, u64)>> {
        let mut counts: BTreeMap<FacetValue, u64> = BTreeMap::new();
        let mut of_point = BTreeSet::new();
        self.for_each_payload(filter, &mut |_, payload| {
            let _all = path.leaves_at(payload, &mut |value| {
                of_point.extend(counted(value));
                ControlFlow::Continue(())
            });
            while let Some(value) = of_point.pop_first() {
                *counts.entry(value).or_insert(0) += 1;
            }
            if counts.len() > FACET_VALUES_MAX {
                return Err(Error::invalid("the field has too many different values to be counted")
                    .with_expected(format!("at most {FACET_VALUES_MAX}"), "more")
                    .with_hint("give a filter that fewer points pass"));
            }
            Ok(())
        })?;
        let mut sorted: Vec<(FacetValue, u64)> = counts.into_iter().collect();
        // Stable: equal counts stay in the order of values.
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        sorted.truncate(limit);
        Ok(sorted)
    }
}

fn counted(value: Value<'_>) -> Option<FacetValue> {
    match value {
        Value::Bool(value) => Some(FacetValue::Bool(value)),
        Value::String(text) => Some(FacetValue::Text(text.decode().into_owned())),
        Value::Number(text) => match Number::parse(text) {
            Some(Number::Integer(integer)) => Some(FacetValue::Integer(integer)),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
