//! The targets: what takes bytes from outside, one file each.

pub mod archive;
pub mod canary;
pub mod catalog;
pub mod field_index;
pub mod filter;
pub mod fixture;
pub mod jsonl;
pub mod log;
pub mod manifest;
pub mod npy;
pub mod operations;
pub mod payload;
pub mod requests;
pub mod segment;
pub mod served;
pub mod snapshot;
pub mod upload;
pub mod vecs;
pub mod vectors;

/// Something to attack.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Reads any bytes and says whether they were accepted, at least in part; a panic is a finding.
    pub run: fn(&[u8]) -> bool,
    /// Makes valid inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that inputs are made of, where they are text.
    pub words: &'static [&'static str],
}

/// Every target that must hold.
pub const TARGETS: &[Target] = &[
    log::TARGET,
    payload::TARGET,
    segment::TARGET,
    field_index::TARGET,
    manifest::TARGET,
    snapshot::TARGET,
    archive::TARGET,
    catalog::TARGET,
    npy::TARGET,
    vecs::TARGET,
    vectors::TARGET,
    jsonl::TARGET,
    filter::TARGET,
    operations::TARGET,
    requests::TARGET,
    upload::TARGET,
];

/// The target that must fail: it proves that a panic is noticed.
pub const CANARY: Target = canary::TARGET;

/// Finds a target by name, the canary too.
#[must_use]
pub fn find(name: &str) -> Option<Target> {
    TARGETS.iter().chain([&CANARY]).find(|target| target.name == name).copied()
}
