//! `vectra config`: what a server would be told here, and why.

use crate::args::{ConfigCommand, ConfigShow, Globals, ServeArgs};
use crate::config::known::SETTINGS;
use crate::config::{Config, Given, Row};
use crate::exit::Failure;
use crate::output::Output;
use platform::World;
use serde_json::{Map, Value as Json, json};

/// Where the origin of a value stands on its line.
const ORIGIN_COLUMN: usize = 48;

/// Runs one of its commands.
pub(super) fn run(globals: &Globals, out: &Output, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(args) => show(globals, out, args),
        ConfigCommand::Check(args) => check(globals, out, args),
    }
}

/// Reads the configuration, and warns of what is probably a mistake.
pub(super) fn load(globals: &Globals, out: &Output, args: &ServeArgs) -> Result<Config, Failure> {
    let config = Config::load(&World::real(), globals, args)?;
    config.warnings.iter().for_each(|warning| out.warn(warning));
    Ok(config)
}

fn check(globals: &Globals, out: &Output, args: &ServeArgs) -> Result<(), Failure> {
    let config = load(globals, out, args)?;
    let file = config.file.as_ref().map(|path| path.display().to_string());
    if out.is_json() {
        return out.result_json(&json!({"ok": true, "file": file, "warnings": config.warnings}));
    }
    let read = file.map_or_else(|| "no configuration file is read here".to_owned(), |file| format!("{file} is whole"));
    match config.warnings.len() {
        0 => out.result(&read),
        1 => out.result(&format!("{read}, with a warning")),
        warnings => out.result(&format!("{read}, with {warnings} warnings")),
    }
}

fn show(globals: &Globals, out: &Output, args: &ConfigShow) -> Result<(), Failure> {
    let config = load(globals, out, &args.serve)?;
    if out.is_json() {
        return out.result_json(&as_json(&config));
    }
    as_text(&config, args.origin).iter().try_for_each(|line| out.row(line))
}

/// Writes it as a file that says the same.
fn as_text(config: &Config, with_origin: bool) -> Vec<String> {
    let line = |key: &str, given: &Given| {
        let said = format!("{key} = {}", given.value);
        if with_origin { format!("{said:<ORIGIN_COLUMN$} # {}", given.origin) } else { said }
    };
    let mut lines = Vec::new();
    let mut inside = "";
    for known in &SETTINGS {
        let Some(given) = config.values.get(known.key) else { continue };
        let (table, key) = known.key.split_once('.').unwrap_or(("", known.key));
        if table != inside {
            lines.extend([String::new(), format!("[{table}]")]);
            inside = table;
        }
        lines.push(line(key, given));
    }
    if !config.secrets.is_empty() {
        lines.push(String::new());
    }
    lines.extend(config.secrets.iter().map(|name| format!("# {name} is set")));
    for row in &config.rows {
        lines.extend([String::new(), head(row)]);
        lines.extend(row.fields.iter().map(|(key, given)| line(key, given)));
    }
    lines
}

fn head(row: &Row) -> String {
    row.name.as_ref().map_or_else(|| format!("[[{}]]", row.table), |name| format!("[{}.{}]", row.table, Json::from(name.as_str())))
}

fn as_json(config: &Config) -> Json {
    let of = |given: &Given| json!({"value": given.value.as_json(), "origin": given.origin.to_string()});
    let mut settings: Map<String, Json> = SETTINGS
        .iter()
        .map(|known| (known.key.to_owned(), config.values.get(known.key).map_or_else(|| json!({"value": null, "origin": "default"}), of)))
        .collect();
    for name in &config.secrets {
        let key = if *name == "VECTRA_API_KEY" { "keys.admin" } else { "keys.read_only" };
        settings.insert(key.to_owned(), json!({"value": "set", "origin": name}));
    }
    let tables: Vec<Json> = config
        .rows
        .iter()
        .map(|row| {
            let values: Map<String, Json> = row.fields.iter().map(|(key, given)| ((*key).to_owned(), of(given))).collect();
            json!({"table": row.table, "name": row.name, "line": row.line, "values": values})
        })
        .collect();
    json!({"file": config.file.as_ref().map(|path| path.display().to_string()), "settings": settings, "tables": tables, "warnings": config.warnings})
}
