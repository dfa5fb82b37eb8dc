//! The grammar of `vectra drill`.

use super::values;
use crate::time::{Moment, parse_moment};
use clap::{Args, Subcommand};
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Examples:
  vectra drill run docs --source s3://bucket/vectra --to-time random
  vectra drill history
  vectra drill tabletop --scenario region-lost --participants Ada,Grace

Exit codes: 0 done, 1 a drill found a difference, 2 usage, 3 not found, 4 another drill runs";

const HISTORY_HELP: &str = "\
With --json one report a line.

Example:
  vectra drill history --json

Exit codes: 0 done, 1 other failure";

const SHOW_HELP: &str = "\
Example:
  vectra drill show 20261120T100000Z-1a2b3c4d

Exit codes: 0 done, 3 no such report";

/// The second word of `vectra drill`.
#[derive(Debug, Subcommand)]
pub enum DrillCommand {
    /// Restore to a scratch place, compare, measure, clean up, and report.
    ///
    /// Counts, a digest of all ids, vectors and payloads, answers that were recorded when the state was saved, a second
    /// reading of the source (or the collection here, where it stands at the same position), and recall against exact
    /// search. What it needs lies below the data directory while it runs, and is removed also when it fails; reports stay
    /// in `drills/` there, as JSON and as Markdown. No collection of the database is touched.
    Run(DrillRun),
    /// Run a drill again and again, or change how
    Schedule(super::DrillSchedule),
    /// List the reports, newest first
    #[command(after_long_help = HISTORY_HELP)]
    History,
    /// Print a report
    #[command(after_long_help = SHOW_HELP)]
    Show {
        /// Its id
        #[arg(value_parser = values::name)]
        id: String,
    },
    /// Print a scenario with this deployment's commands, and record who went through it
    Tabletop(DrillTabletop),
}

/// Which state a drill restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillTime {
    /// A moment that can be restored, drawn at random.
    Random,
    /// What was archived last.
    Latest,
    /// A given moment.
    At(Moment),
}

pub(super) fn parse_time(text: &str) -> Result<DrillTime, String> {
    match text {
        "random" => Ok(DrillTime::Random),
        "latest" => Ok(DrillTime::Latest),
        _ => parse_moment(text).map(DrillTime::At).map_err(|expected| format!("{expected}; or \"random\", or \"latest\"")),
    }
}

fn parse_report(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("md") => Err(format!("{text:?} is where the Markdown goes; name the JSON, such as report.json")),
        _ if path.file_name().is_none() => Err(format!("expected a file, got {text:?}")),
        _ => Ok(path),
    }
}

/// What is tried.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra drill run docs --source /mnt/backups/docs
  vectra drill run docs --source s3://bucket/vectra --to-time random --report drill.json
  vectra drill run docs --source s3://bucket/vectra --to-time now-2h --json

Exit codes: 0 everything is what it has to be, 1 something is not (the report says what), 2 usage,
            3 no such backup or name in it, or a time outside the recovery window,
            4 the scratch name exists, or another drill runs, 5 corrupt, 6 incomplete,
            7 unreachable or access denied, 130 interrupted; a report is kept in each case from 3 on
            in which the source was found")]
pub struct DrillRun {
    /// The collection's name in the source
    #[arg(value_parser = values::name)]
    pub name: String,
    /// Where the backup or archive is
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// The state: RFC 3339 with an offset, now-5m, random, or latest [default: what a restore takes: the newest backup]
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub to_time: Option<DrillTime>,
    /// Write the report here too, as JSON; the Markdown goes beside it
    #[arg(long, value_name = "FILE", value_parser = parse_report)]
    pub report: Option<PathBuf>,
    /// What the collection is called meanwhile; never a name that exists
    #[arg(long, value_name = "NAME", value_parser = values::new_name)]
    pub scratch_name: Option<String>,
    /// The share of the nearest neighbours that searches have to find
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = values::recall)]
    pub recall_min: engine::collection::TargetRecall,
    /// Where a parent of the backup is now; may be given many times
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub parent: Vec<String>,
}

/// Which scenario, and who went through it.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Without --scenario the scenarios are listed, and nothing is recorded.

Examples:
  vectra drill tabletop
  vectra drill tabletop --scenario dropped --participants Ada,Grace \\
      --notes 'nobody knew who may drop'

Exit codes: 0 done, 3 no such scenario")]
pub struct DrillTabletop {
    /// The scenario
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    pub scenario: Option<String>,
    /// Who took part
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "scenario")]
    pub participants: Vec<String>,
    /// What the table found
    #[arg(long, value_name = "TEXT", requires = "scenario")]
    pub notes: Option<String>,
    /// The collection that the scenario is about [default: the first that is archived]
    #[arg(long, value_name = "NAME", requires = "scenario", value_parser = values::name)]
    pub collection: Option<String>,
}
