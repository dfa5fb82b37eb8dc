//! The REST API: a request comes in, is admitted, routed, carried out by the host, and answered in Qdrant's envelope.

use std::sync::{Arc, OnceLock};

use engine::{Error, ErrorKind};
use platform::World;
use platform::clock::Clock;
use platform::http::{Admission, Handler, Head, Method, Refusal, Request, RequestBody, Response};

use crate::logs::{self, Answered};
use crate::metrics::Requests;
use crate::{Host, Opening};

mod aliases;
mod answer;
mod collections;
pub mod commands;
mod indexes;
mod keys;
mod label;
mod observed;
mod points;
mod query_string;
mod route;
mod service;
mod snapshots;
mod v1;

use answer::Outcome;
use commands::{COMMANDS_PATH, Commander};
pub use keys::{CollectionKey, Keys};
use keys::{Denied, Scope};
use query_string::QueryString;
use snapshots::Snapshots;

/// When a client that came too early may ask again.
const RETRY_AFTER_SECONDS: &str = "1";

/// What the API takes and from whom.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Who may do what.
    pub keys: Keys,
    /// Most bytes of a request's body.
    pub body_max: u64,
    /// What carries command lines of this machine out.
    pub commander: Commander,
    /// The version that clients are told: the API level, not this program's.
    pub api_version: &'static str,
}

impl Default for ApiOptions {
    fn default() -> Self {
        ApiOptions { keys: Keys::default(), body_max: 64 << 20, commander: Commander::default(), api_version: "1.19.0" }
    }
}

/// Answers requests: about itself from the beginning, about the database once its collections are open.
#[derive(Debug)]
pub struct Api {
    open: OnceLock<Open>,
    opening: Opening,
    world: World,
    options: ApiOptions,
    requests: Requests,
}

/// What there is once the collections are open.
#[derive(Debug)]
struct Open {
    host: Arc<Host>,
    snapshots: Arc<Snapshots>,
}

/// A request on its way to the function that answers it.
pub(crate) struct Call<'a> {
    host: &'a Arc<Host>,
    requests: &'a Requests,
    query: QueryString,
    body: &'a [u8],
    scope: Scope,
}

impl Api {
    /// Answers requests about a database.
    #[must_use]
    pub fn new(host: Arc<Host>, options: ApiOptions) -> Self {
        let api = Self::opening(host.database().world(), options);
        api.ready(host);
        api
    }

    /// Answers requests about itself, and says how far the database is, until it is ready.
    #[must_use]
    pub fn opening(world: &World, options: ApiOptions) -> Self {
        Api { open: OnceLock::new(), opening: Opening::default(), world: world.clone(), options, requests: Requests::new() }
    }

    /// Gives what is told of the opening.
    #[must_use]
    pub fn progress(&self) -> &Opening {
        &self.opening
    }

    /// Answers requests about a database from now on.
    ///
    /// # Panics
    /// When there is one already.
    pub fn ready(&self, host: Arc<Host>) {
        let open = Open { snapshots: Snapshots::new(host.clone()), host };
        assert!(self.open.set(open).is_ok(), "a server has one database");
    }

    /// Gives what there is once the collections are open.
    ///
    /// # Errors
    /// `Unreachable` saying how far it is, before.
    fn open(&self) -> Result<&Open, Error> {
        let recovering =
            || Error::new(ErrorKind::Unreachable, self.opening.to_string()).with_hint("ask again in a second, or wait for /readyz");
        self.open.get().ok_or_else(recovering)
    }

    /// Decides whether a request is taken, and how much of it.
    fn check(&self, head: &Head) -> Result<Admission, Response> {
        let is_open = service::is_open(&head.path);
        self.scope(head).map_err(answer::denied)?;
        if !is_open {
            let too_early = |error| answer::failed(&error, 0).with_header("retry-after", RETRY_AFTER_SECONDS);
            self.open().map_err(too_early)?;
        }
        if head.path == COMMANDS_PATH {
            commands::check_near(head).map_err(|error| answer::failed(&error, 0))?;
        }
        let upload_max = snapshots::upload_max(head);
        // Whoever watches wants to see most when there is most to do.
        let is_urgent = is_open || head.path == "/metrics";
        Ok(Admission { body_max: upload_max.unwrap_or(self.options.body_max), is_streamed: upload_max.is_some(), is_urgent })
    }

    /// Checks the key of a request, and says which collections it may touch.
    fn scope(&self, head: &Head) -> Result<Scope, Denied> {
        if service::is_open(&head.path) {
            return Ok(Scope::All);
        }
        self.options
            .keys
            .check(head, &|name| self.open.get().map_or_else(|| name.to_owned(), |open| open.host.names().meant(name).to_owned()))
    }

    fn answer(&self, request: &Request) -> Outcome {
        let Request { head, body } = request;
        let RequestBody::Whole(body) = body else {
            return Err(Error::internal("a body that comes in pieces has no taker here"));
        };
        let path = route::split(&head.path)?;
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        if let Some(found) = service::answer(&head.method, &segments, &self.options) {
            return found;
        }
        let host = &self.open()?.host;
        // Who was admitted is admitted still, unless an alias moved meanwhile.
        let scope = self.scope(head).map_err(|_| Error::new(ErrorKind::Denied, "this api key is for another collection now"))?;
        let call = Call { host, requests: &self.requests, query: QueryString::parse(&head.query)?, body, scope };
        route::answer(&head.method, &segments, &call).unwrap_or_else(|| Err(route::missing(head)))
    }

