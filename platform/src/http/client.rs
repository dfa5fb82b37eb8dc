//! A blocking client: one request at a time on a connection, and connections are kept for the next.
//!
//! It stands on the standard library's sockets and a parser of heads: a command line that asks a server once should not start
//! threads for it, and a load test wants two system calls a request and nothing else.

use std::fmt::{Debug, Formatter};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

mod answer;
mod url;
mod wire;

use answer::Body;
pub use answer::ClientResponse;
use url::BaseUrl;
use wire::{AnswerHead, Wire};

use super::{HttpError, Method, tls};

/// Connections that are kept.
const KEPT_MAX: usize = 32;
/// Bodies up to here are sent with their head, in one piece.
const JOINED: usize = 64 << 10;

/// How a server is asked.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long the server may send nothing, or take nothing, while it is waited for.
    pub read_timeout: Duration,
    /// Sent with each request; a key belongs here.
    pub headers: Vec<(String, String)>,
    /// Authorities that are believed instead of those of the system, as PEM.
    pub ca_pem: Option<Vec<u8>>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions { connect_timeout: Duration::from_secs(5), read_timeout: Duration::from_secs(60), headers: Vec::new(), ca_pem: None }
    }
}

/// Asks one server; cheap to clone, and clones share their connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    base: BaseUrl,
    options: ClientOptions,
    tls: Option<Arc<rustls::ClientConfig>>,
    kept: Mutex<Vec<Wire>>,
}

/// A request that is written down once and sent many times.
#[derive(Clone, Debug)]
pub struct Prepared {
    method: Method,
    bytes: Vec<u8>,
}

impl Debug for Client {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "a client of {}", self.shared.base)
    }
}

impl Client {
    /// Returns a client of the server at `base_url`, which is `http://` or `https://` with a host, and may have a path that comes
    /// before all others. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Fails if the URL is none, if a header cannot be sent, and if the authorities cannot be read.
    pub fn new(base_url: &str, options: ClientOptions) -> Result<Self, HttpError> {
        let failed = |source| HttpError::new("use", base_url, source);
        let base = BaseUrl::read(base_url).map_err(failed)?;
        options.headers.iter().try_for_each(|(name, value)| check_header(name, value)).map_err(failed)?;
        let tls = base.is_tls.then(|| tls::client_config(options.ca_pem.as_deref())).transpose().map_err(failed)?;
        Ok(Client { shared: Arc::new(Shared { base, options, tls, kept: Mutex::default() }) })
    }

