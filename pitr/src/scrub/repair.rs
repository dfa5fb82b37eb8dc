//! Fetches what rotted from an archive: beside, checked, and renamed over.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::codec::checksum::{Hash, Hasher};
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use engine::log::LogFileName;
use engine::manifest::store::CollectionDir;
use engine::manifest::{MANIFEST_LEN_MAX, Manifest, ManifestName};
use platform::World;
use platform::fs::{File, OpenMode, parent};
use platform::object_store::ObjectStore;

use super::check::check_log;
use super::{Part, Rot};
use crate::archive::base::read_base;
use crate::archive::extent_stream::{stream_extent, stream_object};
use crate::archive::stored::get_bounded;
use crate::archive::tiling::{Source as Tiles, Stretch, tile};
use crate::archive::{Archive, Key, Listing, ObjectName};
use crate::backup::held::{HeldSnapshots, is_about_content};

/// An archive that rotten files are repaired from.
#[derive(Debug)]
pub struct Source {
    archive: Archive,
    listing: Arc<Listing>,
    /// Names of objects by content; read at the first object that is needed.
    objects: Option<BTreeMap<(Hash, u64), Vec<ObjectName>>>,
}

impl Source {
    /// Opens an archive.
    pub fn open(store: &Arc<dyn ObjectStore>) -> Result<Self> {
        let archive = Archive::open(store)?;
        Ok(Source { archive, listing: Arc::new(Listing::read(&**store)?), objects: None })
    }

    /// Puts a rotten or missing file back as it was written.
    ///
    /// # Errors
    /// `Incomplete` or `Corrupt` when the archive has not got it whole; those of the store and of the disk. The old file is untouched then.
    pub fn repair(&mut self, world: &World, dir: &CollectionDir, rot: &Rot) -> Result<()> {
        let path = rot.part.path(dir);
        match (rot.part, rot.blake3) {
            (Part::Manifest(name), _) => self.repair_manifest(world, &path, name),
            (Part::Log(name, end), blake3) => beside(world, &path, &mut |file| self.fetch_log(file, name, end, blake3)),
            (Part::Object(_, bytes), Some(blake3)) => {
                let names = self.names_of(blake3, bytes)?;
                let mut last = lacks(&self.archive, "the source does not hold this object");
                for name in names {
                    match beside(world, &path, &mut |file| self.fetch_object(file, name, bytes, blake3)) {
                        Err(error) if is_about_content(error.kind) => last = error,
                        done => return done,
                    }
                }
                Err(last)
            }
            (Part::Object(..), None) => Err(Error::internal("a manifest states the hash of each object")),
        }
    }

    fn repair_manifest(&self, world: &World, path: &Path, name: ManifestName) -> Result<()> {
        let timelines = self.listing.timelines.iter().map(|&timeline| Key::Manifest(timeline, name).to_string());
        let held: Vec<String> = timelines.filter(|key| self.listing.sizes.contains_key(key)).collect();
        // A name says position, sequence and time: two lives that share all three are told apart by nobody here.
        let [key] = &held[..] else { return Err(lacks(&self.archive, "the source does not hold this manifest")) };
        let stored = get_bounded(&*self.archive.store, key, MANIFEST_LEN_MAX)?;
        if Manifest::decode(&stored)?.file_name() != name {
            return Err(Error::corrupt("the manifest does not match its name").with_object(key));
        }
        Ok(world.write_file_durably(path, &stored)?)
    }

