//! What a restore is asked to do.

use engine::ids::{CommitTime, Lsn, Timeline};

use crate::backup::held::Candidates;

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
}

impl RestoreRequest<'_> {
    /// Gives the name that the collection gets here.
    #[must_use]
    pub fn target_name(&self) -> &str {
        self.new_name.unwrap_or(self.name)
    }
}
