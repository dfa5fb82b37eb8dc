//! The grammar of `vectra search`.

use super::values::{self, RowRange};
use crate::time::{Moment, parse_moment};
use clap::Args;
use std::path::PathBuf;

/// The queries, and how to answer them.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra search docs --vectors queries.npy --rows 0..10 --top 5 --with-payload
  vectra search docs --vectors queries.npy --recall 0.95
  vectra search docs --vectors queries.npy --ef 100 --json
  vectra search docs --vectors queries.npy --as-of now-1h
  vectra search docs --vectors queries.npy --exact \\
      --filter '{\"must\":[{\"key\":\"section\",\"match\":{\"value\":\"games\"}}]}'

Exit codes: 0 done, 1 bad query or filter, 2 usage, 3 no such collection, or a time outside the recovery window,
            5 corrupt, 6 incomplete, 7 unreachable or access denied")]
pub struct SearchArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// The queries: .npy, .fvecs, .bvecs or .fbin, a row each
    #[arg(long, value_name = "FILE.npy")]
    pub vectors: PathBuf,
    /// Only these queries: from A, before B [default: all]
    #[arg(long, value_name = "A..B")]
    pub rows: Option<RowRange>,
    /// Points to find for each query
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub top: u32,
    /// Walk the graph with this many candidates: more is slower and finds more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "exact")]
    pub ef: Option<u32>,
    /// Walk the graph with as many candidates as it takes to find this share of the true neighbours, by what was measured when it was built
    #[arg(long, value_name = "SHARE", value_parser = values::recall, conflicts_with_all = ["ef", "exact"])]
    pub recall: Option<engine::collection::TargetRecall>,
    /// Compare with every point
    #[arg(long)]
    pub exact: bool,
    /// Only points that match
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
    /// Which named vector to search
    #[arg(long, value_name = "VECTOR", value_parser = values::name)]
    pub using: Option<String>,
    /// Search the collection as it was at this time, which is read from its archive: RFC 3339 with an offset, or now-5m
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    pub as_of: Option<Moment>,
    /// Where the past is.
    #[command(flatten)]
    pub past: AsOfArgs,
    /// Print the payload of each hit
    #[arg(long)]
    pub with_payload: bool,
}

/// Where the past of a collection is read from.
#[derive(Debug, Clone, Args)]
pub struct AsOfArgs {
    /// With --as-of: the archive [default: the one that the collection is archived to]
    #[arg(long, value_name = "URL", value_parser = values::location, requires = "as_of")]
    pub source: Option<String>,
    /// With --as-of: a history that was abandoned by a restore, by its timeline
    #[arg(long, value_name = "ID", value_parser = values::timeline, requires = "as_of")]
    pub timeline: Option<engine::Timeline>,
    /// With --as-of: where a parent of a backup is now; may be given many times
    #[arg(long, value_name = "URL", value_parser = values::location, requires = "as_of")]
    pub parent: Vec<String>,
}
