//! The typed calls under `/vectra/v1`: each is a command of the command line, its words made from the members of a request and its JSON
//! the answer, so that both cannot differ.

use std::collections::BTreeMap;

use engine::{Error, ErrorKind, Result};
use platform::http::{Head, Method, Request, RequestBody, Response, ResponseBody};
use serde_json::{Value, json};

use super::commands::COMMANDS_PATH;
use super::{Api, answer, is_near, route};

mod run;
mod table;
mod words;

use run::{Ran, run};
use table::{Gives, Kind, Typed, Who, find};
use words::Words;

/// What the paths of all typed calls begin with.
const BELOW: [&str; 2] = ["vectra", "v1"];
/// The document that describes them.
const DOCUMENT: &str = include_str!("../../../docs/openapi/vectra-v1.json");
const JSON: &str = "application/json";

/// Says whether a path is that of a typed call.
pub(super) fn is_meant(path: &str) -> bool {
    path != COMMANDS_PATH && path.split('/').filter(|part| !part.is_empty()).take(2).eq(BELOW)
}

/// Says whether a key that may only read is enough, as far as method and path say.
pub(super) fn is_for_readers(method: Method, path: &str) -> bool {
    let Ok(segments) = route::split(path) else { return false };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.get(BELOW.len()..) {
        Some(["openapi.json"]) => true,
        Some(rest) => find(method, rest).is_some_and(|(typed, _)| typed.who == Who::Reader),
        None => false,
    }
}

/// Answers a typed call; keeps why it could not be made.
pub(super) fn handle(api: &Api, request: &Request, why: &mut Option<Error>) -> Response {
    match answered(api, request) {
        Ok(response) => response,
        Err(error) => failed(why.insert(error)),
    }
}

/// Says a refusal that was made for the other API as this one says errors.
pub(super) fn in_our_words(response: Response) -> Response {
    let ResponseBody::Whole(body) = &response.body else { return response };
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let ours = json!({"error": said["status"]["error"], "kind": said["status"]["kind"]});
    Response { body: ResponseBody::Whole(ours.to_string().into()), ..response }
}

fn answered(api: &Api, request: &Request) -> Result<Response> {
    let head = &request.head;
    let path = route::split(&head.path)?;
    let segments: Vec<&str> = path.iter().map(String::as_str).skip(BELOW.len()).collect();
    let method = if head.method == Method::Head { Method::Get } else { head.method };
    if (method, &segments[..]) == (Method::Get, &["openapi.json"]) {
        return Ok(Response::new(200, JSON, DOCUMENT));
    }
    let missing = || Error::not_found("there is no such call").with_hint("GET /vectra/v1/openapi.json describes all of them");
    let (typed, given) = find(method, &segments).ok_or_else(missing)?;
    let mut members = members_of(method, head, &request.body)?;
    for (name, value) in given {
        if members.insert(name.to_owned(), Value::from(value)).is_some() {
            return Err(Error::invalid(format!("\"{name}\" is in the path already")));
        }
    }
    let archive = default_archive(api, typed, &members)?;
    let mut words = Words::of(typed, members)?;
    words.words.extend(archive);
    check_locations(api, head, &words)?;
    Ok(said(typed, &words, run(&api.open()?.host, &api.options.commander, &words)?))
}

/// Checks that a request may name the locations that it names.
fn check_locations(api: &Api, head: &Head, words: &Words) -> Result<()> {
    if words.locations.is_empty() {
        return Ok(());
    }
    if !api.options.keys.is_admin(head) {
        return Err(Error::new(ErrorKind::Denied, "this api key may name no location").with_hint("leave it out, or use the admin key"));
    }
    let is_near = is_near(head);
    let sources = api.open()?.host.sources();
    // Whoever may run commands on this machine may write where they like; from afar backups go where they may come from.
    let mut checked = words.locations.iter().filter(|location| !(location.is_written && is_near));
    checked.try_for_each(|location| sources.check(&location.text, is_near))
}

/// Gives the word for the archive of a collection, where a call needs one and its request names none.
fn default_archive(api: &Api, typed: &Typed, members: &BTreeMap<String, Value>) -> Result<Option<String>> {
    let field = typed.fields.iter().find(|field| field.kind == Kind::Archive && !members.contains_key(field.name));
    let Some(field) = field else { return Ok(None) };
    let name = members.get("collection").and_then(Value::as_str).unwrap_or_default();
    let names = api.open()?.host.names();
    let name = names.meant(name);
    let not_archived = || {
        let error = Error::not_found(format!("\"{}\" is not archived", name.escape_debug())).with_object(name);
        error.with_hint(format!("name a location as \"{}\"", field.name))
    };
    let settings = names.archives.get(name).ok_or_else(not_archived)?;
    Ok(Some(format!("{}={}", field.flag, settings.url)))
}

/// Gives the members of a request: those of its body, or the parameters of its address where it has none.
fn members_of(method: Method, head: &Head, body: &RequestBody) -> Result<BTreeMap<String, Value>> {
    let RequestBody::Whole(body) = body else { return Err(Error::internal("this body was to come whole")) };
    if method == Method::Get {
        return Ok(super::query_string::QueryString::parse(&head.query)?.into_members());
    }
    let text = if body.is_empty() { b"{}" } else { &body[..] };
    serde_json::from_slice(text).map_err(|error| Error::invalid(format!("the body does not read: {error}")))
}

/// Says what came of a command.
fn said(typed: &Typed, words: &Words, ran: Ran) -> Response {
    if let Some(error) = ran.error.as_ref().filter(|_| typed.gives != Gives::Ended || ran.results.is_empty()) {
        let mut body = flattened(error);
        if let Some(result) = ran.results.last() {
            body["result"] = result.clone();
        }
        return Response::new(ran.kind(error).http_status(), JSON, body.to_string());
    }
    if let [Value::String(job)] = &ran.results[..] {
        return Response::new(202, JSON, json!({ "job": job }).to_string());
    }
    let body = match typed.gives {
        Gives::Rows(name) => json!({ name: ran.results }),
        Gives::Last(name) if words.last.is_none() => json!({ name: ran.results }),
        Gives::One | Gives::Last(_) | Gives::Ended => match ran.results.into_iter().next_back() {
            Some(result) => result,
            None => return failed(&Error::internal("a command ended without a result")),
        },
    };
    Response::new(200, JSON, body.to_string())
}

fn failed(error: &Error) -> Response {
    Response::new(error.kind.http_status(), JSON, flattened(&answer::error_json(error)["error"]).to_string())
}

/// Says an error in the one shape that this API has; what is not known is left out.
fn flattened(error: &Value) -> Value {
    let mut body = json!({"error": error["message"], "kind": error["kind"]});
    for name in ["object", "file", "offset", "expected", "got", "hint", "exit"] {
        if !error[name].is_null() {
            body[name] = error[name].clone();
        }
    }
    body
}

#[cfg(test)]
mod tests;
