//! The body of a request, off the connection: whole or as a stream, never more than was admitted, and not slower than agreed.

use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Refusal;
use super::exchange::RETRY_AFTER_SECONDS;

/// A client may take the limit's time for each so many bytes; one that sends a byte now and then runs out of it.
const PACE: u64 = 64 << 10;
/// The most that is allocated because a head says so; more is allocated when it came.
const TRUSTED: u64 = 256 << 10;
/// Pieces that wait for a handler which reads slower than the client sends.
const PIECES: usize = 4;

/// The memory for bodies, shared by all requests.
pub(super) struct Room(Arc<Semaphore>);

/// What one body has of it.
pub(super) struct Share(Option<OwnedSemaphorePermit>);

impl Room {
    /// Returns room for about so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let pages = usize::try_from(bytes / PACE).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Room(Arc::new(Semaphore::new(pages)))
    }

    /// Makes `share` enough for `len` bytes. What is less than a page is not counted: connections are limited too.
    fn give(&self, share: &mut Share, len: u64) -> Result<(), Refusal> {
        let held = share.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u64;
        let missing = (len / PACE).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let pages = u32::try_from(missing).unwrap_or(u32::MAX);
        let overloaded = |_| Refusal::Overloaded { retry_after_seconds: RETRY_AFTER_SECONDS };
        let more = Arc::clone(&self.0).try_acquire_many_owned(pages).map_err(overloaded)?;
        match &mut share.0 {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// A body that is read off its connection.
pub(super) struct BodyReader {
    incoming: Incoming,
    max: u64,
    came: u64,
    limit: Duration,
    deadline: Instant,
    /// How many bytes had come when the deadline was set.
    paced: u64,
    is_at_end: bool,
}

impl BodyReader {
    /// Returns a reader that gives nothing yet; `limit` is the time that [`PACE`] bytes may take.
    pub(super) fn new(incoming: Incoming, limit: Duration) -> Self {
        let is_at_end = incoming.is_end_stream();
        BodyReader { incoming, max: 0, came: 0, limit, deadline: Instant::now() + limit, paced: 0, is_at_end }
    }

    /// Has it give at most `max` bytes.
    pub(super) fn admit(&mut self, max: u64) {
        assert_eq!(self.came, 0, "a body is admitted before it is read");
        self.max = max;
    }

    /// Tells whether every byte was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Looks at the length that the head says.
    pub(super) fn check_declared(&self) -> Result<(), Refusal> {
        let declared = self.incoming.size_hint().exact().unwrap_or(0);
        if declared > self.max { Err(Refusal::BodyTooLarge { limit: self.max }) } else { Ok(()) }
    }

    /// Reads the next bytes; `None` after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        while !self.is_at_end {
            let incoming = &mut self.incoming;
            let frame = timeout_at(self.deadline, poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx))).await;
            match frame {
                Err(_) => return Err(Refusal::BodyTooSlow),
                Ok(None) => self.is_at_end = true,
                Ok(Some(Err(error))) => return Err(Refusal::Malformed(reason(&error))),
                Ok(Some(Ok(frame))) => {
                    self.is_at_end = self.incoming.is_end_stream();
                    // Trailers say nothing that anybody here asks for.
                    let Ok(bytes) = frame.into_data() else { continue };
                    self.came += bytes.len() as u64;
                    if self.came > self.max {
                        return Err(Refusal::BodyTooLarge { limit: self.max });
                    }
                    if self.came - self.paced >= PACE {
                        (self.paced, self.deadline) = (self.came, Instant::now() + self.limit);
                    }
                    if !bytes.is_empty() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Reads all of it into memory, of which `room` gives a share for as long as the second value lives.
    pub(super) async fn whole(&mut self, room: &Room) -> Result<(Bytes, Share), Refusal> {
        self.check_declared()?;
        let mut share = Share(None);
        let Some(first) = self.next().await? else { return Ok((Bytes::new(), share)) };
        room.give(&mut share, self.came)?;
        if self.is_at_end {
            return Ok((first, share));
        }
        let rest = self.incoming.size_hint().lower().min(TRUSTED);
        let mut whole = BytesMut::with_capacity(first.len() + usize::try_from(rest).unwrap_or(0));
        whole.extend_from_slice(&first);
        while let Some(bytes) = self.next().await? {
            room.give(&mut share, self.came)?;
            whole.extend_from_slice(&bytes);
        }
        Ok((whole.freeze(), share))
    }

    /// Sends all of it to a handler, as fast as that reads, until there is no more or nobody wants it.
    pub(super) async fn pump(&mut self, to: Sender<io::Result<Bytes>>) {
        loop {
            // The client's time runs only while there is room for what it sends.
            let asked = Instant::now();
            let Ok(room) = to.reserve().await else { return };
            self.deadline += asked.elapsed();
            match self.next().await {
                Ok(Some(bytes)) => room.send(Ok(bytes)),
                Ok(None) => {
                    // An empty piece is the end; a sender that only goes away is a client that did.
                    room.send(Ok(Bytes::new()));
                    return;
                }
                Err(refusal) => {
                    room.send(Err(error_of(&refusal)));
                    return;
                }
            }
        }
    }
}

/// Says what is wrong with a body, without the words of the crate about itself.
fn reason(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.unwrap_or_else(|| "the body breaks off or is not in the form that its head says".to_owned())
}

fn error_of(refusal: &Refusal) -> io::Error {
    match refusal {
        Refusal::BodyTooLarge { limit } => io::Error::new(io::ErrorKind::FileTooLarge, format!("the body has more than {limit} bytes")),
        Refusal::BodyTooSlow => io::Error::new(io::ErrorKind::TimedOut, "the body did not come in time"),
        Refusal::Malformed(why) => io::Error::new(io::ErrorKind::InvalidData, why.clone()),
        other => unreachable!("reading a body does not end with {other:?}"),
    }
}

/// What a handler reads of a body that still comes.
pub(super) struct StreamedBody {
    from: Receiver<io::Result<Bytes>>,
    piece: Bytes,
    is_at_end: bool,
}

/// Returns the two ends of a body on its way to a handler.
pub(super) fn stream() -> (Sender<io::Result<Bytes>>, StreamedBody) {
    let (to, from) = channel(PIECES);
    (to, StreamedBody { from, piece: Bytes::new(), is_at_end: false })
}

impl Read for StreamedBody {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.is_at_end {
            match self.from.blocking_recv() {
                Some(Ok(piece)) => {
                    self.is_at_end = piece.is_empty();
                    self.piece = piece;
                }
                Some(Err(error)) => return Err(error),
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the client went away before the end of its body")),
            }
        }
        let len = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..len]);
        Ok(len)
    }
}
