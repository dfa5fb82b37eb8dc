//! Measurements.

pub mod data;
