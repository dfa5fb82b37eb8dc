//! Ranges of the log from archives: any extents will do, also when others take their place meanwhile.

use engine::error::ErrorKind;
use engine::log::residency::RangeSource;
use pitr::archive::Listing;
use pitr::lazy::ArchiveRanges;

use crate::place::archived;
use crate::source::Source;

fn log_of(source: &Source) -> (engine::Timeline, Listing) {
    let listing = Listing::read(&*source.store).expect("an archive is listed");
    let timeline = *listing.bases.keys().next().expect("something is archived");
    (timeline, listing)
}

#[test]
fn every_range_is_a_part_of_the_whole() {
    let (source, _, _) = archived(21);
    let (timeline, listing) = log_of(&source);
    let end = listing.reached(timeline, 0);
    assert!(listing.extents_of(timeline).len() > 4, "the log lies in several extents");
    let ranges = ArchiveRanges::of(vec![source.store.clone()]);
    let all = ranges.fetch(timeline, 0, end).unwrap();
    assert_eq!(all.len() as u64, end);
    for from in (0..end).step_by(64 * 13) {
        for to in [from + 64, from + 64 * 40, from + 64 * 300] {
            let to = to.min(end);
            assert_eq!(ranges.fetch(timeline, from, to).unwrap(), all.slice(from as usize..to as usize), "{from} to {to}");
        }
    }
    assert_eq!(ranges.fetch(timeline, end - 64, end + 64).unwrap_err().kind, ErrorKind::Incomplete);
    assert_eq!(ranges.fetch(engine::Timeline([7; 16]), 0, 64).unwrap_err().kind, ErrorKind::Incomplete);
    for (from, to) in [(64, 64), (128, 64), (0, u64::MAX)] {
        assert_eq!(ranges.fetch(timeline, from, to).unwrap_err().kind, ErrorKind::Internal, "{from} to {to}");
    }
}

#[test]
fn extents_that_were_put_together_and_removed_are_found_where_they_are_now() {
    let (mut source, collection, _) = archived(22);
    for round in 0..6_u64 {
        source.write(&collection, 5_000 + round * 30..5_040 + round * 30);
        source.pass(&[&collection]);
    }
    crate::machine::seal(&collection);
    source.pass(&[&collection]);
    let (timeline, before) = log_of(&source);
    let ranges = ArchiveRanges::of(vec![source.store.clone()]);
    let end = before.reached(timeline, 0);
    let all = ranges.fetch(timeline, 0, end).unwrap();
    assert!(source.archiver.compact(&collection).unwrap().whole > 0);
    let (_, after) = log_of(&source);
    for extent in before
        .extents_of(timeline)
        .iter()
        .filter(|extent| after.whole[&timeline].values().any(|w| w.start <= extent.start && extent.end <= w.end))
    {
        source.store.delete(&extent.key(timeline).to_string()).unwrap();
    }
    assert!(log_of(&source).1.extents_of(timeline).len() < after.extents_of(timeline).len());
    assert_eq!(ranges.fetch(timeline, 0, end).unwrap(), all);
}
