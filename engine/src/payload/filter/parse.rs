//! From JSON text to a filter: every key is known or named in the error, every size has its limit.

mod field;

use std::borrow::Cow;

use super::{Condition, FILTER_BYTES_MAX, FILTER_CONDITIONS_MAX, FILTER_DEPTH_MAX, FILTER_LIST_MAX, Filter, MinShould, Slice, Test};
use crate::payload::json::{Limits, PAYLOAD_DEPTH_MAX, minify_object};
use crate::payload::path::FieldPath;
use crate::payload::value::{Value, elements, members};
use crate::{Error, PointId, Result};

const FILTER_KEYS: [&str; 4] = ["must", "should", "must_not", "min_should"];
const CONDITION_KEYS: &str =
    "key, has_id, has_vector, is_empty, is_null, nested, slice, or those of a filter: must, should, must_not, min_should";

/// Reads a filter; see [`Filter::parse`].
pub(super) fn parse(text: &str) -> Result<Filter> {
    too_many(text.len(), FILTER_BYTES_MAX, "the filter", "bytes")?;
    let checked = minify_object(text, "filter", &Limits { bytes: FILTER_BYTES_MAX, depth: PAYLOAD_DEPTH_MAX })?;
    Parser { conditions: 0 }.filter(&checked, 1, "the filter")
}

type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

struct Parser {
    conditions: usize,
}

impl Parser {
    fn filter(&mut self, object: &str, depth: usize, place: &str) -> Result<Filter> {
        if depth > FILTER_DEPTH_MAX {
            return Err(
                Error::invalid(format!("{place} is nested too deep")).with_expected(format!("at most {FILTER_DEPTH_MAX} levels"), "more")
            );
        }
        let mut filter = Filter::default();
        for (key, value) in members(object) {
            let key = key.decode();
            let inner = if depth == 1 { key.to_string() } else { format!("{place}.{key}") };
            match key.as_ref() {
                "must" => filter.must = self.conditions(value, depth, &inner)?,
                "should" => filter.should = self.conditions(value, depth, &inner)?,
                "must_not" => filter.must_not = self.conditions(value, depth, &inner)?,
                "min_should" => filter.min_should = self.min_should(value, depth, &inner)?,
                _ => return Err(unknown(&key, place, &FILTER_KEYS.join(", "))),
            }
        }
        Ok(filter)
    }

    /// Reads a list of conditions, or one that stands without its list.
    fn conditions(&mut self, value: Value<'_>, depth: usize, place: &str) -> Result<Vec<Condition>> {
        match value {
            Value::Null => Ok(Vec::new()),
            Value::Object(object) => Ok(vec![self.condition(object, depth, place)?]),
            Value::Array(array) => elements(array)
                .enumerate()
                .map(|(at, element)| {
                    let place = format!("{place}[{at}]");
                    self.condition(object_at(element, &place)?, depth, &place)
                })
                .collect(),
            other => Err(wrong(place, "a condition or a list of conditions", other)),
        }
    }

    fn min_should(&mut self, value: Value<'_>, depth: usize, place: &str) -> Result<Option<MinShould>> {
        if value == Value::Null {
            return Ok(None);
        }
        let (mut conditions, mut min_count) = (None, None);
        for (key, value) in members(object_at(value, place)?) {
            match key.decode().as_ref() {
                "conditions" => conditions = Some(self.conditions(value, depth, &format!("{place}.conditions"))?),
                "min_count" => min_count = Some(count_at(value, &format!("{place}.min_count"))?),
                other => return Err(unknown(other, place, "conditions, min_count")),
            }
        }
        match (conditions, min_count) {
            (Some(conditions), Some(min_count)) => Ok(Some(MinShould { conditions, min_count })),
            _ => Err(Error::invalid(format!("{place} is incomplete")).with_expected("conditions and min_count", "only one of them")),
        }
    }

    fn condition(&mut self, object: &str, depth: usize, place: &str) -> Result<Condition> {
        self.conditions += 1;
        too_many(self.conditions, FILTER_CONDITIONS_MAX, "the filter", "conditions")?;
        let members: Members<'_> = members(object).map(|(key, value)| (key.decode(), value)).collect();
        let has = |name: &str| members.iter().any(|(key, _)| key == name);
        if has("key") {
            return field::condition(&members, place);
        }
        if members.iter().all(|(key, _)| FILTER_KEYS.contains(&key.as_ref())) {
            return Ok(Condition::Filter(Box::new(self.filter(object, depth + 1, place)?)));
        }
        let (key, value) = members.iter().find(|(key, _)| !FILTER_KEYS.contains(&key.as_ref())).unwrap_or(&members[0]);
        let inner = format!("{place}.{key}");
        let condition = match key.as_ref() {
            "has_id" => Condition::HasId(ids(*value, &inner)?),
            "has_vector" => Condition::HasVector(text_at(*value, &inner)?),
            "nested" => self.nested(*value, depth, &inner)?,
            "slice" => Condition::Slice(slice_at(*value, &inner)?),
            "is_empty" => Condition::Field { path: keyed_path(*value, &inner)?, test: Test::IsEmpty },
            "is_null" => Condition::Field { path: keyed_path(*value, &inner)?, test: Test::IsNull },
            known if field::KEYS.contains(&known) => {
                return Err(Error::invalid(format!("{place} lacks the key \"key\", the path of the field to test")));
            }
            _ => return Err(unknown(key, place, CONDITION_KEYS)),
        };
        match members.iter().find(|(other, _)| other != key) {
            Some((other, _)) => Err(unknown(other, place, &format!("{key} alone"))),
            None => Ok(condition),
        }
    }

