//! The life of one connection: its handshake, its requests, and how it ends so that the client has read the last word.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, select};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::exchange::{Desk, Origin};
use super::outgoing::{header_value, status};
use super::private::OwnThread;
use super::watch::{Limits, Verdict, Watch, Watched};
use super::{Refusal, Response, ResponseBody, call};

/// The most bytes of a request line with its headers.
const HEAD_SIZE_MAX: usize = 64 << 10;
/// How long a client may take to read the last word and to stop sending.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What all connections share.
pub(super) struct Line {
    /// What their requests share.
    pub desk: Arc<Desk>,
    /// How long anything may take.
    pub limits: Limits,
    /// How handshakes are made, where TLS is spoken.
    pub tls: Option<TlsAcceptor>,
}

/// How far a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// There is none.
    Open,
    /// Nothing more is accepted, and each answer tells that it is the last.
    Closing,
    /// Connections end with the request that runs.
    Ends,
    /// Connections end where they are.
    Over,
}

/// Why a connection is done.
enum End {
    /// One of the two sides ended it as the protocol says, or it broke.
    Closed(Option<hyper::Error>),
    /// We end it.
    Ours(Verdict),
}

impl Line {
    /// Serves a connection until it ends, with handlers on `own_thread` if there is one.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr, own_thread: Option<OwnThread>, mut stage: Receiver<Stage>) {
        // Answers are written whole; nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = &self.tls else {
            let origin = Origin { peer, is_tls: false, own_thread, watch: Watch::new() };
            return self.drive(stream, origin, stage).await;
        };
        let handshake = {
            let ended = pin!(stage.wait_for(|stage| *stage >= Stage::Ends));
            match select(pin!(timeout(self.limits.head, acceptor.accept(stream))), ended).await {
                Either::Left((handshake, _)) => handshake,
                Either::Right(_) => return,
            }
        };
        if let Ok(Ok(stream)) = handshake {
            let origin = Origin { peer, is_tls: true, own_thread, watch: Watch::new() };
            self.drive(stream, origin, stage).await;
        }
    }

    async fn drive<S>(&self, stream: S, origin: Origin, mut stage: Receiver<Stage>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (watch, desk) = (origin.watch.clone(), &self.desk);
        let service = service_fn(|request| {
            let origin = &origin;
            async move { Ok::<_, Infallible>(desk.exchange(origin, request).await) }
        });
        let mut protocol = http1::Builder::new();
        // Time is kept here, where its end can be answered.
        protocol.header_read_timeout(None).max_buf_size(HEAD_SIZE_MAX).max_header_size(HEAD_SIZE_MAX);
        let mut connection = protocol.serve_connection(TokioIo::new(Watched { stream, watch: watch.clone() }), service);
        let end = {
            let mut alarm = pin!(sleep_until(Instant::now() + self.limits.tick()));
            let mut later = stage.clone();
            let mut ending = pin!(stage.wait_for(|stage| *stage >= Stage::Ends));
            let mut over = pin!(later.wait_for(|stage| *stage == Stage::Over));
            let mut is_ending = false;
            poll_fn(|cx| {
                if let Poll::Ready(done) = Pin::new(&mut connection).poll(cx) {
                    return Poll::Ready(End::Closed(done.err()));
                }
                if !is_ending && ending.as_mut().poll(cx).is_ready() {
                    is_ending = true;
                    if !watch.is_busy() {
                        return Poll::Ready(End::Ours(Verdict::Idle));
                    }
                    Pin::new(&mut connection).graceful_shutdown();
                    cx.waker().wake_by_ref();
                }
                if is_ending && over.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(End::Ours(Verdict::Stuck));
                }
                watch_over(&watch, self.limits, alarm.as_mut(), cx).map(End::Ours)
            })
            .await
        };
        let stream = connection.into_parts().io.into_inner().stream;
        self.end(stream, end, &watch).await;
    }

    /// Says what is to be said, and closes so that it arrives.
    async fn end<S>(&self, mut stream: S, end: End, watch: &Watch)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let refusal = match end {
            End::Closed(Some(error)) if watch.has_swallowed() => Some(refusal_of(&error)),
            End::Ours(Verdict::HeadTooSlow) => Some(Refusal::BodyTooSlow),
            End::Closed(_) if watch.has_abandoned() => None,
            End::Ours(Verdict::Idle) => {
                // Through TLS the other side wants to know that it is us who close.
                let _ = timeout(LAST_WORD, stream.shutdown()).await;
                return;
            }
            End::Closed(_) | End::Ours(_) => return,
        };
        let last_word = async {
            if let Some(refusal) = refusal {
                stream.write_all(&render(call::refuse(&*self.desk.handler, None, refusal))).await?;
            }
            stream.shutdown().await?;
            // A socket that is closed with bytes unread takes back what was sent: they are read first.
            let mut unread = vec![0; 16 << 10];
            while stream.read(&mut unread).await? > 0 {}
            io::Result::Ok(())
        };
        // Whoever does not read it has lost interest.
        let _ = timeout(LAST_WORD, last_word).await;
    }
}

/// Looks at a connection whenever the alarm rings, and sets it again.
fn watch_over(watch: &Watch, limits: Limits, mut alarm: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<Verdict> {
    while alarm.as_mut().poll(cx).is_ready() {
        match watch.look(Instant::now(), limits) {
            Verdict::Wait(until) => alarm.as_mut().reset(until),
            verdict => return Poll::Ready(verdict),
        }
    }
    Poll::Pending
}

fn refusal_of(error: &hyper::Error) -> Refusal {
    if error.is_parse_too_large() { Refusal::HeadTooLarge } else { Refusal::Malformed(error.to_string()) }
}

/// Writes a response where the crate that speaks HTTP is done with the connection.
fn render(response: Response) -> Vec<u8> {
    let body = match response.body {
        ResponseBody::Whole(bytes) => bytes,
        // Words of a refusal are no stream; if they are, the status must do.
        ResponseBody::Stream { .. } => bytes::Bytes::new(),
    };
    let status = status(response.status);
    let mut text = format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default()).into_bytes();
    for (name, value) in response.headers {
        for part in [name.as_bytes(), b": ", header_value(&value).as_bytes(), b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
    text.extend_from_slice(&body);
    text
}
