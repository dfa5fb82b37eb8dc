//! One schedule: what is done again and again, when, and the command lines that do it.

use engine::schema::check_name;
use engine::{Error, ErrorKind, Result};
use pitr::archive::retention::Policy;
use pitr::schedule::{Schedule, ScheduledBackup, Template};
use serde::{Deserialize, Serialize};

/// What a schedule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Backs a collection up, and lets go of what the rules do not keep.
    Backup,
    /// Tries a restore.
    Drill,
}

impl ScheduleKind {
    /// Names it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ScheduleKind::Backup => "backup",
            ScheduleKind::Drill => "drill",
        }
    }
}

/// Which backups stay at the destination, as `vectra archive prune` has it. Without any rule all of them do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Every moment of this long stays restorable, where the destination is archived to continuously too.
    pub keep_window: Option<String>,
    /// The newest so many full backups.
    pub keep_full: Option<u32>,
    /// The newest backup of each of the last so many days.
    pub keep_daily: Option<u32>,
    /// The same of weeks.
    pub keep_weekly: Option<u32>,
    /// The same of months.
    pub keep_monthly: Option<u32>,
}

impl Keep {
    /// Says whether there is any rule.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self != Keep::default()
    }

    fn counts(&self) -> [(&'static str, Option<u32>); 4] {
        [("full", self.keep_full), ("daily", self.keep_daily), ("weekly", self.keep_weekly), ("monthly", self.keep_monthly)]
    }
}

/// A schedule as somebody set it up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleEntry {
    /// Its name, by which it is known among the schedules.
    pub name: String,
    /// What it does.
    pub kind: ScheduleKind,
    /// The collection.
    pub collection: String,
    /// Where backups go, with fields of time; or where a drill restores from.
    pub location: String,
    /// An interval; this or a calendar.
    pub every: Option<String>,
    /// A calendar.
    pub cron: Option<String>,
    /// The zone that the calendar is meant in.
    pub timezone: Option<String>,
    /// Which backups stay.
    #[serde(default)]
    pub keep: Keep,
    /// Which state a drill restores.
    pub to_time: Option<String>,
    /// The recall that a drill asks for.
    pub recall_min: Option<f64>,
    /// The line of the configuration file that says it; `None`: a command set it up.
    pub origin: Option<String>,
}

impl ScheduleEntry {
    /// Begins with a schedule that nothing but the place is known of.
    #[must_use]
    pub fn new(kind: ScheduleKind, collection: String, location: String) -> Self {
        ScheduleEntry {
            name: format!("{}-{collection}", kind.word()),
            kind,
            collection,
            location,
            every: None,
            cron: None,
            timezone: None,
            keep: Keep::default(),
            to_time: None,
            recall_min: None,
            origin: None,
        }
    }

    /// Says when it is due.
    ///
    /// # Errors
    /// `Usage` when there is neither an interval nor a calendar, both, or one that does not read.
    pub fn schedule(&self) -> Result<Schedule> {
        match (&self.every, &self.cron) {
            (Some(every), None) if self.timezone.is_none() => Schedule::every(every),
            (Some(_), None) => Err(self.wrong("an interval has no zone").with_hint("a calendar has: give it with cron instead of every")),
            (None, Some(cron)) => Schedule::cron(cron, self.timezone.as_deref()),
            (Some(_), Some(_)) => Err(self.wrong("a schedule has an interval or a calendar, and not both")),
            (None, None) => Err(self.wrong("a schedule says when it is due").with_hint("give every or cron")),
        }
    }

    /// Checks that it can be carried out, as far as it says itself.
    ///
    /// # Errors
    /// `Usage` or `InvalidInput` saying what is wrong.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        check_name(&self.collection)?;
        let schedule = self.schedule()?;
        match self.kind {
            ScheduleKind::Backup => self.backup(schedule).map(drop),
            ScheduleKind::Drill if self.keep.is_any() => Err(self.wrong("a drill keeps nothing")),
            ScheduleKind::Drill => Ok(()),
        }
    }

    /// Gives the command lines for a moment: the first does the work, those behind it only follow its success.
    ///
    /// # Errors
    /// Those of [`ScheduleEntry::check`].
    pub fn lines(&self, moment: u64) -> Result<Vec<Vec<String>>> {
        if self.kind == ScheduleKind::Drill {
            let mut line = words(["drill", "run", &self.collection]);
            line.push(format!("--source={}", self.location));
            line.extend(self.to_time.iter().map(|time| format!("--to-time={time}")));
            line.extend(self.recall_min.iter().map(|share| format!("--recall-min={share}")));
            return Ok(vec![line]);
        }
        let (destination, id) = self.backup(self.schedule()?)?.target(moment);
        let mut backup = words(["collections", "backup", &self.collection]);
        backup.extend([format!("--destination={destination}"), format!("--snapshot-id={id}"), "--wait".to_owned()]);
        let mut lines = vec![backup];
        if self.keep.is_any() {
            let mut prune = words(["archive", "prune", &destination, "--wait"]);
            prune.extend(self.keep.keep_window.iter().map(|window| format!("--keep-window={window}")));
            prune.extend(self.keep.counts().iter().filter_map(|(what, count)| count.map(|count| format!("--keep-{what}={count}"))));
            lines.push(prune);
        }
        Ok(lines)
    }

    /// Says when it is due, in the words that set it up: another schedule begins anew.
    #[must_use]
    pub fn when(&self) -> String {
        let zone = self.timezone.as_ref().map(|zone| format!(" {zone}")).unwrap_or_default();
        match (&self.every, &self.cron) {
            (Some(every), _) => format!("every {every}"),
            (None, Some(cron)) => format!("at \"{cron}\"{zone}"),
            (None, None) => "never".to_owned(),
        }
    }

    fn backup(&self, schedule: Schedule) -> Result<ScheduledBackup> {
        let count = |count: Option<u32>| count.map(|count| count as usize);
        let keep = Policy {
            // How long does not matter here: only that there is a rule.
            keep_window: self.keep.keep_window.as_ref().map(|_| 0),
            keep_full: count(self.keep.keep_full),
            keep_daily: count(self.keep.keep_daily),
            keep_weekly: count(self.keep.keep_weekly),
            keep_monthly: count(self.keep.keep_monthly),
        };
        ScheduledBackup::new(self.collection.clone(), Template::parse(&self.location)?, schedule, keep)
    }

    fn wrong(&self, message: &str) -> Error {
        Error::new(ErrorKind::Usage, message).with_object(&self.name)
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}
