//! Whole operations of a log as bytes that may leave the machine: synced, every record checked, cut where an operation ends.

use std::path::Path;

use bytes::Bytes;
use platform::fs::{File, FileSystem, OpenMode};

use super::file::{self, LogFileName};
use super::record::{Record, RecordKind};
use crate::error::{Error, Result};
use crate::ids::{CommitTime, Lsn, Timeline};

/// Consecutive operations of one timeline.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The timeline that wrote them.
    pub timeline: Timeline,
    /// Position of the first record.
    pub start: Lsn,
    /// The records, byte for byte.
    pub bytes: Bytes,
    /// Commit time of the last of them.
    pub commit_time: CommitTime,
    /// How many operations there are that write something: marks of durability and moves apart.
    pub operations: u64,
    /// The largest number that a client gave one of them; 0 where none did.
    pub client_sequence: u64,
}

impl Outgoing {
    /// Gives the position behind the last record.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.start + self.bytes.len() as u64
    }
}

/// Reads operations from a position on, up to `end`, of one file: about `len_max` bytes, more when the first operation is larger.
///
/// `end` is what the log's writer knows to be synced.
///
/// # Errors
/// `Corrupt` naming file and offset when a record is not what was written, or when no file holds the position; `Io`.
///
/// # Panics
/// When `from` lies behind `end`.
pub fn read(fs: &dyn FileSystem, dir: &Path, from: Lsn, end: Lsn, len_max: u64) -> Result<Option<Outgoing>> {
    assert!(from <= end, "what was sent was there");
    if from == end {
        return Ok(None);
    }
    let names = file::list(fs, dir)?;
    let index = names.partition_point(|name| name.start <= from).checked_sub(1);
    let missing = || Error::corrupt("no log file holds a position that is to be archived").with_file(dir).with_offset(from);
    let index = index.ok_or_else(missing)?;
    let name = names[index];
    let file = fs.open(&name.path(dir), OpenMode::Read)?;
    let stop = records_end(&*file, name, names.get(index + 1))?.unwrap_or(end).min(end);
    if stop <= from {
        return Err(missing());
    }
    let found = cut(name, from, stop, len_max, &mut |len| {
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, name.offset(from))?;
        Ok(Bytes::from(bytes))
    });
    let found = found.map_err(|error| {
        let at = error.offset.unwrap_or(from).max(from);
        error.with_file(file.path()).with_offset(name.offset(at))
    })?;
    Ok(Some(found))
}

/// Gives the position at which the records of a file end that another one follows, with or without a hole; `None` for the last file.
fn records_end(file: &dyn File, name: LogFileName, next: Option<&LogFileName>) -> Result<Option<Lsn>> {
    let Some(next) = next else { return Ok(None) };
    // A sealed file is cut behind its last record.
    let here = name.start + file.len()?.saturating_sub(name.header_len());
    Ok(Some(here.min(next.start)))
}

/// Takes whole operations out of a file from a position on, at least one and about `len_max` bytes; `fetch` gives so many bytes from there.
///
/// # Errors
/// `Corrupt` with the position when a record is not what was written or the last operation does not end before `stop`; those of `fetch`.
///
/// # Panics
/// When there is nothing to take.
pub fn cut(name: LogFileName, from: Lsn, stop: Lsn, len_max: u64, fetch: &mut dyn FnMut(u64) -> Result<Bytes>) -> Result<Outgoing> {
    assert!(from < stop, "there is something to take");
    let mut len = len_max.clamp(1, stop - from);
    loop {
        if let Some(found) = whole_operations(&name, from, fetch(len)?)? {
            return Ok(found);
        }
        if len == stop - from {
            return Err(Error::corrupt("an operation does not end where the log does").with_offset(from));
        }
        len = (len * 2).min(stop - from);
    }
}

/// Reads the bytes of records between two positions as they lie in the files, wherever records begin; for comparing.
///
/// # Errors
/// `Corrupt` when no file holds them, `Io`.
pub fn bytes(fs: &dyn FileSystem, dir: &Path, from: Lsn, to: Lsn) -> Result<Bytes> {
    assert!(from <= to, "a range does not run backwards");
    let names = file::list(fs, dir)?;
    let (mut at, mut out) = (from, Vec::with_capacity((to - from) as usize));
    while at < to {
        let index = names.partition_point(|name| name.start <= at).checked_sub(1);
        let name = index.map(|index| names[index]);
        let name = name.ok_or_else(|| Error::corrupt("no log file holds a position").with_file(dir).with_offset(at))?;
        let file = fs.open(&name.path(dir), OpenMode::Read)?;
        let next = records_end(&*file, name, names.iter().find(|other| other.start > at))?.map_or(to, |end| end.min(to));
        if next <= at {
            return Err(Error::corrupt("no log file holds a position").with_file(dir).with_offset(at));
        }
        let mut part = vec![0; (next - at) as usize];
        file.read_exact_at(&mut part, name.offset(at))?;
        out.extend_from_slice(&part);
        at = next;
    }
    Ok(Bytes::from(out))
}

/// Cuts bytes behind the last operation that is whole in them; `None` when not even the first is.
fn whole_operations(name: &LogFileName, from: Lsn, bytes: Bytes) -> Result<Option<Outgoing>> {
    let mut found: Option<Outgoing> = None;
    let (mut at, mut operations, mut sequence) = (from, 0, 0);
    let end = from + bytes.len() as u64;
    while at < end {
        let rest = bytes.slice((at - from) as usize..);
        let Some((record_len, _)) = super::record::RecordHead::claimed_lens(&rest) else {
            if rest.len() < super::record::FIXED_HEAD_LEN {
                break;
            }
            return Err(Error::corrupt("no record begins here").with_offset(at));
        };
        if record_len > rest.len() {
            break;
        }
        let record = Record::parse(rest, at).map_err(|error| error.with_offset(at))?;
        record.verify().map_err(|error| if error.offset.is_some() { error } else { error.with_offset(at) })?;
        if record.head.lineage != name.timeline {
            return Err(Error::corrupt("a record of another timeline lies here")
                .with_offset(at)
                .with_expected(name.timeline, record.head.lineage));
        }
        at = record.head.end();
        sequence = record.head.client_sequence.max(sequence);
        if !record.head.more_follows {
            operations += u64::from(!matches!(record.head.kind, RecordKind::Durable | RecordKind::Move));
            found = Some(Outgoing {
                timeline: name.timeline,
                start: from,
                bytes: bytes.slice(..(at - from) as usize),
                commit_time: record.head.commit_time,
                operations,
                client_sequence: sequence,
            });
        }
    }
    Ok(found)
}
