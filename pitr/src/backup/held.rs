//! Backups as they lie in an archive: descriptions read, and other archives found by what they are, not by where they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::codec::checksum::{HASH_LEN, Hash, unseal};
use engine::error::{Error, ErrorKind, Result};
use platform::object_store::ObjectStore;

use super::format::{ParentRef, SNAPSHOT_LEN_MAX, SnapshotFile};
use crate::archive::stored::{at, get_bounded};
use crate::archive::{Archive, ArchiveId, Key, Listing};

/// A description with the hash that it ends with.
#[derive(Debug, Clone)]
pub struct HeldSnapshot {
    /// The description.
    pub file: SnapshotFile,
    /// Its hash.
    pub blake3: Hash,
    /// Its stored size.
    pub bytes: u64,
}

/// Reads the description of one backup.
///
/// # Errors
/// `NotFound` when there is none of this id, `Incomplete` or `Corrupt` when it is cut off or damaged, `NewerFormat`, those of the store.
pub fn read_snapshot(archive: &Archive, id: &str) -> Result<HeldSnapshot> {
    crate::archive::layout::check_snapshot_id(id)?;
    let (store, key) = (&*archive.store, Key::Snapshot(id.to_owned()).to_string());
    if store.head(&key).map_err(|e| crate::archive::stored::store_error(&e))?.is_none() {
        return Err(at(Error::not_found(format!("there is no backup \"{id}\"")), store, &key));
    }
    let stored = get_bounded(store, &key, SNAPSHOT_LEN_MAX)?;
    let file = SnapshotFile::decode(&stored, id).map_err(|e| at(e, store, &key))?;
    if file.archive != archive.id {
        let error = Error::corrupt("the backup is of another archive").with_expected(archive.id, file.archive);
        return Err(at(error, store, &key));
    }
    Ok(HeldSnapshot { blake3: stored_hash(&stored), bytes: stored.len() as u64, file })
}

fn stored_hash(stored: &[u8]) -> Hash {
    let mut hash = [0; HASH_LEN];
    hash.copy_from_slice(&stored[stored.len() - HASH_LEN..]);
    Hash(hash)
}

/// Every backup of an archive: those that read, newest last, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct HeldSnapshots {
    /// Those that read, by commit time and pin time.
    pub good: Vec<HeldSnapshot>,
    /// Those that do not.
    pub bad: Vec<(String, Error)>,
}

impl HeldSnapshots {
    /// Reads every description that a listing names.
    ///
    /// # Errors
    /// Those of the store; a description that is missing, damaged or newer is in `bad`.
    pub fn read(archive: &Archive, listing: &Listing) -> Result<Self> {
        let mut held = HeldSnapshots::default();
        for id in &listing.snapshots {
            match read_snapshot(archive, id) {
                Ok(snapshot) => held.good.push(snapshot),
                Err(error) if is_about_content(error.kind) => held.bad.push((id.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        held.good.sort_by_key(|held| (held.file.position.commit_time, held.file.pin_time, held.file.snapshot_id.clone()));
        Ok(held)
    }

    /// Finds a backup by id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&HeldSnapshot> {
        self.good.iter().find(|held| held.file.snapshot_id == id)
    }
}

/// Says whether an error is about what lies there, and not about reaching it.
#[must_use]
pub fn is_about_content(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::Incomplete | ErrorKind::NotFound | ErrorKind::NewerFormat)
}

/// An archive that a user names as a parent.
#[derive(Debug, Clone)]
pub struct ParentStore {
    /// The archive's location, opened.
    pub store: Arc<dyn ObjectStore>,
    /// The location as the user wrote it.
    pub hint: String,
}

/// Opens the location that a stored hint names; `None` when nothing is there.
pub type OpenHint<'a> = &'a dyn Fn(&str) -> Option<Arc<dyn ObjectStore>>;

/// Where other archives may be: named ones, then siblings of the source, then the place where they were (rule S24).
#[derive(Default)]
pub struct Candidates<'a> {
    /// Those that the user names.
    pub parents: Vec<ParentStore>,
    /// Locations beside the source.
    pub siblings: Vec<Arc<dyn ObjectStore>>,
    /// Opens a stored hint; `None` when nothing is there.
    pub open_hint: Option<OpenHint<'a>>,
}

impl std::fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidates").field("parents", &self.parents).field("siblings", &self.siblings).finish_non_exhaustive()
    }
}

