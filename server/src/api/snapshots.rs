//! Snapshots over REST: backups of collections, kept below the data directory, downloaded as one file and recovered from one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use platform::http::{Head, Method, Request, RequestBody, Response, ResponseBody};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::{is_near, query_string::QueryString, route};
use crate::{Host, Served};

mod file;
mod location;
mod multipart;
mod recover;
mod shelf;
mod staged;
mod tar;

use file::SnapshotTar;
use location::{Location, authority_of};
use multipart::FormFile;
use recover::{Source, Whole};
use shelf::Shelf;
use staged::Staged;
use tar::Packed;

/// Largest form that is taken: what a tar of as many files as are read holds is less.
const UPLOAD_LEN_MAX: u64 = 1 << 50;

/// The snapshots of a server.
#[derive(Debug)]
pub(super) struct Snapshots {
    host: Arc<Host>,
    /// Of one collection each, and of all collections.
    shelves: [Mutex<Option<Arc<Shelf>>>; 2],
    /// What an earlier server left unpacked was removed.
    is_cleared: Mutex<bool>,
}

/// What a request gives.
enum Given {
    Answer(Answer),
    File(Response),
    /// A job that goes on.
    Accepted(String),
}

type Outcome = Result<Given>;

/// A snapshot as clients know it.
#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    creation_time: String,
    size: u64,
    checksum: &'a str,
}

impl<'a> Description<'a> {
    fn of(file: &'a SnapshotTar) -> Self {
        let creation_time = pitr::time_text::format(file.created);
        Description { name: &file.name, creation_time, size: file.bytes, checksum: &file.sha256 }
    }
}

/// The body of a request to recover.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recover {
    location: String,
    /// One node has nobody to agree with: any of the three recovers the snapshot.
    #[serde(default)]
    #[expect(dead_code, reason = "its words are checked, and mean nothing to one node")]
    priority: Option<Priority>,
    checksum: Option<String>,
    api_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Priority {
    NoSync,
    Snapshot,
    Replica,
}

/// Says whether a path is about snapshots.
pub(super) fn are_meant(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match segments.next() {
        Some("snapshots") => true,
        Some("collections") => segments.nth(1) == Some("snapshots"),
        _ => false,
    }
}

/// Gives the most bytes of a body that is read as it comes; `None` when a request has no such body.
pub(super) fn upload_max(head: &Head) -> Option<u64> {
    let is_upload = head.method == Method::Post && are_meant(&head.path) && head.path.trim_end_matches('/').ends_with("/upload");
    is_upload.then_some(UPLOAD_LEN_MAX)
}

/// Says how the body of a request broke off.
fn broken(error: &io::Error) -> Error {
    use io::ErrorKind::{InvalidData, TimedOut, UnexpectedEof};
    match error.kind() {
        TimedOut => Error::new(ErrorKind::Timeout, "the snapshot did not come in time; nothing was changed"),
        UnexpectedEof => Error::invalid("the snapshot breaks off; nothing was changed"),
        InvalidData => Error::invalid(error.to_string()),
        _ => Error::invalid(format!("the snapshot cannot be read: {error}")),
    }
}

impl Snapshots {
    pub(super) fn new(host: Arc<Host>) -> Arc<Self> {
        Arc::new(Snapshots { host, shelves: Default::default(), is_cleared: Mutex::default() })
    }

    /// Answers a request about snapshots; keeps what failed.
    pub(super) fn answer(self: &Arc<Self>, request: Request, failed: &mut Option<Error>) -> Response {
        let clock = &self.host.database().world().clock;
        let began = clock.monotonic_micros();
        let outcome = self.routed(request);
        let took = clock.monotonic_micros().saturating_sub(began);
        match outcome {
            Ok(Given::Answer(answer)) => answer.into_response(took),
            Ok(Given::File(response)) => response,
            Ok(Given::Accepted(job)) => answer::accepted(&job, took),
            Err(error) => answer::failed(failed.insert(error), took),
        }
    }

    fn routed(self: &Arc<Self>, request: Request) -> Outcome {
        let Request { head, body } = request;
        let path = route::split(&head.path)?;
        let query = QueryString::parse(&head.query)?;
        let waits = query.get("wait") != Some("false");
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        let (collection, rest) = match segments[..] {
            ["collections", name, "snapshots", ref rest @ ..] => (Some(name), rest),
            ["snapshots", ref rest @ ..] => (None, rest),
            _ => (None, &["?"; 3][..]),
        };
        match (head.method, collection, rest) {
            (Method::Get | Method::Head, _, []) => self.list(collection),
            (Method::Post, _, []) => self.make(collection, waits),
            (Method::Get | Method::Head, _, [name]) => self.download(collection, name),
            (Method::Delete, _, [name]) => self.delete(collection, name),
            (Method::Put, Some(collection), ["recover"]) => self.recover(collection, &head, body, waits),
            (Method::Post, Some(collection), ["upload"]) => self.upload(collection, &head, &query, body, waits),
            _ => Err(route::missing(&head)),
        }
    }

