//! The grammar of `vectra collections`, apart from backup and restore.

use super::index::{self, IndexCommand, IndexSettings, UpdateArgs};
use super::values::{self, Datatype, Distance, VectorSpec};
use super::{AsOfArgs, BackupArgs, RestoreArgs};
use crate::time::{Moment, parse_moment};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::time::Duration;

pub(super) const HELP: &str = "\
Example:
  vectra collections list

Exit codes: 0 done, 2 usage, 3 no such collection, 4 exists already or locked";

const FORK_HELP: &str = "\
Example:
  vectra collections fork docs

Exit codes: 0 done, 3 not archived, 4 nothing diverged, or locked, 7 unreachable or access denied";

const LIST_HELP: &str = "\
One line a collection, beginning with its name: `products (contains vectors and metadata)`,
`(contains vectors)`, `(empty)`, or its state when it is not ready. -q prints the names alone.
No collection: nothing is printed and the exit code is 0.

Example:
  vectra collections list --json

Exit codes: 0 done, 1 other failure";

const INFO_HELP: &str = "\
Example:
  vectra collections info docs --json

Exit codes: 0 done, 3 no such collection, 5 a file of it is corrupt";

const PURGE_HELP: &str = "\
Dropped collections keep their files until an archive has them, or for 24 hours without one.
This gives the space back now; it cannot be undone.

Example:
  vectra collections purge --yes

Exit codes: 0 done, 4 locked, or stdin is no terminal and --yes is missing";

const UNDROP_HELP: &str = "\
Example:
  vectra collections undrop docs

Exit codes: 0 done, 3 nothing dropped under this name is left, 4 the name is taken, or locked";

/// The second word of `vectra collections`.
#[derive(Debug, Subcommand)]
pub enum CollectionsCommand {
    /// Create an empty collection.
    ///
    /// Give --dim for one unnamed vector a point, or --vector once for each named one.
    Create(CreateArgs),
    /// Change how vectors are indexed.
    ///
    /// One durable change of the schema; indexes that were built otherwise are built anew, and searches go on meanwhile.
    Update(UpdateArgs),
    /// Print or change how vectors and fields are indexed, as a file
    #[command(subcommand, after_long_help = index::HELP)]
    Index(IndexCommand),
    /// Show the schema, the sizes and the segments of a collection
    #[command(after_long_help = INFO_HELP)]
    Info(NameArg),
    /// List the collections of the database
    #[command(after_long_help = LIST_HELP)]
    List,
    /// Count the live points of a collection, exactly.
    ///
    /// Prints the number and a newline, nothing else.
    Count(CountArgs),
    /// Drop a collection; backups of it are not touched.
    ///
    /// Never asks. Its files stay until an archive has them, or for 24 hours without one:
    /// `vectra collections undrop` brings it back until then. --purge frees the space at once.
    Drop(DropArgs),
    /// Free the space of dropped collections now
    #[command(after_long_help = PURGE_HELP)]
    Purge {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Bring back the collection that was last dropped under a name
    #[command(after_long_help = UNDROP_HELP)]
    Undrop(NameArg),
    /// Index a payload field, so that filters on it are fast
    FieldIndex(FieldIndexArgs),
    /// Bring what is still in an archive, build the graphs of everything that has none yet, and merge segments
    Optimize(OptimizeArgs),
    /// Back up a collection, or look at and verify backups.
    ///
    /// The backup holds the exact prefix of acknowledged writes at one moment: vectors, payloads, ids,
    /// deletes, schema, aliases and the search index. Writers keep running.
    /// When the destination already has history of this collection, only what is new is sent.
    /// The same --snapshot-id again: an unfinished attempt is resumed, a complete one is refused.
    Backup(BackupArgs),
    /// Make another collection out of one as it was at some time.
    ///
    /// The log of the branch stays in the archive, which keeps it for as long as the branch lives: making one takes the
    /// time that its index takes. It is a collection like any other, and what is written to it is in no other.
    Branch(BranchArgs),
    /// Bring a collection back from a backup.
    ///
    /// NAME is the name inside the backup. The search index is loaded, not rebuilt. The collection
    /// appears whole or not at all, and nothing is written when the name is taken.
    /// Without --snapshot-id the newest backup is taken; if that one is incomplete, the command
    /// says so and names the newest complete one.
    Restore(RestoreArgs),
    /// Go on in a history of its own, after a copy of this database was archived to the same place.
    ///
    /// What both share stays shared; what only this machine wrote is kept, on a new timeline. The old life can be brought
    /// back for 24 hours.
    #[command(after_long_help = FORK_HELP)]
    Fork(NameArg),
}

/// A command that takes one collection.
#[derive(Debug, Clone, Args)]
pub struct NameArg {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
}

/// The schema of a new collection.
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("schema").args(["dim", "vector"]).required(true),
    after_long_help = "\
Examples:
  vectra collections create docs --dim 384 --distance cosine
  vectra collections create items --vector title:384 --vector image:768:euclid:f16
  vectra collections create notes --dim 384 --memory low

Exit codes: 0 done, 2 usage, 4 the name is taken, or the database is locked"
)]
pub struct CreateArgs {
    /// The new collection
    #[arg(value_parser = values::new_name)]
    pub name: String,
    /// Numbers in a vector
    #[arg(long, value_name = "N", value_parser = values::dimension)]
    pub dim: Option<u32>,
    /// How far apart two vectors are
    #[arg(long, value_enum, default_value = "cosine", conflicts_with = "vector")]
    pub distance: Distance,
    /// How a number is stored
    #[arg(long, value_enum, default_value = "f32", conflicts_with = "vector")]
    pub datatype: Datatype,
    /// How the vectors are indexed.
    #[command(flatten)]
    pub settings: IndexSettings,
    /// A named vector; may be given many times
    #[arg(long, value_name = "NAME:DIM[:DISTANCE[:DATATYPE]]")]
    pub vector: Vec<VectorSpec>,
}

