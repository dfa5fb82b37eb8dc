//! This process and its surroundings: id, home, environment, terminal, signals, memory.

use std::io::{IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::fs::{FileSystem, OsFileSystem, read_file};

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

/// Runs a command line through `sh -c` and returns what it wrote to its standard output.
///
/// Its standard input is empty, its standard error that of this process. It is ended once it has
/// written more than `len_max` bytes.
///
/// # Errors
///
/// Fails if there is no shell, if the command ends with another code than 0, or if it writes too
/// much. No message holds the command or what it wrote.
pub fn run_command(line: &str, len_max: usize) -> std::io::Result<Vec<u8>> {
    let mut child = Command::new("sh").arg("-c").arg(line).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut written = Vec::new();
    let read = match child.stdout.take() {
        // One byte more than allowed tells that there is more.
        Some(out) => out.take((len_max as u64).saturating_add(1)).read_to_end(&mut written),
        None => Ok(0),
    };
    let is_too_long = written.len() > len_max;
    if is_too_long || read.is_err() {
        let _ = child.kill();
    }
    // Waited for in every case: nothing of it is left behind.
    let status = child.wait()?;
    read?;
    if is_too_long {
        return Err(std::io::Error::other(format!("it wrote more than {len_max} bytes")));
    }
    if status.success() { Ok(written) } else { Err(std::io::Error::other(format!("it failed with {status}"))) }
}

/// The exit code of a process that was interrupted.
const INTERRUPTED: i32 = 130;

fn interrupt_flag() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(Arc::default)
}

/// Makes the first SIGINT or SIGTERM set what [`interrupted`] tells, instead of ending the process;
/// the second one ends it with code 130. Without this call both end it at once, which is safe too:
/// what was acknowledged is durable.
///
/// # Errors
///
/// Fails if the system refuses the handlers.
pub fn catch_interrupts() -> std::io::Result<()> {
    interrupt_pipe().map(|_| ())
}

/// Where a byte is written to wake who waits for the end.
static WAKER: OnceLock<UnixStream> = OnceLock::new();

/// Does what the first SIGTERM does: [`interrupted`] tells it, and who waits for the end is woken. Without [`catch_interrupts`] before, only the former.
pub fn end() {
    interrupt_flag().store(true, Ordering::Relaxed);
    if let Some(mut waker) = WAKER.get() {
        // A pipe that is full has woken everybody.
        let _woken = waker.write(&[0]);
    }
}

/// How much less the threads that give way weigh: the scheduler gives them about a tenth of what the others want, and all that is left.
const GIVES_WAY: i32 = 10;

/// Makes the calling thread, and those that it starts from now on, give way to all others of the machine that are not as patient.
pub fn give_way() {
    // Linux counts this call for the thread alone; where it is refused, or counts for the process, only latency is lost.
    if cfg!(target_os = "linux") {
        let _given = rustix::process::setpriority_process(None, GIVES_WAY);
    }
}

/// Returns where a byte comes in with each signal; nobody takes it out, so that it wakes all who wait.
fn interrupt_pipe() -> std::io::Result<&'static UnixStream> {
    static CAUGHT: OnceLock<Result<UnixStream, std::io::ErrorKind>> = OnceLock::new();
    let caught = CAUGHT.get_or_init(|| register_signals().map_err(|error| error.kind()));
    caught.as_ref().map_err(|kind| (*kind).into())
}

fn register_signals() -> std::io::Result<UnixStream> {
    let (written, read) = UnixStream::pair()?;
    // Nobody waits yet: whoever ends the process later finds it set.
    let _kept = WAKER.set(written.try_clone()?);
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag clear, and sets it.
        let flag = Arc::clone(interrupt_flag());
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, flag)?;
        signal_hook::flag::register(signal, Arc::clone(interrupt_flag()))?;
        // Last: whom the byte wakes finds the flag set.
        signal_hook::low_level::pipe::register(signal, written.try_clone()?)?;
    }
    Ok(read)
}

