//! The configuration file: TOML, sorted into known keys and tables, each with the line that it stands in.

use super::known::{Known, KnownTable, SETTINGS, TABLES};
use super::value::{Value, Wrong};
use super::{Given, Origin, Row};
use crate::exit::{Failure, usage};
use crate::likeness::nearest;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a file says.
#[derive(Debug, Default)]
pub struct FileSettings {
    /// The keys that stand once.
    pub values: BTreeMap<&'static str, Given>,
    /// The tables that may come many times, in the order of their lines.
    pub rows: Vec<Row>,
    /// Keys that nobody knows, each with the nearest that somebody does.
    pub warnings: Vec<String>,
}

/// Reads a file's text. `shown` is its path as the user knows it, `beside` the directory where its relative paths begin.
///
/// # Errors
/// `Usage` naming line, key, expected and got.
pub fn read(text: &str, shown: &Path, beside: &Path) -> Result<FileSettings, Failure> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, &span));
        usage(format!("line {line} is no TOML: {}", error.message().replace('\n', ", "))).with_file(shown)
    })?;
    let mut reader = Reader { text, shown, beside, found: FileSettings::default() };
    reader.table("", document.get_ref())?;
    reader.found.rows.sort_by_key(|row| row.line);
    Ok(reader.found)
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    1 + text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count()
}

/// Gives the path of a key of a table.
fn below(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

struct Reader<'a> {
    text: &'a str,
    shown: &'a Path,
    beside: &'a Path,
    found: FileSettings,
}

impl Reader<'_> {
    /// Reads a table whose keys stand once, and what is below it.
    fn table(&mut self, path: &str, table: &DeTable<'_>) -> Result<(), Failure> {
        for (key, value) in table {
            let (whole, line) = (below(path, key.get_ref()), line_of(self.text, &key.span()));
            if let Some(known) = SETTINGS.iter().find(|known| known.key == whole) {
                let given = self.given(known, &whole, line, value)?;
                self.found.values.insert(known.key, given);
                continue;
            }
            match value.get_ref() {
                DeValue::Table(tables) if whole == "archive" => self.named_rows(tables)?,
                DeValue::Array(values) if head_of(&whole).is_some_and(|known| known.head.starts_with("[[")) => {
                    self.rows(&whole, values.iter())?
                }
                DeValue::Table(inner) if is_table(&whole) && head_of(&whole).is_none() => self.table(&whole, inner)?,
                _ if is_table(&whole) => {
                    return Err(self.wrong(&whole, line, Wrong { expected: form_of(&whole), got: "a value".to_owned() }));
                }
                _ => {
                    let tables = SETTINGS.iter().filter_map(|known| known.key.split_once('.')).map(|(table, _)| table);
                    let known = SETTINGS.iter().map(|known| known.key).chain(tables).chain(TABLES.iter().map(|table| table.name));
                    self.unknown(&whole, line, known);
                }
            }
        }
        Ok(())
    }

    /// Reads `[archive.NAME]`.
    fn named_rows(&mut self, tables: &DeTable<'_>) -> Result<(), Failure> {
        for (name, value) in tables {
            let line = line_of(self.text, &name.span());
            let whole = below("archive", name.get_ref());
            let wrong = |expected: &str, got: &str| Wrong { expected: expected.to_owned(), got: got.to_owned() };
            if engine::schema::check_name(name.get_ref()).is_err() {
                return Err(self.wrong(&whole, line, wrong("the name of a collection", name.get_ref())));
            }
            let DeValue::Table(fields) = value.get_ref() else {
                return Err(self.wrong(&whole, line, wrong("a table", "a value")));
            };
            let mut row = self.row("archive", &whole, line, fields)?;
            row.name = Some(name.get_ref().to_string());
            self.found.rows.push(row);
        }
        Ok(())
    }

    /// Reads `[[table]]`, as often as it stands there.
    fn rows<'b>(&mut self, table: &str, values: impl Iterator<Item = &'b Spanned<DeValue<'b>>>) -> Result<(), Failure> {
        for value in values {
            let line = line_of(self.text, &value.span());
            let DeValue::Table(fields) = value.get_ref() else {
                return Err(self.wrong(table, line, Wrong { expected: form_of(table), got: "a value".to_owned() }));
            };
            let row = self.row(table, table, line, fields)?;
            self.found.rows.push(row);
        }
        Ok(())
    }

    fn row(&mut self, table: &str, path: &str, line: usize, fields: &DeTable<'_>) -> Result<Row, Failure> {
        let Some(known_table) = head_of(table) else { return Err(Failure::internal(format!("no table is called {table}"))) };
        let mut row = Row { table: known_table.name, name: None, line, fields: BTreeMap::new() };
        for (key, value) in fields {
            let (whole, line) = (below(path, key.get_ref()), line_of(self.text, &key.span()));
            match known_table.keys.iter().find(|known| known.key == key.get_ref()) {
                Some(known) => {
                    let given = self.given(known, &whole, line, value)?;
                    row.fields.insert(known.key, given);
                }
                None => self.unknown(&whole, line, known_table.keys.iter().map(|known| known.key)),
            }
        }
        if let Some(missing) = known_table.needs.iter().find(|need| !row.fields.contains_key(**need)) {
            return Err(usage(format!("the {} in line {line} has no \"{missing}\"", form_of(table)))
                .with_file(self.shown)
                .with_object(path));
        }
        Ok(row)
    }

    fn given(&self, known: &Known, path: &str, line: usize, value: &Spanned<DeValue<'_>>) -> Result<Given, Failure> {
        let value = Value::from_file(known.kind, value.get_ref(), self.beside).map_err(|wrong| self.wrong(path, line, wrong))?;
        Ok(Given { value, origin: self.origin(line) })
    }

    fn origin(&self, line: usize) -> Origin {
        Origin::File { path: self.shown.to_path_buf(), line }
    }

    fn wrong(&self, path: &str, line: usize, wrong: Wrong) -> Failure {
        usage(format!("\"{path}\" in line {line} is not what it has to be")).with_file(self.shown).with_expected(wrong.expected, wrong.got)
    }

    /// Notes a key that nobody knows. What is known may be a whole path, or the key alone.
    fn unknown<'k>(&mut self, path: &str, line: usize, known: impl Iterator<Item = &'k str>) {
        let last = path.rsplit('.').next().unwrap_or(path);
        let known: Vec<&str> = known.collect();
        let meant = nearest(path, known.iter().copied()).or_else(|| nearest(last, known.iter().copied()));
        let question = meant.map(|meant| format!("; did you mean \"{meant}\"?")).unwrap_or_default();
        self.found.warnings.push(format!(
            "{}:{line}: \"{}\" is no setting, and is ignored{question}",
            self.shown.display(),
            path.escape_debug()
        ));
    }
}

/// Says whether a path is that of a table.
fn is_table(path: &str) -> bool {
    let inside = |key: &str| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    SETTINGS.iter().any(|known| inside(known.key)) || TABLES.iter().any(|table| table.name == path || inside(table.name))
}

fn head_of(table: &str) -> Option<&'static KnownTable> {
    TABLES.iter().find(|known| known.name == table)
}

/// Says how a table is written.
fn form_of(table: &str) -> String {
    head_of(table).map_or_else(|| format!("[{table}]"), |known| known.head.to_owned())
}

/// Gives the directory where the relative paths of a file begin.
#[must_use]
pub fn directory_of(path: &Path) -> PathBuf {
    let current = platform::process::current_dir().unwrap_or_default();
    let whole = current.join(path);
    platform::fs::parent(&whole).to_path_buf()
}
