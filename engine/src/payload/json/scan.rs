//! The scanner behind minifying: one pass, no recursion, every rule of JSON and of the house checked on the way.

use std::borrow::Cow;

use super::Limits;
use crate::payload::value::unescape;
use crate::{Error, Result};

/// Checks that `text` is one object within the limits and copies it without blanks.
pub(super) fn minify_object(text: &str, what: &str, limits: &Limits) -> Result<String> {
    let out = String::with_capacity(text.len().min(limits.bytes));
    let mut scan = Scan { text, what, limits, at: 0, out, open: Vec::new(), keys: Vec::new() };
    scan.skip_blanks();
    if scan.peek() != Some(b'{') {
        return Err(scan.refuse("a JSON object"));
    }
    let mut due = Due::Value;
    while due != Due::Nothing {
        scan.skip_blanks();
        due = scan.step(due)?;
        if scan.out.len() > limits.bytes {
            return Err(Error::invalid(format!("the {what} is too large")).with_expected(format!("at most {} bytes", limits.bytes), "more"));
        }
    }
    scan.skip_blanks();
    if scan.at < text.len() {
        return Err(scan.refuse("nothing after the object"));
    }
    assert!(scan.open.is_empty() && scan.keys.is_empty(), "a finished text leaves nothing open");
    Ok(scan.out)
}

/// What may come next.
#[derive(PartialEq)]
enum Due {
    Value,
    Key,
    FirstKeyOrEnd,
    FirstElementOrEnd,
    CommaOrEnd,
    Nothing,
}

/// An array or object that is not closed yet.
enum Open {
    Array,
    /// The keys of this object begin here in [`Scan::keys`].
    Object(usize),
}

struct Scan<'a> {
    text: &'a str,
    what: &'a str,
    limits: &'a Limits,
    at: usize,
    out: String,
    open: Vec<Open>,
    /// The keys of all open objects with their offsets, innermost last.
    keys: Vec<(Cow<'a, str>, usize)>,
}

impl<'a> Scan<'a> {
    fn step(&mut self, due: Due) -> Result<Due> {
        match (due, self.peek()) {
            (Due::FirstKeyOrEnd, Some(b'}')) | (Due::FirstElementOrEnd, Some(b']')) => self.close(),
            (Due::FirstKeyOrEnd | Due::Key, _) => self.key(),
            (Due::FirstElementOrEnd | Due::Value, _) => self.value(),
            (Due::CommaOrEnd, byte) => match (self.open.last(), byte) {
                (Some(Open::Object(_)), Some(b',')) => {
                    self.copy(1);
                    Ok(Due::Key)
                }
                (Some(Open::Array), Some(b',')) => {
                    self.copy(1);
                    Ok(Due::Value)
                }
                (Some(Open::Object(_)), Some(b'}')) | (Some(Open::Array), Some(b']')) => self.close(),
                (Some(Open::Array), _) => Err(self.refuse("\",\" or \"]\"")),
                _ => Err(self.refuse("\",\" or \"}\"")),
            },
            (Due::Nothing, _) => Ok(Due::Nothing),
        }
    }

    fn value(&mut self) -> Result<Due> {
        match self.peek() {
            Some(b'{') => {
                self.enter(Open::Object(self.keys.len()))?;
                return Ok(Due::FirstKeyOrEnd);
            }
            Some(b'[') => {
                self.enter(Open::Array)?;
                return Ok(Due::FirstElementOrEnd);
            }
            Some(b'"') => {
                self.string()?;
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                match ["null", "true", "false"].into_iter().find(|word| rest.starts_with(word)) {
                    Some(word) => self.copy(word.len()),
                    None => return Err(self.refuse("a value")),
                }
            }
        }
        Ok(Due::CommaOrEnd)
    }

    fn enter(&mut self, open: Open) -> Result<()> {
        if self.open.len() == self.limits.depth {
            return Err(Error::invalid(format!("the {} is nested too deep", self.what))
                .with_offset(self.at as u64)
                .with_expected(format!("at most {} levels", self.limits.depth), "more"));
        }
        self.open.push(open);
        self.copy(1);
        Ok(())
    }

    fn close(&mut self) -> Result<Due> {
        self.copy(1);
        if let Some(Open::Object(from)) = self.open.pop() {
            self.refuse_twins(from)?;
            self.keys.truncate(from);
        }
        Ok(if self.open.is_empty() { Due::Nothing } else { Due::CommaOrEnd })
    }

    /// Refuses an object that names a key twice: readers of JSON do not agree on which of the two counts.
    fn refuse_twins(&mut self, from: usize) -> Result<()> {
        let Some(keys) = self.keys.get_mut(from..) else { return Ok(()) };
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => {
                let key: String = pair[0].0.chars().take(80).collect();
                Err(Error::invalid(format!("the {} names the key \"{}\" twice in one object", self.what, key.escape_debug()))
                    .with_offset(pair[1].1 as u64))
            }
            None => Ok(()),
        }
    }

    fn key(&mut self) -> Result<Due> {
        if self.peek() != Some(b'"') {
            return Err(self.refuse("a key in double quotes"));
        }
        let offset = self.at;
        let key = self.string()?;
        self.keys.push((key, offset));
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.refuse("\":\""));
        }
        self.copy(1);
        Ok(Due::Value)
    }

    /// Copies a string with its quotes and gives what it means.
    fn string(&mut self) -> Result<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(0..=0x1f) | None => {
                    self.at = end.min(bytes.len());
                    return Err(self.refuse("the end of a string, control characters escaped"));
                }
                Some(_) => end += 1,
            }
        }
        let raw = self.text.get(self.at + 1..end).unwrap_or_default();
        let Some(meaning) = unescape(raw) else {
            return Err(Error::invalid(format!("a string of the {} holds an escape that is no character", self.what))
                .with_offset(self.at as u64)
                .with_hint("JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four digits; surrogates come in pairs"));
        };
        self.copy(end + 1 - self.at);
        Ok(meaning)
    }

    fn number(&mut self) -> Result<()> {
        let bytes = self.text.as_bytes();
        let digits = |from: usize| from + bytes.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
        let whole = self.at + usize::from(self.peek() == Some(b'-'));
        let mut end = digits(whole);
        let mut sound = end > whole && (end == whole + 1 || bytes.get(whole) != Some(&b'0'));
        if bytes.get(end) == Some(&b'.') {
            let fraction = end + 1;
            end = digits(fraction);
            sound &= end > fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            end = digits(exponent);
            sound &= end > exponent;
        }
        if !sound {
            return Err(self.refuse("a number as JSON writes it"));
        }
        self.copy(end - self.at);
        Ok(())
    }

    fn copy(&mut self, length: usize) {
        let end = self.at + length;
        self.out.push_str(self.text.get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn refuse(&self, expected: &str) -> Error {
        let got = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => format!("\"{}\"", found.escape_debug()),
            None => "the end of the text".to_string(),
        };
        Error::invalid(format!("the {} is not valid JSON", self.what)).with_offset(self.at as u64).with_expected(expected, got)
    }
}
