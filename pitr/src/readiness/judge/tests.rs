//! Every edge of every goal.

use super::super::observe::{Prediction, Proof};
use super::*;
use crate::drill::lag::Lag;

const NOW: u64 = 1_700_000_000_000_000;
const SECOND: u64 = 1_000_000;

fn standing() -> Standing {
    Standing {
        collection: "c".to_owned(),
        archive: "/a".to_owned(),
        exists: true,
        lag: Some(Lag { bytes: 640, seconds: Some(60.0), newest: NOW }),
        verified: Some(Proof { by: "drill", id: "x".to_owned(), at: NOW, until: NOW - 100 * SECOND }),
        restore: Prediction { bytes: 1_000, bytes_per_second: Some(10.0), measured_by: Some("x".to_owned()), seconds: Some(100.0) },
    }
}

fn missed(standing: Standing, goals: Goals) -> Vec<&'static str> {
    let judged = judge(standing, &goals, NOW);
    let missed: Vec<_> = judged.goals.iter().filter(|goal| goal.is_miss).map(|goal| goal.goal).collect();
    assert_eq!(judged.ok, missed.is_empty());
    missed
}

#[test]
fn a_goal_is_reached_at_its_limit_and_missed_behind_it() {
    let at = Goals { rpo: Some(60 * SECOND), rto: Some(100 * SECOND), verified_age: Some(100 * SECOND) };
    assert!(missed(standing(), at).is_empty());
    assert_eq!(missed(standing(), Goals { rpo: Some(60 * SECOND - 1), ..at }), ["rpo"]);
    assert_eq!(missed(standing(), Goals { rto: Some(100 * SECOND - 1), ..at }), ["rto"]);
    assert_eq!(missed(standing(), Goals { verified_age: Some(100 * SECOND - 1), ..at }), ["verified"]);
    assert_eq!(missed(standing(), Goals { rpo: Some(0), rto: Some(0), verified_age: Some(0) }), ["rpo", "verified", "rto"]);
}

#[test]
fn without_goals_only_a_proof_that_is_too_old_is_a_miss() {
    assert!(missed(standing(), Goals::default()).is_empty());
    let proof = |until: u64| Some(Proof { by: "drill", id: "x".to_owned(), at: NOW, until });
    assert!(missed(Standing { verified: proof(NOW - VERIFIED_AGE), ..standing() }, Goals::default()).is_empty());
    assert_eq!(missed(Standing { verified: proof(NOW - VERIFIED_AGE - 1), ..standing() }, Goals::default()), ["verified"]);
    assert!(
        missed(Standing { verified: proof(NOW + SECOND), ..standing() }, Goals::default()).is_empty(),
        "another machine's clock is ahead"
    );
}

#[test]
fn what_nobody_knows_is_a_miss_only_where_it_was_asked_for() {
    let unknown = Standing {
        lag: Some(Lag { bytes: 1, seconds: None, newest: NOW }),
        verified: None,
        restore: Prediction { bytes: 1, ..Prediction::default() },
        ..standing()
    };
    let judged = judge(unknown.clone(), &Goals::default(), NOW);
    assert!(judged.ok && judged.goals.iter().all(|goal| goal.result == Judgement::Unknown && goal.meaning.starts_with("unknown")));
    let wide = Some(u64::MAX);
    assert_eq!(missed(unknown.clone(), Goals { rpo: wide, ..Goals::default() }), ["rpo"]);
    assert_eq!(missed(unknown.clone(), Goals { rto: wide, ..Goals::default() }), ["rto"]);
    assert_eq!(missed(unknown, Goals { verified_age: wide, ..Goals::default() }), ["verified"]);
}

#[test]
fn a_name_without_a_collection_has_nothing_to_lose() {
    let gone = Standing { exists: false, lag: None, verified: None, restore: Prediction::default(), ..standing() };
    let judged = judge(gone, &Goals { rpo: Some(0), rto: Some(0), verified_age: Some(0) }, NOW);
    assert!(judged.ok && judged.goals.is_empty());
}

#[test]
fn a_judged_name_is_one_flat_object() {
    let value = serde_json::to_value(judge(standing(), &Goals::default(), NOW)).unwrap();
    let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["collection", "archive", "exists", "lag", "verified", "restore", "goals", "ok"]);
    assert_eq!((value["goals"][0]["value_s"].as_f64(), value["lag"]["seconds"].as_f64()), (Some(60.0), Some(60.0)));
}