    /// Reads `{"key": path, "filter": {...}}`; the path may end with `[]` or not.
    fn nested(&mut self, value: Value<'_>, depth: usize, place: &str) -> Result<Condition> {
        let (mut path, mut filter) = (None, None);
        for (key, value) in members(object_at(value, place)?) {
            let inner = format!("{place}.{}", key.decode());
            match key.decode().as_ref() {
                "key" => path = Some(path_at(value, &inner)?.of_array()),
                "filter" => filter = Some(self.filter(object_at(value, &inner)?, depth + 1, &inner)?),
                other => return Err(unknown(other, place, "key, filter")),
            }
        }
        match (path, filter) {
            (Some(path), Some(filter)) => Ok(Condition::Nested { path, filter: Box::new(filter) }),
            _ => Err(Error::invalid(format!("{} is incomplete", clip(place))).with_expected("key and filter", "only one of them")),
        }
    }
}

fn ids(value: Value<'_>, place: &str) -> Result<Vec<PointId>> {
    let Value::Array(array) = value else { return Err(wrong(place, "a list of ids", value)) };
    let mut ids = Vec::new();
    for (at, element) in elements(array).enumerate() {
        too_many(at + 1, FILTER_LIST_MAX, place, "entries")?;
        let id = match element {
            Value::Number(text) => text.parse().ok().map(PointId::Number),
            Value::String(text) => PointId::parse(&text.decode()).ok().filter(|id| matches!(id, PointId::Uuid(_))),
            _ => None,
        };
        ids.push(id.ok_or_else(|| wrong(&format!("{place}[{at}]"), "an unsigned integer or a UUID in quotes", element))?);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn slice_at(value: Value<'_>, place: &str) -> Result<Slice> {
    let (mut total, mut number) = (None, None);
    for (key, value) in members(object_at(value, place)?) {
        match key.decode().as_ref() {
            "total" => total = Some(count_at(value, &format!("{place}.total"))? as u64),
            "index" => number = Some(count_at(value, &format!("{place}.index"))? as u64),
            other => return Err(unknown(other, place, "total, index")),
        }
    }
    match (total, number) {
        (Some(total), Some(number)) if number < total => Ok(Slice { total, index: number }),
        _ => Err(Error::invalid(format!("{} names no slice", clip(place))).with_expected("total, and index below it", "something else")),
    }
}

/// Reads the `{"key": path}` of `is_empty` and `is_null`.
fn keyed_path(value: Value<'_>, place: &str) -> Result<FieldPath> {
    let mut path = None;
    for (key, value) in members(object_at(value, place)?) {
        match key.decode().as_ref() {
            "key" => path = Some(path_at(value, &format!("{place}.key"))?),
            other => return Err(unknown(other, place, "key")),
        }
    }
    path.ok_or_else(|| Error::invalid(format!("{place} lacks the key \"key\", the path of the field to test")))
}

fn path_at(value: Value<'_>, place: &str) -> Result<FieldPath> {
    match value {
        Value::String(text) => FieldPath::parse(&text.decode()),
        other => Err(wrong(place, "the path of a field", other)),
    }
}

fn text_at(value: Value<'_>, place: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.decode().into_owned()),
        other => Err(wrong(place, "a string", other)),
    }
}

fn count_at(value: Value<'_>, place: &str) -> Result<usize> {
    match value {
        Value::Number(text) => text.parse().map_err(|_| wrong(place, "a count", value)),
        other => Err(wrong(place, "a count", other)),
    }
}

fn object_at<'a>(value: Value<'a>, place: &str) -> Result<&'a str> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(wrong(place, "an object", other)),
    }
}

fn unknown(key: &str, place: &str, known: &str) -> Error {
    Error::invalid(format!("unknown key {} in {}", shown(key), clip(place))).with_expected(known, shown(key))
}

fn wrong(place: &str, expected: &str, got: Value<'_>) -> Error {
    Error::invalid(format!("{} has a value of the wrong kind", clip(place))).with_expected(expected, clip(&got.to_string()))
}

fn too_many(count: usize, max: usize, place: &str, what: &str) -> Result<()> {
    if count > max {
        return Err(Error::invalid(format!("{} holds too many {what}", clip(place))).with_expected(format!("at most {max}"), "more"));
    }
    Ok(())
}

fn shown(key: &str) -> String {
    format!("\"{}\"", clip(key))
}

/// Cuts what an error quotes to a length that a person reads.
fn clip(text: &str) -> String {
    let mut shown: String = text.chars().take(120).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
