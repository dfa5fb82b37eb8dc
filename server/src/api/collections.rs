//! Collections: list, create, describe, change, delete.

use engine::{Error, ErrorKind};
use serde_json::json;

use super::Call;
use super::answer::{Answer, Outcome};

mod create;
mod describe;

pub(super) use create::{create, update};
pub(super) use describe::describe;

/// Lists the names of the collections.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    let names = call.host.names();
    let collections: Vec<_> = names.collections.keys().map(|name| json!({"name": name})).collect();
    Answer::of(&json!({"collections": collections}))
}

/// Says whether a collection or alias has this name.
pub(super) fn exists(name: &str, call: &Call<'_>) -> Outcome {
    Answer::of(&json!({"exists": call.host.names().resolve(name).is_ok()}))
}

/// Drops a collection; says whether there was one.
pub(super) fn delete(name: &str, call: &Call<'_>) -> Outcome {
    if let Some(target) = call.host.names().aliases.get(name) {
        let message = format!("\"{name}\" is an alias of collection \"{target}\"");
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint("delete the alias, or the collection by its own name"));
    }
    Answer::of(&call.host.drop_collection(name)?)
}

/// Says where the shards of a collection are: here, in one.
pub(super) fn cluster(name: &str, call: &Call<'_>) -> Outcome {
    let points = call.host.served(name)?.version().points;
    let shard = json!({"shard_id": 0, "points_count": points, "state": "Active"});
    Answer::of(&json!({"peer_id": 0, "shard_count": 1, "local_shards": [shard], "remote_shards": [], "shard_transfers": []}))
}
