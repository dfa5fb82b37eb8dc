//! Small files of a data directory that hold one JSON value each: what is remembered beside the data, for those who watch.

use std::path::Path;

use engine::error::{Error, Result};
use platform::World;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest file that is read.
pub const LEN_MAX: u64 = 8 << 20;

/// Reads a file; `None` where there is none. `what` names what it holds in errors.
///
/// # Errors
/// `Corrupt` when it does not read or is longer than 8 MiB, `Io`.
pub fn read<T: DeserializeOwned>(world: &World, path: &Path, what: &str) -> Result<Option<T>> {
    let Some(found) = world.fs.metadata(path)? else { return Ok(None) };
    if found.len > LEN_MAX {
        let too_long = Error::corrupt(format!("the file of {what} is too long"));
        return Err(too_long.with_file(path).with_expected(format!("{LEN_MAX} bytes at most"), found.len));
    }
    let bytes = platform::fs::read_file(&*world.fs, path)?;
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|error| Error::corrupt(format!("the file of {what} does not read: {error}")).with_file(path))
}

/// Writes a file whole, in place of what was there.
///
/// # Errors
/// `Io`, `NoSpace`: what was there stays.
pub fn write<T: Serialize + ?Sized>(world: &World, path: &Path, what: &str, value: &T) -> Result<()> {
    let bytes = serde_json::to_vec(value).map_err(|error| Error::internal(format!("{what} cannot be said in JSON: {error}")))?;
    Ok(world.write_file_durably(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ErrorKind;
    use platform::sim::SimWorld;

    #[test]
    fn what_was_written_is_read_and_what_does_not_read_says_which_file_it_is() {
        let sim = SimWorld::new(1);
        let (world, path) = (&sim.world(), Path::new("/notes.json"));
        assert_eq!(read::<Vec<u32>>(world, path, "notes").unwrap(), None);
        write(world, path, "notes", &[1, 2]).unwrap();
        assert_eq!(read(world, path, "notes").unwrap(), Some(vec![1, 2]));
        for bad in [b"[1, 2".to_vec(), b"{}".to_vec(), vec![b' '; LEN_MAX as usize + 1]] {
            world.write_file_durably(path, &bad).unwrap();
            let error = read::<Vec<u32>>(world, path, "notes").unwrap_err();
            assert_eq!(error.kind, ErrorKind::Corrupt);
            assert!(error.to_string().contains("/notes.json") && error.to_string().contains("file of notes"), "{error}");
        }
    }
}
