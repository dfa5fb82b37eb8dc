//! Bodies that are longer than anybody holds: as fast as the other side reads, and broken off rather than cut short.

use super::super::client::{Client, ClientOptions};
use super::*;

/// The most that may be on its way: the buffers of two sockets, and the pieces of the door.
const ON_THE_WAY: u64 = 24 << 20;

/// What a test knows of bodies by the number that it gives them.
#[derive(Default)]
struct Watched {
    /// How much the other side has read; a source that is ahead of it by more than it should panics.
    consumed: BTreeMap<u64, Arc<AtomicU64>>,
    /// Told when the source is dropped.
    dropped: BTreeMap<u64, Sender<()>>,
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched { consumed: BTreeMap::new(), dropped: BTreeMap::new() });

/// Returns what hears that the body with this number is dropped.
pub(super) fn expect_drop(number: u64) -> Receiver<()> {
    let (to, from) = channel();
    WATCHED.lock().dropped.insert(number, to);
    from
}

/// Counts what the reader of the body with this number has read.
fn count_consumed(number: u64) -> Arc<AtomicU64> {
    Arc::clone(WATCHED.lock().consumed.entry(number).or_default())
}

/// Bytes that tell their position.
struct Source {
    at: u64,
    len: u64,
    fails_at: u64,
    consumed: Option<Arc<AtomicU64>>,
    _dropped: Option<OnDrop>,
}

