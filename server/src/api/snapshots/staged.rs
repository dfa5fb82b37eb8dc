//! The file of a snapshot on its way in: unpacked to a place of its own below the data directory, where nothing else reads it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use platform::World;
use platform::digest::Sha256;
use platform::fs::OpenMode;
use platform::object_store::ObjectStore;

use super::tar::{BLOCK_LEN, Entry, FILES_MAX, read_header};
use crate::Stores;

/// Bytes that are read and written at once.
const PIECE_LEN: usize = 1 << 20;

/// An unpacked snapshot, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Staged {
    world: World,
    dir: PathBuf,
    /// What was unpacked, as an archive.
    pub store: Arc<dyn ObjectStore>,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the server uses the place next.
        let _removed = self.world.fs.remove_dir_all(&self.dir);
    }
}

impl Staged {
    /// Unpacks a tar below `place`; of one that is refused, nothing stays.
    ///
    /// # Errors
    /// `InvalidInput` when it is none that [`super::tar`] writes, breaks off, or has another SHA-256 than expected; `NoSpace`, `Timeout`, `Io`.
    pub(super) fn unpack(world: &World, stores: &Stores, place: &Path, from: impl Read, sha256: Option<&str>) -> Result<Self> {
        let dir = place.join(format!("{:016x}", world.random.u64()));
        world.fs.create_dir_all(&dir)?;
        let store = stores.own(&dir).inspect_err(|_| drop(world.fs.remove_dir_all(&dir)))?;
        let staged = Staged { world: world.clone(), dir, store };
        let mut from = Summed { from, sha: sha256.map(|_| Sha256::default()) };
        staged.unpack_all(&mut from)?;
        if let (Some(expected), Some(sha)) = (sha256, from.sha) {
            let got = sha.finish();
            if !expected.eq_ignore_ascii_case(&got) {
                let other = Error::invalid("the snapshot has another checksum; nothing was changed");
                return Err(other.with_expected(expected.escape_debug().to_string(), got));
            }
        }
        Ok(staged)
    }

    fn unpack_all(&self, from: &mut impl Read) -> Result<()> {
        let mut piece = vec![0; PIECE_LEN];
        for number in 0.. {
            let mut block = [0; BLOCK_LEN];
            from.read_exact(&mut block).map_err(|error| super::broken(&error))?;
            let Some(entry) = read_header(&block)? else { break };
            // Known at the first block already: a large file of something else is not written first.
            let is_first = entry.key == pitr::archive::layout::ARCHIVE_KEY;
            if is_first != (number == 0) || number == FILES_MAX {
                return Err(Error::invalid("this is not the file of a snapshot: its files are in another order, or too many"));
            }
            self.unpack_one(from, &entry, &mut piece)?;
        }
        // The second block of zeros, without which it was cut off, and what programs fill up with.
        let mut block = [0; BLOCK_LEN];
        from.read_exact(&mut block).map_err(|error| super::broken(&error))?;
        if block.iter().any(|byte| *byte != 0) {
            return Err(Error::invalid("something follows the end of the snapshot"));
        }
        loop {
            match from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) if piece[..read].iter().all(|byte| *byte == 0) => {}
                Ok(_) => return Err(Error::invalid("something follows the end of the snapshot")),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(super::broken(&error)),
            }
        }
    }

    fn unpack_one(&self, from: &mut impl Read, entry: &Entry, piece: &mut [u8]) -> Result<()> {
        let fs = &*self.world.fs;
        let free = fs.available_bytes(&self.dir)?;
        if free < entry.size {
            let full = Error::new(ErrorKind::NoSpace, "the disk is too small for the snapshot; nothing was changed");
            return Err(full.with_expected(format!("{} bytes free", entry.size), format!("{free} bytes")));
        }
        let path = self.dir.join(&entry.key);
        fs.create_dir_all(platform::fs::parent(&path))?;
        let file = fs.open(&path, OpenMode::CreateNew).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::invalid("the snapshot holds a file twice").with_object(&entry.key),
            _ => error.into(),
        })?;
        let mut at = 0;
        while at < entry.size {
            let len = piece.len().min(usize::try_from(entry.size - at).unwrap_or(usize::MAX));
            from.read_exact(&mut piece[..len]).map_err(|error| super::broken(&error))?;
            file.write_all_at(&piece[..len], at)?;
            at += len as u64;
        }
        let padding = (entry.size.next_multiple_of(BLOCK_LEN as u64) - entry.size) as usize;
        from.read_exact(&mut piece[..padding]).map_err(|error| super::broken(&error))?;
        if piece[..padding].iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(Error::invalid("the snapshot is damaged between two of its files").with_object(&entry.key))
    }
}

/// Sums up what is read.
struct Summed<R> {
    from: R,
    sha: Option<Sha256>,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        if let Some(sha) = &mut self.sha {
            sha.update(&into[..read]);
        }
        Ok(read)
    }
}
