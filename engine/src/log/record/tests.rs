//! Promises of the record format: golden bytes, every truncation and every flip is an error, the document's tables equal the constants.

mod document;

use bytes::Bytes;

use super::*;
use crate::batch::{Batch, Point};
use crate::error::ErrorKind;
use crate::ids::{PointId, Timeline};
use crate::log::payload_blocks::PayloadBlocks;
use crate::schema::{Distance, Numbers, Schema, VectorSchema};

const LINEAGE: Timeline = Timeline([3; 16]);

fn schema() -> Schema {
    Schema {
        vectors: vec![
            VectorSchema::dense("a", 3, Distance::Euclid, Numbers::F32),
            VectorSchema::dense("b", 5, Distance::Euclid, Numbers::U8),
        ],
        ..Schema::default()
    }
}

fn points(rows: usize) -> Vec<Point> {
    (0..rows)
        .map(|row| {
            let mut vectors = vec![("a".to_owned(), vec![row as f32; 3])];
            if row % 3 == 0 {
                vectors.push(("b".to_owned(), vec![(row % 200) as f32; 5]));
            }
            let id = if row % 5 == 4 { PointId::Uuid([row as u8; 16]) } else { PointId::Number(row as u64) };
            Point { id, vectors, payload: (row % 2 == 0).then(|| format!("{{\"n\":{row}}}")) }
        })
        .collect()
}

fn record(rows: usize, lsn: u64) -> Vec<u8> {
    let batch = Batch::of_points(&schema(), &points(rows)).unwrap();
    let mut bytes = Vec::new();
    batch.draft().unwrap().encode(lsn, 77, lsn / 2 / 64 * 64, LINEAGE, &mut bytes);
    bytes
}

fn open(bytes: &[u8], lsn: u64) -> crate::Result<Record> {
    let record = Record::parse(Bytes::copy_from_slice(bytes), lsn)?;
    record.verify()?;
    Ok(record)
}

#[test]
fn a_record_reads_back_at_any_position() {
    for lsn in [64, 4032, 4096, 8128, 1 << 40] {
        let record = open(&record(9, lsn), lsn).unwrap();
        assert_eq!(record.ids().unwrap(), points(9).iter().map(|p| p.id).collect::<Vec<_>>(), "lsn {lsn}");
        let blocks = PayloadBlocks::open(&record).unwrap().unwrap();
        assert_eq!(blocks.all().unwrap(), points(9).iter().map(|p| p.payload.clone()).collect::<Vec<_>>());
        assert_eq!(blocks.row(2).unwrap().as_deref(), Some("{\"n\":2}"));
        assert_eq!((record.head.commit_time, record.head.rows), (77, 9));
    }
}

#[test]
fn golden_bytes_of_a_head() {
    let mut bytes = Vec::new();
    RecordDraft::new(RecordKind::Durable, 0).encode(128, 5, 128, LINEAGE, &mut bytes);
    assert_eq!(bytes.len(), 192);
    assert_eq!(&bytes[..4], b"VRC1");
    assert_eq!(bytes[8..16], 128_u64.to_le_bytes());
    assert_eq!(bytes[16..20], 192_u32.to_le_bytes());
    assert_eq!(bytes[20..24], 192_u32.to_le_bytes());
    assert_eq!(bytes[24..32], 5_u64.to_le_bytes());
    assert_eq!(bytes[32..40], 128_u64.to_le_bytes());
    assert_eq!(bytes[40..56], [3; 16]);
    assert_eq!(bytes[56..60], [5, 0, 0, 0]);
    assert_eq!(bytes[72..74], 1_u16.to_le_bytes());
    assert_eq!(crate::codec::checksum::Hash::of(&bytes).to_string(), "0b199a1043f3f6c3f69de215e9eae740add7c42aa99022ee6a375029ab3a18da");
}

#[test]
fn every_flipped_bit_is_detected() {
    let bytes = record(4, 64);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&flipped, 64).is_err(), "bit {bit} of {}", bytes.len() * 8);
    }
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = record(4, 64);
    for len in 0..bytes.len() {
        assert!(open(&bytes[..len], 64).is_err(), "cut at {len}");
    }
}

