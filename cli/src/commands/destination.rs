//! Where backups go and where they are read from: a location as a user writes it, opened as an object store.

use crate::exit::{Failure, usage};
use crate::output::{Output, Progress, Unit};
use engine::ErrorKind;
use pitr::archive::stored::store_error;
use pitr::{Candidates, ParentStore};
use platform::World;
use platform::object_store::{ObjectStore, open_directory};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

mod suggest;

/// The file that makes a directory a location of backups.
const ARCHIVE_FILE: &str = pitr::archive::layout::ARCHIVE_KEY;
/// The most neighbours of a location that are looked at for a backup's parents.
const SIBLINGS_MAX: usize = 1_000;

/// A directory that holds backups, or will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// Absolute, without `.` and doubled slashes.
    path: PathBuf,
}

impl Location {
    /// Reads a directory, or a `file://` URL. What a message shows of other URLs is their scheme: the rest may hold a secret.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let path = match text.split_once("://") {
            Some(("file", rest)) => file_url(rest)?,
            Some(("s3" | "s3a", _)) => return Err(usage("this build has no S3 support yet").with_hint(COPY_HINT)),
            Some((scheme, _)) if is_scheme(scheme) => {
                return Err(usage(format!("this build has no support for {scheme}:// locations")).with_hint(COPY_HINT));
            }
            _ => PathBuf::from(text),
        };
        let whole = match platform::process::current_dir() {
            Some(current) => current.join(path),
            None if path.is_absolute() => path,
            None => return Err(usage("the working directory is gone").with_hint("give an absolute path")),
        };
        Ok(Self { path: whole.components().collect() })
    }

    /// Opens a location to read from. Nothing is made; a missing one is answered with what may have been meant.
    pub fn open_source(&self, world: &World) -> Result<Arc<dyn ObjectStore>, Failure> {
        match world.fs.metadata(&self.path) {
            Ok(Some(found)) if found.is_dir => {}
            Ok(Some(_)) => {
                let message = format!("\"{}\" is a file, not a directory with backups", self.path.display());
                return Err(Failure::not_found(message).with_hint("give the directory that \"collections backup\" wrote to"));
            }
            Ok(None) => return Err(self.missing(world)),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Err(self.missing(world));
            }
            Err(error) if error.is_read_only() => {
                return Err(Failure::new(ErrorKind::Unreachable, error.to_string()).with_hint("give this user access to the location"));
            }
            Err(error) => return Err(error.into()),
        }
        open_directory(&self.path, false).map_err(|error| store_error(&error))
    }

    /// Opens a location to write to; it is made with its parents where it is missing.
    pub fn open_destination(&self, data_dir: &Path) -> Result<Arc<dyn ObjectStore>, Failure> {
        let data_dir = Self::parse(&data_dir.to_string_lossy())?;
        if self.path.starts_with(&data_dir.path) {
            let failure = usage(format!("the destination \"{}\" lies in the database", self.path.display()));
            return Err(failure.with_hint("a backup inside of what it protects protects nothing: choose another directory"));
        }
        open_directory(&self.path, true).map_err(|error| match store_error(&error) {
            // Something of the way there is a file.
            failure if failure.kind == ErrorKind::Incomplete => Failure { kind: ErrorKind::Unreachable, hint: None, ..failure },
            failure => failure,
        })
    }

    /// Whether both lie on one device, and would be lost together.
    pub fn shares_device(&self, world: &World, data_dir: &Path) -> bool {
        let device = |path: &Path| world.fs.metadata(path).ok().flatten().map(|found| found.device);
        device(&self.path).is_some_and(|own| Some(own) == device(data_dir))
    }

    /// Adds to the failure on a directory without backups which directory below it has some.
    pub fn explain(&self, world: &World, failure: Failure) -> Failure {
        if failure.kind != ErrorKind::NotFound || failure.object.as_deref() != Some(ARCHIVE_FILE) {
            return failure;
        }
        match suggest::question(&suggest::below(world, &self.path, &[])) {
            Some(question) => failure.with_hint(question),
            None => failure,
        }
    }

    fn missing(&self, world: &World) -> Failure {
        let (existing, wanted) = self.split_at_first_missing(world);
        let first = wanted.first().map_or(existing.clone(), |part| existing.join(part));
        let message = format!("cannot find the backup \"{}\": \"{}\" does not exist", self.path.display(), first.display());
        let failure = Failure::not_found(message);
        match suggest::question(&suggest::below(world, &existing, &wanted)) {
            Some(question) => failure.with_hint(question),
            None => failure.with_hint("check the path, and that the disk is mounted"),
        }
    }

    /// Splits the path into the longest part that is a directory, and the names behind it.
    fn split_at_first_missing(&self, world: &World) -> (PathBuf, Vec<String>) {
        let is_dir = |path: &Path| matches!(world.fs.metadata(path), Ok(Some(found)) if found.is_dir);
        let existing = self.path.ancestors().find(|path| is_dir(path)).unwrap_or(Path::new("/"));
        let behind = self.path.strip_prefix(existing).unwrap_or(&self.path);
        let names = behind.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        });
        (existing.to_path_buf(), names.collect())
    }

    /// Opens the other locations that a backup may rest on: those that the user names, and the neighbours of this one.
    pub fn candidates(&self, world: &World, parents: &[String]) -> Result<Candidates<'static>, Failure> {
        let open = |text: &String| {
            let location = Location::parse(text)?;
            Ok(ParentStore { store: location.open_source(world)?, hint: location.path.display().to_string() })
        };
        let parents = parents.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Candidates { parents, siblings: self.siblings(world), open_hint: Some(&open_hint) })
    }

    fn siblings(&self, world: &World) -> Vec<Arc<dyn ObjectStore>> {
        let around = platform::fs::parent(&self.path);
        // What cannot be read there cannot be a parent; a backup that needs it says so.
        let entries = world.fs.list(around).unwrap_or_default();
        let paths = entries.into_iter().filter(|entry| entry.is_dir).map(|entry| around.join(entry.name));
        let others = paths.filter(|path| *path != self.path && holds_backups(world, path));
        others.take(SIBLINGS_MAX).filter_map(|path| open_directory(&path, false).ok()).collect()
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

const COPY_HINT: &str = "back up to a directory, and copy that with any tool: a backup can be moved";

/// Opens the place where a parent was when a backup was made, if it is still there.
fn open_hint(hint: &str) -> Option<Arc<dyn ObjectStore>> {
    let location = Location::parse(hint).ok()?;
    holds_backups(&World::real(), &location.path).then(|| open_directory(&location.path, false).ok()).flatten()
}

fn holds_backups(world: &World, path: &Path) -> bool {
    matches!(world.fs.metadata(&path.join(ARCHIVE_FILE)), Ok(Some(found)) if !found.is_dir)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Turns what stands behind `file://` into a path.
fn file_url(rest: &str) -> Result<PathBuf, Failure> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(usage("a file:// URL names an absolute path on this machine").with_expected("file:///path", format!("file://{rest}")));
    }
    let malformed = || usage(format!("the URL file://{rest} has a % that is no character"));
    let mut bytes = Vec::with_capacity(path.len());
    let mut left = path.as_bytes();
    while let [first, behind @ ..] = left {
        left = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = behind.split_at_checked(2).ok_or_else(malformed)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        bytes.push(digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(malformed)?);
        left = behind;
    }
    String::from_utf8(bytes).map(PathBuf::from).map_err(|_| malformed())
}

