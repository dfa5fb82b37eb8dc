//! Verification of backups, at four levels.

mod check_data;
mod deep;
mod problem;
mod run;

pub use deep::Scratch;
pub(crate) use deep::{check_index, check_restore};
pub use problem::Problem;
pub use run::{Level, VerifiedSnapshot, VerifyReport, VerifyRequest, verify};
