//! Appends a timeline's log to an archive.

use bytes::Bytes;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use platform::object_store::PutOutcome;

use super::look;
use crate::archive::extent::{self, ExtentRef, RECORD_ALIGN, SEAL_LEN, end_of};
use crate::archive::extent_stream::stream_extent;
use crate::archive::stored::store_error;
use crate::archive::{Archive, Key};
use crate::fence::Found;
use crate::fence::appender::{Appender, Reply, Request, Stop};

/// Unclear replies that one append bears.
const PATIENCE: u8 = 4;

/// The owner's own log.
pub trait LogSource {
    /// Gives the position up to which the log is synced.
    fn durable_end(&self) -> Lsn;

    /// Reads the bytes between two positions below the durable end.
    ///
    /// # Errors
    /// Those of reading the log.
    fn read(&self, start: Lsn, end: Lsn) -> Result<Bytes>;
}

/// Opens the owner's side: from `kept`, the archived end that this machine remembers (where the timeline begins, if it never archived), or from the
/// boundary, if that is higher.
///
/// # Errors
/// `Conflict` when the archive's boundary is above the log's durable end, those of the store.
pub fn open_appender(archive: &Archive, timeline: Timeline, kept: Lsn, durable: Lsn) -> Result<Appender> {
    let archived = kept.max(look::boundary(archive, timeline)?);
    if archived <= durable {
        return Ok(Appender::new(timeline, archived, durable, PATIENCE));
    }
    let error = Error::new(ErrorKind::Conflict, "the archive holds more of this log than the data directory");
    Err(archive
        .at(error, &Key::Low(timeline, archived))
        .with_expected(format!("a log up to {archived}"), format!("one up to {durable}"))
        .with_hint("fetch what is missing before anything is written: \"vectra restore --to-time now\" into a new collection"))
}

/// Archives `records`, the log's bytes from `start` on, and gives the archived end.
///
/// That end is not always the records' own: what somebody else had put under the same key is adopted, if it is this log's bytes over its whole length. It
/// is unchanged while that object reaches beyond the durable end ([`Appender::waits_for`]): call again when the log has grown.
///
/// # Errors
/// `Fenced` when another writer took over: the process must stop writing. `Diverged` when the archive holds other bytes of this timeline, `Corrupt` when
/// it holds damaged ones. Those of the store when it was unclear too often, and those of the log: open a new appender then.
///
/// # Panics
/// When `start` is not the archived end, or the records are not whole and durable.
pub fn append_extent(archive: &Archive, appender: &mut Appender, log: &dyn LogSource, start: Lsn, records: &Bytes) -> Result<Lsn> {
    appender.grow(log.durable_end());
    let mut last = None;
    if appender.is_idle() {
        assert_eq!(start, appender.archived(), "the log is archived without a hole");
        assert!((records.len() as u64).is_multiple_of(RECORD_ALIGN), "an extent holds whole records");
        appender.append(start + records.len() as u64);
    }
    while let Some(request) = appender.request() {
        let reply = match request {
            Request::Put { start: from, end } => {
                let held = from == start && (end - start) as usize <= records.len();
                let records = if held { records.slice(..(end - start) as usize) } else { log.read(from, end)? };
                put(archive, appender.timeline(), from, records, &mut last)
            }
            Request::Look { start } => look_at(archive, appender.timeline(), start, log, &mut last)?,
        };
        appender.grow(log.durable_end());
        appender.feed(reply);
    }
    match appender.stopped() {
        None => Ok(appender.archived()),
        Some(stop) => Err(stopped(archive, appender, stop, last)),
    }
}

fn put(archive: &Archive, timeline: Timeline, start: Lsn, records: Bytes, last: &mut Option<Error>) -> Reply {
    let put = archive.store.put_if_absent(&Key::Extent(timeline, start).to_string(), extent::body(timeline, start, records));
    match put {
        Ok(PutOutcome::Created) => Reply::Created,
        Ok(PutOutcome::Exists) => Reply::Exists,
        Err(error) => {
            *last = Some(store_error(&error));
            Reply::Unknown
        }
    }
}

/// Compares what stands under a key with the log, as far as that is durable now.
fn look_at(archive: &Archive, timeline: Timeline, start: Lsn, log: &dyn LogSource, last: &mut Option<Error>) -> Result<Reply> {
    let size = match archive.store.head(&Key::Extent(timeline, start).to_string()) {
        Ok(None) => return Ok(Reply::Found(Found::Absent)),
        Ok(Some(size)) => size,
        Err(error) => {
            *last = Some(store_error(&error));
            return Ok(Reply::Unknown);
        }
    };
    let durable = log.durable_end();
    let (mut agrees, mut of_the_log) = (true, None);
    let looked = if size == SEAL_LEN {
        look::read_seal(archive, timeline, start).map(|seal| Found::Seal { successor: seal.successor })
    } else if let Some(end) = end_of(start, size) {
        let streamed = stream_extent(archive, timeline, ExtentRef { start, end, whole: false }, &mut |position, piece| {
            let len = durable.saturating_sub(position).min(piece.len() as u64);
            if len > 0 && agrees {
                let own = log.read(position, position + len).inspect_err(|error| of_the_log = Some(error.clone()))?;
                agrees = own[..] == piece[..len as usize];
            }
            Ok(())
        });
        streamed.map(|()| Found::Data { end, compared: end.min(durable), agrees })
    } else {
        let error = Error::corrupt("an extent that is there already is cut off").with_expected("whole records", format!("{size} bytes"));
        Err(archive.at(error, &Key::Extent(timeline, start)))
    };
    if let Some(error) = of_the_log {
        return Err(error);
    }
    Ok(looked.map_or_else(
        |error| {
            let damaged = matches!(error.kind, ErrorKind::Corrupt | ErrorKind::NewerFormat);
            *last = Some(error);
            if damaged { Reply::Found(Found::Damaged) } else { Reply::Unknown }
        },
        Reply::Found,
    ))
}

/// Makes the error of a machine that has stopped.
fn stopped(archive: &Archive, appender: &Appender, stop: Stop, last: Option<Error>) -> Error {
    let (archived, key) = (appender.archived(), Key::Extent(appender.timeline(), appender.archived()));
    let found = |kind, message: String, hint: String| archive.at(Error::new(kind, message), &key).with_hint(hint);
    match stop {
        Stop::Fenced { successor } => found(
            ErrorKind::Fenced,
            format!("another writer took over at position {archived}; it writes timeline {successor}"),
            "stop this process: what it wrote after that position is not part of the history that goes on".to_owned(),
        ),
        Stop::Diverged => found(
            ErrorKind::Diverged,
            format!("the archive holds other bytes of this timeline from position {archived} on"),
            format!(
                "a copy of this data directory was written to; \"vectra collections fork NAME\" goes on in a new timeline from {archived}"
            ),
        ),
        Stop::Damaged => last
            .unwrap_or_else(|| found(ErrorKind::Corrupt, "the archive holds a damaged extent".to_owned(), String::new()))
            .with_hint("it is never overwritten: check the medium, remove this object by hand, and start again"),
        Stop::Poisoned => {
            let message = format!("it is not known what is archived behind position {archived}");
            let hint = "open the archive again; everything up to that position is safe".to_owned();
            let Some(last) = last else { return found(ErrorKind::Unreachable, message, hint) };
            found(last.kind, format!("{}; {message}", last.message), last.hint.map_or(hint.clone(), |first| format!("{first}; {hint}")))
        }
    }
}
