//! What setting and taking out does to a payload, on texts chosen for their edges.

use super::*;

fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap()
}

fn set(old: &str, at: &str, patch: &str) -> String {
    set_at(Some(old), &path(at), patch).unwrap().unwrap_or_else(|| "{}".to_owned())
}

fn delete(old: &str, at: &str) -> String {
    delete_at(Some(old), &path(at)).unwrap_or_else(|| "{}".to_owned())
}

#[test]
fn a_patch_replaces_where_the_key_stands_appends_the_rest_and_null_takes_away() {
    let old = r#"{"b":1,"a":{"x":1},"\u0063":[1]}"#;
    assert_eq!(
        merge(Some(old), r#"{"z":0,"c":2.50,"a":null,"d":"\n","y":null}"#).unwrap().unwrap(),
        r#"{"b":1,"\u0063":2.50,"z":0,"d":"\n"}"#
    );
    assert_eq!(merge(None, r#"{"a":1}"#).unwrap().unwrap(), r#"{"a":1}"#);
    assert_eq!(merge(Some(old), "{}").unwrap().unwrap(), old);
    assert_eq!(merge(None, "{}").unwrap(), None);
    assert_eq!(merge(Some(r#"{"a":1}"#), r#"{"a":null}"#).unwrap(), None);
}

#[test]
fn a_payload_cannot_grow_beyond_its_limit_by_patches() {
    let half = |key: &str| format!("{{\"{key}\":\"{}\"}}", "x".repeat(PAYLOAD_BYTES_MAX / 2));
    assert!(merge(Some(&half("a")), &half("a")).is_ok());
    assert!(merge(Some(&half("a")), &half("b")).is_err());
    // A patch that is copied into every element is refused before it takes memory.
    let wide = format!("{{\"a\":[{}]}}", vec!["{}"; 100_000].join(","));
    assert!(set_at(Some(&wide), &path("a[]"), &half("b")).is_err());
}

#[test]
fn keys_are_set_below_a_path_that_is_made_where_it_is_missing() {
    assert_eq!(set(r#"{"a":1}"#, "b.c", r#"{"x":1}"#), r#"{"a":1,"b":{"c":{"x":1}}}"#);
    assert_eq!(set(r#"{"b":{"c":{"x":0,"y":2}}}"#, "b.c", r#"{"x":1,"y":null}"#), r#"{"b":{"c":{"x":1}}}"#);
    assert_eq!(set(r#"{"b":[1]}"#, "b.c", r#"{"x":1}"#), r#"{"b":{"c":{"x":1}}}"#, "what is no object becomes one");
    assert_eq!(set(r#"{"b":5}"#, "b", r#"{"x":1}"#), r#"{"b":{"x":1}}"#);
    assert_eq!(set("{}", "\"a.b\"", r#"{"x":1}"#), r#"{"a.b":{"x":1}}"#);
    assert_eq!(set("{}", "\"a\\b\"", r#"{"x":1}"#), r#"{"a\\b":{"x":1}}"#, "a key is written as JSON writes it");
    assert_eq!(set_at(None, &path("a"), r#"{"x":1}"#).unwrap().unwrap(), r#"{"a":{"x":1}}"#);
}

#[test]
fn keys_are_set_in_every_element_or_in_one() {
    let old = r#"{"l":[{"x":0},5,[{"x":0}]]}"#;
    assert_eq!(set(old, "l[]", r#"{"y":1}"#), r#"{"l":[{"x":0,"y":1},{"y":1},{"y":1}]}"#);
    assert_eq!(set(old, "l[0]", r#"{"y":1}"#), r#"{"l":[{"x":0,"y":1},5,[{"x":0}]]}"#);
    assert_eq!(set(old, "l[2][0].z", r#"{"y":1}"#), r#"{"l":[{"x":0},5,[{"x":0,"z":{"y":1}}]]}"#);
    assert_eq!(set(old, "l[7]", r#"{"y":1}"#), old, "an element that is not there is not made");
    assert_eq!(set(r#"{"l":5}"#, "l[]", r#"{"y":1}"#), r#"{"l":[]}"#, "what is no array becomes an empty one");
    assert_eq!(set("{}", "l[0].a", r#"{"y":1}"#), r#"{"l":[]}"#);
}

#[test]
fn a_path_cannot_lead_deeper_than_a_payload_may_go() {
    let steps = |count: usize| vec!["a"; count].join(".");
    assert!(set_at(None, &path(&steps(63)), "{}").is_ok());
    assert!(set_at(None, &path(&steps(64)), "{}").is_err());
}

#[test]
fn a_key_is_taken_out_and_its_neighbours_stay() {
    let old = r#"{"a":{"b":1,"c":[{"d":1,"e":2},3]},"\u0066":0}"#;
    assert_eq!(delete(old, "a.b"), r#"{"a":{"c":[{"d":1,"e":2},3]},"\u0066":0}"#);
    assert_eq!(delete(old, "f"), r#"{"a":{"b":1,"c":[{"d":1,"e":2},3]}}"#);
    assert_eq!(delete(old, "a.c[].d"), r#"{"a":{"b":1,"c":[{"e":2},3]},"\u0066":0}"#);
    assert_eq!(delete(old, "a.c[0].e"), r#"{"a":{"b":1,"c":[{"d":1},3]},"\u0066":0}"#);
    assert_eq!(delete(old, "a.c[]"), r#"{"a":{"b":1,"c":[]},"\u0066":0}"#, "an array loses its elements");
    for same in ["a.c[0]", "a.x", "x", "a.b.c", "a[]", "a.c.d", "a.c[9].d"] {
        assert_eq!(delete(old, same), old, "{same}");
    }
    assert_eq!(delete_at(Some(r#"{"a":1}"#), &path("a")), None, "the empty object is no payload");
    assert_eq!(delete_at(None, &path("a")), None);
}