    /// Gives where snapshots lie; `None` when there never was one, unless it is to be made.
    fn shelf(&self, of_collection: bool, make: bool) -> Result<Option<Arc<Shelf>>> {
        let mut shelf = self.shelves[usize::from(of_collection)].lock();
        if shelf.is_none() {
            let dir = self.dir().join(if of_collection { "collections" } else { "full" });
            let is_there = self.host.database().world().fs.metadata(&dir)?.is_some();
            if make || is_there {
                *shelf = Some(Arc::new(Shelf::new(self.host.stores().own(&dir)?)));
            }
        }
        Ok(shelf.clone())
    }

    fn dir(&self) -> PathBuf {
        self.host.database().dir().join("snapshots")
    }

    /// Gives where files are unpacked, without what an earlier server left there.
    fn incoming(&self) -> Result<PathBuf> {
        let dir = self.dir().join("incoming");
        let mut is_cleared = self.is_cleared.lock();
        if !*is_cleared {
            self.host.database().world().fs.remove_dir_all(&dir)?;
            *is_cleared = true;
        }
        Ok(dir)
    }

    /// Gives the collection that a name or an alias means, or what no longer exists and has snapshots.
    fn resolved(&self, name: &str) -> String {
        self.host.names().meant(name).to_owned()
    }

    fn found(&self, collection: Option<&str>, name: &str) -> Result<(Arc<Shelf>, SnapshotTar)> {
        let missing = || SnapshotTar::missing(name);
        let shelf = self.shelf(collection.is_some(), false)?.ok_or_else(missing)?;
        let file = shelf.find(name)?;
        let is_asked_for = file.collection == collection.map(|collection| self.resolved(collection));
        if is_asked_for { Ok((shelf, file)) } else { Err(missing()) }
    }

    fn list(&self, collection: Option<&str>) -> Outcome {
        let files = self.shelf(collection.is_some(), false)?.map_or_else(|| Ok(Vec::new()), |shelf| shelf.list())?;
        let wanted = collection.map(|collection| self.resolved(collection));
        let files: Vec<_> = files.iter().filter(|file| file.collection == wanted).map(Description::of).collect();
        // Those of a dropped collection are shown: they are what brings it back.
        if let (Some(name), true) = (collection, files.is_empty()) {
            self.host.names().resolve(name)?;
        }
        Ok(Given::Answer(Answer::of(&files)?))
    }

    fn make(self: &Arc<Self>, collection: Option<&str>, waits: bool) -> Outcome {
        let served: Vec<Arc<Served>> = match collection {
            Some(name) => vec![self.host.served(name)?],
            None => self.host.names().collections.keys().map(|name| self.host.served(name)).collect::<Result<_>>()?,
        };
        let name = collection.map(|name| self.resolved(name));
        let snapshots = self.clone();
        let work = move || {
            let shelf = snapshots.shelf(name.is_some(), true)?.ok_or_else(|| Error::internal("a place that is made is there"))?;
            let file = shelf.make(&snapshots.host, name.as_deref(), &served)?;
            serde_json::to_value(Description::of(&file)).map_err(|error| Error::internal(error.to_string()))
        };
        self.carried_out("snapshot", collection, waits, work)
    }

    fn delete(&self, collection: Option<&str>, name: &str) -> Outcome {
        let (shelf, _) = self.found(collection, name)?;
        shelf.delete(name)?;
        Ok(Given::Answer(Answer::of(&true)?))
    }

    fn download(&self, collection: Option<&str>, name: &str) -> Outcome {
        let (shelf, _) = self.found(collection, name)?;
        let (store, reading) = shelf.reading();
        // Looked at again: from now on it stays.
        let file = shelf.find(name)?;
        let mut response = Response::new(200, "application/x-tar", Vec::new())
            .with_header("content-disposition", format!("attachment; filename=\"{}.tar\"", file.name));
        let len = Some(file.bytes);
        response.body = ResponseBody::Stream { from: Box::new(Packed::new(store, file.entries, reading)), len };
        Ok(Given::File(response))
    }

