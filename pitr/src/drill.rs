//! Drills: a state is restored to a place of its own, compared with what it has to be, timed, and removed again; a report stays.
//!
//! Nothing of the database changes but its folder of reports, `drills/`. A drill that died is found by the next one, which clears its place away
//! and says in the history that it did not end.

pub mod compare;
pub mod history;
pub mod lag;
mod markdown;
mod reference;
mod report;
mod request;
mod run;
mod scratch;
pub mod tabletop;
pub mod verified;

pub use markdown::as_markdown;
pub(crate) use markdown::plain;
pub use report::{Check, DrillReport, Drilled, Failed, Outcome, REPORT_VERSION, Restored, Rpo, Rto, Verdict};
pub use request::{DrillRequest, DrillTarget, RECALL_MIN};
pub use run::run;
