//! The small objects of an archive and what refers to one: seals, bases, pins, headers of encrypted objects, markers of lazy collections.
//!
//! Input: a byte that chooses the reader, then the bytes; with 128 added they are taken as they are, else they get the hash that they end with.

use engine::codec::checksum::{HASH_LEN, seal};
use engine::collection::lazy::{AwayFile, LazyMarker};
use pitr::archive::base::BaseFile;
use pitr::archive::pin::PinFile;
use pitr::archive::stored::{decode_json, encode_json};
use pitr::encryption::format::Header;
use pitr::fence::seal::Seal;
use serde_json::json;

use super::{Target, fixture};

/// See the top of this file.
pub const TARGET: Target = Target { name: "archive", run, seeds, words: WORDS };

const RAW: u8 = 128;
const READERS: u8 = 5;
const WORDS: &[&str] = &[
    "\"format\":1,",
    "\"format\":2,",
    "\"size\":\"",
    "\"objects\":[]",
    "\"files\":[]",
    "\"start\":0",
    "18446744073709551615",
    "9223372036854775808",
    "../../",
    "VECSEAL",
    "VECENCR",
];

fn run(input: &[u8]) -> bool {
    let Some((&switches, rest)) = input.split_first() else { return false };
    let stored = if switches & RAW == 0 { seal(rest.to_vec()) } else { rest.to_vec() };
    match (switches & !RAW) % READERS {
        0 => LazyMarker::decode(&stored).is_ok_and(|marker| {
            assert!(LazyMarker::decode(&marker.encode()).is_ok_and(|again| again == marker), "a marker reads back as it was");
            true
        }),
        1 => Seal::decode(&stored, fixture::TIMELINE, 640).is_ok(),
        2 => decode_json::<BaseFile>("base", &stored).is_ok(),
        3 => decode_json::<PinFile>("pin", &stored).is_ok(),
        _ => Header::decode(&stored).is_ok(),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut marker = LazyMarker::new("somewhere", true);
    marker.files = vec![AwayFile { timeline: fixture::TIMELINE, start: 0, end: 640 }];
    let successor = engine::Timeline([8; 16]);
    let sealed = Seal { timeline: fixture::TIMELINE, at: 640, successor }.encode();
    let base = encode_json(&json!({
        "format": 1,
        "manifest": {"timeline": fixture::TIMELINE, "name": "0", "bytes": 7, "blake3": "00".repeat(32)},
        "objects": [],
        "archived": 1,
    }));
    let whole = [marker.encode(), sealed, base];
    let fixed = whole.iter().zip(0..).map(|(bytes, reader)| [&[reader], &bytes[..bytes.len() - HASH_LEN]].concat());
    let raw = whole.iter().zip(0..).map(|(bytes, reader)| [&[RAW | reader], &bytes[..]].concat());
    fixed.chain(raw).collect()
}
