//! The ledger: what was read and found whole when, kept in the archive itself.

use std::collections::BTreeMap;

use engine::codec::checksum::Hash;
use engine::error::{ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use platform::object_store::PutOutcome;
use serde::{Deserialize, Serialize};

use super::Subject;
use crate::archive::stored::{self, JSON_VERSION, decode_json, encode_json, get_bounded};
use crate::archive::{Archive, Key};
use crate::backup::held::is_about_content;

/// Largest ledger that is read.
pub const LEDGER_LEN_MAX: u64 = 256 << 20;

/// What was read and found whole when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerFile {
    /// Version of the format.
    pub format: u32,
    /// From a key, or a sealed log file, to microseconds since 1970.
    pub verified: BTreeMap<String, u64>,
}

/// The ledger of one verification.
#[derive(Debug)]
pub(super) struct Ledger {
    known: BTreeMap<String, u64>,
    new: BTreeMap<String, u64>,
    now: u64,
    /// What was verified at or after this time is not read again.
    fresh_from: Option<u64>,
}

impl Ledger {
    /// Reads the newest ledger of an archive; one that does not read knows nothing.
    pub fn read(subject: &Subject, now: u64, max_age: Option<u64>) -> Result<Self> {
        let archive = &subject.read.archive;
        let newest = subject.read.listing.sizes.keys().rfind(|key| matches!(Key::parse(key), Key::Ledger(_)));
        let mut known = BTreeMap::new();
        if let Some(key) = newest {
            let stored = get_bounded(&*archive.store, key, LEDGER_LEN_MAX);
            match stored.and_then(|stored| decode_json::<LedgerFile>("ledger", &stored)) {
                Ok(file) => known = file.verified,
                Err(error) if is_about_content(error.kind) && error.kind != ErrorKind::NewerFormat => {}
                Err(error) => return Err(error),
            }
        }
        // A time in the future was noted by a clock that was wrong: it proves nothing.
        known.retain(|_, time| *time <= now);
        Ok(Ledger { known, new: BTreeMap::new(), now, fresh_from: max_age.map(|age| now.saturating_sub(age)) })
    }

    /// Says whether something was read and found whole lately.
    pub fn is_fresh(&self, item: &str) -> bool {
        self.fresh_from.is_some_and(|from| self.known.get(item).is_some_and(|time| *time >= from))
    }

    /// Notes that something was read now; what is not whole loses what was known of it.
    pub fn note(&mut self, item: String, is_whole: bool) {
        self.known.remove(&item);
        if is_whole {
            self.new.insert(item, self.now);
        }
    }

    /// Puts the ledger, with what it knows still from before.
    pub fn write(&mut self, archive: &Archive) -> Result<()> {
        let mut verified = std::mem::take(&mut self.known);
        verified.append(&mut self.new);
        let stored = encode_json(&LedgerFile { format: JSON_VERSION, verified });
        for time in self.now.. {
            if stored::put(&*archive.store, &Key::Ledger(time).to_string(), stored.clone())? == PutOutcome::Created {
                break;
            }
        }
        Ok(())
    }
}

/// Names a sealed log file in a ledger.
pub(super) fn range_item(timeline: Timeline, start: Lsn, end: Lsn, blake3: Hash) -> String {
    format!("range {timeline} {start} {end} {blake3}")
}
