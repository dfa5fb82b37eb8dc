//! How many lists there are, and how much of them a search looks at.

use super::layout::LISTS_MAX;

/// Parameters of a build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// Lists; 0 takes [`list_count`].
    pub lists: u32,
    /// Decides the rotation and the sample that lists are learnt from.
    pub seed: u64,
}

/// The usual number of lists for so many rows: twice the root, so that a search looks at about as many centres as rows of its nearest lists.
#[must_use]
pub fn list_count(rows: usize) -> u32 {
    let wanted = (rows * 4).isqrt();
    wanted.clamp(1, LISTS_MAX as usize) as u32
}

/// What a search may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Lists looked at, nearest first; more where a filter passes too few of their rows.
    pub probes: u32,
    /// Rows kept for the exact comparison.
    pub keep: usize,
}

impl Effort {
    /// The effort of a search with `ef` candidates over `lists` lists: more with a larger `ef`, and everything in the end.
    #[must_use]
    pub fn of(ef: usize, lists: u32) -> Self {
        let keep = ef.saturating_mul(2);
        // In lists of about the root of the rows, the share that holds the nearest falls with their number.
        let root = (lists as usize).isqrt().max(1);
        let probes = ef.saturating_mul(root) / 16;
        Effort { probes: probes.clamp(1, lists.max(1) as usize) as u32, keep }
    }
}
