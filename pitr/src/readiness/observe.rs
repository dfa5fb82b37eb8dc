//! Looks at one archived name: how far its archive has come, when a restore of it was last proven, what a restore would take.

use engine::Collection;
use engine::error::Result;
use engine::ids::CommitTime;
use platform::World;
use serde::Serialize;

use crate::drill::DrillReport;
use crate::drill::history::History;
use crate::drill::lag::{Lag, lag_of};
use crate::drill::verified::{VerifiedNote, VerifiedState};

/// The proof that a state comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// What proved it: `drill`, `verify`.
    pub by: &'static str,
    /// The id of its report.
    pub id: String,
    /// When it was proven.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub at: u64,
    /// Nothing acknowledged up to then is missing in what came back.
    #[serde(serialize_with = "crate::time_text::serialize")]
    pub until: CommitTime,
}

/// What a restore of the newest state would take.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// Bytes that it would fetch.
    pub bytes: u64,
    /// Bytes a second that were measured; `None`: nobody measured.
    pub bytes_per_second: Option<f64>,
    /// The id of the report that measured it.
    pub measured_by: Option<String>,
    /// Seconds that it would take.
    pub seconds: Option<f64>,
}

/// What is known of one archived name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The name.
    pub collection: String,
    /// Where it is archived.
    pub archive: String,
    /// Whether a collection has the name now.
    pub exists: bool,
    /// What its archive does not have yet; `None` when there is no collection.
    pub lag: Option<Lag>,
    /// The newest state that was proven to come back.
    pub verified: Option<Proof>,
    /// What a restore would take.
    pub restore: Prediction,
}

/// Looks at a name that is archived to `archive`, and its collection, where there is one.
///
/// # Errors
/// `Corrupt` when the note of what was archived is damaged, `Io`.
pub fn observe(world: &World, name: &str, archive: &str, collection: Option<&Collection>, history: &History) -> Result<Standing> {
    let bytes = collection.map_or(0, |collection| {
        let info = collection.version().info();
        info.log_bytes + info.segment_bytes + info.code_bytes
    });
    Ok(Standing {
        collection: name.to_owned(),
        archive: archive.to_owned(),
        exists: collection.is_some(),
        lag: collection.map(|collection| lag_of(world, collection)).transpose()?,
        verified: newest_proof(name, history),
        restore: predict(name, archive, bytes, history),
    })
}

/// Finds the newest state of a name that a drill or a verification proved to come back.
fn newest_proof(name: &str, history: &History) -> Option<Proof> {
    let drills = history.drills().filter(|drill| drill.collection == name);
    let of_drill =
        |drill: &DrillReport| Some(Proof { by: "drill", id: drill.id.clone(), at: drill.finished, until: drill.proven_until()? });
    let notes = history.verified().filter(|note| note.ok).flat_map(|note| note.states.iter().map(move |state| (note, state)));
    let of_note = |(note, state): (&VerifiedNote, &VerifiedState)| {
        (state.collection == name).then(|| Proof { by: "verify", id: note.id.clone(), at: note.started, until: state.until })
    };
    drills.filter_map(of_drill).chain(notes.filter_map(of_note)).max_by_key(|proof| (proof.until, proof.at))
}

/// Predicts how long a restore takes from the newest drill that was timed: of this name from this place, else of this name, else of this place, else
/// any.
fn predict(name: &str, archive: &str, bytes: u64, history: &History) -> Prediction {
    let closeness = |drill: &DrillReport| match (drill.collection == name, drill.source == archive) {
        (true, true) => 3,
        (true, false) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    let timed = history.drills().filter(|drill| drill.rto.as_ref().is_some_and(|rto| rto.bytes_per_second > 0.0));
    // The history is newest first, and of equal ones the last is taken.
    let best = timed.collect::<Vec<_>>().into_iter().rev().max_by_key(|drill| closeness(drill));
    let rate = best.and_then(|drill| drill.rto.as_ref()).map(|rto| rto.bytes_per_second);
    let seconds = rate.map(|rate| bytes as f64 / rate);
    Prediction { bytes, bytes_per_second: rate, measured_by: best.map(|drill| drill.id.clone()), seconds }
}
