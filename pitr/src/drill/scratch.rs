//! The place of a drill: a directory of its own below the data directory, which is gone in the end, also after the drill that died.

use std::path::{Path, PathBuf};

use engine::error::{Error, ErrorKind, Result};
use platform::World;
use platform::fs::{FileLock, LockKind};

use super::history;
use super::report::DrillReport;

/// What the names of such directories begin with.
const PREFIX: &str = "scratch-";
/// The file in it that says which drill it is of: its report, as if it had been interrupted.
const BEGUN: &str = "begun.json";
/// Largest such file that is read.
const BEGUN_LEN_MAX: u64 = 1 << 20;

/// A place that this drill has to itself; removed when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    world: World,
    dir: PathBuf,
    /// One drill at a time: what the others left is left by the dead.
    _lock: FileLock,
}

impl Place {
    /// Clears away what drills that died have left, and makes a place; gives the reports of the dead.
    pub fn begin(world: &World, data_dir: &Path, begun: &DrillReport) -> Result<(Self, Vec<DrillReport>)> {
        let drills = history::dir(data_dir);
        world.fs.create_dir_all(&drills)?;
        let running = || {
            Error::new(ErrorKind::Locked, "another drill runs in this data directory")
                .with_file(&drills)
                .with_hint("one drill runs at a time: wait for its end")
        };
        let lock = world.fs.lock(&drills.join("LOCK"), LockKind::Exclusive)?.ok_or_else(running)?;
        let mut left = Vec::new();
        for entry in world.fs.list(&drills)?.into_iter().filter(|entry| entry.is_dir && entry.name.starts_with(PREFIX)) {
            let dir = drills.join(entry.name);
            left.extend(read_begun(world, &dir.join(BEGUN)));
            world.fs.remove_dir_all(&dir)?;
        }
        let dir = drills.join(format!("{PREFIX}{}", begun.id));
        world.fs.create_dir_all(&dir)?;
        let place = Place { world: world.clone(), dir, _lock: lock };
        world.write_file_durably(&place.dir.join(BEGUN), &history::encode(begun))?;
        Ok((place, left))
    }

    /// Where the state is restored to.
    pub fn database(&self) -> PathBuf {
        self.dir.join("database")
    }

    /// Where it is read a second time.
    pub fn reference(&self) -> PathBuf {
        self.dir.join("reference")
    }

    /// Removes the place now, and says when that does not work.
    pub fn remove(self) -> Result<()> {
        Ok(self.world.fs.remove_dir_all(&self.dir)?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed now is cleared away by the next drill.
        let _ = self.world.fs.remove_dir_all(&self.dir);
    }
}

/// A drill that died before it said who it was left nothing else either.
fn read_begun(world: &World, path: &Path) -> Option<DrillReport> {
    let found = world.fs.metadata(path).ok().flatten().filter(|found| found.len <= BEGUN_LEN_MAX)?;
    assert!(found.len <= BEGUN_LEN_MAX, "nothing larger is read");
    serde_json::from_slice(&platform::fs::read_file(&*world.fs, path).ok()?).ok()
}
