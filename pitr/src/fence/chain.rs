//! The chain of a timeline's log: extents that begin where the one before ends. Pure.

use engine::ids::Lsn;

/// What stands at one key of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Log bytes up to a position.
    Data {
        /// The position behind them.
        end: Lsn,
    },
    /// A seal.
    Seal,
}

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainEnd {
    /// The position behind its last byte: the one key at which an extent or a seal continues it.
    pub at: Lsn,
    /// Whether a seal stands there.
    pub sealed: bool,
}

/// Follows a chain key by key from a position on it: the timeline's boundary, or where it begins when that is higher.
///
/// `slot` must have been read *before* the boundary was: a key that was seen empty, or filled a second time, then lies below the boundary.
#[must_use]
pub fn walk(from: Lsn, slot: impl Fn(Lsn) -> Option<Slot>) -> ChainEnd {
    let mut at = from;
    loop {
        match slot(at) {
            // An extent without bytes cannot be stored; one would end the chain rather than this loop never.
            Some(Slot::Data { end }) if end > at => at = end,
            Some(Slot::Seal) => return ChainEnd { at, sealed: true },
            _ => return ChainEnd { at, sealed: false },
        }
    }
}

/// Says whether a collector may delete what stands under a key of a log, once nobody needs its bytes.
#[must_use]
pub fn may_delete(slot: Slot, boundary: Lsn) -> bool {
    match slot {
        Slot::Data { end } => end <= boundary,
        Slot::Seal => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(from: Lsn, slots: &[(Lsn, Slot)]) -> ChainEnd {
        walk(from, |at| slots.iter().find(|(start, _)| *start == at).map(|(_, slot)| *slot))
    }

    #[test]
    fn an_extent_that_overlaps_the_chain_does_not_lengthen_it() {
        // A backup without the lock cut the log elsewhere: the owner's next key is 128, and so is the candidate's.
        let slots = [(0, Slot::Data { end: 64 }), (64, Slot::Data { end: 128 }), (96, Slot::Data { end: 192 })];
        assert_eq!(end_of(0, &slots), ChainEnd { at: 128, sealed: false });
    }

    #[test]
    fn a_seal_below_the_boundary_does_not_count() {
        let slots = [(64, Slot::Seal), (128, Slot::Data { end: 192 }), (192, Slot::Seal)];
        assert_eq!(end_of(64, &slots), ChainEnd { at: 64, sealed: true });
        assert_eq!(end_of(128, &slots), ChainEnd { at: 192, sealed: true });
    }

    #[test]
    fn only_whole_extents_below_the_boundary_may_go_and_seals_never() {
        assert!(may_delete(Slot::Data { end: 64 }, 64));
        assert!(!may_delete(Slot::Data { end: 65 }, 64));
        assert!(!may_delete(Slot::Seal, Lsn::MAX));
    }
}
