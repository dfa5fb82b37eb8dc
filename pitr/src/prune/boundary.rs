//! How far the boundary of a timeline may be raised, so that the fence still finds the end of its log. Pure.
//!
//! Whoever looks for the end of a log walks from the boundary from extent to extent: a boundary is a border of that chain and nothing else. An
//! owner whose archived end lies below the boundary would fill keys that were emptied, so that nothing is emptied of which it is not sure that
//! the owner knows it to be archived: below its own newest base, whose log was archived before it; or everything, once the life is over for good.

use engine::ids::{Lsn, Timeline};

use crate::archive::Listing;
use crate::archive::retention::{State, is_continuous, is_over};

/// What may be deleted of the extents under `log/` of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Any: nobody ever archived this timeline continuously, so there is no owner, and no boundary.
    Free,
    /// Those that end at or below this position, once it is the boundary.
    Below(Lsn),
}

/// Says how far a timeline's log may be emptied.
pub fn reach(state: &State<'_>, timeline: Timeline) -> Reach {
    let is_catalog = state.timelines.good.get(&timeline).is_some_and(|file| file.database == Some(timeline));
    if is_catalog {
        return Reach::Below(0);
    }
    if !is_continuous(state, timeline) {
        return Reach::Free;
    }
    let own = state.bases.iter().filter(|base| base.timeline == timeline).map(|base| base.name.covered_lsn).max();
    let known = if is_over(state, timeline) { Lsn::MAX } else { own.unwrap_or(0) };
    let origin = state.timelines.good.get(&timeline).and_then(|file| file.parent).map_or(0, |parent| parent.lsn);
    Reach::Below(border(state.listing, timeline, origin, known))
}

/// Finds the last border of a timeline's chain of extents at or below a position.
fn border(listing: &Listing, timeline: Timeline, origin: Lsn, known: Lsn) -> Lsn {
    let low = listing.low.get(&timeline).copied().unwrap_or(0);
    let mut at = low.max(origin);
    while let Some(next) = listing.extents.get(&timeline).and_then(|extents| extents.get(&at)).filter(|next| next.end <= known) {
        at = next.end;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Key;

    const T: Timeline = Timeline([1; 16]);

    fn listing(extents: &[(Lsn, Lsn)], low: Option<Lsn>) -> Listing {
        let extents = extents.iter().map(|&(start, end)| (Key::Extent(T, start).to_string(), end - start + 96));
        Listing::of(extents.chain(low.map(|low| (Key::Low(T, low).to_string(), 100))))
    }

    #[test]
    fn a_boundary_is_a_border_of_the_chain_and_no_other_position() {
        let chain = [(0, 128), (64, 192), (128, 256), (256, 320)];
        let at = |known| border(&listing(&chain, None), T, 0, known);
        assert_eq!([at(0), at(127), at(128), at(192), at(255), at(256), at(Lsn::MAX)], [0, 0, 128, 128, 128, 256, 320]);
    }

    #[test]
    fn the_walk_begins_at_the_boundary_that_is_there() {
        let held = listing(&[(256, 320)], Some(256));
        assert_eq!(border(&held, T, 0, Lsn::MAX), 320);
        assert_eq!(border(&held, T, 0, 300), 256);
        assert_eq!(border(&listing(&[(64, 128)], None), T, 64, Lsn::MAX), 128);
    }
}
