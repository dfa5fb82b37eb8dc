//! A directory for a while: made below the system's directory for such things, gone in the end.

use crate::exit::Failure;
use platform::World;
use std::path::{Path, PathBuf};

/// A directory that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Temporary {
    world: World,
    path: PathBuf,
}

impl Temporary {
    /// Makes a directory of a new name below `below`; the name says which command made it.
    pub fn make(world: &World, below: &Path, command: &str) -> Result<Self, Failure> {
        let unique: String = world.random.uuid().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let path = below.join(format!("vectra-{command}-{}-{unique}", platform::process::pid()));
        world.fs.create_dir_all(&path)?;
        Ok(Self { world: world.clone(), path })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the directory now, and says when that does not work.
    pub fn remove(self) -> Result<(), Failure> {
        Ok(self.world.fs.remove_dir_all(&self.path)?)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // There is nobody left to tell, and a system's temporary directory is cleared some day.
        let _ = self.world.fs.remove_dir_all(&self.path);
    }
}