    /// Fetches the records of a sealed log file.
    fn fetch_log(&self, file: &dyn File, name: LogFileName, end: Lsn, blake3: Option<Hash>) -> Result<()> {
        let LogFileName { start, timeline } = name;
        let tiling = tile(&[Tiles { listing: &self.listing, only: None }], Stretch { timeline, start, end });
        if tiling.reached < end {
            let error = lacks(&self.archive, "the source does not hold this part of the log");
            return Err(error.with_expected(format!("log up to {end}"), format!("log up to {}", tiling.reached)));
        }
        file.write_all_at(&name.header(), 0)?;
        let mut hasher = Hasher::new();
        for piece in &tiling.pieces {
            stream_extent(&self.archive, timeline, piece.extent, &mut |at, bytes| {
                let (from, to) = (at.max(piece.from), (at + bytes.len() as u64).min(piece.to));
                if from < to {
                    let taken = &bytes[(from - at) as usize..(to - at) as usize];
                    hasher.update(taken);
                    file.write_all_at(taken, name.offset(from))?;
                }
                Ok(())
            })?;
        }
        match blake3 {
            Some(expected) => self.expect(hasher.finish(), expected, timeline, start),
            None => {
                let map = file.map()?;
                check_log(&map.bytes(name.header_len() as usize..map.len()), start, None)
            }
        }
    }

    fn expect(&self, got: Hash, expected: Hash, timeline: Timeline, start: Lsn) -> Result<()> {
        if got == expected {
            return Ok(());
        }
        let error = Error::corrupt("the source holds another log than the collection had").with_expected(expected, got);
        Err(self.archive.at(error, &Key::Extent(timeline, start)))
    }

    fn fetch_object(&self, file: &dyn File, name: ObjectName, bytes: u64, blake3: Hash) -> Result<()> {
        let (key, mut at) = (Key::Object(name), 0);
        let (actual, stated) = stream_object(&self.archive, &key, bytes, &mut |piece| {
            file.write_all_at(piece, at)?;
            at += piece.len() as u64;
            Ok(())
        })?;
        if actual == blake3 && stated == blake3 {
            return Ok(());
        }
        Err(self.archive.at(Error::corrupt("the object does not match its hash").with_expected(blake3, actual), &key))
    }

    /// Lists the names under which bases and backups know an object.
    fn names_of(&mut self, blake3: Hash, bytes: u64) -> Result<Vec<ObjectName>> {
        if self.objects.is_none() {
            self.objects = Some(self.read_names()?);
        }
        let known = self.objects.as_ref().and_then(|objects| objects.get(&(blake3, bytes)));
        Ok(known.cloned().unwrap_or_default())
    }

    fn read_names(&self) -> Result<BTreeMap<(Hash, u64), Vec<ObjectName>>> {
        let mut names: BTreeMap<(Hash, u64), Vec<ObjectName>> = BTreeMap::new();
        let mut learn = |object: &crate::backup::format::ObjectEntry| {
            let known = names.entry((object.blake3, object.bytes)).or_default();
            if !known.contains(&object.name) {
                known.push(object.name);
            }
        };
        for held in HeldSnapshots::read(&self.archive, &self.listing)?.good {
            held.file.objects.iter().filter(|object| held.file.home_of(object) == self.archive.id).for_each(&mut learn);
        }
        for (&timeline, bases) in &self.listing.bases {
            for &name in bases {
                match read_base(&self.archive, timeline, name) {
                    Ok(base) => base.objects.iter().for_each(&mut learn),
                    Err(error) if is_about_content(error.kind) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(names)
    }
}

fn lacks(archive: &Archive, message: &str) -> Error {
    Error::new(ErrorKind::Incomplete, message).with_file(Path::new(&archive.store.describe()))
}

/// Writes a file beside its place, durably, and renames it over.
fn beside(world: &World, path: &Path, fill: &mut dyn FnMut(&dyn File) -> Result<()>) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    if world.fs.metadata(&temporary)?.is_some() {
        world.fs.remove_file(&temporary)?;
    }
    let file = world.fs.open(&temporary, OpenMode::CreateNew)?;
    let filled = fill(&*file).and_then(|()| Ok(file.sync_all()?)).and_then(|()| Ok(world.fs.rename(&temporary, path)?));
    if let Err(error) = filled {
        // On a full disk the leftover would hold the very space that is missing.
        let _ = world.fs.remove_file(&temporary);
        return Err(error);
    }
    Ok(world.fs.sync_dir(parent(path))?)
}
