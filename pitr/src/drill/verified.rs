//! The note of a verification that found nothing wrong: what was read, and up to which time that proves that nothing is missing.

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
    /// Nothing acknowledged up to then is missing there.
    #[serde(serialize_with = "time_text::serialize", deserialize_with = "time_text::deserialize")]
    pub until: CommitTime,
}

/// A verification that found nothing wrong.
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
    /// Collections in it.
    pub states: Vec<VerifiedState>,
}

impl VerifiedNote {
    /// Makes a note.
    #[must_use]
    pub fn new(id: String, started: u64, source: String, level: String, states: Vec<VerifiedState>) -> Self {
        VerifiedNote { format: REPORT_VERSION, kind: "verified".to_owned(), id, started, source, level, states }
    }

    /// Renders it for people.
    #[must_use]
    pub fn as_markdown(&self) -> String {
        let mut page = format!("# Verified: {}\n\n- note: {}\n- when: {}\n", plain(&self.source), self.id, time_text::format(self.started));
        page += &format!("- level: {}\n", plain(&self.level));
        for state in &self.states {
            page += &format!("- {}: nothing is missing up to {}\n", plain(&state.collection), time_text::format(state.until));
        }
        page
    }
}