impl<'a> Candidates<'a> {
    /// Gives the same candidates again.
    #[must_use]
    pub fn copy(&self) -> Candidates<'a> {
        Candidates { parents: self.parents.clone(), siblings: self.siblings.clone(), open_hint: self.open_hint }
    }

    /// Finds the archive that a backup refers to; a match is by the archive's id and the hash of the backup there.
    ///
    /// # Errors
    /// `Incomplete` naming the archive when none of the candidates is it.
    pub fn find(&self, wanted: &ParentRef) -> Result<Archive> {
        let stores = self.parents.iter().map(|parent| &parent.store).chain(&self.siblings);
        if let Some(found) = stores.filter_map(|store| matching(store, wanted)).next() {
            return Ok(found);
        }
        let hinted = self.open_hint.and_then(|open| open(&wanted.hint)).and_then(|store| matching(&store, wanted));
        hinted.ok_or_else(|| {
            Error::new(ErrorKind::Incomplete, format!("the backup needs archive {}, which was not found", wanted.archive))
                .with_object(format!("archive {}, snapshot \"{}\"", wanted.archive, wanted.snapshot_id))
                .with_hint("name the location of that archive with --parent")
        })
    }
}

fn matching(store: &Arc<dyn ObjectStore>, wanted: &ParentRef) -> Option<Archive> {
    let archive = Archive::open(store).ok().filter(|archive| archive.id == wanted.archive)?;
    let stored = get_bounded(&**store, &Key::Snapshot(wanted.snapshot_id.clone()).to_string(), SNAPSHOT_LEN_MAX).ok()?;
    (unseal(&stored).is_ok() && stored_hash(&stored) == wanted.blake3).then_some(archive)
}

/// The archives that a backup needs, with what lies in them.
#[derive(Debug, Default)]
pub struct Library {
    archives: BTreeMap<ArchiveId, (Archive, Arc<Listing>)>,
    /// Those that are needed and were not found.
    pub missing: BTreeMap<ArchiveId, Error>,
}

impl Library {
    /// Starts with an archive that is listed already.
    #[must_use]
    pub fn of(archive: Archive, listing: Arc<Listing>) -> Self {
        Library { archives: BTreeMap::from([(archive.id, (archive, listing))]), missing: BTreeMap::new() }
    }

    /// Adds the other archives that a backup refers to.
    ///
    /// # Errors
    /// Those of the stores; an archive that is not found is in `missing`.
    pub fn add_parents(&mut self, file: &SnapshotFile, candidates: &Candidates<'_>) -> Result<()> {
        for parent in &file.parents {
            if self.archives.contains_key(&parent.archive) || self.missing.contains_key(&parent.archive) {
                continue;
            }
            match candidates.find(parent) {
                Ok(archive) => {
                    let listing = Arc::new(Listing::read(&*archive.store)?);
                    self.archives.insert(archive.id, (archive, listing));
                }
                Err(error) => {
                    self.missing.insert(parent.archive, error);
                }
            }
        }
        Ok(())
    }

    /// Gives an archive and its listing.
    #[must_use]
    pub fn get(&self, id: ArchiveId) -> Option<(&Archive, &Arc<Listing>)> {
        self.archives.get(&id).map(|(archive, listing)| (archive, listing))
    }

    /// Gives the archives of a backup that are there: its own first, then its parents in order.
    #[must_use]
    pub fn archives_of(&self, file: &SnapshotFile) -> Vec<(&Archive, &Arc<Listing>)> {
        [file.archive].into_iter().chain(file.parents.iter().map(|parent| parent.archive)).filter_map(|id| self.get(id)).collect()
    }
}
