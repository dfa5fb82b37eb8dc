//! From JSON text to a filter: every key is known or named in the error, every size has its limit.

use std::borrow::Cow;

use super::{
    Condition, FILTER_BYTES_MAX, FILTER_CONDITIONS_MAX, FILTER_DEPTH_MAX, FILTER_LIST_MAX, Filter, MinShould, Range, Scalar, Scalars, Test,
};
use crate::payload::json::{Limits, PAYLOAD_DEPTH_MAX, minify_object};
use crate::payload::number::Number;
use crate::payload::path::FieldPath;
use crate::payload::value::{Value, elements, members};
use crate::{Error, PointId, Result};

const FILTER_KEYS: [&str; 4] = ["must", "should", "must_not", "min_should"];
const CONDITION_KEYS: &str = "key, has_id, is_empty, is_null, or those of a filter: must, should, must_not, min_should";
/// Keys of Qdrant's field conditions that are not answered here; clients may send them as null.
const FIELD_KEYS_UNSUPPORTED: [&str; 6] = ["geo_bounding_box", "geo_radius", "geo_polygon", "values_count", "is_empty", "is_null"];

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
            return field(&members, place);
        }
        if members.iter().all(|(key, _)| FILTER_KEYS.contains(&key.as_ref())) {
            return Ok(Condition::Filter(Box::new(self.filter(object, depth + 1, place)?)));
        }
        let (key, value) = members.iter().find(|(key, _)| !FILTER_KEYS.contains(&key.as_ref())).unwrap_or(&members[0]);
        let inner = format!("{place}.{key}");
        let condition = match key.as_ref() {
            "has_id" => Condition::HasId(ids(*value, &inner)?),
            "is_empty" => Condition::Field { path: keyed_path(*value, &inner)?, test: Test::IsEmpty },
            "is_null" => Condition::Field { path: keyed_path(*value, &inner)?, test: Test::IsNull },
            "match" | "range" => return Err(Error::invalid(format!("{place} lacks the key \"key\", the path of the field to test"))),
            _ => return Err(unknown(key, place, CONDITION_KEYS)),
        };
        match members.iter().find(|(other, _)| other != key) {
            Some((other, _)) => Err(unknown(other, place, &format!("{key} alone"))),
            None => Ok(condition),
        }
    }
}

/// Reads `{"key": path, "match" or "range": ...}`.
fn field(members: &Members<'_>, place: &str) -> Result<Condition> {
    let (mut path, mut test) = (None, None);
    for (key, value) in members {
        let inner = format!("{place}.{key}");
        let found = match (key.as_ref(), value) {
            ("key", _) => {
                path = Some(path_at(*value, &inner)?);
                continue;
            }
            ("match" | "range", Value::Null) => continue,
            ("match", _) => match_at(*value, &inner)?,
            ("range", _) => Test::Range(range_at(*value, &inner)?),
            (name, value) if FIELD_KEYS_UNSUPPORTED.contains(&name) => match value {
                Value::Null => continue,
                _ => return Err(Error::invalid(format!("{inner} is not supported")).with_expected("key with match or range", name)),
            },
            (name, _) => return Err(unknown(name, place, "key, match, range")),
        };
        if test.replace(found).is_some() {
            return Err(Error::invalid(format!("{place} holds both match and range")).with_hint("write two conditions"));
        }
    }
    match (path, test) {
        (Some(path), Some(test)) => Ok(Condition::Field { path, test }),
        _ => Err(Error::invalid(format!("{place} says nothing about its key")).with_expected("match or range", "neither")),
    }
}

fn match_at(value: Value<'_>, place: &str) -> Result<Test> {
    let mut test = None;
    for (key, value) in members(object_at(value, place)?) {
        let key = key.decode();
        let inner = format!("{place}.{key}");
        let found = match key.as_ref() {
            "value" => Test::Match(scalar_at(value, &inner)?),
            "any" => Test::Any(scalars_at(value, &inner)?),
            "except" => Test::Except(scalars_at(value, &inner)?),
            _ => return Err(unknown(&key, place, "value, any, except")),
        };
        if test.replace(found).is_some() {
            return Err(
                Error::invalid(format!("{place} holds more than one of value, any, except")).with_hint("write a condition for each")
            );
        }
    }
    test.ok_or_else(|| Error::invalid(format!("{place} is empty")).with_expected("value, any or except", "nothing"))
}

fn scalar_at(value: Value<'_>, place: &str) -> Result<Scalar> {
    match value {
        Value::String(text) => Ok(Scalar::Keyword(text.decode().into_owned())),
        Value::Bool(value) => Ok(Scalar::Bool(value)),
        Value::Number(text) => integer(text).map(Scalar::Integer).ok_or_else(|| {
            wrong(place, "a string, an integer or a truth value", value).with_hint("fractions are compared with range, not with match")
        }),
        other => Err(wrong(place, "a string, an integer or a truth value", other)),
    }
}

fn scalars_at(value: Value<'_>, place: &str) -> Result<Scalars> {
    let Value::Array(array) = value else { return Err(wrong(place, "a list of strings or a list of integers", value)) };
    let (mut keywords, mut integers) = (Vec::new(), Vec::new());
    for (at, element) in elements(array).enumerate() {
        too_many(at + 1, FILTER_LIST_MAX, place, "entries")?;
        match element {
            Value::String(text) if integers.is_empty() => keywords.push(text.decode().into_owned()),
            Value::Number(text) if keywords.is_empty() => match integer(text) {
                Some(integer) => integers.push(integer),
                None => return Err(wrong(&format!("{place}[{at}]"), "an integer", element)),
            },
            _ => return Err(wrong(&format!("{place}[{at}]"), "strings only or integers only", element)),
        }
    }
    keywords.sort_unstable();
    keywords.dedup();
    integers.sort_unstable();
    integers.dedup();
    Ok(if integers.is_empty() { Scalars::Keywords(keywords) } else { Scalars::Integers(integers) })
}

fn range_at(value: Value<'_>, place: &str) -> Result<Range> {
    let mut range = Range::default();
    for (key, value) in members(object_at(value, place)?) {
        let key = key.decode();
        let bound = match key.as_ref() {
            "gt" => &mut range.gt,
            "gte" => &mut range.gte,
            "lt" => &mut range.lt,
            "lte" => &mut range.lte,
            _ => return Err(unknown(&key, place, "gt, gte, lt, lte")),
        };
        *bound = match value {
            Value::Null => None,
            Value::Number(text) => Number::parse(text),
            other => return Err(wrong(&format!("{place}.{key}"), "a number", other)),
        };
    }
    Ok(range)
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

fn integer(text: &str) -> Option<i128> {
    match Number::parse(text) {
        Some(Number::Integer(integer)) => Some(integer),
        _ => None,
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
