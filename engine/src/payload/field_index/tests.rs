//! What an index answers on its own, its bytes, and bytes that are none.

use super::*;
use crate::payload::filter::{Condition, Filter};

fn build(path: &str, kind: FieldType, payloads: &[&str]) -> FieldIndex {
    let mut builder = FieldIndexBuilder::new(&FieldPath::parse(path).unwrap(), kind, payloads.len() as u32);
    for (row, payload) in (0..).zip(payloads) {
        builder.add(row, (*payload != "{}").then_some(*payload));
    }
    let index = FieldIndex::open(Bytes::from(builder.finish())).unwrap();
    index.verify().unwrap();
    index
}

fn ask(index: &FieldIndex, test: &str) -> (Vec<u32>, Vec<u32>) {
    let filter = Filter::parse(&format!("{{\"must\":{test}}}")).unwrap();
    let Condition::Field { test, .. } = &filter.must[0] else { panic!("{filter:?}") };
    let found = index.candidates(test).unwrap();
    let bounds = index.estimate_test(test).unwrap();
    assert!(
        bounds.least <= found.sure.count() as usize && (found.sure.count() + found.maybe.count()) as usize <= bounds.most,
        "{bounds:?}"
    );
    (found.sure.iter().collect(), found.maybe.iter().collect())
}

const MIXED: [&str; 10] = [
    r#"{"a":"x"}"#,
    r#"{"a":5}"#,
    r#"{"a":["y","x","x"]}"#,
    r#"{"a":null}"#,
    "{}",
    r#"{"a":[]}"#,
    r#"{"a":5.0}"#,
    r#"{"a":[1,"x"]}"#,
    r#"{"a":true}"#,
    r#"{"a":[null,"z"]}"#,
];

