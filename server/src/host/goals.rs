//! What each collection's archive has to reach: told to the server, kept in the data directory for those who look without it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::Result;
use pitr::kept_json;
use platform::World;
use serde::{Deserialize, Serialize};

use super::Host;

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
/// Those of [`kept_json::read`].
pub fn read_goals(world: &World, data_dir: &Path) -> Result<BTreeMap<String, Goals>> {
    Ok(kept_json::read(world, &path(data_dir), "goals")?.unwrap_or_default())
}

impl Host {
    /// Takes over what each collection's archive has to reach, by name.
    ///
    /// # Errors
    /// `Io`, `NoSpace` when it cannot be written down.
    pub fn set_goals(&self, goals: BTreeMap<String, Goals>) -> Result<()> {
        let (world, path) = (self.database.world(), path(self.database.dir()));
        if !goals.is_empty() || world.fs.metadata(&path)?.is_some() {
            kept_json::write(world, &path, &goals)?;
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
