//! Starting again: recovery with crashes inside, readers who come first, and the comparison with what must be there.

use std::time::Duration;

use engine::collection::CleaningLimits;
use engine::database::DatabaseOptions;
use engine::{Database, Error, ErrorKind};

use super::check;
use super::driver::{Check, Driver, Fate};

/// Tries before every fault is taken back.
const TROUBLED_TRIES: u64 = 5;
/// Data further ahead of the wall clock than this stops a writer.
const AHEAD_MAX_MICROS: u64 = 60_000_000;

/// Cleaning that happens in files of a few rows: whatever is mostly dead.
pub const CLEANING: CleaningLimits = CleaningLimits { live_percent: 80, gain_min: 1, gain_min_bounded: 1, step_bytes: 4 << 10 };

/// Gives the options of every open: no waiting, because nobody else lives in the simulation.
pub(super) fn options(accept_clock: bool) -> DatabaseOptions {
    DatabaseOptions { lock_wait: Duration::ZERO, accept_clock, cleaning: CLEANING, ..DatabaseOptions::default() }
}

impl Driver {
    /// Opens the database and compares all that is there, through as many crashes as the seed draws.
    pub(super) fn boot(&mut self) -> Check {
        let mut tries = 0;
        loop {
            tries += 1;
            if tries > TROUBLED_TRIES {
                self.disarm();
            } else if self.profile.planned_cuts && self.stream.chance(1, 3) {
                self.plan_cut(40);
            }
            let reads_first = self.stream.chance(1, 5);
            let tried = if reads_first { self.read_alone()? } else { Ok(()) };
            let tried = match tried {
                Ok(()) => self.open_and_compare()?,
                failed => failed,
            };
            match tried {
                Ok(()) => return Ok(()),
                Err(_) if tries > TROUBLED_TRIES => return Err("a fault showed after all were taken back".to_owned()),
                Err(fate) => {
                    self.done.crashes_in_recovery += 1;
                    self.forget();
                    if fate == Fate::Full {
                        self.lift_capacity();
                    } else {
                        self.suffer(fate);
                    }
                }
            }
        }
    }

    /// Sets the judgement of an error apart from a simulation that failed.
    fn fate_of<T>(&mut self, what: &str, result: Result<T, Error>) -> Check<Result<T, Fate>> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(error) => Ok(Err(self.judge(what, &error)?)),
        }
    }

    fn open_and_compare(&mut self) -> Check<Result<(), Fate>> {
        self.note("open");
        let database = match self.open_database()? {
            Ok(database) => database,
            Err(fate) => return Ok(Err(fate)),
        };
        self.registry.resolve(&database.state())?;
        self.database = Some(database);
        let living: Vec<(String, usize)> = self.registry.names.living.iter().map(|(name, life)| (name.clone(), *life)).collect();
        for (name, life) in living {
            if let Err(fate) = self.open_collection(&name, life)? {
                return Ok(Err(fate));
            }
        }
        Ok(Ok(()))
    }

    fn open_database(&mut self) -> Check<Result<Database, Fate>> {
        let accepts = self.stream.chance(1, 2);
        let result = Database::open(&self.machine.world(), self.dir(), options(accepts));
        match result {
            Err(error) if error.kind == ErrorKind::Clock && !accepts => {
                self.note(format!("the clock is refused: {error}"));
                if self.ahead() <= AHEAD_MAX_MICROS {
                    return Err(format!("the clock was refused although no time is ahead of it: {error}"));
                }
                let result = Database::open(&self.machine.world(), self.dir(), options(true));
                self.fate_of("opening the database", result)
            }
            result => self.fate_of("opening the database", result),
        }
    }

    /// Opens one collection for writing, with recovery, and holds it to what is found.
    pub(super) fn open_collection(&mut self, name: &str, life: usize) -> Check<Result<(), Fate>> {
        let Some(database) = &self.database else { return Ok(Ok(())) };
        let opened = match database.collection(name) {
            // The catalog was not ahead, but this collection is: whoever accepted the clock once does so again.
            Err(error) if error.kind == ErrorKind::Clock => {
                self.note(format!("the clock is refused: {error}"));
                if self.ahead() <= AHEAD_MAX_MICROS {
                    return Err(format!("the clock was refused although no time is ahead of it: {error}"));
                }
                self.machine.clock.step_wall(self.ahead() as i64);
                self.forget();
                return self.open_and_compare();
            }
            opened => opened,
        };
        let collection = match self.fate_of("opening a collection", opened)? {
            Ok(collection) => collection,
            Err(fate) => return Ok(Err(fate)),
        };
        let found = check::read_all(&collection.version())?;
        let known = &mut self.registry.lives[life];
        let (in_flight, before) = (known.pending.len() as u64, known.history.len());
        known.resolve(&found).map_err(|wrong| format!("life {life} ({name}) after a recovery: {wrong}"))?;
        let version = collection.version();
        if version.lsn_end < known.lsn {
            return Err(format!("life {life} ({name}) ends at {} after a recovery, {} was acknowledged", version.lsn_end, known.lsn));
        }
        (known.lsn, self.last_commit) = (version.lsn_end, self.last_commit.max(version.commit_time));
        let kept = (known.history.len() - before) as u64;
        self.done.in_flight = (self.done.in_flight.0 + kept, self.done.in_flight.1 + in_flight - kept);
        self.note(format!("life {life} ({name}) opened with {} points", found.len()));
        self.open.insert(life, collection);
        self.broken.remove(&life);
        self.compare_life(life)?;
        Ok(Ok(()))
    }

    /// Reads before anybody has recovered: the reader recovers first where that is needed.
    fn read_alone(&mut self) -> Check<Result<(), Fate>> {
        self.note("a reader comes first");
        let opened = Database::open_read(&self.machine.world(), self.dir(), options(true));
        let reader = match self.fate_of("reading the catalog", opened)? {
            Ok(reader) => reader,
            Err(fate) => return Ok(Err(fate)),
        };
        let names = self.registry.allows(&reader.state())?;
        for (name, life) in names.living {
            let collection = match self.fate_of("a reader", reader.collection(&name))? {
                Ok(collection) => collection,
                Err(fate) => return Ok(Err(fate)),
            };
            let found = check::read_all(&collection.version())?;
            self.registry.lives[life].allows(&found).map_err(|wrong| format!("a reader of {name} before the recovery saw {wrong}"))?;
        }
        Ok(Ok(()))
    }
}
