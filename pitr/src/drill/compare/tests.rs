//! A restored state that is not the one that was saved is noticed, whatever differs: the deliberate mistakes that a drill must catch.

use super::*;
use engine::collection::SearchHit;

fn ids(numbers: &[u64]) -> Vec<PointId> {
    numbers.iter().copied().map(PointId::Number).collect()
}

fn answer(point: u64) -> Answer {
    let near = ids(&[point, point + 1, point + 2]);
    Answer {
        point: PointId::Number(point),
        vector: String::new(),
        digest: Hash([point as u8; 32]),
        candidates: 64,
        found: near.clone(),
        exact: Some(near),
    }
}

fn sound() -> Evidence {
    Evidence { counts: Some((100, 50)), content: Some(Hash([7; 32])), answers: Some((1..=5).map(answer).collect()) }
}

/// The checks that missed, and those that had nothing to compare.
fn judged(expected: &Evidence, got: &Evidence) -> (Vec<String>, Vec<String>) {
    let checks = compare("backup", expected, got);
    let of = |verdict: Verdict| checks.iter().filter(|check| check.result == verdict).map(|check| check.check.clone()).collect();
    (of(Verdict::Missed), of(Verdict::Unknown))
}

#[test]
fn the_same_state_passes_every_check() {
    let checks = compare("backup", &sound(), &sound());
    let names: Vec<_> = checks.iter().map(|check| check.check.as_str()).collect();
    assert_eq!(names, ["count", "content", "points", "answers", "exact"]);
    assert!(checks.iter().all(|check| check.result == Verdict::Passed && check.with == "backup"), "{checks:?}");
}

#[test]
fn every_difference_is_a_miss_of_the_check_that_it_belongs_to() {
    type Change = fn(&mut Evidence);
    let changes: [(&str, Change, &[&str]); 8] = [
        ("a lost point", |e| e.counts = Some((99, 50)), &["count"]),
        ("a lost payload", |e| e.counts = Some((100, 49)), &["count"]),
        ("other content", |e| e.content = Some(Hash([8; 32])), &["content"]),
        ("a changed payload of a probe", |e| e.answers.as_mut().unwrap()[2].digest = Hash([9; 32]), &["points"]),
        ("two answers in another order", |e| e.answers.as_mut().unwrap()[3].found.swap(0, 1), &["answers"]),
        ("an answer too few", |e| e.answers.as_mut().unwrap()[3].found.truncate(2), &["answers"]),
        ("another nearest point", |e| e.answers.as_mut().unwrap()[0].exact = Some(ids(&[2, 1, 3])), &["exact"]),
        ("a probe whose point is gone", |e| e.answers.as_mut().unwrap().truncate(4), &["points", "answers"]),
    ];
    for (what, change, missed) in changes {
        let mut got = sound();
        change(&mut got);
        assert_eq!(judged(&sound(), &got).0, missed, "{what}");
    }
}

#[test]
fn what_nobody_recorded_is_unknown_and_no_miss() {
    let unrecorded = Evidence { answers: Some(Vec::new()), ..sound() };
    assert_eq!(judged(&unrecorded, &sound()), (vec![], vec!["points".to_owned(), "answers".to_owned(), "exact".to_owned()]));
    let mut without_exact = sound();
    without_exact.answers.as_mut().unwrap().iter_mut().for_each(|answer| answer.exact = None);
    assert_eq!(judged(&without_exact, &sound()), (vec![], vec!["exact".to_owned()]));
    assert_eq!(judged(&Evidence::default(), &sound()), (vec![], vec![]), "nothing is known, so nothing is claimed");
    let (missed, unknown) = judged(&sound(), &Evidence { content: None, ..sound() });
    assert_eq!((missed, unknown), (vec![], vec!["content".to_owned()]), "nobody went through the restored points");
}

#[test]
fn recall_below_the_goal_is_a_miss_and_nothing_to_find_is_none() {
    assert_eq!(judge_recall((95, 100), 0.95).result, Verdict::Passed);
    assert_eq!(judge_recall((94, 100), 0.95).result, Verdict::Missed);
    assert_eq!(judge_recall((0, 0), 0.95).result, Verdict::Unknown);
    assert_eq!(judge_recall((100, 100), 1.0).result, Verdict::Passed);
}

#[test]
fn recorded_answers_read_back_and_nonsense_is_left_out() {
    let probe = |point: &str, found: &str, exact: Option<&str>| crate::answers::RecordedProbe {
        point: point.to_owned(),
        vector: String::new(),
        digest: Hash([1; 32]),
        ef: 64,
        found: found.to_owned(),
        exact: exact.map(str::to_owned),
    };
    let uuid = "00000000-0000-0000-0000-00000000000a";
    let probes = vec![
        probe("1", "1 2 3", Some("1 3")),
        probe(uuid, uuid, None),
        probe("x", "1", None),
        probe("1", "1 -2", None),
        probe("1", "", Some("../x")),
        probe("2", "", None),
    ];
    let read = Answer::recorded(&RecordedAnswers { top: 10, recall: (0, 0), probes });
    assert_eq!(read.len(), 3);
    assert_eq!((read[0].found.clone(), read[0].exact.clone()), (ids(&[1, 2, 3]), Some(ids(&[1, 3]))));
    assert_eq!((read[1].point.to_string(), read[2].found.len()), (uuid.to_owned(), 0));
}

#[test]
fn what_was_asked_is_what_is_compared() {
    let hit = |id: u64| SearchHit { id: PointId::Number(id), score: 0.5 };
    let asked = Asked { point: PointId::Number(1), vector: "v".to_owned(), candidates: 9, found: vec![hit(1), hit(4)], exact: None };
    let answer = Answer::of(&asked, Hash([2; 32]));
    assert_eq!((answer.found, answer.exact, answer.candidates, answer.vector.as_str()), (ids(&[1, 4]), None, 9, "v"));
}
