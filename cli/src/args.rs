//! The grammar of the command line: every word, flag and help text, and nothing that acts on them.

use clap::{Args, Parser, Subcommand};
use server::Host;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

mod aliases;
mod archive;
mod backup;
mod bench;
mod collections;
mod config;
mod data;
mod dr;
mod drill;
mod index;
mod jobs;
mod keep;
mod markdown;
mod points;
mod restore;
mod schedules;
mod search;
mod serve;
mod values;

pub use aliases::AliasesCommand;
pub use archive::{ArchiveCommand, ArchiveEnable, ArchiveLog, ArchivePrune, ArchiveRekey, ArchiveRun, ArchiveVerify, DurabilityArg};
pub use backup::{BackupAction, BackupArgs, BackupCreate, BackupLook, BackupVerify, VerifyLevel};
pub use bench::{BenchCommand, BenchSearch, DemoArgs};
pub use collections::{BranchArgs, CollectionsCommand, CountArgs, CreateArgs, DropArgs, FieldIndexArgs, FieldType, NameArg, OptimizeArgs};
pub use config::{ConfigCommand, ConfigShow};
pub use data::{ExportArgs, ImportArgs, SettleArgs, WaitArgs};
pub use dr::{DrCommand, DrPlan, DrStatus};
pub use drill::{DrillCommand, DrillRun, DrillTabletop, DrillTime};
pub use index::{IndexCommand, IndexSettings, UpdateArgs};
pub use jobs::JobsCommand;
pub use markdown::render_markdown;
pub use points::{DeleteArgs, GetArgs, PointsCommand, Selection, SetPayloadArgs, UpsertArgs};
pub use restore::RestoreArgs;
pub use schedules::{DrillSchedule, ScheduleSet, SchedulesCommand, WhenArgs};
pub use search::{AsOfArgs, SearchArgs};
pub use serve::ServeArgs;
pub use values::{Datatype, Distance, IndexKind, Memory, RESERVED_NAMES, RowRange, VectorSpec, reserved_name_hint};

const ROOT_HELP: &str = "\
Examples:
  vectra collections create docs --dim 384 --distance cosine
  vectra import docs --vectors vectors.npy --payload payload.jsonl.gz
  vectra search docs --vectors queries.npy --top 5
  vectra collections backup docs --destination /mnt/backups/docs --snapshot-id monday --wait
  vectra collections restore docs --source /mnt/backups/docs --new-collection-name docs_test --wait

Results go to stdout, everything else to stderr. With --json a result is one JSON object
(search, bench, import and list: one a line) and an error is one JSON object on stderr.

Exit codes:
    0  done
    1  other failure
    2  usage: the command line itself is wrong
    3  not found: collection, backup or snapshot; or a time outside the recovery window
    4  exists already, conflict, locked by another process, or diverged history
    5  corrupt: names the object and the offset
    6  incomplete copy: says how much is missing, and the newest complete restore point
    7  target unreachable, or access denied
    8  fenced: another writer took over
  124  --wait ran out of time
  130  interrupted";

/// A vector database that can be rewound.
///
/// Every acknowledged write is kept in an append-only log; a backup is a consistent prefix of it,
/// with the search index; a restored collection answers at once instead of rebuilding.
/// All commands open the data directory themselves: no server is needed.
#[derive(Debug, Parser)]
#[command(name = "vectra", version, after_long_help = ROOT_HELP)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
pub struct Globals {
    /// The database: a directory [default: VECTRA_DATA_DIR, else ~/.local/share/vectra]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub data_dir: Option<PathBuf>,
    /// A running server instead of a directory [default: VECTRA_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub url: Option<String>,
    /// How long to wait for another process that writes to this database
    #[arg(long, global = true, value_name = "SECONDS", default_value = "10", value_parser = values::seconds,
          help_heading = "Global options")]
    pub lock_wait: Duration,
    /// The server of s3:// locations: http://host:port [default: AWS_ENDPOINT_URL, else Amazon's]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub endpoint: Option<String>,
    /// The key of an encrypted archive [default: VECTRA_KEY_FILE, else what VECTRA_KEY_COMMAND prints]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub key_file: Option<PathBuf>,
    /// Print results and errors as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print results only: no progress, no notes; lists show names alone
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Open a database whose last commit time lies in the future of this machine's clock
    #[arg(long, global = true, help_heading = "Global options")]
    pub accept_clock: bool,
    /// The server that carries the command out, in a server.
    #[arg(skip)]
    pub hosted: Option<Hosted>,
}

/// The server that carries a command out for a client, and where the client stands.
#[derive(Clone)]
pub struct Hosted {
    /// Holds the database.
    pub host: Arc<Host>,
    /// Relative paths begin there.
    pub directory: PathBuf,
    /// The job that it is, if nobody waits for it.
    pub job: Option<Background>,
}

/// A command that nobody waits for.
#[derive(Clone)]
pub struct Background {
    /// Set when it is told to end.
    pub cancelled: Arc<AtomicBool>,
    /// Called once what it works on is fixed: who asked for it is answered then.
    pub begun: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Hosted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hosted for {}", self.directory.display())
    }
}

