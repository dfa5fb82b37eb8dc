//! How a simulation may end: a bit rots, or it turns out that the device never did what it acknowledged.

use std::path::{Path, PathBuf};

use engine::{Database, Error, ErrorKind};

use super::driver::{Check, DATA, Driver};
use super::recovery::options;
use super::{check, recovery};
use crate::model::seen;

impl Driver {
    /// Flips one bit of a cleanly closed database: what was acknowledged is found, or the damage is named; never anything else.
    pub(super) fn rot(&mut self) -> Check {
        self.disarm();
        self.forget();
        self.boot_untroubled()?;
        self.close()?;
        let Some((path, offset, bit)) = self.draw_rot() else { return Ok(()) };
        self.note(format!("bit {bit} of byte {offset} of {} flips", path.display()));
        self.machine.disk.flip_bit(&path, offset, bit);
        match self.look_at_rot() {
            Ok(Ok(())) => {
                self.done.rot.1 += 1;
                Ok(())
            }
            Ok(Err(error)) => {
                self.done.rot.0 += 1;
                check_damage(&error, &path)
            }
            Err(wrong) => Err(format!("after bit {bit} of byte {offset} of {} flipped: {wrong}", path.display())),
        }
    }

    fn boot_untroubled(&mut self) -> Check {
        self.profile.planned_cuts = false;
        self.boot()
    }

    /// Draws a bit of a file that the database needs; mostly of the log.
    fn draw_rot(&mut self) -> Option<(PathBuf, u64, u8)> {
        let living: Vec<String> = self
            .registry
            .names
            .living
            .values()
            .filter_map(|life| self.registry.lives[*life].incarnation)
            .map(|id| id.to_string())
            .collect();
        let is_needed = |path: &PathBuf| {
            let text = path.to_string_lossy();
            text.contains("/catalog/") || living.iter().any(|id| text.contains(id.as_str()))
        };
        let wants_log = self.stream.chance(3, 4);
        let is_wanted = |path: &PathBuf| is_needed(path) && (path.extension().is_some_and(|end| end == "log") || !wants_log);
        let paths: Vec<PathBuf> = self.machine.disk.paths().into_iter().filter(is_wanted).collect();
        let sizes: Vec<u64> =
            paths.iter().map(|path| self.machine.disk.durable_bytes(path).map_or(0, |bytes| bytes.len() as u64)).collect();
        let total: u64 = sizes.iter().sum();
        if total == 0 {
            return None;
        }
        let mut at = self.stream.below(total);
        let bit = self.stream.below(8) as u8;
        for (path, size) in paths.into_iter().zip(sizes) {
            if at < size {
                return Some((path, at, bit));
            }
            at -= size;
        }
        None
    }

    /// Opens and reads everything; gives the engine's own error apart from a wrong answer.
    fn look_at_rot(&mut self) -> Check<Result<(), Error>> {
        let database = match Database::open(&self.machine.world(), Path::new(DATA), options(true)) {
            Ok(database) => database,
            Err(error) => return Ok(Err(error)),
        };
        self.registry.resolve(&database.state())?;
        let mut first = None;
        for (name, life) in &self.registry.names.living {
            let known = &self.registry.lives[*life];
            let opened = database.collection(name);
            let read = opened
                .map_err(Some)
                .and_then(|collection| check::read_all(&collection.version()).map_err(|_| None).map(|found| (collection, found)));
            match read {
                Ok((_, found)) if found != seen(&known.points) => {
                    return Err(format!("{name} is not as acknowledged: {}", crate::model::difference(&seen(&known.points), &found)));
                }
                // A search may meet damage that reading the points does not; a wrong answer is what must not be.
                Ok((collection, _)) => {
                    let answers = check::answers(&collection.version(), &known.points, &known.shape, self.profile.sizes, &mut self.stream);
                    answers.or_else(|wrong| if is_refusal(&wrong) { Ok(()) } else { Err(wrong) })?;
                }
                Err(Some(error)) => drop(first.get_or_insert(error)),
                Err(None) => {
                    let error = database.collection(name).and_then(|collection| {
                        collection.version().for_each_point(true, &mut |_| Ok(()))?;
                        Ok(())
                    });
                    match error {
                        Ok(()) => return Err(format!("{name} reads, but its counts are wrong or points were invented")),
                        Err(error) => drop(first.get_or_insert(error)),
                    }
                }
            }
        }
        Ok(first.map_or(Ok(()), Err))
    }

    /// Lets the device lie, works on, and cuts the power: an error, or a state that once was; never an invented one.
    pub(super) fn lie(&mut self) -> Check {
        self.disarm();
        if self.database.is_none() {
            self.forget();
            self.boot_untroubled()?;
        }
        self.note("the device lies about syncs from here on");
        self.machine.disk.lie_on_sync(true);
        self.profile.planned_cuts = false;
        (self.profile.full, self.profile.failing_syncs) = (false, false);
        let crashes = self.done.crashes;
        for _ in 0..12 {
            if self.database.is_none() {
                break;
            }
            self.act()?;
        }
        self.machine.disk.lie_on_sync(false);
        if self.done.crashes == crashes {
            self.cut();
        }
        self.forget();
        self.look_behind_the_lie()
    }

    fn look_behind_the_lie(&mut self) -> Check {
        let database = match Database::open(&self.machine.world(), Path::new(DATA), recovery::options(true)) {
            Ok(database) => database,
            Err(error) => return expect_detected(&error),
        };
        for (name, life) in database.state().collections {
            let known = self.registry.lives.iter().find(|known| known.incarnation == Some(life.incarnation));
            let Some(known) = known else { return Err(format!("{name} has a life that was never begun")) };
            let collection = match database.collection(&name) {
                Ok(collection) => collection,
                Err(error) => {
                    expect_detected(&error)?;
                    continue;
                }
            };
            match check::read_all(&collection.version()) {
                Ok(found) if !known.was_ever(&found) => {
                    return Err(format!("after a lying device {name} is in a state that never was: {} points", found.len()));
                }
                Ok(_) => {}
                Err(wrong) if is_refusal(&wrong) => {}
                Err(wrong) => return Err(format!("after a lying device: {wrong}")),
            }
        }
        Ok(())
    }
}

/// Says whether a check failed because the engine refused damaged bytes.
fn is_refusal(wrong: &str) -> bool {
    wrong.starts_with("reading every point: ") || wrong.starts_with("searching: ") || wrong.starts_with("counting under a filter: ")
}

/// Damage is named: the kind, the file, and for the log the offset.
fn check_damage(error: &Error, path: &Path) -> Check {
    let names_file = error.file.as_deref().is_some_and(|file| Path::new(file) == path);
    let is_log = path.extension().is_some_and(|end| end == "log");
    let allowed = matches!(error.kind, ErrorKind::Corrupt | ErrorKind::NewerFormat);
    if allowed && (!is_log || (names_file && error.offset.is_some())) {
        return Ok(());
    }
    Err(format!("rot in {} was reported as {:?}: {error}", path.display(), error.kind))
}

fn expect_detected(error: &Error) -> Check {
    if matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::NotFound) {
        return Ok(());
    }
    Err(format!("after a lying device: {:?}: {error}", error.kind))
}
