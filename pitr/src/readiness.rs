//! Readiness: what would be lost now, what was proven to come back, how long that would take, and the page that says what to do then.

mod judge;
mod observe;
mod plan;
mod window;

pub use judge::{Goal, Goals, Judged, Judgement, VERIFIED_AGE, judge};
pub use observe::{Prediction, Proof, Standing, observe};
pub use plan::{ByItself, Deployment, GoalsOf, plan};
pub use window::recovery_windows;
