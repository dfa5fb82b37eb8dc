//! Creating and changing a collection: what clients say becomes a schema; what is not acted on is kept and shown again.

use std::collections::BTreeMap;

use engine::schema::IndexConfig;
use engine::schema::Numbers;
use engine::{Distance, Error, Result, Schema, VectorSchema};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::api::Call;
use crate::api::answer::{Answer, Outcome};

/// Members of a request to create that are kept for clients.
const KEPT: [&str; 13] = [
    "shard_number",
    "sharding_method",
    "replication_factor",
    "write_consistency_factor",
    "on_disk_payload",
    "payload",
    "id_tracker",
    "hnsw_config",
    "wal_config",
    "optimizers_config",
    "quantization_config",
    "strict_mode_config",
    "metadata",
];

/// One vector as clients describe it.
#[derive(Deserialize)]
struct Params {
    size: u32,
    distance: String,
    #[serde(default)]
    datatype: Option<String>,
    #[serde(default)]
    multivector_config: Option<Value>,
    /// What is kept.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Creates a collection.
pub(in crate::api) fn create(name: &str, call: &Call<'_>) -> Outcome {
    let members: Map<String, Value> = call.json()?;
    let schema = schema_of(members)?;
    call.host.create(name, &schema)?;
    Answer::of(&true)
}

/// Makes the schema of a request.
fn schema_of(mut members: Map<String, Value>) -> Result<Schema> {
    members.retain(|_, value| !value.is_null());
    let vectors = members.remove("vectors").unwrap_or_default();
    refuse_sparse(members.remove("sparse_vectors"))?;
    members.remove("init_from").map_or(Ok(()), |_| Err(Error::invalid("a collection cannot be created from another")))?;
    refuse_unknown(&members, &KEPT)?;
    let mut settings: BTreeMap<String, Value> = members.into_iter().collect();
    let Value::Object(vectors) = vectors else {
        return Err(Error::invalid("a collection needs vectors").with_hint("give \"vectors\": {\"size\": 384, \"distance\": \"Cosine\"}"));
    };
    let named: Vec<(String, Value)> = if vectors.get("size").is_some_and(Value::is_number) {
        vec![(String::new(), Value::Object(vectors))]
    } else {
        vectors.into_iter().collect()
    };
    let mut kept = Map::new();
    let mut described = Vec::new();
    for (name, params) in named {
        let (vector, others) = vector_of(&name, params)?;
        described.push(vector);
        if !others.is_empty() {
            kept.insert(name, Value::Object(others));
        }
    }
    if !kept.is_empty() {
        settings.insert("vectors".to_owned(), Value::Object(kept));
    }
    let schema = Schema { vectors: described, settings, ..Schema::default() };
    schema.check()?;
    Ok(schema)
}

fn vector_of(name: &str, params: Value) -> Result<(VectorSchema, Map<String, Value>)> {
    let params: Params = serde_json::from_value(params)
        .map_err(|error| Error::invalid(format!("vector \"{}\" does not read: {error}", name.escape_debug())))?;
    if params.multivector_config.is_some_and(|config| !config.is_null()) {
        return Err(Error::invalid("a point has one vector of a name: several (multivectors) are not in this version"));
    }
    let distance = match params.distance.as_str() {
        "Cosine" => Distance::Cosine,
        "Dot" => Distance::Dot,
        "Euclid" => Distance::Euclid,
        "Manhattan" => Distance::Manhattan,
        other => return Err(Error::invalid("unknown distance").with_expected("Cosine, Dot, Euclid or Manhattan", other.escape_debug())),
    };
    let numbers = match params.datatype.as_deref() {
        None | Some("float32") => Numbers::F32,
        Some("float16") => Numbers::F16,
        Some("uint8") => Numbers::U8,
        Some(other) => return Err(Error::invalid("unknown datatype").with_expected("float32, float16 or uint8", other.escape_debug())),
    };
    let mut others = params.others;
    others.retain(|_, value| !value.is_null());
    refuse_unknown(&others, &["hnsw_config", "quantization_config", "on_disk", "memory"])?;
    Ok((VectorSchema::dense(name, params.size, distance, numbers), others))
}

/// Refuses vectors that would be lost: a collection without them is not what was asked for.
fn refuse_sparse(sparse: Option<Value>) -> Result<()> {
    match sparse {
        Some(Value::Object(vectors)) if !vectors.is_empty() => {
            Err(Error::invalid("sparse vectors are not in this version").with_hint("leave sparse_vectors out, and use dense vectors"))
        }
        _ => Ok(()),
    }
}

fn refuse_unknown(members: &Map<String, Value>, known: &[&str]) -> Result<()> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Error::invalid("unknown member").with_expected(known.join(", "), name.escape_debug())),
        None => Ok(()),
    }
}

