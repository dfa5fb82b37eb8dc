//! Fetches what a plan names into a collection that is being put together, checking every hash before it is used.

use bytes::Bytes;
use engine::codec::checksum::Hasher;
use engine::error::{Error, ErrorKind, Result};
use engine::install::Installer;
use engine::manifest::{MANIFEST_LEN_MAX, Manifest};

use super::fetch_plan::{FetchPlan, ObjectFetch, RangeFetch};
use crate::Progress;
use crate::archive::extent::RECORDS_OFFSET;
use crate::archive::extent_stream::{stream_extent, stream_object};
use crate::archive::stored::{for_each_piece, get_bounded};
use crate::archive::{Archive, Key};
use crate::backup::format::SnapshotFile;

/// Gets the manifest of a backup and checks that it is the one described.
///
/// # Errors
/// `Incomplete`, `Corrupt`, `NewerFormat`, those of the store.
pub fn fetch_manifest(archive: &Archive, file: &SnapshotFile) -> Result<Manifest> {
    let key = file.manifest_key()?;
    let stored = get_bounded(&*archive.store, &key.to_string(), MANIFEST_LEN_MAX)?;
    let wrong = |error: Error| archive.at(error, &key);
    if (stored.len() as u64) < file.manifest.bytes {
        let short = Error::new(ErrorKind::Incomplete, "the manifest is cut off").with_expected(file.manifest.bytes, stored.len());
        return Err(wrong(short));
    }
    if !stored.ends_with(&file.manifest.blake3.0) {
        return Err(wrong(Error::corrupt("this is not the manifest that the backup describes").with_offset(0)));
    }
    let manifest = Manifest::decode(&stored).map_err(wrong)?;
    file.agree(&manifest).map_err(wrong)?;
    Ok(manifest)
}

/// Fetches log and objects into an installer. Pieces are written while they are hashed: what turns out to be damaged fails the restore, and
/// nobody ever sees it.
///
/// # Errors
/// `Corrupt` naming the extent or object that is damaged, `Incomplete` when one vanished, those of the store and of the disk.
pub fn fetch_into(plan: &FetchPlan, installer: &mut Installer, progress: Progress<'_>) -> Result<()> {
    let mut done = 0;
    for range in &plan.ranges {
        let mut writer = installer.begin_log(range.entry.timeline, range.entry.start)?;
        stream_range(plan, range, &mut |piece| writer.append(piece))?;
        done += range.entry.end - range.entry.start;
        progress(done, plan.bytes);
    }
    for object in &plan.objects {
        let mut writer = installer.begin_object(object.entry.id)?;
        stream_checked(plan, object, &mut |piece| writer.append(piece))?;
        done += object.entry.bytes;
        progress(done, plan.bytes);
    }
    Ok(())
}

/// Streams a stretch of the log to `visit` and checks at the end that it was the one described.
fn stream_range(plan: &FetchPlan, range: &RangeFetch, visit: &mut dyn FnMut(&Bytes) -> Result<()>) -> Result<()> {
    let mut hasher = Hasher::new();
    for piece in &range.tiling.pieces {
        let archive = &plan.archives[piece.source].0;
        let key = piece.extent.key(range.entry.timeline).to_string();
        let offset = |position: u64| RECORDS_OFFSET + (position - piece.extent.start);
        for_each_piece(&*archive.store, &key, offset(piece.from)..offset(piece.to), &mut |bytes| {
            hasher.update(&bytes);
            visit(&bytes)
        })?;
    }
    let got = hasher.finish();
    if got == range.entry.blake3 {
        return Ok(());
    }
    Err(find_damage(plan, range)?.with_expected(range.entry.blake3, got))
}

/// Finds the extent that makes a stretch wrong.
fn find_damage(plan: &FetchPlan, range: &RangeFetch) -> Result<Error> {
    let timeline = range.entry.timeline;
    for piece in &range.tiling.pieces {
        let (archive, _) = &plan.archives[piece.source];
        match stream_extent(archive, timeline, piece.extent, &mut |_, _| Ok(())) {
            Err(error) if error.kind == ErrorKind::Corrupt => return Ok(error),
            streamed => streamed?,
        }
    }
    let first = range.tiling.pieces.first().map_or(range.entry.start, |piece| piece.extent.start);
    let error = Error::corrupt("the log does not match the hash that the backup states").with_offset(0);
    Ok(plan.archives[0].0.at(error, &Key::Extent(timeline, first)))
}

/// Fetches an object into memory.
///
/// # Errors
/// `Corrupt` when it is not the one described, `Incomplete`, those of the store.
pub fn fetch_object(plan: &FetchPlan, object: &ObjectFetch) -> Result<Vec<Bytes>> {
    let mut pieces = Vec::new();
    stream_checked(plan, object, &mut |piece| {
        pieces.push(piece.clone());
        Ok(())
    })?;
    Ok(pieces)
}

/// Streams an object to `visit` and checks at the end that it was the one described.
fn stream_checked(plan: &FetchPlan, object: &ObjectFetch, visit: &mut dyn FnMut(&Bytes) -> Result<()>) -> Result<()> {
    let archive = &plan.archives[object.source].0;
    let key = Key::Object(object.entry.name);
    let (actual, stated) = stream_object(archive, &key, object.entry.bytes, visit)?;
    if actual == object.entry.blake3 && stated == actual {
        return Ok(());
    }
    let got = if actual == object.entry.blake3 { stated } else { actual };
    Err(archive.at(Error::corrupt("the object does not match its hash").with_offset(0).with_expected(object.entry.blake3, got), &key))
}
