//! How timelines hang together: the chain of parents of each, as spans from position 0. Pure.

use std::collections::{BTreeMap, BTreeSet};

use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Incarnation, Lsn, Timeline};
use engine::manifest::Span;

use crate::archive::Key;
use crate::timeline::{Parent, TimelineFile};

/// The stretches of timelines that are one log, the last one open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The spans, in order, without a hole from 0.
    pub spans: Vec<Span>,
}

impl History {
    /// Gives the newest timeline of the history.
    ///
    /// # Panics
    /// Never: a history has a span.
    #[must_use]
    pub fn tip(&self) -> Timeline {
        self.spans.last().expect("a history has a span").timeline
    }

    /// Gives the first timeline of the history.
    #[must_use]
    pub fn root(&self) -> Timeline {
        self.spans.first().map_or(Timeline([0; 16]), |span| span.timeline)
    }

    /// Gives the ancestry of a state of this history: closed at a position.
    #[must_use]
    pub fn closed_at(&self, lsn: Lsn) -> Vec<Span> {
        let mut spans = self.spans.clone();
        spans.retain(|span| span.from < lsn || span.from == 0);
        if let Some(last) = spans.last_mut() {
            assert!(last.to.is_none_or(|to| lsn <= to), "the position lies in the last span that begins before it");
            last.to = Some(lsn);
        }
        spans
    }

    /// Finds the span that the record before a position lies in.
    #[must_use]
    pub fn span_before(&self, lsn: Lsn) -> Option<&Span> {
        self.spans.iter().rev().find(|span| span.from < lsn)
    }
}

/// The descriptions of timelines that an archive holds.
#[derive(Debug, Clone, Default)]
pub struct TimelineMap {
    /// Those that read.
    pub good: BTreeMap<Timeline, TimelineFile>,
    /// Those that do not, with the reason.
    pub bad: BTreeMap<Timeline, Error>,
}

impl TimelineMap {
    /// Gives the history that ends with a timeline.
    ///
    /// # Errors
    /// `Incomplete` when the description of an ancestor is missing, `Corrupt` when they do not make sense, that of a description that does not read.
    pub fn history(&self, tip: Timeline) -> Result<History> {
        let mut spans = Vec::new();
        let mut seen = BTreeSet::new();
        let (mut timeline, mut to) = (tip, None);
        loop {
            let key = Key::Timeline(timeline).to_string();
            if !seen.insert(timeline) {
                return Err(Error::corrupt("a timeline is its own ancestor").with_object(key));
            }
            let Some(file) = self.good.get(&timeline) else {
                let missing = || Error::new(ErrorKind::Incomplete, "the description of a timeline is missing").with_object(key);
                return Err(self.bad.get(&timeline).cloned().unwrap_or_else(missing));
            };
            let from = file.parent.map_or(0, |parent| parent.lsn);
            if to.is_some_and(|to| to < from) {
                return Err(Error::corrupt("a timeline leaves its parent before that one began").with_object(key));
            }
            spans.push(Span { timeline, from, to });
            match file.parent {
                Some(Parent { timeline: parent, lsn }) => (timeline, to) = (parent, Some(lsn)),
                None => break,
            }
        }
        spans.reverse();
        Ok(History { spans })
    }

    /// Lists the timelines of a life that no other timeline of the same life continues.
    #[must_use]
    pub fn tips_of(&self, incarnation: Incarnation) -> Vec<Timeline> {
        let own: Vec<&TimelineFile> = self.good.values().filter(|file| file.incarnation == Some(incarnation)).collect();
        let continued: BTreeSet<Timeline> = own.iter().filter_map(|file| file.parent.map(|parent| parent.timeline)).collect();
        own.iter().map(|file| file.timeline).filter(|timeline| !continued.contains(timeline)).collect()
    }

    /// Lists the databases whose catalogs are described.
    pub fn catalogs(&self) -> impl Iterator<Item = Timeline> + '_ {
        self.good.values().filter(|file| file.reason == "catalog").map(|file| file.timeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> Timeline {
        Timeline([byte; 16])
    }

    fn file(timeline: u8, life: u8, parent: Option<(u8, Lsn)>) -> (Timeline, TimelineFile) {
        let parent = parent.map(|(timeline, lsn)| Parent { timeline: id(timeline), lsn });
        let incarnation = Some(Incarnation([life; 16]));
        let file = TimelineFile { format: 1, timeline: id(timeline), database: None, incarnation, parent, reason: "created".to_owned() };
        (id(timeline), file)
    }

    fn map(files: &[(Timeline, TimelineFile)]) -> TimelineMap {
        TimelineMap { good: files.iter().cloned().collect(), bad: BTreeMap::new() }
    }

    #[test]
    fn a_history_is_the_chain_of_parents_from_zero() {
        let map = map(&[file(1, 1, None), file(2, 2, Some((1, 320))), file(3, 2, Some((2, 320)))]);
        let history = map.history(id(3)).unwrap();
        let spans: Vec<_> = history.spans.iter().map(|s| (s.timeline.0[0], s.from, s.to)).collect();
        assert_eq!(spans, [(1, 0, Some(320)), (2, 320, Some(320)), (3, 320, None)]);
        assert_eq!(map.tips_of(Incarnation([2; 16])), [id(3)]);
        assert_eq!(history.closed_at(320).len(), 1, "a position at a fork was written by the parent");
        assert_eq!(history.closed_at(384).last().unwrap().to, Some(384));
        assert_eq!(history.span_before(320).unwrap().timeline, id(1));
        assert_eq!(history.span_before(384).unwrap().timeline, id(3));
    }

    #[test]
    fn circles_holes_and_children_before_their_parents_are_refused() {
        let circle = map(&[file(1, 1, Some((2, 64))), file(2, 1, Some((1, 64)))]);
        assert_eq!(circle.history(id(1)).unwrap_err().kind, ErrorKind::Corrupt);
        let orphan = map(&[file(1, 1, Some((2, 64)))]);
        assert_eq!(orphan.history(id(1)).unwrap_err().kind, ErrorKind::Incomplete);
        let backwards = map(&[file(1, 1, None), file(2, 1, Some((1, 128))), file(3, 1, Some((2, 64)))]);
        assert_eq!(backwards.history(id(3)).unwrap_err().kind, ErrorKind::Corrupt);
    }
}
