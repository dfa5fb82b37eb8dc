//! Room kept free for what gives room back: a file of zeros that is removed when the disk is full (rule S16).
//!
//! Deletes, drops, small moves and manifests may use it; other writes may not, or a full disk could never be emptied.

use std::path::{Path, PathBuf};

use platform::World;
use platform::fs::OpenMode;

use crate::error::{ErrorKind, Result};

/// Bytes kept.
pub const RESERVE_LEN: u64 = 4 << 20;
/// Zeros written at once.
const CHUNK: usize = 1 << 20;

/// The reserve of a data directory.
#[derive(Debug)]
pub struct Reserve {
    world: World,
    path: PathBuf,
}

impl Reserve {
    /// Lays the reserve out where there is room for it; a disk that is full already gets none.
    ///
    /// # Errors
    /// `Io` when the data directory cannot be written.
    pub fn lay_out(world: &World, data_dir: &Path) -> Result<Self> {
        let reserve = Reserve { world: world.clone(), path: data_dir.join("RESERVE") };
        let there = world.fs.metadata(&reserve.path)?.map_or(0, |meta| meta.len);
        if there == RESERVE_LEN {
            return Ok(reserve);
        }
        match reserve.fill() {
            Err(error) if error.kind == ErrorKind::NoSpace => reserve.release().map(|_| reserve),
            result => result.map(|()| reserve),
        }
    }

    fn fill(&self) -> Result<()> {
        if self.world.fs.metadata(&self.path)?.is_some() {
            self.world.fs.remove_file(&self.path)?;
        }
        let file = self.world.fs.open(&self.path, OpenMode::CreateNew)?;
        let zeros = vec![0; CHUNK];
        for at in (0..RESERVE_LEN).step_by(CHUNK) {
            file.write_all_at(&zeros, at)?;
        }
        Ok(file.sync_all()?)
    }

    /// Gives the reserve back to the disk; says whether there was one.
    ///
    /// # Errors
    /// `Io`.
    pub fn release(&self) -> Result<bool> {
        if self.world.fs.metadata(&self.path)?.is_none() {
            return Ok(false);
        }
        self.world.fs.remove_file(&self.path)?;
        Ok(true)
    }

    /// Does something that may use the reserve: once as it is, and once more with the reserve given back if the disk was full.
    ///
    /// # Errors
    /// Those of `action`.
    pub fn with<T>(&self, mut action: impl FnMut() -> Result<T>) -> Result<T> {
        match action() {
            Err(error) if error.kind == ErrorKind::NoSpace && self.release()? => action(),
            result => result,
        }
    }
}
