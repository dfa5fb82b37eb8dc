//! The grammar of `vectra collections restore`.

use super::WaitArgs;
use super::values;
use clap::Args;

/// What is to be restored, from where, as what.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra collections restore docs --source /mnt/backups/docs --wait
  vectra collections restore docs --source /mnt/backups/docs --new-collection-name docs_test --wait
  vectra collections restore docs --source /mnt/backups/docs --replace --wait
  vectra collections restore docs --source /mnt/backups/docs --dry-run --json

Exit codes: 0 durable and answering, 1 no space or a newer format, 2 usage,
            3 no such backup or name in it, 4 the target exists already or locked, 5 corrupt,
            6 incomplete, 7 unreachable or access denied, 124 --wait-timeout ran out")]
pub struct RestoreArgs {
    /// The collection's name in the backup
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Where the backup is
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// Which backup [default: the newest]
    #[arg(long, value_name = "ID", value_parser = values::name)]
    pub snapshot_id: Option<String>,
    /// The name it gets here [default: NAME]
    #[arg(long, value_name = "NAME", value_parser = values::new_name)]
    pub new_collection_name: Option<String>,
    /// Swap the collection that has this name now, atomically
    #[arg(long)]
    pub replace: bool,
    /// Where a parent of the backup is now; may be given many times
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub parent: Vec<String>,
    /// Print what would be fetched, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Whether and how long to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

impl RestoreArgs {
    /// The name that the restored collection gets here.
    #[must_use]
    pub fn target(&self) -> &str {
        self.new_collection_name.as_deref().unwrap_or(&self.name)
    }
}
