//! The grammar of `vectra dr`.

use super::values;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  vectra dr status --rpo 60s --rto 15m
  vectra dr plan --output plan.md

Exit codes: 0 done and every goal reached, 1 a goal is missed, 2 usage, 3 not found";

/// The second word of `vectra dr`.
#[derive(Debug, Subcommand)]
pub enum DrCommand {
    /// Say what would be lost now, what was proven to come back, and how long a restore would take.
    ///
    /// For every archived collection: the archive's lag (rpo), the age of the newest state that a drill proved to come
    /// back (verified), and the time that a restore of its bytes would take at the speed of the last drill (rto).
    /// What nobody knows is said, and is a miss only where that goal was asked for: here, or in the configuration of the
    /// server that has or had this database.
    Status(DrStatus),
    /// Write the runbook of this deployment, with its names, archives, measured times and exact commands
    Plan(DrPlan),
}

/// Which collection, and what it has to reach.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra dr status
  vectra dr status docs --rpo 60s --rto 120s --json

Exit codes: 0 every goal is reached, 1 one is missed (the output says which), 3 no such collection, or not archived")]
pub struct DrStatus {
    /// The collection [default: every one that is archived]
    #[arg(value_parser = values::name)]
    pub name: Option<String>,
    /// How much may be lost: the oldest write that is not archived is at most this old (60s, 5m) [default: the server's]
    #[arg(long, value_name = "TIME", value_parser = values::length)]
    pub rpo: Option<Duration>,
    /// How long a restore may take (120s, 15m) [default: the server's]
    #[arg(long, value_name = "TIME", value_parser = values::length)]
    pub rto: Option<Duration>,
    /// How old the newest proven state may be [default: 30d, and never proven is no miss]
    #[arg(long, value_name = "TIME", value_parser = values::length)]
    pub verified_age: Option<Duration>,
}

/// Where the runbook goes.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Example:
  vectra dr plan --output plan.md

Exit codes: 0 done, 1 other failure")]
pub struct DrPlan {
    /// Write it to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
