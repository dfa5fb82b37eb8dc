//! The candidate's machine, reply by reply.

use super::*;

const OLD: Timeline = Timeline([1; 16]);
const NEW: Timeline = Timeline([2; 16]);
const WON: Takeover = Takeover { old: OLD, fork: 128, new: NEW };

/// A candidate that has put its seal at 128.
fn sealed() -> Candidate {
    let mut candidate = Candidate::new(OLD, 3);
    assert_eq!(candidate.request(), Some(Request::Scan { timeline: OLD }));
    candidate.feed(Reply::Scanned { end: 128, sealed: None });
    assert_eq!(candidate.request(), Some(Request::Draw));
    candidate.feed(Reply::Drawn(NEW));
    assert_eq!(candidate.request(), Some(Request::Claim(WON)));
    candidate.feed(Reply::Claimed);
    assert_eq!(candidate.request(), Some(Request::Seal(WON)));
    candidate.feed(Reply::Put);
    assert_eq!(candidate.request(), Some(Request::Look { timeline: OLD, at: 128 }));
    candidate
}

fn found(found: Found) -> Reply {
    Reply::Found(found)
}

#[test]
fn a_seal_wins_after_it_was_read_back_and_the_boundary_looked_at_again() {
    let mut candidate = sealed();
    candidate.feed(found(Found::Seal { successor: NEW }));
    assert_eq!((candidate.request(), candidate.outcome()), (Some(Request::Boundary { timeline: OLD }), None));
    candidate.feed(Reply::Boundary(128));
    assert_eq!((candidate.request(), candidate.outcome()), (None, Some(Outcome::Won(WON))));
}

#[test]
fn a_seal_below_the_boundary_is_void_and_the_next_attempt_has_a_new_id() {
    let mut candidate = sealed();
    candidate.feed(found(Found::Seal { successor: NEW }));
    candidate.feed(Reply::Boundary(192));
    assert_eq!(candidate.request(), Some(Request::Scan { timeline: OLD }));
    candidate.feed(Reply::Scanned { end: 192, sealed: None });
    assert_eq!(candidate.request(), Some(Request::Draw));
}

#[test]
fn a_lost_reply_to_the_seal_is_settled_by_what_stands_there() {
    let mut candidate = sealed();
    candidate.feed(found(Found::Absent));
    assert_eq!(candidate.request(), Some(Request::Seal(WON)));
    candidate.feed(Reply::Unknown);
    candidate.feed(found(Found::Seal { successor: NEW }));
    candidate.feed(Reply::Boundary(0));
    assert_eq!(candidate.outcome(), Some(Outcome::Won(WON)));
}

#[test]
fn an_owner_who_was_faster_or_another_candidate_sends_it_back_to_look() {
    let other = Timeline([3; 16]);
    for obstacle in [Found::Data { end: 192, compared: 0, agrees: true }, Found::Seal { successor: other }] {
        let mut candidate = sealed();
        candidate.feed(found(obstacle));
        assert_eq!(candidate.request(), Some(Request::Scan { timeline: OLD }));
        candidate.feed(Reply::Scanned { end: 128, sealed: Some(other) });
        assert_eq!(candidate.outcome(), Some(Outcome::Superseded(Takeover { new: other, ..WON })));
    }
}

#[test]
fn damage_and_too_many_obstacles_end_it() {
    let mut candidate = sealed();
    candidate.feed(found(Found::Damaged));
    assert_eq!(candidate.outcome(), Some(Outcome::Damaged(128)));
    let mut candidate = Candidate::new(OLD, 1);
    candidate.feed(Reply::Unknown);
    assert_eq!(candidate.outcome(), None);
    candidate.feed(Reply::Unknown);
    assert_eq!(candidate.outcome(), Some(Outcome::GaveUp));
}
