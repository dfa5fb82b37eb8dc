//! Promises of the manifest format.

use super::*;
use crate::codec::checksum::{seal, unseal};
use crate::error::ErrorKind;
use crate::schema::{Distance, Numbers, VectorSchema};
use crate::testing::{cell, table_rows};

fn sample() -> Manifest {
    let schema = Schema { vectors: vec![VectorSchema::dense("", 4, Distance::Dot, Numbers::F16)], ..Schema::default() };
    let mut manifest = Manifest::empty(Incarnation([1; 16]), Timeline([2; 16]), schema);
    manifest.covered_lsn = 128;
    manifest.log = vec![LogFileMeta { timeline: Timeline([2; 16]), start: 0, end: 128, blake3: Hash::of(b"x") }];
    manifest.points = 3;
    manifest
}

#[test]
fn a_manifest_reads_back_and_its_bytes_are_golden() {
    let bytes = sample().encode();
    assert_eq!(Manifest::decode(&bytes).unwrap(), sample());
    assert_eq!(Hash::of(&bytes).to_string(), "f04c466b9ca3506f993230756b8192e4ec78fe2937ae779c1f22ced018981b74");
}

#[test]
fn every_flip_and_every_truncation_is_an_error() {
    let bytes = sample().encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Manifest::decode(&flipped).is_err(), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(Manifest::decode(&bytes[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn a_later_format_is_newer_whatever_else_it_says() {
    let stored = seal(b"{\"format\":3,\"everything\":\"else\"}\n".to_vec());
    assert_eq!(Manifest::decode(&stored).unwrap_err().kind, ErrorKind::NewerFormat);
}

#[test]
fn a_manifest_with_a_hole_is_refused() {
    let changes: [fn(&mut Manifest); 5] = [
        |m| m.log[0].start = 64,
        |m| m.covered_lsn = 192,
        |m| m.ancestry.clear(),
        |m| m.ancestry[0].to = Some(64),
        |m| m.points_with_payload = 4,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut manifest = sample();
        change(&mut manifest);
        assert_eq!(Manifest::decode(&manifest.encode()).unwrap_err().kind, ErrorKind::Corrupt, "change {at}");
    }
}

/// A manifest whose log lost its beginning and a file in the middle.
fn cleaned() -> Manifest {
    let mut manifest = sample();
    let file = |start, end| LogFileMeta { timeline: Timeline([2; 16]), start, end, blake3: Hash::of(b"x") };
    (manifest.log, manifest.covered_lsn) = (vec![file(64, 128), file(192, 256)], 256);
    (manifest.format, manifest.moved_bytes) = (version_of(&manifest.log), 640);
    manifest
}

#[test]
fn a_cleaned_log_has_holes_and_a_version_of_its_own() {
    assert_eq!((sample().format, cleaned().format), (1, 2));
    assert_eq!(Manifest::decode(&cleaned().encode()).unwrap(), cleaned());
    let name = |start| LogFileName { start, timeline: Timeline([2; 16]) };
    let needs = [0, 64, 128, 192, 256, 320].map(|start| cleaned().needs(&name(start)));
    assert_eq!(needs, [false, true, false, true, true, true]);
    let changes: [fn(&mut Manifest); 5] =
        [|m| m.format = 1, |m| m.covered_lsn = 320, |m| m.log[1].start = 64, |m| m.log[1].start = 160, |m| m.log.truncate(1)];
    for (at, change) in changes.iter().enumerate() {
        let mut manifest = cleaned();
        change(&mut manifest);
        assert_eq!(Manifest::decode(&manifest.encode()).unwrap_err().kind, ErrorKind::Corrupt, "change {at}");
    }
}

#[test]
fn names_read_back_and_foreign_ones_are_left_alone() {
    let name = sample().file_name();
    assert_eq!(ManifestName::parse(&name.to_string()), Some(name));
    for foreign in ["", "CURRENT", "1-2-3", "00000000000000000001-00000000000000000002", "x"] {
        assert_eq!(ManifestName::parse(foreign), None, "{foreign}");
    }
}

#[test]
fn the_document_names_the_same_keys() {
    let text = include_str!("../../../docs/format/manifest.md");
    let rows = table_rows(text);
    let value: serde_json::Value = serde_json::from_slice(unseal(&cleaned().encode()).unwrap()).unwrap();
    let keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    let documented: Vec<String> = rows.iter().skip(2).map(|row| row[0].clone()).collect();
    assert_eq!(keys, documented);
    assert_eq!(cell(&rows, "format"), Some(MANIFEST_VERSION.to_string()));
}
