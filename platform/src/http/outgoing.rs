//! A response on its way to the client: what we made of it, as the crate that speaks HTTP takes it.

use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::{Response as HyperResponse, StatusCode};
use tokio::task::{JoinHandle, spawn_blocking};

use super::watch::Open;
use super::{Response, ResponseBody};

/// How much of a streamed body is read at once; so much, and as much again, is held of each.
const PIECE: u64 = 256 << 10;

/// Turns an answer into what is sent; `open` is done when the last byte was given away.
pub(super) fn response(response: Response, closes: bool, open: Open) -> HyperResponse<Outgoing> {
    let body = match response.body {
        ResponseBody::Whole(bytes) => Kind::Whole(bytes),
        ResponseBody::Stream { from, len } => Kind::Stream(Streamed { next: Next::Rest(from), left: len }),
    };
    let mut made = HyperResponse::new(Outgoing { body, _open: open });
    *made.status_mut() = status(response.status);
    for (name, value) in response.headers {
        made.headers_mut().append(HeaderName::from_static(name), header_value(&value));
    }
    if closes {
        made.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    made
}

/// Returns the status; what is none, or belongs to the connection and not to an answer, is an error of ours.
pub(super) fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).ok().filter(|status| !status.is_informational()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns the value with `?` for each character that no header can hold: names of users end up in there.
pub(super) fn header_value(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| {
        let kept: String = value.chars().map(|each| if each == ' ' || each.is_ascii_graphic() { each } else { '?' }).collect();
        HeaderValue::from_str(&kept).expect("graphic ASCII is what a header holds")
    })
}

/// The body of a response.
pub(super) struct Outgoing {
    body: Kind,
    /// Held until the body is gone: the request counts as answered then.
    _open: Open,
}

enum Kind {
    Whole(Bytes),
    Stream(Streamed),
}

/// A body that is read while it is sent.
struct Streamed {
    next: Next,
    /// How many bytes are to come, if that is known.
    left: Option<u64>,
}

enum Next {
    /// What was not read yet.
    Rest(Box<dyn Read + Send>),
    /// A thread reads.
    Reading(JoinHandle<(Box<dyn Read + Send>, io::Result<Bytes>)>),
    Nothing,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.body {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Stream(streamed) => streamed.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Stream(streamed) => streamed.left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(Streamed { left: Some(left), .. }) => SizeHint::with_exact(*left),
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}

impl Streamed {
    /// Has the next piece read on a thread where that may block.
    fn read_on(&mut self) {
        if let Next::Rest(from) = std::mem::replace(&mut self.next, Next::Nothing) {
            let len = self.left.unwrap_or(PIECE).min(PIECE);
            if len > 0 {
                self.next = Next::Reading(spawn_blocking(move || read_piece(from, len)));
            }
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if matches!(self.next, Next::Rest(_)) {
            self.read_on();
        }
        let Next::Reading(reading) = &mut self.next else { return Poll::Ready(None) };
        let joined = ready!(Pin::new(reading).poll(cx));
        self.next = Next::Nothing;
        let Ok((from, read)) = joined else {
            return Poll::Ready(Some(Err(io::Error::other("reading the body panicked"))));
        };
        let piece = match read {
            Ok(piece) => piece,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        if piece.is_empty() {
            let is_short = self.left.is_some_and(|left| left > 0);
            return Poll::Ready(
                is_short.then(|| Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body is shorter than it was said to be"))),
            );
        }
        self.left = self.left.map(|left| left - piece.len() as u64);
        // The next piece is read while this one is sent.
        self.next = Next::Rest(from);
        self.read_on();
        Poll::Ready(Some(Ok(piece)))
    }
}

fn read_piece(mut from: Box<dyn Read + Send>, len: u64) -> (Box<dyn Read + Send>, io::Result<Bytes>) {
    let mut piece = vec![0; usize::try_from(len).expect("a piece is small")];
    let read = loop {
        match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    let read = read.map(|len| {
        piece.truncate(len);
        Bytes::from(piece)
    });
    (from, read)
}