#[test]
fn a_keyword_index_is_exact_for_strings_and_leaves_the_rest_open() {
    let index = build("a", FieldType::Keyword, &MIXED);
    let other = vec![1, 6, 7, 8];
    assert_eq!(ask(&index, r#"{"key":"a","match":{"value":"x"}}"#), (vec![0, 2], other.clone()));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"any":["y","z","q"]}}"#), (vec![2, 9], other.clone()));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"except":["x"]}}"#), (vec![2, 9], other.clone()));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"except":[1]}}"#), (vec![0, 2, 9], other.clone()));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"value":5}}"#), (vec![], other.clone()));
    assert_eq!(ask(&index, r#"{"is_empty":{"key":"a"}}"#), (vec![3, 4, 5], vec![]));
    assert_eq!(ask(&index, r#"{"is_null":{"key":"a"}}"#), (vec![3, 9], vec![]));
    assert_eq!((index.rows_with_value(), index.distinct_values()), (7, 3));
}

#[test]
fn number_indexes_know_what_they_cannot_tell() {
    let integers = build("a", FieldType::Integer, &MIXED);
    assert_eq!(ask(&integers, r#"{"key":"a","match":{"value":5}}"#), (vec![1], vec![0, 2, 6, 7, 8, 9]));
    let floats = build("a", FieldType::Float, &MIXED);
    assert_eq!(ask(&floats, r#"{"key":"a","range":{"gte":5}}"#), (vec![1, 6], vec![0, 2, 7, 8, 9]));
    // Rows 1 and 6 hold 5 and 5.0: only the payload says which was written.
    assert_eq!(ask(&floats, r#"{"key":"a","match":{"value":5}}"#), (vec![], vec![0, 1, 2, 6, 7, 8, 9]));
    assert_eq!(ask(&floats, r#"{"key":"a","match":{"except":[4]}}"#), (vec![1, 6], vec![0, 2, 7, 8, 9]));
    let bools = build("a", FieldType::Bool, &MIXED);
    assert_eq!(ask(&bools, r#"{"key":"a","match":{"value":true}}"#), (vec![8], vec![0, 1, 2, 6, 7, 9]));
    assert_eq!(ask(&bools, r#"{"key":"a","match":{"value":false}}"#), (vec![], vec![0, 1, 2, 6, 7, 9]));
}

#[test]
fn integers_beyond_the_type_and_long_strings_are_found_through_the_payload() {
    let huge = "18446744073709551615";
    let index = build("a", FieldType::Integer, &[&format!("{{\"a\":{huge}}}"), r#"{"a":-9223372036854775808}"#]);
    assert_eq!(ask(&index, &format!(r#"{{"key":"a","match":{{"value":{huge}}}}}"#)), (vec![], vec![0]));
    assert_eq!(ask(&index, r#"{"key":"a","range":{"lt":0}}"#), (vec![1], vec![0]));
    let sized = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
    let index = build("a", FieldType::Keyword, &[&sized(KEYWORD_BYTES_MAX), &sized(KEYWORD_BYTES_MAX + 1)]);
    assert_eq!(ask(&index, r#"{"key":"a","match":{"except":["q"]}}"#), (vec![0], vec![1]));
}

#[test]
fn rows_that_were_never_added_have_no_payload() {
    let mut builder = FieldIndexBuilder::new(&FieldPath::parse("a").unwrap(), FieldType::Integer, 200);
    builder.add(3, Some(r#"{"a":1}"#));
    builder.add(130, Some(r#"{"a":1}"#));
    let index = FieldIndex::open(Bytes::from(builder.finish())).unwrap();
    assert_eq!(ask(&index, r#"{"key":"a","match":{"value":1}}"#).0, [3, 130]);
    assert_eq!(ask(&index, r#"{"is_empty":{"key":"a"}}"#).0.len(), 198);
}

#[test]
fn names_of_types_read_back() {
    for kind in FieldType::ALL {
        assert_eq!(FieldType::parse(kind.name()).unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
    assert!(FieldType::parse("Keyword").is_err());
}

/// The bytes of an index, part by part: they may never change. The two versions differ in their number alone, and in what null means.
fn golden() -> Vec<u8> {
    let hex = concat!(
        "5645434649445800",
        "0200",
        "01",
        "01",
        "03000000",
        "02000000",
        "03000000",
        "02000000",
        "00000000",
        "01000000",
        "01000000",
        "0300000000000000",
        "7400000000000000",
        "0300000000000000",
        "0000000000000000",
        "0400000000000000",
        "00000000",
        "01000000",
        "03000000",
        "00000000",
        "6162630000000000",
        "00000000",
        "01000000",
        "03000000",
        "00000000",
        "00000000",
        "00000000",
        "01000000",
        "00000000",
    );
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_bytes_of_the_format_stay_as_they_are() {
    let mut builder = FieldIndexBuilder::new(&FieldPath::parse("t").unwrap(), FieldType::Keyword, 3);
    builder.add(0, Some(r#"{"t":["bc","a"]}"#));
    builder.add(1, Some(r#"{"t":"bc"}"#));
    builder.add(2, Some(r#"{"t":null}"#));
    assert_eq!(builder.finish(), golden());
    let index = FieldIndex::open(Bytes::from(golden())).unwrap();
    index.verify().unwrap();
    assert_eq!(ask(&index, r#"{"key":"t","match":{"value":"bc"}}"#).0, [0, 1]);
}

#[test]
fn an_index_of_version_1_is_not_sure_of_null_within_arrays() {
    let mut old = golden();
    old[8] = 1;
    let index = FieldIndex::open(Bytes::from(old)).unwrap();
    index.verify().unwrap();
    assert_eq!(ask(&index, r#"{"key":"t","match":{"value":"bc"}}"#), (vec![0, 1], vec![]));
    assert_eq!(ask(&index, r#"{"is_null":{"key":"t"}}"#), (vec![2], vec![0, 1]));
    assert_eq!(ask(&index, r#"{"is_empty":{"key":"t"}}"#), (vec![2], vec![]));
}

#[test]
fn texts_moments_and_places_are_told_as_far_as_they_are_kept() {
    let texts = [r#"{"a":"the Quick fox"}"#, r#"{"a":["fox","the end"]}"#, r#"{"a":"-"}"#, r#"{"a":5}"#, "{}"];
    let index = build("a", FieldType::Text, &texts);
    assert_eq!(ask(&index, r#"{"key":"a","match":{"text":"FOX"}}"#), (vec![0, 1], vec![3]));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"text":"fox quick"}}"#), (vec![], vec![0, 3]));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"phrase":"the fox"}}"#), (vec![], vec![0, 1, 3]));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"text_any":"end quick"}}"#), (vec![0, 1], vec![3]));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"text":"the cat"}}"#), (vec![], vec![3]));
    let keywords = build("a", FieldType::Keyword, &texts);
    assert_eq!(ask(&keywords, r#"{"key":"a","match":{"phrase":"quick fox"}}"#), (vec![0], vec![3]));
    assert_eq!(ask(&keywords, r#"{"key":"a","match":{"prefix":"the "}}"#), (vec![0, 1], vec![3]));
    assert_eq!(ask(&keywords, r#"{"key":"a","match":{"prefix":""}}"#), (vec![0, 1, 2], vec![3]));
    let moments = [r#"{"a":"2021-01-01"}"#, r#"{"a":"2021-01-01T01:00:00+01:00"}"#, r#"{"a":["2022-01-01","1999-01-01"]}"#, r#"{"a":"x"}"#];
    let index = build("a", FieldType::Datetime, &moments);
    assert_eq!(ask(&index, r#"{"key":"a","range":{"gte":"2021-01-01","lt":"2022-01-01"}}"#), (vec![0, 1], vec![3]));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"value":"2021-01-01"}}"#), (vec![], vec![0, 1, 3]));
    assert_eq!(ask(&index, r#"{"key":"a","match":{"except":["2021-01-01"]}}"#), (vec![2], vec![0, 1, 3]));
    let places = build("a", FieldType::Geo, &[r#"{"a":{"lat":1,"lon":2}}"#, r#"{"a":[]}"#, r#"{"a":null}"#, "{}"]);
    let circle = r#"{"key":"a","geo_radius":{"center":{"lat":1,"lon":2},"radius":10}}"#;
    assert_eq!(ask(&places, circle), (vec![], vec![0]), "rows without a value are ruled out");
}

#[test]
fn every_truncation_is_an_error_and_so_is_a_longer_block() {
    let bytes = golden();
    for end in 0..bytes.len() {
        assert!(FieldIndex::open(Bytes::copy_from_slice(&bytes[..end])).is_err(), "cut at {end}");
    }
    assert!(FieldIndex::open(Bytes::from([bytes, vec![0; 8]].concat())).is_err());
}

#[test]
fn no_flipped_bit_makes_a_reader_panic() {
    let filters = [
        r#"{"key":"t","match":{"any":["a","bc"]}}"#,
        r#"{"key":"t","match":{"except":["b"]}}"#,
        r#"{"is_empty":{"key":"t"}}"#,
        r#"{"is_null":{"key":"t"}}"#,
    ];
    let filters = filters.map(|text| Filter::parse(&format!("{{\"must\":{text}}}")).unwrap());
    let mut refused = 0;
    for bit in 0..golden().len() * 8 {
        let mut bytes = golden();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(index) = FieldIndex::open(Bytes::from(bytes)) else {
            refused += 1;
            continue;
        };
        let _ = index.verify();
        for filter in &filters {
            let Condition::Field { test, .. } = &filter.must[0] else { continue };
            let _ = (index.candidates(test), index.estimate_test(test));
        }
    }
    assert!(refused > 100, "only {refused} flips were refused");
}

#[test]
fn a_later_version_and_an_unknown_type_are_newer_formats() {
    for at in [8, 10, 11] {
        let mut bytes = golden();
        bytes[at] = 0x40;
        assert_eq!(FieldIndex::open(Bytes::from(bytes)).unwrap_err().kind, crate::ErrorKind::NewerFormat);
    }
}

#[test]
fn verify_finds_parts_that_contradict_each_other() {
    // A row beyond the last, a row twice, values that do not ascend, a count that is wrong, offsets that run backwards.
    let index = golden().len();
    for (at, value) in [(index - 8, 9), (index - 8, 0), (index - 16 - 24, b'z'), (24, 1), (index - 28, 9)] {
        let mut bytes = golden();
        bytes[at] = value;
        let opened = FieldIndex::open(Bytes::from(bytes)).unwrap();
        assert!(opened.verify().is_err(), "byte {at} as {value}");
    }
}
