//! Backups that make themselves: what is backed up, when, to where, and what of it stays; and which moments were run.

use engine::error::{Error, ErrorKind, Result};
use engine::schema::check_name;
use serde::{Deserialize, Serialize};

use super::{Due, Schedule, Template, Zone};
use crate::archive::layout::snapshot_id_of;
use crate::archive::retention::Policy;

/// A backup that is made again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledBackup {
    /// The collection.
    pub collection: String,
    /// Where it goes.
    pub destination: Template,
    /// When.
    pub schedule: Schedule,
    /// What stays, once a backup was made. Rules are those of [`crate::prune`]: what another backup needs stays, whatever they say.
    pub keep: Policy,
}

impl ScheduledBackup {
    /// Puts one together.
    ///
    /// # Errors
    /// `InvalidInput` when the collection's name cannot be one; `Usage` when there are rules for what stays and each backup goes to a place of its own:
    /// rules hold within one archive.
    pub fn new(collection: String, destination: Template, schedule: Schedule, keep: Policy) -> Result<Self> {
        check_name(&collection)?;
        if destination.has_fields() && (keep.thins_snapshots() || keep.keep_window.is_some()) {
            let error = Error::new(ErrorKind::Usage, "a destination with fields of time is a new archive each time, and keeps everything");
            return Err(error
                .with_object(&collection)
                .with_hint("back up to one destination: what did not change is not sent again there, and the rules hold"));
        }
        Ok(ScheduledBackup { collection, destination, schedule, keep })
    }

    /// Gives the destination and the backup's id for a moment.
    #[must_use]
    pub fn target(&self, moment: u64) -> (String, String) {
        let zone = if let Schedule::Cron(_, zone) = &self.schedule { zone } else { &Zone::UTC };
        (self.destination.fill(moment, zone), snapshot_id_of(&self.collection, moment))
    }
}

/// What a look at a schedule says is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing, until then; `None`: ever again.
    Wait(Option<u64>),
    /// The work for a moment begins; so many moments passed before it without a run, the first of them then.
    Begin {
        /// The moment.
        moment: u64,
        /// Moments that were missed, and the first; told once.
        missed: Option<(u64, u64)>,
    },
    /// A moment came while the work for an earlier one goes on: it is refused, and told once.
    Refused {
        /// The moment that is not run.
        moment: u64,
        /// The moment whose work goes on.
        running: u64,
    },
}

/// Which moments of one schedule were run; kept by whoever runs it, so that a restart runs nothing twice and knows what was missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// The last moment that was begun or refused, or the time at which the schedule was set up.
    pub last: u64,
    /// The moment whose work goes on. A restart ends it.
    #[serde(skip)]
    running: Option<u64>,
}

impl Runs {
    /// Begins with a schedule that was set up at a time: nothing before is missed.
    #[must_use]
    pub fn since(time: u64) -> Self {
        Runs { last: time, running: None }
    }

    /// Looks what is to be done, and remembers it as done.
    pub fn look(&mut self, schedule: &Schedule, now: u64) -> Turn {
        let (moment, missed) = match schedule.due(self.last, now) {
            Due::NotYet(next) => return Turn::Wait(next),
            Due::Run(moment) => (moment, None),
            Due::Missed { moment, count, first } => (moment, Some((count, first))),
        };
        self.last = moment;
        if let Some(running) = self.running {
            return Turn::Refused { moment, running };
        }
        self.running = Some(moment);
        Turn::Begin { moment, missed }
    }

    /// Notes that the work for a moment is over, however it ended.
    ///
    /// # Panics
    /// When no work goes on for that moment.
    pub fn end(&mut self, moment: u64) {
        assert_eq!(self.running.take(), Some(moment), "what ends was begun");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000;

    fn hourly() -> Schedule {
        Schedule::every("1h").unwrap()
    }

    #[test]
    fn what_still_runs_refuses_the_next_moment_once_and_lets_the_one_after_its_end_begin() {
        let (schedule, mut runs) = (hourly(), Runs::since(10 * HOUR));
        assert_eq!(runs.look(&schedule, 10 * HOUR + 1), Turn::Wait(Some(11 * HOUR)));
        assert_eq!(runs.look(&schedule, 11 * HOUR), Turn::Begin { moment: 11 * HOUR, missed: None });
        assert_eq!(runs.look(&schedule, 11 * HOUR + 5), Turn::Wait(Some(12 * HOUR)));
        assert_eq!(runs.look(&schedule, 12 * HOUR + 5), Turn::Refused { moment: 12 * HOUR, running: 11 * HOUR });
        assert_eq!(runs.look(&schedule, 12 * HOUR + 6), Turn::Wait(Some(13 * HOUR)), "it is told once");
        runs.end(11 * HOUR);
        assert_eq!(runs.look(&schedule, 13 * HOUR), Turn::Begin { moment: 13 * HOUR, missed: None });
    }

    #[test]
    fn a_restart_runs_nothing_twice_and_tells_what_was_missed_meanwhile() {
        let (schedule, mut runs) = (hourly(), Runs::since(10 * HOUR));
        assert_eq!(runs.look(&schedule, 11 * HOUR), Turn::Begin { moment: 11 * HOUR, missed: None });
        let kept = serde_json::to_string(&runs).unwrap();
        let mut again: Runs = serde_json::from_str(&kept).unwrap();
        assert_eq!(again.look(&schedule, 11 * HOUR + 9), Turn::Wait(Some(12 * HOUR)));
        assert_eq!(again.look(&schedule, 15 * HOUR), Turn::Begin { moment: 15 * HOUR, missed: Some((3, 12 * HOUR)) });
        again.end(15 * HOUR);
        assert_eq!(again.look(&schedule, 15 * HOUR), Turn::Wait(Some(16 * HOUR)));
    }

    #[test]
    fn a_backup_has_its_place_and_its_id_from_its_moment() {
        let nightly = Schedule::cron("30 2 * * *", Some("+02:00")).unwrap();
        let to = |text: &str, keep| ScheduledBackup::new("products".to_owned(), Template::parse(text).unwrap(), nightly.clone(), keep);
        let backup = to("s3://b/products_%Y%m%d", Policy::default()).unwrap();
        // 00:30 UTC on 2026-11-21.
        let moment = crate::time_text::parse("2026-11-21T00:30:00.000000Z").unwrap();
        assert_eq!(backup.target(moment), ("s3://b/products_20261121".to_owned(), "products-20261121T003000".to_owned()));
        let keep = Policy { keep_daily: Some(7), ..Policy::default() };
        assert_eq!(to("s3://b/products_%d", keep).unwrap_err().kind, ErrorKind::Usage);
        assert!(to("s3://b/100%%", keep).is_ok());
        let bad = ScheduledBackup::new("../x".to_owned(), Template::parse("/b").unwrap(), hourly(), keep);
        assert_eq!(bad.unwrap_err().kind, ErrorKind::InvalidInput);
    }
}
