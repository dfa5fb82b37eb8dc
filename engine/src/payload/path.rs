//! A field's path in dotted notation, and the values a payload has there.

use std::fmt;
use std::ops::ControlFlow;

use super::value::{Value, elements, members, read};
use crate::{Error, Result};

/// The longest path in bytes.
pub const FIELD_PATH_BYTES_MAX: usize = 4096;
/// The most steps of a path; payloads are no deeper.
pub const FIELD_PATH_STEPS_MAX: usize = 64;

/// Where in a payload a field lies: `a`, `a.b`, `a[].b`, `a[0].b`, `"key with . in it".b`.
///
/// `[]` steps into every element of an array, `[0]` into the first. Paths that mean the same are equal and print the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    Key(String),
    Each,
    At(u64),
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// `InvalidInput` when a part is empty, a bracket or quote does not close, or a limit is exceeded.
    pub fn parse(text: &str) -> Result<FieldPath> {
        let refuse = |why: &str| {
            let shown: String = text.chars().take(80).collect();
            Err(Error::invalid(format!("\"{}\" is not the path of a field: {why}", shown.escape_debug()))
                .with_hint("write a path as a, a.b, a[].b or a[0].b; quote a key that holds a dot or a bracket: \"a.b\".c"))
        };
        if text.len() > FIELD_PATH_BYTES_MAX {
            return refuse("it is longer than 4096 bytes");
        }
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let key = if let Some(quoted) = rest.strip_prefix('"') {
                let Some((key, behind)) = quoted.split_once('"') else { return refuse("a quote does not close") };
                rest = behind;
                key
            } else {
                let (key, behind) = rest.split_at(rest.find(['.', '[', ']', '"']).unwrap_or(rest.len()));
                if key.is_empty() {
                    return refuse("a key is empty");
                }
                rest = behind;
                key
            };
            steps.push(Step::Key(key.to_string()));
            while let Some(bracket) = rest.strip_prefix('[') {
                let Some((number, behind)) = bracket.split_once(']') else { return refuse("a bracket does not close") };
                let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
                match number.parse() {
                    _ if number.is_empty() => steps.push(Step::Each),
                    Ok(place) if is_number => steps.push(Step::At(place)),
                    _ => return refuse("brackets hold nothing, or the number of an element"),
                }
                rest = behind;
            }
            if steps.len() > FIELD_PATH_STEPS_MAX {
                return refuse("it has more than 64 steps");
            }
            if rest.is_empty() {
                return Ok(FieldPath { steps });
            }
            let Some(behind) = rest.strip_prefix('.') else { return refuse("after a key only \".\" or \"[]\" may follow") };
            rest = behind;
        }
    }

    /// Reads the path of a field that is to be indexed: one that names single elements of arrays is none.
    ///
    /// # Errors
    /// As [`FieldPath::parse`], and `InvalidInput` when the path holds the number of an element.
    pub fn parse_indexable(text: &str) -> Result<FieldPath> {
        let path = FieldPath::parse(text)?;
        match path.steps.iter().any(|step| matches!(step, Step::At(_))) {
            false => Ok(path),
            true => Err(Error::invalid(format!("\"{path}\" names a single element, and no index is made of those"))
                .with_hint("index all elements of the array: write [] for the number")),
        }
    }

    /// Gives the path of the array whose elements this path steps into last; a path that does not is that of the array itself.
    #[must_use]
    pub fn of_array(mut self) -> FieldPath {
        self.steps.pop_if(|step| *step == Step::Each);
        self
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Shows each value at this path to `visit`, arrays whole, until it breaks; a missing key shows nothing.
    pub fn values_at(&self, payload: &str, visit: &mut dyn FnMut(Value<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        match read(payload) {
            Some(root) => descend(root, &self.steps, visit),
            None => ControlFlow::Continue(()),
        }
    }

    /// Shows each value at this path to `visit`, the elements of an array one by one in its place, until it breaks.
    pub fn leaves_at(&self, payload: &str, visit: &mut dyn FnMut(Value<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        self.values_at(payload, &mut |value| match value {
            Value::Array(array) => elements(array).try_for_each(&mut *visit),
            leaf => visit(leaf),
        })
    }
}

fn descend(value: Value<'_>, steps: &[Step], visit: &mut dyn FnMut(Value<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
    match (steps.split_first(), value) {
        (None, value) => visit(value),
        (Some((Step::Key(key), rest)), Value::Object(object)) => match members(object).find(|(name, _)| name.is(key)) {
            Some((_, inner)) => descend(inner, rest, visit),
            None => ControlFlow::Continue(()),
        },
        (Some((Step::Each, rest)), Value::Array(array)) => elements(array).try_for_each(|element| descend(element, rest, visit)),
        (Some((Step::At(place), rest)), Value::Array(array)) => {
            let element = usize::try_from(*place).ok().and_then(|place| elements(array).nth(place));
            element.map_or(ControlFlow::Continue(()), |element| descend(element, rest, visit))
        }
        _ => ControlFlow::Continue(()),
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                Step::Each => f.write_str("[]")?,
                Step::At(place) => write!(f, "[{place}]")?,
                Step::Key(key) => {
                    f.write_str(if at == 0 { "" } else { "." })?;
                    if key.is_empty() || key.contains(['.', '[', ']']) { write!(f, "\"{key}\"")? } else { f.write_str(key)? }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(payload: &str, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        let flow = FieldPath::parse(path).unwrap().leaves_at(payload, &mut |value| {
            found.push(format!("{value:?}"));
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        found
    }

    #[test]
    fn a_path_finds_nested_values_and_array_elements() {
        let payload = r#"{"a":{"b":1,"c.d":2},"l":[{"b":3},{"b":[4,5]},{"x":6},7],"t":["u","v"],"\u0061b":8}"#;
        assert_eq!(leaves(payload, "a.b"), ["Number(\"1\")"]);
        assert_eq!(leaves(payload, "a.\"c.d\""), ["Number(\"2\")"]);
        assert_eq!(leaves(payload, "l[].b"), ["Number(\"3\")", "Number(\"4\")", "Number(\"5\")"]);
        assert_eq!(leaves(payload, "t"), leaves(payload, "t[]"));
        assert_eq!(leaves(payload, "ab"), ["Number(\"8\")"]);
        assert_eq!(leaves(payload, "l[1].b"), ["Number(\"4\")", "Number(\"5\")"]);
        assert_eq!(leaves(payload, "l[1].b[0]"), ["Number(\"4\")"]);
        for missing in ["l.b", "a.x", "a[]", "z", "t[][]", "t[2]", "a[0]", "t[18446744073709551615]"] {
            assert!(leaves(payload, missing).is_empty(), "{missing}");
        }
    }

    #[test]
    fn a_path_prints_as_it_reads() {
        for path in ["a", "a.b", "a[].b", "a[][]", "a[0][12].b", "\"a.b\".c", "\"\"", "größe.höhe", "a b"] {
            assert_eq!(FieldPath::parse(path).unwrap().to_string(), path);
        }
        assert_eq!(FieldPath::parse("\"a\".b").unwrap(), FieldPath::parse("a.b").unwrap());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a[",
            "a]",
            "a[x]",
            "a[-1]",
            "a[+1]",
            "a[18446744073709551616]",
            "a[0",
            "[]",
            "\"a",
            "a\"b\"",
            "a[]b",
        ] {
            assert!(FieldPath::parse(path).is_err(), "{path}");
        }
        assert!(FieldPath::parse(&"a.".repeat(100)).is_err());
        assert!(FieldPath::parse_indexable("a[].b").is_ok() && FieldPath::parse_indexable("a[0].b").is_err());
    }
}
