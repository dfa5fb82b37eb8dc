//! `vectra collections info`: the schema, the sizes and the segments of a collection.

use super::session::Session;
use crate::exit::Failure;
use crate::output::{bytes, count};
use crate::time::format_time;
use engine::collection::{CollectionInfo, IndexInfo, Version};
use engine::schema::Numbers;
use engine::{Collection, Distance, VectorSchema};
use pitr::lazy::Places;
use serde_json::{Map, Value, json};

/// Prints what there is to say about a collection.
pub(super) fn run(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    session.read(name, |database, collection| {
        let version = collection.version();
        let info = version.info();
        let aliases = database.state().aliases_of(collection.name());
        if session.out.is_json() {
            return session.out.result_json(&as_json(collection, &version, &info, &aliases));
        }
        as_text(collection, &version, &info, &aliases).iter().try_for_each(|line| session.out.row(line))
    })
}

fn as_json(collection: &Collection, version: &Version, info: &CollectionInfo, aliases: &[String]) -> Value {
    let vectors: Map<String, Value> = version.schema.vectors.iter().map(|vector| (vector.name.clone(), vector_json(vector))).collect();
    let segments: Vec<Value> = info
        .segments
        .iter()
        .map(|meta| {
            json!({"id": meta.id.to_string(), "blake3": meta.hash().to_string(), "kind": meta.kind.name(), "rows": meta.rows,
                   "bytes": meta.disk_bytes()})
        })
        .collect();
    let fields: Vec<Value> =
        version.schema.fields.iter().map(|field| json!({"name": field.name, "type": field.field_type.name()})).collect();
    json!({
        "name": collection.name(),
        "incarnation": collection.incarnation().to_string(),
        "points": info.points,
        "points_with_payload": info.points_with_payload,
        "tail_points": info.tail_points,
        "flat_points": info.flat_points,
        "indexed_points": info.indexed_points,
        "lsn": version.lsn_end,
        "commit_time": format_time(version.commit_time),
        "timeline": version.manifest.timeline().to_string(),
        "vectors": vectors,
        "fields": fields,
        "segments": segments,
        "bytes": {"log": info.log_bytes, "live": info.live_bytes, "moved": info.moved_bytes, "segments": info.segment_bytes,
                  "codes": info.code_bytes},
        "elsewhere": away(collection),
        "memory_bytes": info.memory_bytes,
        "indexes": info.indexes.iter().map(index_json).collect::<Vec<_>>(),
        "aliases": aliases,
    })
}

/// What of the log is in archives, where, and whether it stays there; null when all of it is here.
fn away(collection: &Collection) -> Value {
    let places = collection.lazy_marker().and_then(|marker| Places::parse(&marker.source).ok().map(|places| (marker.keep, places)));
    let Some((keep, places)) = places else { return Value::Null };
    let archives: Vec<String> = places.archives.into_iter().map(|archive| archive.location).collect();
    json!({"bytes": collection.lazy_bytes().0, "archives": archives, "keep": keep})
}

fn vector_json(vector: &VectorSchema) -> Value {
    let index = &vector.index;
    json!({
        "dim": vector.dim, "distance": distance(vector), "datatype": datatype(vector), "index": index.kind.name(),
        "index_params": {"m": index.m, "ef_construction": index.ef_construction, "seed": index.seed},
        "memory": index.memory.name(),
    })
}

/// What was built for a vector, in distinction to what is asked for.
fn index_json(index: &IndexInfo) -> Value {
    let recall = index.recall.map(|found| {
        let recall = (found.recall * 1e4).round() / 1e4;
        json!({"recall": recall, "ef": found.ef, "top": found.top, "samples": found.samples})
    });
    json!({
        "vector": index.vector, "kind": index.params.kind.name(), "memory": index.params.memory.name(), "rows": index.rows,
        "m": index.params.m, "m0": index.m0, "mean_degree": index.mean_degree.map(|degree| (degree * 100.0).round() / 100.0),
        "code_bits": index.code_bits, "sampled_recall": recall, "differs": index.differs,
    })
}

