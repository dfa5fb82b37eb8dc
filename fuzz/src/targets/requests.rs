//! Calls of the REST API, one after the other, then a restart.
//!
//! Input: calls, a zero byte between two; of each the first line is a method and a path with its query, the rest the body.

use platform::http::Method;

use super::Target;
use super::served::Server;

/// See the top of this file.
pub const TARGET: Target = Target { name: "requests", run, seeds, words: WORDS };

/// Calls that are made: more make a run slow, not better.
const CALLS_MAX: usize = 8;

const WORDS: &[&str] = &[
    "\0",
    "?wait=true",
    "?timeout=1",
    "&ordering=strong",
    "PUT /collections/d\n",
    "POST /collections/c/points/query\n",
    "POST /collections/c/points/scroll\n",
    "DELETE /collections/c\n",
    "/collections/a/",
    "\"vector\":{\"a\":[1,2]}",
    "\"vectors\":{\"b\":[1,2,3]}",
    "\"vector\":[[1,2],[3,4]]",
    "{\"indices\":[0,7],\"values\":[1,2]}",
    "\"points\":[1,2]",
    "\"filter\":{\"must\":[{\"key\":\"n\",\"range\":{\"gte\":1}}]}",
    "\"filter\":{\"must_not\":[{\"has_id\":[1]}]}",
    "{\"nearest\":[1,0]}",
    "{\"recommend\":{\"positive\":[1],\"negative\":[2]}}",
    "{\"order_by\":\"n\"}",
    "{\"fusion\":\"rrf\"}",
    "{\"sample\":\"random\"}",
    "\"prefetch\":[{\"query\":[1,0],\"limit\":2}]",
    "\"params\":{\"hnsw_ef\":18446744073709551615,\"exact\":true}",
    "\"score_threshold\":1e39",
    "\"with_payload\":{\"include\":[\"list[].k\"]}",
    "\"with_vector\":[\"b\"]",
    "\"with_lookup\":{\"collection\":\"c\"}",
    "\"limit\":18446744073709551615",
    "\"offset\":9223372036854775807",
    "\"using\":\"b\"",
    "\"id\":-1",
    "\"shard_key\":\"k\"",
    "\"on_disk\":true",
    "65536",
    "1e400",
    "-0.0",
    "null",
    "\\ud83d",
];

fn run(input: &[u8]) -> bool {
    let server = Server::with_points();
    let mut is_accepted = false;
    for call in input.split(|byte| *byte == 0).take(CALLS_MAX) {
        let (line, body) = call.iter().position(|byte| *byte == b'\n').map_or((call, &[][..]), |at| (&call[..at], &call[at + 1..]));
        let line = String::from_utf8_lossy(line);
        // What the door to sockets lets through is visible ASCII.
        let Some((method, path)) = line.split_once(' ').filter(|(_, path)| path.bytes().all(|byte| byte.is_ascii_graphic())) else {
            continue;
        };
        let answer = server.ask(Method::read(method), path, &[("content-type", "application/json")], body);
        is_accepted |= answer.status == 200;
    }
    server.check_restarts();
    is_accepted
}