/// Waits until SIGINT or SIGTERM comes, or at most for `timeout`, and tells whether one came since [`catch_interrupts`].
///
/// # Errors
///
/// Fails if [`catch_interrupts`] does, which it calls, and if the system does not let it wait.
pub fn wait_for_termination(timeout: Option<Duration>) -> std::io::Result<bool> {
    let pipe = interrupt_pipe()?;
    // What the system cannot count is as good as for ever.
    let limit = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    while !interrupted() {
        match poll(&mut [PollFd::new(pipe, PollFlags::IN)], limit.as_ref()) {
            Ok(0) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(interrupted())
}

/// Tells whether SIGINT or SIGTERM came since [`catch_interrupts`]. Long work looks now and then.
#[must_use]
pub fn interrupted() -> bool {
    interrupt_flag().load(Ordering::Relaxed)
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

/// Returns the size of all addresses that this process uses, in bytes, most of them of mapped files; `None` where the system does not tell.
#[must_use]
pub fn virtual_bytes() -> Option<u64> {
    status_bytes("VmSize:")
}

/// Returns how many threads this process has; `None` where the system does not tell.
#[must_use]
pub fn threads() -> Option<u64> {
    status()?.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse().ok()
}

/// Returns how many files and sockets this process has open; `None` where the system does not tell.
#[must_use]
pub fn open_files() -> Option<u64> {
    let open = OsFileSystem::new().list(Path::new("/proc/self/fd")).ok()?;
    Some(open.len() as u64)
}

/// Returns how many files and sockets this process may have open; `None` where there is no limit.
#[must_use]
pub fn open_files_max() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Reads what the system says of this process.
fn status() -> Option<String> {
    let status = read_file(&OsFileSystem::new(), Path::new("/proc/self/status")).ok()?;
    Some(String::from_utf8_lossy(&status).into_owned())
}

fn status_bytes(field: &str) -> Option<u64> {
    field_in(&status()?, field)
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
    fn the_first_signal_is_noted_wakes_all_who_wait_and_does_not_end_the_process() {
        catch_interrupts().unwrap();
        catch_interrupts().unwrap();
        assert!(!interrupted());
        assert!(!wait_for_termination(Some(Duration::from_millis(5))).unwrap(), "nothing came");
        let waiting: Vec<_> = (0..2).map(|_| std::thread::spawn(|| wait_for_termination(None).unwrap())).collect();
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert!(interrupted());
        waiting.into_iter().for_each(|waiting| assert!(waiting.join().unwrap()));
        assert!(wait_for_termination(Some(Duration::ZERO)).unwrap(), "and it stays known");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn who_gives_way_does_it_for_itself_and_for_what_it_starts() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        let (patient, started) = std::thread::spawn(move || {
            give_way();
            (own(), std::thread::spawn(own).join().unwrap())
        })
        .join()
        .unwrap();
        assert_eq!((patient, started), (GIVES_WAY.max(before), GIVES_WAY.max(before)));
        assert_eq!(own(), before, "the others are as they were");
    }

    #[test]
    fn a_command_gives_what_it_wrote_or_says_how_it_failed() {
        assert_eq!(run_command("printf 'a\\nb'; cat", 3).unwrap(), b"a\nb");
        assert_eq!(run_command("true", 0).unwrap(), b"");
        for (line, says) in [("printf secret; exit 3", "3"), ("no-such-command-here 2>&-", "127"), ("yes secret", "more than 10 bytes")] {
            let message = run_command(line, 10).unwrap_err().to_string();
            assert!(message.contains(says) && !message.contains("secret"), "{line}: {message}");
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
        assert!(peak >= 4096 && now >= 4096 && virtual_bytes().unwrap() >= now);
        assert!(threads().unwrap() >= 1);
        assert!(open_files().unwrap() >= 3 && open_files_max().is_none_or(|most| most >= open_files().unwrap()));
        assert!(home_directory().is_some() && current_dir().is_some());
        assert!(pid() > 0);
        assert_eq!(env("VECTRA_THIS_IS_NOT_SET"), None);
    }
}
