//! How a point is shown: with which parts of its payload, and which of its vectors.

use std::collections::BTreeMap;

use engine::collection::Version;
use engine::{Error, PointId, Result};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::api::label::Label;

/// What is shown of a point.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    payload: Payload,
    vectors: Vectors,
}

#[derive(Debug, Clone)]
enum Payload {
    No,
    All,
    Only(Tree),
    Without(Tree),
}

#[derive(Debug, Clone)]
enum Vectors {
    No,
    All,
    Named(Vec<String>),
}

/// Paths merged into a tree; a leaf stands for everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tree {
    below: BTreeMap<Step, Tree>,
    is_leaf: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Each,
    At(u64),
}

/// A point in an answer.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    pub(super) id: Label,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<f32>,
    payload: Option<Box<RawValue>>,
    vector: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_value: Option<Value>,
}

impl Record {
    /// Adds how near the point is.
    pub(super) fn scored(self, score: f32) -> Self {
        Record { score: Some(score), version: Some(0), ..self }
    }

    /// Adds the value by which it was ordered.
    pub(super) fn ordered(self, value: Value) -> Self {
        Record { order_value: Some(value), ..self }
    }
}

impl Shown {
    /// Reads the two members that say what is shown; payloads are shown unless they say otherwise where `usual` says so.
    ///
    /// # Errors
    /// `InvalidInput` when a member is none of the forms that are known.
    pub(super) fn parse(payload: Option<&RawValue>, vectors: Option<&RawValue>, usual: bool) -> Result<Self> {
        let payload = payload.map_or(Ok(if usual { Payload::All } else { Payload::No }), read_payload)?;
        Ok(Shown { payload, vectors: vectors.map_or(Ok(Vectors::No), read_vectors)? })
    }

    /// Shows a point.
    ///
    /// # Errors
    /// `NotFound` when it does not exist, `InvalidInput` when a vector that is asked for does not, `Corrupt` when the log does not hold it.
    pub(super) fn show(&self, version: &Version, id: &PointId) -> Result<Record> {
        Ok(Record {
            id: Label(*id),
            version: None,
            score: None,
            payload: self.payload(version, id)?,
            vector: self.vectors(version, id)?,
            order_value: None,
        })
    }

    fn payload(&self, version: &Version, id: &PointId) -> Result<Option<Box<RawValue>>> {
        if matches!(self.payload, Payload::No) {
            return Ok(None);
        }
        let place = version.find(id, 0).ok_or_else(|| super::chosen::missing(Label(*id)))?;
        let text = version.payload(&place)?.unwrap_or_else(|| "{}".to_owned());
        let unreadable = |error| Error::corrupt(format!("the payload of point {id} does not read: {error}"));
        let reduced = |tree: &Tree, reduce: fn(Value, &Tree) -> Value| -> Result<Box<RawValue>> {
            let value: Value = serde_json::from_str(&text).map_err(unreadable)?;
            to_raw_value(&reduce(value, tree)).map_err(|error| Error::internal(format!("a payload cannot be said in JSON: {error}")))
        };
        match &self.payload {
            Payload::No => Ok(None),
            Payload::All => RawValue::from_string(text).map(Some).map_err(unreadable),
            Payload::Only(tree) => reduced(tree, only).map(Some),
            Payload::Without(tree) => reduced(tree, without).map(Some),
        }
    }

    fn vectors(&self, version: &Version, id: &PointId) -> Result<Option<Box<RawValue>>> {
        let schema = &version.schema;
        let parts: Vec<usize> = match &self.vectors {
            Vectors::No => return Ok(None),
            Vectors::All => (1..schema.parts()).collect(),
            Vectors::Named(names) => names.iter().map(|name| schema.part(name)).collect::<Result<_>>()?,
        };
        let mut found = Vec::new();
        for part in parts {
            if let Some(place) = version.find(id, part) {
                found.push((schema.vector(part).name.as_str(), version.vector(&place, part)?));
            }
        }
        let said = match found.as_slice() {
            [("", only)] => to_raw_value(only),
            named => to_raw_value(&named.iter().map(|(name, vector)| (*name, vector)).collect::<BTreeMap<_, _>>()),
        };
        said.map(Some).map_err(|error| Error::internal(format!("a vector cannot be said in JSON: {error}")))
    }
}

fn read_payload(raw: &RawValue) -> Result<Payload> {
    let value: Value = serde_json::from_str(raw.get()).map_err(|error| Error::invalid(format!("with_payload does not read: {error}")))?;
    let refuse = || {
        Error::invalid("with_payload is none of its forms")
            .with_hint("give true, false, a list of fields, {\"include\": [...]} or {\"exclude\": [...]}")
    };
    match value {
        Value::Bool(true) => Ok(Payload::All),
        Value::Bool(false) => Ok(Payload::No),
        Value::Array(fields) => tree(&fields).map(Payload::Only),
        Value::Object(members) if members.len() == 1 => match members.iter().next() {
            Some((name, Value::Array(fields))) if name == "include" => tree(fields).map(Payload::Only),
            Some((name, Value::Array(fields))) if name == "exclude" => tree(fields).map(Payload::Without),
            _ => Err(refuse()),
        },
        _ => Err(refuse()),
    }
}