struct OnDrop(Sender<()>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl Source {
    fn new(len: u64) -> Self {
        Source { at: 0, len, fails_at: u64::MAX, consumed: None, _dropped: None }
    }
}

fn byte_at(position: u64) -> u8 {
    (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.fails_at {
            return Err(io::Error::other("as the test wants"));
        }
        let end = self.len.min(self.fails_at);
        let len = into.len().min(usize::try_from(end - self.at).unwrap());
        into[..len].iter_mut().zip(self.at..).for_each(|(byte, position)| *byte = byte_at(position));
        self.at += len as u64;
        if let Some(consumed) = &self.consumed {
            let ahead = self.at - consumed.load(Ordering::SeqCst);
            assert!(ahead <= ON_THE_WAY, "{ahead} bytes are on their way");
        }
        Ok(len)
    }
}

/// Reads to the end and checks each byte; tells how many there were.
fn check(mut from: impl Read, consumed: &AtomicU64) -> io::Result<u64> {
    let (mut at, mut piece) = (0_u64, vec![0; 1 << 16]);
    loop {
        let len = from.read(&mut piece)?;
        let is_right = piece[..len].iter().zip(at..).all(|(byte, position)| *byte == byte_at(position));
        assert!(is_right, "behind byte {at}");
        at += len as u64;
        consumed.store(at, Ordering::SeqCst);
        if len == 0 {
            return Ok(at);
        }
    }
}

/// A response as a query describes it.
pub(super) fn download(query: &BTreeMap<String, u64>) -> Response {
    let len = query["len"];
    let (consumed, dropped) = match query.get("watched") {
        Some(number) => {
            let mut watched = WATCHED.lock();
            (watched.consumed.get(number).cloned(), watched.dropped.remove(number).map(OnDrop))
        }
        None => (None, None),
    };
    let fails_at = query.get("fails").copied().unwrap_or(u64::MAX);
    let from = Box::new(Source { at: 0, len, fails_at, consumed, _dropped: dropped });
    let said = query.get("said").copied().unwrap_or(len);
    let len = (query.get("known") != Some(&0)).then_some(said);
    Response { status: 200, headers: Vec::new(), body: ResponseBody::Stream { from, len } }
}

fn client(door: &HttpServer) -> Client {
    Client::new(&format!("http://{}", door.local_address()), ClientOptions::default()).unwrap()
}

#[test]
fn a_download_is_read_no_faster_than_the_client_takes_it() {
    let (door, _script, _strings) = stand(patient());
    let len = 160_u64 << 20;
    for (number, known) in [(1, 1), (2, 0)] {
        let consumed = count_consumed(number);
        let answer = client(&door).send(Method::Get, &format!("/download?len={len}&known={known}&watched={number}"), &[], &[]).unwrap();
        assert_eq!(answer.headers.get("content-length").is_some(), known == 1);
        assert_eq!(check(answer.body, &consumed).unwrap(), len);
    }
}

#[test]
fn a_download_that_fails_or_is_shorter_than_said_breaks_off() {
    let (door, _script, _strings) = stand(patient());
    for query in ["len=3000000&fails=2000000", "len=3000000&fails=2000000&known=0", "len=2000000&said=3000000"] {
        let answer = client(&door).send(Method::Get, &format!("/download?{query}"), &[], &[]).unwrap();
        assert_eq!(answer.status, 200);
        let broken = check(answer.body, &AtomicU64::new(0)).unwrap_err();
        assert!(matches!(broken.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset), "{query}: {broken}");
    }
    let longer = client(&door).send(Method::Get, "/download?len=3000000&said=2000000", &[], &[]).unwrap();
    assert_eq!(check(longer.body, &AtomicU64::new(0)).unwrap(), 2_000_000, "and no more than was said is sent");
}

#[test]
fn an_upload_is_taken_no_faster_than_the_handler_reads_it() {
    /// Reads slowly enough to be behind: it counts, and the source looks at the count.
    struct Counting(Arc<AtomicU64>);
    impl Handler for Counting {
        fn admit(&self, _head: &Head) -> Result<Admission, Response> {
            Ok(Admission { body_max: 1 << 40, is_streamed: true, is_urgent: false })
        }
        fn handle(&self, request: Request) -> Response {
            let RequestBody::Stream(from) = request.body else { panic!("the body was to be streamed") };
            let len = check(from, &self.0).unwrap();
            Response::new(200, "text/plain", len.to_string())
        }
        fn refuse(&self, _head: Option<&Head>, refusal: Refusal) -> Response {
            Response::new(500, "text/plain", format!("{refusal:?}"))
        }
    }
    let consumed = Arc::new(AtomicU64::new(0));
    let door = serve("127.0.0.1:0", patient(), Arc::new(Counting(Arc::clone(&consumed)))).unwrap();
    let len = 160_u64 << 20;
    for said in [Some(len), None] {
        consumed.store(0, Ordering::SeqCst);
        let mut source = Source { consumed: Some(Arc::clone(&consumed)), ..Source::new(len) };
        let answer = client(&door).send_stream(Method::Put, "/", &[], &mut source, said).unwrap();
        assert_eq!(answer.into_whole(100).unwrap(), len.to_string().as_bytes());
    }
}

#[test]
fn an_upload_that_is_too_long_is_found_out_where_it_becomes_so() {
    let (door, _script, _strings) = stand(patient());
    let said = client(&door).send_stream(Method::Put, "/upload?max=100000", &[], &mut Source::new(200_000), Some(200_000)).unwrap();
    assert_eq!(said.status, 413);
    let unsaid = client(&door).send_stream(Method::Put, "/upload?max=100000", &[], &mut Source::new(200_000), None).unwrap();
    assert_eq!((unsaid.status, unsaid.into_whole(100).unwrap()), (400, b"FileTooLarge".to_vec()));
}

#[test]
fn an_upload_that_stops_or_comes_slowly_ends_with_an_error_for_the_handler() {
    let (door, script, _strings) = stand(ServeOptions { body_timeout: Duration::from_millis(60), ..patient() });
    let mut line = Line::new(door.local_address());
    line.send("PUT /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\na part");
    assert_eq!(line.answer().text(), "TimedOut");
    let mut line = Line::new(door.local_address());
    line.send("PUT /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\na part");
    drop(line);
    assert!(door.stop(PATIENCE), "both handlers ended");
    assert!(script.handled.load(Ordering::SeqCst) <= 2);
}

#[test]
fn an_answer_to_an_upload_that_nobody_reads_arrives() {
    let (door, _script, _strings) = stand(patient());
    let asked = client(&door);
    for said in [Some(4 << 20), None] {
        let answer = asked.send_stream(Method::Put, "/upload-ignored?max=100000000", &[], &mut Source::new(4 << 20), said).unwrap();
        assert_eq!(answer.into_whole(100).unwrap(), b"not read");
    }
    assert_eq!(asked.send(Method::Get, "/echo", &[], &[]).unwrap().status, 200);
}