/// The first word of a command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create, look at, drop, back up and restore collections
    #[command(subcommand, after_long_help = collections::HELP)]
    Collections(CollectionsCommand),
    /// Write vectors from a file into a collection.
    ///
    /// --vectors takes .npy (<f4, <f2 or |u1, two dimensions, C order), .fvecs, .bvecs or .fbin; the id of
    /// a point is its row number, or its row in --ids. --jsonl takes lines
    /// {"id":1,"vector":[0.1,0.2],"payload":{"lang":"en"}}, with {"name":[..]} as vector where they are named.
    /// Every batch is written whole or not at all, and running the same import again changes nothing.
    /// With --json an `ack` line is printed after each durable batch.
    #[command(verbatim_doc_comment)]
    Import(ImportArgs),
    /// Write all points of a collection as JSON lines.
    ///
    /// One line a point, as `vectra import --jsonl` takes them: id, vector, payload.
    /// All lines belong to one moment, whatever is written meanwhile.
    Export(ExportArgs),
    /// Find the nearest points of query vectors.
    ///
    /// One result a query, nearest first; equal scores are ordered by id. Without --recall, --ef and
    /// --exact the collection chooses. The filter is the JSON of Qdrant: must, should, must_not, min_should over
    /// match, range, geo areas, values_count, is_empty, is_null, has_id, has_vector, nested and slice.
    Search(SearchArgs),
    /// Serve the database over HTTP, with a Qdrant-compatible REST API.
    ///
    /// Prints `listening on URL` on stderr when it is ready. The database is this server's as long as it runs: its
    /// indexes are kept up in the background.
    #[command(after_long_help = serve::HELP)]
    Serve(ServeArgs),
    /// Look at what a server is told here, by flags, variables and the configuration file
    #[command(subcommand, after_long_help = config::HELP)]
    Config(ConfigCommand),
    /// Look at what a server works on for commands without --wait
    #[command(subcommand, after_long_help = jobs::HELP)]
    Jobs(JobsCommand),
    /// Back up and drill again and again, by themselves
    #[command(subcommand, after_long_help = schedules::HELP)]
    Schedules(SchedulesCommand),
    /// Read and write single points
    #[command(subcommand, after_long_help = points::HELP)]
    Points(PointsCommand),
    /// Bring collections back: from a backup, or to any moment of an archive.
    ///
    /// Exactly the writes that were committed until then, with the search index; nothing of it is visible before it is
    /// durable and has answered. The output states position, time, the next write that was left out, and what is known
    /// of writes that are missing.
    Restore(RestoreArgs),
    /// Archive collections continuously, check archives, and delete what need not be kept
    #[command(subcommand, after_long_help = archive::HELP)]
    Archive(ArchiveCommand),
    /// Try restores before they are needed, and keep the reports
    #[command(subcommand, after_long_help = drill::HELP)]
    Drill(DrillCommand),
    /// How this deployment stands against its goals, and the plan for the day it is needed
    #[command(subcommand, after_long_help = dr::HELP)]
    Dr(DrCommand),
    /// Find out whether an archive's store does what archives need
    #[command(subcommand, after_long_help = DOCTOR_HELP)]
    Doctor(DoctorCommand),
    /// Check the local files of a collection, and repair them from its archive.
    ///
    /// Every sealed log file and every object is read and compared with the hash that was written with it.
    Scrub(ScrubArgs),
    /// Second names of collections, switched atomically
    #[command(subcommand, after_long_help = aliases::HELP)]
    Aliases(AliasesCommand),
    /// Measure recall and speed on your own data
    #[command(subcommand, after_long_help = bench::HELP)]
    Bench(BenchCommand),
    /// Run the main job once: create, search, back up, drop, restore, compare.
    ///
    /// Works in a temporary folder on real embeddings that come with the program, prints each step as the command
    /// that a user would type, with times and sizes, and leaves nothing behind. --points runs the same on
    /// generated data of any size.
    Demo(DemoArgs),
    /// Print the version and the distance kernels in use
    #[command(after_long_help = VERSION_HELP)]
    Version,
    /// Print a completion script for a shell
    #[command(after_long_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write a page for each command
    #[command(after_long_help = MAN_HELP)]
    Man {
        /// A directory to write all pages to, one file a command
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

const DOCTOR_HELP: &str = "\
Example:
  vectra doctor archive s3://bucket/vectra

Exit codes: 0 the store does what archives need, 1 it does not, 7 unreachable or access denied";

/// The second word of `vectra doctor`.
#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// Try what an archive needs of its store: conditional puts, races, rights, clocks
    #[command(after_long_help = DOCTOR_HELP)]
    Archive {
        /// Where the archive is, or will be
        #[arg(value_name = "URL", value_parser = values::location)]
        url: String,
    },
}

/// What is to be checked, and repaired from where.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra scrub docs
  vectra scrub docs --source s3://bucket/vectra

Exit codes: 0 unharmed or repaired, 3 no such collection, 4 locked, 5 rotten and not repaired (names file and offset)")]
pub struct ScrubArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Where to repair from [default: where the collection is archived to]
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub source: Option<String>,
}

const VERSION_HELP: &str = "\
VECTRA_SIMD=scalar|avx2|avx512|neon forces one set of kernels; all of them give the same ids.

Example:
  vectra version --json

Exit codes: 0 done, 2 VECTRA_SIMD names kernels that this machine does not have";

const MAN_HELP: &str = "\
Examples:
  vectra man | man -l -
  vectra man --output /usr/local/share/man/man1

Exit codes: 0 done, 1 the directory cannot be written";

const COMPLETIONS_HELP: &str = "\
Example:
  vectra completions bash > ~/.local/share/bash-completion/completions/vectra

Exit codes: 0 done, 2 unknown shell";

#[cfg(test)]
mod packaging;
#[cfg(test)]
mod tests;
