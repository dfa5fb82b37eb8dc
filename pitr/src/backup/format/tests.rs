//! Descriptions of backups as a hostile hand writes them: the hash is right, the content is not.

use engine::ErrorKind;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;

const T: &str = "01010101010101010101010101010101";
const U: &str = "02020202020202020202020202020202";
const HASH: &str = "0303030303030303030303030303030303030303030303030303030303030303";

fn sound() -> Value {
    json!({
        "format": 1, "snapshot_id": "one", "archive": T, "collection": "c", "aliases": ["a"], "incarnation": T, "database": T, "type": "full",
        "base": null, "pin_time": 5, "finished": 6, "position": {"timeline": U, "lsn": 256, "commit_time": 4},
        "ancestry": [{"timeline": T, "from": 0, "to": 128}, {"timeline": U, "from": 128, "to": 256}],
        "points": 2, "points_with_payload": 1,
        "manifest": {"timeline": U, "name": "00000000000000000128-00000000000000000001-00000000000000000003", "bytes": 500, "blake3": HASH},
        "log": [{"timeline": T, "start": 0, "end": 128, "blake3": HASH}, {"timeline": U, "start": 128, "end": 256, "blake3": HASH}],
        "objects": [{"role": "rows", "id": T, "name": U, "bytes": 100, "blake3": HASH}],
        "index": {"vectors": {}, "segments": []}, "bytes": {"total": 1, "new": 1, "adjacency": 0, "codes": 0}, "parents": [],
        "answers": {"top": 10, "recall": [1, 1], "probes": [{"point": "1", "vector": "", "digest": HASH, "ef": 64, "found": "1", "exact": "1"}]},
    })
}

fn decode(value: &Value) -> Result<SnapshotFile> {
    SnapshotFile::decode(&encode_json(value), "one")
}

#[test]
fn a_sound_description_reads_back() {
    let file = decode(&sound()).unwrap();
    assert_eq!(SnapshotFile::decode(&file.encode(), "one").unwrap(), file);
}

#[test]
fn a_cleaned_log_has_holes_below_what_the_manifest_covers_and_nowhere_else() {
    let ranges = |bounds: &[(&str, u64, u64)]| -> Value {
        let range = |&(timeline, start, end): &(&str, u64, u64)| json!({"timeline": timeline, "start": start, "end": end, "blake3": HASH});
        bounds.iter().map(range).collect()
    };
    let with = |format: u32, bounds: &[(&str, u64, u64)]| {
        let mut value = sound();
        (value["format"], value["log"]) = (json!(format), ranges(bounds));
        decode(&value)
    };
    let cleaned = [(T, 64, 128), (U, 128, 256)];
    let file = with(2, &cleaned).unwrap();
    assert_eq!(SnapshotFile::version_of(&file.log), 2);
    assert_eq!(SnapshotFile::version_of(&decode(&sound()).unwrap().log), 1);
    assert_eq!(with(1, &cleaned).unwrap_err().kind, ErrorKind::Corrupt, "the first version has no holes");
    assert_eq!(with(3, &cleaned).unwrap_err().kind, ErrorKind::NewerFormat);
    let refused: [&[(&str, u64, u64)]; 5] = [
        &[(T, 0, 64), (U, 128, 256)],
        &[(T, 64, 128), (U, 192, 256)],
        &[(T, 64, 128), (U, 128, 192)],
        &[(U, 128, 256), (T, 64, 128)],
        &[(T, 0, 128), (T, 64, 128), (U, 128, 256)],
    ];
    for bounds in refused {
        assert_eq!(with(2, bounds).unwrap_err().kind, ErrorKind::Corrupt, "{bounds:?}");
    }
}

