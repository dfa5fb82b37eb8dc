//! What a server is told to do: by flags, by variables, by one TOML file, and by default, each value with where it comes from.

mod entries;
mod file;
pub mod known;
#[cfg(test)]
mod tests;
pub mod value;

pub use entries::KeyEntry;

use crate::args::{Globals, ServeArgs};
use crate::data_dir::{self, Said};
use crate::exit::{Failure, usage};
use crate::likeness::nearest;
use known::{DATA_DIR, OTHER_VARIABLES, SETTINGS};
use platform::World;
use server::Goals;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use value::Value;

/// The file that is read from the data directory when none is named.
pub const FILE_NAME: &str = "vectra.toml";
/// Longest configuration file.
const FILE_LEN_MAX: u64 = 1 << 20;
/// What variables of this program begin with.
const PREFIX: &str = "VECTRA_";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A line of the configuration file.
    File {
        /// The file, as the user knows it.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(f, "flag {flag}"),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// A table that may stand many times in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which table.
    pub table: &'static str,
    /// The name in its head, where it has one.
    pub name: Option<String>,
    /// The line that it begins in.
    pub line: usize,
    /// Its values.
    pub fields: BTreeMap<&'static str, Given>,
}

/// What was said, before it is put together.
#[derive(Debug, Clone, Default)]
pub struct Spoken {
    /// By flags: the key, and the value.
    pub flags: Vec<(&'static str, Value)>,
    /// By variables of this program, all of them.
    pub variables: BTreeMap<String, String>,
    /// The configuration file: its path as the user knows it, and its text.
    pub file: Option<(PathBuf, String)>,
}

/// Everything that a server is told.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// The keys that stand once and have a value.
    pub values: BTreeMap<&'static str, Given>,
    /// The tables that may stand many times.
    pub rows: Vec<Row>,
    /// What is probably a mistake, and does no harm.
    pub warnings: Vec<String>,
    /// The variables that hold keys of the API, which are never shown.
    pub secrets: Vec<&'static str>,
}

