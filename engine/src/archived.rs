//! What is known locally about what was archived: kept durably beside a log, so that a record below it that turns bad is known for
//! damage, and an end of the log below it for a loss (rules S4, S19). `docs/format/manifest.md` has the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platform::World;
use platform::fs::FileSystem;
use serde::{Deserialize, Serialize};

use crate::codec::sealed_json;
use crate::error::{Error, Result};
use crate::ids::Lsn;

/// Name of the file.
pub const FILE_NAME: &str = "ARCHIVED";
/// Version of its format.
pub const ARCHIVED_VERSION: u32 = 1;
/// Largest file that is read.
const LEN_MAX: u64 = 1 << 20;

/// How far one archive has come with a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Everything below was archived, in the history that the log has now.
    pub lsn: Lsn,
    /// The name of the newest manifest that was archived with its objects.
    pub base: Option<String>,
    /// Whether the life was dropped and everything of it was archived.
    pub complete: bool,
}

/// How far the archives have come with a log, by archive id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// Version of the format.
    pub format: u32,
    /// By archive.
    pub archives: BTreeMap<String, Reached>,
    /// The archive that the writes go to now; unknown where an earlier version noted it, and before the first bytes went there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
}

impl Default for Archived {
    fn default() -> Self {
        Archived { format: ARCHIVED_VERSION, archives: BTreeMap::new(), current: None }
    }
}

impl Archived {
    /// Gives the largest position that any archive has reached.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.archives.values().map(|reached| reached.lsn).max().unwrap_or(0)
    }

    /// Gives the position up to which the archive that writes go to now has everything; 0 while it is not known which that is.
    #[must_use]
    pub fn current_lsn(&self) -> Lsn {
        self.current.as_ref().and_then(|id| self.archives.get(id)).map_or(0, |reached| reached.lsn)
    }

    /// Reads what is kept in a directory; nothing was archived where there is no file.
    ///
    /// # Errors
    /// `Corrupt` or `NewerFormat` naming the file, `Io`.
    pub fn read(fs: &dyn FileSystem, dir: &Path) -> Result<Self> {
        let path = path(dir);
        let Some(meta) = fs.metadata(&path)? else { return Ok(Archived::default()) };
        if meta.len > LEN_MAX {
            return Err(Error::corrupt("the note of what was archived is too large").with_file(&path));
        }
        Self::decode(&platform::fs::read_file(fs, &path)?).map_err(|error| error.with_file(&path))
    }

    fn decode(stored: &[u8]) -> Result<Self> {
        sealed_json::decode("note of what was archived", ARCHIVED_VERSION, stored)
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// `Io` or `NoSpace`; the older note stays.
    pub fn write(&self, world: &World, dir: &Path) -> Result<()> {
        Ok(world.write_file_durably(&path(dir), &sealed_json::encode(self))?)
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use platform::sim::SimWorld;

    fn sample() -> Archived {
        let reached = Reached { lsn: 640, base: None, complete: false };
        Archived { archives: BTreeMap::from([("a".to_owned(), reached), ("b".to_owned(), Reached::default())]), ..Archived::default() }
    }

    #[test]
    fn what_was_archived_is_read_back_and_every_flip_is_found() {
        let world = SimWorld::new(1).world();
        let dir = Path::new("/");
        assert_eq!(Archived::read(&*world.fs, dir).unwrap(), Archived::default());
        sample().write(&world, dir).unwrap();
        let read = Archived::read(&*world.fs, dir).unwrap();
        assert_eq!((read.clone(), read.lsn()), (sample(), 640));
        let stored = platform::fs::read_file(&*world.fs, &path(dir)).unwrap();
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Archived::decode(&flipped).unwrap_err().kind, ErrorKind::Corrupt, "bit {bit}");
        }
        for len in 0..stored.len() {
            assert!(Archived::decode(&stored[..len]).is_err(), "cut at {len}");
        }
    }
}
