//! The grammar of `vectra import` and `vectra export`, and of waiting.

use super::values;
use clap::{ArgGroup, Args};
use std::path::PathBuf;
use std::time::Duration;

/// Waiting for a job: commands that a server may run in the background.
#[derive(Debug, Clone, Copy, Args)]
pub struct WaitArgs {
    /// Return only when it is done; without a server every command does
    #[arg(long)]
    pub wait: bool,
    /// Stop waiting after this long, with exit code 124
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub wait_timeout: Option<Duration>,
}

/// Waiting after a write: for graphs, and for the archive to catch up.
#[derive(Debug, Clone, Copy, Args)]
pub struct SettleArgs {
    /// Return after the last durable write; index and archive later
    #[arg(long)]
    pub no_wait: bool,
    /// Stop waiting after this long, with exit code 124; what was acknowledged stays
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, conflicts_with = "no_wait")]
    pub wait_timeout: Option<Duration>,
}

/// What is to be imported, from where.
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("input").args(["vectors", "jsonl"]).required(true),
    after_long_help = "\
Examples:
  vectra import docs --vectors vectors.npy --payload payload.jsonl.gz
  vectra import docs --vectors more.fvecs --ids ids.npy --batch 5000 --no-wait
  zcat points.jsonl.gz | vectra import docs --jsonl -

Exit codes: 0 done, 1 bad data (names the row), no space, or other failure, 2 usage,
            3 no such collection, 4 locked, 124 --wait-timeout ran out, 130 interrupted"
)]
pub struct ImportArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// A file of vectors: .npy, .fvecs, .bvecs or .fbin
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// A file of points, a JSON object a line (.gz is unpacked); - is stdin
    #[arg(long, value_name = "FILE|-")]
    pub jsonl: Option<PathBuf>,
    /// Ids of the rows: .npy of whole numbers or UUID text [default: the row numbers]
    #[arg(long, value_name = "FILE.npy", conflicts_with = "jsonl")]
    pub ids: Option<PathBuf>,
    /// Payloads of the rows, a JSON object a line (.gz is unpacked)
    #[arg(long, value_name = "FILE.jsonl", conflicts_with = "jsonl")]
    pub payload: Option<PathBuf>,
    /// Points in one atomic write, fewer where they are large (a write holds 16 MiB)
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch: u32,
    /// Which named vector the file holds; on ids that exist, it alone is replaced
    #[arg(long, value_name = "VECTOR", value_parser = values::name, conflicts_with = "jsonl")]
    pub using: Option<String>,
    /// The writer's own number for the first batch, one more for each that follows; a restore says which it has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub client_sequence: Option<u64>,
    /// Begin at this row (or line), counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub from_row: u64,
    /// Whether to wait for the index.
    #[command(flatten)]
    pub settle: SettleArgs,
}

/// What is to be exported, to where.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra export docs --jsonl docs.jsonl
  vectra export docs --jsonl - | gzip > docs.jsonl.gz

Exit codes: 0 done, 1 no space or other failure, 3 no such collection, 5 corrupt")]
pub struct ExportArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Where the lines go; - is stdout
    #[arg(long, value_name = "FILE|-")]
    pub jsonl: PathBuf,
}
