//! What the grammar accepts, and how it names what it refuses.

use super::*;
use crate::ErrorKind;
use crate::payload::filter::{Range, Scalar, Scalars};
use crate::payload::geo::GeoArea;
use crate::payload::number::Number;
use crate::payload::text::Wanted;

fn refused(text: &str) -> String {
    let error = Filter::parse(text).expect_err(text);
    assert_eq!(error.kind, ErrorKind::InvalidInput, "{text}");
    error.to_string()
}

fn keyword(path: &str, value: &str) -> Condition {
    Condition::Field { path: FieldPath::parse(path).unwrap(), test: Test::Match(Scalar::Keyword(value.into())) }
}

#[test]
fn every_part_of_the_grammar_is_read() {
    let text = r#"{
        "must": [{"key":"a.b","match":{"value":"x"}}, {"key":"n","range":{"gt":1,"lte":2.5,"gte":null}}, {"has_id":[7,3,7,"00112233-4455-6677-8899-aabbccddeeff"]}],
        "should": {"key":"t[]","match":{"any":["b","a","b"]}},
        "must_not": [{"is_empty":{"key":"e"}}, {"is_null":{"key":"z"}}, {"key":"i","match":{"except":[5,-1]}, "range":null, "geo_radius":null}],
        "min_should": {"conditions":[{"must":[{"key":"b","match":{"value":true}}]}, {"key":"i","match":{"value":18446744073709551615}}], "min_count":1}
    }"#;
    let filter = Filter::parse(text).unwrap();
    assert_eq!(filter.must.len(), 3);
    assert_eq!(filter.must[0], keyword("a.b", "x"));
    let range = Range { gt: Some(Number::Integer(1)), lte: Some(Number::Float(2.5)), ..Range::default() };
    assert!(matches!(&filter.must[1], Condition::Field { test: Test::Range(found), .. } if *found == range));
    let uuid = PointId::parse("00112233-4455-6677-8899-aabbccddeeff").unwrap();
    assert_eq!(filter.must[2], Condition::HasId(vec![PointId::Number(3), PointId::Number(7), uuid]));
    assert!(matches!(&filter.should[..], [Condition::Field { test: Test::Any(Scalars::Keywords(list)), .. }] if *list == ["a", "b"]));
    assert!(matches!(&filter.must_not[2], Condition::Field { test: Test::Except(Scalars::Integers(list)), .. } if *list == [-1, 5]));
    assert_eq!(filter.min_should.as_ref().unwrap().min_count, 1);
    let fields: Vec<String> = filter.fields().into_iter().map(FieldPath::to_string).collect();
    assert_eq!(fields, ["a.b", "b", "e", "i", "n", "t[]", "z"]);
}

fn test_of(text: &str) -> Test {
    match Filter::parse(&format!("{{\"must\":{text}}}")).unwrap().must.remove(0) {
        Condition::Field { test, .. } => test,
        other => panic!("{other:?}"),
    }
}

