//! Where backups go and where they are read from: a location as a user writes it, opened as an object store.

use crate::exit::{Failure, usage};
use crate::output::{Output, Progress, Unit};
use engine::ErrorKind;
use pitr::archive::stored::store_error;
use pitr::backup::held::OpenHint;
use pitr::encryption::KeySource;
use pitr::{Candidates, ParentStore};
use platform::World;
use platform::object_store::{ObjectStore, StoreUrl, open_directory};
pub(super) use reach::Reach;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

mod reach;
mod remote;
mod suggest;

/// The file that makes a directory a location of backups.
const ARCHIVE_FILE: &str = pitr::archive::layout::ARCHIVE_KEY;
/// The most neighbours of a location that are looked at for a backup's parents.
const SIBLINGS_MAX: usize = 1_000;

/// A place that holds backups, or will: a directory, or a part of a bucket.
#[derive(Debug, Clone)]
pub(super) struct Location {
    place: Place,
    reach: Reach,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Absolute, without `.` and doubled slashes.
    Directory(PathBuf),
    Url(StoreUrl),
}

impl Location {
    /// Reads a directory, a `file://` URL, or that of an object store. What a message shows of other URLs is their scheme: the rest may hold a secret.
    ///
    /// Nothing is opened yet.
    pub fn parse(text: &str, reach: &Reach) -> Result<Self, Failure> {
        let reach = reach.clone();
        if let Some(url) = StoreUrl::parse(text) {
            return Ok(Self { place: Place::Url(remote::supported(url)?), reach });
        }
        let path = match text.split_once("://") {
            Some(("file", rest)) => file_url(rest)?,
            Some((scheme, _)) if is_scheme(scheme) => return Err(remote::no_support(scheme)),
            _ => PathBuf::from(text),
        };
        let whole = match reach.directory.clone().or_else(platform::process::current_dir) {
            Some(current) => current.join(path),
            None if path.is_absolute() => path,
            None => return Err(usage("the working directory is gone").with_hint("give an absolute path")),
        };
        Ok(Self { place: Place::Directory(whole.components().collect()), reach })
    }

    /// Opens a location to read from. Nothing is made; a missing one is answered with what may have been meant.
    pub fn open_source(&self, world: &World) -> Result<Arc<dyn ObjectStore>, Failure> {
        self.reach.unlock(self.open_locked(world)?)
    }

    /// Opens a location to read from as it lies there: of an encrypted archive, what is encrypted.
    pub fn open_locked(&self, world: &World) -> Result<Arc<dyn ObjectStore>, Failure> {
        let path = match &self.place {
            Place::Directory(path) => path,
            Place::Url(url) => return remote::open(url, self.reach.endpoint.as_deref()),
        };
        match world.fs.metadata(path) {
            Ok(Some(found)) if found.is_dir => {}
            Ok(Some(_)) => {
                let message = format!("\"{}\" is a file, not a directory with backups", path.display());
                return Err(Failure::not_found(message).with_hint("give the directory that \"collections backup\" wrote to"));
            }
            Ok(None) => return Err(missing(world, path)),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Err(missing(world, path));
            }
            Err(error) if error.is_read_only() => {
                return Err(Failure::new(ErrorKind::Unreachable, error.to_string()).with_hint("give this user access to the location"));
            }
            Err(error) => return Err(error.into()),
        }
        open_directory(path, false).map_err(|error| store_error(&error))
    }

    /// Opens a location to write to; a directory is made with its parents where it is missing, a bucket never.
    pub fn open_destination(&self, data_dir: &Path) -> Result<Arc<dyn ObjectStore>, Failure> {
        self.reach.unlock(self.open_locked_destination(data_dir)?)
    }

    /// Opens a location that an encrypted archive is to be made at, and makes it, unless it is one already.
    pub fn create_encrypted(&self, data_dir: &Path) -> Result<Arc<dyn ObjectStore>, Failure> {
        let store = self.open_locked_destination(data_dir)?;
        if pitr::encryption::is_encrypted(&*store)? {
            return self.reach.unlock(store);
        }
        let missing = || {
            Failure::new(ErrorKind::Usage, "--encrypt needs a key")
                .with_hint("name one with --key-file; \"vectra archive new-key FILE\" makes one")
        };
        let key = self.reach.key.key()?.ok_or_else(missing)?;
        pitr::encryption::create(&store, &key, &World::real().random)
    }

    fn open_locked_destination(&self, data_dir: &Path) -> Result<Arc<dyn ObjectStore>, Failure> {
        let path = match &self.place {
            Place::Directory(path) => path,
            Place::Url(url) => return remote::open(url, self.reach.endpoint.as_deref()),
        };
        let data_dir = Self::parse(&data_dir.to_string_lossy(), &Reach::default())?;
        if matches!(&data_dir.place, Place::Directory(data_dir) if path.starts_with(data_dir)) {
            let failure = usage(format!("the destination \"{}\" lies in the database", path.display()));
            return Err(failure.with_hint("a backup inside of what it protects protects nothing: choose another directory"));
        }
        open_directory(path, true).map_err(|error| match store_error(&error) {
            // Something of the way there is a file.
            failure if failure.kind == ErrorKind::Incomplete => Failure { kind: ErrorKind::Unreachable, hint: None, ..failure },
            failure => failure,
        })
    }

    /// Whether both lie on one device, and would be lost together.
    pub fn shares_device(&self, world: &World, data_dir: &Path) -> bool {
        let Place::Directory(path) = &self.place else { return false };
        let device = |path: &Path| world.fs.metadata(path).ok().flatten().map(|found| found.device);
        device(path).is_some_and(|own| Some(own) == device(data_dir))
    }

    /// Adds to the failure on a place without backups which directory below it has some.
    pub fn explain(&self, world: &World, failure: Failure) -> Failure {
        if failure.kind != ErrorKind::NotFound || failure.object.as_deref() != Some(ARCHIVE_FILE) {
            return failure;
        }
        let Place::Directory(path) = &self.place else { return failure };
        match suggest::question(&suggest::below(world, path, &[])) {
            Some(question) => failure.with_hint(question),
            None => failure,
        }
    }

    /// Opens the other locations that a backup may rest on: those that the user names, and the neighbours of this one.
    pub fn candidates(&self, world: &World, parents: &[String]) -> Result<Candidates<'static>, Failure> {
        let open = |text: &String| {
            let location = Location::parse(text, &self.reach)?;
            Ok(ParentStore { store: location.open_source(world)?, hint: location.to_string() })
        };
        let parents = parents.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
        let siblings = match &self.place {
            Place::Directory(path) => siblings(world, path, &self.reach),
            // A look at each other part of a bucket costs a request: a parent there is found by the name that the backup has of it.
            Place::Url(_) => Vec::new(),
        };
        Ok(Candidates { parents, siblings, open_hint: Some(self.opener()) })
    }

    /// Opens the place where a parent was when a backup was made, if it is still there.
    fn opener(&self) -> OpenHint<'static> {
        let reach = self.reach.clone();
        // Candidates are made once or twice by a command, and live as long as it does.
        Box::leak(Box::new(move |hint: &str| {
            let location = Location::parse(hint, &reach).ok()?;
            let is_there = match &location.place {
                Place::Directory(path) => holds_backups(&World::real(), path),
                Place::Url(_) => true,
            };
            is_there.then(|| location.open_source(&World::real()).ok()).flatten()
        }))
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Directory(path) => write!(f, "{}", path.display()),
            Place::Url(url) => write!(f, "{url}"),
        }
    }
}