    /// Sends a request and returns the head of its answer, with the body still to be read.
    ///
    /// A connection that was kept and turns out to be closed is made anew if that cannot do anything twice.
    ///
    /// # Errors
    ///
    /// Fails if the server cannot be reached or does not answer in time, if its answer is not HTTP, and if the path or a header
    /// cannot be sent. An answer of any status is an answer.
    pub fn send(&self, method: Method, path_and_query: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<ClientResponse, HttpError> {
        let prepared = self.prepare_head(method, path_and_query, headers, body)?;
        let (wire, head) = self.exchange(method, &prepared, body).map_err(|error| self.failed(error))?;
        Ok(self.response(wire, head))
    }

    /// Sends a request whose body is read while it is sent; `len` is its length if that is known.
    ///
    /// # Errors
    ///
    /// Fails as [`Self::send`] does, and if the body cannot be read or is shorter than `len`.
    pub fn send_stream(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &mut dyn Read,
        len: Option<u64>,
    ) -> Result<ClientResponse, HttpError> {
        let framing = len.map_or_else(|| "transfer-encoding: chunked\r\n".to_owned(), |len| format!("content-length: {len}\r\n"));
        let head = self.head(method, path_and_query, headers, &framing).map_err(|error| self.failed(error))?;
        let mut wire = self.connect().map_err(|error| self.failed(error))?;
        let sent = wire.write_all(&head).and_then(|()| send_body(&mut wire, body, len));
        let head = answer_to(&mut wire, method, sent).map_err(|error| self.failed(error))?;
        Ok(self.response(wire, head))
    }

    /// Writes a request down.
    ///
    /// # Errors
    ///
    /// Fails if the path or a header cannot be sent.
    pub fn prepare(&self, method: Method, path_and_query: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Prepared, HttpError> {
        let mut bytes = self.prepare_head(method, path_and_query, headers, body)?;
        if body.len() > JOINED {
            bytes.extend_from_slice(body);
        }
        Ok(Prepared { method, bytes })
    }

    /// Sends what was written down, reads the body of the answer into `answer` (which is cleared), and returns the status.
    ///
    /// # Errors
    ///
    /// Fails as [`Self::send`] does, and if the answer breaks off.
    pub fn send_prepared(&self, prepared: &Prepared, answer: &mut Vec<u8>) -> Result<u16, HttpError> {
        answer.clear();
        let (wire, head) = self.exchange(prepared.method, &prepared.bytes, &[]).map_err(|error| self.failed(error))?;
        let mut body = Body::new(wire, &head, Arc::clone(&self.shared));
        body.read_to_end(answer).map_err(|error| self.failed(error))?;
        Ok(head.status)
    }

    fn failed(&self, error: io::Error) -> HttpError {
        HttpError::new("ask", self.shared.base.to_string(), error)
    }

    /// Writes the head down, and the body behind it if that is short.
    fn prepare_head(&self, method: Method, path_and_query: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Vec<u8>, HttpError> {
        let has_body = !body.is_empty() || matches!(method, Method::Post | Method::Put | Method::Patch);
        let framing = if has_body { format!("content-length: {}\r\n", body.len()) } else { String::new() };
        let mut bytes = self.head(method, path_and_query, headers, &framing).map_err(|error| self.failed(error))?;
        if body.len() <= JOINED {
            bytes.extend_from_slice(body);
        }
        Ok(bytes)
    }

    fn head(&self, method: Method, path_and_query: &str, headers: &[(&str, &str)], framing: &str) -> io::Result<Vec<u8>> {
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
        if method == Method::Other {
            return Err(invalid("a method that has no name cannot be sent"));
        }
        if !path_and_query.starts_with('/') || !path_and_query.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("a path begins with / and has neither spaces nor characters beyond ASCII; those are written as %XX"));
        }
        let Shared { base, options, .. } = &*self.shared;
        let mut head = format!("{} {}{path_and_query} HTTP/1.1\r\nhost: {}\r\n", method.name(), base.path, base.authority);
        let common = options.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in common.chain(headers.iter().copied()) {
            check_header(name, value)?;
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str(framing);
        head.push_str("\r\n");
        Ok(head.into_bytes())
    }

    /// Sends `head`, which has a short body behind it, and a body that is not short, and waits for the head of the answer.
    fn exchange(&self, method: Method, head: &[u8], body: &[u8]) -> io::Result<(Wire, AnswerHead)> {
        let long_body = if body.len() > JOINED { body } else { &[] };
        let exchange = |mut wire: Wire| {
            let sent = wire.write_all(head).and_then(|()| wire.write_all(long_body));
            answer_to(&mut wire, method, sent).map(|head| (wire, head))
        };
        let Some(kept) = self.shared.take_kept() else { return exchange(self.connect()?) };
        match exchange(kept) {
            // It was closed while the request was on its way; only what asks and changes nothing is sent again.
            Err(error) if is_closed(&error) && matches!(method, Method::Get | Method::Head) => exchange(self.connect()?),
            exchanged => exchanged,
        }
    }

    fn connect(&self) -> io::Result<Wire> {
        let Shared { base, options, tls, .. } = &*self.shared;
        Wire::connect(base, tls.as_ref(), options.connect_timeout, options.read_timeout)
    }

    fn response(&self, wire: Wire, head: AnswerHead) -> ClientResponse {
        let body = Body::new(wire, &head, Arc::clone(&self.shared));
        ClientResponse { status: head.status, headers: head.headers, body: Box::new(body) }
    }
}

impl Shared {
    /// Takes a kept connection that is still open.
    fn take_kept(&self) -> Option<Wire> {
        loop {
            let wire = self.kept.lock().pop()?;
            if wire.is_quiet() {
                return Some(wire);
            }
        }
    }

    /// Keeps a connection whose answer was read to the end.
    fn keep(&self, wire: Wire) {
        let mut kept = self.kept.lock();
        if kept.len() < KEPT_MAX {
            kept.push(wire);
        }
    }
}

/// Reads the answer also where sending failed: a server that refuses does so before it has read everything.
fn answer_to(wire: &mut Wire, method: Method, sent: io::Result<()>) -> io::Result<AnswerHead> {
    match (wire.read_head(method), sent) {
        (Ok(mut head), sent) => {
            head.keeps &= sent.is_ok();
            Ok(head)
        }
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn send_body(wire: &mut Wire, body: &mut dyn Read, len: Option<u64>) -> io::Result<()> {
    let mut piece = vec![0; JOINED];
    let mut left = len;
    loop {
        let most = left.map_or(piece.len(), |left| piece.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        if most == 0 {
            return Ok(());
        }
        let read = match body.read(&mut piece[..most]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        match (&mut left, read) {
            (Some(_), 0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body is shorter than it was said to be")),
            (Some(left), read) => {
                *left -= read as u64;
                wire.write_all(&piece[..read])?;
            }
            (None, 0) => return wire.write_all(b"0\r\n\r\n"),
            (None, read) => {
                wire.write_all(format!("{read:x}\r\n").as_bytes())?;
                wire.write_all(&piece[..read])?;
                wire.write_all(b"\r\n")?;
            }
        }
    }
}

fn check_header(name: &str, value: &str) -> io::Result<()> {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let is_value = value.bytes().all(|byte| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic() || byte >= 0x80);
    // The value may be a key: it is not shown.
    let why = || io::Error::new(io::ErrorKind::InvalidInput, format!("the header \"{}\" or its value cannot be sent", name.escape_debug()));
    if is_name && is_value { Ok(()) } else { Err(why()) }
}
