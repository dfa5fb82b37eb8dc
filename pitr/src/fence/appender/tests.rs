//! The owner's machine, reply by reply.

use super::*;

const T: Timeline = Timeline([1; 16]);

/// A machine that has archived 64 and is putting up to 128, of a log that is durable up to 192.
fn putting() -> Appender {
    let mut appender = Appender::new(T, 64, 192, 2);
    appender.append(128);
    assert_eq!(appender.request(), Some(Request::Put { start: 64, end: 128 }));
    appender
}

fn looking() -> Appender {
    let mut appender = putting();
    appender.feed(Reply::Exists);
    assert_eq!(appender.request(), Some(Request::Look { start: 64 }));
    appender
}

fn data(end: Lsn, compared: Lsn, agrees: bool) -> Reply {
    Reply::Found(Found::Data { end, compared, agrees })
}

#[test]
fn a_put_that_found_its_key_free_is_archived() {
    let mut appender = putting();
    appender.feed(Reply::Created);
    assert!(appender.is_idle());
    assert_eq!((appender.archived(), appender.request()), (128, None));
}

#[test]
fn a_first_try_that_landed_is_no_false_fence() {
    let mut appender = putting();
    appender.feed(Reply::Unknown);
    appender.feed(data(128, 128, true));
    assert_eq!((appender.archived(), appender.stopped()), (128, None));
}

#[test]
fn an_object_of_another_length_with_our_bytes_is_adopted_to_its_own_end() {
    for end in [100, 128, 192] {
        let mut appender = looking();
        appender.feed(data(end, end, true));
        assert_eq!((appender.archived(), appender.is_idle()), (end, true));
    }
}

#[test]
fn an_object_beyond_the_durable_end_is_adopted_only_once_that_has_reached_it() {
    let mut appender = looking();
    appender.feed(data(256, 192, true));
    assert_eq!((appender.waits_for(), appender.request(), appender.archived()), (Some(256), None, 64));
    appender.grow(200);
    assert_eq!(appender.request(), None);
    appender.grow(256);
    // What was not compared then is compared now.
    assert_eq!(appender.request(), Some(Request::Look { start: 64 }));
    appender.feed(data(256, 256, true));
    assert_eq!(appender.archived(), 256);
}

#[test]
fn a_log_that_grew_during_the_look_is_compared_again() {
    let mut appender = looking();
    appender.grow(300);
    appender.feed(data(256, 192, true));
    assert_eq!((appender.archived(), appender.request()), (64, Some(Request::Look { start: 64 })));
}

#[test]
fn a_seal_fences_and_other_bytes_diverge_and_neither_is_acknowledged() {
    let successor = Timeline([2; 16]);
    let cases = [
        (Reply::Found(Found::Seal { successor }), Stop::Fenced { successor }),
        (data(128, 128, false), Stop::Diverged),
        (data(256, 192, false), Stop::Diverged),
        (Reply::Found(Found::Damaged), Stop::Damaged),
    ];
    for (reply, stop) in cases {
        let mut appender = looking();
        appender.feed(reply);
        assert_eq!((appender.stopped(), appender.archived(), appender.request()), (Some(stop), 64, None));
    }
}

#[test]
fn too_many_unclear_replies_poison_it_and_one_success_forgives_them() {
    let mut appender = putting();
    appender.feed(Reply::Unknown);
    appender.feed(Reply::Found(Found::Absent));
    assert_eq!(appender.request(), Some(Request::Put { start: 64, end: 128 }));
    let mut lucky = appender;
    appender.feed(Reply::Unknown);
    assert_eq!(appender.stopped(), Some(Stop::Poisoned));
    lucky.feed(Reply::Created);
    lucky.append(192);
    lucky.feed(Reply::Unknown);
    assert_eq!(lucky.stopped(), None);
}
