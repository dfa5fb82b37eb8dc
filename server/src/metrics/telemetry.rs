//! `GET /telemetry`: what runs and what was asked of it, in the shape that clients of Qdrant know.

use std::sync::Arc;

use pitr::time_text::format;
use serde_json::{Map, Value, json};

use super::Requests;
use crate::Host;

/// Describes the server, its collections and its requests.
pub(crate) fn telemetry(host: &Arc<Host>, requests: &Requests) -> Value {
    let collections: Vec<Value> = host
        .all_served()
        .iter()
        .map(|served| {
            let (collection, version) = (served.collection(), served.version());
            json!({"id": collection.name(), "points_count": version.points, "segments_count": version.segments.len()})
        })
        .collect();
    let responses: Map<String, Value> = requests
        .read()
        .map(|route| {
            let codes: Map<String, Value> = route.codes.iter().map(|(code, count)| ((*code).to_owned(), json!({"count": count}))).collect();
            (route.name.to_owned(), Value::Object(codes))
        })
        .collect();
    json!({
        "id": format!("{:016x}", host.started()),
        "app": {"name": "vectra", "version": env!("CARGO_PKG_VERSION"), "startup": format(host.started())},
        "collections": {"number_of_collections": collections.len(), "collections": collections},
        "requests": {"rest": {"responses": responses}, "grpc": {"responses": {}}},
    })
}
