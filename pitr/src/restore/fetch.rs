//! Fetches what a plan names into a collection that is being put together, checking every hash before it is used.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use bytes::Bytes;
use engine::codec::checksum::{Hash, Hasher};
use engine::error::{Error, ErrorKind, Result};
use engine::install::{Installer, ObjectWriter};
use engine::manifest::{MANIFEST_LEN_MAX, Manifest, ManifestName};

use super::fetch_plan::{FetchPlan, ObjectFetch, RangeFetch};
use crate::Progress;
use crate::archive::extent::RECORDS_OFFSET;
use crate::archive::extent_stream::{stream_extent, stream_object};
use crate::archive::stored::{for_each_piece, get_bounded};
use crate::archive::{Archive, Key};
use crate::backup::format::{ManifestEntry, SnapshotFile};

/// Gets the manifest of a backup and checks that it is the one described.
///
/// # Errors
/// `Incomplete`, `Corrupt`, `NewerFormat`, those of the store.
pub fn fetch_manifest(archive: &Archive, file: &SnapshotFile) -> Result<Manifest> {
    let manifest = fetch_stated_manifest(archive, &file.manifest)?;
    file.agree(&manifest).map_err(|error| file.manifest_key().map_or(error.clone(), |key| archive.at(error, &key)))?;
    Ok(manifest)
}

/// Gets a manifest and checks that it is the one stated.
///
/// # Errors
/// `Incomplete`, `Corrupt`, `NewerFormat`, those of the store.
pub fn fetch_stated_manifest(archive: &Archive, entry: &ManifestEntry) -> Result<Manifest> {
    let name = ManifestName::parse(&entry.name).ok_or_else(|| Error::corrupt("no manifest has the name that is stated"))?;
    let key = Key::Manifest(entry.timeline, name);
    let stored = get_bounded(&*archive.store, &key.to_string(), MANIFEST_LEN_MAX)?;
    let wrong = |error: Error| archive.at(error, &key);
    if (stored.len() as u64) < entry.bytes {
        let short = Error::new(ErrorKind::Incomplete, "the manifest is cut off").with_expected(entry.bytes, stored.len());
        return Err(wrong(short));
    }
    if !stored.ends_with(&entry.blake3.0) {
        return Err(wrong(Error::corrupt("this is not the manifest that the backup describes").with_offset(0)));
    }
    let manifest = Manifest::decode(&stored).map_err(wrong)?;
    if manifest.file_name() != name {
        return Err(wrong(Error::corrupt("the manifest lies under the name of another one").with_expected(name, manifest.file_name())));
    }
    Ok(manifest)
}

/// One file that is fetched.
#[derive(Debug, Clone, Copy)]
enum Job<'a> {
    Range(&'a RangeFetch),
    Object(&'a ObjectFetch),
}

impl Job<'_> {
    fn bytes(&self) -> u64 {
        match self {
            Job::Range(range) => range.entry.end - range.entry.start,
            Job::Object(object) => object.entry.bytes,
        }
    }

    fn begin(&self, installer: &mut Installer) -> Result<ObjectWriter> {
        match self {
            Job::Range(range) => installer.begin_log(range.entry.timeline, range.entry.start),
            Job::Object(object) => installer.begin_object(object.entry.id),
        }
    }

    fn run(&self, plan: &FetchPlan, writer: &mut ObjectWriter) -> Result<()> {
        match self {
            Job::Range(range) => match range.entry.blake3 {
                Some(expected) => stream_range(plan, range, expected, &mut |piece| writer.append(piece)),
                None => stream_extents(plan, range, &mut |piece| writer.append(piece)),
            },
            Job::Object(object) => stream_checked(plan, object, &mut |piece| writer.append(piece)),
        }
    }
}

/// Fetches log and objects into an installer, with so many threads. Pieces are written while they are hashed: what turns out to be damaged fails
/// the restore, and nobody ever sees it.
///
/// # Errors
/// `Corrupt` naming the extent or object that is damaged, `Incomplete` when one vanished, those of the store and of the disk.
pub fn fetch_into(plan: &FetchPlan, installer: &mut Installer, threads: usize, progress: Progress<'_>) -> Result<()> {
    let jobs: Vec<Job<'_>> = plan.ranges.iter().map(Job::Range).chain(plan.objects.iter().map(Job::Object)).collect();
    if threads > 1 {
        return fetch_side_by_side(plan, &jobs, installer, threads, progress);
    }
    let mut done = 0;
    for job in &jobs {
        job.run(plan, &mut job.begin(installer)?)?;
        done += job.bytes();
        progress(done, plan.bytes);
    }
    Ok(())
}

/// The caller's thread counts what is done; the others take one job after the other. Of several errors the one of the first job is given.
fn fetch_side_by_side(plan: &FetchPlan, jobs: &[Job<'_>], installer: &mut Installer, threads: usize, progress: Progress<'_>) -> Result<()> {
    let mut work = Vec::with_capacity(jobs.len());
    for job in jobs {
        let writer = job.begin(installer)?;
        work.push((*job, parking_lot::Mutex::new(writer)));
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel::<(usize, Result<u64>)>();
    let mut first_error: Option<(usize, Error)> = None;
    std::thread::scope(|scope| {
        for _ in 0..threads.min(work.len()) {
            let sender = sender.clone();
            scope.spawn(|| {
                let sender = sender;
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((job, writer)) = work.get(index).filter(|_| !failed.load(Ordering::Relaxed)) else { break };
                    let mut writer = writer.lock();
                    let result = job.run(plan, &mut writer).and_then(|()| writer.sync()).map(|()| job.bytes());
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    if sender.send((index, result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut done = 0;
        for (index, result) in receiver {
            match result {
                Ok(bytes) => {
                    done += bytes;
                    progress(done, plan.bytes);
                }
                Err(error) if first_error.as_ref().is_none_or(|(first, _)| index < *first) => first_error = Some((index, error)),
                Err(_) => {}
            }
        }
    });
    first_error.map_or(Ok(()), |(_, error)| Err(error))
}

/// Streams a stretch of the log to `visit` and checks at the end that it was the one described.
fn stream_range(plan: &FetchPlan, range: &RangeFetch, expected: Hash, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
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
    if got == expected {
        return Ok(());
    }
    Err(find_damage(plan, range)?.with_expected(expected, got))
}

/// Streams a stretch of the log of which nobody states a hash: the extents that it lies in are read whole and checked by theirs.
fn stream_extents(plan: &FetchPlan, range: &RangeFetch, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    for piece in &range.tiling.pieces {
        let archive = &plan.archives[piece.source].0;
        stream_extent(archive, range.entry.timeline, piece.extent, &mut |at, bytes| {
            let (from, to) = (at.max(piece.from), (at + bytes.len() as u64).min(piece.to));
            if from < to { visit(&bytes[(from - at) as usize..(to - at) as usize]) } else { Ok(()) }
        })?;
    }
    Ok(())
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
