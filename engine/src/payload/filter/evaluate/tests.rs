//! The meaning of each condition, on payloads chosen for their edges.

use super::*;

fn holds(filter: &str, payload: &str) -> bool {
    Filter::parse(filter).unwrap().matches(&PointId::Number(7), (payload != "{}").then_some(payload))
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
    table(r#"{"is_null":{"key":"a"}}"#, &["null"], &["-", "[]", "[null]", "0", r#""null""#]);
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
