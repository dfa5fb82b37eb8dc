//! From the members of a request to the words of a command: each value is one word with its flag, and can be nothing else.

use std::collections::BTreeMap;

use engine::{Error, Result};
use serde_json::Value;

use super::table::{Field, Kind, Typed};

/// Longest text that becomes a word.
const TEXT_LEN_MAX: usize = 64 << 10;

/// A location that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The location.
    pub text: String,
    /// Whether something is put there.
    pub is_written: bool,
}

/// The words of a command, and what has to be known besides.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Words {
    /// The words, without what stands for the queries.
    pub words: Vec<String>,
    /// What stands last and has no flag.
    pub last: Option<String>,
    /// Locations that they name.
    pub locations: Vec<Named>,
    /// Queries, and the flag of the file that holds them.
    pub vectors: Option<(&'static str, Vec<Vec<f32>>)>,
}

impl Words {
    /// Makes the words of a call out of its members.
    ///
    /// # Errors
    /// `InvalidInput` when a member is not known, is missing, or is not what it has to be.
    pub(super) fn of(typed: &Typed, mut members: BTreeMap<String, Value>) -> Result<Self> {
        let mut made = Words::default();
        made.words.push("--json".to_owned());
        made.words.extend(typed.command.iter().map(|word| (*word).to_owned()));
        for field in typed.fields {
            match members.remove(field.name).filter(|value| !value.is_null()) {
                Some(value) => made.add(field, &value)?,
                None if field.is_required => return Err(Error::invalid(format!("\"{}\" is missing", field.name))),
                None => {}
            }
        }
        match members.keys().next() {
            None => Ok(made),
            Some(name) => {
                let known: Vec<&str> = typed.fields.iter().map(|field| field.name).collect();
                let hint = format!("it takes: {}", if known.is_empty() { "nothing".to_owned() } else { known.join(", ") });
                Err(Error::invalid(format!("the call does not know \"{}\"", name.escape_debug())).with_hint(hint))
            }
        }
    }

    /// Gives all words of the command line; `file` is where the queries are.
    pub(super) fn line(&self, file: Option<&str>) -> Vec<String> {
        let queries = self.vectors.as_ref().zip(file).map(|((flag, _), file)| format!("{flag}={file}"));
        let mut line: Vec<String> = self.words.iter().cloned().chain(queries).collect();
        if let Some(last) = &self.last {
            // What stands behind it is never read as a flag.
            line.extend(["--".to_owned(), last.clone()]);
        }
        line
    }

    fn add(&mut self, field: &Field, value: &Value) -> Result<()> {
        let wrong =
            |expected: &str| Error::invalid(format!("\"{}\" is not what it has to be", field.name)).with_expected(expected, shown(value));
        let text = || value.as_str().filter(|text| text.len() <= TEXT_LEN_MAX && !text.contains('\0')).ok_or_else(|| wrong("a text"));
        let number = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = match field.kind {
            Kind::Switch => {
                match value.as_bool().or_else(|| value.as_str()?.parse().ok()) {
                    Some(true) => self.words.push(field.flag.to_owned()),
                    Some(false) => {}
                    None => return Err(wrong("true or false")),
                }
                return Ok(());
            }
            Kind::Locations => {
                let each = value.as_array().map_or_else(|| vec![value.clone()], Clone::clone);
                let one = Field { kind: Kind::Location, ..*field };
                return each.iter().try_for_each(|value| self.add(&one, value));
            }
            Kind::Vectors => {
                self.vectors = Some((field.flag, vectors(value).ok_or_else(|| wrong("an array of vectors of one length"))?));
                return Ok(());
            }
            Kind::Location | Kind::Archive => location(text()?).ok_or_else(|| wrong("an absolute path, or a URL"))?,
            Kind::Name => Some(text()?.to_owned()).filter(|name| is_name(name)).ok_or_else(|| wrong("a name"))?,
            Kind::Word => Some(text()?.to_owned()).filter(|word| is_word(word)).ok_or_else(|| wrong("a text without spaces"))?,
            Kind::Text => {
                Some(text()?.to_owned()).filter(|text| !text.chars().any(char::is_control)).ok_or_else(|| wrong("a line of text"))?
            }
            Kind::Length if value.is_number() => format!("{value}s"),
            Kind::Length => Some(text()?.to_owned()).filter(|word| is_word(word)).ok_or_else(|| wrong("a length of time, such as 60s"))?,
            Kind::Filter if value.is_object() => value.to_string(),
            Kind::Filter => return Err(wrong("a filter")),
            Kind::Number => Some(number()).filter(|text| text.parse::<u64>().is_ok()).ok_or_else(|| wrong("a whole number"))?,
            Kind::Seconds => Some(number())
                .filter(|text| text.parse::<f64>().is_ok_and(|seconds| (0.0..=86_400.0).contains(&seconds)))
                .ok_or_else(|| wrong("a number of seconds, at most 86400"))?,
            Kind::Share => Some(number())
                .filter(|text| text.parse::<f64>().is_ok_and(|share| (0.0..=1.0).contains(&share)))
                .ok_or_else(|| wrong("a number between 0 and 1"))?,
        };
        if matches!(field.kind, Kind::Location | Kind::Archive) {
            self.locations.push(Named { text: text.clone(), is_written: field.name == "destination" });
        }
        if field.flag.is_empty() {
            self.last = Some(text);
        } else {
            self.words.push(format!("{}={text}", field.flag));
        }
        Ok(())
    }
}

