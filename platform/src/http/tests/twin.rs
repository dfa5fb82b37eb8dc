//! The simulated twin answers as the door does.

use super::super::client::{Client, ClientOptions};
use super::super::sim;
use super::*;

#[test]
fn a_handler_that_is_asked_directly_answers_as_through_a_socket() {
    let (door, script, _strings) = stand(patient());
    let asked = Client::new(&format!("http://{}", door.local_address()), ClientOptions::default()).unwrap();
    let cases: [(Method, &str, &[u8]); 10] = [
        (Method::Get, "/echo", b""),
        (Method::Post, "/echo", b"a body"),
        (Method::Post, "/echo?max=3", b"four"),
        (Method::Post, "/echo?max=4", b"four"),
        (Method::Put, "/upload", b"streamed"),
        (Method::Put, "/upload?max=3", b"four"),
        (Method::Get, "/forbidden", b""),
        (Method::Post, "/panic", b"x"),
        (Method::Get, "/panic-at-admission", b""),
        (Method::Head, "/download?len=9", b""),
    ];
    for (method, path, body) in cases {
        let through = asked.send(method, path, &[], body).unwrap();
        let (status, headers) = (through.status, through.headers.clone());
        let through = (status, through.into_whole(1 << 20).unwrap());
        let answer = sim::ask(&*script, method, path, &[], body);
        assert_eq!((answer.status, answer.body), through, "{method:?} {path}");
        assert!(answer.headers.iter().all(|(name, value)| headers.get(name) == Some(value)), "{method:?} {path}");
    }
}

#[test]
fn a_body_that_breaks_off_is_seen() {
    let (script, _strings) = script();
    let broken = |query: &str| sim::ask(&*script, Method::Get, &format!("/download?{query}"), &[], &[]).broken;
    assert_eq!(broken("len=1000&known=0"), None);
    assert_eq!(broken("len=1000&fails=500").as_deref(), Some("as the test wants"));
    assert_eq!(broken("len=900&said=1000").as_deref(), Some("the body has 900 bytes and not 1000"));
}
