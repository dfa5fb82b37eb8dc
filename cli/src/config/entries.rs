//! Schedules, keys of collections and places to restore from, as the tables of the file say them.

use super::value::Value;
use super::{Config, Origin, Row};
use crate::exit::{Failure, usage};
use server::Sources;
use server::schedules::{Keep, ScheduleEntry, ScheduleKind};
use std::path::Path;

/// A key of one collection, as the file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// The collection.
    pub collection: String,
    /// The file whose first line is the key.
    pub file: String,
    /// Whether it may only read.
    pub read_only: bool,
}

impl Config {
    /// Gives the schedules of the file, each checked.
    ///
    /// # Errors
    /// `Usage` naming the line of one that cannot be carried out, or of two that have one name.
    pub fn schedules(&self) -> Result<Vec<ScheduleEntry>, Failure> {
        let sources = self.sources();
        let mut found: Vec<(usize, ScheduleEntry)> = Vec::new();
        for row in self.rows.iter().filter(|row| matches!(row.table, "schedule" | "drill")) {
            let entry = self.entry(row);
            let head = format!("[[{}]]", row.table);
            let wrong = |error: Failure| Failure {
                message: format!("the {head} in line {} cannot be carried out: {}", row.line, error.message),
                kind: engine::ErrorKind::Usage,
                ..error
            };
            entry.check().map_err(|error| self.in_file(wrong(error)))?;
            if entry.kind == ScheduleKind::Drill {
                sources.check(&entry.location, true).map_err(|error| self.in_file(wrong(error)))?;
            }
            if let Some((line, _)) = found.iter().find(|(_, other)| other.name == entry.name) {
                let failure = usage(format!("two schedules are called \"{}\", in lines {line} and {}", entry.name, row.line));
                return Err(self.in_file(failure.with_hint("give one of them another name")));
            }
            found.push((row.line, entry));
        }
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Gives the keys of collections.
    #[must_use]
    pub fn collection_keys(&self) -> Vec<KeyEntry> {
        let rows = self.rows.iter().filter(|row| row.table == "keys.collection");
        let entry = |row: &Row| {
            let read_only = matches!(row.fields.get("read_only").map(|given| &given.value), Some(Value::Truth(true)));
            Some(KeyEntry { collection: row.text("collection")?.to_owned(), file: row.text("file")?.to_owned(), read_only })
        };
        rows.filter_map(entry).collect()
    }

    /// Gives the places that restores may read from.
    #[must_use]
    pub fn sources(&self) -> Sources {
        match self.values.get("restore.sources").map(|given| &given.value) {
            Some(Value::List(prefixes)) => Sources::new(prefixes.clone()),
            _ => Sources::default(),
        }
    }

    fn entry(&self, row: &Row) -> ScheduleEntry {
        let kind = if row.table == "drill" { ScheduleKind::Drill } else { ScheduleKind::Backup };
        let text = |key: &str| row.text(key).map(str::to_owned);
        let number = |key: &str| match row.fields.get(key).map(|given| &given.value) {
            // The largest that the file takes fits.
            Some(Value::Number(number)) => u32::try_from(*number).ok(),
            _ => None,
        };
        let share = match row.fields.get("recall_min").map(|given| &given.value) {
            Some(Value::Share(share)) => Some(*share),
            _ => None,
        };
        let place = text("destination").or_else(|| text("source")).unwrap_or_default();
        let entry = ScheduleEntry::new(kind, text("collection").unwrap_or_default(), place);
        let path = self.file.as_deref().unwrap_or(Path::new(super::FILE_NAME));
        ScheduleEntry {
            name: text("name").unwrap_or(entry.name),
            every: text("every"),
            cron: text("cron"),
            timezone: text("timezone"),
            keep: Keep {
                keep_window: text("keep_window"),
                keep_full: number("keep_full"),
                keep_daily: number("keep_daily"),
                keep_weekly: number("keep_weekly"),
                keep_monthly: number("keep_monthly"),
            },
            to_time: text("to_time"),
            recall_min: share,
            origin: Some(Origin::File { path: path.to_path_buf(), line: row.line }.to_string()),
            ..entry
        }
    }

    fn in_file(&self, failure: Failure) -> Failure {
        match &self.file {
            Some(path) => failure.with_file(path),
            None => failure,
        }
    }
}
