//! Reads the files of a collection and says which of them are not what was written.

use std::collections::BTreeMap;

use bytes::Bytes;
use engine::archived::Archived;
use engine::codec::checksum::{Hash, unseal};
use engine::error::{Error, ErrorKind, Result};
use engine::ids::Lsn;
use engine::log::file;
use engine::log::record::Record;
use engine::log::scan::{ScanOptions, scan};
use engine::log::sealed::SealedFile;
use engine::log::writer::SealedName;
use engine::manifest::store::{self, CollectionDir};
use engine::manifest::{Manifest, ManifestName};
use platform::World;
use platform::fs::{FileSystem, OpenMode};

use super::{Part, Rot};

/// What a look at a part found.
pub enum Found {
    /// It is what was written.
    Sound,
    /// It is not.
    Rotten(Error),
}

/// Reads the manifests of a collection: those that read, and those that do not.
pub fn manifests(fs: &dyn FileSystem, dir: &CollectionDir) -> Result<(Vec<Manifest>, Vec<Rot>)> {
    let (mut good, mut rotten) = (Vec::new(), Vec::new());
    for name in fs.list(&dir.manifests())?.iter().filter_map(|entry| ManifestName::parse(&entry.name)) {
        match store::read(fs, dir, name) {
            Ok(manifest) => good.push(manifest),
            Err(error) if error.kind == ErrorKind::Corrupt => rotten.push(Rot { part: Part::Manifest(name), blake3: None, error }),
            Err(error) => return Err(error),
        }
    }
    Ok((good, rotten))
}

/// Lists the sealed log files and the objects that manifests name, with the hashes that they state.
pub fn parts(manifests: &[Manifest]) -> BTreeMap<Part, Option<Hash>> {
    let logs = manifests.iter().flat_map(|m| m.log.iter().map(|file| (Part::Log(file.name(), file.end), Some(file.blake3))));
    let objects = manifests.iter().flat_map(|m| m.objects().map(|(id, bytes, blake3)| (Part::Object(id, bytes), Some(blake3))));
    logs.chain(objects).collect()
}

/// Lists the log files behind a position that another one follows: nobody writes them any more, and no manifest states their hash yet.
pub fn sealed_behind(fs: &dyn FileSystem, dir: &CollectionDir, covered: Lsn) -> Result<BTreeMap<Part, Option<Hash>>> {
    let names = file::list(fs, &dir.log())?;
    let pairs = names.windows(2).filter(|pair| pair[0].start >= covered);
    Ok(pairs.map(|pair| (Part::Log(pair[0], pair[1].start), None)).collect())
}

/// Reads a part and compares it with its hash, or record by record.
pub fn part(fs: &dyn FileSystem, dir: &CollectionDir, part: Part, blake3: Option<Hash>) -> Result<Found> {
    let path = part.path(dir);
    let checked = if fs.metadata(&path)?.is_none() {
        Err(Error::corrupt("a file of the collection is missing").with_file(&path))
    } else {
        match part {
            Part::Manifest(name) => store::read(fs, dir, name).map(drop),
            Part::Log(name, end) => SealedFile::open(fs, &dir.log(), SealedName { name, end })
                .and_then(|file| file.record_bytes())
                .and_then(|records| check_log(&records, name.start, blake3).map_err(|error| place(error, name, &path))),
            Part::Object(_, bytes) => check_object(fs, &path, bytes, blake3),
        }
    };
    match checked {
        Ok(()) => Ok(Found::Sound),
        Err(error) if error.kind == ErrorKind::Corrupt => Ok(Found::Rotten(error)),
        Err(error) => Err(error),
    }
}

/// Turns a position into an offset of the file that holds it.
fn place(error: Error, name: engine::log::LogFileName, path: &std::path::Path) -> Error {
    let offset = error.offset.map_or(0, |position| name.offset(position.max(name.start)));
    error.with_file(path).with_offset(offset)
}

/// Compares the records of a file with their hash; the error's offset is the position of the first bad record.
pub fn check_log(records: &Bytes, start: Lsn, blake3: Option<Hash>) -> Result<()> {
    let got = blake3.map(|expected| (expected, Hash::of(records)));
    if got.is_some_and(|(expected, got)| expected == got) {
        return Ok(());
    }
    let mut at = 0;
    while at < records.len() {
        let record = Record::parse(records.slice(at..), start + at as u64).and_then(|record| record.verify().map(|()| record));
        at += record.map_err(|error| error.with_offset(start + at as u64))?.bytes.len();
    }
    match got {
        // Every record is whole, and yet they are others: a file of another history.
        Some((expected, got)) => {
            Err(Error::corrupt("a sealed log file does not match its hash").with_offset(start).with_expected(expected, got))
        }
        None => Ok(()),
    }
}

fn check_object(fs: &dyn FileSystem, path: &std::path::Path, bytes: u64, blake3: Option<Hash>) -> Result<()> {
    let file = fs.open(path, OpenMode::Read)?;
    let len = file.len()?;
    let wrong = |error: Error| error.with_file(path);
    if len != bytes {
        let offset = len.min(bytes);
        return Err(wrong(
            Error::corrupt("an object has another length than its manifest states").with_offset(offset).with_expected(bytes, len),
        ));
    }
    let map = file.map()?;
    let stored = map.bytes(0..map.len());
    let content = unseal(&stored).map_err(|error| wrong(error.with_offset(0)))?;
    let got = Hash::of(content);
    match blake3 {
        Some(expected) if expected != got => {
            Err(wrong(Error::corrupt("an object is another one").with_offset(0).with_expected(expected, got)))
        }
        _ => Ok(()),
    }
}

/// Reads the log from a position to its end; what was archived has to be whole. Gives the bytes.
pub fn end(world: &World, dir: &CollectionDir, covered: Lsn) -> Result<u64> {
    let archived = Archived::read(&*world.fs, dir.root())?.lsn();
    let options = ScanOptions { from: covered, archived, ..ScanOptions::default() };
    let end = scan(&*world.fs, &dir.log(), options)?.end;
    Ok(end.lsn - covered)
}
