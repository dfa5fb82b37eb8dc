//! One request from its head to its response: admitted, read, kept waiting or refused, handled, answered.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::Request as HyperRequest;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use super::incoming::{BodyReader, Room, stream};
use super::outgoing::{self, Outgoing};
use super::pool::Pool;
use super::private::OwnThread;
use super::watch::Watch;
use super::{Handler, Head, Headers, Method, Refusal, Request, RequestBody, Response, call};

/// When a client that was refused for load may ask again.
pub(super) const RETRY_AFTER_SECONDS: u32 = 1;

/// What all requests share.
pub(super) struct Desk {
    /// Who answers.
    pub handler: Arc<dyn Handler>,
    /// Threads for that, where a connection has none for itself.
    pub pool: Pool<()>,
    /// One permit for each request that may be handled now; closed when nothing more may begin.
    pub permits: Arc<Semaphore>,
    /// Requests that wait for a permit.
    pub waiting: AtomicUsize,
    /// The most that may wait.
    pub queue_max: usize,
    /// Memory for the bodies of all requests.
    pub room: Room,
    /// How long a piece of a body may take.
    pub body_timeout: Duration,
    /// Whether clients are told that their connection ends with the answer.
    pub is_closing: AtomicBool,
}

/// Where a request came from.
#[derive(Clone)]
pub(super) struct Origin {
    /// The other end.
    pub peer: SocketAddr,
    /// Whether it came through TLS.
    pub is_tls: bool,
    /// The thread that the connection has for itself, if it has one.
    pub own_thread: Option<OwnThread>,
    /// The state of the connection.
    pub watch: Watch,
}

impl Desk {
    /// Answers a request.
    pub(super) async fn exchange(&self, origin: &Origin, request: HyperRequest<Incoming>) -> hyper::Response<Outgoing> {
        let open = origin.watch.begin();
        let (parts, incoming) = request.into_parts();
        let mut body = BodyReader::new(incoming, self.body_timeout);
        let response = self.answer(head_of(&parts, origin), &mut body, origin.own_thread.as_ref()).await;
        if !body.is_at_end() {
            origin.watch.abandon();
        }
        let closes = !body.is_at_end() || self.is_closing.load(Ordering::Relaxed);
        outgoing::response(response, closes, open)
    }

    async fn answer(&self, head: Head, body: &mut BodyReader, own_thread: Option<&OwnThread>) -> Response {
        let admission = match call::admit(&*self.handler, &head) {
            Ok(admission) => admission,
            Err(response) => return response,
        };
        body.admit(admission.body_max);
        let refused = |head: &Head, refusal| call::refuse(&*self.handler, Some(head), refusal);
        // What is refused anyway is refused before its body is sent.
        if let Err(refusal) = body.check_declared().and_then(|()| self.check_queue(admission.is_urgent)) {
            return refused(&head, refusal);
        }
        if admission.is_streamed {
            return match self.permit(admission.is_urgent).await {
                Ok(permit) => self.handle_stream(head, body, permit).await,
                Err(refusal) => refused(&head, refusal),
            };
        }
        // No permit is held while a client sends.
        let (whole, share) = match body.whole(&self.room).await {
            Ok(whole) => whole,
            Err(refusal) => return refused(&head, refusal),
        };
        match self.permit(admission.is_urgent).await {
            Ok(permit) => self.handle(Request { head, body: RequestBody::Whole(whole) }, (permit, share), own_thread).await,
            Err(refusal) => refused(&head, refusal),
        }
    }

    fn check_queue(&self, is_urgent: bool) -> Result<(), Refusal> {
        let is_full = self.permits.available_permits() == 0 && self.waiting.load(Ordering::Relaxed) >= self.queue_max;
        if is_full && !is_urgent { Err(Refusal::Overloaded { retry_after_seconds: RETRY_AFTER_SECONDS }) } else { Ok(()) }
    }

    /// Waits for the permission to begin; a request that is urgent needs none.
    async fn permit(&self, is_urgent: bool) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        if is_urgent {
            return Ok(None);
        }
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => return Ok(Some(permit)),
            Err(TryAcquireError::Closed) => return Err(Refusal::Stopping),
            Err(TryAcquireError::NoPermits) => {}
        }
        let Some(_place) = Place::take(&self.waiting, self.queue_max) else {
            return Err(Refusal::Overloaded { retry_after_seconds: RETRY_AFTER_SECONDS });
        };
        Arc::clone(&self.permits).acquire_owned().await.map(Some).map_err(|_| Refusal::Stopping)
    }

    /// Has the request handled on the connection's own thread or one of the pool, whether the client waits for it or not; what it
    /// `holds` of what is limited is given back when the handler returns.
    fn handle<Held: Send + 'static>(
        &self,
        request: Request,
        holds: Held,
        own_thread: Option<&OwnThread>,
    ) -> impl Future<Output = Response> + use<'_, Held> {
        let (sender, receiver) = oneshot::channel();
        let handler = Arc::clone(&self.handler);
        let job = Box::new(move |(): &()| {
            let response = call::handle(&*handler, request);
            drop(holds);
            // Nobody may wait any more.
            let _ = sender.send(response);
        });
        match own_thread {
            Some(own_thread) => own_thread.run(job),
            None => self.pool.run(job),
        }
        async move {
            match receiver.await {
                Ok(response) => response,
                // The system gave no thread.
                Err(_) => call::refuse(&*self.handler, None, Refusal::Overloaded { retry_after_seconds: RETRY_AFTER_SECONDS }),
            }
        }
    }

    /// Has the request handled while its body comes; so the thread that reads it cannot be the one that handles.
    async fn handle_stream(&self, head: Head, body: &mut BodyReader, permit: Option<OwnedSemaphorePermit>) -> Response {
        let (to, streamed) = stream();
        let mut handled = pin!(self.handle(Request { head, body: RequestBody::Stream(Box::new(streamed)) }, permit, None));
        let mut pumped = pin!(body.pump(to));
        let mut is_pumped = false;
        poll_fn(|cx| {
            is_pumped = is_pumped || pumped.as_mut().poll(cx).is_ready();
            match handled.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(response),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// A place in the queue.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, max: usize) -> Option<Self> {
        let taken = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < max).then_some(count + 1));
        taken.ok().map(|_| Place(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "who leaves the queue was in it");
    }
}

fn head_of(parts: &Parts, origin: &Origin) -> Head {
    let value = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Head {
        method: Method::read(parts.method.as_str()),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: Headers(parts.headers.iter().map(|(name, of)| (name.as_str().to_owned(), value(of))).collect()),
        peer: origin.peer,
        is_tls: origin.is_tls,
    }
}
