//! Restores on other machines: each gives the model's state of that time, or rightly nothing.

use std::path::Path;
use std::sync::Arc;

use engine::database::{Database, DatabaseOptions};
use engine::{ErrorKind, Timeline};
use pitr::archive::base::read_base;
use pitr::archive::{Archive, Listing};
use pitr::archiver::Mode;
use pitr::{RestoreReport, RestoreRequest, Target};
use platform::object_store::ObjectStore;
use platform::sim::{START_MICROS, SimWorld};

use super::driver::{DATA, Driver, NAMES, store_on};
use crate::model::{SeenPoints, difference};
use crate::simulate::check::read_all;
use crate::simulate::driver::Check;

const DAY: u64 = 24 * 3_600_000_000;

/// Another machine, which restores.
pub struct Reader {
    database: Database,
}

impl Reader {
    /// Restores a name and reads what it holds.
    pub(super) fn restore(
        &self,
        store: &Arc<dyn ObjectStore>,
        name: usize,
        target: Target<'_>,
        timeline: Option<Timeline>,
    ) -> engine::Result<(RestoreReport, Result<SeenPoints, String>)> {
        let request = RestoreRequest { name: NAMES[name], target, timeline, replace: true, ..RestoreRequest::default() };
        let report = pitr::restore(&self.database, store, &request, &|_, _| ())?;
        let collection = self.database.collection(NAMES[name])?;
        Ok((report, read_all(&collection.version())))
    }
}

impl Driver {
    /// Gives the archive as it is, without the link; where its power may be gone it gets that back.
    pub(super) fn raw(&mut self) -> Arc<dyn ObjectStore> {
        if self.armed.archive_power {
            self.revive_archive();
        }
        store_on(&self.place.disk, &self.place.root)
    }

    /// Gives an empty machine whose clock is right.
    pub(super) fn reader(&self) -> Check<Reader> {
        let sim = SimWorld::new(self.seed ^ 0x7265_6164);
        let now = self.machine.clock.peek_wall_micros().max(self.last_commit).max(self.closed);
        sim.clock.step_wall(i64::try_from(now - START_MICROS).map_err(|error| error.to_string())?);
        let database = Database::open(&sim.world(), Path::new(DATA), DatabaseOptions::default()).map_err(|error| error.to_string())?;
        Ok(Reader { database })
    }

    /// Restores random states of the archive as it is now, whatever was going on.
    pub(super) fn probe(&mut self, count: u64) -> Check {
        let store = self.raw();
        let listing = Listing::read(&*store).map_err(|error| error.to_string())?;
        bases_are_whole(&store, &listing)?;
        if self.names.lives.is_empty() {
            return Ok(());
        }
        let reader = self.reader()?;
        for _ in 0..count {
            let (name, time) = self.draw_time(&listing);
            self.restore_and_judge(&reader, &store, &listing, name, time)?;
        }
        if self.armed.link {
            let (name, time) = self.draw_time(&listing);
            self.restore_over_link(&reader, &listing, name, time)?;
        }
        Ok(())
    }

    /// Draws a name and a time of which something may be known.
    pub(super) fn draw_time(&mut self, listing: &Listing) -> (usize, u64) {
        let index = self.stream.below(self.names.lives.len() as u64) as usize;
        let life = &self.names.lives[index];
        let changes = life.changes.len() as u64;
        let change = if changes == 0 { life.began } else { life.changes[self.stream.below(changes) as usize].0 };
        let time = match self.stream.below(12) {
            0..5 => change,
            5 => change.saturating_sub(1),
            6 => change + self.stream.below(2_000_000),
            7 => life.archived.max(1),
            8 => life.last(),
            9 => closed(listing),
            10 => life.began.saturating_sub(1),
            _ => self.last_commit.max(self.pinned).max(self.marked).max(closed(listing)) + self.stream.below(DAY),
        };
        (life.name, time)
    }

