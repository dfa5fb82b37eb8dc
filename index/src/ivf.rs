//! Inverted lists of 1-bit codes: build, search, bytes, check, and merge. What is kept in memory is a sixteenth of
//! the vectors or less.
//!
//! Rows are rotated at random (a seed decides), lists gather the rows around a centre, and a row is kept as the
//! signs of its difference from the centre, with two numbers that turn them into an estimate of its distance
//! (RaBitQ). A search estimates the rows of the nearest lists; the caller compares the best of them exactly.
//!
//! The same codes, parameters and seed give the same bytes at any number of threads and on any instruction
//! set, and the same answers: lists are chosen by integers, and every operation on floats is rounded for itself, in one
//! stated order. Distances are estimated for `Dot` and `L2`; rows under `Manhattan` are gathered and estimated by `L2`.

mod build;
mod check;
mod effort;
mod encode;
mod kmeans;
mod layout;
mod search;
mod space;

#[cfg(test)]
mod tests;

pub use crate::codes::LayoutError;
pub use crate::hnsw::{BuildError, Executor, Progress, REMOVED, Sequential};
pub use build::{Input, build, rebuild};
pub use check::{Offence, Report, check};
pub use effort::{Effort, Params, list_count};
pub use layout::{ListsShape, ListsView};
pub use search::{Scratch, search};
