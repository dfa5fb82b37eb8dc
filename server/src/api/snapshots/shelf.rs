//! A place for files of snapshots: an archive of backups below the data directory, which share what they have in common.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use engine::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use pitr::BackupRequest;
use pitr::archive::extent::SEAL_LEN;
use pitr::archive::layout::snapshot_id_of;
use pitr::archive::reachable::{Roots, reachable};
use pitr::archive::stored::{JSON_VERSION, store_error};
use pitr::archive::{Archive, Key, Listing};
use pitr::backup::held::{HeldSnapshot, HeldSnapshots, read_snapshot};
use platform::digest::Sha256;
use platform::object_store::ObjectStore;

use super::file::SnapshotTar;
use super::tar::{Entry, Packed, tar_len};
use crate::{Host, Served};

/// How long somebody waits for a snapshot that is being made before.
const MAKING_WAIT: Duration = Duration::from_secs(60);

/// A place for files of snapshots.
#[derive(Debug)]
pub(super) struct Shelf {
    store: Arc<dyn ObjectStore>,
    /// One is made at a time.
    making: Mutex<()>,
    /// Those who read; nothing that lies there is removed meanwhile.
    readers: Mutex<usize>,
}

/// Somebody who reads: what lies there stays.
#[derive(Debug)]
pub(super) struct Reading(Arc<Shelf>);

impl Drop for Reading {
    fn drop(&mut self) {
        *self.0.readers.lock() -= 1;
    }
}

impl Shelf {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Shelf { store, making: Mutex::default(), readers: Mutex::default() }
    }

    /// Gives where it is, for those who hold that nothing is removed meanwhile.
    pub(super) fn reading(self: &Arc<Self>) -> (Arc<dyn ObjectStore>, Reading) {
        *self.readers.lock() += 1;
        (self.store.clone(), Reading(self.clone()))
    }

    /// Lists what is there, of one collection or of all.
    ///
    /// # Errors
    /// Those of the store, and of a description that does not read.
    pub(super) fn list(&self) -> Result<Vec<SnapshotTar>> {
        SnapshotTar::all(&*self.store)
    }

    /// Finds a file by its name.
    ///
    /// # Errors
    /// `NotFound`, and those of reading it.
    pub(super) fn find(&self, name: &str) -> Result<SnapshotTar> {
        SnapshotTar::read(&*self.store, name)
    }

    /// Makes a snapshot: a backup of each collection, and the description of the tar that they are.
    ///
    /// # Errors
    /// `Locked` when another one is being made for too long; those of a backup. Of an attempt that failed nothing is seen, and what it sent is
    /// used by the next, or removed.
    pub(super) fn make(self: &Arc<Self>, host: &Host, collection: Option<&str>, all: &[Arc<Served>]) -> Result<SnapshotTar> {
        let busy = || Error::new(ErrorKind::Locked, "another snapshot is being made").with_hint("ask again when it is done");
        let _making = self.making.try_lock_for(MAKING_WAIT).ok_or_else(busy)?;
        let world = host.database().world();
        let created = world.clock.wall_micros();
        let name = self.free_name(collection.unwrap_or("full"), created)?;
        let ids: Vec<String> = match collection {
            Some(_) => vec![name.clone()],
            None => (0..all.len()).map(|number| format!("{name}.{number}")).collect(),
        };
        let archive = Archive::open_or_create(&self.store, &*world.random)?;
        for (id, served) in ids.iter().zip(all) {
            let request = BackupRequest { snapshot_id: Some(id), ..BackupRequest::default() };
            pitr::backup(host.database(), served.collection(), &self.store, &request, &|_, _| ())?;
        }
        let backups = ids.iter().map(|id| read_snapshot(&archive, id)).collect::<Result<Vec<_>>>()?;
        let entries = entries(&archive, &Listing::read(&*self.store)?, &backups);
        let bytes = tar_len(&entries)?;
        let sha256 = self.sum(&entries, bytes)?;
        let collection = collection.map(str::to_owned);
        let file = SnapshotTar { format: JSON_VERSION, name, collection, created, backups: ids, bytes, sha256, entries };
        if file.keep(&*self.store)? {
            return Ok(file);
        }
        Err(Error::internal("a name that was free is taken").with_object(file.name))
    }

    /// Makes a name that nobody has yet.
    fn free_name(&self, of: &str, now: u64) -> Result<String> {
        let mut micros = now;
        loop {
            let name = snapshot_id_of(of, micros);
            let backup = Key::Snapshot(name.clone()).to_string();
            match (self.find(&name), self.store.head(&backup)) {
                (Err(error), Ok(None)) if error.kind == ErrorKind::NotFound => return Ok(name),
                (_, Err(error)) => return Err(store_error(&error)),
                _ => micros += 1_000_000,
            }
        }
    }

    /// Reads a tar once, for its sum.
    fn sum(&self, entries: &[Entry], bytes: u64) -> Result<String> {
        let mut from = Packed::new(self.store.clone(), entries.to_vec(), ());
        let (mut sha, mut len, mut piece) = (Sha256::default(), 0, vec![0; 1 << 20]);
        loop {
            let read = from.read(&mut piece).map_err(|error| Error::new(ErrorKind::Io, format!("cannot read the snapshot: {error}")))?;
            if read == 0 {
                break;
            }
            sha.update(&piece[..read]);
            len += read as u64;
        }
        assert_eq!(len, bytes, "a tar has the length that its entries say");
        Ok(sha.finish())
    }

    /// Deletes a file; the space of what nothing else needs is given back now, or with the next one when somebody reads.
    ///
    /// # Errors
    /// `NotFound`, those of the store.
    pub(super) fn delete(&self, name: &str) -> Result<()> {
        self.find(name)?;
        SnapshotTar::forget(&*self.store, name)?;
        if let Some(_nobody_makes) = self.making.try_lock() {
            // It is deleted, whatever becomes of the space: the next deletion goes on.
            let _swept = self.sweep();
        }
        Ok(())
    }

    /// Removes what no file needs. Nobody makes one meanwhile: what an attempt has sent would be taken from it.
    fn sweep(&self) -> Result<()> {
        let readers = self.readers.lock();
        if *readers > 0 {
            return Ok(());
        }
        let archive = Archive::open(&self.store)?;
        let files = self.list()?;
        let described: BTreeSet<&str> = files.iter().flat_map(|file| file.backups.iter().map(String::as_str)).collect();
        let listing = Listing::read(&*self.store)?;
        let gone = listing.snapshots.iter().filter(|id| !described.contains(id.as_str())).map(|id| Key::Snapshot(id.clone()));
        let left = listing.pins.iter().map(|id| Key::Pin(id.clone()));
        gone.chain(left).try_for_each(|key| self.remove(&key.to_string()))?;
        let listing = Listing::read(&*self.store)?;
        let held = HeldSnapshots::read(&archive, &listing)?;
        if !held.bad.is_empty() {
            // What it needs is not known.
            return Ok(());
        }
        let needed = reachable(archive.id, &Roots { snapshots: held.good.iter().map(|held| &held.file).collect(), ..Roots::default() });
        needed.unneeded(&listing).try_for_each(|(key, _)| self.remove(key))
    }

    fn remove(&self, key: &str) -> Result<()> {
        self.store.delete(key).map_err(|error| store_error(&error))
    }
}

