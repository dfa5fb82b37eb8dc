//! Clients that send too much, too slowly, nonsense, or nothing: each is told, none holds up another.

use super::*;

const SOON: Duration = Duration::from_millis(40);

fn impatient() -> ServeOptions {
    ServeOptions { head_timeout: SOON, body_timeout: SOON, ..patient() }
}

#[test]
fn a_body_that_says_it_is_too_long_is_refused_before_it_is_sent() {
    let (door, script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send("POST /echo?max=10 HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n");
    let answer = line.answer();
    assert_eq!((answer.status, answer.text()), (413, "refused /echo: BodyTooLarge { limit: 10 }"));
    assert!(answer.head.contains("connection: close\r\n"));
    assert_eq!(script.handled.load(Ordering::SeqCst), 0);
}

#[test]
fn a_client_that_sends_a_long_body_all_the_same_still_reads_the_refusal() {
    let (door, _script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send("POST /echo?max=10 HTTP/1.1\r\nhost: a\r\ncontent-length: 8388608\r\n\r\n");
    line.send(vec![b'x'; 8 << 20]);
    assert_eq!(line.answer().status, 413);
    assert!(line.is_closed());
}

#[test]
fn a_body_in_chunks_is_refused_where_it_becomes_too_long() {
    let (door, script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send("POST /echo?max=10 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n8\r\n12345678\r\n3\r\n123\r\n");
    assert_eq!(line.answer().status, 413);
    line.send("0\r\n\r\n");
    assert!(line.is_closed());
    let mut line = Line::new(door.local_address());
    line.send("POST /echo?max=10 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n8\r\n12345678\r\n2\r\n12\r\n0\r\n\r\n");
    assert_eq!(line.answer().status, 200, "ten bytes are ten bytes");
    assert_eq!(script.handled.load(Ordering::SeqCst), 1);
}

#[test]
fn a_request_refused_by_its_head_is_not_read() {
    let (door, script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send("PUT /forbidden HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nthe beginning");
    assert_eq!(line.answer().status, 403);
    line.close_write();
    assert!(line.is_closed());
    assert_eq!(script.handled.load(Ordering::SeqCst), 0);
    let mut line = Line::new(door.local_address());
    line.send(get("/forbidden"));
    line.send(get("/echo"));
    assert_eq!((line.answer().status, line.answer().status), (403, 200), "without a body, the connection goes on");
}

#[test]
fn a_head_that_comes_slowly_is_answered_and_the_connection_closed() {
    let (door, _script, _strings) = stand(impatient());
    let mut line = Line::new(door.local_address());
    line.send("GET /echo HTTP/1.1\r\nhost");
    let answer = line.answer();
    assert_eq!((answer.status, answer.text()), (408, "refused : BodyTooSlow"));
    assert!(line.is_closed());
}

#[test]
fn a_body_that_comes_slowly_is_answered_and_the_connection_closed() {
    let (door, script, _strings) = stand(impatient());
    for start in ["content-length: 5\r\n\r\nhell", "transfer-encoding: chunked\r\n\r\n5\r\nhell"] {
        let mut line = Line::new(door.local_address());
        line.send(format!("POST /echo HTTP/1.1\r\nhost: a\r\n{start}"));
        let answer = line.answer();
        assert_eq!((answer.status, answer.text()), (408, "refused /echo: BodyTooSlow"));
        line.close_write();
        assert!(line.is_closed());
    }
    assert_eq!(script.handled.load(Ordering::SeqCst), 0);
}

#[test]
fn a_connection_without_a_request_is_closed_without_a_word() {
    let (door, _script, _strings) = stand(ServeOptions { idle_timeout: SOON, ..impatient() });
    assert!(Line::new(door.local_address()).is_closed(), "a new one");
    let mut line = Line::new(door.local_address());
    line.send(get("/echo"));
    assert_eq!(line.answer().status, 200);
    assert!(line.is_closed(), "one that was used");
}

#[test]
fn clients_that_stop_in_the_middle_hold_up_nobody() {
    let (door, _script, _strings) = stand(ServeOptions { concurrency_max: 1, queue_max: 0, private_max: 5, ..patient() });
    let mut stopped = Vec::new();
    for begin in ["", "GET /ec", "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf", "POST /upload HTTP/1.1\r\n"] {
        for _ in 0..20 {
            let mut line = Line::new(door.local_address());
            line.send(begin);
            stopped.push(line);
        }
    }
    let mut line = Line::new(door.local_address());
    line.send(post("/echo", "passes"));
    assert_eq!(line.answer().text(), "passes");
}

#[test]
fn a_client_that_closes_its_side_in_the_middle_is_let_go() {
    let (door, script, _strings) = stand(patient());
    for begin in ["", "GET /ec", "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf"] {
        let mut line = Line::new(door.local_address());
        line.send(begin);
        line.close_write();
        // Whatever is said, it is said at once and the connection ends.
        while line.fill().is_ok() {}
    }
    assert_eq!(script.handled.load(Ordering::SeqCst), 0);
}

#[test]
fn above_its_limits_the_door_refuses_and_urgent_requests_pass() {
    for private_max in BOTH {
        let (door, _script, strings) = stand(ServeOptions { concurrency_max: 1, queue_max: 1, private_max, ..patient() });
        let ask = |path: &'static str| {
            let (address, (to, from)) = (door.local_address(), channel());
            let to_main = to.clone();
            let client = std::thread::spawn(move || {
                let mut line = Line::new(address);
                line.send(get(path));
                to_main.send(line.answer()).unwrap();
            });
            (client, from)
        };
        let (first, first_answer) = ask("/gate");
        strings.wait_begun();
        let (to, from) = channel();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (address, to) = (door.local_address(), to.clone());
                std::thread::spawn(move || {
                    let mut line = Line::new(address);
                    line.send(get("/gate"));
                    to.send(line.answer()).unwrap();
                })
            })
            .collect();
        // One of the two finds a place in the queue, the other one does not.
        let refused = from.recv_timeout(PATIENCE).unwrap();
        assert_eq!((refused.status, refused.text()), (429, "refused /gate: Overloaded { retry_after_seconds: 1 }"));
        let (urgent, urgent_answer) = ask("/health");
        assert_eq!(urgent_answer.recv_timeout(PATIENCE).unwrap().status, 200);
        strings.gate.send(()).unwrap();
        assert_eq!(first_answer.recv_timeout(PATIENCE).unwrap().status, 200);
        strings.wait_begun();
        strings.gate.send(()).unwrap();
        assert_eq!(from.recv_timeout(PATIENCE).unwrap().text(), "through");
        others.into_iter().chain([first, urgent]).for_each(|client| client.join().unwrap());
    }
}

#[test]
fn bodies_share_a_room_and_one_that_finds_none_is_refused() {
    let (door, _script, strings) = stand(ServeOptions { bodies_max: 1 << 20, ..patient() });
    let large = "x".repeat(900_000);
    let mut holds = Line::new(door.local_address());
    holds.send(post("/gate", &large));
    strings.wait_begun();
    let mut refused = Line::new(door.local_address());
    refused.send(post("/echo", &large));
    let answer = refused.answer();
    assert_eq!((answer.status, answer.text()), (429, "refused /echo: Overloaded { retry_after_seconds: 1 }"));
    let mut small = Line::new(door.local_address());
    small.send(post("/echo", &large[..60_000]));
    assert_eq!(small.answer().status, 200);
    strings.gate.send(()).unwrap();
    assert_eq!(holds.answer().status, 200);
    small.send(post("/echo", &large));
    assert_eq!(small.answer().body.len(), 900_000, "there is room again");
}

#[test]
fn a_write_that_began_is_finished_though_its_client_went_away() {
    for private_max in BOTH {
        let (door, script, strings) = stand(ServeOptions { private_max, ..patient() });
        let mut line = Line::new(door.local_address());
        line.send(get("/gate"));
        strings.wait_begun();
        drop(line);
        // Another request, on the same threads, sees that the door has noticed nothing that stops it.
        let mut other = Line::new(door.local_address());
        other.send(get("/echo"));
        assert_eq!(other.answer().status, 200);
        strings.gate.send(()).unwrap();
        // All that runs is waited for, so the first one ran to its end or this would be false.
        assert!(door.stop(PATIENCE));
        assert_eq!(script.handled.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_cut_off() {
    let (door, _script, _strings) = stand(impatient());
    let gone = streams::expect_drop(77);
    let mut line = Line::new(door.local_address());
    line.send(get("/download?len=1000000000&watched=77"));
    gone.recv_timeout(PATIENCE).expect("the body is let go while the client still holds its connection");
    drop(line);
}

#[test]
fn what_is_not_http_is_refused_in_the_words_of_the_handler() {
    for private_max in BOTH {
        let (door, script, _strings) = stand(ServeOptions { private_max, ..patient() });
        let many: String = (0..200).map(|number| format!("h{number}: x\r\n")).collect();
        let cases = [
            (b"hello\r\n\r\n".to_vec(), 400),
            (b"GET /\r\n\r\n".to_vec(), 400),
            (b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400),
            (b"GET / HTTP/1.1\r\nno colon\r\n\r\n".to_vec(), 400),
            (b"GET / HTTP/1.1\r\nbad\x00name: x\r\n\r\n".to_vec(), 400),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400),
            (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: many\r\n\r\n".to_vec(), 400),
            (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_vec(), 400),
            (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n".to_vec(), 400),
            (b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(), 400),
            (b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_vec(), 400),
            (format!("GET / HTTP/1.1\r\nlong: {}\r\n\r\n", "x".repeat(70_000)).into_bytes(), 431),
            (format!("GET / HTTP/1.1\r\n{many}\r\n").into_bytes(), 431),
            (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(65_535)).into_bytes(), 431),
        ];
        for (bytes, status) in &cases {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
            let mut line = Line::new(door.local_address());
            line.send(bytes);
            let answer = line.try_answer(false).unwrap_or_else(|error| panic!("{shown:?}: {error}"));
            assert_eq!(answer.status, *status, "{shown:?}: {answer:?}");
            assert!(answer.head.contains("x-refused: yes\r\n"), "{shown:?}: {answer:?}");
            line.close_write();
            assert!(line.is_closed(), "{shown:?}");
        }
        assert_eq!(script.handled.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_refusal_does_not_swallow_the_answers_before_it() {
    let (door, _script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send(format!("{}{}nonsense\r\n\r\n", post("/echo", "one"), post("/echo", "two")));
    assert_eq!((line.answer().text(), line.answer().text()), ("one", "two"));
    assert_eq!(line.answer().status, 400);
}

#[test]
fn bytes_of_any_kind_end_in_an_answer_or_a_closed_connection() {
    let at_once = Duration::from_millis(8);
    let (door, _script, _strings) =
        stand(ServeOptions { head_timeout: at_once, body_timeout: at_once, idle_timeout: at_once, ..patient() });
    let valid = "POST /echo?max=99 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".as_bytes();
    for seed in 0..200_u64 {
        let mut bytes = valid.to_vec();
        Draw::new(seed).spoil(&mut bytes);
        let mut line = Line::new(door.local_address());
        // The door may have closed before all is sent.
        let _ = line.stream.write_all(&bytes);
        while line.fill().is_ok() {}
        let status = line.read.get(9..12).map_or(0, |digits| std::str::from_utf8(digits).unwrap().parse::<u16>().unwrap());
        assert!(status < 500, "seed {seed}: {}", String::from_utf8_lossy(&line.read));
    }
    let mut line = Line::new(door.local_address());
    line.send(get("/echo"));
    assert_eq!(line.answer().status, 200);
}

#[test]
fn more_connections_than_allowed_wait_until_one_ends() {
    let (door, _script, _strings) = stand(ServeOptions { connections_max: 2, ..patient() });
    let mut open: Vec<Line> = (0..2).map(|_| Line::new(door.local_address())).collect();
    for line in &mut open {
        line.send(get("/echo"));
        assert_eq!(line.answer().status, 200);
    }
    let mut third = Line::new(door.local_address());
    third.send(get("/echo"));
    open.pop();
    assert_eq!(third.answer().status, 200);
}
