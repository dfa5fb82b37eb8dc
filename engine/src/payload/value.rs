//! A value inside JSON text, looked at where it stands: no tree is built, and text that is not JSON ends the look, it never fails it.

use std::borrow::Cow;
use std::fmt;

/// One JSON value as a view into the text that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(&'a str),
    /// A string.
    String(Text<'a>),
    /// An array with its brackets; [`elements`] walks it.
    Array(&'a str),
    /// An object with its braces; [`members`] walks it.
    Object(&'a str),
}

/// The inside of a JSON string, escapes not yet resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a str,
}

impl<'a> Text<'a> {
    /// Resolves the escapes; text without any is borrowed.
    #[must_use]
    pub fn decode(self) -> Cow<'a, str> {
        unescape(self.raw).unwrap_or(Cow::Borrowed(self.raw))
    }

    /// Gives the text between the quotes as it is written.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// Says whether the string, escapes resolved, is `other`.
    #[must_use]
    pub fn is(self, other: &str) -> bool {
        if self.raw.contains('\\') { self.decode() == other } else { self.raw == other }
    }
}

impl fmt::Display for Value<'_> {
    /// Writes the value as it stands in the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(raw) | Value::Array(raw) | Value::Object(raw) => f.write_str(raw),
            Value::String(text) => write!(f, "\"{}\"", text.raw),
        }
    }
}

/// Reads a text that is one value, blanks around it allowed; `None` when it does not begin like one.
#[must_use]
pub fn read(text: &str) -> Option<Value<'_>> {
    Cursor { text, at: 0 }.value()
}

/// Walks the members of an object in their order; anything but an object has none.
pub fn members(object: &str) -> impl Iterator<Item = (Text<'_>, Value<'_>)> {
    let mut cursor = Cursor { text: object, at: 0 };
    let mut open = cursor.take(b'{');
    std::iter::from_fn(move || {
        if !open {
            return None;
        }
        let member = cursor.member();
        open = member.is_some() && cursor.take(b',');
        member
    })
}

/// Walks the elements of an array in their order; anything but an array has none.
pub fn elements(array: &str) -> impl Iterator<Item = Value<'_>> {
    let mut cursor = Cursor { text: array, at: 0 };
    let mut open = cursor.take(b'[');
    std::iter::from_fn(move || {
        if !open {
            return None;
        }
        let element = cursor.value();
        open = element.is_some() && cursor.take(b',');
        element
    })
}

/// A position in a text that only moves forward.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Skips blanks and gives the byte that follows them.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Steps over `byte` if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn member(&mut self) -> Option<(Text<'a>, Value<'a>)> {
        let key = self.string()?;
        if !self.take(b':') {
            return None;
        }
        Some((key, self.value()?))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Value::String),
            b'{' => self.block().map(Value::Object),
            b'[' => self.block().map(Value::Array),
            b'-' | b'0'..=b'9' => self.word().map(Value::Number),
            _ => match self.word()? {
                "null" => Some(Value::Null),
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
        }
    }

    fn string(&mut self) -> Option<Text<'a>> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let end = string_end(self.text.as_bytes(), self.at)?;
        let raw = self.text.get(self.at + 1..end - 1)?;
        self.at = end;
        Some(Text { raw })
    }

    /// Takes an array or object whole: brackets are counted, strings stepped over.
    fn block(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        let mut at = self.at;
        loop {
            match bytes.get(at)? {
                b'"' => {
                    at = string_end(bytes, at)?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        let block = self.text.get(self.at..at)?;
        self.at = at;
        Some(block)
    }

    /// Takes a number or a literal: everything up to a separator.
    fn word(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let end = rest.find([',', '}', ']', ':', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end)
    }
}

/// Gives the offset behind the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Resolves the escapes of a JSON string; `None` when one of them is not an escape of JSON or names half a character.
pub(super) fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let Some(first) = raw.find('\\') else { return Some(Cow::Borrowed(raw)) };
    let mut out = String::with_capacity(raw.len());
    out.push_str(raw.get(..first)?);
    let mut rest = raw.get(first..)?;
    while let Some(escape) = rest.strip_prefix('\\') {
        let mut chars = escape.chars();
        let plain = match chars.next()? {
            'u' => {
                let (character, behind) = unescape_unicode(chars.as_str())?;
                chars = behind.chars();
                character
            }
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            same @ ('"' | '\\' | '/') => same,
            _ => return None,
        };
        out.push(plain);
        let behind = chars.as_str();
        let next = behind.find('\\').unwrap_or(behind.len());
        out.push_str(behind.get(..next)?);
        rest = behind.get(next..)?;
    }
    Some(Cow::Owned(out))
}

/// Reads the digits behind `\u`, and the second half of a pair where one is due.
fn unescape_unicode(text: &str) -> Option<(char, &str)> {
    let (unit, rest) = hex_unit(text)?;
    if !(0xD800..0xE000).contains(&unit) {
        return Some((char::from_u32(unit)?, rest));
    }
    let (low, rest) = hex_unit(rest.strip_prefix("\\u")?)?;
    if unit >= 0xDC00 || !(0xDC00..0xE000).contains(&low) {
        return None;
    }
    Some((char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))?, rest))
}

fn hex_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let valid = digits.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| u32::from_str_radix(digits, 16).ok()).flatten().map(|unit| (unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements_come_in_order_with_blanks_and_nesting() {
        let found: Vec<_> =
            members(" { \"a\" : 1 , \"b\":[1,{\"c\":\"]}\"}] ,\"d\":\"x\\\"y\"} ").map(|(key, value)| (key.raw(), value)).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], ("a", Value::Number("1")));
        let Value::Array(array) = found[1].1 else { panic!("{found:?}") };
        assert_eq!(elements(array).collect::<Vec<_>>(), [Value::Number("1"), Value::Object("{\"c\":\"]}\"}")]);
        assert!(matches!(found[2].1, Value::String(text) if text.is("x\"y")));
    }

    #[test]
    fn text_that_is_no_json_ends_the_walk() {
        for text in ["", "{", "[", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":}", "[nul]", "[\"\\", "{1:2}", "]", "[[[", "é", "{\"é\\é"] {
            assert_eq!(members(text).count() + elements(text).filter(|v| !matches!(v, Value::Array(_))).count(), 0, "{text}");
        }
        assert_eq!(elements("[1 2]").count(), 1);
    }

    #[test]
    fn escapes_resolve_and_half_characters_do_not() {
        assert_eq!(unescape(r#"a\u0041\n\/\"\\\ud83d\ude00z"#).unwrap(), "aA\n/\"\\😀z");
        for bad in [r"\ud83d", r"\ud83dx", r"\ud83d\u0041", r"\ude00", r"\u12", r"\u12é4", r"\x", r"\", r"\u+123"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }
}
