//! The grammar of `vectra search`.

use super::values::{self, RowRange};
use clap::Args;
use std::path::PathBuf;

/// The queries, and how to answer them.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra search docs --vectors queries.npy --rows 0..10 --top 5 --with-payload
  vectra search docs --vectors queries.npy --ef 100 --json
  vectra search docs --vectors queries.npy --exact \\
      --filter '{\"must\":[{\"key\":\"section\",\"match\":{\"value\":\"games\"}}]}'

Exit codes: 0 done, 1 bad query or filter, 2 usage, 3 no such collection, 5 corrupt")]
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
    /// Compare with every point
    #[arg(long)]
    pub exact: bool,
    /// Only points that match
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
    /// Which named vector to search
    #[arg(long, value_name = "VECTOR", value_parser = values::name)]
    pub using: Option<String>,
    /// Print the payload of each hit
    #[arg(long)]
    pub with_payload: bool,
}
