//! A manifest, and the names of manifests and log files.
//!
//! Input: a byte of switches, then the bytes. Switch 1 takes them with the hash that they end with; else they get the right one.

use engine::codec::checksum::{HASH_LEN, Hash, seal};
use engine::ids::{Incarnation, SegmentId};
use engine::log::LogFileName;
use engine::manifest::{DeletesMeta, LogFileMeta, Manifest, ManifestName, Span};

use super::{Target, fixture};

/// See the top of this file.
pub const TARGET: Target = Target { name: "manifest", run, seeds, words: WORDS };

const RAW: u8 = 1;
const WORDS: &[&str] = &[
    "\"format\":1,",
    "\"format\":2,",
    "\"covered_lsn\":",
    "\"ancestry\":",
    "\"segments\":[]",
    "\"log\":[]",
    "\"deletes\":null",
    "\"from\":0",
    "\"to\":null",
    "\"bytes\":18446744073709551615",
    "\"dim\":16384",
    "\"kind\":\"sparse\"",
    "9223372036854775808",
    "-1",
    "1e99",
    "[[[[[[[[",
    "../../",
];

fn run(input: &[u8]) -> bool {
    let Some((&switches, rest)) = input.split_first() else { return false };
    let stored = if switches & RAW == 0 { seal(rest.to_vec()) } else { rest.to_vec() };
    if let Ok(text) = std::str::from_utf8(rest) {
        for line in text.split(['\n', '"']) {
            let _ = (ManifestName::parse(line), LogFileName::parse(line), SegmentId::parse(line));
        }
    }
    let Ok(manifest) = Manifest::decode(&stored) else { return false };
    let encoded = manifest.encode();
    let again = Manifest::decode(&encoded).expect("what was read can be written and read");
    assert!(again == manifest, "a manifest reads back as it was");
    assert_eq!(ManifestName::parse(&manifest.file_name().to_string()), Some(manifest.file_name()), "its name reads back");
    let _ = (manifest.timeline(), manifest.objects().count(), manifest.schema.parts());
    for segment in &manifest.segments {
        let _ = (segment.hash(), segment.disk_bytes());
    }
    true
}

fn seeds() -> Vec<Vec<u8>> {
    let empty = Manifest::empty(Incarnation([5; 16]), fixture::TIMELINE, fixture::schema());
    let mut full = empty.clone();
    full.ancestry = vec![
        Span { timeline: fixture::TIMELINE, from: 0, to: Some(512) },
        Span { timeline: engine::Timeline([8; 16]), from: 512, to: None },
    ];
    full.log = [(0, 512, 9), (512, 1 << 20, 8)]
        .map(|(start, end, timeline)| LogFileMeta { timeline: engine::Timeline([timeline; 16]), start, end, blake3: Hash::of(b"x") })
        .to_vec();
    (full.covered_lsn, full.seq, full.commit_time) = (1 << 20, 7, 1_700_000_000_000_000);
    full.segments = vec![fixture::segment().meta.clone()];
    full.deletes = Some(DeletesMeta { id: fixture::DELETES_ID, bytes: 1000, blake3: Hash::of(b"y") });
    (full.points, full.points_with_payload) = (40, 30);
    let texts = [empty.encode(), full.encode()].map(|stored| stored[..stored.len() - HASH_LEN].to_vec());
    let fixed = texts.iter().map(|text| [&[0], &text[..]].concat());
    fixed.chain([[&[RAW], &full.encode()[..]].concat()]).collect()
}
