//! The grammar of `vectra schedules` and `vectra drill schedule`.

use super::keep::KeepArgs;
use super::values;
use clap::{Args, Subcommand};
use server::schedules::{Keep, ScheduleEntry, ScheduleKind};

pub(super) const HELP: &str = "\
Examples:
  vectra schedules set docs --destination /mnt/backups/docs --every 1h --keep-daily 7
  vectra schedules list
  vectra schedules delete backup-docs

A schedule runs in \"vectra serve\". Those of its configuration file are listed too, and changed there.

Exit codes: 0 done, 2 usage, 3 no such collection or schedule, 4 it is in the configuration file";

const LIST_HELP: &str = "\
With --json one schedule a line.

Examples:
  vectra schedules list
  vectra schedules list --json

Exit codes: 0 done";

const DELETE_HELP: &str = "\
What it backed up stays.

Example:
  vectra schedules delete backup-docs

Exit codes: 0 done, 3 no such schedule, 4 it is in the configuration file";

/// The second word of `vectra schedules`.
#[derive(Debug, Subcommand)]
pub enum SchedulesCommand {
    /// List schedules: when each is due, how its last run ended, and how many it missed
    #[command(after_long_help = LIST_HELP)]
    List,
    /// Back a collection up again and again, or change how.
    ///
    /// A moment that comes while the backup of an earlier one goes on is not run; one that passes while no server runs is
    /// counted and told, and the newest of them is run when a server starts.
    Set(ScheduleSet),
    /// Remove a schedule
    #[command(after_long_help = DELETE_HELP)]
    Delete {
        /// Its name
        #[arg(value_parser = values::name)]
        name: String,
    },
}

/// When a schedule is due, and what it is called.
#[derive(Debug, Clone, Args)]
pub struct WhenArgs {
    /// Between two runs (30s, 15m, 1h, 1d, 1w): at every multiple of it since 1970, UTC
    #[arg(long, value_name = "TIME", required_unless_present = "cron")]
    pub every: Option<String>,
    /// A calendar: minute hour day month weekday, or @hourly, @daily, @weekly, @monthly
    #[arg(long, value_name = "CALENDAR", conflicts_with = "every")]
    pub cron: Option<String>,
    /// The zone of the calendar: UTC, +02:00, or a rule such as CET-1CEST,M3.5.0,M10.5.0/3 [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "cron", allow_hyphen_values = true)]
    pub timezone: Option<String>,
    /// What the schedule is called [default: made from what it does and the collection]
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    pub name: Option<String>,
}

/// What is backed up, when, to where, and what stays.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra schedules set docs --destination /mnt/backups/docs --every 1h \\
      --keep-full 4 --keep-daily 7 --keep-weekly 4
  vectra schedules set docs --destination s3://bucket/docs_%Y%m%d --cron '30 2 * * *' \\
      --timezone +02:00 --name nightly

A destination with fields of time (%Y %m %d %H %M %S %j %F %T %s) is a new place each time: rules for
what stays hold within one place, and are refused there.

Exit codes: 0 done, 2 usage, 3 no such collection, 4 the configuration file has a schedule of this name")]
pub struct ScheduleSet {
    /// The collection
    #[arg(value_parser = values::name)]
    pub collection: String,
    /// Where backups go: a directory or a URL, with fields of time
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub destination: String,
    /// When.
    #[command(flatten)]
    pub when: WhenArgs,
    /// Keep every moment of this long restorable, where the destination is an archive too (1h30m, 7d, 4w)
    #[arg(long, value_name = "TIME", value_parser = length_text)]
    pub keep_window: Option<String>,
    /// Which backups stay.
    #[command(flatten)]
    pub keep: KeepArgs,
}

/// What is drilled, and when.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  vectra drill schedule docs --source s3://bucket/vectra --every 1d --to-time random
  vectra drill schedule docs --source /mnt/backups/docs --cron '0 4 * * sun'

\"vectra schedules list\" shows it, \"vectra schedules delete\" removes it, \"vectra drill history\" has its reports.

Exit codes: 0 done, 2 usage, 3 no such collection, 4 the configuration file has a schedule of this name")]
pub struct DrillSchedule {
    /// The collection's name in the source
    #[arg(value_parser = values::name)]
    pub collection: String,
    /// Where the backup or archive is
    #[arg(long, value_name = "URL", value_parser = values::location)]
    pub source: String,
    /// When.
    #[command(flatten)]
    pub when: WhenArgs,
    /// The state: random, latest, or relative such as now-1h [default: what a restore takes: the newest backup]
    #[arg(long, value_name = "TIME", value_parser = drill_time, allow_hyphen_values = true)]
    pub to_time: Option<String>,
    /// The share of the nearest neighbours that searches have to find [default: 0.95]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub recall_min: Option<f64>,
}

fn length_text(text: &str) -> Result<String, String> {
    values::length(text).map(|_| text.to_owned())
}

fn drill_time(text: &str) -> Result<String, String> {
    super::drill::parse_time(text).map(|_| text.to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    values::recall(text).map(engine::collection::TargetRecall::share)
}

impl WhenArgs {
    fn complete(&self, entry: ScheduleEntry) -> ScheduleEntry {
        ScheduleEntry {
            name: self.name.clone().unwrap_or(entry.name),
            every: self.every.clone(),
            cron: self.cron.clone(),
            timezone: self.timezone.clone(),
            ..entry
        }
    }
}

impl ScheduleSet {
    /// Gives the schedule, with its destination as an absolute one.
    #[must_use]
    pub fn entry(&self, destination: String) -> ScheduleEntry {
        let keep = Keep {
            keep_window: self.keep_window.clone(),
            keep_full: self.keep.keep_full,
            keep_daily: self.keep.keep_daily,
            keep_weekly: self.keep.keep_weekly,
            keep_monthly: self.keep.keep_monthly,
        };
        self.when.complete(ScheduleEntry { keep, ..ScheduleEntry::new(ScheduleKind::Backup, self.collection.clone(), destination) })
    }
}

impl DrillSchedule {
    /// Gives the schedule, with its source as an absolute one.
    #[must_use]
    pub fn entry(&self, source: String) -> ScheduleEntry {
        let entry = ScheduleEntry::new(ScheduleKind::Drill, self.collection.clone(), source);
        self.when.complete(ScheduleEntry { to_time: self.to_time.clone(), recall_min: self.recall_min, ..entry })
    }
}
