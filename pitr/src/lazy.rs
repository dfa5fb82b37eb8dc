//! Collections whose sealed log files stay in an archive: where the bytes are, how they come by range, and what keeps them there.

mod hold;
pub mod place;
pub mod ranges;

use std::sync::Arc;

use engine::Collection;
use engine::collection::{LazyMarker, RangeSources};
use engine::error::Result;
use platform::World;

use crate::Progress;
pub(crate) use hold::Hold;
pub use place::{ArchivePlace, Places};
pub use ranges::ArchiveRanges;

/// Opens a location as a marker states it.
pub type OpenLocation<'a> = &'a dyn Fn(&str, Option<&str>) -> Result<Arc<dyn platform::object_store::ObjectStore>>;

/// How long log files that were not fetched stay where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// Until they are brought, which begins at once or later.
    UntilBrought,
    /// For good: the collection refers to the archive, which keeps what it refers to.
    Kept,
    /// For as long as the caller reads, who holds a pin himself ([`crate::archive::pin::ReaderPin`]).
    ForNow,
}

/// Asks a restore to leave the log files that its manifest covers in the archive.
#[derive(Debug, Clone, Copy)]
pub struct Lazy<'a> {
    /// The source as the user wrote it, which opens it again later. It never holds a secret.
    pub location: &'a str,
    /// The server at which locations in buckets are asked for, where the user named one.
    pub endpoint: Option<&'a str>,
    /// For how long.
    pub stay: Stay,
}

/// Gives collections their bytes from wherever their markers say, opening a place at the first byte that is needed: a collection opens, counts
/// and lists also while its archive cannot be reached.
pub fn range_sources(
    open: impl Fn(&str, Option<&str>) -> Result<Arc<dyn platform::object_store::ObjectStore>> + Send + Sync + 'static,
) -> RangeSources {
    let open = Arc::new(open);
    RangeSources::new(move |marker: &LazyMarker| {
        let (places, open) = (Places::parse(&marker.source)?, open.clone());
        Ok(Arc::new(ArchiveRanges::new(move || places.open(&|location, endpoint| open(location, endpoint)))))
    })
}

/// Brings what is missing of a lazy collection and lets go of what kept it in the archive; says whether all of it is local now. `stop` is asked
/// before each piece, `progress` is told the bytes that came and all of them.
///
/// # Errors
/// As [`Collection::hydrate`]. A pin that cannot be removed is no error: it is seen when the archive is pruned.
pub fn hydrate(collection: &Collection, open: OpenLocation<'_>, stop: &dyn Fn() -> bool, progress: Progress<'_>) -> Result<bool> {
    let Some(marker) = collection.lazy_marker() else { return Ok(true) };
    let whole = collection.hydrate(stop, &|missing, all| progress(all - missing, all))?;
    if whole && let Ok(places) = Places::parse(&marker.source) {
        let _ = places.release(open);
    }
    Ok(whole)
}

/// Reads which archives hold something for the collection in a directory; `None` for one that is whole.
///
/// # Errors
/// `Corrupt` or `NewerFormat` when its marker cannot be read, `Io`.
pub fn places_of(world: &World, root: &std::path::Path) -> Result<Option<Places>> {
    let marker = LazyMarker::read(&*world.fs, &engine::manifest::store::CollectionDir::new(root.to_path_buf()))?;
    marker.map(|marker| Places::parse(&marker.source)).transpose()
}
