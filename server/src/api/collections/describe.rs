//! What there is to say about a collection, in the form that clients check their own description against.

use engine::schema::Numbers;
use engine::{Distance, Schema, VectorSchema};
use serde_json::{Map, Value, json};

use crate::api::Call;
use crate::api::answer::{Answer, Outcome};

/// Describes a collection.
pub(in crate::api) fn describe(name: &str, call: &Call<'_>) -> Outcome {
    let served = call.host.served(name)?;
    let version = served.version();
    let info = version.info();
    let is_indexed = info.indexes.iter().all(|index| !index.differs);
    let (status, optimizer) = match served.background_failure() {
        None if is_indexed => ("green", json!("ok")),
        None => ("yellow", json!("ok")),
        Some(error) => ("red", json!({"error": error.message})),
    };
    let fields: Map<String, Value> = version
        .schema
        .fields
        .iter()
        .map(|field| (field.name.clone(), json!({"data_type": field.field_type.name(), "points": version.points})))
        .collect();
    Answer::of(&json!({
        "status": status,
        "optimizer_status": optimizer,
        "points_count": info.points,
        "indexed_vectors_count": info.indexes.iter().map(|index| index.rows).sum::<u64>(),
        "segments_count": info.segments.len(),
        "config": config(&version.schema),
        "payload_schema": fields,
        "vectra": {
            "incarnation": served.collection().incarnation().to_string(),
            "lsn": version.lsn_end,
            "commit_time_micros": version.commit_time,
            "memory_bytes": info.memory_bytes,
        },
    }))
}

/// Shows the configuration: what holds, and what clients gave and is kept for them.
fn config(schema: &Schema) -> Value {
    let kept = |name: &str| schema.settings.get(name).cloned();
    let over = |name: &str, usual: Value| overlaid(usual, kept(name));
    let mut params = Map::new();
    params.insert("vectors".to_owned(), vectors(schema));
    params.insert("shard_number".to_owned(), kept("shard_number").unwrap_or_else(|| json!(1)));
    params.insert("replication_factor".to_owned(), kept("replication_factor").unwrap_or_else(|| json!(1)));
    params.insert("write_consistency_factor".to_owned(), kept("write_consistency_factor").unwrap_or_else(|| json!(1)));
    params.insert("on_disk_payload".to_owned(), kept("on_disk_payload").unwrap_or_else(|| json!(true)));
    for name in ["sharding_method", "payload", "id_tracker", "read_fan_out_factor", "read_fan_out_delay_ms"] {
        params.extend(kept(name).map(|value| (name.to_owned(), value)));
    }
    let index = schema.vectors.first().map(|vector| vector.index.clone()).unwrap_or_default();
    let mut config = json!({
        "params": params,
        "hnsw_config": over("hnsw_config", json!({"m": index.m, "ef_construct": index.ef_construction, "full_scan_threshold": 10_000,
            "max_indexing_threads": 0, "on_disk": false})),
        "optimizer_config": over("optimizers_config", json!({"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000,
            "default_segment_number": 0, "flush_interval_sec": 0})),
        "wal_config": over("wal_config", json!({"wal_capacity_mb": 64, "wal_segments_ahead": 0})),
        "quantization_config": kept("quantization_config"),
    });
    if let Value::Object(config) = &mut config {
        for name in ["strict_mode_config", "metadata"] {
            config.extend(kept(name).map(|value| (name.to_owned(), value)));
        }
    }
    config
}

fn overlaid(mut usual: Value, kept: Option<Value>) -> Value {
    if let (Value::Object(usual), Some(Value::Object(kept))) = (&mut usual, kept) {
        usual.extend(kept);
    }
    usual
}

fn vectors(schema: &Schema) -> Value {
    let kept = |name: &str| schema.settings.get("vectors").and_then(|vectors| vectors.get(name)).cloned();
    match schema.vectors.as_slice() {
        [only] if only.name.is_empty() => overlaid(vector(only), kept("")),
        several => several.iter().map(|one| (one.name.clone(), overlaid(vector(one), kept(&one.name)))).collect::<Map<_, _>>().into(),
    }
}

fn vector(vector: &VectorSchema) -> Value {
    let distance = match vector.distance {
        Distance::Cosine => "Cosine",
        Distance::Dot => "Dot",
        Distance::Euclid => "Euclid",
        Distance::Manhattan => "Manhattan",
    };
    let mut shown = json!({"size": vector.dim, "distance": distance});
    match vector.datatype {
        // Who gave none checks that none comes back.
        Numbers::F32 => {}
        Numbers::F16 => shown["datatype"] = json!("float16"),
        Numbers::U8 => shown["datatype"] = json!("uint8"),
    }
    shown
}