fn seeds() -> Vec<Vec<u8>> {
    let alone = [
        "GET /collections",
        "GET /collections/c",
        "GET /collections/c/points/1",
        "GET /metrics",
        "GET /telemetry?anonymize=true",
        "GET /aliases",
        "GET /vectra/v1/openapi.json",
        "POST /collections/c/points\n{\"ids\":[1,\"0f0e0d0c-0b0a-0908-0706-050403020100\"],\"with_payload\":[\"n\"],\"with_vector\":true}",
        "POST /collections/c/points/scroll\n{\"limit\":2,\"order_by\":{\"key\":\"n\",\"direction\":\"desc\",\"start_from\":1},\"with_vector\":true}",
        "POST /collections/c/points/scroll\n{\"offset\":2,\"filter\":{\"should\":[{\"key\":\"at\",\"geo_radius\":{\"center\":{\"lat\":1,\"lon\":2},\"radius\":5}}]}}",
        "POST /collections/c/points/count\n{\"filter\":{\"min_should\":{\"conditions\":[{\"key\":\"n\",\"match\":{\"any\":[1,2]}}],\"min_count\":1}}}",
        "POST /collections/c/points/query\n{\"query\":[1,0],\"limit\":2,\"with_payload\":true,\"params\":{\"hnsw_ef\":9,\"exact\":false},\"score_threshold\":2.5}",
        "POST /collections/m/points/query\n{\"query\":1,\"using\":\"b\",\"offset\":1,\"with_vector\":[\"b\"],\"lookup_from\":{\"collection\":\"m\",\"vector\":\"b\"}}",
        "POST /collections/c/points/query\n{\"query\":{\"order_by\":\"n\"}}",
        "POST /collections/c/points/query/batch\n{\"searches\":[{\"query\":{\"nearest\":[1,0]}},{\"query\":{\"sample\":\"random\"},\"limit\":1}]}",
        "POST /collections/c/points/query/groups\n{\"query\":[1,0],\"group_by\":\"tag\",\"group_size\":2,\"limit\":3,\"with_lookup\":{\"collection\":\"c\",\"with_vectors\":true}}",
        "POST /collections/c/facet\n{\"key\":\"tag\",\"limit\":3,\"exact\":true,\"filter\":{\"must\":[{\"is_empty\":{\"key\":\"m\"}}]}}",
    ];
    let writes = [
        "PUT /collections/d\n{\"vectors\":{\"size\":4,\"distance\":\"Dot\",\"on_disk\":true},\"hnsw_config\":{\"m\":8},\"metadata\":{\"o\":1}}\0PUT /collections/d/points?wait=true&ordering=medium\n{\"batch\":{\"ids\":[1,2],\"vectors\":[[1,2,3,4],[0,0,0,1]],\"payloads\":[null,{\"a\":[]}]}}",
        "PATCH /collections/c\n{\"hnsw_config\":{\"ef_construct\":9},\"optimizers_config\":{\"max_segment_size\":null}}\0DELETE /collections/c",
        "POST /collections/aliases\n{\"actions\":[{\"rename_alias\":{\"old_alias_name\":\"a\",\"new_alias_name\":\"e\"}},{\"delete_alias\":{\"alias_name\":\"e\"}}]}",
        "POST /collections/c/points/payload\n{\"payload\":{\"k\":{\"l\":1}},\"points\":[1],\"key\":\"list[]\"}\0PUT /collections/c/points/payload\n{\"payload\":{},\"filter\":{\"must\":[{\"is_null\":{\"key\":\"n\"}}]}}",
        "POST /collections/c/points/payload/delete\n{\"keys\":[\"list[].k\",\"n\"],\"points\":[1,2]}\0POST /collections/c/points/payload/clear\n{\"points\":[3]}",
        "PUT /collections/m/points/vectors\n{\"points\":[{\"id\":2,\"vector\":{\"b\":[9,9,9]}}]}\0POST /collections/m/points/vectors/delete\n{\"points\":[1],\"vector\":[\"b\"]}",
        "POST /collections/c/points/batch\n{\"operations\":[{\"upsert\":{\"points\":[{\"id\":9,\"vector\":[1,1]}]}},{\"delete\":{\"points\":[1]}},{\"set_payload\":{\"payload\":{\"n\":3},\"points\":[2]}},{\"delete_vectors\":{\"points\":[2],\"vector\":[\"\"]}},{\"clear_payload\":{\"filter\":{}}}]}",
        "POST /collections/c/points/delete?wait=true\n{\"filter\":{\"must\":[{\"key\":\"n\",\"range\":{\"lt\":2}}]}}\0DELETE /collections/c/index/n\0PUT /collections/c/index\n{\"field_name\":\"tag\",\"field_schema\":{\"type\":\"text\",\"tokenizer\":\"word\",\"lowercase\":true}}",
        "POST /collections/c/snapshots\0GET /collections/c/snapshots\0POST /snapshots\0GET /snapshots",
    ];
    alone.iter().chain(&writes).map(|seed| seed.as_bytes().to_vec()).collect()
}
