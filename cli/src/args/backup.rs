//! The grammar of `vectra collections backup`: a name to back up, or a verb that looks at backups.

use super::WaitArgs;
use super::values::{self, RESERVED_NAMES};
use clap::{Args, Subcommand, ValueEnum};

/// What is to be backed up, or looked at.
#[derive(Debug, Clone, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = "\
Examples:
  vectra collections backup docs --destination /mnt/backups/docs --snapshot-id monday --wait
  vectra collections backup docs --destination /mnt/backups/docs_tue --snapshot-id tuesday \\
      --parent /mnt/backups/docs --wait
  vectra collections backup verify --source /mnt/backups/docs

Exit codes: 0 complete and durable, 1 no space or other failure, 2 usage, 3 no such collection,
            4 the snapshot id is there already, 5 rotten local data, 7 destination unreachable,
            124 --wait-timeout ran out"
)]
pub struct BackupArgs {
    /// What to look at, instead of a name to back up.
    #[command(subcommand)]
    pub action: Option<BackupAction>,
    /// What to back up; always there when `action` is not.
    #[command(flatten)]
    pub create: Option<BackupCreate>,
    /// Whether and how long to wait for a backup to be made.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// A backup to be made. (No inner group of options: clap would then see none of it behind an `Option`.)
#[derive(Debug, Clone, Args)]
pub struct BackupCreate {
    /// The collection
    #[arg(value_parser = backed_up_name)]
    pub name: String,
    /// Where the backup goes: a directory (made when missing) or a URL
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub destination: String,
    /// The name of this backup there [default: made from the collection and the time]
    #[arg(long, value_name = "ID", value_parser = values::name)]
    pub snapshot_id: Option<String>,
    /// Another backup location whose objects need not be sent again; may be given many times
    #[arg(long, value_name = "URL", value_parser = values::location, conflicts_with = "full")]
    pub parent: Vec<String>,
    /// Send everything, whatever is there already
    #[arg(long)]
    pub full: bool,
}

/// A verb behind `collections backup`.
#[derive(Debug, Clone, Subcommand)]
pub enum BackupAction {
    /// Check that a backup is complete and unharmed.
    ///
    /// Needs neither the database nor write access, and works on a copy made with any tool.
    /// Without --snapshot-id every backup at the location is checked.
    Verify(BackupVerify),
    /// List the backups at a location
    #[command(after_long_help = LIST_HELP)]
    List(BackupLook),
    /// Show what a backup holds, with the bytes it shares and adds
    #[command(after_long_help = SHOW_HELP)]
    Show(BackupLook),
}

const LIST_HELP: &str = "\
Example:
  vectra collections backup list --source /mnt/backups/docs --json

Exit codes: 0 done, 3 no backup there, 7 unreachable or access denied";

const SHOW_HELP: &str = "\
Example:
  vectra collections backup show --source /mnt/backups/docs --snapshot-id monday

Exit codes: 0 done, 3 no such backup, 6 parts of it are missing, 7 unreachable or access denied";

/// How deep a verification looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum VerifyLevel {
    /// Every object is there with the right length
    List,
    /// Every byte is read and checksummed
    Data,
    /// And the search graph is walked: bounds, degree, reachability
    Index,
    /// And the backup is opened and answers queries
    Restore,
}

/// Which backup to check, and how deep.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra collections backup verify --source /mnt/backups/docs
  vectra collections backup verify --source /mnt/backups/docs --level restore --snapshot-id monday

Exit codes: 0 complete and unharmed, 3 no backup there, 5 corrupt (names object and offset),
            6 incomplete (says how many objects are missing), 7 unreachable or access denied")]
pub struct BackupVerify {
    /// Where the backup is
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// How deep to look
    #[arg(long, value_enum, default_value = "data")]
    pub level: VerifyLevel,
    /// One backup only
    #[arg(long, value_name = "ID", value_parser = values::name)]
    pub snapshot_id: Option<String>,
    /// Where a parent of the backup is now; may be given many times
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub parent: Vec<String>,
}

/// A location to list or show.
#[derive(Debug, Clone, Args)]
pub struct BackupLook {
    /// Where the backups are
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// One backup only
    #[arg(long, value_name = "ID", value_parser = values::name)]
    pub snapshot_id: Option<String>,
}

/// A verb behind an option is read as a name by the grammar: say so instead of "no such collection".
fn backed_up_name(text: &str) -> Result<String, String> {
    if RESERVED_NAMES.contains(&text) {
        return Err(format!("{}; as a verb it stands directly behind `backup`, before any option", values::reserved_name_hint(text)));
    }
    values::name(text)
}
