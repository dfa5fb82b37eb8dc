//! Handmade listings and operations: which manifests count, and where the log is cut.

use engine::ids::Lsn;

use super::*;
use crate::archive::Key;

fn timeline(id: u8) -> Timeline {
    Timeline([id; 16])
}

fn name(covered_lsn: Lsn, seq: u64, commit_time: u64) -> ManifestName {
    ManifestName { covered_lsn, seq, commit_time }
}

fn operation(start: Lsn, end: Lsn, commit_time: u64) -> Operation {
    Operation { timeline: timeline(1), start, end, commit_time, is_mark: false, client_sequence: 0 }
}

/// Shows operations until the cut has seen enough; says how many it saw.
fn cut(goal: Goal, operations: &[Operation]) -> (Cut, usize) {
    let mut cut = Cut::begin(goal, &name(64, 1, 5));
    let seen = operations.iter().take_while(|operation| cut.see(operation)).count();
    (cut, seen)
}

fn log() -> Vec<Operation> {
    vec![operation(64, 128, 10), operation(128, 320, 20), Operation { is_mark: true, ..operation(320, 384, 21) }, operation(384, 448, 30)]
}

#[test]
fn a_time_cuts_behind_the_last_operation_that_committed_until_then() {
    for (time, lsn, commit_time, next) in [
        (5, 64, 5, Some(10)),
        (9, 64, 5, Some(10)),
        (10, 128, 10, Some(20)),
        (20, 320, 20, Some(30)),
        (21, 384, 21, Some(30)),
        (29, 384, 21, Some(30)),
    ] {
        let (cut, _) = cut(Goal::Time(time), &log());
        assert_eq!((cut.lsn, cut.commit_time, cut.next_time), (lsn, commit_time, next), "at {time}");
        assert!(cut.is_proven() && cut.went_beyond, "at {time}");
    }
    let (at_end, _) = cut(Goal::Time(30), &log());
    assert!(at_end.is_proven() && !at_end.went_beyond, "the last operation committed at that very time");
    let (later, _) = cut(Goal::Time(31), &log());
    assert!(!later.is_proven() && later.lsn == 448, "nobody knows what committed until then");
}

#[test]
fn a_position_cuts_behind_the_last_operation_that_ends_there_or_before() {
    for (goal, lsn, proven) in [(64, 64, true), (127, 64, true), (128, 128, true), (383, 320, true), (448, 448, true), (512, 448, false)] {
        let (cut, _) = cut(Goal::Lsn(goal), &log());
        assert_eq!((cut.lsn, cut.is_proven()), (lsn, proven), "position {goal}");
    }
    let (end, seen) = cut(Goal::End, &log());
    assert_eq!((end.lsn, end.is_proven(), seen), (448, false, 4));
}

#[test]
fn the_tail_is_laid_out_in_files_that_no_operation_spans() {
    const MIB: u64 = 1 << 20;
    let mut operations = Vec::new();
    let mut at = 64;
    for (length, id) in [(40, 1), (30, 1), (1, 1), (10, 2), (5, 2)] {
        operations.push(Operation { timeline: timeline(id), client_sequence: length, ..operation(at, at + length * MIB, at) });
        at += length * MIB;
    }
    let (cut, _) = cut(Goal::End, &operations);
    let files: Vec<_> = cut.files.iter().map(|f| (f.timeline.0[0], f.start, (f.end - f.start) / MIB)).collect();
    let second = 64 + 70 * MIB;
    assert_eq!(files, [(1, 64, 70), (1, second, 1), (2, second + MIB, 15)]);
    assert_eq!(cut.resume_token, Some(40));
}

#[test]
fn manifests_of_abandoned_branches_are_no_base() {
    let spans = [(1, 0, Some(320)), (2, 320, None)];
    let spans = spans.map(|(id, from, to)| Span { timeline: timeline(id), from, to }).to_vec();
    let history = History { spans };
    let bases = [
        (1, name(0, 0, 0)),
        (1, name(256, 2, 20)),
        (1, name(320, 3, 25)),
        (1, name(384, 4, 30)),
        (2, name(256, 3, 20)),
        (2, name(640, 5, 90)),
    ];
    let listing = Listing::of(bases.iter().map(|(id, name)| (Key::Base(timeline(*id), *name).to_string(), 100)));
    let found: Vec<_> =
        base_candidates(&listing, &[], &history).iter().map(|b| (b.timeline.0[0], b.name.covered_lsn, b.name.seq)).collect();
    assert_eq!(found, [(1, 0, 0), (1, 256, 2), (2, 256, 3), (1, 320, 3), (2, 640, 5)]);
}