/// The client writes every member of a condition, those that are not given as null.
#[test]
fn conditions_are_read_as_the_client_writes_them() {
    let nulls =
        r#""match":null,"range":null,"geo_bounding_box":null,"geo_radius":null,"geo_polygon":null,"values_count":null,"is_empty":null"#;
    assert_eq!(test_of(&format!(r#"{{"key":"a",{nulls},"is_null":true}}"#)), Test::IsNull);
    assert_eq!(test_of(r#"{"key":"a","match":{"text":"B a, b"}}"#), Test::Text(Wanted::All(vec!["a".into(), "b".into()])));
    assert_eq!(test_of(r#"{"key":"a","match":{"phrase":"B a b"}}"#), Test::Text(Wanted::Phrase(vec!["b".into(), "a".into(), "b".into()])));
    assert_eq!(test_of(r#"{"key":"a","match":{"prefix":"B a"}}"#), Test::Prefix("B a".into()));
    let from = Range { gte: Some(Number::Integer(1_609_455_600_000_000)), ..Range::default() };
    assert_eq!(test_of(r#"{"key":"a","range":{"lt":null,"gt":null,"gte":"2021-01-01T00:00:00+01:00","lte":null}}"#), Test::Moments(from));
    let one = Range { gt: Some(Number::Integer(1)), ..Range::default() };
    assert_eq!(test_of(r#"{"key":"a","values_count":{"lt":null,"gt":1,"gte":null,"lte":null}}"#), Test::ValuesCount(one));
    let ring = |points: &str| format!(r#"{{"points":[{points}]}}"#);
    let square = r#"{"lon":0.0,"lat":0.0},{"lon":0.0,"lat":2.0},{"lon":2.0,"lat":2.0}"#;
    let polygon =
        format!(r#"{{"key":"a","geo_polygon":{{"exterior":{},"interiors":null}}}}"#, ring(&format!(r#"{square},{{"lon":0.0,"lat":0.0}}"#)));
    assert!(
        matches!(test_of(&polygon), Test::Geo(GeoArea::Polygon { exterior, interiors }) if exterior.len() == 3 && interiors.is_empty())
    );
    let nested =
        r#"{"must":{"nested":{"key":"a.b[]","filter":{"must":[{"has_vector":"x"}],"should":null,"min_should":null,"must_not":null}}}}"#;
    let path = FieldPath::parse("a.b").unwrap();
    assert!(matches!(&Filter::parse(nested).unwrap().must[0], Condition::Nested { path: found, .. } if *found == path));
    let not_empty = Filter::parse(r#"{"must":{"key":"a","is_empty":false}}"#).unwrap();
    assert!(matches!(&not_empty.must[0], Condition::Filter(inner) if inner.must_not.len() == 1));
    let asks = |text: &str| Filter::parse(text).unwrap().asks_for_vectors();
    assert!(asks(r#"{"must_not":[{"should":[{"has_vector":""}]}]}"#) && !asks(nested) && !asks("{}"));
}

#[test]
fn absent_null_and_empty_parts_ask_for_nothing() {
    for text in ["{}", r#"{"must":null,"should":[],"must_not":null,"min_should":null}"#] {
        assert_eq!(Filter::parse(text).unwrap(), Filter::default(), "{text}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_is_known() {
    assert_eq!(
        refused(r#"{"musst":[]}"#),
        r#"unknown key "musst" in the filter: expected must, should, must_not, min_should, got "musst""#
    );
    assert!(
        refused(r#"{"must":[{"key":"a","match":{"valeu":1}}]}"#)
            .starts_with(r#"unknown key "valeu" in must[0].match: expected value, any, except, text"#)
    );
    assert!(refused(r#"{"must":[{},{"must":{"kez":"a"}}]}"#).starts_with(r#"unknown key "kez" in must[1].must: expected key, has_id"#));
    assert!(refused(r#"{"must":[{"key":"a","range":{"gt":1,"foo":2}}]}"#).contains("gt, gte, lt, lte"));
    assert!(refused(r#"{"must":[{"key":"a","geo_radius":{}}]}"#).contains("center and radius"));
    assert!(refused(r#"{"min_should":{"conditions":[],"count":1}}"#).contains("conditions, min_count"));
}

#[test]
fn what_is_no_filter_is_refused() {
    let bad = [
        "",
        "null",
        "[]",
        "{",
        r#"{"must":[],"must":[]}"#,
        r#"{"must":1}"#,
        r#"{"must":[1]}"#,
        r#"{"must":[[]]}"#,
        r#"{"must":[{"key":"a"}]}"#,
        r#"{"must":[{"match":{"value":1}}]}"#,
        r#"{"must":[{"key":"a","match":{"value":1},"range":{}}]}"#,
        r#"{"must":[{"key":1,"match":{"value":1}}]}"#,
        r#"{"must":[{"key":"a.","match":{"value":1}}]}"#,
        r#"{"must":[{"key":"a","match":{}}]}"#,
        r#"{"must":[{"key":"a","match":{"value":1,"any":[1]}}]}"#,
        r#"{"must":[{"key":"a","match":{"value":1.5}}]}"#,
        r#"{"must":[{"key":"a","match":{"value":null}}]}"#,
        r#"{"must":[{"key":"a","match":{"any":[1,"a"]}}]}"#,
        r#"{"must":[{"key":"a","match":{"any":[true]}}]}"#,
        r#"{"must":[{"key":"a","match":{"any":1}}]}"#,
        r#"{"must":[{"key":"a","range":{"gt":"2024-13-01"}}]}"#,
        r#"{"must":[{"key":"a","range":{"gt":"2024-01-01","lt":5}}]}"#,
        r#"{"must":[{"key":"a","range":{"gt":true}}]}"#,
        r#"{"must":[{"key":"a","match":{"text":1}}]}"#,
        r#"{"must":[{"key":"a","match":{"text":"x","prefix":"y"}}]}"#,
        r#"{"must":[{"key":"a","values_count":{"gt":1.5}}]}"#,
        r#"{"must":[{"key":"a","values_count":{"gt":"1"}}]}"#,
        r#"{"must":[{"key":"a","values_count":5}]}"#,
        r#"{"must":[{"key":"a","is_empty":1}]}"#,
        r#"{"must":[{"key":"a","is_empty":true,"is_null":true}]}"#,
        r#"{"must":[{"key":"a","geo_radius":{"center":{"lat":1,"lon":2}}}]}"#,
        r#"{"must":[{"key":"a","geo_radius":{"center":{"lat":1,"lon":2},"radius":-1}}]}"#,
        r#"{"must":[{"key":"a","geo_radius":{"center":{"lat":1,"lon":2},"radius":1e400}}]}"#,
        r#"{"must":[{"key":"a","geo_radius":{"center":{"lat":90.1,"lon":2},"radius":1}}]}"#,
        r#"{"must":[{"key":"a","geo_radius":{"center":{"lat":1,"lon":-180.1},"radius":1}}]}"#,
        r#"{"must":[{"key":"a","geo_radius":{"center":{"lat":"1","lon":2},"radius":1}}]}"#,
        r#"{"must":[{"key":"a","geo_radius":{"center":{"lat":1,"lon":2,"alt":3},"radius":1}}]}"#,
        r#"{"must":[{"key":"a","geo_bounding_box":{"top_left":{"lat":1,"lon":2}}}]}"#,
        r#"{"must":[{"key":"a","geo_polygon":{"interiors":[]}}]}"#,
        r#"{"must":[{"key":"a","geo_polygon":{"exterior":{"points":[{"lat":0,"lon":0},{"lat":1,"lon":0},{"lat":0,"lon":0}]}}}]}"#,
        r#"{"must":[{"nested":{"key":"a"}}]}"#,
        r#"{"must":[{"nested":{"filter":{}}}]}"#,
        r#"{"must":[{"nested":{"key":"a","filter":{},"x":1}}]}"#,
        r#"{"must":[{"has_vector":1}]}"#,
        r#"{"must":[{"slice":{"total":0,"index":0}}]}"#,
        r#"{"must":[{"slice":{"total":3,"index":3}}]}"#,
        r#"{"must":[{"slice":{"total":3}}]}"#,
        r#"{"must":[{"has_id":[-1]}]}"#,
        r#"{"must":[{"has_id":["7"]}]}"#,
        r#"{"must":[{"has_id":[1.0]}]}"#,
        r#"{"must":[{"has_id":1}]}"#,
        r#"{"must":[{"has_id":[1],"must":[]}]}"#,
        r#"{"must":[{"is_empty":"a"}]}"#,
        r#"{"must":[{"is_null":{}}]}"#,
        r#"{"min_should":{"conditions":[]}}"#,
        r#"{"min_should":{"conditions":[],"min_count":-1}}"#,
    ];
    for text in bad {
        refused(text);
    }
}

#[test]
fn limits_hold_exactly() {
    let nested = |depth: usize| format!("{}{{}}{}", r#"{"must":"#.repeat(depth - 1), "}".repeat(depth - 1));
    assert!(Filter::parse(&nested(FILTER_DEPTH_MAX)).is_ok());
    assert!(refused(&nested(FILTER_DEPTH_MAX + 1)).contains("too deep"));
    refused(&nested(1000));
    let wide = |count: usize| format!(r#"{{"should":[{}]}}"#, vec![r#"{"is_null":{"key":"a"}}"#; count].join(","));
    assert!(Filter::parse(&wide(FILTER_CONDITIONS_MAX)).is_ok());
    assert!(refused(&wide(FILTER_CONDITIONS_MAX + 1)).contains("too many conditions"));
    let list = |count: usize| (0..count).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    for around in [[r#"{"must":{"key":"a","match":{"any":["#, "]}}}"], [r#"{"must":{"has_id":["#, "]}}"]] {
        assert!(Filter::parse(&around.join(&list(FILTER_LIST_MAX))).is_ok());
        assert!(refused(&around.join(&list(FILTER_LIST_MAX + 1))).contains("too many entries"));
    }
    assert!(refused(&format!("{{}}{}", " ".repeat(FILTER_BYTES_MAX))).contains("too many bytes"));
}

#[test]
fn an_error_quotes_no_more_than_a_person_reads() {
    let long = "x\u{7}".repeat(100_000);
    let error = refused(&format!(r#"{{"{}":1}}"#, long.replace('\u{7}', "\\u0007")));
    assert!(error.len() < 1000 && !error.contains('\u{7}'), "{} bytes", error.len());
}