    /// Says whether a life has an archived state from which a time of it can be reached.
    pub(super) fn covers(&self, listing: &Listing, index: usize, time: u64) -> bool {
        let life = &self.names.lives[index];
        // A life that was dropped before it was archived stays where it is.
        let is_known = life.spans.last().is_some_and(|tip| listing.bases.contains_key(&tip.timeline));
        is_known
            && time >= life.created
            && life.spans.iter().any(|span| {
                let names = listing.bases.get(&span.timeline).into_iter().flatten();
                let end = span.to.unwrap_or(u64::MAX);
                names.filter(|name| name.covered_lsn <= end).any(|name| name.commit_time <= time)
            })
    }

    /// Gives the lives that a name and a time may mean to a reader of the archive.
    fn candidates(&self, listing: &Listing, name: usize, time: u64) -> Vec<Option<usize>> {
        let mut found = self.names.candidates(name, time, self.names.told);
        // Of a life that was dropped before it was archived the catalog alone tells: who asks for an earlier time means the life of then.
        let is_unknown = |index: usize| self.names.lives[index].spans.last().is_none_or(|tip| !listing.timelines.contains(&tip.timeline));
        if found.iter().copied().flatten().any(is_unknown) {
            found.push(self.names.held(name, time));
        }
        found
    }

    pub(super) fn is_covered(&mut self, index: usize, time: u64) -> Check<bool> {
        let listing = Listing::read(&*self.raw()).map_err(|error| error.to_string())?;
        Ok(self.covers(&listing, index, time))
    }

