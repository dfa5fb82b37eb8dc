//! Reads what an archive's roots say: backups, bases with their manifests, catalogs, timelines and pins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::catalog::CatalogEntry;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Incarnation, Lsn, Timeline};
use engine::manifest::{MANIFEST_LEN_MAX, Manifest, ManifestName};

use super::base::{BaseFile, read_base};
use super::pin::{Holds, PinFile};
use super::reachable::BaseRoot;
use super::retention::{LifeRecord, State};
use super::stored::{get_bounded, store_error};
use super::tiling::Stretch;
use super::{Archive, Key, Listing};
use crate::backup::held::is_about_content;
use crate::history::{Lives, tenure};

/// What is told of a pin.
#[derive(Debug, Clone)]
pub enum Holder {
    /// An attempt to back up; `complete`: the backup is there.
    Attempt {
        /// Whether the backup that it was for is complete.
        complete: bool,
    },
    /// A reader; `None`: its pin does not read.
    Reader(Option<PinFile>),
}

/// A pin with the time that the store dates it at.
#[derive(Debug, Clone)]
pub struct HeldPin {
    /// Its key.
    pub key: String,
    /// When it was put, by the store's clock.
    pub modified: u64,
    /// Who holds it.
    pub holder: Holder,
}

/// What was read of an archive.
#[derive(Debug)]
pub struct ReadArchive {
    /// The archive.
    pub archive: Archive,
    /// What lies there.
    pub listing: Arc<Listing>,
    /// When each object was put, by the store's clock.
    pub modified: BTreeMap<String, u64>,
    /// Backups, timelines, catalogs.
    pub lives: Lives,
    /// Bases that read.
    pub bases: Vec<BaseRoot>,
    /// Bases that do not.
    pub bad_bases: Vec<(Key, Error)>,
    /// Pins of attempts and readers.
    pub pins: Vec<HeldPin>,
    records: BTreeMap<Incarnation, LifeRecord>,
    sealed: BTreeMap<Timeline, Lsn>,
    held_snapshots: BTreeSet<String>,
    held_bases: BTreeSet<(Timeline, ManifestName)>,
    held_log: Vec<Stretch>,
}

impl ReadArchive {
    /// Reads an archive's roots; `visit` sees each base with its manifest.
    ///
    /// # Errors
    /// `NewerFormat` when a root is of a later version, those of the store and of `visit`; what is damaged or missing is in the result.
    pub fn read(archive: &Archive, visit: &mut dyn FnMut(&BaseFile, &Manifest) -> Result<()>) -> Result<Self> {
        let listed = archive.store.list("").map_err(|e| store_error(&e))?;
        let modified = listed.iter().map(|meta| (meta.key.clone(), meta.modified_micros)).collect();
        let listing = Arc::new(Listing::of(listed.into_iter().map(|meta| (meta.key, meta.size))));
        let lives = Lives::read(archive, &listing)?;
        let mut read = ReadArchive {
            archive: archive.clone(),
            records: life_records(&lives),
            sealed: sealed(&listing),
            listing,
            modified,
            lives,
            bases: Vec::new(),
            bad_bases: Vec::new(),
            pins: Vec::new(),
            held_snapshots: BTreeSet::new(),
            held_bases: BTreeSet::new(),
            held_log: Vec::new(),
        };
        read.read_bases(visit)?;
        read.read_pins()?;
        Ok(read)
    }

