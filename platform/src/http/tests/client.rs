//! The client against the door, and against servers that answer whatever a test writes.

use std::net::TcpListener;

use super::super::client::{Client, ClientOptions};
use super::*;

fn client_of(address: SocketAddr) -> Client {
    Client::new(&format!("http://{address}/"), ClientOptions { read_timeout: PATIENCE, ..ClientOptions::default() }).unwrap()
}

/// Answers each connection with the next of `answers`, once a request's head was read, and closes it.
fn canned(answers: Vec<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let mut line = Line { stream: listener.accept().unwrap().0, read: Vec::new() };
            line.read_until(b"\r\n\r\n").unwrap();
            // The client may have seen enough before the end.
            let _ = line.stream.write_all(&answer);
        }
    });
    address
}

#[test]
fn a_connection_is_used_again_once_its_answer_was_read() {
    let (door, _script, _strings) = stand(patient());
    let asked = client_of(door.local_address());
    let peer = |answer: super::super::client::ClientResponse| answer.into_whole(100).unwrap();
    let first = peer(asked.send(Method::Get, "/peer", &[], &[]).unwrap());
    assert_eq!(peer(asked.send(Method::Post, "/peer", &[], b"x").unwrap()), first);
    let unread = asked.send(Method::Get, "/peer", &[], &[]).unwrap();
    assert_ne!(peer(asked.send(Method::Get, "/peer", &[], &[]).unwrap()), first, "its answer is still to be read");
    drop(unread);
    let prepared = asked.prepare(Method::Post, "/echo", &[("x-a", "b")], &[5; 200_000]).unwrap();
    let mut answer = Vec::new();
    for _ in 0..3 {
        assert_eq!(asked.send_prepared(&prepared, &mut answer).unwrap(), 200);
        assert_eq!(answer, [5; 200_000]);
    }
}

#[test]
fn common_headers_go_with_each_request_and_bad_ones_are_refused() {
    let (door, _script, _strings) = stand(patient());
    let options = ClientOptions { headers: vec![("api-key".to_owned(), "secret".to_owned())], ..ClientOptions::default() };
    let asked = Client::new(&format!("http://{}", door.local_address()), options.clone()).unwrap();
    let text = String::from_utf8(asked.send(Method::Put, "/head?a=b", &[("x-own", "1")], &[]).unwrap().into_whole(1000).unwrap()).unwrap();
    assert!(text.starts_with("PUT /head a=b false\n") && text.contains("api-key=secret\nx-own=1\ncontent-length=0\n"), "{text}");
    for (path, header) in
        [("no-slash", ("a", "b")), ("/a b", ("a", "b")), ("/a\r\nx: y", ("a", "b")), ("/", ("a", "b\r\nc: d")), ("/", ("a:", "b"))]
    {
        let refused = asked.send(Method::Get, path, &[header], &[]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{path:?} {header:?}");
        assert!(!refused.to_string().contains("secret"));
    }
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_made_anew() {
    let (door, _script, _strings) = stand(patient());
    let address = door.local_address();
    let asked = client_of(address);
    assert_eq!(asked.send(Method::Get, "/echo", &[], &[]).unwrap().status, 200);
    assert!(door.stop(PATIENCE));
    let (script, _more) = script();
    let again = serve(&address.to_string(), patient(), script).unwrap();
    assert_eq!(asked.send(Method::Post, "/echo", &[], b"x").unwrap().status, 200);
    drop(again);
    let refused = asked.send(Method::Get, "/echo", &[], &[]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(refused.to_string().starts_with(&format!("cannot ask http://{address}: ")), "{refused}");
}

#[test]
fn bodies_end_where_the_answer_says() {
    let cases: [(&[u8], &[u8]); 5] = [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nt: u\r\n\r\n", b"abcd"),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.0 200\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ];
    let asked = client_of(canned(cases.iter().map(|(answer, _)| answer.to_vec()).collect()));
    for (answer, body) in cases {
        let read = asked.send(Method::Get, "/", &[], &[]).unwrap().into_whole(100).unwrap();
        assert_eq!(read, body, "{}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn answers_that_are_none_or_break_off_are_errors() {
    let long = [&b"HTTP/1.1 200 OK\r\nlong: "[..], &vec![b'x'; 100_000]].concat();
    let cases: [(&[u8], io::ErrorKind); 9] = [
        (b"", io::ErrorKind::UnexpectedEof),
        (b"HTTP/1.1 200 O", io::ErrorKind::UnexpectedEof),
        (b"SSH-2.0-x\r\n\r\n", io::ErrorKind::InvalidData),
        (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", io::ErrorKind::InvalidData),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", io::ErrorKind::UnexpectedEof),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", io::ErrorKind::UnexpectedEof),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", io::ErrorKind::InvalidData),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-3\r\nabc\r\n", io::ErrorKind::InvalidData),
        (&long, io::ErrorKind::InvalidData),
    ];
    let asked = client_of(canned(cases.iter().map(|(answer, _)| answer.to_vec()).collect()));
    for (answer, kind) in cases {
        let read = asked.send(Method::Post, "/", &[], &[]).map_err(|error| error.kind());
        let read = read.and_then(|answer| answer.into_whole(100).map_err(|error| error.kind()));
        assert_eq!(read, Err(kind), "{}", String::from_utf8_lossy(&answer[..answer.len().min(80)]));
    }
}

#[test]
fn answers_of_any_kind_end_in_an_answer_or_an_error() {
    let valid = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx: y\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nt: u\r\n\r\n";
    let seeds = 0..300_u64;
    let spoilt = |seed: u64| {
        let mut draw = Draw::new(seed);
        let mut bytes = valid.to_vec();
        draw.spoil(&mut bytes);
        bytes
    };
    let asked = client_of(canned(seeds.clone().map(spoilt).collect()));
    for seed in seeds {
        // POST is never sent twice, so that each seed meets its own answer.
        let Ok(answer) = asked.send(Method::Post, "/", &[], &[]) else { continue };
        let status = answer.status;
        if let Ok(body) = answer.into_whole(1000) {
            assert!((200..1000).contains(&status) && body.len() < 1000, "seed {seed}");
        }
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_longer_than_agreed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ClientOptions { read_timeout: Duration::from_millis(40), ..ClientOptions::default() };
    let asked = Client::new(&format!("http://{}", listener.local_addr().unwrap()), options).unwrap();
    let refused = asked.send(Method::Get, "/", &[], &[]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    assert!(refused.to_string().ends_with("nothing came within 0.04 s"), "{refused}");
}

#[test]
fn an_answer_that_is_longer_than_expected_is_refused_and_a_body_that_is_shorter_than_said_not_sent() {
    let (door, _script, _strings) = stand(patient());
    let asked = client_of(door.local_address());
    let long = asked.send(Method::Post, "/echo", &[], &[1; 101]).unwrap();
    assert_eq!(long.into_whole(100).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    let mut short = io::Cursor::new(vec![1; 10]);
    let read_timeout = Duration::from_millis(40);
    let hasty =
        Client::new(&format!("http://{}", door.local_address()), ClientOptions { read_timeout, ..ClientOptions::default() }).unwrap();
    let refused = hasty.send_stream(Method::Put, "/echo", &[], &mut short, Some(11)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::UnexpectedEof);
}
