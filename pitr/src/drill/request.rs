//! What a drill is asked to do.

use engine::Collection;
use engine::collection::RangeSources;
use engine::error::Error;
use engine::ids::CommitTime;

use crate::backup::held::Candidates;

/// The share of the nearest neighbours that searches have to find, unless something else is asked for.
pub const RECALL_MIN: f64 = 0.95;

/// Which state a drill restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DrillTarget {
    /// The newest backup of the name, or what was archived last where there is none: what a restore takes.
    #[default]
    Newest,
    /// What was archived last.
    Latest,
    /// The state at a time.
    Time(CommitTime),
    /// Any moment that can be restored, drawn at random; of a source that holds backups alone, any of them.
    Random,
}

impl DrillTarget {
    /// Gives the word for it in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            DrillTarget::Newest => "newest",
            DrillTarget::Latest => "latest",
            DrillTarget::Time(_) => "time",
            DrillTarget::Random => "random",
        }
    }
}

/// What a drill is to do.
pub struct DrillRequest<'a> {
    /// The collection's name in the source.
    pub name: &'a str,
    /// The source as the user wrote it. It never holds a secret.
    pub source: &'a str,
    /// The server at which locations in buckets are asked for, where the user named one.
    pub endpoint: Option<&'a str>,
    /// The collection of the name here, opened by the caller, where there is one.
    pub live: Option<&'a Collection>,
    /// Says whether a collection or an alias has a name here: a drill takes none that exists.
    pub is_taken: &'a dyn Fn(&str) -> bool,
    /// Which state.
    pub target: DrillTarget,
    /// What the collection is called meanwhile; `None`: a name that says what it is.
    pub scratch_name: Option<&'a str>,
    /// The share of the nearest neighbours that searches have to find.
    pub recall_min: f64,
    /// Where other archives may be.
    pub candidates: Candidates<'a>,
    /// Reaches what is left in archives, for the second reading.
    pub ranges: RangeSources,
    /// How many threads fetch.
    pub threads: usize,
    /// Gives the reason to end; asked now and then.
    pub stopped: &'a dyn Fn() -> Option<Error>,
}

impl std::fmt::Debug for DrillRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DrillRequest { name, source, target, scratch_name, recall_min, .. } = self;
        write!(f, "DrillRequest({name} of {source}, {target:?}, {scratch_name:?}, recall {recall_min})")
    }
}
