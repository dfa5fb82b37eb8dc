//! Reads a stored extent in pieces, checked by its own hash.

use engine::codec::checksum::{HASH_LEN, Hash, Hasher};
use engine::error::{Error, Result};
use engine::ids::{Lsn, Timeline};

use super::extent::{EXTENT_OVERHEAD, ExtentRef, RECORDS_OFFSET, check_header};
use super::stored::{at, for_each_piece};
use super::{Archive, Key};

/// Streams the records of an extent to `visit`, which is given each piece with its position.
///
/// What `visit` saw may be believed only after this returned: the hash is checked at the end.
///
/// # Errors
/// `Corrupt` when the extent does not match its hash or is another one, `Incomplete` when it is missing or shorter, those of the store and of `visit`.
pub fn stream_extent(
    archive: &Archive,
    timeline: Timeline,
    extent: ExtentRef,
    visit: &mut dyn FnMut(Lsn, &[u8]) -> Result<()>,
) -> Result<()> {
    let ExtentRef { start, end, .. } = extent;
    let key = extent.key(timeline).to_string();
    let size = end - start + EXTENT_OVERHEAD;
    let content_end = size - HASH_LEN as u64;
    let (mut hasher, mut trailer, mut offset) = (Hasher::new(), Vec::with_capacity(HASH_LEN), 0_u64);
    for_each_piece(&*archive.store, &key, 0..size, &mut |piece| {
        if offset == 0 {
            check_header(&piece, timeline, start)?;
        }
        let content = (content_end.saturating_sub(offset) as usize).min(piece.len());
        let head = (RECORDS_OFFSET.saturating_sub(offset) as usize).min(content);
        hasher.update(&piece[..content]);
        trailer.extend_from_slice(&piece[content..]);
        if head < content {
            visit(start + offset + head as u64 - RECORDS_OFFSET, &piece[head..content])?;
        }
        offset += piece.len() as u64;
        Ok(())
    })
    .map_err(|e| at(e, &*archive.store, &key))?;
    let actual = hasher.finish();
    if trailer == actual.0 {
        return Ok(());
    }
    let stated = <[u8; HASH_LEN]>::try_from(trailer.as_slice()).map(Hash).map_err(|_| Error::internal("an extent ends with a hash"))?;
    let error = Error::corrupt("the extent does not match its hash").with_offset(0).with_expected(stated, actual);
    Err(at(error, &*archive.store, &key))
}

/// Streams a whole object and gives the hash of everything before its last 32 bytes, and those.
///
/// # Errors
/// `Incomplete` when it is missing or shorter, those of the store and of `visit`.
pub fn stream_object(archive: &Archive, key: &Key, size: u64, visit: &mut dyn FnMut(&bytes::Bytes) -> Result<()>) -> Result<(Hash, Hash)> {
    let key = key.to_string();
    let content_end = size.saturating_sub(HASH_LEN as u64);
    let (mut hasher, mut trailer, mut offset) = (Hasher::new(), Vec::with_capacity(HASH_LEN), 0_u64);
    for_each_piece(&*archive.store, &key, 0..size, &mut |piece| {
        let content = (content_end.saturating_sub(offset) as usize).min(piece.len());
        hasher.update(&piece[..content]);
        trailer.extend_from_slice(&piece[content..]);
        offset += piece.len() as u64;
        visit(&piece)
    })?;
    let short = |_| at(Error::corrupt("the object is too short to end with its hash"), &*archive.store, &key);
    let stated = <[u8; HASH_LEN]>::try_from(trailer.as_slice()).map(Hash).map_err(short)?;
    Ok((hasher.finish(), stated))
}
