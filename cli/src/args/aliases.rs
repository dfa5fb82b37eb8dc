//! The grammar of `vectra aliases`.

use super::values;
use clap::Subcommand;

pub(super) const HELP: &str = "\
Example:
  vectra aliases set live docs_restored

Exit codes: 0 done, 2 usage, 3 not found, 4 the name is taken, or locked";

const LIST_HELP: &str = "\
Example:
  vectra aliases list --json

Exit codes: 0 done, 1 other failure";

const SET_HELP: &str = "\
Readers of the alias see the old collection or the new one, never neither.

Example:
  vectra aliases set live docs_restored

Exit codes: 0 done, 3 no such collection, 4 a collection has this name, or locked";

const DELETE_HELP: &str = "\
Example:
  vectra aliases delete live

Exit codes: 0 done, 3 no such alias, 4 locked";

/// The second word of `vectra aliases`.
#[derive(Debug, Subcommand)]
pub enum AliasesCommand {
    /// List the aliases and what they stand for
    #[command(after_long_help = LIST_HELP)]
    List,
    /// Make an alias, or switch it to another collection
    #[command(after_long_help = SET_HELP)]
    Set {
        /// The alias
        #[arg(value_parser = values::new_name)]
        alias: String,
        /// The collection it stands for
        #[arg(value_parser = values::name)]
        name: String,
    },
    /// Delete an alias; the collection stays
    #[command(after_long_help = DELETE_HELP)]
    Delete {
        /// The alias
        #[arg(value_parser = values::name)]
        alias: String,
    },
}
