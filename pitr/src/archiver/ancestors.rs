//! Sends what a restored collection has from before its fork, where the archive does not have it: nobody owns those timelines here, so
//! what is there is taken as it is when it covers the stretch, and compared byte for byte where it gets in the way.

use engine::error::{Error, ErrorKind, Result};
use engine::ids::Lsn;
use engine::manifest::Span;
use platform::object_store::PutOutcome;

use super::logs::Outbox;
use super::{EXTENT_BYTES, PassReport};
use crate::archive::extent::{self, ExtentRef};
use crate::archive::extent_stream::stream_extent;
use crate::archive::stored::store_error;
use crate::archive::{Archive, Key, Listing};

/// Brings the archive to hold every stretch of these timelines from a position on.
pub(super) fn send(archive: &Archive, history: &[Span], from: Lsn, outbox: &dyn Outbox, report: &mut PassReport) -> Result<()> {
    for span in history {
        let end = span.to.ok_or_else(|| Error::internal("only the last timeline of a history is open"))?;
        let listing = Listing::read_timeline(&*archive.store, span.timeline)?;
        let mut at = listing.reached(span.timeline, span.from.max(from));
        while at < end {
            let chunk = outbox.operations(at, EXTENT_BYTES)?.ok_or_else(|| Error::internal("a history has no hole"))?;
            let key = Key::Extent(span.timeline, at);
            let put = archive.store.put_if_absent(&key.to_string(), extent::body(span.timeline, at, chunk.bytes.clone()));
            if put.map_err(|e| store_error(&e))? == PutOutcome::Created {
                report.sent.log += chunk.bytes.len() as u64;
                at = chunk.end();
            } else {
                at = adopt(archive, span, at, end, outbox)?;
            }
            at = listing.reached(span.timeline, at).max(at);
        }
    }
    Ok(())
}

/// Compares what took a key with the log, as far as this history goes; gives the position behind it.
fn adopt(archive: &Archive, span: &Span, start: Lsn, fork: Lsn, outbox: &dyn Outbox) -> Result<Lsn> {
    let key = Key::Extent(span.timeline, start);
    let size = archive.store.head(&key.to_string()).map_err(|e| store_error(&e))?;
    let end = size.and_then(|size| extent::end_of(start, size));
    let end = end.ok_or_else(|| archive.at(Error::corrupt("what is there in place of an extent is none"), &key))?;
    let mut differs = false;
    stream_extent(archive, span.timeline, ExtentRef { start, end, whole: false }, &mut |at, piece| {
        let to = (at + piece.len() as u64).min(fork);
        if at < to {
            differs |= outbox.bytes(at, to)? != piece[..(to - at) as usize];
        }
        Ok(())
    })?;
    if differs {
        let error = Error::new(ErrorKind::Diverged, "the archive holds another history of a timeline that this one comes from");
        return Err(archive.at(error, &key).with_hint("archive to another location"));
    }
    Ok(end)
}
