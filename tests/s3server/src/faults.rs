//! What goes wrong on the way: refusals, lost replies, bodies that end early or come slowly.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Request, Response};
use parking_lot::Mutex;
use s3s::service::S3Service;
use s3s::{Body, HttpError};

/// How often each fault strikes, in requests of a thousand, and by which seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Draws who is struck.
    pub seed: u64,
    /// Answered 503 without effect.
    pub unavailable: u64,
    /// Answered 429 without effect.
    pub too_many: u64,
    /// Done, and then the connection breaks instead of a reply.
    pub lost_reply: u64,
    /// The body of a reply ends before its length.
    pub truncated_body: u64,
    /// The body of a reply comes in small pieces with waits between.
    pub slow_body: u64,
    /// Parts of uploads from this number on are forbidden, always; 0 for none.
    pub parts_forbidden_from: u32,
    /// Puts of whole objects from this one on are forbidden, always; 0 for none.
    pub puts_forbidden_from: u64,
    /// Lists leave out as many of the newest objects as this says, always.
    pub stale_list: usize,
}

/// Spoils the replies of a service.
#[derive(Debug, Default)]
pub(crate) struct Spoiler {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    stream: u64,
    injected: u64,
    puts: u64,
}

/// What is to happen to one request.
enum Fate {
    Served,
    Refused(u16, &'static str),
    Lost,
    Truncated,
    Slow,
}

impl State {
    /// The next number of the stream (splitmix64).
    fn draw(&mut self) -> u64 {
        self.stream = self.stream.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.stream;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn fate(&mut self, is_put: bool, part: Option<u32>) -> Fate {
        let Faults { unavailable, too_many, lost_reply, truncated_body, slow_body, .. } = self.faults;
        let Faults { parts_forbidden_from: from_part, puts_forbidden_from: from_put, .. } = self.faults;
        self.puts += u64::from(is_put && part.is_none());
        let is_part_forbidden = part.is_some_and(|part| from_part > 0 && part >= from_part);
        if is_part_forbidden || (is_put && from_put > 0 && self.puts >= from_put) {
            self.injected += 1;
            return Fate::Refused(403, "AccessDenied");
        }
        let mut drawn = self.draw() % 1_000;
        for (rate, fate) in [
            (unavailable, Fate::Refused(503, "SlowDown")),
            (too_many, Fate::Refused(429, "SlowDown")),
            (lost_reply, Fate::Lost),
            (truncated_body, Fate::Truncated),
            (slow_body, Fate::Slow),
        ] {
            if drawn < rate {
                self.injected += 1;
                return fate;
            }
            drawn -= rate;
        }
        Fate::Served
    }
}

/// What breaks a connection.
fn broken() -> HttpError {
    HttpError::new("broken on purpose".into())
}

impl Spoiler {
    pub fn set(&self, faults: Faults) {
        let mut state = self.state.lock();
        state.faults = faults;
        (state.stream, state.puts) = (faults.seed, 0);
    }

    pub fn injected(&self) -> u64 {
        self.state.lock().injected
    }

    /// Serves a request, or not.
    pub async fn serve(&self, service: &S3Service, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        let part = request.uri().query().and_then(part_number);
        let fate = self.state.lock().fate(request.method() == Method::PUT, part);
        let is_get = request.method() == Method::GET;
        let request = request.map(Body::from);
        match fate {
            Fate::Refused(status, code) => {
                // Read to its end, so that the client hears the answer.
                let _ = request.into_body().collect().await;
                Ok(refusal(status, code))
            }
            Fate::Lost => {
                service.call(request).await?;
                Err(broken())
            }
            Fate::Truncated if is_get => Ok(truncated(service.call(request).await?).await),
            Fate::Slow if is_get => Ok(slow(service.call(request).await?).await),
            Fate::Served | Fate::Truncated | Fate::Slow => service.call(request).await,
        }
    }
}

/// The number of the part that a request brings.
fn part_number(query: &str) -> Option<u32> {
    query.split('&').find_map(|pair| pair.strip_prefix("partNumber=")).and_then(|number| number.parse().ok())
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    let body =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>Refused on purpose.</Message></Error>");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status of ours is one of HTTP");
    response
}

async fn collected(body: Body) -> Bytes {
    body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

/// Sends half of a body under the length of all of it, and breaks the connection.
async fn truncated(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let whole = collected(body).await;
    if whole.is_empty() {
        return Response::from_parts(parts, Body::empty());
    }
    parts.headers.insert(hyper::header::CONTENT_LENGTH, whole.len().into());
    let pieces = [Ok(Frame::data(whole.slice(..whole.len() / 2))), Err(std::io::Error::other("cut off on purpose"))];
    Response::from_parts(parts, Body::http_body_unsync(StreamBody::new(stream::iter(pieces))))
}

/// Pieces of a slow body, and the wait before each.
const SLOW_PIECES: usize = 4;
const SLOW_WAIT: Duration = Duration::from_millis(5);

/// Sends a body in pieces with waits between.
async fn slow(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let whole = collected(body).await;
    parts.headers.insert(hyper::header::CONTENT_LENGTH, whole.len().into());
    let piece_len = whole.len() / SLOW_PIECES + 1;
    let pieces = stream::unfold(whole, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(SLOW_WAIT).await;
        let piece = left.split_to(left.len().min(piece_len));
        Some((Ok::<_, std::io::Error>(Frame::data(piece)), left))
    });
    Response::from_parts(parts, Body::http_body_unsync(StreamBody::new(pieces)))
}
