//! Forks a collection from its archive after the two diverged: what they share stays shared, and the writes that only this machine has go on
//! in a history of their own (rule S17).

use std::sync::Arc;

use bytes::Bytes;
use engine::collection::Collection;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use engine::log::Record;
use engine::{Database, log};
use platform::object_store::ObjectStore;

use crate::Progress;
use crate::archive::extent_stream::stream_extent;
use crate::archive::{Archive, Listing};
use crate::restore::{Finish, RestoreReport, RestoreRequest, Target, restore};

/// Bytes of log that are read at once.
const CHUNK: u64 = 8 << 20;

/// Makes a collection's own writes since it and its archive diverged a new timeline. The old life is dropped in the same step, and can be brought back.
///
/// # Errors
/// `Conflict` when the archive holds nothing that differs, otherwise as [`restore`]; nothing changed then.
pub fn fork(
    database: &Database,
    store: &Arc<dyn ObjectStore>,
    name: &str,
    threads: usize,
    progress: Progress<'_>,
) -> Result<RestoreReport> {
    let archive = Archive::open(store)?;
    let old = database.collection(name)?;
    let timeline = old.version().manifest.timeline();
    let common = common_end(&archive, &old, timeline)?;
    let copy = |new: &Collection| copy_from(&old, common, new);
    let request = RestoreRequest {
        name: old.name(),
        target: Target::Lsn(common),
        timeline: Some(timeline),
        replace: true,
        threads,
        finish: Some(Finish(&copy)),
        ..RestoreRequest::default()
    };
    restore(database, store, &request, progress)
}

/// Finds the end of the last operation that this log and the archive's share.
fn common_end(archive: &Archive, collection: &Collection, timeline: Timeline) -> Result<Lsn> {
    let listing = Listing::read_timeline(&*archive.store, timeline)?;
    let version = collection.version();
    let end = version.lsn_end;
    // What cleaning removed was archived from here, byte for byte.
    let origin = version.manifest.ancestry.last().map_or(0, |span| span.from).max(collection.kept_from()?);
    let mut differs: Option<Lsn> = None;
    for extent in listing.extents_of(timeline).into_iter().filter(|extent| extent.start < end) {
        stream_extent(archive, timeline, extent, &mut |at, piece| {
            let (from, to) = (at.max(origin), (at + piece.len() as u64).min(end));
            if from < to {
                let (own, theirs) = (collection.outgoing_bytes(from, to)?, &piece[(from - at) as usize..(to - at) as usize]);
                let first = own.iter().zip(theirs).position(|(a, b)| a != b).map(|offset| from + offset as u64);
                differs = [differs, first].into_iter().flatten().min();
            }
            Ok(())
        })?;
    }
    let Some(differs) = differs else {
        let error = Error::new(ErrorKind::Conflict, "the collection and its archive have not diverged").with_object(collection.name());
        return Err(error.with_hint("there is nothing to fork: \"vectra archive run --once\" sends what is missing"));
    };
    let mut common = origin;
    for_each_operation(collection, origin, differs, &mut |operation| {
        if operation_end(operation) <= differs {
            common = operation_end(operation);
        }
        Ok(())
    })?;
    Ok(common)
}

fn operation_end(operation: &[Arc<Record>]) -> Lsn {
    operation.last().map_or(0, |record| record.head.end())
}

/// Appends the operations of one life behind a position to another.
fn copy_from(old: &Collection, from: Lsn, new: &Collection) -> Result<()> {
    let end = old.version().lsn_end;
    for_each_operation(old, from, end, &mut |operation| new.append_copies(operation).map(drop))
}

/// Visits the whole operations that begin between two positions.
fn for_each_operation(collection: &Collection, from: Lsn, to: Lsn, visit: &mut dyn FnMut(&[Arc<Record>]) -> Result<()>) -> Result<()> {
    let mut at = from;
    while at < to {
        let Some(chunk) = collection.outgoing(at, CHUNK)? else { break };
        visit_chunk(&chunk, to, visit)?;
        at = chunk.end();
    }
    Ok(())
}

fn visit_chunk(chunk: &log::Outgoing, to: Lsn, visit: &mut dyn FnMut(&[Arc<Record>]) -> Result<()>) -> Result<()> {
    let (mut at, mut operation) = (chunk.start, Vec::new());
    while at < chunk.end() {
        if operation.is_empty() && at >= to {
            break;
        }
        let rest: Bytes = chunk.bytes.slice((at - chunk.start) as usize..);
        let record = Arc::new(Record::parse(rest, at)?);
        at = record.head.end();
        let ends = !record.head.more_follows;
        operation.push(record);
        if ends {
            visit(&operation)?;
            operation.clear();
        }
    }
    assert!(operation.is_empty(), "operations that leave a log are whole");
    Ok(())
}
