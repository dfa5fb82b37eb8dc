//! The grammar of `vectra restore` and `vectra collections restore`.

use super::WaitArgs;
use super::values;
use crate::time::{Moment, parse_moment};
use clap::{ArgGroup, Args};

/// What is to be restored, from where, to which moment, as what.
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("target").args(["snapshot_id", "to_time", "to_lsn", "latest"]),
    after_long_help = "\
Examples:
  vectra restore docs --source /mnt/archive --to-time 2026-11-20T10:00:00Z \\
      --new-collection-name docs_before
  vectra restore docs --source s3://bucket/vectra --to-time now-10m --replace
  vectra restore --source /mnt/archive --to-time now-1h
  vectra restore docs --source s3://bucket/vectra --latest --exclusive
  vectra restore docs --source s3://bucket/vectra --lazy
  vectra collections restore docs --source /mnt/backups/docs --wait
  vectra collections restore docs --source /mnt/backups/docs --new-collection-name docs_test --wait
  vectra collections restore docs --source /mnt/backups/docs --dry-run --json

Exit codes: 0 durable and answering, 1 no space or a newer format, 2 usage,
            3 no such backup or name in it, or a time outside the recovery window (which is printed),
            4 the target exists already or locked, 5 corrupt, 6 incomplete,
            7 unreachable or access denied, 124 --wait-timeout ran out"
)]
pub struct RestoreArgs {
    /// The collection's name in the source [default: every collection of the archive, at the same instant]
    #[arg(value_parser = values::name)]
    pub name: Option<String>,
    /// Where the backup or archive is
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// Which backup [default: the newest; the latest state where only an archive is]
    #[arg(long, value_name = "ID", value_parser = values::name)]
    pub snapshot_id: Option<String>,
    /// The state at a time: every write committed until then, and none after. RFC 3339 with an offset, or now-5m
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    pub to_time: Option<Moment>,
    /// The state at a position of the log
    #[arg(long, value_name = "N")]
    pub to_lsn: Option<u64>,
    /// The newest state that is archived
    #[arg(long)]
    pub latest: bool,
    /// A history that was abandoned by an earlier restore: its timeline
    #[arg(long, value_name = "ID", requires = "name", value_parser = values::timeline)]
    pub timeline: Option<engine::Timeline>,
    /// The name it gets here [default: NAME]
    #[arg(long, value_name = "NAME", requires = "name", value_parser = values::new_name)]
    pub new_collection_name: Option<String>,
    /// Swap the collection that has this name now, atomically
    #[arg(long)]
    pub replace: bool,
    /// Take over: whoever wrote this history before can archive nothing more
    #[arg(long, requires = "latest", requires = "name", conflicts_with_all = ["timeline", "dry_run"])]
    pub exclusive: bool,
    /// Where a parent of the backup is now; may be given many times
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub parent: Vec<String>,
    /// Answer as soon as the index is here; the rest of the log is fetched when it is needed, and then in order
    #[arg(long, requires = "name", conflicts_with = "exclusive")]
    pub lazy: bool,
    /// Return after the first answer; the rest comes when it is needed
    #[arg(long, requires = "lazy", conflicts_with = "wait")]
    pub no_wait: bool,
    /// Print what would be fetched, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Whether and how long to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}
