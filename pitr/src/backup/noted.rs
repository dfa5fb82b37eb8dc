//! What is remembered here of a collection's backups: `backups/<name>.json` of the data directory, for whoever watches that they are made.

use std::path::{Path, PathBuf};

use engine::error::Result;
use platform::World;
use serde::{Deserialize, Serialize};

use super::create::BackupReport;
use super::format::BackupType;
use crate::kept_json;

/// The last complete backup of a type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotedBackup {
    /// Its id.
    pub snapshot_id: String,
    /// When it was complete, by the wall clock, microseconds.
    pub finished: u64,
    /// How long it took.
    pub seconds: f64,
    /// Bytes that a restore needs.
    pub bytes_total: u64,
    /// Bytes sent.
    pub bytes_new: u64,
    /// Backups that it rests on, itself included, as far as its destination shows.
    pub chain_length: u64,
}

/// The backups of a collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BackupNotes {
    /// The last full one.
    pub full: Option<NotedBackup>,
    /// The last incremental one.
    pub incremental: Option<NotedBackup>,
}

impl BackupNotes {
    /// Gives the last one of either type.
    #[must_use]
    pub fn newest(&self) -> Option<&NotedBackup> {
        self.full.iter().chain(&self.incremental).max_by_key(|noted| noted.finished)
    }
}

/// Gives the folder of a data directory that holds the notes.
#[must_use]
pub fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join("backups")
}

/// Remembers a backup that is complete.
///
/// # Errors
/// `Io` or `NoSpace`; the backup is complete all the same.
pub(super) fn note(world: &World, data_dir: &Path, report: &BackupReport, chain_length: u64) -> Result<()> {
    // A note that does not read is begun anew: it is about what was, and the destination knows that better.
    let mut notes = read(world, data_dir, &report.collection).unwrap_or_default();
    let noted = NotedBackup {
        snapshot_id: report.snapshot_id.clone(),
        finished: world.clock.wall_micros(),
        seconds: report.seconds,
        bytes_total: report.bytes_total,
        bytes_new: report.bytes_new,
        chain_length,
    };
    match report.backup_type {
        BackupType::Full => notes.full = Some(noted),
        BackupType::Incremental => notes.incremental = Some(noted),
    }
    world.fs.create_dir_all(&dir(data_dir))?;
    kept_json::write(world, &path(data_dir, &report.collection), &notes)
}

/// Reads what is remembered of a collection's backups; nothing is where none was made.
///
/// # Errors
/// Those of [`kept_json::read`].
pub fn read(world: &World, data_dir: &Path, name: &str) -> Result<BackupNotes> {
    Ok(kept_json::read(world, &path(data_dir, name), "notes on backups")?.unwrap_or_default())
}

fn path(data_dir: &Path, name: &str) -> PathBuf {
    dir(data_dir).join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::sim::SimWorld;

    fn report(id: &str, backup_type: BackupType, bytes_new: u64) -> BackupReport {
        BackupReport {
            snapshot_id: id.to_owned(),
            collection: "docs".to_owned(),
            backup_type,
            parent: None,
            points: 1,
            bytes_total: 100,
            bytes_new,
            bytes_adjacency: 0,
            bytes_codes: 0,
            lsn: 1,
            commit_time: 1,
            seconds: 0.5,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn the_last_backup_of_each_type_is_remembered_across_a_crash() {
        let machine = SimWorld::new(1);
        let data = Path::new("/data");
        machine.world().fs.create_dir_all(data).unwrap();
        for (id, kind, chain) in [("a", BackupType::Full, 1), ("b", BackupType::Incremental, 2), ("c", BackupType::Incremental, 3)] {
            note(&machine.world(), data, &report(id, kind, chain), chain).unwrap();
        }
        machine.disk.crash();
        let notes = read(&machine.world(), data, "docs").unwrap();
        let full = notes.full.as_ref().unwrap();
        assert_eq!((full.snapshot_id.as_str(), full.chain_length), ("a", 1));
        let newest = notes.newest().unwrap();
        assert_eq!((newest.snapshot_id.as_str(), newest.bytes_new, newest.chain_length), ("c", 3, 3));
        assert_eq!(read(&machine.world(), data, "other").unwrap(), BackupNotes::default());
    }

    #[test]
    fn a_note_that_does_not_read_is_an_error_to_its_reader_and_no_hindrance_to_the_next_backup() {
        let world = SimWorld::new(2).world();
        let data = Path::new("/data");
        world.fs.create_dir_all(&dir(data)).unwrap();
        for bytes in [&b"{"[..], b"[]", b"{\"format\":7}", &[b' '; 1 << 17]] {
            world.write_file_durably(&path(data, "docs"), bytes).unwrap();
            read(&world, data, "docs").unwrap_err();
            note(&world, data, &report("a", BackupType::Full, 1), 1).unwrap();
            assert!(read(&world, data, "docs").unwrap().full.is_some());
        }
    }

    #[test]
    fn the_document_names_the_keys_of_a_note() {
        let written = serde_json::to_value(BackupNotes::default()).unwrap();
        let keys: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        let row = format!("| `backups/<collection>.json` | object | {} |", keys.join(", "));
        assert!(include_str!("../../../docs/format/kept.md").contains(&row), "{row}");
    }
}