    /// Carries a command line out.
    fn command(&self, body: &[u8]) -> Response {
        let begun = self.open().and_then(|open| commands::begin(&self.options.commander, &open.host, body));
        begun.unwrap_or_else(|error| answer::failed(&error, 0))
    }

    /// Makes the response to a request whose body is whole; keeps what failed.
    fn respond(&self, request: &Request, took: &dyn Fn() -> u64, failed: &mut Option<Error>) -> Response {
        match (request.head.path.as_str(), request.head.method, &request.body) {
            ("/readyz", ..) if self.open.get().is_none() => {
                Response::new(503, "text/plain", self.opening.to_string()).with_header("retry-after", RETRY_AFTER_SECONDS)
            }
            (COMMANDS_PATH, Method::Post, RequestBody::Whole(body)) => self.command(body),
            (path, ..) if v1::is_meant(path) => v1::handle(self, request, failed),
            _ => match self.answer(request) {
                Ok(answer) => answer.into_response(took()),
                Err(error) => answer::failed(failed.insert(error), took()),
            },
        }
    }

    /// Makes the response to a request about snapshots, whose body may come in pieces.
    fn respond_about_snapshots(&self, request: Request, failed: &mut Option<Error>) -> Response {
        match self.open() {
            Ok(open) => open.snapshots.answer(request, failed),
            Err(error) => answer::failed(failed.insert(error), 0),
        }
    }

    /// Gives the id of a request: the client's, or one that the log draws for it.
    fn log(&self, answered: &Answered<'_>) -> Option<String> {
        let asked = logs::request_id(answered.head).map(str::to_owned);
        if !answered.is_logged() {
            return asked;
        }
        let id = asked.unwrap_or_else(|| format!("{:016x}", self.world.random.u64()));
        answered.log(&id);
        Some(id)
    }
}

impl Handler for Api {
    fn admit(&self, head: &Head) -> Result<Admission, Response> {
        self.check(head).map_err(|response| {
            self.requests.refused(self.requests.route(head.method, &head.path), response.status);
            worded(head, response)
        })
    }

    fn handle(&self, request: Request) -> Response {
        let began = self.world.clock.monotonic_micros();
        let took = || self.world.clock.monotonic_micros().saturating_sub(began);
        let route = self.requests.route(request.head.method, &request.head.path);
        let mut failed = None;
        let (head, mut response) = if snapshots::are_meant(&request.head.path) {
            (request.head.clone(), self.respond_about_snapshots(request, &mut failed))
        } else {
            let response = self.respond(&request, &took, &mut failed);
            (request.head, response)
        };
        let (micros, status) = (took(), response.status);
        self.requests.answered(route, status, micros);
        let answered = Answered { head: &head, route: self.requests.name(route), status, micros, error: failed.as_ref() };
        if let Some(id) = self.log(&answered) {
            response.headers.push(("x-request-id", id));
        }
        response
    }

    fn refuse(&self, head: Option<&Head>, refusal: Refusal) -> Response {
        let response = answer::refused(&refusal);
        let route = head.map_or_else(|| self.requests.route(Method::Other, ""), |head| self.requests.route(head.method, &head.path));
        self.requests.refused(route, response.status);
        match head {
            Some(head) => worded(head, response),
            None => response,
        }
    }
}

impl Call<'_> {
    /// Checks that the request may read a collection that its body names.
    ///
    /// # Errors
    /// `Denied`.
    fn check_other(&self, name: &str) -> Result<(), Error> {
        self.scope.check(name, &|name| self.host.names().meant(name).to_owned())
    }

    /// Reads the body as JSON.
    fn json<'b, T: serde::Deserialize<'b>>(&'b self) -> Result<T, Error> {
        let text = if self.body.is_empty() { b"{}" } else { self.body };
        serde_json::from_slice(text).map_err(|error| Error::invalid(format!("the body does not read: {error}")))
    }

    /// Gives the clock that searches are timed by.
    fn clock(&self) -> &dyn Clock {
        &*self.host.database().world().clock
    }

    /// Whether the client waits for the write to be visible; it always is, and an answer says what was asked for.
    fn status(&self) -> &'static str {
        if self.query.get("wait") == Some("true") { "completed" } else { "acknowledged" }
    }
}

/// Says a refusal in the words of the API that was asked.
fn worded(head: &Head, response: Response) -> Response {
    if v1::is_meant(&head.path) { v1::in_our_words(response) } else { response }
}

/// Whether whoever asks is on the server's own machine.
fn is_near(head: &Head) -> bool {
    head.peer.ip().to_canonical().is_loopback()
}

/// Whether a request changes nothing.
fn is_reading(method: &Method) -> bool {
    matches!(method, Method::Get | Method::Head | Method::Options)
}
