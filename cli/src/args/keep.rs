//! The options that say which backups stay, of `vectra archive prune` and of a schedule.

use clap::Args;

/// Which backups stay.
#[derive(Debug, Clone, Args)]
pub struct KeepArgs {
    /// Keep the newest N full backups, with those that build on them
    #[arg(long, value_name = "N")]
    pub keep_full: Option<u32>,
    /// Keep the newest backup of each of the last N days
    #[arg(long, value_name = "N")]
    pub keep_daily: Option<u32>,
    /// Keep the newest backup of each of the last N weeks
    #[arg(long, value_name = "N")]
    pub keep_weekly: Option<u32>,
    /// Keep the newest backup of each of the last N months
    #[arg(long, value_name = "N")]
    pub keep_monthly: Option<u32>,
}