impl Config {
    /// Reads flags, variables and the configuration file of this process.
    ///
    /// # Errors
    /// `Usage` when a file that is named does not exist or cannot be read, or a value is not what it has to be.
    pub fn load(world: &World, globals: &Globals, args: &ServeArgs) -> Result<Self, Failure> {
        // VECTRA_URL is where commands find a server; whoever becomes one, or asks what one would read, means a directory.
        let said = Said { env_url: None, ..Said::gather(globals) };
        let named = args.config.clone().or_else(|| platform::process::env("VECTRA_CONFIG").map(PathBuf::from));
        let is_named = named.is_some();
        let mut variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
            .collect();
        let mut flags = args.given();
        // The rules of which database is meant are those of every other command.
        let place = match (&said.data_dir, &said.env_data_dir) {
            (None, None) if is_named && said.url.is_none() => None,
            _ => Some(data_dir::choose(&said)?.directory()?),
        };
        variables.remove("VECTRA_DATA_DIR");
        let said_place = place.as_ref().map(|place| Value::Text(place.to_string_lossy().into_owned()));
        match (&said.data_dir, said.env_data_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()), said_place) {
            (Some(_), _, Some(place)) => flags.push((DATA_DIR, place)),
            (None, Some(dir), Some(_)) => drop(variables.insert("VECTRA_DATA_DIR".to_owned(), dir.to_string_lossy().into_owned())),
            _ => {}
        }
        let path = named.or_else(|| place.as_ref().map(|place| place.join(FILE_NAME)));
        let file = path.map(|path| read_file(world, path, is_named)).transpose()?.flatten();
        let mut config = Config::resolve(&Spoken { flags, variables, file })?;
        if !config.values.contains_key(DATA_DIR) {
            let default = place.map_or_else(|| data_dir::choose(&said)?.directory(), Ok)?;
            let value = Value::Text(default.to_string_lossy().into_owned());
            config.values.insert(DATA_DIR, Given { value, origin: Origin::Default });
        }
        config.check_place(is_named)?;
        Ok(config)
    }

    /// Puts together what was said: a flag beats a variable, a variable the file, the file the default.
    ///
    /// # Errors
    /// `Usage` when a value is not what it has to be.
    pub fn resolve(spoken: &Spoken) -> Result<Self, Failure> {
        let mut config = Config::default();
        if let Some((path, text)) = &spoken.file {
            let read = file::read(text, path, &file::directory_of(path))?;
            (config.values, config.rows, config.warnings) = (read.values, read.rows, read.warnings);
            config.file = Some(path.clone());
        }
        for known in &SETTINGS {
            let default = known.default.filter(|_| known.key != DATA_DIR && !config.values.contains_key(known.key));
            if let Some(text) = default {
                let value = Value::from_text(known.kind, text).map_err(|wrong| Failure::internal(format!("{}: {wrong:?}", known.key)))?;
                config.values.insert(known.key, Given { value, origin: Origin::Default });
            }
            if let Some((name, text)) = known.variable.and_then(|name| Some((name, spoken.variables.get(name)?))) {
                let wrong =
                    |wrong: value::Wrong| usage(format!("{name} is not what it has to be")).with_expected(wrong.expected, wrong.got);
                let value = Value::from_text(known.kind, text).map_err(wrong)?;
                config.values.insert(known.key, Given { value, origin: Origin::Variable(name) });
            }
            if let Some((_, value)) = spoken.flags.iter().find(|(key, _)| *key == known.key) {
                let origin = Origin::Flag(known.flag.unwrap_or(known.key));
                config.values.insert(known.key, Given { value: value.clone(), origin });
            }
        }
        config.take_secrets(&spoken.variables)?;
        config.warn_of_variables(&spoken.variables);
        config.check_together()?;
        Ok(config)
    }

    /// Gives the data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        PathBuf::from(self.text(DATA_DIR).unwrap_or_default())
    }

    /// Gives a value that is a text, if there is one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key).map(|given| &given.value) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Gives a value that is a number, if there is one.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.values.get(key).map(|given| &given.value) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Gives the goals of each collection that has some.
    #[must_use]
    pub fn goals(&self) -> BTreeMap<String, Goals> {
        let rows = self.rows.iter().filter(|row| row.table == "archive");
        let goals = rows.filter_map(|row| {
            let of = |key| row.text(key).and_then(crate::time::parse_length);
            Some((row.name.clone()?, Goals { rpo: of("rpo"), rto: of("rto"), window: of("window") }))
        });
        goals.collect()
    }

    /// Notes which variables hold keys; one beats the file that another variable, or the configuration, names.
    fn take_secrets(&mut self, variables: &BTreeMap<String, String>) -> Result<(), Failure> {
        for (name, key) in [("VECTRA_API_KEY", "keys.admin_file"), ("VECTRA_READ_ONLY_API_KEY", "keys.read_only_file")] {
            if !variables.contains_key(name) {
                continue;
            }
            let file = self.values.remove(key);
            if let Some(Given { origin: Origin::Variable(file), .. }) = file {
                return Err(usage(format!("{name} and {file} are both set")).with_hint("unset one of them"));
            }
            self.secrets.push(name);
        }
        Ok(())
    }

    fn warn_of_variables(&mut self, variables: &BTreeMap<String, String>) {
        let known: Vec<&str> = SETTINGS.iter().filter_map(|known| known.variable).chain(OTHER_VARIABLES).collect();
        for name in variables.keys().filter(|name| !known.contains(&name.as_str())) {
            let meant = nearest(name, known.iter().copied()).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
            self.warnings.push(format!("the variable {} is no setting, and is ignored{meant}", name.escape_debug()));
        }
    }

    /// Checks what holds between values.
    fn check_together(&self) -> Result<(), Failure> {
        let (certificate, key) = (self.values.get("server.tls_certificate"), self.values.get("server.tls_key"));
        match (certificate, key) {
            (Some(given), None) => Err(usage("a certificate needs its key")
                .with_hint(format!("{} names a certificate: set server.tls_key or --tls-key", given.origin))),
            (None, Some(given)) => Err(usage("a certificate's key needs the certificate")
                .with_hint(format!("{} names a key: set server.tls_certificate or --tls-certificate", given.origin))),
            _ => self.schedules().map(drop),
        }
    }

    /// A file that is read because it lies in the data directory cannot say that the data directory is another.
    fn check_place(&self, is_named: bool) -> Result<(), Failure> {
        let (Some(path), Some(Given { origin: Origin::File { line, .. }, .. })) = (&self.file, self.values.get(DATA_DIR)) else {
            return Ok(());
        };
        if is_named {
            return Ok(());
        }
        let failure = usage(format!("\"{DATA_DIR}\" in line {line} names a database, and the file was read because it lies in one"));
        Err(failure.with_file(path).with_hint("remove the line, or name the file with --config"))
    }
}

impl Row {
    /// Gives a value that is a text, if there is one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.fields.get(key).map(|given| &given.value) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// Reads a configuration file; one that nobody named may be missing.
fn read_file(world: &World, path: PathBuf, is_named: bool) -> Result<Option<(PathBuf, String)>, Failure> {
    let found = world.fs.metadata(&path)?;
    match found {
        None if !is_named => return Ok(None),
        None => {
            return Err(usage("the configuration file does not exist").with_file(&path).with_hint("--config or VECTRA_CONFIG names it"));
        }
        Some(found) if found.is_dir => return Err(usage("the configuration file is a directory").with_file(&path)),
        Some(found) if found.len > FILE_LEN_MAX => {
            let failure = usage("the configuration file is too long").with_file(&path);
            return Err(failure.with_expected(format!("at most {FILE_LEN_MAX} bytes"), found.len));
        }
        Some(_) => {}
    }
    let bytes = platform::fs::read_file(&*world.fs, &path)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to() as u64;
        usage("the configuration file is not UTF-8").with_file(&path).with_offset(offset)
    })?;
    Ok(Some((path, text)))
}
