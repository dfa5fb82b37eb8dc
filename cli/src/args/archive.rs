//! The grammar of `vectra archive`.

use super::keep::KeepArgs;
use super::values;
use super::{VerifyLevel, WaitArgs};
use crate::time::{Moment, parse_moment};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Example:
  vectra archive enable docs --to s3://bucket/vectra
  vectra restore docs --source s3://bucket/vectra --to-time now-10m \\
      --new-collection-name docs_before

Exit codes: 0 done, 2 usage, 3 not found, 4 conflict or locked, 5 corrupt, 6 incomplete,
            7 unreachable or access denied, 8 another writer took over";

const DISABLE_HELP: &str = "\
What was archived stays restorable.

Example:
  vectra archive disable docs

Exit codes: 0 done, 3 not archived, 4 locked";

const STATUS_HELP: &str = "\
Example:
  vectra archive status docs --json

Exit codes: 0 done, 3 no such collection, or not archived";

/// The second word of `vectra archive`.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// Archive a collection continuously from now on.
    ///
    /// Everything that it holds is sent first. From then on every command that writes to it sends what it wrote, while it
    /// writes and before it ends; a later `vectra restore --to-time` finds every acknowledged write. The name keeps the
    /// setting when the collection is dropped and restored.
    Enable(ArchiveEnable),
    /// Archive a collection no longer
    #[command(after_long_help = DISABLE_HELP)]
    Disable {
        /// The collection
        #[arg(value_parser = values::name)]
        name: String,
    },
    /// Show how far archives have come
    #[command(after_long_help = STATUS_HELP)]
    Status {
        /// The collection [default: every one that is archived]
        #[arg(value_parser = values::name)]
        name: Option<String>,
    },
    /// Send what waits, again and again
    Run(ArchiveRun),
    /// Check that an archive is whole and unharmed.
    ///
    /// Needs no database, and writes nothing but the notes of --max-age. Without the key of an encrypted archive the
    /// hashes of the stored objects are checked.
    Verify(ArchiveVerify),
    /// Delete what the rules do not keep.
    ///
    /// In two steps: the first run writes down what nothing needs any more, a run after the grace deletes what is still
    /// not needed. Never breaks a chain of backups, a branch or a running restore, and says what can still be restored.
    Prune(ArchivePrune),
    /// List what happened, so that the moment before a mistake can be found
    Log(ArchiveLog),
    /// Replace the key that opens an encrypted archive; its data stays as it is
    Rekey(ArchiveRekey),
    /// Write a new random key to a file
    #[command(after_long_help = KEY_HELP)]
    NewKey {
        /// The file; it must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

const KEY_HELP: &str = "\
Whoever loses every copy of the key has lost the archive. Keep one where the archive is not.

Example:
  vectra archive new-key /root/vectra.key

Exit codes: 0 done, 4 the file exists";

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityArg {
    /// Once it is synced here
    Fsync,
    /// Once it is archived
    Archive,
}

/// What is archived, to where, how.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra archive enable docs --to /mnt/archive
  vectra archive enable docs --to s3://bucket/vectra --durability archive
  vectra archive enable docs --to s3://bucket/vectra --encrypt \\
      --key-file /root/vectra.key

Exit codes: 0 everything up to now is archived, 2 usage, 3 no such collection, 4 locked,
            7 unreachable or access denied, 8 another writer took over")]
pub struct ArchiveEnable {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Where the archive is: a directory (made when missing) or a URL; collections and databases may share one
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub to: String,
    /// When a write is acknowledged
    #[arg(long, value_enum, default_value = "fsync")]
    pub durability: DurabilityArg,
    /// Longest time that a synced write waits before it is sent
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = values::seconds)]
    pub delay: Duration,
    /// Bytes of log that may wait for an archive that does not answer; beyond it writes are turned away
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 30)]
    pub backlog_limit: u64,
    /// Make the archive an encrypted one, opened by the key of --key-file; only where there is none yet
    #[arg(long)]
    pub encrypt: bool,
}

/// What is sent, and whether again.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra archive run --once
  vectra archive run --every 5

Exit codes: 0 done (--once), 7 unreachable or access denied (--once), 8 another writer took over, 130 interrupted")]
pub struct ArchiveRun {
    /// Send what waits, and end
    #[arg(long)]
    pub once: bool,
    /// Between two looks
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    pub every: Duration,
}

/// Which archive to check, and how deep.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra archive verify /mnt/archive
  vectra archive verify s3://bucket/vectra --level data --max-age 7d

Exit codes: 0 whole and unharmed, 3 no archive there, 5 corrupt (names object and offset),
            6 incomplete (says what is missing), 7 unreachable, access denied, or a wrong key")]
pub struct ArchiveVerify {
    /// Where the archive is
    #[arg(value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// How deep to look
    #[arg(long, value_enum, default_value = "data")]
    pub level: VerifyLevel,
    /// Read again only what was not read for this long (1h30m, 7d); what was read is noted in the archive
    #[arg(long, value_name = "TIME", value_parser = values::length)]
    pub max_age: Option<Duration>,
}

/// What is kept.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra archive prune /mnt/archive --keep-window 7d --dry-run
  vectra archive prune s3://bucket/vectra --keep-window 7d --keep-full 4 \\
      --keep-daily 7 --keep-weekly 4 --keep-monthly 12

Exit codes: 0 done, 2 usage, 3 no archive there, 7 unreachable or access denied")]
pub struct ArchivePrune {
    /// Where the archive is
    #[arg(value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// Keep every moment of this long restorable (1h30m, 7d, 4w) [default: every moment, where another rule is given]
    #[arg(long, value_name = "TIME", value_parser = values::length,
          required_unless_present_any = ["keep_full", "keep_daily", "keep_weekly", "keep_monthly"])]
    pub keep_window: Option<Duration>,
    /// Which backups stay.
    #[command(flatten)]
    pub keep: KeepArgs,
    /// Between the run that writes down what nothing needs and the one that deletes it
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = values::length)]
    pub grace: Duration,
    /// Say what would be deleted, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Whether and how long to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Which part of the history to list.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra archive log /mnt/archive --from now-1h
  vectra archive log s3://bucket/vectra --collection docs --from now-2h \\
      --to now-1h --json

Exit codes: 0 done, 3 no archive there, 5 corrupt, 6 incomplete, 7 unreachable or access denied")]
pub struct ArchiveLog {
    /// Where the archive is
    #[arg(value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// One collection only
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    pub collection: Option<String>,
    /// From this time on: RFC 3339 with an offset, or now-5m
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    pub from: Option<Moment>,
    /// Up to this time
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    pub to: Option<Moment>,
}

/// Which archive gets which key.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Example:
  vectra archive rekey s3://bucket/vectra --key-file /root/old.key \\
      --new-key-file /root/new.key

Exit codes: 0 done, 2 usage, 3 no archive there, 7 unreachable, access denied, or a wrong key")]
pub struct ArchiveRekey {
    /// Where the archive is
    #[arg(value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// The key that opens it from now on
    #[arg(long, value_name = "FILE")]
    pub new_key_file: PathBuf,
}
