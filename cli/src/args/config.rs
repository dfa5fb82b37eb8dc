//! The grammar of `vectra config`.

use super::ServeArgs;
use clap::{Args, Subcommand};

pub(super) const HELP: &str = "\
Examples:
  vectra config show --origin
  vectra config check --config /etc/vectra.toml

Exit codes: 0 done, 2 a value is not what it has to be (the message names file, line and key)";

/// The second word of `vectra config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print what \"vectra serve\" would do with the same flags, as a configuration file.
    ///
    /// Keys of the API are never printed: it says that they are set.
    Show(ConfigShow),
    /// Check a configuration file, and say what is probably a mistake
    #[command(after_long_help = HELP)]
    Check(ServeArgs),
}

/// What is shown.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  vectra config show
  vectra config show --origin --config /etc/vectra.toml --listen 0.0.0.0:6333
  vectra config show --json

Exit codes: 0 done, 2 a value is not what it has to be (the message names file, line and key)")]
pub struct ConfigShow {
    /// Say of each value where it comes from: a flag, a variable, a line of the file, or nowhere
    #[arg(long)]
    pub origin: bool,
    /// The flags of \"vectra serve\".
    #[command(flatten)]
    pub serve: ServeArgs,
}
