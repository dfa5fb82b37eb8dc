//! The grammar of `vectra bench` and `vectra demo`.

use super::{IndexSettings, values};
use clap::{Args, Subcommand};
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Example:
  vectra bench search --data ./sift --ef 10,20,40

Exit codes: 0 done, 1 bad data or other failure, 2 usage";

/// The second word of `vectra bench`.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Measure recall and speed of searches.
    ///
    /// DIR holds vectors.npy, queries.npy, truth.npy (whole numbers, the rows nearest to each query) and a file
    /// `metric` with one of ip, l2, cos. The vectors are imported into a temporary collection through the
    /// ordinary write path, 1% of the points are overwritten with themselves, and the searches go through the
    /// public interface. Prints a line for each --ef: recall@10, queries a second and for each second of CPU, latencies; and
    /// what the index took: time, CPU, and its memory for a vector without the vector itself. With --recall the fewest
    /// candidates that reach it are searched for and recommended, beside what the curve stored with the index says.
    Search(BenchSearch),
}

/// What to measure, on which data.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra bench search --data ./sift
  vectra bench search --data ./sift --ef 20,40,80 --threads 2 --json
  vectra bench search --data ./sift --recall 0.95 --memory compact

Exit codes: 0 done, 1 bad data, no space or other failure, 2 usage, 130 interrupted")]
pub struct BenchSearch {
    /// The folder with the data
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Numbers of candidates to measure
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "10,20,40,80,160,320",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub ef: Vec<u32>,
    /// Look for the fewest candidates that find this share of the true neighbours instead, and recommend them
    #[arg(long, value_name = "SHARE", value_parser = values::recall, conflicts_with = "ef")]
    pub recall: Option<engine::collection::TargetRecall>,
    /// How the vectors are indexed.
    #[command(flatten)]
    pub settings: IndexSettings,
    /// Searches at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub threads: u32,
}

/// The size of a demonstration.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra demo
  vectra demo --points 1500000 --dim 128

Exit codes: 0 the restored collection gives the same answers, 1 it does not, or a step failed")]
pub struct DemoArgs {
    /// Generate this many points instead
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    pub points: Option<u64>,
    /// Numbers in a generated vector [default: 128]
    #[arg(long, value_name = "N", value_parser = values::dimension, requires = "points")]
    pub dim: Option<u32>,
}
