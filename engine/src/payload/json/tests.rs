//! What minifying keeps, takes out and refuses, and what setting a payload does.

use super::*;

fn minify(text: &str) -> Result<Option<String>> {
    minify_checked(text, &Limits::default())
}

#[test]
fn only_blanks_are_taken_out() {
    let text =
        " {\"z\" : 1.50 ,\t\"a\":[ 1e+2 , -0, {} , [ ] ],\"\\u0041\":\"x  y\\/\\ud83d\\ude00\",\n\"n\": null, \"t\":true,\"f\":false}\r\n";
    let expected = "{\"z\":1.50,\"a\":[1e+2,-0,{},[]],\"\\u0041\":\"x  y\\/\\ud83d\\ude00\",\"n\":null,\"t\":true,\"f\":false}";
    assert_eq!(minify(text).unwrap().as_deref(), Some(expected));
    assert_eq!(minify(expected).unwrap().as_deref(), Some(expected));
}

#[test]
fn the_empty_object_is_no_payload() {
    assert_eq!(minify(" { } ").unwrap(), None);
}

#[test]
fn anything_but_one_object_is_refused_with_its_offset() {
    let bad = [
        ("", 0),
        ("1", 0),
        ("[]", 0),
        ("null", 0),
        ("{", 1),
        ("{\"a\"}", 4),
        ("{\"a\":}", 5),
        ("{\"a\":1,}", 7),
        ("{a:1}", 1),
        ("{\"a\":01}", 5),
        ("{\"a\":1.}", 5),
        ("{\"a\":-}", 5),
        ("{\"a\":1e}", 5),
        ("{\"a\":+1}", 5),
        ("{\"a\":nul}", 5),
        ("{\"a\":NaN}", 5),
        ("{\"a\":[1,]}", 8),
        ("{\"a\":[1}", 7),
        ("{\"a\":1]", 6),
        ("{} x", 3),
        ("{\"a\":\"\n\"}", 6),
        ("{\"a\":\"x", 7),
        ("{\"a\":\"\\", 7),
        ("{\"a\":\"\\ud800\"}", 5),
        ("{\"a\":\"\\x\"}", 5),
        ("{\"\\udc00\":1}", 1),
        ("{\"a\":1 \"b\":2}", 7),
        ("\u{feff}{}", 0),
        ("{}{}", 2),
    ];
    for (text, offset) in bad {
        let error = minify(text).unwrap_err();
        assert_eq!((error.kind, error.offset), (crate::ErrorKind::InvalidInput, Some(offset)), "{text} {error}");
    }
}

#[test]
fn a_key_named_twice_is_refused_at_every_level_and_spelling() {
    for text in [r#"{"a":1,"b":2,"a":3}"#, r#"{"x":[{"a":1,"a":1}]}"#, r#"{"a":1,"b":{"c":1},"a":2}"#, r#"{"a":{"b":{"c":1,"\u0063":2}}}"#]
    {
        let error = minify(text).unwrap_err();
        assert!(error.message.contains("twice"), "{error}");
    }
    assert!(minify(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#).is_ok());
}

#[test]
fn limits_hold_exactly() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(minify(&nested(PAYLOAD_DEPTH_MAX)).is_ok());
    assert!(minify(&nested(PAYLOAD_DEPTH_MAX + 1)).is_err());
    assert!(minify(&nested(300_000)).is_err());
    let sized = |bytes: usize| format!("{{\"a\":   \"{}\"}}", "x".repeat(bytes - 8));
    assert_eq!(minify(&sized(PAYLOAD_BYTES_MAX)).unwrap().unwrap().len(), PAYLOAD_BYTES_MAX);
    assert!(minify(&sized(PAYLOAD_BYTES_MAX + 1)).unwrap_err().message.contains("too large"));
}
