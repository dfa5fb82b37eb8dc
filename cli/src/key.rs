//! The key of an encrypted archive: where a user may keep it, and how it is fetched from there. It is never printed.

use crate::exit::Failure;
use engine::ErrorKind;
use pitr::encryption::keys::{KEY_HINT, USER_KEY_LEN_MAX};
use pitr::encryption::{KeySource, UserKey};
use platform::fs::{FileSystem, OpenMode};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variable that names a key file.
pub const KEY_FILE_VARIABLE: &str = "VECTRA_KEY_FILE";
/// The variable that holds a command which prints a key.
pub const KEY_COMMAND_VARIABLE: &str = "VECTRA_KEY_COMMAND";

/// Where the key is to be found; nothing is read before an archive turns out to need it.
#[derive(Clone)]
pub enum KeyPlace {
    /// The user named none.
    Nowhere,
    /// A file, and how it was named: an option, a variable.
    File {
        /// The file system that it is on.
        fs: Arc<dyn FileSystem>,
        /// Its path.
        path: PathBuf,
        /// What named it.
        named_by: &'static str,
    },
    /// A command for `sh -c` that prints it.
    Command(String),
}

impl std::fmt::Debug for KeyPlace {
    /// A command may hold a secret: it is left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyPlace::Nowhere => f.write_str("Nowhere"),
            KeyPlace::File { path, named_by, .. } => write!(f, "File({}, by {named_by})", path.display()),
            KeyPlace::Command(_) => f.write_str("Command"),
        }
    }
}

impl KeyPlace {
    /// Finds out where the key is: the option `--key-file` first, then `VECTRA_KEY_FILE`, then `VECTRA_KEY_COMMAND`.
    ///
    /// `variable` gives the value of a variable of the environment; an empty one counts as unset.
    pub fn find(fs: &Arc<dyn FileSystem>, option: Option<&Path>, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let file = |path: PathBuf, named_by| KeyPlace::File { fs: fs.clone(), path, named_by };
        if let Some(path) = option {
            return file(path.to_owned(), "--key-file");
        }
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        match (set(KEY_FILE_VARIABLE), set(KEY_COMMAND_VARIABLE)) {
            (Some(path), _) => file(path.into(), KEY_FILE_VARIABLE),
            (None, Some(line)) => KeyPlace::Command(line),
            (None, None) => KeyPlace::Nowhere,
        }
    }

    /// Finds out where the key is, in the environment of this process.
    pub fn of_process(fs: &Arc<dyn FileSystem>, option: Option<&Path>) -> Self {
        Self::find(fs, option, &platform::process::env)
    }

    /// Names the place for a message.
    fn describe(&self) -> String {
        match self {
            KeyPlace::Nowhere => "no key was named".to_owned(),
            KeyPlace::File { path, named_by, .. } => format!("the key file \"{}\" ({named_by})", path.display()),
            KeyPlace::Command(_) => format!("the key command ({KEY_COMMAND_VARIABLE})"),
        }
    }
}

impl KeySource for KeyPlace {
    /// Fetches the key.
    ///
    /// # Errors
    /// `Unreachable`, like every key that opens nothing, when the file cannot be read, the command fails, or what comes is no key.
    fn key(&self) -> engine::Result<Option<UserKey>> {
        let failed = |why: String| {
            let failure = Failure::new(ErrorKind::Unreachable, format!("cannot read {}: {why}", self.describe()));
            failure.with_hint(KEY_HINT)
        };
        let given = match self {
            KeyPlace::Nowhere => return Ok(None),
            KeyPlace::File { fs, path, .. } => read_bounded(&**fs, path).map_err(failed)?,
            KeyPlace::Command(line) => platform::process::run_command(line, USER_KEY_LEN_MAX).map_err(|error| failed(error.to_string()))?,
        };
        let parsed =
            UserKey::parse(&given).map_err(|error| Failure { message: format!("{}: {}", self.describe(), error.message), ..error });
        parsed.map(Some)
    }
}

/// Reads a file of at most the length of a key; one more byte when it is longer.
fn read_bounded(fs: &dyn FileSystem, path: &Path) -> Result<Vec<u8>, String> {
    let file = fs.open(path, OpenMode::Read).map_err(|error| error.source.to_string())?;
    let mut bytes = vec![0; USER_KEY_LEN_MAX + 1];
    let mut len = 0;
    while len < bytes.len() {
        match file.read_at(&mut bytes[len..], len as u64).map_err(|error| error.source.to_string())? {
            0 => break,
            count => len += count,
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::fs::{OsFileSystem, SimDisk};
    use platform::random::SeededRandom;

    fn key(seed: u64) -> UserKey {
        UserKey::draw(&SeededRandom::new(seed))
    }

    /// A disk with the keys 1 and 2 in the files `/1` and `/2`.
    fn disk() -> Arc<dyn FileSystem> {
        let fs: Arc<dyn FileSystem> = SimDisk::new(1).file_system();
        for seed in [1, 2] {
            platform::fs::write_file_durably(&*fs, Path::new(&format!("/{seed}")), key(seed).to_text().as_bytes()).unwrap();
        }
        fs
    }

    fn find(option: Option<&str>, file: Option<&str>, command: Option<&str>) -> KeyPlace {
        let value = |name: &str| match name {
            KEY_FILE_VARIABLE => file.map(str::to_owned),
            KEY_COMMAND_VARIABLE => command.map(str::to_owned),
            _ => None,
        };
        KeyPlace::find(&disk(), option.map(Path::new), &value)
    }

    #[test]
    fn the_option_comes_before_the_file_and_the_file_before_the_command() {
        let print = format!("echo {}", key(3).to_text().trim());
        let print = Some(print.as_str());
        for (place, expected) in [
            (find(Some("/1"), Some("/2"), print), Some(1)),
            (find(None, Some("/2"), print), Some(2)),
            (find(None, None, print), Some(3)),
            (find(None, Some(""), print), Some(3)),
            (find(None, None, None), None),
            (find(None, Some(""), Some("")), None),
        ] {
            assert!(place.key().unwrap() == expected.map(key), "{place:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_is_no_key_ends_with_7_and_shows_no_secret() {
        for (place, says) in [
            (find(Some("/missing"), None, None), "--key-file"),
            (find(None, Some("/missing"), None), "/missing"),
            (find(None, None, Some("echo hunter2 hunter2; exit 4")), "4"),
            (find(None, None, Some("echo hunter2 is my passphrase and it is a long one")), "neither hexadecimal nor base64"),
            (find(None, None, Some("true # hunter2")), "too short"),
            (find(None, None, Some("yes hunter2")), "more than"),
        ] {
            let error = place.key().unwrap_err();
            assert_eq!(error.kind.exit_code(), 7, "{error}");
            assert!(error.to_string().contains(says) && error.hint.is_some(), "{error}");
            assert!(!format!("{error} {:?} {place:?}", error.hint).contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_large_file_is_refused_and_not_read_whole() {
        let fs = OsFileSystem::new();
        let error = read_bounded(&fs, Path::new("/nothing/here")).unwrap_err();
        assert!(!error.is_empty());
        let endless = read_bounded(&fs, Path::new("/dev/zero")).unwrap();
        assert_eq!(endless.len(), USER_KEY_LEN_MAX + 1);
        assert_eq!(UserKey::parse(&endless).unwrap_err().kind, ErrorKind::Unreachable);
    }
}
