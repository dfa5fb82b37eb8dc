//! Bytes of log from archives, by range: any extents that cover what is asked for, found by listing.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use engine::log::residency::RangeSource;
use parking_lot::Mutex;
use platform::object_store::ObjectStore;

use crate::archive::Listing;
use crate::archive::extent::{EXTENT_LEN_MAX, RECORDS_OFFSET};
use crate::archive::stored::{get_exact, store_error};
use crate::archive::tiling::{Source, Stretch, tile};

type OpenStores = dyn Fn() -> Result<Vec<Arc<dyn ObjectStore>>> + Send + Sync;

type Stores = Arc<[Arc<dyn ObjectStore>]>;

/// The extents of a timeline in each of the archives.
type Listed = Arc<Vec<Listing>>;

/// Gives the log of one archive or several; each fetch gets the part that is asked for and nothing else.
pub struct ArchiveRanges {
    open: Box<OpenStores>,
    /// The archives once they are open.
    stores: Mutex<Option<Stores>>,
    /// What was listed already.
    listed: Mutex<BTreeMap<Timeline, Listed>>,
}

impl std::fmt::Debug for ArchiveRanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveRanges").field("stores", &self.stores).finish_non_exhaustive()
    }
}

impl ArchiveRanges {
    /// Takes what opens the archives; it is called when the first byte is needed, and again after it failed.
    pub fn new(open: impl Fn() -> Result<Vec<Arc<dyn ObjectStore>>> + Send + Sync + 'static) -> Self {
        ArchiveRanges { open: Box::new(open), stores: Mutex::default(), listed: Mutex::default() }
    }

    /// Takes archives that are open; earlier ones are preferred.
    #[must_use]
    pub fn of(stores: Vec<Arc<dyn ObjectStore>>) -> Self {
        Self::new(move || Ok(stores.clone()))
    }

    fn stores(&self) -> Result<Stores> {
        let mut stores = self.stores.lock();
        if let Some(open) = &*stores {
            return Ok(open.clone());
        }
        let opened: Stores = (self.open)()?.into();
        *stores = Some(opened.clone());
        Ok(opened)
    }

    fn list(&self, stores: &[Arc<dyn ObjectStore>], timeline: Timeline) -> Result<Listed> {
        let extents = |store: &Arc<dyn ObjectStore>| {
            let mut all = Vec::new();
            for kind in ["log", "whole"] {
                all.extend(store.list(&format!("timelines/{timeline}/{kind}/")).map_err(|e| store_error(&e))?);
            }
            Ok(Listing::of(all.into_iter().map(|meta| (meta.key, meta.size))))
        };
        let listed: Listed = Arc::new(stores.iter().map(extents).collect::<Result<_>>()?);
        self.listed.lock().insert(timeline, listed.clone());
        Ok(listed)
    }
}

impl RangeSource for ArchiveRanges {
    fn fetch(&self, timeline: Timeline, from: Lsn, to: Lsn) -> Result<Bytes> {
        if from >= to || to - from > EXTENT_LEN_MAX {
            return Err(Error::internal("a stretch of the log is fetched that is empty or too long").with_expected(EXTENT_LEN_MAX, to));
        }
        let (stores, stretch) = (self.stores()?, Stretch { timeline, start: from, end: to });
        let known = self.listed.lock().get(&timeline).cloned();
        if let Some(known) = known {
            match get(&stores, &known, stretch) {
                // Extents are put together and removed while a collection is open: it may lie elsewhere by now.
                Err(error) if error.kind == ErrorKind::Incomplete => {}
                got => return got,
            }
        }
        get(&stores, &self.list(&stores, timeline)?, stretch)
    }
}

/// Gets a stretch from the extents that were listed.
fn get(stores: &[Arc<dyn ObjectStore>], listed: &[Listing], stretch: Stretch) -> Result<Bytes> {
    let sources: Vec<Source<'_>> = listed.iter().map(|listing| Source { listing, only: None }).collect();
    let tiling = tile(&sources, stretch);
    if tiling.reached < stretch.end {
        let place = stores.first().map_or_else(String::new, |store| store.describe());
        return Err(Error::new(ErrorKind::Incomplete, "a part of the log that the collection refers to is not in the archive any more")
            .with_object(format!("timeline {}, position {}", stretch.timeline, tiling.reached))
            .with_file(std::path::Path::new(&place))
            .with_hint("restore the collection again, or bring the missing part back to where it was"));
    }
    let piece = |piece: &crate::archive::tiling::Piece| {
        let key = piece.extent.key(stretch.timeline).to_string();
        let offset = |position: Lsn| RECORDS_OFFSET + (position - piece.extent.start);
        get_exact(&*stores[piece.source], &key, offset(piece.from)..offset(piece.to))
    };
    if let [only] = &tiling.pieces[..] {
        return piece(only);
    }
    let mut all = Vec::with_capacity((stretch.end - stretch.start) as usize);
    for part in &tiling.pieces {
        all.extend_from_slice(&piece(part)?);
    }
    Ok(Bytes::from(all))
}
