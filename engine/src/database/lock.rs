//! The lock of a data directory: one writer at a time, who it is, and who waits for it (rule S13).

use std::path::{Path, PathBuf};
use std::time::Duration;

use platform::World;
use platform::fs::{FileLock, LockKind};

use crate::error::{Error, ErrorKind, Result};

/// Time between two tries.
const RETRY: Duration = Duration::from_millis(20);

fn lock_path(dir: &Path) -> PathBuf {
    dir.join("LOCK")
}

fn waiters_path(dir: &Path) -> PathBuf {
    dir.join("LOCK.wanted")
}

/// Takes the lock, waiting for it as long as asked.
///
/// # Errors
/// `Locked` with the holder's pid when time runs out, `Io` when the lock file cannot be written.
pub fn take(world: &World, dir: &Path, wait: Duration) -> Result<FileLock> {
    let path = lock_path(dir);
    let deadline = world.clock.monotonic_micros() + wait.as_micros() as u64;
    let mut waiting = None;
    loop {
        if let Some(lock) = world.fs.lock(&path, LockKind::Exclusive)? {
            lock.write_contents(format!("{{\"pid\":{}}}\n", platform::process::pid()).as_bytes())?;
            return Ok(lock);
        }
        if world.clock.monotonic_micros() >= deadline {
            return Err(held(world, &path, wait));
        }
        if waiting.is_none() {
            waiting = world.fs.lock(&waiters_path(dir), LockKind::Shared)?;
        }
        world.clock.sleep(RETRY);
    }
}

/// Says in the lock, while it is held, where the database is served.
///
/// # Errors
/// `Io`.
pub(super) fn announce(lock: &FileLock, url: &str) -> Result<()> {
    let holder = serde_json::json!({"pid": platform::process::pid(), "url": url});
    Ok(lock.write_contents(format!("{holder}\n").as_bytes())?)
}

/// Gives the URL at which another process serves a database now, if one does.
///
/// # Errors
/// `Io`.
pub fn served_at(world: &World, dir: &Path) -> Result<Option<String>> {
    let path = lock_path(dir);
    if world.fs.metadata(&path)?.is_none() {
        return Ok(None);
    }
    let bytes = platform::fs::read_file(&*world.fs, &path)?;
    let Ok(holder) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return Ok(None) };
    let Some(url) = holder.get("url").and_then(serde_json::Value::as_str) else { return Ok(None) };
    // What a server that is gone left behind says nothing: the lock is free then.
    let is_held = world.fs.lock(&path, LockKind::Shared)?.is_none();
    Ok(is_held.then(|| url.to_owned()))
}

fn held(world: &World, path: &Path, wait: Duration) -> Error {
    let holder = platform::fs::read_file(&*world.fs, path).ok().and_then(|bytes| {
        let text: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        text.get("pid").map(ToString::to_string)
    });
    let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    Error::new(ErrorKind::Locked, format!("the database is being written by {who}"))
        .with_file(path)
        .with_expected(format!("the lock within {} s", wait.as_secs_f64()), "no lock")
        .with_hint("wait for it to finish, or give --lock-wait more seconds")
}

/// Says whether somebody waits for the lock.
///
/// # Errors
/// `Io`.
pub fn is_wanted(world: &World, dir: &Path) -> Result<bool> {
    let path = waiters_path(dir);
    if world.fs.metadata(&path)?.is_none() {
        return Ok(false);
    }
    Ok(world.fs.lock(&path, LockKind::Exclusive)?.is_none())
}
