//! Covers a range of a timeline's log with extents of one or several archives: any tiling will do (rule S18). Pure.

use engine::ids::{Lsn, Timeline};

use super::extent::ExtentRef;
use super::listing::Listing;

/// A stretch of one timeline's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// The timeline.
    pub timeline: Timeline,
    /// Its first position.
    pub start: Lsn,
    /// The position behind it.
    pub end: Lsn,
}

/// An archive that extents may be taken from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What it holds.
    pub listing: &'a Listing,
    /// The stretches that may be used of it; `None`: everything.
    pub only: Option<&'a [Stretch]>,
}

impl Source<'_> {
    fn find(&self, timeline: Timeline, position: Lsn) -> Option<(ExtentRef, Lsn)> {
        let extent = self.listing.extent_at(timeline, position)?;
        let Some(only) = self.only else { return Some((extent, extent.end)) };
        let allowed = only.iter().find(|s| s.timeline == timeline && s.start <= position && position < s.end)?;
        Some((extent, extent.end.min(allowed.end)))
    }
}

/// A part of a range, in one extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The number of the source.
    pub source: usize,
    /// The extent.
    pub extent: ExtentRef,
    /// First position taken from it.
    pub from: Lsn,
    /// Position behind the last one taken from it.
    pub to: Lsn,
}

/// How far a range is covered, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiling {
    /// The parts, in order, without gaps.
    pub pieces: Vec<Piece>,
    /// The position behind the last part; the range's end when all of it is covered.
    pub reached: Lsn,
}

/// Covers a stretch from its start as far as the sources reach; earlier sources are preferred.
#[must_use]
pub fn tile(sources: &[Source<'_>], stretch: Stretch) -> Tiling {
    let mut tiling = Tiling { pieces: Vec::new(), reached: stretch.start };
    while tiling.reached < stretch.end {
        let at = tiling.reached;
        let found = sources
            .iter()
            .enumerate()
            .find_map(|(source, held)| held.find(stretch.timeline, at).map(|(extent, end)| (source, extent, end)));
        let Some((source, extent, end)) = found else { break };
        let to = end.min(stretch.end);
        assert!(to > at, "a piece moves on");
        tiling.pieces.push(Piece { source, extent, from: at, to });
        tiling.reached = to;
    }
    tiling
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::layout::Key;

    const T: Timeline = Timeline([1; 16]);

    fn listing(extents: &[(Lsn, Lsn)]) -> Listing {
        Listing::of(extents.iter().map(|&(start, end)| (Key::Extent(T, start).to_string(), end - start + 96)))
    }

    fn all(listing: &Listing) -> Source<'_> {
        Source { listing, only: None }
    }

    fn stretch(start: Lsn, end: Lsn) -> Stretch {
        Stretch { timeline: T, start, end }
    }

    #[test]
    fn any_tiling_satisfies_a_range() {
        for extents in [&[(0, 640)][..], &[(0, 64), (64, 640)], &[(0, 320), (256, 640)], &[(0, 640), (128, 192)]] {
            let held = listing(extents);
            for start in (0..640).step_by(64) {
                let tiling = tile(&[all(&held)], stretch(start, 640));
                assert_eq!(tiling.reached, 640, "{extents:?} from {start}");
                assert!(tiling.pieces.windows(2).all(|pair| pair[0].to == pair[1].from));
            }
        }
    }

    #[test]
    fn a_hole_ends_the_tiling() {
        let held = listing(&[(0, 128), (192, 640)]);
        assert_eq!(tile(&[all(&held)], stretch(0, 640)).reached, 128);
        assert_eq!(tile(&[all(&held)], stretch(128, 192)).reached, 128);
        assert_eq!(tile(&[all(&held)], Stretch { timeline: Timeline([2; 16]), start: 0, end: 64 }).pieces, []);
    }

    #[test]
    fn a_second_archive_continues_the_first_only_where_it_is_vouched_for() {
        let (own, parent) = (listing(&[(0, 128)]), listing(&[(0, 640)]));
        let only = [stretch(0, 320)];
        let tiling = tile(&[all(&own), Source { listing: &parent, only: Some(&only) }], stretch(0, 640));
        assert_eq!(tiling.reached, 320);
        assert_eq!(tiling.pieces[1], Piece { source: 1, extent: ExtentRef { start: 0, end: 640, whole: false }, from: 128, to: 320 });
    }
}
