//! JSON lines: points to write, and payloads of rows.

use super::numbers::{parse_vector, start_of};
use super::{MAX_DIM, stream_failure};
use crate::exit::Failure;
use engine::PointId;
use engine::payload::{Limits, minify_checked};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

/// The most bytes of a line: a point of the largest dimension with a large payload fits many times.
const MAX_LINE_BYTES: usize = 64 << 20;

/// Lines of text with their numbers, counted from 1. Blank lines are given too.
pub struct JsonLines {
    from: Box<dyn BufRead + Send>,
    name: String,
    number: u64,
    buffer: Vec<u8>,
    limit: usize,
}

impl JsonLines {
    /// Takes lines from a stream; the name is for messages.
    #[must_use]
    pub fn new(from: Box<dyn BufRead + Send>, name: &str) -> Self {
        Self { from, name: name.to_owned(), number: 0, buffer: Vec::new(), limit: MAX_LINE_BYTES }
    }

    /// Gives the next line without its end, or `None` behind the last one.
    ///
    /// # Errors
    /// `InvalidInput` with the line for a line that is too long or not UTF-8, and for a broken gzip stream.
    pub fn next_line(&mut self) -> Result<Option<&str>, Failure> {
        self.buffer.clear();
        self.number += 1;
        let most = self.limit as u64 + 1;
        let read = self.from.by_ref().take(most).read_until(b'\n', &mut self.buffer);
        let count = read.map_err(|error| stream_failure(&self.name, self.number, &error))?;
        if count == 0 {
            return Ok(None);
        }
        if count as u64 == most && self.buffer.last() != Some(&b'\n') {
            return Err(self.bad(&format!("is longer than {}", crate::output::bytes(self.limit as u64))));
        }
        // A mark that some editors put at the start of a file.
        let start = if self.number == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        match std::str::from_utf8(&self.buffer[start..]) {
            Ok(text) => Ok(Some(text.trim_ascii())),
            Err(error) => Err(self.bad(&format!("is not UTF-8 from byte {} on", start + error.valid_up_to()))),
        }
    }

    /// The number of the line that was given last.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    fn bad(&self, what: &str) -> Failure {
        bad_line(&self.name, self.number, what)
    }
}

fn bad_line(name: &str, number: u64, what: &str) -> Failure {
    Failure::invalid(format!("line {number} {what}")).with_file(Path::new(name))
}

/// One point as a user wrote it. Dimensions, names of vectors and the payload are the engine's to check.
#[derive(Debug, Clone, PartialEq)]
pub struct PointLine {
    /// Where it stood, for messages.
    pub line: u64,
    /// Its id.
    pub id: PointId,
    /// Its vectors.
    pub vectors: LineVectors,
    /// Its payload, as the JSON text of an object.
    pub payload: Option<String>,
}

/// The vectors of a point.
#[derive(Debug, Clone, PartialEq)]
pub enum LineVectors {
    /// `[..]`: the unnamed vector.
    Unnamed(Vec<f32>),
    /// `{name:[..]}`, in the order of the line; no name stands twice.
    Named(Vec<(String, Vec<f32>)>),
}

/// Points, a JSON object a line; blank lines are skipped.
pub struct PointLines {
    lines: JsonLines,
    failed: bool,
}

impl PointLines {
    /// Takes points from a stream; the name is for messages.
    #[must_use]
    pub fn new(from: Box<dyn BufRead + Send>, name: &str) -> Self {
        Self { lines: JsonLines::new(from, name), failed: false }
    }

