//! Lines of points and of payloads, packed or not.
//!
//! Input: a byte of switches, then the text. Switch 1: the bytes are a gzip stream as they are; 2: the text is packed first;
//! 4: the lines are payloads.

use std::io::Write;

use engine::payload::{Limits, minify_checked};
use flate2::Compression;
use flate2::write::GzEncoder;
use vectra_cli::input::{PayloadLines, PointLines, Source, text_of};

use super::Target;

/// See the top of this file.
pub const TARGET: Target = Target { name: "jsonl", run, seeds, words: WORDS };

const PACKED: u8 = 1;
const PACK: u8 = 2;
const PAYLOADS: u8 = 4;
const WORDS: &[&str] = &[
    "{\"id\":1,\"vector\":[1,2],\"payload\":{}}\n",
    "\"id\":",
    "\"vector\":{\"a\":[",
    "\"payload\":null",
    "1e38",
    "-0.0",
    "\\ud800",
    "\n\n",
    "\"0f0e0d0c-0b0a-0908-0706-050403020100\"",
    "[[[[[[[[",
];

fn pack(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text).and_then(|()| packer.finish()).expect("a vector takes bytes")
}

fn run(input: &[u8]) -> bool {
    let Some((&switches, rest)) = input.split_first() else { return false };
    let bytes = if switches & PACK == 0 { rest.to_vec() } else { pack(rest) };
    let name = if switches & (PACKED | PACK) == 0 { "x.jsonl" } else { "x.jsonl.gz" };
    let text = text_of(Source::memory(name, bytes));
    if switches & PAYLOADS == 0 { read_points(PointLines::new(text, name)) } else { read_payloads(PayloadLines::new(text, name)) }
}

/// Says whether a point was read.
fn read_points(lines: PointLines) -> bool {
    let mut last = 0;
    for point in lines.filter_map(Result::ok).take(10_000) {
        assert!(point.line > last, "lines are counted upwards");
        last = point.line;
        if let Some(payload) = point.payload {
            let _ = minify_checked(&payload, &Limits::default());
        }
    }
    last > 0
}

/// Says whether a payload was read.
fn read_payloads(mut lines: PayloadLines) -> bool {
    let mut read = 0;
    let _ = lines.skip_rows(1);
    for _ in 0..10_000 {
        match lines.next_row() {
            Ok(Some(payload)) => {
                let again = minify_checked(&payload, &Limits::default());
                assert_eq!(again.ok().flatten().as_ref(), Some(&payload), "a payload that was read is minified");
                read += 1;
            }
            Ok(None) => {}
            Err(_) => break,
        }
    }
    let _ = lines.finish();
    read > 0
}

fn seeds() -> Vec<Vec<u8>> {
    let points = "{\"id\":1,\"vector\":[1,-2.5e3],\"payload\":{\"a\":\"b\",\"c\":[1,null]}}\n\
                  {\"id\":\"0f0e0d0c-0b0a-0908-0706-050403020100\",\"vector\":{\"x\":[0.1],\"y\":[]}}\n\n\
                  {\"payload\":null,\"id\":18446744073709551615,\"vector\":[]}";
    let payloads = "{\"a\":1}\nnull\n\n{\"deep\":{\"er\":[{},[[]]]},\"t\":\"\\u00e9\\ud83d\\ude00\"}\n";
    vec![
        [&[0], points.as_bytes()].concat(),
        [&[PACK], points.as_bytes()].concat(),
        [&[PACKED], &pack(points.as_bytes())[..]].concat(),
        [&[PAYLOADS], payloads.as_bytes()].concat(),
        [&[PAYLOADS | PACKED], &pack(payloads.as_bytes())[..]].concat(),
    ]
}
