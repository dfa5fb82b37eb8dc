//! This process and its surroundings: id, home, environment, terminal, memory.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::fs::{OsFileSystem, read_file};

/// Returns the id of this process.
#[must_use]
pub fn pid() -> u32 {
    std::process::id()
}

/// Returns the value of an environment variable; `None` if it is unset, empty or not UTF-8.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the working directory; `None` if it was removed.
#[must_use]
pub fn current_dir() -> Option<PathBuf> {
    std::env::current_dir().ok()
}

/// Tells whether standard input is a terminal.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Tells whether standard output is a terminal.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Tells whether standard error is a terminal.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Returns the home directory that the password database names for the user of this process;
/// `$HOME` where the database does not know the user.
///
/// The database comes first because `sudo` and containers often leave another user's `$HOME`.
#[must_use]
pub fn home_directory() -> Option<PathBuf> {
    let database = read_file(&OsFileSystem::new(), Path::new("/etc/passwd")).unwrap_or_default();
    home_in(&String::from_utf8_lossy(&database), rustix::process::getuid().as_raw()).or_else(|| env("HOME").map(PathBuf::from))
}

fn home_in(database: &str, user: u32) -> Option<PathBuf> {
    let line = database.lines().find(|line| line.split(':').nth(2).and_then(|field| field.parse::<u32>().ok()) == Some(user))?;
    line.split(':').nth(5).filter(|home| home.starts_with('/')).map(PathBuf::from)
}

/// Returns the largest resident size that this process has had, in bytes; `None` where the system
/// does not tell.
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

/// Returns the resident size of this process now, in bytes; `None` where the system does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

fn status_bytes(field: &str) -> Option<u64> {
    let status = read_file(&OsFileSystem::new(), Path::new("/proc/self/status")).ok()?;
    field_in(&String::from_utf8_lossy(&status), field)
}

fn field_in(status: &str, field: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_of_a_user_is_found_by_number_and_garbage_is_skipped() {
        let database = "root:x:0:0:root:/root:/bin/sh\n# note\nbroken:x:7\nann:x:1000:1000::/home/ann:/bin/sh\nnone:x:9:9:::\n";
        assert_eq!(home_in(database, 1000), Some(PathBuf::from("/home/ann")));
        assert_eq!(home_in(database, 0), Some(PathBuf::from("/root")));
        for unknown in [7, 9, 12] {
            assert_eq!(home_in(database, unknown), None);
        }
    }

    #[test]
    fn memory_fields_are_read_as_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\tmany kB\n";
        assert_eq!(field_in(status, "VmHWM:"), Some(2048 * 1024));
        assert_eq!(field_in(status, "VmRSS:"), None);
        assert_eq!(field_in(status, "VmSwap:"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_a_home_and_a_directory() {
        let (peak, now) = (peak_memory_bytes().unwrap(), resident_bytes().unwrap());
        assert!(peak >= 4096 && now >= 4096);
        assert!(home_directory().is_some() && current_dir().is_some());
        assert!(pid() > 0);
        assert_eq!(env("VECTRA_THIS_IS_NOT_SET"), None);
    }
}
