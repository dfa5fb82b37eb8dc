//! HTTP: what a request, a response and whoever answers are, without a word of the crates that speak it.
//!
//! A [`Handler`] is blocking code: it is asked once about a request's head, before any byte of the body is read, and
//! once about the whole request, on a thread of the door. It knows nothing of sockets and of who waits on them. [`serve()`] has one
//! answer through sockets, [`sim`] without, and [`client`] asks.

use std::fmt::{Debug, Formatter};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

mod call;
pub mod client;
mod connection;
mod exchange;
mod incoming;
mod outgoing;
mod pool;
mod private;
mod serve;
pub mod sim;
mod tls;
mod watch;

pub use serve::{HttpServer, serve};

#[cfg(test)]
mod tests;

/// What a request wants done with its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: as `GET`, and the body of the response is left out by the door.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`.
    Options,
    /// Any other word.
    Other,
}

impl Method {
    /// Returns the method that a request line names.
    #[must_use]
    pub fn read(name: &str) -> Self {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            _ => Method::Other,
        }
    }

    /// Returns the word of a request line; that of [`Method::Other`] is `OTHER`, which nobody defines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Other => "OTHER",
        }
    }
}

/// The headers of a message, in the order in which they came; names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Returns the first value under `name`, which is written in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(of, _)| *of == name).map(|(_, value)| value)
    }

    /// Returns all names with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds a header behind the others; its name becomes lower case.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_ascii_lowercase(), value.into()));
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let mut headers = Headers::default();
        pairs.into_iter().for_each(|(name, value)| headers.push(name.as_ref(), value));
        headers
    }
}

/// A request without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What is wanted.
    pub method: Method,
    /// The path as it was sent, still percent-encoded, without the query.
    pub path: String,
    /// What stands behind the first `?`; empty if nothing does.
    pub query: String,
    /// The headers.
    pub headers: Headers,
    /// Who sent it.
    pub peer: SocketAddr,
    /// Whether it came through TLS.
    pub is_tls: bool,
}

/// The body of a request.
pub enum RequestBody {
    /// All of it, in memory.
    Whole(Bytes),
    /// It is read from the connection as it comes. Reading fails with `TimedOut` if the client sends nothing for too
    /// long, with `FileTooLarge` if there is more than was admitted, and with `UnexpectedEof` if the client went away.
    Stream(Box<dyn Read + Send>),
}

impl RequestBody {
    /// Returns the bytes, read to the end if they still come.
    ///
    /// # Errors
    ///
    /// Fails as reading the stream does.
    pub fn into_whole(self) -> io::Result<Bytes> {
        match self {
            RequestBody::Whole(bytes) => Ok(bytes),
            RequestBody::Stream(mut from) => {
                let mut bytes = Vec::new();
                from.read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

impl Debug for RequestBody {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            RequestBody::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            RequestBody::Stream(_) => f.write_str("a stream"),
        }
    }
}

/// A request.
#[derive(Debug)]
pub struct Request {
    /// What is wanted, by whom.
    pub head: Head,
    /// What came with it.
    pub body: RequestBody,
}

/// The body of a response.
pub enum ResponseBody {
    /// All of it, in memory.
    Whole(Bytes),
    /// It is read and sent as fast as the client takes it, and never held whole.
    Stream {
        /// Where the bytes come from. An error breaks the connection off, so that no client takes a part for the whole.
        from: Box<dyn Read + Send>,
        /// How many bytes there are, if that is known; the client is told, and then exactly so many are sent.
        len: Option<u64>,
    },
}

impl Debug for ResponseBody {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            ResponseBody::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            ResponseBody::Stream { len: Some(len), .. } => write!(f, "a stream of {len} bytes"),
            ResponseBody::Stream { len: None, .. } => f.write_str("a stream"),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The three digits of the status line.
    pub status: u16,
    /// Headers besides those of the connection and the body's length, which the door writes.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent.
    pub body: ResponseBody,
}

impl Response {
    /// Returns a response whose body is at hand.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Response { status, headers: vec![("content-type", content_type.to_owned())], body: ResponseBody::Whole(body.into()) }
    }

    /// Returns the response with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// How the body of a request is taken, decided from its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The most bytes that the body may have.
    pub body_max: u64,
    /// Whether the handler reads the body as it comes, instead of getting it whole.
    pub is_streamed: bool,
    /// Whether the request is answered however many others wait, and counts for none of them: health, metrics.
    pub is_urgent: bool,
}

/// Why the door answers by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body is longer than was admitted, by what its head says or by what came.
    BodyTooLarge {
        /// The most bytes that were admitted.
        limit: u64,
    },
    /// The head or the body did not come in time.
    BodyTooSlow,
    /// The request cannot be read; the words say why.
    Malformed(String),
    /// As many requests as may are running and waiting.
    Overloaded {
        /// When it is worth to ask again.
        retry_after_seconds: u32,
    },
    /// The door is closing.
    Stopping,
    /// The request line and the headers are longer than the door reads.
    HeadTooLarge,
    /// The handler panicked; the process goes on.
    Panicked,
}

