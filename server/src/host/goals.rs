//! What each collection's archive has to reach: told to the server, kept in the data directory for those who look without it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::{Error, Result};
use platform::World;
use serde::{Deserialize, Serialize};

use super::Host;

/// Longest file of goals that is read.
const FILE_LEN_MAX: u64 = 8 << 20;

/// What the archive of a collection has to reach, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goals {
    /// How much may be lost.
    pub rpo: Option<u64>,
    /// How long a restore may take.
    pub rto: Option<u64>,
    /// How far back every moment can be restored.
    pub window: Option<u64>,
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("goals.json")
}

/// Reads the goals that the last server of a data directory was told, by collection.
///
/// # Errors
/// `Io`, `Corrupt`.
pub fn read_goals(world: &World, data_dir: &Path) -> Result<BTreeMap<String, Goals>> {
    let path = path(data_dir);
    let Some(found) = world.fs.metadata(&path)? else { return Ok(BTreeMap::new()) };
    if found.len > FILE_LEN_MAX {
        return Err(Error::corrupt("the file of goals is too long").with_file(&path).with_expected(FILE_LEN_MAX, found.len));
    }
    let bytes = platform::fs::read_file(&*world.fs, &path)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::corrupt(format!("the goals do not read: {error}")).with_file(&path))
}

impl Host {
    /// Takes over what each collection's archive has to reach, by name.
    ///
    /// # Errors
    /// `Io`, `NoSpace` when it cannot be written down.
    pub fn set_goals(&self, goals: BTreeMap<String, Goals>) -> Result<()> {
        let (world, path) = (self.database.world(), path(self.database.dir()));
        if !goals.is_empty() || world.fs.metadata(&path)?.is_some() {
            let bytes = serde_json::to_vec(&goals).map_err(|error| Error::internal(format!("goals cannot be said in JSON: {error}")))?;
            world.write_file_durably(&path, &bytes)?;
        }
        self.goals.store(goals.into());
        Ok(())
    }

    /// Gives what the archive of a collection, by name or alias, has to reach.
    #[must_use]
    pub fn goals(&self, name: &str) -> Goals {
        self.goals.load().get(self.names().meant(name)).copied().unwrap_or_default()
    }
}
