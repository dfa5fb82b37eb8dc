//! The words of `vectra jobs`.

use super::values;
use clap::Subcommand;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  vectra jobs list
  vectra jobs status 00c0ffee00c0ffee
  vectra jobs wait 00c0ffee00c0ffee --timeout 600
  vectra jobs cancel 00c0ffee00c0ffee

Exit codes: 0 done, 3 no such job, 4 the job has ended (cancel), 124 --timeout ran out;
            wait: the exit code of what the job did";

/// The second word of `vectra jobs`.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List jobs, the newest first
    #[command(after_long_help = HELP)]
    List,
    /// Show a job
    #[command(after_long_help = HELP)]
    Status {
        /// The id that the command printed
        #[arg(value_name = "ID")]
        job: String,
    },
    /// Wait until a job has ended, and show it
    #[command(after_long_help = HELP)]
    Wait {
        /// The id that the command printed
        #[arg(value_name = "ID")]
        job: String,
        /// Stop waiting after this long, with exit code 124; the job goes on
        #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
        timeout: Option<Duration>,
    },
    /// Tell a job to end
    #[command(after_long_help = HELP)]
    Cancel {
        /// The id that the command printed
        #[arg(value_name = "ID")]
        job: String,
    },
}
