//! Manifests on disk: published by one rename, found again after a crash, pinned by readers, and cleared away when nobody needs them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use platform::World;
use platform::fs::{FileLock, FileSystem, LockKind};

use super::{MANIFEST_LEN_MAX, Manifest, ManifestName};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::SegmentId;

/// Manifests that stay on disk besides pinned ones.
const KEPT: usize = 2;

/// The places of one collection on disk.
#[derive(Debug, Clone)]
pub struct CollectionDir {
    root: PathBuf,
}

impl CollectionDir {
    /// Names the places below a collection's directory.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        CollectionDir { root }
    }

    /// Gives the collection's directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Gives the directory of the log files.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Gives the directory of the objects of segments.
    #[must_use]
    pub fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    /// Gives the directory of the manifests.
    #[must_use]
    pub fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    /// Gives the file that names the current manifest.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.root.join("CURRENT")
    }

    /// Gives the file that names the log files whose bytes are elsewhere.
    #[must_use]
    pub fn lazy(&self) -> PathBuf {
        self.root.join("LAZY")
    }

    /// Gives the directory of the pins.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        self.root.join("pins")
    }

    /// Gives the path of an object.
    #[must_use]
    pub fn object(&self, id: SegmentId) -> PathBuf {
        self.segments().join(id.to_string())
    }

    /// Creates the directories, durably.
    ///
    /// # Errors
    /// `Io` or `NoSpace`.
    pub fn create(&self, fs: &dyn FileSystem) -> Result<()> {
        for dir in [self.log(), self.segments(), self.manifests(), self.pins()] {
            fs.create_dir_all(&dir)?;
        }
        Ok(())
    }
}

/// Makes a manifest the collection's current one. Everything that it names is durable already.
///
/// # Errors
/// `Io` or `NoSpace`; the older manifest stays current then.
pub fn publish(world: &World, dir: &CollectionDir, manifest: &Manifest) -> Result<()> {
    let name = manifest.file_name().to_string();
    world.write_file_durably(&dir.manifests().join(&name), &manifest.encode())?;
    world.write_file_durably(&dir.current(), format!("{name}\n").as_bytes())?;
    Ok(())
}

/// Reads one manifest.
///
/// # Errors
/// `Corrupt` or `NewerFormat` naming the file.
pub fn read(fs: &dyn FileSystem, dir: &CollectionDir, name: ManifestName) -> Result<Manifest> {
    let path = dir.manifests().join(name.to_string());
    let len = fs.metadata(&path)?.map_or(0, |meta| meta.len);
    if len > MANIFEST_LEN_MAX {
        return Err(Error::corrupt("the manifest is too large")
            .with_file(&path)
            .with_expected(format!("at most {MANIFEST_LEN_MAX} bytes"), len));
    }
    let manifest = Manifest::decode(&platform::fs::read_file(fs, &path)?).map_err(|e| e.with_file(&path))?;
    if manifest.file_name() != name {
        return Err(Error::corrupt("the manifest does not match its name").with_file(&path).with_expected(name, manifest.file_name()));
    }
    Ok(manifest)
}

fn names(fs: &dyn FileSystem, dir: &CollectionDir) -> Result<Vec<ManifestName>> {
    let mut names: Vec<_> = fs.list(&dir.manifests())?.iter().filter_map(|entry| ManifestName::parse(&entry.name)).collect();
    names.sort_by_key(|name| (name.seq, name.covered_lsn));
    Ok(names)
}

/// Finds the newest manifest that reads; a damaged newer one does no harm, because the log behind an older one says the same.
///
/// # Errors
/// `Corrupt` when none reads, `NewerFormat` when the newest is of a later version.
pub fn newest(fs: &dyn FileSystem, dir: &CollectionDir) -> Result<Manifest> {
    let names = names(fs, dir)?;
    let mut first_error = None;
    for name in names.into_iter().rev() {
        match read(fs, dir, name) {
            Ok(manifest) => return Ok(manifest),
            Err(error) if error.kind == ErrorKind::NewerFormat => return Err(error),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| {
        Error::corrupt("the collection has no manifest").with_file(&dir.manifests()).with_hint("restore the collection from a backup")
    }))
}

/// Reads the name in CURRENT; `None` when it is missing or unreadable (the listing of manifests decides then).
///
/// # Errors
/// `Io` when the file system fails.
pub fn current_name(fs: &dyn FileSystem, dir: &CollectionDir) -> Result<Option<ManifestName>> {
    if fs.metadata(&dir.current())?.is_none() {
        return Ok(None);
    }
    let bytes = platform::fs::read_file(fs, &dir.current())?;
    Ok(std::str::from_utf8(&bytes).ok().and_then(|text| ManifestName::parse(text.trim_end())))
}

