//! A door that closes: who came in is answered.

use super::*;

#[test]
fn every_request_that_was_accepted_is_answered_when_the_door_closes_under_load() {
    for private_max in [64, 0, 3, 64, 0] {
        let (door, script, _strings) = stand(ServeOptions { private_max, ..patient() });
        let (address, answered) = (door.local_address(), Arc::new(AtomicU64::new(0)));
        let (enough, is_enough) = channel();
        let clients: Vec<_> = (0..6)
            .map(|client| {
                let (answered, enough) = (Arc::clone(&answered), enough.clone());
                std::thread::spawn(move || {
                    // Half of the clients keep their connection, the others make a new one for each request.
                    while let Ok(stream) = TcpStream::connect(address) {
                        stream.set_read_timeout(Some(PATIENCE)).unwrap();
                        let mut line = Line { stream, read: Vec::new() };
                        loop {
                            if line.stream.write_all(post("/echo", "work").as_bytes()).is_err() {
                                break;
                            }
                            let Ok(answer) = line.try_answer(false) else { break };
                            assert_eq!((answer.status, answer.text()), (200, "work"));
                            if answered.fetch_add(1, Ordering::SeqCst) == 300 {
                                let _ = enough.send(());
                            }
                            if client % 2 == 0 || answer.head.contains("connection: close") {
                                break;
                            }
                        }
                    }
                })
            })
            .collect();
        is_enough.recv_timeout(PATIENCE).unwrap();
        assert!(door.stop(PATIENCE));
        clients.into_iter().for_each(|client| client.join().unwrap());
        assert_eq!(answered.load(Ordering::SeqCst), script.handled.load(Ordering::SeqCst));
    }
}

#[test]
fn a_request_that_runs_is_waited_for_and_nothing_new_is_let_in() {
    for private_max in BOTH {
        let (door, _script, strings) = stand(ServeOptions { private_max, ..patient() });
        let address = door.local_address();
        let mut line = Line::new(address);
        line.send(get("/gate"));
        strings.wait_begun();
        let mut idle = Line::new(address);
        idle.send(get("/echo"));
        assert_eq!(idle.answer().status, 200);
        std::thread::scope(|scope| {
            let stopping = scope.spawn(|| door.stop(PATIENCE));
            assert!(idle.is_closed(), "a connection without a request is closed at once");
            assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
            strings.gate.send(()).unwrap();
            let answer = line.answer();
            assert_eq!(answer.text(), "through");
            assert!(answer.head.contains("connection: close\r\n"));
            assert!(stopping.join().unwrap());
        });
        assert!(door.stop(PATIENCE), "a second stop has nothing to do");
    }
}

#[test]
fn what_does_not_end_in_time_is_told_and_what_had_not_begun_is_refused() {
    for private_max in BOTH {
        let (door, _script, strings) = stand(ServeOptions { concurrency_max: 1, private_max, ..patient() });
        let mut runs = Line::new(door.local_address());
        runs.send(get("/gate"));
        strings.wait_begun();
        let mut waits = Line::new(door.local_address());
        waits.send(get("/echo"));
        assert!(!door.stop(Duration::from_millis(150)));
        let answer = waits.answer();
        assert_eq!((answer.status, answer.text()), (503, "refused /echo: Stopping"));
        drop(strings);
    }
}

#[test]
fn an_address_is_free_again_when_the_door_was_closed() {
    let (door, script, _strings) = stand(patient());
    let address = door.local_address().to_string();
    let mut line = Line::new(door.local_address());
    line.send(get("/echo"));
    assert_eq!(line.answer().status, 200);
    assert!(door.stop(PATIENCE));
    let again = serve(&address, patient(), script).unwrap();
    let mut line = Line::new(again.local_address());
    line.send(get("/echo"));
    assert_eq!(line.answer().status, 200);
}
