//! The part of an address behind the question mark, and percent-encoding.

use std::collections::BTreeMap;

use engine::{Error, Result};

/// Most parameters that are read.
const PARAMETERS_MAX: usize = 64;

/// Parameters by name; of one that is given twice, the last counts.
#[derive(Debug, Default)]
pub(super) struct QueryString(BTreeMap<String, String>);

impl QueryString {
    /// Reads the text behind the question mark.
    ///
    /// # Errors
    /// `InvalidInput` when it is not percent-encoded UTF-8.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut found = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            found.insert(decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?);
        }
        Ok(QueryString(found))
    }

    /// Gives all parameters as texts.
    pub(super) fn into_members(self) -> BTreeMap<String, serde_json::Value> {
        self.0.into_iter().map(|(name, value)| (name, value.into())).collect()
    }

    /// Gives the value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Takes percent-encoding away.
///
/// # Errors
/// `InvalidInput` when a percent sign has no two hexadecimal digits behind it, or the bytes are not UTF-8.
pub(super) fn decoded(text: &str) -> Result<String> {
    let refuse = || Error::invalid(format!("the address has a part that is not percent-encoded UTF-8: \"{}\"", text.escape_debug()));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, behind @ ..] = rest else { return Err(refuse()) };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(refuse()) };
        bytes.push(high << 4 | low);
        rest = behind;
    }
    String::from_utf8(bytes).map_err(|_| refuse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_last_of_a_name_counts() {
        let query = QueryString::parse("wait=true&name=a%2Fb+c&wait=false&flag").unwrap();
        assert_eq!((query.get("wait"), query.get("name"), query.get("flag")), (Some("false"), Some("a/b c"), Some("")));
        assert_eq!(query.get("absent"), None);
    }

    #[test]
    fn what_is_not_percent_encoded_is_refused() {
        for text in ["%", "%4", "%zz", "%ff", "a%c3"] {
            assert!(decoded(text).is_err(), "{text}");
        }
        assert_eq!(decoded("%C3%A4").unwrap(), "ä");
    }
}