/// Changes what is kept for clients; each member that is given replaces the one before, or is merged into it where it is an object.
pub(in crate::api) fn update(name: &str, call: &Call<'_>) -> Outcome {
    let mut members: Map<String, Value> = call.json()?;
    members.retain(|_, value| !value.is_null());
    refuse_sparse(members.remove("sparse_vectors"))?;
    let mut known = KEPT.to_vec();
    known.extend(["vectors", "params"]);
    refuse_unknown(&members, &known)?;
    let served = call.host.served(name)?;
    let schema = served.version().schema.clone();
    if let Some(Value::Object(vectors)) = members.get("vectors") {
        vectors.keys().try_for_each(|name| schema.part(name).map(drop))?;
    }
    let mut settings = schema.settings.clone();
    // The parameters of a collection are named one by one when it is created, and together when it is changed.
    if let Some(Value::Object(params)) = members.remove("params") {
        members.extend(params.into_iter().filter(|(_, value)| !value.is_null()));
    }
    for (name, value) in members {
        merge(settings.entry(name).or_insert(Value::Null), value);
    }
    call.host.configure(name, IndexConfig::of_settings(settings))?;
    Answer::of(&true)
}

fn merge(old: &mut Value, new: Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                merge(old.entry(name).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(request: Value) -> Result<Schema> {
        let Value::Object(members) = request else { panic!("a request is an object") };
        schema_of(members)
    }

    #[test]
    fn one_vector_and_several_are_read() {
        let one = schema(json!({"vectors": {"size": 4, "distance": "Cosine"}})).unwrap();
        assert_eq!(one.vectors, [VectorSchema::dense("", 4, Distance::Cosine, Numbers::F32)]);
        let two =
            schema(json!({"vectors": {"a": {"size": 4, "distance": "Dot"}, "b": {"size": 8, "distance": "Euclid", "datatype": "uint8"}}}));
        let names: Vec<_> = two.unwrap().vectors.into_iter().map(|vector| (vector.name, vector.dim, vector.datatype)).collect();
        assert_eq!(names, [("a".to_owned(), 4, Numbers::F32), ("b".to_owned(), 8, Numbers::U8)]);
    }

    #[test]
    fn what_is_not_acted_on_is_kept_and_null_is_nothing() {
        let request = json!({
            "vectors": {"size": 4, "distance": "Dot", "on_disk": true, "hnsw_config": null},
            "shard_number": 2, "hnsw_config": {"m": 8}, "quantization_config": null, "sparse_vectors": null,
        });
        let kept = schema(request).unwrap().settings;
        assert_eq!(
            serde_json::to_value(kept).unwrap(),
            json!({"hnsw_config": {"m": 8}, "shard_number": 2, "vectors": {"": {"on_disk": true}}})
        );
    }

    #[test]
    fn what_would_be_lost_or_misunderstood_is_refused() {
        let vector = || json!({"size": 4, "distance": "Dot"});
        for request in [
            json!({}),
            json!({"vectors": {}}),
            json!({"vectors": vector(), "sparse_vectors": {"words": {}}}),
            json!({"vectors": vector(), "shards": 2}),
            json!({"vectors": {"size": 4, "distance": "Hamming"}}),
            json!({"vectors": {"size": 0, "distance": "Dot"}}),
            json!({"vectors": {"size": -1, "distance": "Dot"}}),
            json!({"vectors": {"size": 4, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}}),
        ] {
            assert!(schema(request.clone()).is_err(), "{request}");
        }
    }

    #[test]
    fn a_change_replaces_single_members_and_merges_objects() {
        let mut kept = json!({"hnsw_config": {"m": 8, "ef_construct": 100}, "on_disk_payload": true});
        merge(&mut kept, json!({"hnsw_config": {"m": 16}, "on_disk_payload": false}));
        assert_eq!(kept, json!({"hnsw_config": {"m": 16, "ef_construct": 100}, "on_disk_payload": false}));
    }
}