    fn recover(self: &Arc<Self>, collection: &str, head: &Head, body: RequestBody, waits: bool) -> Outcome {
        let RequestBody::Whole(body) = body else { return Err(Error::internal("this body was to come whole")) };
        let wanted: Recover = serde_json::from_slice(&body).map_err(|error| Error::invalid(format!("the body does not read: {error}")))?;
        let announced = engine::database::served_at(self.host.database().world(), self.host.database().dir()).ok().flatten();
        let announced = announced.as_deref().and_then(|url| url.split_once("://")).map(|(_, authority)| authority);
        let own: Vec<&str> = authority_of(head).into_iter().chain(announced).collect();
        let location = Location::parse(&wanted.location, &own)?;
        let is_near = is_near(head);
        match &location {
            Location::Own { .. } => {}
            Location::File(path) => self.host.sources().check(&path.to_string_lossy(), is_near)?,
            Location::Remote { base, path } => self.host.sources().check(&format!("{base}{path}"), is_near)?,
        }
        engine::schema::check_name(collection)?;
        let (snapshots, name) = (self.clone(), collection.to_owned());
        let work = move || {
            let checksum = wanted.checksum.as_deref();
            let source = match &location {
                Location::Own { is_full, name } => snapshots.own_source(*is_full, name, checksum)?,
                Location::File(path) => snapshots.stage(Whole::open(&snapshots.host, path)?, checksum)?,
                Location::Remote { base, path } => snapshots.stage(recover::fetch(base, path, wanted.api_key.as_deref())?, checksum)?,
            };
            source.recover(&snapshots.host, &name).map(|()| json!(true))
        };
        self.carried_out("recover", Some(collection), waits, work)
    }

    fn own_source(&self, is_full: bool, name: &str, checksum: Option<&str>) -> Result<Source> {
        let shelf = self.shelf(!is_full, false)?.ok_or_else(|| SnapshotTar::missing(name))?;
        let (store, reading) = shelf.reading();
        let file = shelf.find(name)?;
        if let Some(expected) = checksum.filter(|expected| !expected.eq_ignore_ascii_case(&file.sha256)) {
            let other = Error::invalid("the snapshot has another checksum; nothing was changed");
            return Err(other.with_expected(expected.escape_debug().to_string(), &file.sha256));
        }
        Ok(Source::Own { store, file, _reading: reading })
    }

    fn stage(&self, from: impl io::Read, checksum: Option<&str>) -> Result<Source> {
        let world = self.host.database().world();
        Staged::unpack(world, self.host.stores(), &self.incoming()?, from, checksum).map(Source::Staged)
    }

    fn upload(self: &Arc<Self>, collection: &str, head: &Head, query: &QueryString, body: RequestBody, waits: bool) -> Outcome {
        engine::schema::check_name(collection)?;
        if let Some(priority) = query.get("priority") {
            let known = serde_json::from_value::<Priority>(Value::from(priority));
            known.map_err(|_| {
                Error::invalid("the priority is none").with_expected("no_sync, snapshot or replica", priority.escape_debug())
            })?;
        }
        let RequestBody::Stream(body) = body else { return Err(Error::internal("this body was to come as a stream")) };
        let boundary = multipart::boundary_of(head.headers.get("content-type"))?;
        let source = self.stage(FormFile::open(body, &boundary, "snapshot")?, query.get("checksum"))?;
        let (host, name) = (self.host.clone(), collection.to_owned());
        self.carried_out("recover", Some(collection), waits, move || source.recover(&host, &name).map(|()| json!(true)))
    }

    /// Does work now, or as a job when nobody waits for it.
    fn carried_out(
        &self,
        kind: &str,
        collection: Option<&str>,
        waits: bool,
        work: impl FnOnce() -> Result<Value> + Send + 'static,
    ) -> Outcome {
        if waits {
            return Ok(Given::Answer(Answer::of(&work()?)?));
        }
        let words: Vec<String> = [kind].into_iter().chain(collection).map(str::to_owned).collect();
        let job = self.host.jobs().begin(kind, &words)?;
        let id = job.id();
        std::thread::spawn(move || {
            let (exit, result, error) = match work() {
                Ok(result) => (0, Some(result), None),
                Err(error) => (error.kind.exit_code(), None, Some(answer::error_json(&error))),
            };
            // What cannot be written down is found by the next server: a job that nobody works on has failed.
            let _written = job.end(exit, result, error);
        });
        Ok(Given::Accepted(id))
    }
}
