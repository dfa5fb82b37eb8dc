//! Single points: get, upsert, delete, set-payload, field indexes.

use crate::commands::testing::{Place, payload, vectors};

fn place_with_points() -> Place {
    let place = Place::new();
    let (file, texts) = (place.npy("v.npy", &vectors(30, 4)), place.write("p.jsonl", payload(30).as_bytes()));
    place.ok("collections create a --dim 4 --distance dot");
    place.ok(&format!("import a --vectors {file} --payload {texts}"));
    place
}

#[test]
fn points_are_printed_in_the_order_of_the_ids_and_missing_ones_are_noted() {
    let place = place_with_points();
    let ran = place.ok("points get a --ids 7,99,2");
    assert_eq!(ran.out, "{\"id\":7,\"payload\":{\"n\":7,\"lang\":\"de\"}}\n{\"id\":2,\"payload\":{\"n\":2,\"lang\":\"en\"}}\n");
    assert!(ran.err.contains("99"), "{}", ran.err);
    assert_eq!(place.ok("points get a --ids 7 --with-vector").json()[0]["vector"].as_array().map(Vec::len), Some(4));
}

#[test]
fn deleted_points_are_gone_and_the_ack_says_how_many_there_were() {
    let place = place_with_points();
    let ack = place.ok("points delete a --ids 1,2,77 --json").json().remove(0);
    assert_eq!((&ack["event"], &ack["points"]), (&"ack".into(), &2.into()));
    assert!(ack["lsn"].is_u64() && ack["commit_time"].is_string() && ack["first_row"].is_null(), "{ack}");
    place.ok("points delete a --filter '{\"must\":[{\"key\":\"n\",\"range\":{\"gte\":20}}]}'");
    assert_eq!(place.ok("collections count a").out, "18\n");
    assert_eq!(place.run("points delete a --filter '{\"must\":[{\"nonsense\":1}]}'").exit(), 1);
}

#[test]
fn a_payload_gets_the_new_keys_and_keeps_the_others() {
    let place = place_with_points();
    place.ok("points set-payload a --ids 4 --payload '{\"lang\":\"fr\",\"new\":[1]}'");
    assert_eq!(place.ok("points get a --ids 4").json()[0]["payload"], serde_json::json!({"n": 4, "lang": "fr", "new": [1]}));
    let by_filter =
        "points set-payload a --filter '{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"de\"}}]}' --payload '{\"x\":1}' --json";
    assert_eq!(place.ok(by_filter).json()[0]["points"], 15);
    assert_eq!(place.run("points set-payload a --ids 4 --payload '[1]'").exit(), 1);
}

#[test]
fn an_upsert_replaces_whole_points() {
    let place = place_with_points();
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let lines = format!("{{\"id\":4,\"vector\":[1,2,3,4]}}\n{{\"id\":\"{uuid}\",\"vector\":[0,0,0,0],\"payload\":{{\"u\":1}}}}\n");
    let acks = place.ok(&format!("points upsert a --jsonl {} --json", place.write("u.jsonl", lines.as_bytes()))).json();
    assert_eq!((acks.len(), &acks[0]["points"], &acks[0]["last_row"]), (1, &2.into(), &1.into()));
    let points = place.ok(&format!("points get a --ids 4,{uuid} --with-vector")).json();
    assert_eq!(points[0], serde_json::json!({"id": 4, "vector": [1.0, 2.0, 3.0, 4.0], "payload": null}));
    assert_eq!(points[1]["id"], uuid);
    assert_eq!(place.ok("collections count a").out, "31\n");
}

#[test]
fn a_field_index_gives_the_same_answers_and_keeps_its_type() {
    let place = place_with_points();
    let count = "collections count a --filter '{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"de\"}}]}'";
    let before = place.ok(count).out;
    place.ok("collections field-index a lang --type keyword");
    place.ok("collections field-index a lang --type keyword");
    assert_eq!(place.ok(count).out, before);
    assert_eq!(place.run("collections field-index a lang --type integer").exit(), 4);
    assert_eq!(place.ok("collections info a --json").json()[0]["fields"][0]["name"], "lang");
}
