//! An open collection: who writes, what readers see, and what is done in the background.
//!
//! The writer appends to the log and publishes a new [`Version`] for each group of writes; readers take a version and are never in its way.
//! Background steps ([`Collection::step`]) turn the tail into segments; nobody waits for them but who asks to.

pub mod apply;
pub mod cleaning;
pub mod copies;
pub mod effort;
pub mod filter;
pub mod indexer;
pub mod info;
pub mod lazy;
pub mod merge;
pub mod open;
pub mod outgoing;
pub mod publish;
pub mod read;
pub mod search;
pub mod snapshot;
mod tail_search;
pub mod version;
pub mod write;

use std::sync::Arc;

use arc_swap::ArcSwap;
use index::Kernels;
use parking_lot::Mutex;
use platform::World;

pub use cleaning::CleaningLimits;
pub use effort::TargetRecall;
pub use filter::Selector;
pub use indexer::{Progress, Step};
pub use info::{CollectionInfo, IndexInfo};
pub use lazy::{LazyMarker, RangeSources};
pub use open::OpenOptions;
pub use read::{FacetValue, FieldOrder, PointView};
pub use search::{Mode, SearchHit, SearchRequest};
pub use snapshot::Snapshot;
pub use version::Version;
pub use write::Ack;
pub use write::operation::{PayloadPatch, UpsertCondition, UpsertMode, WriteOperation};

use crate::clock::CommitClock;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Incarnation;
use crate::log::LogWriter;
use crate::manifest::store::{CollectionDir, Pin};
use crate::reserve::Reserve;
use crate::timings::Timings;
use write::Pending;

/// Rows after which a tail is sealed into a flat segment.
pub const TAIL_ROWS_MAX: u64 = 100_000;
/// Bytes of log after which a tail is sealed into a flat segment.
pub const TAIL_BYTES_MAX: u64 = 64 << 20;

/// One open collection.
#[derive(Debug)]
pub struct Collection {
    world: World,
    name: String,
    dir: CollectionDir,
    incarnation: Incarnation,
    clock: Arc<CommitClock>,
    kernels: &'static Kernels,
    reserve: Option<Arc<Reserve>>,
    current: ArcSwap<Version>,
    queue: Mutex<Vec<Pending>>,
    /// `None` for a reader.
    writer: Option<Mutex<Writer>>,
    /// One background step at a time.
    maintenance: Mutex<()>,
    /// Keeps what a reader reads from being cleared away.
    pin: Option<Pin>,
    /// What is left to bring of a lazy collection.
    lazy: lazy::LazyState,
    /// How far the archive has come, where there is one.
    archiving: outgoing::Archiving,
    /// What is alive in the log, and which of its files are on their way out.
    cleaning: cleaning::CleaningState,
    /// How long syncs and builds took.
    timings: Timings,
    /// The right to write, where a database gave it.
    _handle: Option<Arc<crate::database::Handle>>,
}

/// What only the one writer touches.
#[derive(Debug)]
struct Writer {
    /// The version as of the last applied record; a clone of it is published.
    version: Version,
    /// `None` until the first write on a timeline that has no file yet.
    log: Option<LogWriter>,
}

impl Collection {
    /// Gives the name under which it was opened.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the life that this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Gives the places of the collection on disk.
    #[must_use]
    pub fn dir(&self) -> &CollectionDir {
        &self.dir
    }

    /// Takes the newest version: a consistent state that stays what it is.
    #[must_use]
    pub fn version(&self) -> Arc<Version> {
        self.current.load_full()
    }

    /// Gives how long its syncs and builds took since it was opened.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    fn writer(&self) -> Result<&Mutex<Writer>> {
        self.writer.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Locked, format!("collection \"{}\" is open for reading only", self.name)).with_object(&self.name)
        })
    }
}
