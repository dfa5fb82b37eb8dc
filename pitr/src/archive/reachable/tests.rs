//! What is needed, on listings made by hand.

use super::*;
use crate::archive::ids::ObjectName;

const T: Timeline = Timeline([1; 16]);
const U: Timeline = Timeline([2; 16]);
const ARCHIVE: ArchiveId = ArchiveId([9; 16]);

fn stretch(timeline: Timeline, start: Lsn, end: Lsn) -> Stretch {
    Stretch { timeline, start, end }
}

fn log(stretches: &[Stretch]) -> Needed {
    reachable(ARCHIVE, &Roots { log: stretches.to_vec(), ..Roots::default() })
}

fn extent(timeline: Timeline, start: Lsn, end: Lsn) -> (String, u64) {
    (Key::Extent(timeline, start).to_string(), end - start + 96)
}

#[test]
fn stretches_that_touch_are_one_whatever_their_order() {
    let mut parts = vec![stretch(T, 0, 64), stretch(T, 64, 128), stretch(T, 256, 320), stretch(T, 128, 192), stretch(T, 300, 512)];
    for _ in 0..parts.len() {
        parts.rotate_left(1);
        let all: Vec<_> = log(&parts).stretches().collect();
        assert_eq!(all, [stretch(T, 0, 192), stretch(T, 256, 512)], "{parts:?}");
    }
    assert_eq!(log(&[stretch(T, 64, 64), stretch(T, 128, 64)]).stretches().count(), 0);
}

#[test]
fn an_extent_is_needed_when_any_byte_of_it_is() {
    let needed = log(&[stretch(T, 128, 256)]);
    let is_needed = |timeline, start, end| {
        let (key, size) = extent(timeline, start, end);
        needed.needs(&key, size)
    };
    assert!(is_needed(T, 0, 192) && is_needed(T, 192, 640) && is_needed(T, 0, 640) && is_needed(T, 128, 192));
    assert!(!is_needed(T, 0, 128) && !is_needed(T, 256, 320) && !is_needed(U, 128, 256));
    assert!(needed.needs(&Key::Extent(T, 999).to_string(), SEAL_LEN), "a seal stays for ever");
}

#[test]
fn what_has_rules_of_its_own_is_not_judged_here() {
    let needed = Needed::default();
    for key in [Key::Archive, Key::Timeline(T), Key::WrappedKey(1), Key::Low(T, 64), Key::Pin("a".to_owned()), Key::GarbagePlan(1)] {
        assert!(needed.needs(&key.to_string(), 100), "{key}");
    }
    for key in [Key::Object(ObjectName([1; 16])), Key::Snapshot("a".to_owned())] {
        assert!(!needed.needs(&key.to_string(), 100), "{key}");
    }
}

#[test]
fn whole_files_supersede_the_extents_that_they_cover_together() {
    let whole = |start: Lsn, end: Lsn| (Key::Whole(T, start).to_string(), end - start + 96);
    let extents = [extent(T, 0, 64), extent(T, 64, 192), extent(T, 192, 320), extent(T, 320, 384), extent(U, 0, 64)];
    let listing = Listing::of(extents.into_iter().chain([whole(0, 128), whole(128, 256)]));
    let found: Vec<_> = superseded(&listing).into_iter().map(|(_, extent, by)| (extent.start, by.len())).collect();
    assert_eq!(found, [(0, 1), (64, 2)]);
}
