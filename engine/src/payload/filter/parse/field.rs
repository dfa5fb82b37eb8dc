//! Conditions on a field: `{"key": path, ...}` with one test of the values there.

use super::{Members, clip, object_at, path_at, text_at, too_many, unknown, wrong};
use crate::payload::datetime::parse_micros;
use crate::payload::filter::{Condition, FILTER_LIST_MAX, Filter, Range, Scalar, Scalars, Test};
use crate::payload::geo::{GeoArea, GeoPoint};
use crate::payload::number::Number;
use crate::payload::text::Wanted;
use crate::payload::value::{Value, elements, members};
use crate::{Error, Result};

/// The tests by their keys; one that is null is not there.
pub(super) const KEYS: [&str; 8] =
    ["match", "range", "geo_bounding_box", "geo_radius", "geo_polygon", "values_count", "is_empty", "is_null"];
const MATCH_KEYS: &str = "value, any, except, text, text_any, phrase, prefix, substring";

/// Reads a condition on a field.
pub(super) fn condition(members: &Members<'_>, place: &str) -> Result<Condition> {
    let (mut path, mut test) = (None, None);
    for (key, value) in members {
        let inner = format!("{place}.{key}");
        let found = match (key.as_ref(), *value) {
            ("key", value) => {
                path = Some(path_at(value, &inner)?);
                continue;
            }
            (name, _) if !KEYS.contains(&name) => return Err(unknown(name, place, &format!("key, {}", KEYS.join(", ")))),
            (_, Value::Null) => continue,
            ("match", value) => (match_at(value, &inner)?, true),
            ("range", value) => (range_at(value, &inner)?, true),
            ("values_count", value) => (Test::ValuesCount(counts_at(value, &inner)?), true),
            ("is_empty", Value::Bool(is_so)) => (Test::IsEmpty, is_so),
            ("is_null", Value::Bool(is_so)) => (Test::IsNull, is_so),
            ("is_empty" | "is_null", value) => return Err(wrong(&inner, "true or false", value)),
            (name, value) => (Test::Geo(area_at(name, value, &inner)?), true),
        };
        if test.replace(found).is_some() {
            return Err(Error::invalid(format!("{place} holds more than one test of its key")).with_hint("write a condition for each"));
        }
    }
    match (path, test) {
        (Some(path), Some((test, true))) => Ok(Condition::Field { path, test }),
        (Some(path), Some((test, false))) => {
            let not = Filter { must_not: vec![Condition::Field { path, test }], ..Filter::default() };
            Ok(Condition::Filter(Box::new(not)))
        }
        _ => {
            Err(Error::invalid(format!("{place} says nothing about its key")).with_expected(format!("one of {}", KEYS.join(", ")), "none"))
        }
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
            "text" => Test::Text(Wanted::all(&text_at(value, &inner)?)),
            "text_any" => Test::Text(Wanted::any(&text_at(value, &inner)?)),
            "phrase" => Test::Text(Wanted::phrase(&text_at(value, &inner)?)),
            "prefix" => Test::Prefix(text_at(value, &inner)?),
            "substring" => Test::Substring(text_at(value, &inner)?),
            _ => return Err(unknown(&key, place, MATCH_KEYS)),
        };
        if test.replace(found).is_some() {
            return Err(Error::invalid(format!("{place} holds more than one of {MATCH_KEYS}")).with_hint("write a condition for each"));
        }
    }
    test.ok_or_else(|| Error::invalid(format!("{place} is empty")).with_expected(format!("one of {MATCH_KEYS}"), "nothing"))
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

/// Reads bounds, each by `read`; one that is null does not bind.
fn bounds_at<'a>(value: Value<'a>, place: &str, mut read: impl FnMut(Value<'a>, &str) -> Result<Number>) -> Result<Range> {
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
        *bound = if value == Value::Null { None } else { Some(read(value, &format!("{place}.{key}"))?) };
    }
    Ok(range)
}

/// Reads bounds of numbers, or of moments where they are strings.
fn range_at(value: Value<'_>, place: &str) -> Result<Test> {
    let (mut numbers, mut moments) = (false, false);
    let range = bounds_at(value, place, |value, place| match value {
        Value::Number(text) => {
            numbers = true;
            Number::parse(text).ok_or_else(|| wrong(place, "a number", value))
        }
        Value::String(text) => {
            moments = true;
            let micros = parse_micros(&text.decode());
            let micros = micros.ok_or_else(|| wrong(place, "a date and time as RFC 3339 writes it", value))?;
            Ok(Number::Integer(micros.into()))
        }
        other => Err(wrong(place, "a number, or a date and time", other)),
    })?;
    match (numbers, moments) {
        (true, true) => {
            Err(Error::invalid(format!("{} bounds numbers and moments at once", clip(place))).with_hint("write a condition for each"))
        }
        (_, true) => Ok(Test::Moments(range)),
        _ => Ok(Test::Range(range)),
    }
}