fn read_vectors(raw: &RawValue) -> Result<Vectors> {
    if let Ok(is_wanted) = serde_json::from_str::<bool>(raw.get()) {
        return Ok(if is_wanted { Vectors::All } else { Vectors::No });
    }
    let named = serde_json::from_str(raw.get()).map(Vectors::Named);
    named.map_err(|_| Error::invalid("with_vector is none of its forms").with_hint("give true, false or a list of names"))
}

fn tree(fields: &[Value]) -> Result<Tree> {
    let mut root = Tree::default();
    for field in fields {
        let text = field.as_str().ok_or_else(|| Error::invalid("a field is named by a string").with_expected("a string", field))?;
        let mut node = &mut root;
        for step in steps(text)? {
            node = node.below.entry(step).or_default();
        }
        node.is_leaf = true;
    }
    Ok(root)
}

/// Splits a path: keys between dots, quoted where they hold dots or brackets, `[]` for each element and `[2]` for one.
fn steps(text: &str) -> Result<Vec<Step>> {
    let refuse = || Error::invalid(format!("\"{}\" is not the path of a field", text.escape_debug()));
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let key = if let Some(quoted) = rest.strip_prefix('"') {
            let (key, behind) = quoted.split_once('"').ok_or_else(refuse)?;
            rest = behind;
            key
        } else {
            let (key, behind) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            rest = behind;
            key
        };
        if key.is_empty() {
            return Err(refuse());
        }
        found.push(Step::Key(key.to_owned()));
        while let Some(behind) = rest.strip_prefix('[') {
            let (number, behind) = behind.split_once(']').ok_or_else(refuse)?;
            found.push(if number.is_empty() { Step::Each } else { Step::At(number.parse().map_err(|_| refuse())?) });
            rest = behind;
        }
        if rest.is_empty() {
            return Ok(found);
        }
        rest = rest.strip_prefix('.').ok_or_else(refuse)?;
    }
}

/// Keeps what the tree names. Of lists only all elements can be named; one by its number is none.
fn only(value: Value, tree: &Tree) -> Value {
    if tree.is_leaf {
        return value;
    }
    match value {
        Value::Object(members) => {
            let named = members.into_iter().filter_map(|(key, value)| {
                let kept = only(value, tree.below.get(&Step::Key(key.clone()))?);
                Some((key, kept))
            });
            Value::Object(named.collect::<Map<_, _>>())
        }
        Value::Array(elements) => match tree.below.get(&Step::Each) {
            Some(each) => elements.into_iter().map(|element| only(element, each)).collect(),
            None => Value::Array(Vec::new()),
        },
        leaf => leaf,
    }
}

/// Leaves out what the tree names.
fn without(value: Value, tree: &Tree) -> Value {
    match value {
        Value::Object(members) => {
            let left = members.into_iter().filter_map(|(key, value)| match tree.below.get(&Step::Key(key.clone())) {
                None => Some((key, value)),
                Some(named) if named.is_leaf => None,
                Some(named) => Some((key, without(value, named))),
            });
            Value::Object(left.collect::<Map<_, _>>())
        }
        Value::Array(elements) => match tree.below.get(&Step::Each) {
            None => Value::Array(elements),
            Some(each) if each.is_leaf => Value::Array(Vec::new()),
            Some(each) => elements.into_iter().map(|element| without(element, each)).collect(),
        },
        leaf => leaf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn payload() -> Value {
        json!({"a": {"b": 1, "c": 2}, "list": [{"x": 1, "y": 2}, {"x": 3}], "d": "e"})
    }

    fn of(fields: &[&str]) -> Tree {
        tree(&fields.iter().map(|field| json!(field)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_what_is_named_is_shown() {
        assert_eq!(only(payload(), &of(&["a.b", "d"])), json!({"a": {"b": 1}, "d": "e"}));
        assert_eq!(only(payload(), &of(&["list[].x"])), json!({"list": [{"x": 1}, {"x": 3}]}));
        assert_eq!(only(payload(), &of(&["a", "a.b"])), json!({"a": {"b": 1, "c": 2}}));
        assert_eq!(only(payload(), &of(&["list[0]"])), json!({"list": []}));
        assert_eq!(only(payload(), &of(&["missing"])), json!({}));
    }

    #[test]
    fn what_is_named_is_left_out() {
        assert_eq!(without(payload(), &of(&["a.b", "list"])), json!({"a": {"c": 2}, "d": "e"}));
        assert_eq!(without(payload(), &of(&["list[].x"])), json!({"a": {"b": 1, "c": 2}, "list": [{"y": 2}, {}], "d": "e"}));
        assert_eq!(without(payload(), &of(&["missing"])), payload());
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        for path in ["", ".", "a..b", "a[", "a[x]", "a[]b", "\"a"] {
            assert!(steps(path).is_err(), "{path}");
        }
        assert_eq!(steps("\"a.b\"[2].c").unwrap(), [Step::Key("a.b".to_owned()), Step::At(2), Step::Key("c".to_owned())]);
    }
}
