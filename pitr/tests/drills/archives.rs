//! Drills of archives: of any moment.

use engine::ErrorKind;
use pitr::drill::{DrillTarget, Drilled, Outcome, Verdict};

use crate::machine::{index_all, seal};
use crate::place::{checks, drill, history_of, passes, request};
use crate::source::Source;

#[test]
fn what_was_archived_at_rest_is_compared_with_its_recorded_answers() {
    let mut source = Source::new(21);
    let collection = source.create("c");
    source.write(&collection, 0..1_500);
    source.pass(&[&collection]);
    seal(&collection);
    index_all(&collection);
    source.pass(&[&collection]);
    let report = passes(&source.machine, &source.store, &request("c", &source.store, DrillTarget::Latest, Some(&collection)));
    let passed = checks(&report, Verdict::Passed);
    assert!(passed.contains(&"answers archive".to_owned()) && passed.contains(&"content live".to_owned()), "{report:#?}");
    assert_eq!(report.rpo.as_ref().unwrap().seconds, Some(0.0));
    assert_eq!(report.restored.unwrap().proven_until, report.started, "nothing is missing");
}

#[test]
fn any_moment_of_an_archive_can_be_drilled() {
    let mut source = Source::new(22);
    let collection = source.create("c");
    let mut times = Vec::new();
    for round in 0..6 {
        times.push(source.write(&collection, round * 100..round * 100 + 150).0);
        source.pass(&[&collection]);
    }
    let at = |target| passes(&source.machine, &source.store, &request("c", &source.store, target, None));
    let past = at(DrillTarget::Time(times[2]));
    assert_eq!((past.restored.as_ref().unwrap().commit_time, past.to_time), (times[2], Some(times[2])));
    assert_eq!(past.restored.as_ref().unwrap().points, 350);
    assert!(checks(&past, Verdict::Passed).contains(&"content as_of".to_owned()));
    for _ in 0..5 {
        let random = at(DrillTarget::Random);
        let restored = random.restored.as_ref().expect("it was restored");
        let drawn = random.to_time.expect("a time was drawn");
        let expected = times.iter().rposition(|time| *time <= drawn);
        assert_eq!(expected.map(|number| times[number]).unwrap_or(restored.commit_time), restored.commit_time, "seed {}", random.seed);
        assert_eq!(restored.points, expected.map_or(restored.points, |number| number as u64 * 100 + 150), "seed {}", random.seed);
    }
    assert_eq!(history_of(&source.machine).entries.len(), 6);
    let outside = drill(&source.machine, &source.store, &request("c", &source.store, DrillTarget::Time(times[0] - 86_400_000_000), None));
    let Drilled { report, error } = outside.unwrap();
    assert_eq!((error.unwrap().kind, report.outcome), (ErrorKind::NotFound, Outcome::Failed));
}

#[test]
fn what_is_not_archived_yet_is_the_rpo() {
    let mut source = Source::new(23);
    let collection = source.create("c");
    let (archived, _) = source.write(&collection, 0..50);
    source.pass(&[&collection]);
    source.write(&collection, 50..60);
    let (newest, _) = source.write(&collection, 60..70);
    let drilled = |target| passes(&source.machine, &source.store, &request("c", &source.store, target, Some(&collection)));
    let latest = drilled(DrillTarget::Latest).rpo.unwrap();
    assert_eq!((latest.seconds, latest.newest_known_time), (Some((newest - archived) as f64 / 1e6), Some(newest)));
    let past = drilled(DrillTarget::Time(archived)).rpo.unwrap();
    assert_eq!(past.measured, "archive_lag");
    assert!(past.seconds.is_some_and(|seconds| seconds > 1.0), "the oldest unarchived write is over a second old: {past:?}");
}