fn index_lines(index: &IndexInfo) -> Vec<String> {
    let name = if index.vector.is_empty() { String::new() } else { format!("{}: ", index.vector) };
    let params = &index.params;
    let degree = index.mean_degree.map_or_else(String::new, |degree| format!(", {degree:.1} neighbours in the mean"));
    let graph = if index.m0 == 0 { String::new() } else { format!(", m {} ({} in the lowest level{degree})", params.m, index.m0) };
    let (kind, memory, bits, rows) = (params.kind.name(), params.memory.name(), index.code_bits, count(index.rows));
    let mut lines = vec![format!("index        {name}{kind}{graph}, {bits}-bit codes, memory {memory}, {rows} rows")];
    if let Some(found) = index.recall {
        let (recall, ef, top) = (found.recall, found.ef, found.top);
        lines.push(format!("recall       {name}{recall:.4} at {top} with {ef} candidates, sampled when it was built"));
    }
    if index.differs {
        lines.push(format!("             {name}built otherwise than configured: \"vectra collections optimize\" builds it anew"));
    }
    lines
}

fn distance(vector: &VectorSchema) -> &'static str {
    match vector.distance {
        Distance::Cosine => "cosine",
        Distance::Dot => "dot",
        Distance::Euclid => "euclid",
        Distance::Manhattan => "manhattan",
    }
}

fn datatype(vector: &VectorSchema) -> &'static str {
    match vector.datatype {
        Numbers::F32 => "f32",
        Numbers::F16 => "f16",
        Numbers::U8 => "u8",
    }
}

/// The sum, and the sections from the largest down.
fn memory_line(info: &CollectionInfo) -> String {
    let mut sections: Vec<(&str, u64)> =
        info.memory_bytes.iter().map(|(name, size)| (*name, *size)).filter(|(_, size)| *size > 0).collect();
    sections.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let shown: Vec<String> = sections.iter().map(|(name, size)| format!("{name} {}", bytes(*size))).collect();
    let sum = bytes(info.memory_bytes.values().sum());
    if shown.is_empty() { format!("memory       {sum}") } else { format!("memory       {sum}: {}", shown.join(", ")) }
}

fn as_text(collection: &Collection, version: &Version, info: &CollectionInfo, aliases: &[String]) -> Vec<String> {
    let with_payload = count(info.points_with_payload);
    let mut lines = vec![
        format!("name         {}", collection.name()),
        format!("points       {} ({with_payload} with payload)", count(info.points)),
        format!(
            "rows         {} in graphs, {} in flat segments, {} in the tail",
            count(info.indexed_points),
            count(info.flat_points),
            count(info.tail_points)
        ),
    ];
    for vector in &version.schema.vectors {
        let name = if vector.name.is_empty() { String::new() } else { format!("{}: ", vector.name) };
        let (distance, datatype, kind) = (distance(vector), datatype(vector), vector.index.kind.name());
        lines.push(format!("vector       {name}{} dimensions, {distance}, {datatype}, {kind}", vector.dim));
    }
    lines.extend(info.indexes.iter().flat_map(index_lines));
    lines.extend(version.schema.fields.iter().map(|field| format!("field        {} ({})", field.name, field.field_type.name())));
    if !aliases.is_empty() {
        lines.push(format!("aliases      {}", aliases.join(", ")));
    }
    lines.push(format!("last write   {}, position {}", format_time(version.commit_time), version.lsn_end));
    lines.push(format!("history      timeline {}, incarnation {}", version.manifest.timeline(), collection.incarnation()));
    let (log, segments, codes) = (bytes(info.log_bytes), bytes(info.segment_bytes), bytes(info.code_bytes));
    let live = bytes(info.live_bytes);
    lines.push(format!("disk         log {log} ({live} alive), segments {segments}, codes {codes}"));
    if let Some(archives) = away(collection)["archives"].as_array() {
        let archives: Vec<&str> = archives.iter().filter_map(Value::as_str).collect();
        lines.push(format!("elsewhere    {} of the log, in {}", bytes(collection.lazy_bytes().0), archives.join(", ")));
    }
    lines.push(memory_line(info));
    let segment = |meta: &engine::segment::SegmentMeta| {
        format!("segment      {} {}, {} rows, {}", meta.id, meta.kind.name(), count(u64::from(meta.rows)), bytes(meta.disk_bytes()))
    };
    lines.extend(info.segments.iter().map(segment));
    lines
}
