//! A snapshot becomes a collection again: in place of the one that has the name, in one step, or not at all.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use pitr::{RestoreRequest, Target};
use platform::fs::{File, OpenMode};
use platform::http::Method;
use platform::http::client::{Client, ClientOptions};
use platform::object_store::ObjectStore;

use super::file::SnapshotTar;
use super::shelf::Reading;
use super::staged::Staged;
use crate::Host;

/// Threads that fetch.
const THREADS: usize = 2;

/// What a collection is recovered from.
#[derive(Debug)]
pub(super) enum Source {
    /// A snapshot that came from elsewhere.
    Staged(Staged),
    /// One of this server.
    Own {
        /// Where it lies.
        store: Arc<dyn ObjectStore>,
        /// What it is.
        file: SnapshotTar,
        /// What it consists of stays meanwhile.
        _reading: Reading,
    },
}

impl Source {
    /// Makes the collection what the snapshot says. When this fails, nothing was changed.
    ///
    /// # Errors
    /// `InvalidInput` when what came from elsewhere is damaged or holds no such collection; those of [`pitr::restore()`].
    pub(super) fn recover(self, host: &Arc<Host>, name: &str) -> Result<()> {
        let names = host.names();
        // An alias means the collection behind it.
        let target = names.meant(name);
        let (store, backups) = match &self {
            Source::Staged(staged) => (&staged.store, None),
            Source::Own { store, file, .. } => (store, Some(&file.backups)),
        };
        let recovered = restore(host, store, backups.map(Vec::as_slice), target);
        match (&self, recovered) {
            (Source::Staged(_), Err(error)) if is_about_the_file(error.kind) => Err(Error {
                kind: ErrorKind::InvalidInput,
                message: format!("the snapshot cannot be recovered: {}", error.message),
                ..error
            }),
            (_, recovered) => recovered,
        }
    }
}

/// Says whether an error is about the bytes that a client gave, and none of this server's.
fn is_about_the_file(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::Incomplete | ErrorKind::NotFound | ErrorKind::NewerFormat | ErrorKind::Diverged)
}

fn restore(host: &Arc<Host>, store: &Arc<dyn ObjectStore>, backups: Option<&[String]>, target: &str) -> Result<()> {
    let held = pitr::list(store)?;
    if let Some((_, why)) = held.unreadable.first() {
        return Err(Error::corrupt(why.clone()));
    }
    let among: Vec<_> = held.snapshots.iter().filter(|backup| backups.is_none_or(|ids| ids.contains(&backup.snapshot_id))).collect();
    let chosen = match among[..] {
        [only] => only,
        _ => among.iter().find(|backup| backup.collection == target).ok_or_else(|| {
            let names: Vec<&str> = among.iter().map(|backup| backup.collection.as_str()).collect();
            Error::not_found(format!("the snapshot holds no collection \"{}\"", target.escape_debug()))
                .with_hint(format!("it holds: {}", names.join(", ")))
        })?,
    };
    let request = RestoreRequest {
        name: &chosen.collection,
        target: Target::Snapshot(Some(&chosen.snapshot_id)),
        new_name: Some(target),
        replace: true,
        threads: THREADS,
        ..RestoreRequest::default()
    };
    host.change(|database| pitr::restore(database, store, &request, &|_, _| ()))?;
    host.served(target).map(drop)
}

/// Reads a file from its beginning to its end.
pub(super) struct Whole {
    file: Arc<dyn File>,
    at: u64,
}

impl Whole {
    /// Opens a file that a request names.
    ///
    /// # Errors
    /// `NotFound` when there is none, `InvalidInput` when it is a directory, `Io`.
    pub(super) fn open(host: &Host, path: &Path) -> Result<Self> {
        let fs = &host.database().world().fs;
        let missing = || Error::not_found("the file of the snapshot does not exist").with_file(path);
        match fs.metadata(path) {
            Ok(Some(found)) if !found.is_dir => {}
            Ok(Some(_)) => {
                let hint = "\"vectra collections restore --source\" restores from directories";
                return Err(Error::invalid("the location is a directory").with_file(path).with_hint(hint));
            }
            Ok(None) => return Err(missing()),
            // A part of the way that is a file, a name that is too long: nothing is there either.
            Err(error) if !error.is_read_only() => return Err(missing()),
            Err(error) => return Err(error.into()),
        }
        Ok(Whole { file: fs.open(path, OpenMode::Read)?, at: 0 })
    }
}

impl Read for Whole {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(into, self.at).map_err(|error| error.source)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Asks another server for the file of a snapshot.
///
/// # Errors
/// `Unreachable` when it does not answer, `NotFound` when it answers with something else.
pub(super) fn fetch(base: &str, path: &str, api_key: Option<&str>) -> Result<Box<dyn Read + Send>> {
    let unreachable = |error: platform::http::HttpError| {
        Error::new(ErrorKind::Unreachable, error.to_string())
            .with_hint("check that the server of the location can be reached from this one")
    };
    let client = Client::new(base, ClientOptions::default()).map_err(|error| Error::invalid(error.to_string()))?;
    let headers: Vec<(&str, &str)> = api_key.map(|key| ("api-key", key)).into_iter().collect();
    let answer = client.send(Method::Get, path, &headers, &[]).map_err(unreachable)?;
    if answer.status == 200 {
        return Ok(answer.body);
    }
    Err(Error::not_found(format!("the server of the location answered with status {}", answer.status)))
}