    /// Shows it to the rules of retention.
    #[must_use]
    pub fn state(&self) -> State<'_> {
        State {
            listing: &self.listing,
            snapshots: &self.lives.snapshots.good,
            bases: &self.bases,
            timelines: &self.lives.timelines,
            lives: &self.records,
            sealed: &self.sealed,
            held_snapshots: &self.held_snapshots,
            held_bases: &self.held_bases,
            held_log: &self.held_log,
        }
    }

    fn read_bases(&mut self, visit: &mut dyn FnMut(&BaseFile, &Manifest) -> Result<()>) -> Result<()> {
        let listing = self.listing.clone();
        for (timeline, name) in listing.bases.iter().flat_map(|(&timeline, names)| names.iter().map(move |&name| (timeline, name))) {
            match read_root(&self.archive, timeline, name) {
                Ok((root, file, manifest)) => {
                    visit(&file, &manifest)?;
                    self.bases.push(root);
                }
                Err(error) if is_about_content(error.kind) && error.kind != ErrorKind::NewerFormat => {
                    self.bad_bases.push((Key::Base(timeline, name), error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_pins(&mut self) -> Result<()> {
        let listing = self.listing.clone();
        let dated = |modified: &BTreeMap<String, u64>, key: &str| modified.get(key).copied().unwrap_or(0);
        for id in &listing.pins {
            let key = Key::Pin(id.clone()).to_string();
            let complete = self.lives.snapshots.find(id).is_some();
            self.pins.push(HeldPin { modified: dated(&self.modified, &key), key, holder: Holder::Attempt { complete } });
        }
        for &name in &listing.readers {
            let file = match PinFile::read(&self.archive, name) {
                Ok(file) => Some(file),
                Err(error) if is_about_content(error.kind) && error.kind != ErrorKind::NewerFormat => None,
                Err(error) => return Err(error),
            };
            let key = Key::Reader(name).to_string();
            let modified = dated(&self.modified, &key);
            if let Some(file) = &file {
                // A pin that has run out holds on until it is removed: that is decided once, by the collector.
                self.hold(&file.holds)?;
            }
            self.pins.push(HeldPin { key, modified, holder: Holder::Reader(file) });
        }
        Ok(())
    }

    fn hold(&mut self, holds: &[Holds]) -> Result<()> {
        for held in holds {
            match held {
                // The collector stands still for those.
                Holds::Everything => {}
                Holds::Snapshot { id } => {
                    self.held_snapshots.insert(id.clone());
                }
                Holds::Base { timeline, name } => self.held_bases.extend(ManifestName::parse(name).map(|name| (*timeline, name))),
                Holds::Log { timeline, lsn } => {
                    let spans = self.lives.timelines.history(*timeline)?.closed_at(*lsn);
                    let stretch =
                        |span: engine::manifest::Span| Stretch { timeline: span.timeline, start: span.from, end: span.to.unwrap_or(*lsn) };
                    self.held_log.extend(spans.into_iter().map(stretch));
                }
            }
        }
        Ok(())
    }
}

/// Reads a base with its manifest and checks that they belong together.
///
/// # Errors
/// `Incomplete`, `Corrupt`, `NewerFormat`, those of the store.
pub fn read_root(archive: &Archive, timeline: Timeline, name: ManifestName) -> Result<(BaseRoot, BaseFile, Manifest)> {
    let file = read_base(archive, timeline, name)?;
    let key = Key::Manifest(timeline, name);
    let stored = get_bounded(&*archive.store, &key.to_string(), MANIFEST_LEN_MAX)?;
    let wrong = |error: Error| archive.at(error, &key);
    if (stored.len() as u64) < file.manifest.bytes {
        let short = Error::new(ErrorKind::Incomplete, "the manifest is cut off").with_expected(file.manifest.bytes, stored.len());
        return Err(wrong(short));
    }
    if stored.len() as u64 != file.manifest.bytes || !stored.ends_with(&file.manifest.blake3.0) {
        return Err(wrong(Error::corrupt("this is not the manifest that its base describes").with_offset(0)));
    }
    let manifest = Manifest::decode(&stored).map_err(wrong)?;
    file.agree(&manifest).map_err(|error| archive.at(error, &Key::Base(timeline, name)))?;
    let mut log: Vec<Stretch> = Vec::new();
    for range in &manifest.log {
        match log.last_mut() {
            Some(last) if last.timeline == range.timeline && last.end == range.start => last.end = range.end,
            _ => log.push(Stretch { timeline: range.timeline, start: range.start, end: range.end }),
        }
    }
    let root = BaseRoot {
        timeline,
        name,
        incarnation: manifest.incarnation,
        ancestry: manifest.ancestry.clone(),
        manifest: file.manifest.clone(),
        log,
        objects: file.objects.clone(),
    };
    Ok((root, file, manifest))
}

/// Says of each life that a catalog tells of whether it is over for good: dropped, and purged since.
fn life_records(lives: &Lives) -> BTreeMap<Incarnation, LifeRecord> {
    let mut records: BTreeMap<Incarnation, LifeRecord> = BTreeMap::new();
    for catalog in lives.databases.iter().filter_map(|known| known.catalog.as_ref()) {
        let purged: BTreeSet<Incarnation> = catalog
            .entries
            .iter()
            .filter_map(|(_, entry)| if let CatalogEntry::Purge { incarnation } = entry { Some(*incarnation) } else { None })
            .collect();
        for tenure in tenure::tenures(&catalog.entries) {
            let ended = tenure.until.filter(|_| purged.contains(&tenure.incarnation));
            let record = records.entry(tenure.incarnation).or_insert_with(|| LifeRecord { name: tenure.name.clone(), ended: Some(0) });
            record.name = tenure.name;
            // A copy of a data directory tells of the same lives: one that goes on anywhere goes on.
            record.ended = record.ended.zip(ended).map(|(known, ended)| known.max(ended));
        }
    }
    records
}

/// Gives the valid seal of each timeline that has one: at or above its boundary.
fn sealed(listing: &Listing) -> BTreeMap<Timeline, Lsn> {
    let low = |timeline: &Timeline| listing.low.get(timeline).copied().unwrap_or(0);
    let first = |timeline: &Timeline, seals: &BTreeSet<Lsn>| seals.range(low(timeline)..).next().copied();
    listing.seals.iter().filter_map(|(timeline, seals)| first(timeline, seals).map(|at| (*timeline, at))).collect()
}