    /// Skips `count` points without looking at them, fewer when there are not so many.
    ///
    /// # Errors
    /// As [`JsonLines::next_line`].
    pub fn skip_points(&mut self, count: u64) -> Result<(), Failure> {
        let mut skipped = 0;
        while skipped < count {
            match self.lines.next_line()? {
                Some(line) => skipped += u64::from(!line.is_empty()),
                None => break,
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<PointLine>, Failure> {
        loop {
            let parsed = match self.lines.next_line()? {
                None => return Ok(None),
                Some("") => continue,
                Some(line) => parse_point(line),
            };
            let line = self.lines.number();
            return match parsed {
                Ok((id, vectors, payload)) => Ok(Some(PointLine { line, id, vectors, payload })),
                Err(what) => Err(self.lines.bad(&what)),
            };
        }
    }
}

impl Iterator for PointLines {
    type Item = Result<PointLine, Failure>;

    /// Ends behind the first failure: what follows a bad line is not to be trusted.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.read().transpose();
        self.failed = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Payloads of rows, a JSON object a line; a blank line or `null` is a row without payload.
pub struct PayloadLines {
    lines: JsonLines,
    rows: u64,
}

impl PayloadLines {
    /// Takes payloads from a stream; the name is for messages.
    #[must_use]
    pub fn new(from: Box<dyn BufRead + Send>, name: &str) -> Self {
        Self { lines: JsonLines::new(from, name), rows: 0 }
    }

    /// Skips the payloads of `count` rows without looking at them.
    ///
    /// # Errors
    /// `InvalidInput` when there are fewer.
    pub fn skip_rows(&mut self, count: u64) -> Result<(), Failure> {
        for _ in 0..count {
            if self.lines.next_line()?.is_none() {
                return Err(self.missing(self.rows));
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Gives the payload of the next row, checked and minified, or `None` for a row without.
    ///
    /// # Errors
    /// `InvalidInput` with the line when it is no payload, or when there is no line left for the row.
    pub fn next_row(&mut self) -> Result<Option<String>, Failure> {
        let row = self.rows;
        let Some(text) = self.lines.next_line()? else { return Err(self.missing(row)) };
        let parsed = match text {
            "" | "null" => Ok(None),
            text if text.starts_with('{') => {
                minify_checked(text, &Limits::default()).map_err(|why| format!("has a payload that cannot be stored: {why}"))
            }
            text => Err(format!("has a payload that is no JSON object: {}", start_of(text))),
        };
        self.rows += 1;
        parsed.map_err(|what| self.lines.bad(&what))
    }

    /// Checks that no payload is left over behind the last row.
    ///
    /// # Errors
    /// `InvalidInput` when a line that is not blank follows.
    pub fn finish(mut self) -> Result<(), Failure> {
        while let Some(line) = self.lines.next_line()? {
            if !line.is_empty() {
                let rows = self.rows;
                return Err(self
                    .lines
                    .bad("has no row: the payload file is longer than the vectors")
                    .with_expected(format!("{rows} lines"), "more"));
            }
        }
        Ok(())
    }

    fn missing(&self, row: u64) -> Failure {
        Failure::invalid(format!("row {row} has no payload line: the payload file ends before")).with_file(Path::new(&self.lines.name))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    vector: &'a RawValue,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

fn parse_point(line: &str) -> Result<(PointId, LineVectors, Option<String>), String> {
    let wire: Wire<'_> = serde_json::from_str(line).map_err(|error| json_error(&error))?;
    let id = parse_id(wire.id.get())?;
    let vectors = parse_vectors(wire.vector.get())?;
    let payload = wire.payload.map_or(Ok(None), object)?;
    Ok((id, vectors, payload))
}

/// A whole number, or a UUID in quotes.
fn parse_id(json: &str) -> Result<PointId, String> {
    let bad = || format!("has an id that is neither a whole number nor a UUID in quotes: {}", start_of(json));
    let id = match serde_json::from_str::<String>(json) {
        Ok(text) => PointId::parse(&text).ok().filter(|id| matches!(id, PointId::Uuid(_))),
        Err(_) => PointId::parse(json).ok().filter(|id| matches!(id, PointId::Number(_))),
    };
    id.ok_or_else(bad)
}

fn parse_vectors(json: &str) -> Result<LineVectors, String> {
    // 65,536 numbers fit any machine's usize.
    let limit = MAX_DIM as usize;
    if !json.starts_with('{') {
        return parse_vector(json, limit).map(LineVectors::Unnamed).map_err(|why| format!("has a bad vector: {why}"));
    }
    let named: Pairs<'_> = serde_json::from_str(json).map_err(|error| json_error(&error))?;
    let mut vectors: Vec<(String, Vec<f32>)> = Vec::with_capacity(named.0.len());
    for (name, value) in named.0 {
        if vectors.iter().any(|(other, _)| *other == name) {
            return Err(format!("has the vector {name:?} twice"));
        }
        let vector = parse_vector(value.get(), limit).map_err(|why| format!("has a bad vector {name:?}: {why}"))?;
        vectors.push((name, vector));
    }
    Ok(LineVectors::Named(vectors))
}

/// More named vectors than any schema has.
const MAX_NAMED: usize = 1_024;

/// An object's pairs in their order, repeated names included.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of named vectors")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    if pairs.len() == MAX_NAMED {
                        return Err(de::Error::custom(format!("more than {MAX_NAMED} named vectors")));
                    }
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Collect).map(Pairs)
    }
}

/// Takes a payload as text: an object, or nothing for `null`.
fn object(json: &RawValue) -> Result<Option<String>, String> {
    match json.get() {
        "null" => Ok(None),
        text if text.starts_with('{') => Ok(Some(text.to_owned())),
        text => Err(format!("has a payload that is no JSON object: {}", start_of(text))),
    }
}

/// Says what is wrong in a line, in the line's own columns.
fn json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("is not valid at column {}: {what}", error.column())
}

#[cfg(test)]
mod tests;