/// Shows the beginning of a value that is refused.
fn shown(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/')
}

fn is_word(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Takes a location that means the same wherever the server stands.
fn location(text: &str) -> Option<String> {
    let is_one =
        text.starts_with('/') || text.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric()));
    (is_one && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn vectors(value: &Value) -> Option<Vec<Vec<f32>>> {
    let number = |value: &Value| value.as_f64().map(|number| number as f32).filter(|number| number.is_finite());
    let rows: Vec<Vec<f32>> = value.as_array()?.iter().map(|row| row.as_array()?.iter().map(number).collect()).collect::<Option<_>>()?;
    let len = rows.first()?.len();
    (len > 0 && rows.iter().all(|row| row.len() == len)).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;
    use platform::http::Method;
    use serde_json::json;

    fn words(method: Method, path: &str, members: &Value) -> Result<Words> {
        let segments: Vec<&str> = path.split('/').collect();
        let (typed, given) = table::find(method, &segments).unwrap();
        let mut all: BTreeMap<String, Value> = serde_json::from_value(members.clone()).unwrap();
        all.extend(given.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))));
        Words::of(typed, all)
    }

    #[test]
    fn members_become_words_with_their_flags() {
        let members = json!({"destination": "s3://b/x", "snapshot_id": "monday", "parent": ["/a", "/b"], "full": false, "wait": true, "wait_timeout": 5});
        let made = words(Method::Post, "collections/docs/backups", &members).unwrap();
        let line = made.line(None).join(" ");
        let expected =
            "--json collections backup --destination=s3://b/x --snapshot-id=monday --parent=/a --parent=/b --wait --wait-timeout=5 -- docs";
        assert_eq!(line, expected);
        let named = made.locations.iter().map(|named| (named.text.as_str(), named.is_written));
        assert!(named.eq([("s3://b/x", true), ("/a", false), ("/b", false)]));
    }

    #[test]
    fn no_value_becomes_another_flag_or_another_word() {
        let made = words(Method::Get, "jobs/--data-dir=x", &json!({})).unwrap();
        assert_eq!(made.line(None), ["--json", "jobs", "status", "--", "--data-dir=x"]);
        let made = words(Method::Post, "restore", &json!({"source": "/x", "to_time": "--replace"})).unwrap();
        assert!(made.line(None).contains(&"--to-time=--replace".to_owned()));
    }

    #[test]
    fn what_is_not_known_missing_or_of_another_kind_is_refused() {
        let bad = [
            json!({}),
            json!({"source": null}),
            json!({"source": "relative/path"}),
            json!({"source": "../x"}),
            json!({"source": 7}),
            json!({"source": "/x\n"}),
            json!({"source": "/x", "sauce": 1}),
            json!({"source": "/x", "replace": "maybe"}),
            json!({"source": "/x", "to_lsn": -1}),
            json!({"source": "/x", "to_lsn": 1.5}),
            json!({"source": "/x", "to_lsn": [1]}),
            json!({"source": "/x", "wait_timeout": 1e9}),
            json!({"source": "/x", "snapshot_id": "a/b"}),
            json!({"source": "/x", "snapshot_id": ""}),
            json!({"source": "/x", "to_time": "a b"}),
            json!({"source": "/x", "parent": [1]}),
        ];
        for members in bad {
            let error = words(Method::Post, "restore", &members).unwrap_err();
            assert_eq!(error.kind, engine::ErrorKind::InvalidInput, "{members}");
        }
        for vectors in [json!([]), json!([[]]), json!([[1], [1, 2]]), json!([["a"]]), json!([1]), json!([[1e300]])] {
            assert!(words(Method::Post, "collections/c/search", &json!({ "vectors": vectors })).is_err(), "{vectors}");
        }
    }
}