/// Says that a directory is not there, and which one may have been meant.
fn missing(world: &World, path: &Path) -> Failure {
    let (existing, wanted) = split_at_first_missing(world, path);
    let first = wanted.first().map_or(existing.clone(), |part| existing.join(part));
    let message = format!("cannot find the backup \"{}\": \"{}\" does not exist", path.display(), first.display());
    let failure = Failure::not_found(message);
    match suggest::question(&suggest::below(world, &existing, &wanted)) {
        Some(question) => failure.with_hint(question),
        None => failure.with_hint("check the path, and that the disk is mounted"),
    }
}

/// Splits a path into the longest part that is a directory, and the names behind it.
fn split_at_first_missing(world: &World, path: &Path) -> (PathBuf, Vec<String>) {
    let is_dir = |path: &Path| matches!(world.fs.metadata(path), Ok(Some(found)) if found.is_dir);
    let existing = path.ancestors().find(|path| is_dir(path)).unwrap_or(Path::new("/"));
    let behind = path.strip_prefix(existing).unwrap_or(path);
    let names = behind.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    (existing.to_path_buf(), names.collect())
}

/// Opens the directories with backups beside one.
fn siblings(world: &World, path: &Path, reach: &Reach) -> Vec<Arc<dyn ObjectStore>> {
    let around = platform::fs::parent(path);
    // What cannot be read there cannot be a parent; a backup that needs it says so.
    let entries = world.fs.list(around).unwrap_or_default();
    let paths = entries.into_iter().filter(|entry| entry.is_dir).map(|entry| around.join(entry.name));
    let others = paths.filter(|other| other != path && holds_backups(world, other));
    let opened = others.take(SIBLINGS_MAX).filter_map(|path| open_directory(&path, false).ok());
    // One whose key is another is no parent of what this key opens.
    opened.filter_map(|store| reach.unlock(store).ok()).collect()
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
        match Location::parse(text, &Reach::default()).unwrap_or_else(|error| panic!("{text}: {error}")).place {
            Place::Directory(path) => path,
            Place::Url(url) => panic!("{text} is a directory, not {url}"),
        }
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
        let texts = [
            "s3://key:secret@bucket/x",
            "s3://secret@bucket",
            "s3://bucket/x?secret",
            "sftp://secret/x",
            "https://host/secret",
            "file://secret/x",
            "file:///a%2",
            "file:///a%+1",
        ];
        for text in texts {
            let failure = Location::parse(text, &Reach::default()).unwrap_err();
            assert_eq!(failure.kind, ErrorKind::Usage, "{text}");
            assert!(!failure.message.contains("secret") || text.starts_with("file"), "{failure}");
        }
    }

    #[test]
    fn a_bucket_is_a_location_under_the_name_that_was_given() {
        let location =
            Location::parse("s3://bucket/vectra/x/", &Reach { endpoint: Some("http://host:1".to_owned()), ..Reach::default() }).unwrap();
        assert_eq!(location.to_string(), "s3://bucket/vectra/x");
        assert_eq!(location.reach.endpoint.as_deref(), Some("http://host:1"));
        assert!(!location.shares_device(&World::real(), Path::new("/")));
    }
}
