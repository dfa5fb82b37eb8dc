//! Copies of the archive that a tool makes while it is written to, in any order and never all of it.

use std::sync::Arc;

use engine::ErrorKind;
use pitr::Target;
use pitr::archive::Listing;
use platform::fs::SimDisk;
use platform::object_store::ObjectStore;

use super::driver::{Driver, NAMES, store_on};
use crate::model::difference;
use crate::simulate::driver::Check;

/// States that are restored from a copy.
const RESTORES: usize = 4;

/// A copy that is being made.
#[derive(Debug)]
pub struct Copying {
    store: Arc<dyn ObjectStore>,
    rounds: u64,
    /// Of a hundred objects that are seen, so many are copied.
    percent: u64,
}

impl Driver {
    /// Begins a copy.
    pub(super) fn begin_copy(&mut self) -> Check {
        if self.copying.is_none() {
            let rounds = 1 + self.stream.below(8);
            let percent = [30, 70, 90, 97][self.stream.below(4) as usize];
            let store = store_on(&SimDisk::new(self.seed), "/copy");
            self.copying = Some(Copying { store, rounds, percent });
        }
        Ok(())
    }

    /// Copies some of what is there now; after the last round what can be restored from the copy is right.
    pub(super) fn copy_on(&mut self) -> Check {
        let Some(mut copying) = self.copying.take() else { return Ok(()) };
        if self.armed.archive_power {
            self.copying = Some(copying);
            return Ok(());
        }
        let source = self.raw();
        for meta in source.list("").map_err(|error| error.to_string())? {
            if self.stream.chance(copying.percent, 100) {
                let body = source.get(&meta.key).map_err(|error| error.to_string())?;
                copying.store.put_if_absent(&meta.key, vec![body]).map_err(|error| error.to_string())?;
            }
        }
        copying.rounds -= 1;
        if copying.rounds > 0 {
            self.copying = Some(copying);
            return Ok(());
        }
        self.judge_copy(&copying.store)
    }

    fn judge_copy(&mut self, copy: &Arc<dyn ObjectStore>) -> Check {
        if self.names.lives.is_empty() {
            return Ok(());
        }
        let listing = Listing::read(&**copy).map_err(|error| error.to_string())?;
        let reader = self.reader()?;
        for _ in 0..RESTORES {
            let (name, time) = self.draw_time(&listing);
            let what = format!("\"{}\" restored to {time} from a copy", NAMES[name]);
            let (report, points) = match reader.restore(copy, name, Target::Time(time), None) {
                Ok(restored) => restored,
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Incomplete) => {
                    self.done.copies.1 += 1;
                    continue;
                }
                Err(error) => return Err(format!("{what}: {:?}: {error}; {:?}", error.kind, error.hint)),
            };
            let points = points.map_err(|wrong| format!("{what}: {wrong}"))?;
            let lives: Vec<usize> = self.names.candidates(name, time, 0).into_iter().flatten().collect();
            if report.commit_time > time || !lives.iter().any(|index| self.names.lives[*index].at(time) == points) {
                let of_now = lives.last().map(|index| difference(&self.names.lives[*index].at(time), &points));
                return Err(format!("{what} is the state of {}, lives {lives:?}: {of_now:?}", report.commit_time));
            }
            self.done.copies.0 += 1;
        }
        Ok(())
    }
}
