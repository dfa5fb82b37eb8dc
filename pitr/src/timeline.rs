//! Histories: ancestries of timelines compared, and the description of a timeline in an archive.

use engine::ids::{Incarnation, Lsn, Timeline};
use engine::manifest::Span;
use serde::{Deserialize, Serialize};

/// Where a timeline left its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The timeline that it left.
    pub timeline: Timeline,
    /// The position.
    pub lsn: Lsn,
}

/// What an archive says about a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineFile {
    /// Version of the format.
    pub format: u32,
    /// The timeline.
    pub timeline: Timeline,
    /// The database that wrote it, where known.
    pub database: Option<Timeline>,
    /// The life that wrote it; `None` for an ancestor whose own backups are elsewhere.
    pub incarnation: Option<Incarnation>,
    /// Where it left its parent; `None` for the first of a history.
    pub parent: Option<Parent>,
    /// Why it began: `created` or `restored`.
    pub reason: String,
}

/// Says how far two histories are the same: the position up to which they share every timeline.
#[must_use]
pub fn common_lsn(a: &[Span], b: &[Span]) -> Lsn {
    let mut common = 0;
    for (a, b) in a.iter().zip(b) {
        if a.timeline != b.timeline || a.from != b.from {
            break;
        }
        let (a_end, b_end) = (a.to.unwrap_or(Lsn::MAX), b.to.unwrap_or(Lsn::MAX));
        common = a_end.min(b_end);
        if a_end != b_end {
            break;
        }
    }
    common
}

/// Says whether an ancestry is one: from 0, chained, closed at `lsn`.
#[must_use]
pub fn is_history(spans: &[Span], lsn: Lsn) -> bool {
    let chained = spans.windows(2).all(|pair| pair[0].to == Some(pair[1].from));
    let forward = spans.iter().all(|span| span.to.is_some_and(|to| to >= span.from));
    chained && forward && spans.first().is_some_and(|span| span.from == 0) && spans.last().is_some_and(|span| span.to == Some(lsn))
}

/// Finds the span that a stretch of a history lies in.
#[must_use]
pub fn span_of(spans: &[Span], start: Lsn, end: Lsn) -> Option<&Span> {
    spans.iter().find(|span| span.from <= start && start < end && span.to.is_none_or(|to| end <= to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(timeline: u8, from: Lsn, to: Lsn) -> Span {
        Span { timeline: Timeline([timeline; 16]), from, to: Some(to) }
    }

    #[test]
    fn histories_are_the_same_up_to_the_fork() {
        let original = [span(1, 0, 640)];
        let restored = [span(1, 0, 320), span(2, 320, 900)];
        let again = [span(1, 0, 320), span(2, 320, 500), span(3, 500, 600)];
        let sister = [span(1, 0, 320), span(4, 320, 700)];
        assert_eq!(common_lsn(&original, &restored), 320);
        assert_eq!(common_lsn(&restored, &again), 500);
        assert_eq!(common_lsn(&restored, &sister), 320);
        assert_eq!(common_lsn(&restored, &restored), 900);
        assert_eq!(common_lsn(&original, &[span(9, 0, 640)]), 0);
        assert_eq!(common_lsn(&original, &[]), 0);
    }

    #[test]
    fn a_history_has_no_hole_and_ends_at_its_position() {
        assert!(is_history(&[span(1, 0, 320), span(2, 320, 900)], 900));
        for (spans, lsn) in
            [(vec![], 0), (vec![span(1, 64, 128)], 128), (vec![span(1, 0, 64), span(2, 128, 192)], 192), (vec![span(1, 0, 64)], 128)]
        {
            assert!(!is_history(&spans, lsn), "{spans:?}");
        }
    }
}
