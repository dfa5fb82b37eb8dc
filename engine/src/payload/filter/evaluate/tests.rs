//! The meaning of each condition, on payloads chosen for their edges.

use super::*;

fn holds(filter: &str, payload: &str) -> bool {
    Filter::parse(filter).unwrap().matches(&PointId::Number(7), (payload != "{}").then_some(payload), &|name| name == "a")
}

/// Tests the field `a` with each payload value in turn; `-` stands for a payload without it.
fn table(condition: &str, passing: &[&str], failing: &[&str]) {
    for (values, expected) in [(passing, true), (failing, false)] {
        for value in values {
            let payload = if *value == "-" { "{}".to_string() } else { format!("{{\"b\":0,\"a\":{value}}}") };
            assert_eq!(holds(&format!("{{\"must\":{condition}}}"), &payload), expected, "{condition} on {payload}");
            assert_eq!(holds(&format!("{{\"must_not\":{condition}}}"), &payload), !expected, "not {condition} on {payload}");
        }
    }
}

#[test]
fn match_compares_type_and_value_and_any_element_is_enough() {
    table(
        r#"{"key":"a","match":{"value":"x"}}"#,
        &[r#""x""#, r#""\u0078""#, r#"[1,"x"]"#],
        &["-", "null", "[]", r#""X""#, r#"[["x"]]"#, r#"{"x":1}"#],
    );
    table(r#"{"key":"a","match":{"value":5}}"#, &["5", "[4,5]"], &["5.0", "5e0", r#""5""#, "true", "-5", "-"]);
    table(r#"{"key":"a","match":{"value":true}}"#, &["true", "[false,true]"], &["false", r#""true""#, "1", "-"]);
    table(r#"{"key":"a","match":{"value":9007199254740993}}"#, &["9007199254740993"], &["9007199254740992", "9007199254740993.0"]);
}

#[test]
fn any_takes_one_of_a_list_and_except_one_that_is_not_in_it() {
    table(r#"{"key":"a","match":{"any":["x","y"]}}"#, &[r#""y""#, r#"["z","x"]"#], &[r#""z""#, "1", "-", "null"]);
    table(r#"{"key":"a","match":{"any":[1,2]}}"#, &["2", "[3,1]"], &["3", "1.0", r#""1""#, "-"]);
    table(r#"{"key":"a","match":{"any":[]}}"#, &[], &["1", "null", "[]", "-"]);
    table(
        r#"{"key":"a","match":{"except":["x"]}}"#,
        &[r#""y""#, "1", "false", "{}", r#"["x","y"]"#, "[[]]"],
        &[r#""x""#, r#"["x"]"#, "null", "[]", "-", "[null]"],
    );
    table(r#"{"key":"a","match":{"except":[1]}}"#, &["2", "1.0", r#""1""#], &["1", "-", "null"]);
}

#[test]
fn range_compares_numbers_exactly() {
    table(r#"{"key":"a","range":{"gt":1,"lte":2}}"#, &["2", "1.5", "2.0", "[0,2]"], &["1", "1.0", "2.5", r#""2""#, "-", "null", "true"]);
    table(r#"{"key":"a","range":{"gt":9007199254740992}}"#, &["9007199254740993", "1e300"], &["9007199254740992", "9007199254740992.0"]);
    table(
        r#"{"key":"a","range":{"gte":18446744073709551615}}"#,
        &["18446744073709551615", "18446744073709551616"],
        &["18446744073709551614"],
    );
    table(r#"{"key":"a","range":{"gt":2,"lt":1}}"#, &[], &["1.5", "2", "0"]);
    table(r#"{"key":"a","range":{}}"#, &["1", "-1e400"], &[r#""1""#, "-"]);
}

#[test]
fn empty_is_nothing_null_or_an_empty_array_and_null_is_null_itself() {
    table(r#"{"is_empty":{"key":"a"}}"#, &["-", "null", "[]"], &["0", r#""""#, "{}", "[null]", "false", "[[]]"]);
    table(r#"{"is_null":{"key":"a"}}"#, &["null", "[null]", "[1,null]"], &["-", "[]", "[[null]]", "0", r#""null""#]);
    table(r#"{"key":"a","is_null":false}"#, &["-", "[]", "0"], &["null", "[null]"]);
    table(r#"{"key":"a","is_empty":true}"#, &["-", "[]", "null"], &["0", "[null]"]);
    table(r#"{"is_null":{"key":"a[].b"}}"#, &[r#"[{"b":1},{"b":null}]"#], &[r#"[{"b":1}]"#, "[]", r#"{"b":null}"#, "-"]);
    table(r#"{"is_empty":{"key":"a[].b"}}"#, &[r#"[{"c":1},{"b":null}]"#, "-"], &[r#"[{"b":null},{"b":1}]"#]);
}

#[test]
fn ids_and_inner_filters_combine() {
    let payload = r#"{"a":1,"b":2}"#;
    let a = |value: u32| format!(r#"{{"key":"a","match":{{"value":{value}}}}}"#);
    let b = |value: u32| format!(r#"{{"key":"b","match":{{"value":{value}}}}}"#);
    assert!(holds(r#"{"must":{"has_id":[7]}}"#, "{}") && !holds(r#"{"must":{"has_id":[8]}}"#, "{}"));
    assert!(!holds(r#"{"must":{"has_id":["00000000-0000-0000-0000-000000000007"]}}"#, "{}"));
    assert!(holds(&format!(r#"{{"should":[{},{}]}}"#, a(9), b(2)), payload));
    assert!(!holds(&format!(r#"{{"should":[{},{}]}}"#, a(9), b(9)), payload));
    assert!(holds(&format!(r#"{{"must":{},"must_not":[{{"must":[{},{}]}}]}}"#, a(1), a(1), b(9)), payload));
    for (count, expected) in [(0, true), (1, true), (2, true), (3, false), (9, false)] {
        let text = format!(r#"{{"min_should":{{"conditions":[{},{},{}],"min_count":{count}}}}}"#, a(1), a(9), b(2));
        assert_eq!(holds(&text, payload), expected, "{text}");
    }
    assert!(holds("{}", payload) && holds("{}", "{}"));
    assert!(holds(r#"{"should":[]}"#, payload));
}

#[test]
fn words_prefixes_and_pieces_are_found_in_strings() {
    let fox = r#""The quick-brown FOX""#;
    table(
        r#"{"key":"a","match":{"text":"fox Quick"}}"#,
        &[fox, r#"["x","fox quick"]"#],
        &[r#""foxes quick""#, r#"["fox","quick"]"#, "1", "-"],
    );
    table(r#"{"key":"a","match":{"text":" -"}}"#, &[], &[fox, r#""""#, "null"]);
    table(r#"{"key":"a","match":{"text_any":"cat fox"}}"#, &[fox, r#""CAT""#], &[r#""dog""#, "5"]);
    table(r#"{"key":"a","match":{"phrase":"quick brown"}}"#, &[fox], &[r#""brown quick""#, r#""quick x brown""#]);
    table(r#"{"key":"a","match":{"prefix":"The q"}}"#, &[fox], &[r#""the quick""#, r#""q""#, "1"]);
    table(r#"{"key":"a","match":{"prefix":""}}"#, &[r#""""#, fox], &["1", "-", "null", "{}"]);
    table(r#"{"key":"a","match":{"substring":"k-b"}}"#, &[fox], &[r#""K-B""#, "1"]);
}

#[test]
fn moments_are_compared_by_when_they_are() {
    let after = r#"{"key":"a","range":{"gt":"2021-01-01T00:00:00Z","lte":"2021-01-02"}}"#;
    table(
        after,
        &[r#""2021-01-01T12:00:00Z""#, r#""2021-01-01T00:30:00-01:00""#, r#""2021-01-02""#, r#"["x","2021-01-01 10:00"]"#],
        &[
            r#""2021-01-01""#,
            r#""2021-01-01T00:30:00+01:00""#,
            r#""2021-01-02T00:00:00.000001Z""#,
            r#""x""#,
            "1609470000000000",
            "-",
            "null",
        ],
    );
}

#[test]
fn places_are_within_areas() {
    let circle = r#"{"key":"a","geo_radius":{"center":{"lat":52.52,"lon":13.405},"radius":1000.0}}"#;
    let (near, far) = (r#"{"lat":52.521,"lon":13.406}"#, r#"{"lat":48.1,"lon":11.6}"#);
    table(circle, &[near, &format!("[{far},{near}]")], &[far, "[52.521,13.406]", r#"{"lat":52.521}"#, "-", "null"]);
    let around = r#"{"key":"a","geo_bounding_box":{"top_left":{"lon":13.0,"lat":53.0},"bottom_right":{"lon":14.0,"lat":52.0}}}"#;
    table(around, &[near], &[far, r#"{"lat":53,"lon":13.5}"#]);
    let ring = r#"{"points":[{"lon":13.0,"lat":52.0},{"lon":14.0,"lat":52.0},{"lon":14.0,"lat":53.0},{"lon":13.0,"lat":53.0}]}"#;
    table(&format!(r#"{{"key":"a","geo_polygon":{{"exterior":{ring}}}}}"#), &[near], &[far]);
}

#[test]
fn values_are_counted_where_they_lie() {
    table(r#"{"key":"a","values_count":{"gte":2}}"#, &["[1,2]", "[null,null]"], &["[1]", "1", "-", "null", r#""ab""#, "{}"]);
    table(r#"{"key":"a","values_count":{"lt":1}}"#, &["-", "null", "[]"], &["0", "[1]", r#""""#]);
    table(r#"{"key":"a","values_count":{"gt":0,"lt":2}}"#, &["0", "{}", "[[]]"], &["-", "[]", "[1,2]"]);
    table(r#"{"key":"a","values_count":{}}"#, &["-", "1"], &[]);
    // One value passes all bounds; two that pass one each are not enough.
    table(
        r#"{"key":"a[].b","values_count":{"gt":1,"lt":3}}"#,
        &[r#"[{"b":[1,2]},{"b":1}]"#],
        &[r#"[{"b":1},{"b":[1,2,3]}]"#, r#"[{"c":1}]"#],
    );
}

#[test]
fn a_nested_filter_holds_for_one_object_alone() {
    let inner = |key: &str, value: u32| format!(r#"{{"key":"{key}","match":{{"value":{value}}}}}"#);
    for path in ["a", "a[]"] {
        table(
            &format!(r#"{{"nested":{{"key":"{path}","filter":{{"must":[{},{}]}}}}}}"#, inner("x", 1), inner("y", 2)),
            &[r#"[{"x":1,"y":2}]"#, r#"[5,{"x":[0,1],"y":2}]"#],
            &[r#"[{"x":1},{"y":2}]"#, r#"{"x":1,"y":2}"#, r#"[[{"x":1,"y":2}]]"#, "-", "null"],
        );
    }
    table(r#"{"nested":{"key":"a","filter":{"must_not":[{"is_empty":{"key":"x"}}]}}}"#, &[r#"[{"x":1}]"#], &["[{}]", "[1]", "[]"]);
    // An object has neither id nor vectors.
    table(
        r#"{"nested":{"key":"a","filter":{"should":[{"has_id":[7]},{"has_vector":"a"},{"slice":{"total":1,"index":0}}]}}}"#,
        &[],
        &["[{}]"],
    );
    table(r#"{"nested":{"key":"a","filter":{"must_not":[{"has_id":[7]}]}}}"#, &["[{}]"], &["[]", "-"]);
}

#[test]
fn vectors_and_slices_are_the_points_own() {
    assert!(holds(r#"{"must":{"has_vector":"a"}}"#, "{}") && !holds(r#"{"must":{"has_vector":"b"}}"#, "{}"));
    let in_slice = |index: u32| holds(&format!(r#"{{"must":{{"slice":{{"total":5,"index":{index}}}}}}}"#), "{}");
    assert_eq!((0..5).filter(|index| in_slice(*index)).collect::<Vec<_>>(), [0]);
    table(r#"{"key":"a[1]","match":{"value":5}}"#, &["[4,5]", "[0,[5]]"], &["[5,4]", "5", "[5]", "-"]);
}