fn counts_at(value: Value<'_>, place: &str) -> Result<Range> {
    bounds_at(value, place, |value, place| match value {
        Value::Number(text) => integer(text).map(Number::Integer).ok_or_else(|| wrong(place, "a whole number", value)),
        other => Err(wrong(place, "a whole number", other)),
    })
}

fn area_at(name: &str, value: Value<'_>, place: &str) -> Result<GeoArea> {
    match name {
        "geo_bounding_box" => {
            let [top_left, bottom_right] = both_at(value, place, ["top_left", "bottom_right"])?;
            let (corner, other) = (format!("{place}.top_left"), format!("{place}.bottom_right"));
            Ok(GeoArea::Box { top_left: point_at(top_left, &corner)?, bottom_right: point_at(bottom_right, &other)? })
        }
        "geo_radius" => {
            let [center, radius] = both_at(value, place, ["center", "radius"])?;
            let center = point_at(center, &format!("{place}.center"))?;
            Ok(GeoArea::Circle { center, radius: within(radius, &format!("{place}.radius"), 0.0, f64::MAX)? })
        }
        _ => polygon_at(value, place),
    }
}

fn polygon_at(value: Value<'_>, place: &str) -> Result<GeoArea> {
    let (mut exterior, mut interiors, mut points) = (None, Vec::new(), 0);
    for (key, value) in members(object_at(value, place)?) {
        let inner = format!("{place}.{}", key.decode());
        match (key.decode().as_ref(), value) {
            ("exterior", value) => exterior = Some(ring_at(value, &inner, &mut points)?),
            ("interiors", Value::Null) => {}
            ("interiors", Value::Array(array)) => {
                for (at, element) in elements(array).enumerate() {
                    interiors.push(ring_at(element, &format!("{inner}[{at}]"), &mut points)?);
                }
            }
            ("interiors", other) => return Err(wrong(&inner, "a list of rings", other)),
            (other, _) => return Err(unknown(other, place, "exterior, interiors")),
        }
    }
    let exterior = exterior.ok_or_else(|| Error::invalid(format!("{} lacks its exterior", clip(place))))?;
    Ok(GeoArea::Polygon { exterior, interiors })
}

/// Reads the points of a ring; the first may stand at the end again.
fn ring_at(value: Value<'_>, place: &str, points: &mut usize) -> Result<Vec<GeoPoint>> {
    let mut ring = Vec::new();
    for (key, value) in members(object_at(value, place)?) {
        let inner = format!("{place}.points");
        match (key.decode().as_ref(), value) {
            ("points", Value::Array(array)) => {
                for (at, element) in elements(array).enumerate() {
                    *points += 1;
                    too_many(*points, FILTER_LIST_MAX, &inner, "points")?;
                    ring.push(point_at(element, &format!("{inner}[{at}]"))?);
                }
            }
            ("points", other) => return Err(wrong(&inner, "a list of points", other)),
            (other, _) => return Err(unknown(other, place, "points")),
        }
    }
    if ring.len() > 1 && ring.first() == ring.last() {
        ring.pop();
    }
    if ring.len() < 3 {
        return Err(Error::invalid(format!("{} encloses nothing", clip(place))).with_expected("at least 3 different points", ring.len()));
    }
    Ok(ring)
}

fn point_at(value: Value<'_>, place: &str) -> Result<GeoPoint> {
    let [lat, lon] = both_at(value, place, ["lat", "lon"])?;
    let lat = within(lat, &format!("{place}.lat"), -90.0, 90.0)?;
    Ok(GeoPoint { lat, lon: within(lon, &format!("{place}.lon"), -180.0, 180.0)? })
}

/// Takes the two members that an object must have, and no other.
fn both_at<'a>(value: Value<'a>, place: &str, names: [&str; 2]) -> Result<[Value<'a>; 2]> {
    let mut found = [None, None];
    for (key, value) in members(object_at(value, place)?) {
        match names.iter().position(|name| key.is(name)) {
            Some(at) => found[at] = Some(value),
            None => return Err(unknown(&key.decode(), place, &names.join(", "))),
        }
    }
    match found {
        [Some(first), Some(second)] => Ok([first, second]),
        _ => Err(Error::invalid(format!("{} is incomplete", clip(place))).with_expected(names.join(" and "), "less")),
    }
}

fn within(value: Value<'_>, place: &str, least: f64, most: f64) -> Result<f64> {
    let number = if let Value::Number(text) = value { text.parse().ok() } else { None };
    number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        let expected = if most == f64::MAX { format!("a number of at least {least}") } else { format!("a number from {least} to {most}") };
        wrong(place, &expected, value)
    })
}

fn integer(text: &str) -> Option<i128> {
    match Number::parse(text) {
        Some(Number::Integer(integer)) => Some(integer),
        _ => None,
    }
}
