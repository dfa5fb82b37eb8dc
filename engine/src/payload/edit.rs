//! Changes of a payload's text: keys set and taken out, wherever they lie. What is not touched stays as it was written.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::json::{Limits, PAYLOAD_BYTES_MAX, minify_checked};
use super::path::{FieldPath, Step};
use super::value::{Text, Value, elements, members};
use crate::{Error, Result};

/// Gives the payload that results when `patch` is set on `old`; both are minified, and so is the result.
///
/// A top-level key of the patch replaces the old value where it stands; new keys follow in the patch's order. A value that is null takes
/// its key away. `None` is no payload.
///
/// # Errors
/// `InvalidInput` when the result would exceed [`PAYLOAD_BYTES_MAX`].
pub fn merge(old: Option<&str>, patch: &str) -> Result<Option<String>> {
    finish(|out| merge_into(old.unwrap_or("{}"), patch, out))
}

/// Gives the payload that results when `patch` is set on the objects that lie at a path of `old`; both are minified, and so is the result.
///
/// A key that is missing on the way is made, and what is no object where a key should lie becomes one. What is no array where elements
/// should lie becomes an empty one; an element that does not exist is not made.
///
/// # Errors
/// `InvalidInput` when the result would be larger or deeper than a payload may be.
pub fn set_at(old: Option<&str>, path: &FieldPath, patch: &str) -> Result<Option<String>> {
    let text = finish(|out| set_in(Some(Value::Object(old.unwrap_or("{}"))), path.steps(), patch, out))?;
    // The path may have led deeper than a payload may go.
    text.map_or(Ok(None), |text| minify_checked(&text, &Limits::default()))
}

/// Gives the payload without what lies at a path.
///
/// A path that ends with a key takes the key out, one that ends with `[]` leaves the array empty. One that ends with the number of an
/// element changes nothing: done twice it would take two elements out.
#[must_use]
pub fn delete_at(old: Option<&str>, path: &FieldPath) -> Option<String> {
    let old = old?;
    let mut out = Out { text: String::with_capacity(old.len()) };
    // What is left is never longer than what was there.
    delete_in(Value::Object(old), path.steps(), &mut out)?;
    (out.text != "{}").then_some(out.text)
}

/// The text of a payload that is being written.
struct Out {
    text: String,
}

/// Runs a writer; the empty object is no payload.
fn finish(write: impl FnOnce(&mut Out) -> Option<()>) -> Result<Option<String>> {
    let mut out = Out { text: String::new() };
    match write(&mut out) {
        Some(()) => Ok((out.text != "{}").then_some(out.text)),
        None => Err(Error::invalid("the payload would grow too large").with_expected(format!("at most {PAYLOAD_BYTES_MAX} bytes"), "more")),
    }
}

impl Out {
    /// Appends a piece; `None` when the text would be larger than a payload may be, which ends all writing.
    fn put(&mut self, piece: &str) -> Option<()> {
        if self.text.len() + piece.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        self.text.push_str(piece);
        Some(())
    }

    /// Appends a comma unless the object or array was just opened.
    fn separate(&mut self) -> Option<()> {
        if self.text.ends_with(['{', '[']) { Some(()) } else { self.put(",") }
    }

    fn key(&mut self, raw: &str) -> Option<()> {
        self.separate()?;
        self.put("\"")?;
        self.put(raw)?;
        self.put("\":")
    }

    fn value(&mut self, value: Value<'_>) -> Option<()> {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(true) => self.put("true"),
            Value::Bool(false) => self.put("false"),
            Value::Number(raw) | Value::Array(raw) | Value::Object(raw) => self.put(raw),
            Value::String(text) => {
                self.put("\"")?;
                self.put(text.raw())?;
                self.put("\"")
            }
        }
    }

    fn member(&mut self, key: Text<'_>, value: Value<'_>) -> Option<()> {
        self.key(key.raw())?;
        self.value(value)
    }

    /// Writes an array, each element by `write`.
    fn list<'a>(&mut self, array: &'a str, mut write: impl FnMut(&mut Out, usize, Value<'a>) -> Option<()>) -> Option<()> {
        self.put("[")?;
        for (at, element) in elements(array).enumerate() {
            self.separate()?;
            write(self, at, element)?;
        }
        self.put("]")
    }
}

fn merge_into(object: &str, patch: &str, out: &mut Out) -> Option<()> {
    let mut changes: BTreeMap<_, _> = members(patch).map(|(key, value)| (key.decode(), value)).collect();
    out.put("{")?;
    for (key, value) in members(object) {
        match changes.remove(&key.decode()) {
            Some(Value::Null) => {}
            Some(change) => out.member(key, change)?,
            None => out.member(key, value)?,
        }
    }
    for (key, value) in members(patch).filter(|(key, value)| *value != Value::Null && changes.contains_key(&key.decode())) {
        out.member(key, value)?;
    }
    out.put("}")
}

fn set_in(value: Option<Value<'_>>, steps: &[Step], patch: &str, out: &mut Out) -> Option<()> {
    let object = || if let Some(Value::Object(object)) = value { object } else { "{}" };
    let Some((step, rest)) = steps.split_first() else { return merge_into(object(), patch, out) };
    match (step, value) {
        (Step::Key(wanted), _) => {
            out.put("{")?;
            let mut is_there = false;
            for (key, inner) in members(object()) {
                if key.is(wanted) {
                    is_there = true;
                    out.key(key.raw())?;
                    set_in(Some(inner), rest, patch, out)?;
                } else {
                    out.member(key, inner)?;
                }
            }
            if !is_there {
                out.key(&escaped(wanted))?;
                set_in(None, rest, patch, out)?;
            }
            out.put("}")
        }
        (Step::Each, Some(Value::Array(array))) => out.list(array, |out, _, element| set_in(Some(element), rest, patch, out)),
        (Step::At(place), Some(Value::Array(array))) => out
            .list(array, |out, at, element| if at as u64 == *place { set_in(Some(element), rest, patch, out) } else { out.value(element) }),
        (Step::Each | Step::At(_), _) => out.put("[]"),
    }
}

fn delete_in(value: Value<'_>, steps: &[Step], out: &mut Out) -> Option<()> {
    let Some((step, rest)) = steps.split_first() else { return out.value(value) };
    match (step, value) {
        (Step::Key(wanted), Value::Object(object)) => {
            out.put("{")?;
            for (key, inner) in members(object) {
                if !key.is(wanted) {
                    out.member(key, inner)?;
                } else if !rest.is_empty() {
                    out.key(key.raw())?;
                    delete_in(inner, rest, out)?;
                }
            }
            out.put("}")
        }
        (Step::Each, Value::Array(_)) if rest.is_empty() => out.put("[]"),
        (Step::Each, Value::Array(array)) => out.list(array, |out, _, element| delete_in(element, rest, out)),
        (Step::At(place), Value::Array(array)) if !rest.is_empty() => {
            out.list(array, |out, at, element| if at as u64 == *place { delete_in(element, rest, out) } else { out.value(element) })
        }
        _ => out.value(value),
    }
}

/// Gives a key as it stands between quotes in JSON.
fn escaped(key: &str) -> String {
    let quoted = serde_json::Value::from(key).to_string();
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}
