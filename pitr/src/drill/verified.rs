//! The note of a verification: what was read, whether anything was wrong, and up to which time that proves that nothing is missing.

use engine::ids::CommitTime;
use serde::{Deserialize, Serialize};

use super::markdown::plain;
use super::report::REPORT_VERSION;
use crate::time_text;

/// A collection in what was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedState {
    /// Its name.
    pub collection: String,
    /// Nothing acknowledged up to then is missing there, if nothing was wrong.
    #[serde(serialize_with = "time_text::serialize", deserialize_with = "time_text::deserialize")]
    pub until: CommitTime,
}

/// A verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedNote {
    /// Version of the note.
    pub format: u32,
    /// `verified`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// When it was kept.
    #[serde(serialize_with = "time_text::serialize", deserialize_with = "time_text::deserialize")]
    pub started: u64,
    /// What was verified.
    pub source: String,
    /// How deep.
    pub level: String,
    /// Whether nothing was wrong; what was proves nothing of its states.
    #[serde(default = "yes")]
    pub ok: bool,
    /// Collections in it.
    pub states: Vec<VerifiedState>,
}

/// Notes from before there were others are of verifications that found nothing wrong.
fn yes() -> bool {
    true
}

impl VerifiedNote {
    /// Makes a note of a verification that found nothing wrong.
    #[must_use]
    pub fn new(id: String, started: u64, source: String, level: String, states: Vec<VerifiedState>) -> Self {
        VerifiedNote { format: REPORT_VERSION, kind: "verified".to_owned(), id, started, source, level, ok: true, states }
    }

    /// Makes a note of a verification that found something wrong with these.
    #[must_use]
    pub fn failed(id: String, started: u64, source: String, level: String, states: Vec<VerifiedState>) -> Self {
        VerifiedNote { ok: false, ..VerifiedNote::new(id, started, source, level, states) }
    }

    /// Renders it for people.
    #[must_use]
    pub fn as_markdown(&self) -> String {
        let title = if self.ok { "Verified" } else { "NOT sound" };
        let mut page = format!("# {title}: {}\n\n- note: {}\n- when: {}\n", plain(&self.source), self.id, time_text::format(self.started));
        page += &format!("- level: {}\n", plain(&self.level));
        for state in &self.states {
            let name = plain(&state.collection);
            page += &if self.ok {
                format!("- {name}: nothing is missing up to {}\n", time_text::format(state.until))
            } else {
                format!("- {name}\n")
            };
        }
        page
    }
}
