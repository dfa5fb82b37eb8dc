//! Where everything lies in an archive: keys made and read. `docs/format/archive.md` is the document.

use engine::error::{Error, Result};
use engine::ids::{CommitTime, Incarnation, Lsn, Timeline};
use engine::manifest::ManifestName;

use super::ids::ObjectName;

/// Key of the object that makes a location an archive.
pub const ARCHIVE_KEY: &str = "archive.json";
/// Longest snapshot id in bytes.
pub const SNAPSHOT_ID_LEN_MAX: usize = 128;

/// What a key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The archive's own description.
    Archive,
    /// One life of a collection name.
    Collection(Incarnation),
    /// The description of a timeline.
    Timeline(Timeline),
    /// Log bytes of a timeline from a position on, or the seal that ends it there.
    Extent(Timeline, Lsn),
    /// The same bytes as several extents, put together: a whole log file.
    Whole(Timeline, Lsn),
    /// A boundary: extents below it may be gone, so that no seal below it counts.
    Low(Timeline, Lsn),
    /// A manifest of a timeline.
    Manifest(Timeline, ManifestName),
    /// Where the objects of a manifest are; with it, the manifest can be restored.
    Base(Timeline, ManifestName),
    /// A byte copy of a local object.
    Object(ObjectName),
    /// A complete backup.
    Snapshot(String),
    /// The mark of an attempt that has not finished.
    Pin(String),
    /// What somebody who reads here holds: a restore, a branch.
    Reader(ObjectName),
    /// Everything that a database committed up to this time is archived.
    Closed(Timeline, CommitTime),
    /// A data key, wrapped, of an encrypted archive.
    WrappedKey(u64),
    /// What a collection of garbage decided to delete.
    GarbagePlan(u64),
    /// When stored objects were last read and found whole.
    Ledger(u64),
    /// A name that this version does not know; it is left alone.
    Other,
}

impl Key {
    /// Reads a key.
    #[must_use]
    pub fn parse(key: &str) -> Self {
        if key == ARCHIVE_KEY {
            return Key::Archive;
        }
        let parts: Vec<&str> = key.split('/').collect();
        let parsed = match parts[..] {
            ["collections", name] => name.strip_suffix(".json").and_then(|id| Incarnation::parse(id).ok()).map(Key::Collection),
            ["timelines", id, "timeline.json"] => Timeline::parse(id).ok().map(Key::Timeline),
            ["timelines", id, "log", start] => {
                Timeline::parse(id).ok().zip(parse_position(start)).map(|(id, start)| Key::Extent(id, start))
            }
            ["timelines", id, "whole", start] => {
                Timeline::parse(id).ok().zip(parse_position(start)).map(|(id, start)| Key::Whole(id, start))
            }
            ["timelines", id, "low", start] => Timeline::parse(id).ok().zip(parse_position(start)).map(|(id, start)| Key::Low(id, start)),
            ["timelines", id, "manifests", name] => {
                Timeline::parse(id).ok().zip(ManifestName::parse(name)).map(|(id, name)| Key::Manifest(id, name))
            }
            ["timelines", id, "bases", name] => {
                Timeline::parse(id).ok().zip(ManifestName::parse(name)).map(|(id, name)| Key::Base(id, name))
            }
            ["databases", id, "closed", time] => Timeline::parse(id).ok().zip(parse_position(time)).map(|(id, time)| Key::Closed(id, time)),
            ["keys", number] => parse_position(number).map(Key::WrappedKey),
            ["gc", time] => parse_position(time).map(Key::GarbagePlan),
            ["ledger", time] => parse_position(time).map(Key::Ledger),
            ["objects", name] => ObjectName::parse(name).ok().map(Key::Object),
            ["snapshots", name] => {
                name.strip_suffix(".json").filter(|id| check_snapshot_id(id).is_ok()).map(|id| Key::Snapshot(id.to_owned()))
            }
            ["readers", name] => ObjectName::parse(name).ok().map(Key::Reader),
            ["pins", id] => check_snapshot_id(id).ok().map(|()| Key::Pin(id.to_owned())),
            _ => None,
        };
        parsed.unwrap_or(Key::Other)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Archive => f.write_str(ARCHIVE_KEY),
            Key::Collection(incarnation) => write!(f, "collections/{incarnation}.json"),
            Key::Timeline(timeline) => write!(f, "timelines/{timeline}/timeline.json"),
            Key::Extent(timeline, start) => write!(f, "timelines/{timeline}/log/{start:020}"),
            Key::Manifest(timeline, name) => write!(f, "timelines/{timeline}/manifests/{name}"),
            Key::Whole(timeline, start) => write!(f, "timelines/{timeline}/whole/{start:020}"),
            Key::Low(timeline, start) => write!(f, "timelines/{timeline}/low/{start:020}"),
            Key::Base(timeline, name) => write!(f, "timelines/{timeline}/bases/{name}"),
            Key::Closed(database, time) => write!(f, "databases/{database}/closed/{time:020}"),
            Key::WrappedKey(number) => write!(f, "keys/{number:020}"),
            Key::GarbagePlan(time) => write!(f, "gc/{time:020}"),
            Key::Ledger(time) => write!(f, "ledger/{time:020}"),
            Key::Object(name) => write!(f, "objects/{name}"),
            Key::Snapshot(id) => write!(f, "snapshots/{id}.json"),
            Key::Pin(id) => write!(f, "pins/{id}"),
            Key::Reader(name) => write!(f, "readers/{name}"),
            Key::Other => f.write_str("?"),
        }
    }
}

