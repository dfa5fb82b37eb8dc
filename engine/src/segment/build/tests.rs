//! Builds are deterministic, describe what they made, and refuse what cannot be a segment.

use super::super::testing::{self, Vectors, floats};
use super::*;

#[test]
fn the_same_rows_give_the_same_bytes() {
    let (first, objects, ..) = testing::mixed_segment(150);
    let (second, again, ..) = testing::mixed_segment(150);
    assert_eq!((first.hash(), first), (second.hash(), second));
    assert_eq!(objects, again);
}

#[test]
fn objects_are_described_as_they_are() {
    let (meta, objects, ..) = testing::mixed_segment(150);
    meta.check().unwrap();
    let roles: Vec<_> = meta.objects.iter().map(|object| (object.role, object.part)).collect();
    assert_eq!(roles, [(Role::Rows, 0), (Role::Addresses, 0), (Role::Codes, 1), (Role::Codes, 2)]);
    for object in &meta.objects {
        assert_eq!(objects[&object.id].len() as u64, object.bytes);
        let opened = ObjectFile::open(objects[&object.id].clone(), object.role, object.id).unwrap();
        assert_eq!(opened.verify().unwrap(), object.blake3);
    }
}

#[test]
fn a_segment_without_rows_is_refused() {
    let source = Vectors::default();
    let input = FlatInput { rows: Vec::new(), vectors: vec![floats(4)], source: &source, fields: Vec::new(), draw_id: &mut testing::ids() };
    assert!(build_flat(input).is_err());
}

#[test]
fn a_vector_that_no_row_has_gets_no_codes() {
    let rows = vec![FlatRow { id: PointId::Number(1), has_payload: false, addresses: vec![0, ABSENT] }];
    let (meta, objects) = testing::build(rows, vec![floats(4)], &Vectors::default(), Vec::new());
    assert!(meta.object(Role::Codes, 1).is_none());
    let segment = testing::open(&meta, &objects).unwrap();
    assert_eq!((segment.live(0), segment.live(1), segment.has_part(1, 0)), (1, 0, false));
    super::super::verify::verify(&segment).unwrap();
}

#[test]
fn an_address_that_is_no_vector_fails_the_build() {
    let rows = vec![FlatRow { id: PointId::Number(1), has_payload: false, addresses: vec![0, 12345] }];
    let source = Vectors::default();
    let input = FlatInput { rows, vectors: vec![floats(4)], source: &source, fields: Vec::new(), draw_id: &mut testing::ids() };
    assert!(build_flat(input).is_err());
}
