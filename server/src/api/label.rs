//! Point ids as JSON says them: an unsigned integer or the text of a UUID.

use std::fmt;

use engine::{Error, PointId};
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A point's id in a request or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label(pub(super) PointId);

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: &RawValue = Deserialize::deserialize(deserializer)?;
        Label::parse(raw.get()).map_err(de::Error::custom)
    }
}

impl Label {
    /// Reads the JSON of an id.
    ///
    /// # Errors
    /// `InvalidInput` when it is something else.
    pub(super) fn parse(json: &str) -> Result<Self, Error> {
        let refuse = || {
            let shown: String = json.chars().take(80).collect();
            Error::invalid("this is not the id of a point").with_expected("an unsigned integer or a UUID", shown.escape_debug().to_string())
        };
        if let Some(text) = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            // Digits in quotes are no number.
            return match PointId::parse(text) {
                Ok(id @ PointId::Uuid(_)) => Ok(Label(id)),
                _ => Err(refuse()),
            };
        }
        json.parse().map(|number| Label(PointId::Number(number))).map_err(|_| refuse())
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            PointId::Number(number) => serializer.serialize_u64(*number),
            uuid @ PointId::Uuid(_) => serializer.collect_str(uuid),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_and_write_as_clients_say_them() {
        for json in ["0", "18446744073709551615", "\"c0ffee00-0000-4000-8000-000000000001\""] {
            let label: Label = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&label).unwrap(), json);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for json in ["-1", "1.5", "\"1\"", "\"x\"", "null", "[1]", "18446744073709551616", "1e3"] {
            assert!(serde_json::from_str::<Label>(json).is_err(), "{json}");
        }
    }
}
