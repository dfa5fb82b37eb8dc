//! From method and path to the function that answers: the one table of what the API knows.

use engine::{Error, Result};
use platform::http::{Head, Method};

use super::answer::Outcome;
use super::{Call, aliases, collections, indexes, is_reading, observed, points, query_string};

/// Splits a path into its decoded segments; a slash in a name comes percent-encoded.
///
/// # Errors
/// `InvalidInput` when a segment is not percent-encoded UTF-8.
pub(super) fn split(path: &str) -> Result<Vec<String>> {
    path.split('/').filter(|segment| !segment.is_empty()).map(query_string::decoded).collect()
}

/// Answers a request; `None` when nothing is known under its path.
pub(super) fn answer(method: &Method, segments: &[&str], call: &Call<'_>) -> Option<Outcome> {
    match segments {
        ["collections"] => match method {
            Method::Get => Some(collections::list(call)),
            _ => None,
        },
        ["collections", "aliases"] if *method == Method::Post => Some(aliases::change(call)),
        ["metrics" | "telemetry"] if is_reading(method) => Some(observed::answer(segments[0], call)),
        ["aliases"] if *method == Method::Get => Some(aliases::list(call)),
        ["collections", name] => collection(method, name, call),
        ["collections", name, "points", rest @ ..] => of_points(method, name, rest, call),
        ["collections", name, rest @ ..] => of_collection(method, name, rest, call),
        _ => None,
    }
}

/// Says that a path is not known, and what is known near it.
pub(super) fn missing(head: &Head) -> Error {
    Error::not_found(format!("there is nothing at {:?} {}", head.method, head.path)).with_hint("docs/api.md lists what there is")
}

fn collection(method: &Method, name: &str, call: &Call<'_>) -> Option<Outcome> {
    match method {
        Method::Get => Some(collections::describe(name, call)),
        Method::Put => Some(collections::create(name, call)),
        Method::Patch => Some(collections::update(name, call)),
        Method::Delete => Some(collections::delete(name, call)),
        _ => None,
    }
}

fn of_collection(method: &Method, name: &str, rest: &[&str], call: &Call<'_>) -> Option<Outcome> {
    match (method, rest) {
        (Method::Get, ["exists"]) => Some(collections::exists(name, call)),
        (Method::Get, ["aliases"]) => Some(aliases::of_collection(name, call)),
        (Method::Get, ["cluster"]) => Some(collections::cluster(name, call)),
        (Method::Put, ["index"]) => Some(indexes::create(name, call)),
        (Method::Delete, ["index", field]) => Some(indexes::delete(name, field, call)),
        (Method::Post, ["facet"]) => Some(points::facet(name, call)),
        _ => None,
    }
}

fn of_points(method: &Method, name: &str, rest: &[&str], call: &Call<'_>) -> Option<Outcome> {
    match (method, rest) {
        (Method::Put, []) => Some(points::upsert(name, call)),
        (Method::Post, []) => Some(points::retrieve(name, call)),
        (Method::Post, ["delete"]) => Some(points::delete(name, call)),
        (Method::Post, ["scroll"]) => Some(points::scroll(name, call)),
        (Method::Post, ["count"]) => Some(points::count(name, call)),
        (Method::Post, ["query"]) => Some(points::query(name, call)),
        (Method::Post, ["query", "batch"]) => Some(points::query_batch(name, call)),
        (Method::Post, ["query", "groups"]) => Some(points::query_groups(name, call)),
        (Method::Post, ["payload"]) => Some(points::set_payload(name, call)),
        (Method::Put, ["payload"]) => Some(points::overwrite_payload(name, call)),
        (Method::Post, ["payload", "delete"]) => Some(points::delete_payload(name, call)),
        (Method::Post, ["payload", "clear"]) => Some(points::clear_payload(name, call)),
        (Method::Put, ["vectors"]) => Some(points::update_vectors(name, call)),
        (Method::Post, ["vectors", "delete"]) => Some(points::delete_vectors(name, call)),
        (Method::Post, ["batch"]) => Some(points::batch(name, call)),
        (Method::Get, [id]) => Some(points::get(name, id, call)),
        _ => None,
    }
}
