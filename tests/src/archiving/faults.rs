//! What goes wrong: the machine's power, its syncs and its clock, the archive's power, the link between them, and machines that are lost.

use engine::ErrorKind;
use platform::fs::{CrashKeep, SimDisk, SyncFault};
use platform::object_store::faulty::Rates;
use platform::sim::SimWorld;

use super::driver::{Driver, Place};
use super::life::Names;
use crate::model::{difference, seen};
use crate::simulate::check::read_all;
use crate::simulate::driver::Check;

const HOUR: i64 = 3_600_000_000;
const YEAR: i64 = 365 * 24 * HOUR;

impl Driver {
    /// Lets something go wrong soon.
    pub(super) fn trouble(&mut self) -> Check {
        match self.stream.below(12) {
            0..3 => self.plan_cut(30),
            3 => self.cut(),
            4..6 => {
                self.note("the link is down");
                let after = self.stream.below(12);
                self.place.link.go_down_after(Some(after));
                self.armed.link = true;
            }
            6 | 7 => {
                self.note("the link is bad");
                self.place.link.set_rates(Rates { error_before: 60, lost_reply: 60, truncated_get: 40 });
                (self.armed.link, self.armed.short) = (true, true);
            }
            8 | 9 if !self.armed.power => {
                let n = 1 + self.stream.below(25);
                self.note(format!("planned a power cut of the archive at change {n} from now"));
                self.place.disk.crash_after_ops(Some(n));
                self.armed.archive_power = true;
            }
            _ => self.step_clock(),
        }
        Ok(())
    }

    /// Sets the wall clock back by an hour, or forward by an hour or a year.
    fn step_clock(&mut self) {
        let step = match self.stream.below(4) {
            0 if self.years < 3 => YEAR,
            1 => HOUR,
            _ => -HOUR,
        };
        self.years += u64::from(step == YEAR);
        self.note(format!("the wall clock is set by {} s", step / 1_000_000));
        self.machine.clock.step_wall(step);
        self.armed.clock = false;
        self.done.clock_steps += 1;
    }

    /// Plans a power cut for somewhere in the next changes of the machine's disk.
    pub(super) fn plan_cut(&mut self, within: u64) {
        if self.armed.archive_power {
            return;
        }
        let n = 1 + self.stream.below(within);
        self.note(format!("planned a power cut at change {n} from now"));
        self.machine.disk.crash_after_ops(Some(n));
        self.armed.power = true;
    }

    /// Cuts the power or kills the process; the process is gone.
    pub(super) fn cut(&mut self) {
        let keep = [CrashKeep::Nothing, CrashKeep::Everything, CrashKeep::Random][self.stream.below(3) as usize];
        self.note(format!("power cut keeping {keep:?}"));
        self.machine.disk.crash_after_ops(None);
        self.machine.disk.crash_keeping(keep);
        self.machine.disk.fail_syncs(SyncFault::None);
        self.forget();
        self.done.crashes.0 += 1;
        (self.armed.power, self.armed.syncs) = (false, false);
    }

    /// Drops every handle.
    pub(super) fn forget(&mut self) {
        self.archiver = None;
        self.open.clear();
        self.database = None;
    }

    /// Gives the archive's disk its power back; what it had not synced is lost.
    pub(super) fn revive_archive(&mut self) {
        self.note("the archive lost power");
        self.place.disk.crash_after_ops(None);
        self.place.disk.crash();
        self.done.crashes.1 += 1;
        let seed = self.stream.next_u64();
        self.place = Place::open(self.place.disk.clone(), self.place.root.clone(), seed);
        self.archiver = None;
        (self.armed.archive_power, self.armed.link, self.armed.short) = (false, false, false);
    }

    /// Ends every fault of the archive and of the way to it.
    pub(super) fn heal_archive(&mut self) {
        if self.armed.archive_power {
            self.revive_archive();
        }
        self.place.link.set_rates(Rates::default());
        self.place.link.go_down_after(None);
        (self.armed.link, self.armed.short) = (false, false);
    }

