//! What a query is near to, or ordered by.

use std::collections::BTreeMap;

use engine::collection::{FieldOrder, Version};
use engine::payload::datetime::parse_micros;
use engine::payload::{FieldPath, Filter, Number};
use engine::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::numbers;
use super::query::Ranked;
use crate::api::label::Label;

/// What is asked for.
pub(super) enum Target {
    /// The points nearest to a vector.
    Vector(Vec<f32>),
    /// The points nearest to the vector of a point.
    Point(Label),
    /// Points in the order of a field.
    OrderBy(OrderBy),
    /// Points at random.
    Sample,
}

/// The order of a field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderBy {
    key: String,
    #[serde(default)]
    direction: Option<Direction>,
    #[serde(default)]
    start_from: Option<Value>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Asc,
    Desc,
}

impl Target {
    /// Reads a query.
    ///
    /// # Errors
    /// `InvalidInput` when it is none, or of a kind that is not in this version.
    pub(super) fn parse(raw: &RawValue) -> Result<Self> {
        let text = raw.get();
        if text.starts_with('[') {
            return Ok(Target::Vector(vector(text)?));
        }
        if !text.starts_with('{') {
            return Label::parse(text).map(Target::Point);
        }
        let members: BTreeMap<String, &RawValue> = read(text)?;
        let mut names = members.iter().filter(|(_, value)| value.get() != "null").map(|(name, _)| name.as_str());
        let (Some(name), None) = (names.next(), names.next()) else {
            return Err(Error::invalid("a query asks for one thing").with_expected("one member", members.len()));
        };
        match (name, members[name]) {
            ("nearest", nearest) if nearest.get().starts_with('[') => Ok(Target::Vector(vector(nearest.get())?)),
            ("nearest", nearest) => Label::parse(nearest.get()).map(Target::Point),
            ("order_by", order) => OrderBy::parse(order).map(Target::OrderBy),
            ("sample", sample) if sample.get() == "\"random\"" => Ok(Target::Sample),
            _ => Err(Error::invalid("a query of this kind is not in this version")
                .with_expected("a vector, the id of a point, nearest, order_by or sample", name.escape_debug())),
        }
    }
}

fn vector(text: &str) -> Result<Vec<f32>> {
    numbers::floats(text).map_err(|numbers::NotNumbers| Error::invalid("the vector of a query is a list of numbers"))
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::invalid(format!("a query does not read: {error}")))
}

impl OrderBy {
    /// Reads an order: the name of a field, or an object.
    ///
    /// # Errors
    /// `InvalidInput` when it is neither.
    pub(super) fn parse(raw: &RawValue) -> Result<Self> {
        if raw.get().starts_with('"') {
            return Ok(OrderBy { key: read(raw.get())?, direction: None, start_from: None });
        }
        read(raw.get())
    }

    /// Gives the first points in the order of the field; a point with several values comes once for each.
    ///
    /// # Errors
    /// `InvalidInput` when the field is no path or the start no value, `Corrupt` when a payload does not read.
    pub(super) fn ranked(&self, version: &Version, filter: Option<&Filter>, count: usize) -> Result<Vec<Ranked>> {
        let path = FieldPath::parse(&self.key)?;
        let start = self.start_from.as_ref().filter(|value| !value.is_null()).map(number_of).transpose()?;
        let order = FieldOrder { is_descending: self.direction == Some(Direction::Desc), start };
        let found = version.ordered_by(&path, order, count, filter)?;
        found.into_iter().map(|(id, number)| Ok(Ranked { id, score: 1.0, value: Some(value_of(number)?) })).collect()
    }
}

fn number_of(value: &Value) -> Result<Number> {
    let number = match value {
        Value::Number(number) => Number::parse(&number.to_string()),
        Value::String(text) => parse_micros(text).map(|micros| Number::Integer(micros.into())),
        _ => None,
    };
    number.ok_or_else(|| Error::invalid("an order begins at a number or a time").with_expected("a number or a time as in RFC 3339", value))
}

fn value_of(number: Number) -> Result<Value> {
    let said = match number {
        Number::Integer(integer) => serde_json::from_str(&integer.to_string()),
        Number::Float(float) => serde_json::to_value(float),
    };
    said.map_err(|error| Error::internal(format!("a number cannot be said in JSON: {error}")))
}
