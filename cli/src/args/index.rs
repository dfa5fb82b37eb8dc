//! The grammar of index settings: at creation, changed later, and as a file of their own.

use super::SettleArgs;
use super::values::{self, IndexKind, Memory};
use clap::{ArgGroup, Args, Subcommand};
use engine::schema::VectorConfig;
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Examples:
  vectra collections index export docs --output index.json
  vectra collections index import docs index.json

Exit codes: 0 done, 1 the configuration is not valid, 3 no such collection, 4 locked";

/// How vectors are indexed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct IndexSettings {
    /// What kind of index is built [default: hnsw, or what goes with --memory]
    #[arg(long, value_enum)]
    pub index: Option<IndexKind>,
    /// What searches may keep in memory [default: fast, or what goes with --index]
    #[arg(long, value_enum)]
    pub memory: Option<Memory>,
    /// Neighbours of a point in the upper levels of a graph; twice as many in the lowest [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=128))]
    pub m: Option<u32>,
    /// Candidates while a graph is built: more is slower to build and finds more [default: 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub ef_construction: Option<u32>,
}

impl IndexSettings {
    /// Gives what is to be changed for a vector.
    #[must_use]
    pub fn of_vector(&self, name: &str) -> VectorConfig {
        VectorConfig {
            name: name.to_owned(),
            kind: self.index.map(IndexKind::in_schema),
            memory: self.memory.map(Memory::in_schema),
            m: self.m,
            ef_construction: self.ef_construction,
            seed: None,
        }
    }
}

/// What is to be changed of the indexes of a collection.
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("change").args(["index", "memory", "m", "ef_construction"]).required(true).multiple(true),
    after_long_help = "\
Examples:
  vectra collections update docs --memory low
  vectra collections update items --vector image --index hnsw --m 24 --ef-construction 200

Exit codes: 0 done, 1 settings that do not go together, 2 usage, 3 no such collection, 4 locked,
            124 --wait-timeout ran out, 130 interrupted"
)]
pub struct UpdateArgs {
    /// The collection
    #[arg(value_parser = values::name)]
    pub name: String,
    /// The vector that is meant [default: every vector]
    #[arg(long, value_name = "VECTOR", value_parser = values::name)]
    pub vector: Option<String>,
    /// The settings.
    #[command(flatten)]
    pub settings: IndexSettings,
    /// Whether to wait for the index.
    #[command(flatten)]
    pub settle: SettleArgs,
}

/// The third word of `vectra collections index`.
#[derive(Debug, Subcommand)]
pub enum IndexCommand {
    /// Print how the vectors and fields of a collection are indexed, as JSON
    #[command(after_long_help = HELP)]
    Export {
        /// The collection
        #[arg(value_parser = values::name)]
        name: String,
        /// A file to write instead [default: stdout]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Index a collection as a file says.
    ///
    /// Everything is checked first, then written as one change. What is left out of the file stays as it is. Indexes that
    /// were built otherwise are built anew; searches go on meanwhile.
    #[command(after_long_help = HELP)]
    Import {
        /// The collection
        #[arg(value_parser = values::name)]
        name: String,
        /// What `vectra collections index export` wrote, or a part of it
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Whether to wait for the index.
        #[command(flatten)]
        settle: SettleArgs,
    },
}

impl IndexCommand {
    /// Gives how a command waits.
    #[must_use]
    pub fn settle(&self) -> Option<SettleArgs> {
        match self {
            Self::Export { .. } => None,
            Self::Import { settle, .. } => Some(*settle),
        }
    }
}
