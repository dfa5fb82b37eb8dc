//! Decides what the indexer does next: a pure function of the segments' sizes and kinds.

/// Segments below this many live rows get no graph: scanning them is as fast.
pub const GRAPH_ROWS_MIN: u64 = 1_000;
/// Merging stops at this many rows.
pub const SEGMENT_ROWS_MAX: u64 = 4_000_000;
/// So many adjacent graph segments of one size tier are merged into one.
const TIER_WIDTH: usize = 4;
/// A segment with more dead rows than this share (in percent) is written anew.
const DEAD_PERCENT_MAX: u64 = 50;

/// What the policy needs to know of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSize {
    /// Rows, dead ones included.
    pub rows: u64,
    /// Live rows.
    pub live: u64,
    /// Whether it has the graphs that its schema asks for.
    pub has_graph: bool,
    /// Whether it lacks a graph that it is large enough for, or has one that the schema does not ask for (any more).
    pub index_stale: bool,
    /// Whether its field indexes are those of the schema.
    pub fields_current: bool,
}

/// What to do with segments, by their places in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Make the graphs of one what the schema asks for.
    Graph(usize),
    /// Make one of several adjacent ones, graphs included.
    Merge(std::ops::Range<usize>),
    /// Build the field indexes of one anew.
    Fields(usize),
}

/// Gives the size tier of a segment: tiers are four times as large as the one below.
fn tier(live: u64) -> u32 {
    (live.max(GRAPH_ROWS_MIN) / GRAPH_ROWS_MIN).ilog2() / 2
}

/// Chooses the next piece of work; `None` when everything is as it should be.
///
/// Flat segments next to each other become one graph segment, so that no graph is built twice; graph segments merge by size tier; a segment that
/// is mostly dead is written anew. `graphs` says whether the collection wants graphs at all.
#[must_use]
pub fn choose(segments: &[SegmentSize], graphs: bool) -> Option<Work> {
    if let Some(at) = segments.iter().position(|s| s.live == 0) {
        return Some(Work::Merge(at..at + 1));
    }
    let flat = |s: &SegmentSize| !(graphs && s.has_graph);
    if let Some(range) = run(segments, flat).filter(|range| range.len() > 1) {
        return Some(Work::Merge(range));
    }
    if let Some(at) = segments.iter().position(|s| s.index_stale) {
        return Some(Work::Graph(at));
    }
    if let Some(at) = segments.iter().position(|s| (s.rows - s.live) * 100 > s.rows * DEAD_PERCENT_MAX) {
        return Some(Work::Merge(at..at + 1));
    }
    for low in 0..=tier(SEGMENT_ROWS_MAX) {
        let in_tier = |s: &SegmentSize| s.has_graph && tier(s.live) <= low;
        if let Some(range) = run(segments, in_tier).filter(|range| range.len() >= TIER_WIDTH && is_balanced(&segments[range.clone()])) {
            return Some(Work::Merge(range));
        }
    }
    segments.iter().position(|s| !s.fields_current).map(Work::Fields)
}

/// Says whether merging is worth it: the largest segment is not rewritten for a few small ones.
fn is_balanced(segments: &[SegmentSize]) -> bool {
    let total: u64 = segments.iter().map(|s| s.live).sum();
    segments.iter().all(|s| s.live * 2 <= total)
}

/// Finds the first longest stretch of adjacent segments that qualify and stay below the largest size together.
fn run(segments: &[SegmentSize], qualifies: impl Fn(&SegmentSize) -> bool) -> Option<std::ops::Range<usize>> {
    let mut best: Option<std::ops::Range<usize>> = None;
    let mut start = 0;
    while start < segments.len() {
        let (mut end, mut live) = (start, 0);
        while end < segments.len() && qualifies(&segments[end]) && (live == 0 || live + segments[end].live <= SEGMENT_ROWS_MAX) {
            live += segments[end].live;
            end += 1;
        }
        if end > start && best.as_ref().is_none_or(|best| end - start > best.len()) {
            best = Some(start..end);
        }
        start = end.max(start + 1);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(live: u64, has_graph: bool) -> SegmentSize {
        SegmentSize { rows: live, live, has_graph, index_stale: !has_graph && live >= GRAPH_ROWS_MIN, fields_current: true }
    }

    #[test]
    fn adjacent_flat_segments_become_one_before_any_graph_is_built() {
        let segments = [size(500_000, true), size(100_000, false), size(100_000, false), size(10, false)];
        assert_eq!(choose(&segments, true), Some(Work::Merge(1..4)));
        assert_eq!(choose(&[size(100_000, false)], true), Some(Work::Graph(0)));
        assert_eq!(choose(&[size(999, false)], true), None);
    }

    #[test]
    fn four_graphs_of_a_tier_merge_and_a_large_one_is_left_alone() {
        let segments = [size(1_000_000, true), size(2_000, true), size(2_000, true), size(2_000, true), size(2_500, true)];
        assert_eq!(choose(&segments, true), Some(Work::Merge(1..5)));
        assert_eq!(choose(&segments[..4], true), None);
    }

    #[test]
    fn dead_rows_and_stale_fields_are_worked_off() {
        let mostly_dead = SegmentSize { rows: 10_000, ..size(4_000, true) };
        assert_eq!(choose(&[mostly_dead], true), Some(Work::Merge(0..1)));
        let stale = SegmentSize { fields_current: false, ..size(5_000, true) };
        assert_eq!(choose(&[size(9_000, true), stale], true), Some(Work::Fields(1)));
    }

    #[test]
    fn graphs_that_a_schema_no_longer_asks_for_are_dropped_one_by_one_when_nothing_merges() {
        let stale = SegmentSize { index_stale: true, ..size(5_000, false) };
        assert_eq!(choose(&[stale], false), Some(Work::Graph(0)));
        assert_eq!(choose(&[stale, stale], false), Some(Work::Merge(0..2)));
        assert_eq!(choose(&[SegmentSize { index_stale: false, ..stale }], false), None);
    }

    #[test]
    fn the_policy_comes_to_rest() {
        let mut segments: Vec<SegmentSize> = (0..200).map(|n| size(900 + n * 37, n % 3 == 0)).collect();
        let mut steps = 0;
        while let Some(work) = choose(&segments, true) {
            steps += 1;
            assert!(steps < 1_000, "the policy goes round in circles");
            match work {
                Work::Graph(at) => (segments[at].has_graph, segments[at].index_stale) = (true, false),
                Work::Fields(at) => segments[at].fields_current = true,
                Work::Merge(range) => {
                    let live = segments[range.clone()].iter().map(|s| s.live).sum();
                    segments.splice(range, [size(live, live >= GRAPH_ROWS_MIN)]);
                }
            }
        }
        assert!(segments.len() < 16, "{} segments are left", segments.len());
    }
}