/// What is to be counted.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra collections count docs
  vectra collections count docs --filter '{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"en\"}}]}'
  vectra collections count docs --as-of now-1h

Exit codes: 0 done, 1 the filter is not valid, 3 no such collection (and nothing on stdout), or a time
            outside the recovery window, 5 corrupt, 6 incomplete, 7 unreachable or access denied")]
pub struct CountArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Count only the points that match
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
    /// Count in the collection as it was at this time, which is read from its archive: RFC 3339 with an offset, or now-5m
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    pub as_of: Option<Moment>,
    /// Where the past is.
    #[command(flatten)]
    pub past: AsOfArgs,
}

/// What is to be dropped, and how thoroughly.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra collections drop docs
  vectra collections drop docs --if-exists --purge

Exit codes: 0 done, 3 no such collection (0 with --if-exists), 4 locked")]
pub struct DropArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Missing is fine: exit 0
    #[arg(long)]
    pub if_exists: bool,
    /// Free its space at once; it cannot be brought back
    #[arg(long)]
    pub purge: bool,
    /// Taken for scripts that give it everywhere: this command never asks
    #[arg(long)]
    pub yes: bool,
}

/// What a payload field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FieldType {
    /// Text, compared as a whole
    Keyword,
    /// Whole numbers
    Integer,
    /// Numbers
    Float,
    /// true and false
    Bool,
    /// Dates and times, RFC 3339
    Datetime,
    /// UUIDs, compared as they are written
    Uuid,
    /// Text, found by its words
    Text,
    /// Places: {"lat":52.5,"lon":13.4}
    Geo,
}

/// Index a payload field, so that filters on it are fast.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Example:
  vectra collections field-index docs section --type keyword

Exit codes: 0 done, 3 no such collection, 4 the field has an index of another type, or locked")]
pub struct FieldIndexArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// The field; inner fields with dots: author.name
    #[arg(value_parser = values::name)]
    pub field: String,
    /// What it holds
    #[arg(long = "type", value_enum)]
    pub field_type: FieldType,
}

/// Bring what is still in an archive, build the graphs of everything that has none yet, and merge segments.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Example:
  vectra collections optimize docs

Exit codes: 0 done, 3 no such collection, 4 locked, 124 --wait-timeout ran out")]
pub struct OptimizeArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Bring what a branch refers to as well: it needs the archive no more then
    #[arg(long)]
    pub detach: bool,
    /// Stop waiting after this long
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub wait_timeout: Option<Duration>,
}

/// What is to be branched, from when, as what.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra collections branch docs --as-of now-1h --name docs_before
  vectra collections branch docs --name docs_test --source s3://bucket/vectra
  vectra collections drop docs_test

Exit codes: 0 done, 2 usage, 3 no such collection or archive, or a time outside the recovery window,
            4 the name is taken or locked, 5 corrupt, 6 incomplete, 7 unreachable or access denied")]
pub struct BranchArgs {
    /// The collection
    #[arg(value_name = "COLLECTION", value_parser = values::name)]
    pub collection: String,
    /// When: RFC 3339 with an offset, or now-5m [default: the newest state]
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    pub as_of: Option<Moment>,
    /// The branch
    #[arg(long, value_name = "NAME", value_parser = values::new_name)]
    pub name: String,
    /// The archive [default: the one that the collection is archived to]
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub source: Option<String>,
    /// A history that was abandoned by a restore: its timeline
    #[arg(long, value_name = "ID", value_parser = values::timeline)]
    pub timeline: Option<engine::Timeline>,
    /// Where a parent of a backup is now; may be given many times
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub parent: Vec<String>,
    /// Copy everything: the branch needs the archive no more
    #[arg(long)]
    pub detach: bool,
    /// Stop waiting after this long, with exit code 124
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub wait_timeout: Option<Duration>,
}
