//! Windows: what lies in them, what is nearest, and where a log has a hole.

use engine::manifest::{ManifestName, Span};

use super::*;
use crate::archive::Key;
use engine::ids::Timeline;

const T: Timeline = Timeline([1; 16]);

fn two() -> Windows {
    Windows { continuous: Some(Window { from: 100, to: 200 }), backups: vec![Window { from: 300, to: 310 }], gaps: 0 }
}

#[test]
fn both_ends_and_the_two_nearest_times_are_named() {
    let windows = two();
    assert!(windows.contains(100) && windows.contains(200) && windows.contains(305) && !windows.contains(201));
    assert_eq!(windows.around(305), Some(Window { from: 300, to: 310 }));
    for (at, nearest) in [(250, vec![200, 300]), (99, vec![100]), (311, vec![310])] {
        let error = outside("c", at, &windows);
        let nearest = nearest.into_iter().map(format).collect::<Vec<_>>().join(" and ");
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.hint, Some(format!("the nearest that can be restored: {nearest}")));
        assert_eq!(error.expected, Some(format!("a time from {} to {}", format(100), format(310))));
    }
    assert!(outside("c", 5, &Windows::default()).hint.unwrap().contains("nothing"));
}

#[test]
fn what_lies_behind_the_end_makes_it_a_hole() {
    let history = History { spans: vec![Span { timeline: T, from: 0, to: None }] };
    let extent = |start: u64, end: u64| (Key::Extent(T, start).to_string(), end - start + 96);
    let whole = Listing::of([extent(0, 320)].into_iter());
    assert!(!has_more(&whole, &history, 320) && has_more(&whole, &history, 256));
    let hole = Listing::of([extent(0, 320), extent(384, 448)].into_iter());
    assert!(has_more(&hole, &history, 320));
    let name = ManifestName { covered_lsn: 640, seq: 1, commit_time: 9 };
    let lost_log = Listing::of([extent(0, 320), (Key::Base(T, name).to_string(), 100)].into_iter());
    assert!(has_more(&lost_log, &history, 320), "a manifest tells of a log that is not there");
    let left = History { spans: vec![Span { timeline: T, from: 0, to: Some(320) }] };
    assert!(!has_more(&hole, &left, 320), "what lies behind the fork is of another history");
}