fn parse_position(digits: &str) -> Option<Lsn> {
    let canonical = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    canonical.then(|| digits.parse().ok()).flatten()
}

/// Checks that a text can be the id of a snapshot: letters, digits, '.', '_' and '-', at most 128 bytes, no leading dot, no "..".
///
/// # Errors
/// `Usage` on anything else.
pub fn check_snapshot_id(id: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let good = (1..=SNAPSHOT_ID_LEN_MAX).contains(&id.len()) && id.bytes().all(allowed) && !id.starts_with('.') && !id.contains("..");
    if good {
        return Ok(());
    }
    let shown: String = id.chars().take(SNAPSHOT_ID_LEN_MAX).collect();
    Err(Error::new(engine::ErrorKind::Usage, format!("\"{}\" cannot be a snapshot id", shown.escape_debug()))
        .with_hint(format!("1 to {SNAPSHOT_ID_LEN_MAX} letters, digits, '.', '_' or '-', not beginning with '.', without \"..\"")))
}

/// Makes a snapshot id out of a collection's name and a time in microseconds: `products-20231027T100000`.
#[must_use]
pub fn snapshot_id_of(collection: &str, micros: u64) -> String {
    let time: String = crate::time_text::format(micros).chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    let mut name: String = collection.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' }).collect();
    name.truncate(SNAPSHOT_ID_LEN_MAX - time.len() - 1);
    format!("{name}-{time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back_as_it_prints() {
        let timeline = Timeline([7; 16]);
        let keys = [
            Key::Archive,
            Key::Collection(Incarnation([1; 16])),
            Key::Timeline(timeline),
            Key::Extent(timeline, 64),
            Key::Extent(timeline, u64::MAX),
            Key::Manifest(timeline, ManifestName { covered_lsn: 1, seq: 2, commit_time: 3 }),
            Key::Object(ObjectName([9; 16])),
            Key::Snapshot("a.b_c-1".to_owned()),
            Key::Pin("x".to_owned()),
            Key::Reader(ObjectName([8; 16])),
            Key::Whole(timeline, 128),
            Key::Low(timeline, 192),
            Key::Base(timeline, ManifestName { covered_lsn: 1, seq: 2, commit_time: 3 }),
            Key::Closed(timeline, 5),
            Key::WrappedKey(1),
            Key::GarbagePlan(7),
            Key::Ledger(8),
        ];
        for key in keys {
            assert_eq!(Key::parse(&key.to_string()), key);
        }
    }

    #[test]
    fn names_of_copy_tools_and_paths_are_no_keys() {
        let foreign = [
            "",
            "x",
            "archive.json.part",
            "objects/../x",
            "objects/ABCDEF",
            "timelines/x/log/1",
            "snapshots/a/b.json",
            "snapshots/.json",
            "snapshots/a..b.json",
            "timelines/07070707070707070707070707070707/log/64",
            "timelines/07070707070707070707070707070707/log/+0000000000000000064",
        ];
        for foreign in foreign {
            assert_eq!(Key::parse(foreign), Key::Other, "{foreign}");
        }
    }

    #[test]
    fn hostile_snapshot_ids_are_refused() {
        let long = "x".repeat(129);
        for bad in ["", ".", "..", "a..b", ".a", "a/b", "/etc/passwd", "a\\b", "a b", "a\0", "é", "../x", &long] {
            assert!(check_snapshot_id(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "products_20231027_1000", "a.b-c", &"x".repeat(128)] {
            assert!(check_snapshot_id(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn an_id_out_of_a_name_and_a_time_is_allowed() {
        for name in ["products", "a b/c", "übung", &"n".repeat(255)] {
            let id = snapshot_id_of(name, 1_698_400_800_000_000);
            assert!(check_snapshot_id(&id).is_ok() && id.ends_with("-20231027T100000"), "{id}");
        }
    }
}
