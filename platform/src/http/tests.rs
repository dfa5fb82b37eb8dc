//! The door over real sockets of this machine: a scripted handler on one side, bytes written by hand on the other.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;

use super::*;

mod client;
mod limits;
mod requests;
mod stop;
mod streams;
mod tls;
mod twin;

/// Long enough for a busy machine; no test that passes waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers by the path: what a test needs to see is sent to it.
struct Script {
    /// Gets the path of each request whose handling begins at `/gate`.
    begun: Mutex<Sender<String>>,
    /// Lets one request at `/gate` go on.
    gate: Mutex<Receiver<()>>,
    handled: AtomicU64,
}

/// The test's ends of what a [`Script`] holds.
struct Strings {
    begun: Receiver<String>,
    gate: Sender<()>,
}

impl Strings {
    /// Waits until a request begins.
    fn wait_begun(&self) {
        self.begun.recv_timeout(PATIENCE).expect("a request begins");
    }
}

fn script() -> (Arc<Script>, Strings) {
    let ((begun, has_begun), (open, gate)) = (channel(), channel());
    let script = Script { begun: Mutex::new(begun), gate: Mutex::new(gate), handled: AtomicU64::new(0) };
    (Arc::new(script), Strings { begun: has_begun, gate: open })
}

fn query(head: &Head) -> BTreeMap<String, u64> {
    let pairs = head.query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().unwrap_or(0))).collect()
}

impl Handler for Script {
    fn admit(&self, head: &Head) -> Result<Admission, Response> {
        match head.path.as_str() {
            "/forbidden" => return Err(Response::new(403, "text/plain", "not for you")),
            "/panic-at-admission" => panic!("as the test wants"),
            _ => {}
        }
        let body_max = query(head).get("max").copied().unwrap_or(1 << 20);
        Ok(Admission { body_max, is_streamed: head.path.starts_with("/upload"), is_urgent: head.path == "/health" })
    }

    fn handle(&self, request: Request) -> Response {
        self.handled.fetch_add(1, Ordering::SeqCst);
        let Request { head, body } = request;
        match head.path.as_str() {
            "/gate" => {
                self.begun.lock().send(head.path).unwrap();
                // A test that ended let go of the other end.
                let _ = self.gate.lock().recv();
                Response::new(200, "text/plain", "through")
            }
            "/runtime" => {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                Response::new(200, "text/plain", runtime.block_on(async { "from a runtime" }))
            }
            "/panic" | "/panic-twice" => panic!("as the test wants"),
            "/head" => {
                let lines: Vec<String> = head.headers.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
                let text = format!("{} {} {} {}\n{}", head.method.name(), head.path, head.query, head.is_tls, lines.concat());
                Response::new(200, "text/plain", text)
            }
            "/peer" => Response::new(200, "text/plain", head.peer.to_string()),
            "/empty" => Response { status: 204, headers: Vec::new(), body: ResponseBody::Whole(Bytes::new()) },
            "/odd" => Response::new(99, "text/plain", "x").with_header("x-name", "a\r\nb: c \u{e9}"),
            "/upload-ignored" => Response::new(200, "text/plain", "not read"),
            "/download" => streams::download(&query(&head)),
            _ => match body.into_whole() {
                Ok(bytes) => Response::new(200, "application/octet-stream", bytes),
                Err(error) => Response::new(400, "text/plain", format!("{:?}", error.kind())),
            },
        }
    }

    fn refuse(&self, head: Option<&Head>, refusal: Refusal) -> Response {
        if head.is_some_and(|head| head.path == "/panic-twice") {
            panic!("as the test wants");
        }
        let status = match &refusal {
            Refusal::BodyTooLarge { .. } => 413,
            Refusal::BodyTooSlow => 408,
            Refusal::Malformed(_) => 400,
            Refusal::Overloaded { .. } => 429,
            Refusal::Stopping => 503,
            Refusal::HeadTooLarge => 431,
            Refusal::Panicked => 500,
        };
        let path = head.map_or("", |head| head.path.as_str());
        Response::new(status, "text/plain", format!("refused {path}: {refusal:?}")).with_header("x-refused", "yes")
    }
}

/// Connections with threads for themselves, and without: what holds for one holds for the other.
const BOTH: [usize; 2] = [64, 0];

fn patient() -> ServeOptions {
    let (head_timeout, body_timeout, idle_timeout) = (PATIENCE, PATIENCE, PATIENCE);
    ServeOptions { head_timeout, body_timeout, idle_timeout, ..ServeOptions::default() }
}

/// Serves a script on a port of the system's choice.
fn stand(options: ServeOptions) -> (HttpServer, Arc<Script>, Strings) {
    let (script, strings) = script();
    let door = serve("127.0.0.1:0", options, Arc::clone(&script) as Arc<dyn Handler>).unwrap();
    (door, script, strings)
}

/// A client that writes its bytes by hand.
struct Line {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer, as its bytes say.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Line {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Line { stream, read: Vec::new() }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads until the bytes read hold `end`; gives those up to there.
    fn read_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return Ok(self.read.drain(..at + end.len()).collect());
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            len => {
                self.read.extend_from_slice(&piece[..len]);
                Ok(())
            }
        }
    }

    /// Reads an answer whose length its head says; `is_head` if it has no body.
    fn try_answer(&mut self, is_head: bool) -> io::Result<Answer> {
        let head = String::from_utf8(self.read_until(b"\r\n\r\n")?).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |len| len.parse().unwrap());
        let len = if is_head { 0 } else { len };
        while self.read.len() < len {
            self.fill()?;
        }
        Ok(Answer { status, head, body: self.read.drain(..len).collect() })
    }

    fn answer(&mut self) -> Answer {
        self.try_answer(false).unwrap()
    }

    /// Tells whether the other side ends the connection in order, with nothing more sent.
    fn is_closed(&mut self) -> bool {
        self.read.is_empty() && matches!(self.fill(), Err(error) if error.kind() == io::ErrorKind::UnexpectedEof)
    }

    fn close_write(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Numbers that a seed gives.
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Self {
        Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// Changes, inserts or cuts off up to five times.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(5) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes.truncate(at + 1),
                1 => bytes[at] = self.below(256) as u8,
                2 => bytes.insert(at, self.below(256) as u8),
                _ => bytes.insert(at, bytes[self.below(bytes.len())]),
            }
        }
    }
}
