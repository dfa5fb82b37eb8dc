//! The answer of a server, and its body, read off the connection.

use std::fmt::{Debug, Formatter};
use std::io::{self, Read};
use std::sync::Arc;

use super::Shared;
use super::wire::{AnswerHead, Framing, Wire};
use crate::http::Headers;

/// The longest line before a chunk, and the most bytes of what may follow the last.
const LINE_MAX: usize = 8 << 10;

/// What a server answered; the body is still to be read.
pub struct ClientResponse {
    /// The three digits of the status line.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body. Once it is read to its end, the connection serves the next request.
    pub body: Box<dyn Read + Send>,
}

impl ClientResponse {
    /// Reads the body to its end.
    ///
    /// # Errors
    ///
    /// Fails if the body breaks off, and with `FileTooLarge` if it has more than `len_max` bytes.
    pub fn into_whole(self, len_max: u64) -> io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        // One byte more than allowed tells that there is more.
        self.body.take(len_max.saturating_add(1)).read_to_end(&mut whole)?;
        if whole.len() as u64 > len_max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("the answer has more than {len_max} bytes")));
        }
        Ok(whole)
    }
}

impl Debug for ClientResponse {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "an answer with status {}", self.status)
    }
}

/// A body on its connection, which goes back to the client after the last byte.
pub(super) struct Body {
    wire: Option<Wire>,
    home: Arc<Shared>,
    place: Place,
    keeps: bool,
}

/// How far a body is read.
enum Place {
    /// So many bytes are left, of the body or of a chunk.
    Left { left: u64, is_chunk: bool },
    /// The line of a chunk comes; `is_first` if no chunk came before.
    ChunkLine { is_first: bool },
    /// It ends with the connection.
    UntilClose,
}

impl Body {
    /// Returns the body that follows `head`.
    pub(super) fn new(wire: Wire, head: &AnswerHead, home: Arc<Shared>) -> Self {
        let place = match head.framing {
            Framing::Length(left) => Place::Left { left, is_chunk: false },
            Framing::Chunked => Place::ChunkLine { is_first: true },
            Framing::Close => Place::UntilClose,
        };
        let mut body = Body { wire: Some(wire), home, place, keeps: head.keeps };
        if head.framing == Framing::Length(0) {
            body.end();
        }
        body
    }

    /// Gives the connection back.
    fn end(&mut self) {
        if let Some(wire) = self.wire.take().filter(|_| self.keeps) {
            self.home.keep(wire);
        }
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.read_on(into);
        if read.is_err() {
            // What follows cannot be told from what belongs here.
            self.wire = None;
        }
        read
    }
}

impl Body {
    fn read_on(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let Some(wire) = &mut self.wire else { return Ok(0) };
            match &mut self.place {
                Place::UntilClose => return wire.read(into),
                Place::Left { left, is_chunk } if *left > 0 => {
                    let len = into.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    let read = wire.read(&mut into[..len])?;
                    if read == 0 {
                        return Err(breaks_off());
                    }
                    *left -= read as u64;
                    if *left == 0 && !*is_chunk {
                        self.end();
                    }
                    return Ok(read);
                }
                Place::Left { is_chunk: false, .. } => {
                    self.end();
                    return Ok(0);
                }
                Place::Left { is_chunk: true, .. } => self.place = Place::ChunkLine { is_first: false },
                Place::ChunkLine { is_first } => {
                    let left = chunk_len(wire, *is_first)?;
                    if left == 0 {
                        trailers(wire)?;
                        self.end();
                        return Ok(0);
                    }
                    self.place = Place::Left { left, is_chunk: true };
                }
            }
        }
    }
}

fn breaks_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the answer breaks off")
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not cut into chunks as HTTP says")
}

/// Reads the line before a chunk, and before that the end of the chunk before.
fn chunk_len(wire: &mut Wire, is_first: bool) -> io::Result<u64> {
    if !is_first && !line(wire)?.is_empty() {
        return Err(invalid());
    }
    let line = line(wire)?;
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or_else(invalid)
}

/// Reads what may follow the last chunk.
fn trailers(wire: &mut Wire) -> io::Result<()> {
    let mut len = 0;
    loop {
        let line = line(wire)?;
        len += line.len();
        match line.len() {
            0 => return Ok(()),
            _ if len > LINE_MAX => return Err(invalid()),
            _ => {}
        }
    }
}

/// Reads a line, without its end.
fn line(wire: &mut Wire) -> io::Result<Vec<u8>> {
    loop {
        if let Some(len) = wire.unused().iter().position(|byte| *byte == b'\n') {
            let line = wire.unused()[..len].strip_suffix(b"\r").ok_or_else(invalid)?.to_vec();
            wire.use_up(len + 1);
            return Ok(line);
        }
        if wire.unused().len() > LINE_MAX {
            return Err(invalid());
        }
        if wire.fill()? == 0 {
            return Err(breaks_off());
        }
    }
}
