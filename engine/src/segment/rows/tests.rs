//! What the rows object promises: look-ups equal a naive list, and no bytes make it panic.

use super::*;

const ID: SegmentId = SegmentId([8; 16]);

fn row(id: PointId, has_payload: bool, addresses: &[u64]) -> FlatRow {
    FlatRow { id, has_payload, addresses: addresses.to_vec() }
}

#[test]
fn golden_bytes() {
    let rows = [row(PointId::Number(9), true, &[64, ABSENT]), row(PointId::Number(5), false, &[128, 256])];
    let bytes = encode(ID, &rows, 2, &[b"field".to_vec()]);
    let opened = Rows::open(bytes.clone().into(), ID).unwrap();
    let section = |tag, part| opened.object().required(tag, part).unwrap().to_vec();
    assert_eq!(section(TAG_COUNTS, 0), [2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(section(TAG_IDS, 0), [9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(section(TAG_ID_ORDER, 0), [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(section(TAG_HAS_PAYLOAD, 0), [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(section(TAG_PRESENCE, 1), [2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(ObjectFile::stored_hash(&bytes).unwrap().to_string(), "2b5c5d5ef53e9f0d1e966acc34f185fe5bf8c4e5748c983a7efdb2af27757ae0");
}

/// Integers and UUIDs out of order, some ids twice, some parts absent.
fn mixed_rows() -> Vec<FlatRow> {
    (0..300_u64)
        .map(|n| {
            let key = n * 7919 % 251;
            let id = if key % 3 == 0 { PointId::Uuid((u128::from(key) << 64).to_be_bytes()) } else { PointId::Number(key) };
            let vector = if n % 5 == 0 { ABSENT } else { n * 64 };
            row(id, n % 2 == 0, &[n, vector, n])
        })
        .collect()
}

fn assert_equals_the_list(rows: &[FlatRow]) {
    let opened = Rows::open(encode(ID, rows, 3, &[]).into(), ID).unwrap();
    assert_eq!((opened.rows(), opened.parts()), (rows.len() as u32, 3));
    for (at, wanted) in (0..).zip(rows) {
        assert_eq!(opened.id(at), wanted.id);
        assert_eq!(opened.has_payload(at), wanted.has_payload);
        let naive: Vec<u32> = (0..).zip(rows).filter(|(_, row)| row.id == wanted.id).map(|(at, _)| at).collect();
        assert_eq!(opened.rows_of(&wanted.id).collect::<Vec<_>>(), naive, "{}", wanted.id);
        for part in 0..3 {
            assert_eq!(opened.has_part(part, at), wanted.addresses[part as usize] != ABSENT);
        }
    }
    for part in 0..3 {
        let present = rows.iter().filter(|row| row.addresses[part as usize] != ABSENT).count();
        assert_eq!(opened.present(part) as usize, present);
    }
    for stranger in [PointId::Number(1 << 40), PointId::Number(u64::MAX), PointId::Uuid([0xff; 16])] {
        assert_eq!(opened.rows_of(&stranger).count(), 0);
    }
    assert!(!opened.has_part(3, 0), "a part that came with a later schema");
    assert_eq!(opened.present(3), 0);
}

#[test]
fn rows_are_found_by_id_whatever_the_ids() {
    assert_equals_the_list(&mixed_rows());
    let numbers: Vec<FlatRow> = (0..65).map(|n| row(PointId::Number(n * 13 % 61), true, &[n, n, ABSENT])).collect();
    assert_equals_the_list(&numbers);
    let ascending: Vec<FlatRow> = (0..64).map(|n| row(PointId::Number(n), false, &[n, n, n])).collect();
    assert_equals_the_list(&ascending);
    assert_equals_the_list(&[row(PointId::Uuid([5; 16]), true, &[ABSENT, 1, 2])]);
}

#[test]
fn ascending_ids_need_no_order_section() {
    let ascending: Vec<FlatRow> = (0..64).map(|n| row(PointId::Number(n), false, &[n])).collect();
    let opened = Rows::open(encode(ID, &ascending, 1, &[]).into(), ID).unwrap();
    assert!(opened.object().section(TAG_ID_ORDER, 0).unwrap().is_none());
    assert!(opened.bytes().contains(&("id order", 0)) && opened.bytes().contains(&("ids", 512)));
}

#[test]
fn field_indexes_come_back_in_order() {
    let fields = [b"one".to_vec(), Vec::new(), b"three".to_vec()];
    let opened = Rows::open(encode(ID, &mixed_rows(), 3, &fields).into(), ID).unwrap();
    assert_eq!(opened.fields().unwrap(), fields);
}

/// A rows object in which one section is replaced, with all checksums right.
fn forged(tag: u32, bytes: Vec<u8>) -> Result<Rows> {
    let good = Rows::open(encode(ID, &mixed_rows(), 3, &[]).into(), ID).unwrap();
    let mut builder = ObjectBuilder::new(Role::Rows, ID);
    for name in good.object().names().collect::<Vec<_>>() {
        let old = good.object().required(name.0, name.1).unwrap().to_vec();
        builder = builder.section(name.0, name.1, if name.0 == tag { bytes.clone() } else { old });
    }
    Rows::open(builder.finish().into(), ID)
}

#[test]
fn sections_that_contradict_the_counts_are_refused() {
    let counts = |numbers: [u32; 4]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    for (tag, bytes) in [
        (TAG_COUNTS, counts([0, 3, 0, 1])),
        (TAG_COUNTS, counts([301, 3, 0, 1])),
        (TAG_COUNTS, counts([u32::MAX, 3, 0, 1])),
        (TAG_COUNTS, counts([300, 0, 0, 1])),
        (TAG_COUNTS, counts([300, u32::MAX, 0, 1])),
        (TAG_COUNTS, counts([300, 3, 0, 0])),
        (TAG_COUNTS, counts([300, 3, 0, 2])),
        (TAG_COUNTS, vec![0; 15]),
        (TAG_IDS, vec![0; 299 * ID_LEN_MIXED]),
        (TAG_IDS, vec![2; 300 * ID_LEN_MIXED]),
        (TAG_ID_ORDER, vec![0; 1196]),
        (TAG_MEMBERSHIP, vec![0; 65]),
        (TAG_HAS_PAYLOAD, vec![0; 39]),
        (TAG_HAS_PAYLOAD, vec![0xff; 40]),
        (TAG_PRESENCE, vec![0; 48]),
    ] {
        assert!(forged(tag, bytes.clone()).is_err(), "tag {tag}, {} bytes", bytes.len());
    }
    assert!(forged(TAG_FIELD, Vec::new()).is_ok(), "the forger itself works");
    let missing = forged(TAG_COUNTS, counts([300, 3, u32::MAX, 1])).unwrap();
    assert!(missing.fields().is_err(), "field indexes that are not there");
}

#[test]
fn an_order_that_names_no_row_finds_nothing_and_is_safe() {
    let hostile = forged(TAG_ID_ORDER, vec![0xff; 1200]).unwrap();
    for wanted in mixed_rows() {
        assert_eq!(hostile.rows_of(&wanted.id).count(), 0);
    }
}
