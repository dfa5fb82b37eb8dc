//! A handle finds rows by id and part, keeps marks while it is replaced, and refuses objects that are not its own.

use super::super::testing::{self, Objects, Vectors, floats};
use super::super::{ABSENT, FlatRow, addresses};
use super::*;
use crate::ids::SegmentId;

/// Point 7 twice: written whole, then its vector alone.
fn rewritten() -> (SegmentMeta, Objects) {
    let spec = floats(2);
    let mut source = Vectors::default();
    let mut vector = |value: f32| source.push(spec.datatype, &[value, value]);
    let rows = vec![
        FlatRow { id: PointId::Number(7), has_payload: true, addresses: vec![64, vector(1.0)] },
        FlatRow { id: PointId::Number(3), has_payload: false, addresses: vec![65, vector(2.0)] },
        FlatRow { id: PointId::Number(7), has_payload: false, addresses: vec![ABSENT, vector(3.0)] },
    ];
    testing::build(rows, vec![spec], &source, vec![b"field".to_vec()])
}

#[test]
fn the_parts_of_a_point_are_found_where_they_live() {
    let (meta, objects) = rewritten();
    let segment = testing::open(&meta, &objects).unwrap();
    let id = PointId::Number(7);
    assert!(segment.mark_deleted(1, 0, 500), "the later vector ends the earlier");
    assert_eq!(segment.rows_of(&id).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(segment.find(&id), Some(2));
    assert_eq!(segment.find_visible(0, &id, 1000), Some(0));
    assert_eq!(segment.find_visible(1, &id, 1000), Some(2));
    assert_eq!(segment.find(&PointId::Number(8)), None);
    assert_eq!((segment.address(0, 0), segment.address(0, 2), segment.has_payload(0)), (Some(64), None, true));
    assert_eq!((segment.live(0), segment.live(1), segment.parts()), (2, 2, 2));
    assert_eq!(segment.fields().unwrap(), [&b"field"[..]]);
}

#[test]
fn a_mark_counts_once_and_the_first_stays() {
    let (meta, objects) = rewritten();
    let segment = testing::open(&meta, &objects).unwrap();
    assert!(segment.mark_deleted(0, 0, 500));
    assert!(!segment.mark_deleted(0, 0, 900));
    assert_eq!((segment.deletion_lsn(0, 0), segment.live(0)), (500, 1));
    assert!(segment.is_visible(0, 0, 500) && !segment.is_visible(0, 0, 501));
    assert!(!segment.is_visible(0, 2, 100), "absent is not visible");
    assert_eq!(segment.dead_at(0, 501).iter().collect::<Vec<_>>(), [0]);
    assert_eq!(segment.dead_at(0, 500).count(), 0);
    assert_eq!((segment.live(9), segment.dead_at(9, 501).count()), (0, 0), "a part of a later schema");
}

#[test]
fn deletes_of_a_manifest_hold_for_every_version() {
    let (meta, objects) = rewritten();
    let first = testing::open(&meta, &objects).unwrap();
    first.mark_deleted(1, 0, 500);
    first.mark_deleted(1, 1, 800);
    let reopened = testing::open(&meta, &objects).unwrap();
    reopened.load_deletes(1, &first.dead_at(1, 600)).unwrap();
    assert!(!reopened.is_visible(1, 0, 600) && reopened.is_visible(1, 1, 600));
    assert_eq!(reopened.live(1), 2);
    let mut impossible = Bitmap::new(3);
    impossible.set(2, true);
    assert!(reopened.load_deletes(0, &impossible).is_err(), "row 2 has no part 0");
}

#[test]
fn no_mark_is_lost_while_a_graph_or_addresses_arrive() {
    let (meta, objects) = rewritten();
    let flat = testing::open(&meta, &objects).unwrap();
    flat.mark_deleted(1, 0, 500);
    let graph = testing::with_graph(&flat, 1);
    flat.mark_deleted(1, 1, 600);
    graph.mark_deleted(0, 1, 600);
    assert_eq!((graph.deletion_lsn(1, 0), graph.deletion_lsn(1, 1), flat.deletion_lsn(0, 1)), (500, 600, 600));
    assert_eq!((graph.meta().kind, flat.meta().kind), (SegmentKind::Graph, SegmentKind::Flat));
    assert_eq!(graph.meta().id, flat.meta().id);
    assert!(graph.disk_bytes() > flat.disk_bytes());

    let id = SegmentId([0x55; 16]);
    let bytes: Bytes = addresses::encode(id, &[vec![1, 2, ABSENT], vec![10, 20, 30]]).into();
    let blake3 = ObjectFile::stored_hash(&bytes).unwrap();
    let object = ObjectMeta { role: Role::Addresses, part: 0, id, bytes: bytes.len() as u64, blake3 };
    let moved = graph.with_addresses(object.clone(), bytes).unwrap();
    moved.mark_deleted(0, 0, 700);
    assert_eq!((moved.address(1, 1), graph.address(1, 1) == Some(20), graph.deletion_lsn(0, 0)), (Some(20), false, 700));
    assert_eq!(moved.meta().object(Role::Addresses, 0), Some(&object));
    moved.meta().check().unwrap();
}

#[test]
fn memory_and_disk_are_told_by_section() {
    let (meta, objects) = rewritten();
    let segment = testing::open(&meta, &objects).unwrap();
    let memory = segment.memory_bytes();
    let of = |name: &str| memory.iter().find(|section| section.0 == name).unwrap().1;
    assert_eq!((of("ids"), of("id order"), of("addresses"), of("graph")), (24, 12, 48, 0));
    assert!(of("codes") >= 3 * 64 && of("deletion marks") < 100);
    assert_eq!(segment.disk_bytes(), objects.values().map(|bytes| bytes.len() as u64).sum::<u64>());
}

#[test]
fn objects_that_are_not_those_described_are_refused() {
    let (meta, objects) = rewritten();
    let (other, other_objects, ..) = testing::mixed_segment(3);
    for (at, object) in meta.objects.iter().enumerate() {
        let mut swapped = objects.clone();
        swapped.insert(object.id, other_objects[&other.objects[at].id].clone());
        assert!(testing::open(&meta, &swapped).is_err(), "{} of another segment", object.role.name());
        let mut missing = objects.clone();
        missing.remove(&object.id);
        assert!(testing::open(&meta, &missing).is_err(), "{} missing", object.role.name());
    }
    let wrong_rows = SegmentMeta { rows: 4, ..meta.clone() };
    assert!(testing::open(&wrong_rows, &objects).is_err());
    let mut few_parts = |object: &ObjectMeta| Ok(objects[&object.id].clone());
    assert!(Segment::open(meta, &mut few_parts, 1).is_err(), "more parts than the schema has");
}
