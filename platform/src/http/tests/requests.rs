//! What comes through the door, and what goes back.

use super::*;

#[test]
fn requests_on_one_connection_are_answered_one_after_the_other() {
    for private_max in BOTH {
        let (door, script, _strings) = stand(ServeOptions { private_max, ..patient() });
        let mut line = Line::new(door.local_address());
        for round in 0..3 {
            line.send(post("/echo", &format!("body {round}")));
            let answer = line.answer();
            assert_eq!((answer.status, answer.text()), (200, format!("body {round}").as_str()));
        }
        line.send(get("/empty"));
        assert_eq!(line.answer().status, 204);
        assert_eq!(script.handled.load(Ordering::SeqCst), 4);
    }
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order() {
    for private_max in BOTH {
        let (door, _script, _strings) = stand(ServeOptions { private_max, ..patient() });
        let mut line = Line::new(door.local_address());
        let all: String = (0..40).map(|number| post("/echo", &number.to_string())).collect();
        line.send(all);
        for number in 0..40 {
            assert_eq!(line.answer().text(), number.to_string());
        }
    }
}

#[test]
fn a_head_request_is_answered_like_a_get_and_its_body_left_out() {
    let (door, _script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send("HEAD /head?a=1 HTTP/1.1\r\nhost: a\r\n\r\n");
    let answer = line.try_answer(true).unwrap();
    let expected = "HEAD /head a=1 false\nhost=a\n";
    assert!(answer.head.contains(&format!("content-length: {}\r\n", expected.len())), "{}", answer.head);
    line.send("HEAD /download?len=100000000 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(line.try_answer(true).unwrap().head.contains("content-length: 100000000\r\n"));
    // Nothing of the bodies stands before this answer.
    line.send(get("/echo"));
    assert_eq!(line.answer().status, 200);
}

#[test]
fn a_handler_sees_the_path_the_query_and_the_headers_as_they_were_sent() {
    let (door, _script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send("PATCH /head?x=1 HTTP/1.1\r\nHost: a\r\nApi-Key: k y\r\nTwice: 1\r\ntwice: 2\r\n\r\n");
    assert_eq!(line.answer().text(), "PATCH /head x=1 false\nhost=a\napi-key=k y\ntwice=1\ntwice=2\n");
    line.send("BREW /head HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(line.answer().text(), "OTHER /head  false\nhost=a\n");
    line.send(get("/a%2Fb/%C3%A9?max=1"));
    assert_eq!(line.answer().status, 200);
}

#[test]
fn a_body_in_chunks_comes_whole() {
    let (door, _script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    line.send("7;x=y\r\n, world\r\n0\r\n\r\n");
    assert_eq!(line.answer().text(), "hello, world");
    line.send(get("/peer"));
    assert_eq!(line.answer().status, 200, "and the connection goes on");
}

#[test]
fn a_client_that_asks_whether_to_send_its_body_is_told() {
    for private_max in BOTH {
        let (door, _script, _strings) = stand(ServeOptions { private_max, ..patient() });
        let mut line = Line::new(door.local_address());
        line.send("POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
        assert_eq!(line.read_until(b"\r\n\r\n").unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
        line.send("ok");
        assert_eq!(line.answer().text(), "ok");
        line.send("POST /forbidden HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
        let answer = line.answer();
        assert_eq!((answer.status, answer.text()), (403, "not for you"));
    }
}

#[test]
fn connections_for_one_request_each_are_all_served() {
    for private_max in BOTH {
        let (door, script, _strings) = stand(ServeOptions { private_max, ..patient() });
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let address = door.local_address();
                std::thread::spawn(move || {
                    for number in 0..100 {
                        let mut line = Line::new(address);
                        line.send(format!(
                            "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 3\r\n\r\n{:03}",
                            client * 100 + number
                        ));
                        assert_eq!(line.answer().text(), format!("{:03}", client * 100 + number));
                        assert!(line.is_closed());
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        assert_eq!(script.handled.load(Ordering::SeqCst), 400);
    }
}

#[test]
fn a_panic_is_answered_and_the_process_goes_on() {
    for private_max in BOTH {
        let (door, _script, _strings) = stand(ServeOptions { private_max, ..patient() });
        let mut line = Line::new(door.local_address());
        line.send(get("/panic"));
        let answer = line.answer();
        assert_eq!((answer.status, answer.text()), (500, "refused /panic: Panicked"));
        line.send(get("/panic-at-admission"));
        assert_eq!(line.answer().text(), "refused /panic-at-admission: Panicked");
        line.send(get("/panic-twice"));
        assert_eq!(line.answer().text(), "internal error\n", "even of whoever words the refusal");
        line.send(get("/echo"));
        assert_eq!(line.answer().status, 200);
    }
}

#[test]
fn a_handler_may_wait_for_a_runtime_of_its_own() {
    for private_max in BOTH {
        let (door, _script, _strings) = stand(ServeOptions { private_max, ..patient() });
        let mut line = Line::new(door.local_address());
        line.send(get("/runtime"));
        assert_eq!(line.answer().text(), "from a runtime");
    }
}

#[test]
fn a_header_or_status_that_cannot_be_sent_breaks_nothing_out_of_the_answer() {
    let (door, _script, _strings) = stand(patient());
    let mut line = Line::new(door.local_address());
    line.send(get("/odd"));
    let answer = line.answer();
    assert_eq!(answer.status, 500);
    assert!(answer.head.contains("x-name: a??b: c ?\r\n"), "{}", answer.head);
}

#[test]
fn an_address_that_is_in_use_or_is_none_is_named() {
    let (door, script, _strings) = stand(patient());
    let address = door.local_address().to_string();
    let refused = serve(&address, patient(), Arc::clone(&script) as Arc<dyn Handler>).err().unwrap();
    assert!(refused.is_address_in_use());
    assert_eq!(refused.to_string(), format!("cannot listen on {address}: the address is in use by another process"));
    for none in ["", "127.0.0.1", "127.0.0.1:port"] {
        let refused = serve(none, patient(), Arc::clone(&script) as Arc<dyn Handler>).err().unwrap();
        assert!(refused.to_string().starts_with(&format!("cannot listen on {none}: ")), "{refused}");
    }
}