    /// Ends every fault; where the power may be gone already, the process is.
    pub(super) fn heal(&mut self) {
        self.heal_archive();
        if self.armed.power || self.armed.syncs {
            self.cut();
        }
    }

    /// Writes while syncs fail. The process goes on with what it knows to be durable: it archives that, and ends.
    pub(super) fn write_unsynced(&mut self, life: usize) -> Check {
        self.note("the next sync fails");
        self.machine.disk.fail_syncs(SyncFault::Once);
        self.armed.syncs = true;
        self.write(life)?;
        self.machine.disk.fail_syncs(SyncFault::None);
        if self.database.is_none() || self.pending.is_none() {
            self.armed.syncs = self.database.is_some() && self.armed.syncs;
            return Ok(());
        }
        if self.stream.chance(3, 4) {
            self.plan_cut(4);
            self.pass(pitr::archiver::Mode::Running)?;
        }
        if self.database.is_some() {
            self.cut();
        }
        if self.stream.chance(1, 2) && !self.armed.archive_power {
            self.note("the link is down");
            self.place.link.go_down_after(Some(0));
            self.armed.link = true;
        }
        Ok(())
    }

    /// Loses the machine: a new and empty one restores every collection from the archive, and goes on with an archive of its own.
    pub(super) fn lose_machine(&mut self) -> Check {
        self.heal();
        self.cut();
        self.note("the machine is lost");
        let wall = self.machine.clock.peek_wall_micros();
        let known_bad = self.machine.known_bad;
        self.places += 1;
        self.machine = SimWorld::new(self.seed + (self.places << 32));
        self.machine.known_bad = known_bad;
        self.machine.clock.step_wall(i64::try_from(wall.max(self.last_commit) - platform::sim::START_MICROS).unwrap_or(0) + HOUR);
        self.pending = None;
        self.copying = None;
        let old = self.raw();
        let names = std::mem::take(&mut self.names);
        let root = format!("/archive-{}", self.places);
        self.place = Place::open(SimDisk::new(!self.seed ^ (self.places << 32)), root, self.seed + self.places);
        (self.closed, self.pinned, self.done.lost) = (0, 0, self.done.lost + 1);
        self.boot()?;
        for source in names.living() {
            let life = &names.lives[source];
            let name = super::driver::NAMES[life.name];
            let request = pitr::RestoreRequest { name, target: pitr::Target::Latest, ..pitr::RestoreRequest::default() };
            let report = match pitr::restore(self.database()?, &old, &request, &|_, _| ()) {
                Ok(report) => report,
                // Nothing was promised of what no pass has told the archive of.
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Incomplete) && life.archived == 0 => continue,
                Err(error) => return Err(format!("\"{name}\" of a lost machine: {error}; {:?}", error.hint)),
            };
            self.note(format!("\"{name}\" was restored to {}", report.commit_time));
            self.take_over(&names, source, report.commit_time)?;
        }
        Ok(())
    }

    /// Compares what a new machine restored with what the lost one had acknowledged, and goes on with it.
    fn take_over(&mut self, names: &Names, source: usize, time: u64) -> Check {
        let life = &names.lives[source];
        let collection = self.database()?.collection(super::driver::NAMES[life.name]).map_err(|error| error.to_string())?;
        let got = read_all(&collection.version())?;
        drop(collection);
        // The archive may not have heard of the last lives of a name.
        let possible = |index: &usize| names.lives[*index].at(time) == got && names.lives[*index].archived <= time;
        let found = names.newest(life.name).into_iter().find(possible);
        let Some(found) = found else {
            let expected = seen(&life.until(time).1);
            return Err(format!("restored to {time}, {} was promised: {}", life.archived, difference(&expected, &got)));
        };
        self.begin_restored(&names.lives[found].clone(), time, 0)
    }
}
