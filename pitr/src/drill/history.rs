//! The reports of drills and exercises, kept in the data directory: `drills/<id>.json`, and the same for people beside it.

use std::path::{Path, PathBuf};

use engine::error::{Error, ErrorKind, Result};
use platform::World;
use serde::{Deserialize, Serialize};

use super::markdown::as_markdown;
use super::report::{DrillReport, REPORT_VERSION};
use super::tabletop::TabletopReport;
use super::verified::VerifiedNote;

/// Largest report that is read.
const REPORT_LEN_MAX: u64 = 1 << 20;
/// Reports that are read, the newest ones.
const REPORTS_MAX: usize = 10_000;

/// One thing that was exercised.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A restore that was tried.
    Drill(Box<DrillReport>),
    /// People who went through a scenario.
    Tabletop(TabletopReport),
    /// A verification.
    Verified(VerifiedNote),
}

impl Entry {
    /// Gives its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Entry::Drill(report) => &report.id,
            Entry::Tabletop(report) => &report.id,
            Entry::Verified(note) => &note.id,
        }
    }

    /// Lays it out as JSON for people: with line ends, and one at the end.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Entry::Drill(report) => encode(&**report),
            Entry::Tabletop(report) => encode(report),
            Entry::Verified(note) => encode(note),
        }
    }

    /// Renders it for people.
    #[must_use]
    pub fn as_markdown(&self) -> String {
        match self {
            Entry::Drill(report) => as_markdown(report),
            Entry::Tabletop(report) => report.as_markdown(),
            Entry::Verified(note) => note.as_markdown(),
        }
    }

    fn decode(stored: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
            kind: String,
        }
        let wrong = |error: serde_json::Error| Error::corrupt(format!("this is no report: {error}"));
        let head: Head = serde_json::from_slice(stored).map_err(wrong)?;
        if head.format == 0 || head.format > REPORT_VERSION {
            return Err(engine::codec::file_header::newer_format("report", format!("version {}", head.format), REPORT_VERSION as u16));
        }
        match head.kind.as_str() {
            "drill" => serde_json::from_slice(stored).map(|report| Entry::Drill(Box::new(report))).map_err(wrong),
            "tabletop" => serde_json::from_slice(stored).map(Entry::Tabletop).map_err(wrong),
            "verified" => serde_json::from_slice(stored).map(Entry::Verified).map_err(wrong),
            other => Err(Error::corrupt(format!("this is no report: nothing is called \"{}\"", other.escape_debug()))),
        }
    }
}

/// What was exercised in a data directory.
#[derive(Debug, Default)]
pub struct History {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// Files that cannot be read, with the reason.
    pub unreadable: Vec<(String, String)>,
}

impl History {
    /// Lists the drills, newest first.
    pub fn drills(&self) -> impl Iterator<Item = &DrillReport> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Drill(report) => Some(&**report),
            Entry::Tabletop(_) | Entry::Verified(_) => None,
        })
    }

    /// Lists the verifications, those that found something wrong too, newest first.
    pub fn verified(&self) -> impl Iterator<Item = &VerifiedNote> {
        self.entries.iter().filter_map(|entry| if let Entry::Verified(note) = entry { Some(note) } else { None })
    }

    /// Finds an entry.
    ///
    /// # Errors
    /// `NotFound` naming the newest ones.
    pub fn find(&self, id: &str) -> Result<&Entry> {
        let found = self.entries.iter().find(|entry| entry.id() == id);
        found.ok_or_else(|| {
            let newest: Vec<&str> = self.entries.iter().take(3).map(Entry::id).collect();
            let hint = if newest.is_empty() { "there is none yet".to_owned() } else { format!("the newest are {}", newest.join(", ")) };
            Error::not_found(format!("there is no report \"{}\"", id.escape_debug())).with_object(id).with_hint(hint)
        })
    }
}

/// Gives the folder of a data directory that holds the reports.
#[must_use]
pub fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join("drills")
}

/// Makes an id: the time, and digits that no other has.
#[must_use]
pub fn draw_id(world: &World) -> (String, u64) {
    let now = world.clock.wall_micros();
    let time: String = crate::time_text::format(now).chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    (format!("{time}Z-{:08x}", world.random.u64() as u32), now)
}

/// Keeps an entry, durably, with its text for people beside it.
///
/// # Errors
/// `Io` or `NoSpace`.
pub fn keep(world: &World, data_dir: &Path, entry: &Entry) -> Result<()> {
    let dir = dir(data_dir);
    world.fs.create_dir_all(&dir)?;
    write_pair(world, &dir.join(format!("{}.json", entry.id())), entry)
}

/// Writes an entry to a file, and its text for people to one beside it that ends with `.md`.
///
/// # Errors
/// `Io` or `NoSpace`.
pub fn write_pair(world: &World, path: &Path, entry: &Entry) -> Result<()> {
    world.write_file_durably(&path.with_extension("md"), entry.as_markdown().as_bytes())?;
    Ok(world.write_file_durably(path, &entry.encode())?)
}

/// Reads what was exercised in a data directory; nothing was where there is no folder.
///
/// # Errors
/// `Io`.
pub fn read(world: &World, data_dir: &Path) -> Result<History> {
    let dir = dir(data_dir);
    let mut history = History::default();
    if world.fs.metadata(&dir)?.is_none() {
        return Ok(history);
    }
    let mut names: Vec<_> = world.fs.list(&dir)?.into_iter().filter(|entry| !entry.is_dir && entry.name.ends_with(".json")).collect();
    // An id begins with its time.
    names.sort_by(|a, b| b.name.cmp(&a.name));
    for found in names.into_iter().take(REPORTS_MAX) {
        let path = dir.join(&found.name);
        let read = if found.len > REPORT_LEN_MAX {
            Err(Error::corrupt("the report is too large"))
        } else {
            platform::fs::read_file(&*world.fs, &path).map_err(Error::from).and_then(|stored| Entry::decode(&stored))
        };
        match read {
            Ok(entry) if found.name.strip_suffix(".json") == Some(entry.id()) => history.entries.push(entry),
            Ok(_) => history.unreadable.push((found.name, "it holds the report of another id".to_owned())),
            Err(error) if error.kind == ErrorKind::Io => return Err(error),
            Err(error) => history.unreadable.push((found.name, error.to_string())),
        }
    }
    Ok(history)
}

/// Lays a report out.
pub(super) fn encode(report: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(report).expect("a report has nothing that JSON cannot say");
    text.push(b'\n');
    text
}