/// Shows bytes done and in all; the bar appears with the first news.
pub(super) fn show_bytes<'a>(out: &'a Output, what: &'static str) -> impl Fn(u64, u64) + 'a {
    let bar: OnceLock<Progress<'a>> = OnceLock::new();
    move |done, all| bar.get_or_init(|| out.progress(what, Some(all), Unit::Bytes)).set(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(text: &str) -> PathBuf {
        Location::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).path
    }

    #[test]
    fn a_directory_and_its_url_are_the_same_location() {
        for same in ["/mnt/backups/a b", "/mnt//backups/./a b/", "file:///mnt/backups/a b", "file://localhost/mnt/backups/a%20b"] {
            assert_eq!(path_of(same), Path::new("/mnt/backups/a b"), "{same}");
        }
        assert!(path_of("here").is_absolute());
    }

    #[test]
    fn a_location_that_this_build_cannot_reach_is_a_usage_error_and_shows_no_secret() {
        for text in ["s3://key:secret@bucket/x", "gs://secret/x", "https://host/secret", "file://secret/x", "file:///a%2", "file:///a%+1"] {
            let failure = Location::parse(text).unwrap_err();
            assert_eq!(failure.kind, ErrorKind::Usage, "{text}");
            assert!(!failure.message.contains("secret") || text.starts_with("file"), "{failure}");
        }
        let failure = Location::parse("s3://bucket/x").unwrap_err();
        assert!(failure.message.contains("no S3 support yet"), "{failure}");
    }
}
