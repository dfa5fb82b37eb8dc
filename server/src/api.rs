//! The REST API: a request comes in, is admitted, routed, carried out by the host, and answered in Qdrant's envelope.

use std::sync::Arc;

use engine::{Error, ErrorKind};
use platform::World;
use platform::http::{Admission, Handler, Head, Method, Refusal, Request, RequestBody, Response};

use crate::Host;

mod aliases;
mod answer;
mod collections;
pub mod commands;
mod indexes;
mod keys;
mod label;
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

/// Answers requests.
#[derive(Debug)]
pub struct Api {
    host: Arc<Host>,
    world: World,
    options: ApiOptions,
    snapshots: Arc<Snapshots>,
}

/// A request on its way to the function that answers it.
pub(crate) struct Call<'a> {
    host: &'a Arc<Host>,
    query: QueryString,
    body: &'a [u8],
    scope: Scope,
}

impl Api {
    /// Answers requests about a database.
    #[must_use]
    pub fn new(host: Arc<Host>, options: ApiOptions) -> Self {
        Api { world: host.database().world().clone(), snapshots: Snapshots::new(host.clone()), host, options }
    }

    /// Checks the key of a request, and says which collections it may touch.
    fn scope(&self, head: &Head) -> Result<Scope, Denied> {
        if service::is_open(&head.path) {
            return Ok(Scope::All);
        }
        self.options.keys.check(head, &|name| resolved(&self.host, name))
    }

    fn answer(&self, request: &Request) -> Outcome {
        let Request { head, body } = request;
        let RequestBody::Whole(body) = body else {
            return Err(Error::internal("a body that comes in pieces has no taker here"));
        };
        let path = route::split(&head.path)?;
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        // Who was admitted is admitted still, unless an alias moved meanwhile.
        let scope = self.scope(head).map_err(|_| Error::new(ErrorKind::Denied, "this api key is for another collection now"))?;
        let call = Call { host: &self.host, query: QueryString::parse(&head.query)?, body, scope };
        let found = service::answer(&head.method, &segments, &self.options).or_else(|| route::answer(&head.method, &segments, &call));
        found.unwrap_or_else(|| route::missing(head))
    }
}

impl Handler for Api {
    fn admit(&self, head: &Head) -> Result<Admission, Response> {
        let is_urgent = service::is_open(&head.path);
        if !is_urgent {
            self.scope(head).map_err(|denied| worded(head, answer::denied(denied)))?;
        }
        if head.path == COMMANDS_PATH {
            commands::check_near(head).map_err(|error| answer::failed(&error, 0))?;
        }
        let upload_max = snapshots::upload_max(head);
        Ok(Admission { body_max: upload_max.unwrap_or(self.options.body_max), is_streamed: upload_max.is_some(), is_urgent })
    }

    fn handle(&self, request: Request) -> Response {
        if v1::is_meant(&request.head.path) {
            return v1::handle(self, &request);
        }
        if snapshots::are_meant(&request.head.path) {
            return self.snapshots.answer(request);
        }
        let began = self.world.clock.monotonic_micros();
        if let (COMMANDS_PATH, Method::Post, RequestBody::Whole(body)) = (request.head.path.as_str(), request.head.method, &request.body) {
            return commands::begin(&self.options.commander, &self.host, body).unwrap_or_else(|error| answer::failed(&error, 0));
        }
        let outcome = self.answer(&request);
        let took = self.world.clock.monotonic_micros().saturating_sub(began);
        match outcome {
            Ok(answer) => answer.into_response(took),
            Err(error) => answer::failed(&error, took),
        }
    }

    fn refuse(&self, head: Option<&Head>, refusal: Refusal) -> Response {
        let response = answer::refused(&refusal);
        match head {
            Some(head) => worded(head, response),
            None => response,
        }
    }
}

/// Gives the collection that a name or alias means now; a name that means nothing is itself.
fn resolved(host: &Host, name: &str) -> String {
    let names = host.names();
    names.resolve(name).map_or(name, |(name, _)| name).to_owned()
}

impl Call<'_> {
    /// Checks that the request may read a collection that its body names.
    ///
    /// # Errors
    /// `Denied`.
    fn check_other(&self, name: &str) -> Result<(), Error> {
        self.scope.check(name, &|name| resolved(self.host, name))
    }

    /// Reads the body as JSON.
    fn json<'b, T: serde::Deserialize<'b>>(&'b self) -> Result<T, Error> {
        let text = if self.body.is_empty() { b"{}" } else { self.body };
        serde_json::from_slice(text).map_err(|error| Error::invalid(format!("the body does not read: {error}")))
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

/// Whether a request changes nothing.
fn is_reading(method: &Method) -> bool {
    matches!(method, Method::Get | Method::Head | Method::Options)
}
