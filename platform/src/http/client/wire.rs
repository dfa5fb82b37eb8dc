//! One connection to a server: bytes there, and the head of an answer back.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::url::BaseUrl;
use crate::http::{Headers, Method};

/// The most bytes that the head of an answer, or the line of a chunk, may have.
const HEAD_SIZE_MAX: usize = 64 << 10;
/// The most headers of an answer.
const HEADERS_MAX: usize = 128;
/// How much is read at once.
const PIECE: usize = 16 << 10;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub status: u16,
    pub headers: Headers,
    pub framing: Framing,
    /// Whether the connection can be used again.
    pub keeps: bool,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After a chunk of no bytes.
    Chunked,
    /// Where the connection does.
    Close,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A connection, with what was read of it and not used yet.
pub(super) struct Wire {
    stream: Stream,
    buffer: Vec<u8>,
    /// What stands before this position of the buffer was used.
    used: usize,
    timeout: Duration,
}

impl Wire {
    /// Connects to the server; a handshake of TLS is made with the first bytes.
    pub(super) fn connect(
        base: &BaseUrl,
        tls: Option<&Arc<ClientConfig>>,
        connect_timeout: Duration,
        timeout: Duration,
    ) -> io::Result<Self> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (base.host.as_str(), base.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, connect_timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(timeout))?;
                    stream.set_write_timeout(Some(timeout))?;
                    let stream = match tls {
                        None => Stream::Plain(stream),
                        Some(config) => {
                            let name = ServerName::try_from(base.host.clone())
                                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
                            let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                            Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
                        }
                    };
                    return Ok(Wire { stream, buffer: Vec::new(), used: 0, timeout });
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    /// Tells whether nothing came since the last answer: neither the end, nor what nobody asked for.
    pub(super) fn is_quiet(&self) -> bool {
        let mut wait = [PollFd::new(self.socket(), PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        self.unused().is_empty() && matches!(poll(&mut wait, Some(&at_once)), Ok(0))
    }

    /// Sends bytes.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        written.map_err(|error| self.in_words(error))
    }

    /// Returns what was read and not used.
    pub(super) fn unused(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Notes that the first `len` unused bytes are used.
    pub(super) fn use_up(&mut self, len: usize) {
        self.used += len;
        assert!(self.used <= self.buffer.len(), "only what was read is used");
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
        }
    }

    /// Reads more bytes behind the unused ones; 0 at the end.
    pub(super) fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let before = self.buffer.len();
        self.buffer.resize(before + PIECE, 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.read_stream(&mut buffer[before..]);
        buffer.truncate(before + *read.as_ref().unwrap_or(&0));
        self.buffer = buffer;
        read
    }

    /// Reads bytes, the unused ones first; 0 at the end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let unused = self.unused();
        if unused.is_empty() {
            if into.len() >= PIECE {
                return self.read_stream(into);
            }
            self.fill()?;
        }
        let len = into.len().min(self.unused().len());
        into[..len].copy_from_slice(&self.unused()[..len]);
        self.use_up(len);
        Ok(len)
    }

    fn read_stream(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(into),
                Stream::Tls(stream) => stream.read(into),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|error| self.in_words(error)),
            }
        }
    }

    /// Says what the system calls `WouldBlock`.
    fn in_words(&self, error: io::Error) -> io::Error {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            return io::Error::new(io::ErrorKind::TimedOut, format!("nothing came within {} s", self.timeout.as_secs_f64()));
        }
        error
    }

    /// Reads the head of the answer to a request, past what only announces one.
    pub(super) fn read_head(&mut self, method: Method) -> io::Result<AnswerHead> {
        loop {
            if let Some((len, head)) = parse(self.unused(), method)? {
                self.use_up(len);
                if head.status >= 200 {
                    return Ok(head);
                }
            } else if self.unused().len() > HEAD_SIZE_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of the answer is too long"));
            } else if self.fill()? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection without an answer"));
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Both);
    }
}

/// Parses a head and tells its length; `None` if there is not all of it.
fn parse(bytes: &[u8], method: Method) -> io::Result<Option<(usize, AnswerHead)>> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut slots);
    let len = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(invalid(format!("the answer is not HTTP: {error}"))),
    };
    let status = parsed.code.unwrap_or(0);
    let headers: Headers = parsed.headers.iter().map(|header| (header.name, String::from_utf8_lossy(header.value))).collect();
    let has = |name, word: &str| {
        headers.iter().any(|(of, value)| of == name && value.split(',').any(|each| each.trim().eq_ignore_ascii_case(word)))
    };
    let is_chunked = has("transfer-encoding", "chunked");
    let framing = match headers.get("content-length") {
        _ if method == Method::Head || status < 200 || status == 204 || status == 304 => Framing::Length(0),
        _ if is_chunked => Framing::Chunked,
        Some(len) => Framing::Length(len.trim().parse().map_err(|_| invalid("the answer's length is no number".to_owned()))?),
        None => Framing::Close,
    };
    let keeps = parsed.version == Some(1) && !has("connection", "close") && framing != Framing::Close;
    Ok(Some((len, AnswerHead { status, headers, framing, keeps })))
}
