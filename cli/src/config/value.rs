//! Values of settings: read from a file or from text, checked, and said again.

use super::known::Kind;
use crate::exit::Failure;
use crate::time::{parse_length, parse_moment};
use pitr::schedule::{Schedule, Template, Zone};
use serde_json::{Value as Json, json};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// A value that is what its key asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, a word, a path, a time.
    Text(String),
    /// A whole number.
    Number(u64),
    /// A share.
    Share(f64),
    /// True or false.
    Truth(bool),
    /// Several texts.
    List(Vec<String>),
}

/// Why a text or a value is not what it has to be: what was expected, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub got: String,
}

impl Value {
    /// Reads what stands in a file. Relative paths begin in `beside`, the directory of the file.
    ///
    /// # Errors
    /// What was expected and found.
    pub fn from_file(kind: Kind, value: &DeValue<'_>, beside: &Path) -> Result<Self, Wrong> {
        let wrong = || Wrong { expected: kind.to_string(), got: shown(value) };
        match (kind, value) {
            (Kind::Truth, DeValue::Boolean(truth)) => Ok(Value::Truth(*truth)),
            (Kind::Number(..), DeValue::Integer(_)) => Self::from_text(kind, &shown(value)),
            (Kind::Share, DeValue::Float(_) | DeValue::Integer(_)) => Self::from_text(kind, &shown(value)),
            (Kind::Locations, DeValue::Array(values)) => {
                let texts = values.iter().map(|value| match value.get_ref() {
                    DeValue::String(text) if !text.is_empty() => Ok(absolute(text, beside)),
                    _ => Err(wrong()),
                });
                texts.collect::<Result<Vec<_>, _>>().map(Value::List)
            }
            (Kind::Number(..) | Kind::Share | Kind::Truth | Kind::Locations, _) => Err(wrong()),
            (_, DeValue::String(text)) => {
                let value = Self::from_text(kind, text)?;
                let is_place = matches!(kind, Kind::File | Kind::Directory | Kind::Location | Kind::Destination);
                Ok(if is_place { Value::Text(absolute(text, beside)) } else { value })
            }
            _ => Err(wrong()),
        }
    }

    /// Reads what a variable says.
    ///
    /// # Errors
    /// What was expected and found.
    pub fn from_text(kind: Kind, text: &str) -> Result<Self, Wrong> {
        let quoted = || Wrong { expected: kind.to_string(), got: format!("\"{}\"", text.escape_debug()) };
        let value = match kind {
            Kind::Number(min, max) => text.parse().ok().filter(|number| (min..=max).contains(number)).map(Value::Number),
            Kind::Share => text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0).map(Value::Share),
            Kind::Truth => text.parse().ok().map(Value::Truth),
            Kind::Locations => {
                Some(Value::List(text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()))
            }
            _ => is_text_of(kind, text)?.then(|| Value::Text(text.to_owned())),
        };
        value.ok_or_else(quoted)
    }

    /// Gives it in JSON.
    #[must_use]
    pub fn as_json(&self) -> Json {
        match self {
            Value::Text(text) => json!(text),
            Value::Number(number) => json!(number),
            Value::Share(share) => json!(share),
            Value::Truth(truth) => json!(truth),
            Value::List(texts) => json!(texts),
        }
    }
}

/// Writes it as the file has it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(&quoted(text)),
            Value::Number(number) => write!(f, "{number}"),
            // A share of 1 is written 1.0: a whole number reads as well, but does not look like a share.
            Value::Share(share) => write!(f, "{share:?}"),
            Value::Truth(truth) => write!(f, "{truth}"),
            Value::List(texts) => write!(f, "[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Writes a text as TOML has it, whose escapes are those of JSON but for one.
fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// Says whether a text is one of a kind.
fn is_text_of(kind: Kind, text: &str) -> Result<bool, Wrong> {
    let of = |outcome: Result<(), Failure>| {
        outcome.map(|()| true).map_err(|error| Wrong {
            expected: error.expected.unwrap_or(kind.to_string()),
            got: error.got.unwrap_or_else(|| format!("\"{}\"", text.escape_debug())),
        })
    };
    match kind {
        Kind::Word(words) => Ok(words.contains(&text)),
        Kind::Name => of(engine::schema::check_name(text)),
        Kind::Destination if !text.is_empty() => of(Template::parse(text).map(drop)),
        Kind::Every => of(Schedule::every(text).map(drop)),
        Kind::Cron => of(Schedule::cron(text, None).map(drop)),
        Kind::Zone => of(Zone::parse(text).map(drop)),
        Kind::Lines => Ok(text.parse::<platform::log::Filter>().is_ok()),
        Kind::Length => Ok(parse_length(text).is_some()),
        Kind::DrillTime => Ok(matches!(text, "random" | "latest") || parse_moment(text).is_ok()),
        _ => Ok(!text.is_empty()),
    }
}

/// Makes a relative path absolute; a URL stays as it is.
#[must_use]
pub fn absolute(text: &str, beside: &Path) -> String {
    if text.contains("://") {
        return text.to_owned();
    }
    let whole: PathBuf = beside.join(text).components().collect();
    whole.to_string_lossy().into_owned()
}

/// Says what a value of a file is, for a message.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", text.escape_debug()),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
