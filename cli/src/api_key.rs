//! API keys where users keep them: in a variable, or as the first line of a file that another names. They are never printed.

use crate::exit::{Failure, usage};
use engine::ErrorKind;
use platform::fs::{self, FileSystem};
use platform::process;
use std::path::Path;

/// Longest file of a key, certificate or certificate key.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Gives a key: what a variable says, or the first line of a file.
///
/// # Errors
/// A usage failure when it is empty or no text; those of reading the file.
pub fn find(fs: &dyn FileSystem, variable: &str, file: Option<&str>) -> Result<Option<String>, Failure> {
    match (process::env(variable), file) {
        (Some(key), _) => not_empty(key, variable).map(Some),
        (None, Some(path)) => first_line(fs, path).map(Some),
        (None, None) => Ok(None),
    }
}

/// Gives the key in a file.
///
/// # Errors
/// As [`find`].
pub fn first_line(fs: &dyn FileSystem, path: &str) -> Result<String, Failure> {
    let text = String::from_utf8(read(fs, Path::new(path))?);
    let text = text.map_err(|_| usage("the file of an api key is not text").with_file(Path::new(path)))?;
    not_empty(text.lines().next().unwrap_or_default().trim().to_owned(), path)
}

/// Reads a file of a key or a certificate.
///
/// # Errors
/// `InvalidInput` when it is much too long for one; those of reading it.
pub fn read(fs: &dyn FileSystem, path: &Path) -> Result<Vec<u8>, Failure> {
    let len = fs.metadata(path)?.map_or(0, |metadata| metadata.len);
    if len > FILE_LEN_MAX {
        let too_long = Failure::new(ErrorKind::InvalidInput, format!("{} is too long", path.display()));
        return Err(too_long.with_expected(format!("at most {FILE_LEN_MAX} bytes"), len));
    }
    Ok(fs::read_file(fs, path)?)
}

fn not_empty(key: String, place: &str) -> Result<String, Failure> {
    if key.is_empty() { Err(usage(format!("the api key of {place} is empty"))) } else { Ok(key) }
}
