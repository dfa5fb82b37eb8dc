//! Promises of the marker's format.

use super::*;
use crate::codec::checksum::{seal, unseal};
use crate::testing::{cell, table_rows};

fn sample() -> LazyMarker {
    let away = |start, end| AwayFile { timeline: Timeline([2; 16]), start, end };
    LazyMarker { files: vec![away(0, 128), away(128, 640)], ..LazyMarker::new("file:///backups", true) }
}

#[test]
fn a_marker_reads_back_and_every_flip_and_every_truncation_is_an_error() {
    let bytes = sample().encode();
    assert_eq!(LazyMarker::decode(&bytes).unwrap(), sample());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(LazyMarker::decode(&flipped).is_err(), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(LazyMarker::decode(&bytes[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn files_out_of_order_are_refused_and_a_later_format_is_newer() {
    let mut marker = sample();
    marker.files.reverse();
    assert_eq!(LazyMarker::decode(&marker.encode()).unwrap_err().kind, ErrorKind::Corrupt);
    marker.files = vec![AwayFile { timeline: Timeline([2; 16]), start: 64, end: 64 }];
    assert_eq!(LazyMarker::decode(&marker.encode()).unwrap_err().kind, ErrorKind::Corrupt);
    let later = seal(b"{\"format\":2,\"everything\":\"else\"}\n".to_vec());
    assert_eq!(LazyMarker::decode(&later).unwrap_err().kind, ErrorKind::NewerFormat);
}

#[test]
fn the_document_names_the_same_keys() {
    let rows = table_rows(include_str!("../../../../docs/format/lazy.md"));
    let value: serde_json::Value = serde_json::from_slice(unseal(&sample().encode()).unwrap()).unwrap();
    let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    let mut documented: Vec<String> = rows.iter().skip(2).map(|row| row[0].clone()).collect();
    keys.sort();
    documented.sort();
    assert_eq!(keys, documented);
    assert_eq!(cell(&rows, "format"), Some(MARKER_VERSION.to_string()));
}