#[test]
fn a_record_of_another_position_is_refused() {
    let bytes = record(4, 64);
    assert!(open(&bytes, 128).is_err());
}

#[test]
fn a_block_of_an_older_record_at_the_same_position_is_refused() {
    let old = record(9, 64);
    let batch = Batch::of_points(&schema(), &points(9)).unwrap();
    let mut new = Vec::new();
    batch.draft().unwrap().encode(64, 78, 64, LINEAGE, &mut new);
    let section = *RecordHead::parse(&new, 64).unwrap().section(SectionKind::Vectors, 1).unwrap();
    // The same vectors, but the head and its check table are those of the older record up to the vectors.
    let mut stale = new.clone();
    stale[128..section.offset].copy_from_slice(&old[128..section.offset]);
    assert!(open(&stale, 64).is_err(), "old checks under a new head must not pass");
    let mut stale = old;
    stale[..128].copy_from_slice(&new[..128]);
    assert!(open(&stale, 64).is_err(), "an old block under a new head must not pass");
}

#[test]
fn a_later_version_or_kind_is_newer_and_not_corrupt() {
    for (at, value) in [(72, 2_u8), (56, 99), (74, 1), (76, 1), (57, 2)] {
        let mut bytes = record(2, 64);
        bytes[at] = value;
        let sections = usize::from(bytes[58]);
        let crc = crate::codec::checksum::crc32(&bytes[8..FIXED_HEAD_LEN + sections * SECTION_ENTRY_LEN]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(open(&bytes, 64).unwrap_err().kind, ErrorKind::NewerFormat, "byte {at}");
    }
}

#[test]
fn a_payload_larger_than_a_block_and_many_small_ones_read_back() {
    let long = format!("{{\"t\":\"{}\"}}", "xyz".repeat(40_000));
    let mut many = points(300);
    many[7].payload = Some(long.clone());
    let batch = Batch::of_points(&schema(), &many).unwrap();
    let mut bytes = Vec::new();
    batch.draft().unwrap().encode(0, 1, 0, LINEAGE, &mut bytes);
    let record = open(&bytes, 0).unwrap();
    let blocks = PayloadBlocks::open(&record).unwrap().unwrap();
    assert_eq!(blocks.row(7).unwrap(), Some(long));
    for (row, point) in many.iter().enumerate() {
        assert_eq!(blocks.row(row).unwrap(), point.payload, "row {row}");
    }
}

#[test]
fn a_record_over_the_limit_is_refused_before_it_is_laid_out() {
    let mut draft = RecordDraft::new(RecordKind::Catalog, 0);
    draft.section(SectionKind::Json, 0, 0, 1, vec![0; RECORD_LEN_MAX]);
    assert_eq!(draft.check_limits().unwrap_err().kind, ErrorKind::InvalidInput);
    let packed = |raw_len| {
        let mut draft = RecordDraft::new(RecordKind::Upsert, 1);
        draft.payload_section(raw_len, vec![0; 64], vec![64]);
        draft.check_limits()
    };
    packed(PAYLOAD_RAW_MAX).unwrap();
    assert_eq!(packed(PAYLOAD_RAW_MAX + 1).unwrap_err().kind, ErrorKind::InvalidInput, "what is written must read back");
}

#[test]
fn a_point_that_stands_in_a_record_twice_is_refused() {
    // A batch refuses it; a log that says it anyway would give the point two rows.
    for (ids, fits) in [([1, 2, 3], true), ([3, 1, 2], true), ([1, 1, 2], false), ([2, 1, 2], false)] {
        let mut draft = RecordDraft::new(RecordKind::Delete, 3);
        draft.section(SectionKind::Ids, 0, IDS_NUMBERS, 3, ids.iter().flat_map(|id: &u64| id.to_le_bytes()).collect());
        let mut bytes = Vec::new();
        draft.encode(0, 1, 0, LINEAGE, &mut bytes);
        assert_eq!(Record::parse(bytes.into(), 0).unwrap().ids().is_ok(), fits, "{ids:?}");
    }
}

#[test]
fn payload_texts_that_lie_over_one_another_are_refused() {
    let text = "{\"t\":\"abc\"}".as_bytes();
    for (bounds, fits) in
        [([0, 11, 11], true), ([0, 0, 11], true), ([0, 11, 0], false), ([0, 12, 11], false), ([4, 4, 11], false), ([0, 0, 4], false)]
    {
        let mut draft = RecordDraft::new(RecordKind::Upsert, 2);
        draft.payload_section(11, text.to_vec(), vec![11]);
        draft.section(SectionKind::PayloadBlocks, 0, 0, 1, vec![0; 8]);
        draft.section(SectionKind::PayloadRows, 0, 0, 2, bounds.iter().flat_map(|bound: &u32| bound.to_le_bytes()).collect());
        let mut bytes = Vec::new();
        draft.encode(0, 1, 0, LINEAGE, &mut bytes);
        let record = Record::parse(bytes.into(), 0).unwrap();
        assert_eq!(PayloadBlocks::open(&record).is_ok(), fits, "{bounds:?}");
    }
}

#[test]
fn a_record_whose_content_is_copied_is_the_same_record_at_the_same_place() {
    for rows in [1, 9, 1_200] {
        let original = record(rows, 4032);
        let draft = RecordDraft::copy_of(&open(&original, 4032).unwrap()).unwrap();
        let mut copy = Vec::new();
        draft.encode(4032, 77, 4032 / 2 / 64 * 64, LINEAGE, &mut copy);
        assert!(copy == original, "{rows} rows");
        let mut elsewhere = Vec::new();
        draft.encode(8128, 99, 0, Timeline([4; 16]), &mut elsewhere);
        assert_eq!(open(&elsewhere, 8128).unwrap().ids().unwrap(), points(rows).iter().map(|p| p.id).collect::<Vec<_>>());
    }
}

/// Deletes the vectors of some parts of three points.
fn vector_delete(parts: &[u16]) -> Vec<u8> {
    let mut draft = RecordDraft::new(RecordKind::DeleteVectors, 3);
    draft.section(SectionKind::Ids, 0, IDS_NUMBERS, 3, [7_u64, 5, 9].iter().flat_map(|id| id.to_le_bytes()).collect());
    draft.section(SectionKind::Parts, 0, 0, parts.len(), parts.iter().flat_map(|part| part.to_le_bytes()).collect());
    let mut bytes = Vec::new();
    draft.encode(128, 5, 128, LINEAGE, &mut bytes);
    bytes
}

#[test]
fn golden_bytes_of_deleted_vectors() {
    let bytes = vector_delete(&[1, 3]);
    assert_eq!(bytes.len(), 384);
    assert_eq!((bytes[56], &bytes[58..64]), (7, &[2, 0, 3, 0, 0, 0][..]), "the kind, the sections, the rows");
    assert_eq!(bytes[160..162], [10, 0], "the second section is of parts");
    assert_eq!(
        (&bytes[256..280], &bytes[320..324]),
        (&[7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0][..], &[1, 0, 3, 0][..])
    );
    assert_eq!(crate::codec::checksum::Hash::of(&bytes).to_string(), "3dc41c96f3f0218dd3059a17c4506ffd577a52cf284bb47efaf800bd14954752");
    let record = open(&bytes, 128).unwrap();
    assert_eq!(
        (record.ids().unwrap(), record.ended_parts().unwrap()),
        (vec![PointId::Number(7), PointId::Number(5), PointId::Number(9)], vec![1, 3])
    );
}

#[test]
fn deleted_vectors_that_were_flipped_or_cut_are_refused() {
    let bytes = vector_delete(&[1, 3]);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&flipped, 128).is_err(), "bit {bit}");
    }
    assert!((0..bytes.len()).all(|len| open(&bytes[..len], 128).is_err()));
}

#[test]
fn deleted_vectors_name_vectors_and_each_once() {
    for (parts, fits) in [(&[1][..], true), (&[1, 2, 9], true), (&[], false), (&[0], false), (&[2, 1], false), (&[1, 1], false)] {
        assert_eq!(open(&vector_delete(parts), 128).unwrap().ended_parts().is_ok(), fits, "{parts:?}");
    }
    assert!(open(&record(2, 64), 64).unwrap().ended_parts().is_err(), "another record has no such list");
}
