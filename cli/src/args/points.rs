//! The grammar of `vectra points`.

use super::SettleArgs;
use super::values;
use clap::{Args, Subcommand};
use engine::ids::PointId;
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Example:
  vectra points get docs --ids 1,2

Exit codes: 0 done, 1 bad data, 2 usage, 3 no such collection, 4 locked";

/// The second word of `vectra points`.
#[derive(Debug, Subcommand)]
pub enum PointsCommand {
    /// Print points by their ids.
    ///
    /// One JSON object a line, in the order of the ids. Ids that no point has are left out, and a note says so.
    Get(GetArgs),
    /// Write points, replacing those that have the same id
    Upsert(UpsertArgs),
    /// Delete points by id or by filter
    Delete(DeleteArgs),
    /// Set keys of the payload of points; their other keys stay
    SetPayload(SetPayloadArgs),
}

impl PointsCommand {
    /// How a command that writes ends.
    #[must_use]
    pub fn settle(&self) -> Option<SettleArgs> {
        match self {
            PointsCommand::Get(_) => None,
            PointsCommand::Upsert(args) => Some(args.settle),
            PointsCommand::Delete(args) => Some(args.settle),
            PointsCommand::SetPayload(args) => Some(args.settle),
        }
    }
}

/// Which points: by id or by filter.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Selection {
    /// Ids: whole numbers or UUIDs
    #[arg(long, value_name = "ID,..", value_delimiter = ',', value_parser = PointId::parse)]
    pub ids: Vec<PointId>,
    /// All points that match
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
}

/// The points to print.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Example:
  vectra points get docs --ids 1,2 --with-vector

Exit codes: 0 done, 2 usage, 3 no such collection, 5 corrupt")]
pub struct GetArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Ids: whole numbers or UUIDs
    #[arg(long, value_name = "ID,..", value_delimiter = ',', required = true, value_parser = PointId::parse)]
    pub ids: Vec<PointId>,
    /// Print the vectors too
    #[arg(long)]
    pub with_vector: bool,
}

/// Write points, replacing those that have the same id.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Example:
  echo '{\"id\":7,\"vector\":[0.1,0.2],\"payload\":{\"lang\":\"en\"}}' | vectra points upsert tiny --jsonl -

Exit codes: 0 durable, 1 bad data (names the line), 3 no such collection, 4 locked")]
pub struct UpsertArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Points, a JSON object a line (.gz is unpacked); - is stdin
    #[arg(long, value_name = "FILE|-")]
    pub jsonl: PathBuf,
    /// The writer's own number for the first batch, one more for each that follows; a restore says which it has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub client_sequence: Option<u64>,
    /// Whether to wait.
    #[command(flatten)]
    pub settle: SettleArgs,
}

/// Delete points by id or by filter.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra points delete docs --ids 1,2
  vectra points delete docs --filter '{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"en\"}}]}'

Exit codes: 0 durable, 1 the filter is not valid, 3 no such collection, 4 locked")]
pub struct DeleteArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Which points.
    #[command(flatten)]
    pub which: Selection,
    /// Whether to wait.
    #[command(flatten)]
    pub settle: SettleArgs,
}

/// Set keys of the payload of points; their other keys stay.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Example:
  vectra points set-payload docs --ids 7 --payload '{\"lang\":\"en\"}'

Exit codes: 0 durable, 1 payload or filter is not valid, 3 no such collection, 4 locked")]
pub struct SetPayloadArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Which points.
    #[command(flatten)]
    pub which: Selection,
    /// The keys and their new values, as a JSON object; null takes a key away
    #[arg(long, value_name = "JSON")]
    pub payload: String,
    /// Whether to wait.
    #[command(flatten)]
    pub settle: SettleArgs,
}