/// Lists what some backups need, as a tar has it: what makes it an archive first, what makes the backups exist last.
fn entries(archive: &Archive, listing: &Listing, backups: &[HeldSnapshot]) -> Vec<Entry> {
    assert!(backups.iter().all(|held| held.file.parents.is_empty()), "a snapshot rests on nothing else");
    let needed = reachable(archive.id, &Roots { snapshots: backups.iter().map(|held| &held.file).collect(), ..Roots::default() });
    let belongs = |key: &str, size: u64| match Key::parse(key) {
        Key::Archive => true,
        Key::Collection(life) => backups.iter().any(|held| held.file.incarnation == life),
        Key::Timeline(timeline) => backups.iter().any(|held| held.file.ancestry.iter().any(|span| span.timeline == timeline)),
        Key::Extent(..) | Key::Whole(..) => size != SEAL_LEN && needed.needs(key, size),
        Key::Manifest(..) | Key::Object(_) | Key::Snapshot(_) => needed.needs(key, size),
        _ => false,
    };
    let rank = |entry: &Entry| match Key::parse(&entry.key) {
        Key::Archive => 0,
        Key::Snapshot(_) => 2,
        _ => 1,
    };
    let all = listing.sizes.iter().filter(|(key, size)| belongs(key, **size));
    let mut entries: Vec<Entry> = all.map(|(key, size)| Entry { key: key.clone(), size: *size }).collect();
    entries.sort_by_key(rank);
    entries
}