#[test]
fn hostile_descriptions_are_refused() {
    let changes: &[(&str, Value)] = &[
        ("/snapshot_id", json!("two")),
        ("/snapshot_id", json!("../one")),
        ("/archive", json!("../../etc")),
        ("/collection", json!("")),
        ("/collection", json!("../c")),
        ("/aliases/0", json!("a/b")),
        ("/aliases/0", json!("a\0b")),
        ("/incarnation", json!("/etc/passwd")),
        ("/position/lsn", json!(320)),
        ("/position/lsn", json!(-1)),
        ("/position/timeline", json!(T)),
        ("/ancestry", json!([])),
        ("/ancestry/0/from", json!(64)),
        ("/ancestry/0/to", json!(64)),
        ("/ancestry/1/to", json!(null)),
        ("/ancestry/1/to", json!(u64::MAX)),
        ("/points_with_payload", json!(3)),
        ("/manifest/name", json!("../../../CURRENT")),
        ("/manifest/timeline", json!("..")),
        ("/manifest/bytes", json!("many")),
        ("/log", json!([])),
        ("/log/0/end", json!(192)),
        ("/log/0/end", json!(0)),
        ("/log/0/timeline", json!(U)),
        ("/log/1/end", json!(9_223_372_036_854_775_808_u64)),
        ("/log/1/start", json!(129)),
        ("/objects/0/role", json!("virus")),
        ("/objects/0/id", json!("../../../../tmp/x")),
        ("/objects/0/name", json!("../snapshots/one.json")),
        ("/objects/0/bytes", json!(32)),
        ("/objects/0/bytes", json!(u64::MAX)),
        ("/objects/0/bytes", json!(1e300)),
        ("/objects/0/blake3", json!("00")),
        ("/objects/0/in", json!(U)),
        ("/objects/0/in", json!("/absolute")),
        ("/parents", json!([{"archive": U, "snapshot_id": "../x", "blake3": HASH, "hint": ""}])),
    ];
    for (path, value) in changes {
        let mut file = sound();
        match file.pointer_mut(path) {
            Some(place) => *place = value.clone(),
            None => file["objects"][0]["in"] = value.clone(),
        }
        let error = decode(&file).expect_err(path);
        assert_eq!(error.kind, ErrorKind::Corrupt, "{path} = {value}: {error}");
    }
    let mut twice = sound();
    let object = twice["objects"][0].clone();
    twice["objects"].as_array_mut().unwrap().push(object);
    assert_eq!(decode(&twice).unwrap_err().kind, ErrorKind::Corrupt);
}

#[test]
fn a_description_without_answers_is_one_of_an_earlier_version() {
    let mut value = sound();
    value.as_object_mut().unwrap().shift_remove("answers");
    let file = decode(&value).unwrap();
    assert_eq!(file.answers, None);
    assert!(!String::from_utf8_lossy(&file.encode()).contains("answers"), "it is written as it was read");
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (field, expected) in [("parents", Some(ErrorKind::Corrupt)), ("of_a_later_version", None)] {
        let mut fields: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
        for (name, value) in sound().as_object().unwrap() {
            fields.insert(name.clone(), RawValue::from_string(value.to_string()).unwrap());
        }
        fields.insert(field.to_owned(), RawValue::from_string(deep.clone()).unwrap());
        let decoded = SnapshotFile::decode(&encode_json(&fields), "one");
        assert_eq!(decoded.err().map(|error| error.kind), expected, "{field}");
    }
}

#[test]
fn the_document_says_what_the_code_does() {
    let document = include_str!("../../../../docs/format/archive.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let cell = |name: &str| rows.iter().find(|row| row[0] == name).map(|row| row[1]);
    let constants = [
        ("EXTENT_OVERHEAD", crate::archive::extent::EXTENT_OVERHEAD),
        ("EXTENT_LEN_MAX", EXTENT_LEN_MAX),
        ("RECORD_ALIGN", RECORD_ALIGN),
        ("SEAL_LEN", crate::archive::extent::SEAL_LEN),
        ("JSON_VERSION", u64::from(crate::archive::stored::JSON_VERSION)),
        ("JSON_LEN_MAX", crate::archive::stored::JSON_LEN_MAX),
        ("SNAPSHOT_LEN_MAX", SNAPSHOT_LEN_MAX),
    ];
    for (name, value) in constants {
        assert_eq!(cell(name), Some(value.to_string().as_str()), "{name}");
    }
    let written = serde_json::to_value(decode(&sound()).unwrap()).unwrap();
    let described: Vec<&str> = rows.iter().skip_while(|row| row[0] != "field").skip(2).map(|row| row[0]).collect();
    let fields: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, described, "fields of a description");
    for row in rows.iter().filter(|row| row[0].starts_with('`')) {
        let key = row[0].trim_matches('`');
        let ids = ["<incarnation>", "<timeline>", "<database>", "<name>"].iter().fold(key.to_owned(), |key, part| key.replace(part, T));
        let numbers = ["<start>", "<n>", "<time>", "<covered lsn>", "<seq>", "<commit time>"]
            .iter()
            .fold(ids, |key, part| key.replace(part, "00000000000000000007"));
        assert_ne!(Key::parse(&numbers.replace("<snapshot id>", "monday")), Key::Other, "{key}");
    }
}

#[test]
fn golden_bytes_of_a_json_object() {
    let stored = encode_json(&json!({"format": 1, "archive": T}));
    let text = String::from_utf8(stored[..stored.len() - HASH_LEN].to_vec()).unwrap();
    assert_eq!(text, format!("{{\"size\":\"00000000000000851ab315e3\",\n  \"format\": 1,\n  \"archive\": \"{T}\"\n}}\n"));
    assert_eq!(stored[stored.len() - HASH_LEN..], Hash::of(text.as_bytes()).0);
}
