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
    /// A string; a UUID in its usual form, however it is written.
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
        Value::String(text) => {
            let text = text.decode();
            Some(FacetValue::Text(usual_uuid(&text).unwrap_or_else(|| text.into_owned())))
        }
        Value::Number(text) => match Number::parse(text) {
            Some(Number::Integer(integer)) => Some(FacetValue::Integer(integer)),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Gives a UUID in lower case with its four hyphens; `None` when the text is none. Hyphens may stand anywhere in what is read.
fn usual_uuid(text: &str) -> Option<String> {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let digits: String = bare.trim_matches(['{', '}']).chars().filter(|c| *c != '-').collect();
    let is_uuid = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let digits = is_uuid.then(|| digits.to_ascii_lowercase())?;
    Some([0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]).join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_known_however_it_is_written() {
        let usual = "00112233-4455-6677-8899-aabbccddeeff";
        let urn = format!("urn:uuid:{usual}");
        for text in [usual, "00112233445566778899AABBCCDDEEFF", "{00112233-4455-6677-8899-aabbccddeeff}", &urn] {
            assert_eq!(usual_uuid(text).as_deref(), Some(usual), "{text}");
        }
        for text in ["", "0011", "00112233-4455-6677-8899-aabbccddeefg", "00112233445566778899aabbccddeeff0"] {
            assert_eq!(usual_uuid(text), None, "{text}");
        }
    }
}
