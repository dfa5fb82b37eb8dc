//! One record: its sections, its payload blocks, and what it moves.
//!
//! Input: a byte of switches, then the record. Switch 1 leaves the checksums as they are.

use engine::log::moves::{MoveDraft, Moves};
use engine::log::payload_blocks::{self, PayloadBlocks};
use engine::log::record::{IDS_NUMBERS, Record, RecordDraft, RecordKind, SectionKind};
use engine::schema::{Distance, Numbers, Schema, VectorSchema};
use engine::{PointId, Timeline};

use super::Target;
use crate::fixup;

/// See the top of this file.
pub const TARGET: Target = Target { name: "payload", run, seeds, words: &["VRC1"] };

const RAW: u8 = 1;
const TIMELINE: Timeline = Timeline([3; 16]);

fn run(input: &[u8]) -> bool {
    let Some((&switches, rest)) = input.split_first() else { return false };
    let mut bytes = rest.to_vec();
    if switches & RAW == 0 {
        fixup::record::record(&mut bytes, 0, Some(TIMELINE));
    }
    let Ok(record) = Record::parse(bytes.into(), 0) else { return false };
    read_everything(&record);
    record.verify().is_ok()
}

/// Reads every section of a record in every way that there is.
pub fn read_everything(record: &Record) {
    let _ = record.ids();
    let _ = record.json();
    for kind in [SectionKind::RowFlags, SectionKind::Presence, SectionKind::Moves] {
        for part in 0..3 {
            let _ = record.checked(kind, part);
        }
    }
    for section in &record.head.sections {
        let at = record.head.lsn + section.offset as u64;
        let _ = record.head.check_granule(&record.bytes, at);
    }
    let schema = Schema { vectors: vec![VectorSchema::dense("", 2, Distance::Dot, Numbers::F32)], ..Schema::default() };
    if let Ok(moves) = Moves::open(record, &schema) {
        let counts = (moves.ids.len(), moves.from.len(), moves.to.len());
        assert!(counts == (record.head.rows, record.head.rows, record.head.rows), "an old and a new address for each row: {counts:?}");
    }
    let Ok(Some(blocks)) = PayloadBlocks::open(record) else { return };
    assert!(blocks.presence().len() == record.head.rows, "a presence for each row");
    let verified = blocks.verify();
    let all = blocks.all();
    for row in (0..record.head.rows).take(32) {
        if let (Ok(text), Ok(all)) = (blocks.row(row), &all) {
            assert!(text == all[row], "row {row} alone and among all says the same");
        }
    }
    assert!(verified.is_ok() || all.is_err(), "what does not verify does not read as a whole");
}

fn record(texts: &[Option<&str>]) -> Vec<u8> {
    let mut draft = RecordDraft::new(RecordKind::Upsert, texts.len());
    let ids = (0..texts.len() as u64).flat_map(u64::to_le_bytes).collect();
    draft.section(SectionKind::Ids, 0, IDS_NUMBERS, texts.len(), ids);
    payload_blocks::pack(&mut draft, texts);
    let mut bytes = Vec::new();
    draft.encode(0, 1_000_000, 0, TIMELINE, &mut bytes);
    bytes
}

fn moved(part: usize) -> Vec<u8> {
    let mut draft = MoveDraft::new(part);
    for row in 0..3 {
        let (id, from) = (PointId::Number(row), 64 + row * 8);
        if part == 0 { draft.push_payload(id, from, "{\"a\":1}".to_owned()) } else { draft.push_vector(id, from, &[row as u8; 8]) }
    }
    let mut bytes = Vec::new();
    draft.into_record().encode(0, 1_000_000, 0, TIMELINE, &mut bytes);
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let long = format!("{{\"text\":\"{}\"}}", "many words that pack well ".repeat(3_000));
    let middle = format!("{{\"text\":\"{}\"}}", "abcdefgh".repeat(2_000));
    let records = [
        record(&[Some("{\"a\":1}"), None, Some("{\"b\":[null]}")]),
        record(&[None, Some(&long), Some("{}")]),
        record(&[Some(&middle), Some(&middle), Some(&middle), Some("{\"c\":2}")]),
        record(&[None, None]),
        moved(0),
        moved(1),
    ];
    records.iter().flat_map(|record| [[&[0], &record[..]].concat(), [&[RAW], &record[..]].concat()]).collect()
}