    /// Restores a name to a time, and checks that what comes is what the model says.
    fn restore_and_judge(&mut self, reader: &Reader, store: &Arc<dyn ObjectStore>, listing: &Listing, name: usize, time: u64) -> Check {
        let what = format!("\"{}\" restored to {time} (closed: {})", NAMES[name], closed(listing));
        let candidates = self.candidates(listing, name, time);
        let is_promised = |life: &Option<usize>| {
            life.is_some_and(|index| time <= closed(listing).max(self.names.lives[index].archived) && self.covers(listing, index, time))
        };
        match reader.restore(store, name, Target::Time(time), None) {
            Ok((report, points)) => {
                let points = points.map_err(|wrong| format!("{what}: {wrong}"))?;
                self.compare(&what, &candidates, listing, time, &report, &points)?;
                self.done.restores.0 += 1;
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::NotFound && !candidates.iter().all(is_promised) => {
                self.done.restores.1 += 1;
                Ok(())
            }
            Err(error) => Err(format!("{what}: lives {candidates:?}, {:?}: {error}; {:?}", error.kind, error.hint)),
        }
    }

    fn compare(
        &self,
        what: &str,
        candidates: &[Option<usize>],
        listing: &Listing,
        time: u64,
        report: &RestoreReport,
        points: &SeenPoints,
    ) -> Check {
        let of_life = |index: &usize| self.names.lives[*index].last().max(self.names.lives[*index].created);
        let known = |index: &usize| of_life(index).max(closed(listing)).max(self.pinned).max(self.marked);
        let lives: Vec<usize> = candidates.iter().copied().flatten().collect();
        if report.commit_time > time {
            return Err(format!("{what} gave a state of {}", report.commit_time));
        }
        if !lives.iter().any(|index| time <= known(index)) {
            return Err(format!("{what}: of lives {candidates:?} nothing can be known at that time"));
        }
        if lives.iter().any(|index| self.names.lives[*index].at(time) == *points) {
            return Ok(());
        }
        let differences: Vec<String> =
            lives.iter().map(|index| format!("life {index}: {}", difference(&self.names.lives[*index].at(time), points))).collect();
        Err(format!("{what} is the state of {}: {}", report.commit_time, differences.join("; ")))
    }

    /// Restores through a link that fails: an error, or exactly what is there.
    fn restore_over_link(&mut self, reader: &Reader, listing: &Listing, name: usize, time: u64) -> Check {
        let what = format!("\"{}\" restored to {time} over a bad link", NAMES[name]);
        let candidates = self.candidates(listing, name, time);
        match reader.restore(&self.link(), name, Target::Time(time), None) {
            Ok((report, points)) => {
                let points = points.map_err(|wrong| format!("{what}: {wrong}"))?;
                self.compare(&what, &candidates, listing, time, &report, &points)
            }
            Err(error) if matches!(error.kind, ErrorKind::Unreachable | ErrorKind::NotFound) => {
                self.done.unreached += 1;
                Ok(())
            }
            Err(error) if self.armed.short && matches!(error.kind, ErrorKind::Incomplete | ErrorKind::Corrupt) => {
                self.done.unreached += 1;
                Ok(())
            }
            Err(error) => Err(format!("{what}: {:?}: {error}", error.kind)),
        }
    }

    /// Archives everything, and restores every so many changes of each life, and what lies around them.
    pub(super) fn end(&mut self, stride: u64) -> Check {
        self.heal();
        if self.database.is_none() {
            self.boot()?;
        }
        self.pass(Mode::Closing)?;
        let store = self.raw();
        let listing = Listing::read(&*store).map_err(|error| error.to_string())?;
        bases_are_whole(&store, &listing)?;
        if closed(&listing) < self.closed || self.names.told < self.names.events.len() {
            return Err("a pass that succeeded did not archive everything".to_owned());
        }
        let reader = self.reader()?;
        for index in 0..self.names.lives.len() {
            let life = &self.names.lives[index];
            let name = life.name;
            let times: Vec<u64> = life.changes.iter().map(|(at, _)| *at).collect();
            for position in (0..times.len()).step_by(stride.max(1) as usize) {
                let time = times[position];
                self.restore_of_life(&reader, &store, &listing, index, time)?;
                self.restore_and_judge(&reader, &store, &listing, name, time)?;
                if let Some(next) = times.get(position + 1) {
                    self.restore_and_judge(&reader, &store, &listing, name, next - 1)?;
                }
            }
            let future = self.last_commit.max(self.pinned).max(self.marked).max(closed(&listing)) + DAY;
            let kind = reader.restore(&store, name, Target::Time(future), None).map_err(|error| error.kind).err();
            if kind != Some(ErrorKind::NotFound) {
                return Err(format!("\"{}\" restored to the future gave {kind:?}", NAMES[name]));
            }
        }
        Ok(())
    }

    /// Restores a state of a life by its timeline, whoever has the name now.
    fn restore_of_life(&mut self, reader: &Reader, store: &Arc<dyn ObjectStore>, listing: &Listing, index: usize, time: u64) -> Check {
        let life = &self.names.lives[index];
        let Some(tip) = life.spans.last().filter(|_| life.archived >= time && self.covers(listing, index, time)) else { return Ok(()) };
        let what = format!("life {index} restored to {time}");
        let (_, points) = reader
            .restore(store, life.name, Target::Time(time), Some(tip.timeline))
            .map_err(|error| format!("{what}: {:?}: {error}; {:?}", error.kind, error.hint))?;
        let (points, expected) = (points?, life.at(time));
        if points != expected {
            return Err(format!("{what}: {}", difference(&expected, &points)));
        }
        self.done.restores.0 += 1;
        Ok(())
    }
}

/// Gives the newest closed time of an archive that one database has.
pub(super) fn closed(listing: &Listing) -> u64 {
    listing.closed.values().filter_map(|times| times.last().copied()).max().unwrap_or(0)
}

/// Checks that the archive holds every object that it says a state has: the description is put last.
fn bases_are_whole(store: &Arc<dyn ObjectStore>, listing: &Listing) -> Check {
    if listing.bases.is_empty() {
        return Ok(());
    }
    let archive = Archive::open(store).map_err(|error| error.to_string())?;
    for (timeline, names) in &listing.bases {
        for name in names {
            let base = read_base(&archive, *timeline, *name).map_err(|error| error.to_string())?;
            if let Some(object) = base.objects.iter().find(|object| listing.objects.get(&object.name) != Some(&object.bytes)) {
                return Err(format!("base {name} names object {}, which is not there", object.name));
            }
        }
    }
    Ok(())
}
