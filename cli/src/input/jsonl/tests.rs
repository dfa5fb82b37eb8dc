//! What lines of JSON give and how bad ones are named.

use super::super::{Source, text_of};
use super::*;
use engine::ErrorKind;
use std::io::{BufReader, Write};

fn points(text: &str) -> PointLines {
    PointLines::new(text_of(Source::memory("p.jsonl", text.as_bytes().to_vec())), "p.jsonl")
}

fn first_failure(text: &str) -> Failure {
    points(text).find_map(Result::err).unwrap_or_else(|| panic!("{text:?} was taken"))
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_point_keeps_its_id_its_vectors_and_the_text_of_its_payload() {
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let text = format!(
        "{{\"id\":18446744073709551615,\"vector\":[1,-2.5e0]}}\n\r\n{{ \"payload\" : {{\"n\": 1.10, \"b\":2}},\"id\":\"{uuid}\",\"vector\":{{\"a\":[1],\"b\":[]}}}}"
    );
    let read: Vec<PointLine> = points(&text).map(Result::unwrap).collect();
    assert_eq!(read[0].id, PointId::Number(u64::MAX));
    assert_eq!((read[0].line, &read[0].vectors, &read[0].payload), (1, &LineVectors::Unnamed(vec![1.0, -2.5]), &None));
    assert_eq!(read[1].id.to_string(), uuid);
    assert_eq!((read[1].line, read[1].payload.as_deref()), (3, Some("{\"n\": 1.10, \"b\":2}")));
    assert_eq!(read[1].vectors, LineVectors::Named(vec![("a".to_owned(), vec![1.0]), ("b".to_owned(), Vec::new())]));
}

#[test]
fn a_bad_line_is_named_with_its_number_and_its_fault() {
    for (line, fault) in [
        ("{", "column 1"),
        ("[]", "column"),
        ("{\"vector\":[1]}", "missing field `id`"),
        ("{\"id\":1}", "missing field `vector`"),
        ("{\"id\":1,\"id\":2,\"vector\":[1]}", "duplicate field `id`"),
        ("{\"id\":1,\"vectors\":[1],\"vector\":[1]}", "unknown field `vectors`"),
        ("{\"id\":-1,\"vector\":[1]}", "id"),
        ("{\"id\":1.0,\"vector\":[1]}", "id"),
        ("{\"id\":null,\"vector\":[1]}", "id"),
        ("{\"id\":\"7\",\"vector\":[1]}", "id"),
        ("{\"id\":18446744073709551616,\"vector\":[1]}", "id"),
        ("{\"id\":1,\"vector\":[1,null]}", "number 1"),
        ("{\"id\":1,\"vector\":[NaN]}", "column"),
        ("{\"id\":1,\"vector\":[1e99]}", "too large"),
        ("{\"id\":1,\"vector\":null}", "array of numbers"),
        ("{\"id\":1,\"vector\":{\"a\":[1],\"a\":[2]}}", "\"a\" twice"),
        ("{\"id\":1,\"vector\":{\"a\":7}}", "bad vector \"a\""),
        ("{\"id\":1,\"vector\":[1],\"payload\":[]}", "no JSON object"),
        ("{\"id\":1,\"vector\":[1]} {}", "trailing characters"),
    ] {
        let failure = first_failure(&format!("{{\"id\":0,\"vector\":[0]}}\n{line}\n"));
        assert_eq!(failure.kind, ErrorKind::InvalidInput, "{line}");
        assert!(failure.message.starts_with("line 2 ") && failure.message.contains(fault), "{line}: {failure}");
        assert_eq!(failure.file.as_deref(), Some("p.jsonl"));
    }
}

#[test]
fn nothing_follows_a_bad_line() {
    let mut read = points("{\"id\":1,\"vector\":[1]}\nx\n{\"id\":2,\"vector\":[1]}\n");
    assert!(read.next().unwrap().is_ok());
    assert!(read.next().unwrap().is_err());
    assert!(read.next().is_none());
}

#[test]
fn skipped_points_are_counted_without_blank_lines() {
    let mut read = points("{\"id\":1,\"vector\":[1]}\n\n{\"id\":2,\"vector\":[1]}\n{\"id\":3,\"vector\":[1]}\n");
    read.skip_points(2).unwrap();
    assert_eq!(read.next().unwrap().unwrap().id, PointId::Number(3));
    read.skip_points(5).unwrap();
    assert!(read.next().is_none());
}

#[test]
fn a_line_that_does_not_end_takes_bounded_memory() {
    let endless = BufReader::new(std::io::repeat(b'['));
    let mut lines = JsonLines::new(Box::new(endless), "-");
    lines.limit = 1_000;
    let failure = lines.next_line().unwrap_err();
    assert!(failure.message.contains("longer than 1000 B"), "{failure}");
    assert!(lines.buffer.len() <= 1_001);
    let exact = format!("{}\nx", "a".repeat(1_000));
    let mut lines = JsonLines::new(text_of(Source::memory("a", exact.into_bytes())), "a");
    lines.limit = 1_000;
    assert_eq!(lines.next_line().unwrap().unwrap().len(), 1_000);
    assert_eq!(lines.next_line().unwrap(), Some("x"));
    assert_eq!(lines.next_line().unwrap(), None);
}

#[test]
fn deep_nesting_is_an_answer_and_not_a_full_stack() {
    let deep = "[".repeat(1 << 20);
    assert_eq!(first_failure(&format!("{{\"id\":1,\"vector\":[1],\"payload\":{deep}")).kind, ErrorKind::InvalidInput);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_their_line() {
    let mut read = PointLines::new(text_of(Source::memory("p", b"\n\xff\n".to_vec())), "p");
    let failure = read.next().unwrap().unwrap_err();
    assert!(failure.message.starts_with("line 2 is not UTF-8"), "{failure}");
}

#[test]
fn packed_and_plain_payloads_read_the_same() {
    let text = b"\xef\xbb\xbf{\"a\":1}\n\nnull\r\n {\"b\": 2} \n";
    for source in [Source::memory("p.jsonl", text.to_vec()), Source::memory("p.jsonl.gz", gz(text))] {
        let mut rows = PayloadLines::new(text_of(source), "p");
        assert_eq!(rows.next_row().unwrap().as_deref(), Some("{\"a\":1}"));
        assert_eq!(rows.next_row().unwrap(), None);
        assert_eq!(rows.next_row().unwrap(), None);
        assert_eq!(rows.next_row().unwrap().as_deref(), Some("{\"b\":2}"));
        rows.finish().unwrap();
    }
}

#[test]
fn payload_lines_and_rows_must_be_as_many() {
    let lines = |text: &str| PayloadLines::new(text_of(Source::memory("p", text.as_bytes().to_vec())), "p");
    let mut short = lines("{}\n");
    short.skip_rows(1).unwrap();
    let failure = short.next_row().unwrap_err();
    assert!(failure.message.starts_with("row 1 has no payload line"), "{failure}");
    assert!(lines("{}\n").skip_rows(2).is_err());
    let failure = lines("{}\n\n{}\n").finish().unwrap_err();
    assert!(failure.message.starts_with("line 1 has no row"), "{failure}");
    let mut second = lines("{}\n7\n");
    second.next_row().unwrap();
    let failure = second.next_row().unwrap_err();
    assert!(failure.message.starts_with("line 2 has a payload that is no JSON object"), "{failure}");
}

#[test]
fn a_broken_gzip_stream_is_bad_input() {
    let packed = gz(&b"{\"a\":1}\n".repeat(100));
    for bytes in [packed[..packed.len() - 9].to_vec(), b"no gzip at all".to_vec(), packed[..5].to_vec()] {
        let mut rows = PayloadLines::new(text_of(Source::memory("p.gz", bytes)), "p.gz");
        let failure = (0..101).find_map(|_| rows.next_row().err()).unwrap();
        assert_eq!(failure.kind, ErrorKind::InvalidInput, "{failure}");
    }
}