/// A reader's hold on a manifest: nothing that it names is removed while this lives.
#[derive(Debug)]
pub struct Pin {
    /// The manifest.
    pub manifest: Manifest,
    world: World,
    path: PathBuf,
    lock: Option<FileLock>,
}

impl Pin {
    /// Says whether the pin holds; on media that cannot be written there is none, and nobody who could clear anything away.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.lock.is_some()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // The file goes first: a pin without its lock is one that the next cleaning may remove itself.
        if self.lock.is_some() {
            let _ = self.world.fs.remove_file(&self.path);
        }
        self.lock.take();
    }
}

/// Pins the newest manifest for a process that does not hold the database's lock.
///
/// # Errors
/// As [`newest`].
pub fn pin_newest(world: &World, dir: &CollectionDir) -> Result<Pin> {
    loop {
        let manifest = newest(&*world.fs, dir)?;
        let path = pin_path(world, dir, &manifest);
        let lock = match world.fs.lock(&path, LockKind::Shared) {
            Ok(Some(lock)) => lock,
            Ok(None) => continue,
            Err(error) if error.is_read_only() => return Ok(Pin { manifest, world: world.clone(), path, lock: None }),
            Err(error) => return Err(error.into()),
        };
        let pin = Pin { manifest, world: world.clone(), path, lock: Some(lock) };
        // A manifest that went away before the pin stood is not safe to read.
        let still_there = world.fs.metadata(&dir.manifests().join(pin.manifest.file_name().to_string()))?.is_some();
        if still_there && newest(&*world.fs, dir)?.file_name() == pin.manifest.file_name() {
            return Ok(pin);
        }
    }
}

fn pin_path(world: &World, dir: &CollectionDir, manifest: &Manifest) -> PathBuf {
    dir.pins().join(format!("{}.{:016x}", manifest.file_name(), world.random.u64()))
}

/// Gives the manifests that other processes hold pinned; pins whose process is gone are removed.
fn pinned(world: &World, dir: &CollectionDir) -> Result<BTreeSet<ManifestName>> {
    let mut held = BTreeSet::new();
    for entry in world.fs.list(&dir.pins())? {
        let path = dir.pins().join(&entry.name);
        match world.fs.lock(&path, LockKind::Exclusive)? {
            Some(lock) => {
                world.fs.remove_file(&path)?;
                drop(lock);
            }
            None => held.extend(entry.name.split_once('.').and_then(|(name, _)| ManifestName::parse(name))),
        }
    }
    Ok(held)
}

/// The manifests of a collection: those that are kept, and those that nobody needs.
struct Held {
    kept: Vec<Manifest>,
    dropped: Vec<ManifestName>,
}

/// Sorts the manifests; `None` when one that is kept does not read: it might name anything, so that nothing is removed until a newer one has
/// replaced it.
fn look(world: &World, dir: &CollectionDir) -> Result<Option<Held>> {
    let names = names(&*world.fs, dir)?;
    let pinned = pinned(world, dir)?;
    let cut = names.len().saturating_sub(KEPT);
    let mut held = Held { kept: Vec::new(), dropped: Vec::new() };
    for (index, name) in names.iter().enumerate() {
        if index < cut && !pinned.contains(name) {
            held.dropped.push(*name);
            continue;
        }
        match read(&*world.fs, dir, *name) {
            Ok(manifest) => held.kept.push(manifest),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(held))
}

/// Reads the manifests whose files stay: the two newest, and those that a process has pinned; `None` when one of them does not read.
///
/// # Errors
/// `Io`.
pub fn kept(world: &World, dir: &CollectionDir) -> Result<Option<Vec<Manifest>>> {
    Ok(look(world, dir)?.map(|held| held.kept))
}

/// Removes manifests and objects that neither the newest two manifests nor a pin names (rule S12).
///
/// Runs only after a successful open or publication, by the process that holds the lock; `keep` names objects in use that no manifest names yet.
///
/// # Errors
/// `Io`; what was removed before stays removed, and nothing that is named was touched.
pub fn clear_unreferenced(world: &World, dir: &CollectionDir, keep: &BTreeSet<SegmentId>) -> Result<()> {
    let fs = &*world.fs;
    let Some(Held { kept, dropped }) = look(world, dir)? else { return Ok(()) };
    let mut objects = keep.clone();
    objects.extend(kept.iter().flat_map(|manifest| manifest.objects().map(|(id, _, _)| id)));
    for name in dropped {
        fs.remove_file(&dir.manifests().join(name.to_string()))?;
    }
    for entry in fs.list(&dir.segments())? {
        let known = SegmentId::parse(&entry.name).ok().is_some_and(|id| objects.contains(&id));
        if !known {
            fs.remove_file(&dir.segments().join(&entry.name))?;
        }
    }
    Ok(())
}