/// Whoever answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Decides from a request's head how its body is taken. Called before any byte of the body is read, on a thread that
    /// many connections share: it looks things up and waits for nothing.
    ///
    /// # Errors
    ///
    /// Gives the response to send instead; the body is not read then.
    fn admit(&self, head: &Head) -> Result<Admission, Response>;

    /// Answers a request. May block; runs on a thread of its own until it returns, whether the client still waits or not.
    fn handle(&self, request: Request) -> Response;

    /// Gives the words for what the door refuses by itself; `head` is what could be read of the request.
    fn refuse(&self, head: Option<&Head>, refusal: Refusal) -> Response;
}

/// How requests are served.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Threads that watch the connections which have none for themselves; they read and write, and run no handler.
    pub workers: usize,
    /// The most connections with a thread for themselves, on which their requests are handled: those that come first. The others
    /// have each request handed to a thread and its answer back, which costs about 10 microseconds of processor time more.
    pub private_max: usize,
    /// The most requests that are handled at once.
    pub concurrency_max: usize,
    /// The most requests that wait for that; above it they are refused.
    pub queue_max: usize,
    /// The most bytes of bodies that are held in memory, by all requests together; a request whose body finds no room is refused as
    /// overload. At least the longest body that is admitted should fit. The first 64 KiB of each body are not counted.
    pub bodies_max: u64,
    /// The most open connections; more wait to be accepted.
    pub connections_max: usize,
    /// How long a request line with its headers may take to come.
    pub head_timeout: Duration,
    /// How long a client may send nothing of a body that it announced.
    pub body_timeout: Duration,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// What proves to clients who we are; without it, requests come in the clear.
    pub tls: Option<TlsIdentity>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        ServeOptions {
            workers: 2,
            private_max: 64,
            concurrency_max: 64,
            queue_max: 1024,
            bodies_max: 1 << 30,
            connections_max: 4096,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            tls: None,
        }
    }
}

/// A certificate with what leads to a known authority, and its key.
#[derive(Clone)]
pub struct TlsIdentity {
    /// The certificate first, then those above it, as PEM.
    pub certificates_pem: Vec<u8>,
    /// The private key, as PEM.
    pub key_pem: Vec<u8>,
}

impl Debug for TlsIdentity {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a certificate and its key")
    }
}

/// Why something could not be done over HTTP.
#[derive(Debug)]
pub struct HttpError {
    /// What was tried, as a verb: "listen on", "connect to".
    pub op: &'static str,
    /// The address or URL that it was tried on.
    pub address: String,
    /// What went wrong.
    pub source: io::Error,
}

impl HttpError {
    /// Returns an error that names the operation, the address and the cause.
    pub fn new(op: &'static str, address: impl Into<String>, source: io::Error) -> Self {
        Self { op, address: address.into(), source }
    }

    /// Returns the kind of the cause.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Tells whether another process listens on the address.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        self.kind() == io::ErrorKind::AddrInUse
    }
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} {}: ", self.op, self.address)?;
        if self.is_address_in_use() { f.write_str("the address is in use by another process") } else { write!(f, "{}", self.source) }
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
