//! Puts one extent at the end of a timeline, or adopts what is there.

use bytes::Bytes;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use platform::object_store::PutOutcome;

use super::logs::Own;
use crate::archive::extent::{self, ExtentRef};
use crate::archive::extent_stream::stream_extent;
use crate::archive::stored::store_error;
use crate::archive::{Archive, Key};

pub(super) struct Appended {
    pub end: Lsn,
    pub sent: u64,
}

pub(super) fn append_extent(archive: &Archive, timeline: Timeline, start: Lsn, records: Bytes, own: Own<'_>) -> Result<Appended> {
    let key = Key::Extent(timeline, start);
    let len = records.len() as u64;
    let put = archive.store.put_if_absent(&key.to_string(), extent::body(timeline, start, records)).map_err(|e| store_error(&e))?;
    if put == PutOutcome::Created {
        return Ok(Appended { end: start + len, sent: len });
    }
    let size = archive.store.head(&key.to_string()).map_err(|e| store_error(&e))?;
    if size == Some(extent::SEAL_LEN) {
        return Err(archive.at(Error::new(ErrorKind::Fenced, "another writer took over"), &key));
    }
    let end = size.and_then(|size| extent::end_of(start, size)).ok_or_else(|| archive.at(Error::corrupt("an extent is cut off"), &key))?;
    let mut differs = false;
    stream_extent(archive, timeline, ExtentRef { start, end, whole: false }, &mut |at, piece| {
        differs |= own(at, at + piece.len() as u64)? != piece;
        Ok(())
    })?;
    if differs {
        return Err(archive.at(Error::new(ErrorKind::Diverged, "the archive holds another history of this timeline"), &key));
    }
    Ok(Appended { end, sent: 0 })
}
