//! What a new backup may rest on: the destination, the archives of the backup that it continues, and the parents that the user names.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::error::Result;
use engine::manifest::Span;

use super::create::BackupRequest;
use super::format::{BaseRef, ParentRef, RangeEntry, SnapshotFile};
use super::held::{Candidates, HeldSnapshot, HeldSnapshots};
use super::plan::{Held, HeldArchive, choose_base};
use crate::archive::tiling::Stretch;
use crate::archive::{Archive, Listing};

/// Another archive, with the backup there that vouches for what is used of it.
#[derive(Debug)]
struct Other {
    archive: Archive,
    listing: Arc<Listing>,
    parent: ParentRef,
    only: Vec<Stretch>,
}

/// What a new backup may rest on.
#[derive(Debug)]
pub(super) struct Surroundings {
    destination: Archive,
    listing: Arc<Listing>,
    own: HeldSnapshots,
    others: Vec<Other>,
    bases: Vec<HeldSnapshot>,
    full: bool,
    /// The backup that the new one is an increment of.
    pub base: Option<BaseRef>,
    pub warnings: Vec<String>,
}

impl Surroundings {
    /// Reads listings and descriptions.
    pub fn read(destination: &Archive, ancestry: &[Span], request: &BackupRequest<'_>) -> Result<Self> {
        let listing = Arc::new(Listing::read(&*destination.store)?);
        let own = HeldSnapshots::read(destination, &listing)?;
        let (bases, warnings) = (Vec::new(), Vec::new());
        let mut around = Surroundings {
            destination: destination.clone(),
            listing,
            own,
            others: Vec::new(),
            bases,
            full: request.full,
            base: None,
            warnings,
        };
        if request.full {
            return Ok(around);
        }
        if let Some(base) = choose_base(&around.own.good, ancestry).cloned() {
            around.add_parents_of(&base, &request.candidates)?;
            around.build_on(destination, base);
        }
        for named in &request.candidates.parents {
            let archive = Archive::open(&named.store)?;
            if archive.id == destination.id {
                continue;
            }
            let listing = Arc::new(Listing::read(&*archive.store)?);
            let snapshots = HeldSnapshots::read(&archive, &listing)?;
            let Some(base) = choose_base(&snapshots.good, ancestry).cloned() else {
                around
                    .warnings
                    .push(format!("parent \"{}\" holds no backup of this collection's history; nothing of it is used", named.hint));
                continue;
            };
            let snapshot_id = base.file.snapshot_id.clone();
            let parent = ParentRef { archive: archive.id, snapshot_id, blake3: base.blake3, hint: named.hint.clone() };
            around.add(Other { archive: archive.clone(), listing, parent, only: stretches(&base.file) });
            around.add_parents_of(&base, &request.candidates)?;
            around.build_on(&archive, base);
        }
        Ok(around)
    }

    fn build_on(&mut self, archive: &Archive, base: HeldSnapshot) {
        self.base.get_or_insert_with(|| BaseRef { archive: archive.id, snapshot_id: base.file.snapshot_id.clone() });
        self.bases.push(base);
    }

    /// Adds the archives that a backup rests on; one that is not found is not used.
    fn add_parents_of(&mut self, base: &HeldSnapshot, candidates: &Candidates<'_>) -> Result<()> {
        for parent in &base.file.parents {
            let Ok(archive) = candidates.find(parent) else {
                self.warnings.push(format!("archive {} was not found; what lies there is sent again", parent.archive));
                continue;
            };
            let listing = Arc::new(Listing::read(&*archive.store)?);
            self.add(Other { archive, listing, parent: parent.clone(), only: stretches(&base.file) });
        }
        Ok(())
    }

    fn add(&mut self, other: Other) {
        let known = other.archive.id == self.destination.id || self.others.iter().any(|o| o.archive.id == other.archive.id);
        if !known {
            self.others.push(other);
        }
    }

    /// Counts the backups that the new one rests on, itself included, as far as the descriptions that were read tell.
    pub fn chain_length(&self) -> u64 {
        let known = || self.own.good.iter().chain(&self.bases).map(|held| &held.file);
        let (mut length, mut next, most) = (1, self.base.as_ref(), known().count());
        while let Some(base) = next {
            let found = known().find(|file| file.archive == base.archive && file.snapshot_id == base.snapshot_id);
            length += 1;
            // A circle is nothing that was written here; it ends all the same.
            next = found.and_then(|file| file.base.as_ref()).filter(|_| length <= most as u64);
        }
        length
    }

    /// Shows everything to the plan.
    pub fn held(&self) -> Held<'_> {
        let own = HeldArchive { archive: self.destination.id, listing: &self.listing, parent: None, only: None };
        let others = self.others.iter().map(|other| HeldArchive {
            archive: other.archive.id,
            listing: &other.listing,
            parent: Some(other.parent.clone()),
            only: Some(other.only.clone()),
        });
        Held {
            archives: [own].into_iter().chain(others).collect(),
            own: self.own.good.iter().map(|held| &held.file).collect(),
            bases: self.bases.iter().map(|held| &held.file).collect(),
            full: self.full,
        }
    }

    /// Gives the archives in the order of the plan.
    pub fn archives<'a>(&'a self, destination: &'a Archive) -> Vec<&'a Archive> {
        [destination].into_iter().chain(self.others.iter().map(|other| &other.archive)).collect()
    }

    /// Lists the other archives that a plan uses.
    pub fn parents(&self, used: &BTreeSet<usize>) -> Vec<ParentRef> {
        let others = self.others.iter().enumerate().filter(|(number, _)| used.contains(&(number + 1)));
        others.map(|(_, other)| other.parent.clone()).collect()
    }
}

fn stretches(file: &SnapshotFile) -> Vec<Stretch> {
    file.log.iter().map(RangeEntry::stretch).collect()
}
