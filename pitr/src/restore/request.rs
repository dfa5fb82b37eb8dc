//! What a restore is asked to do.

use engine::Collection;
use engine::error::Result;
use engine::ids::{CommitTime, Incarnation, Lsn, Timeline};

use crate::backup::held::Candidates;
use crate::lazy::Lazy;

/// Which state is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The backup of this id; `None`: the newest one of the name, or what was archived last where there is none.
    Snapshot(Option<&'a str>),
    /// Every operation that committed at or before this time.
    Time(CommitTime),
    /// Every operation that ends at or before this position of the history.
    Lsn(Lsn),
    /// Everything that was archived.
    Latest,
}

impl Default for Target<'_> {
    fn default() -> Self {
        Target::Snapshot(None)
    }
}

/// What a restore is to do.
#[derive(Debug, Default)]
pub struct RestoreRequest<'a> {
    /// The collection's name in the source.
    pub name: &'a str,
    /// Which state.
    pub target: Target<'a>,
    /// The timeline that the history ends with, to choose an abandoned branch; `None`: the one that the name means.
    pub timeline: Option<Timeline>,
    /// The name it gets here; `None`: the same.
    pub new_name: Option<&'a str>,
    /// Drop the collection that has the name now, in the same step.
    pub replace: bool,
    /// Where other archives may be.
    pub candidates: Candidates<'a>,
    /// How many threads fetch; 0 and 1: none but the caller's.
    pub threads: usize,
    /// What was claimed in the archive for it; `None`: a new life on a new timeline.
    pub claimed: Option<Claimed>,
    /// What is done with it before anybody sees it.
    pub finish: Option<Finish<'a>>,
    /// Leave the log files that the manifest covers in the source; `None`: everything is fetched.
    pub lazy: Option<Lazy<'a>>,
}

/// A life and a timeline that the archive knows already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The life that it becomes.
    pub incarnation: Incarnation,
    /// The timeline that it goes on with.
    pub timeline: Timeline,
}

/// Work on a restored collection that nobody sees yet; when it fails, nobody ever does.
#[derive(Clone, Copy)]
pub struct Finish<'a>(pub &'a dyn Fn(&Collection) -> Result<()>);

impl std::fmt::Debug for Finish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Finish")
    }
}

impl RestoreRequest<'_> {
    /// Gives the name that the collection gets here.
    #[must_use]
    pub fn target_name(&self) -> &str {
        self.new_name.unwrap_or(self.name)
    }
}
