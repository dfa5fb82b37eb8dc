//! What a batch takes and refuses: a block of rows is the same as its points one by one.

use super::*;
use crate::error::ErrorKind;
use crate::schema::{Distance, Numbers};

fn schema(distance: Distance, datatype: Numbers) -> Schema {
    let vectors = vec![VectorSchema::dense("a", 2, distance, datatype), VectorSchema::dense("b", 3, Distance::Dot, Numbers::F32)];
    Schema { vectors, ..Schema::default() }
}

fn bytes(datatype: Datatype, vectors: &[[f32; 2]]) -> Vec<u8> {
    let mut out = Vec::new();
    vectors.iter().for_each(|vector| datatype.encode(vector, &mut out));
    out
}

fn ids(count: u64) -> Vec<PointId> {
    (0..count).map(PointId::Number).collect()
}

#[test]
fn a_block_gives_the_same_record_as_its_points_one_by_one() {
    let rows = [[3.0, 4.0], [0.0, 0.0], [1.0, 255.0]];
    for distance in [Distance::Cosine, Distance::Dot, Distance::Euclid] {
        for stored in [Numbers::F32, Numbers::F16, Numbers::U8] {
            for given in Datatype::ALL {
                let schema = schema(distance, stored);
                let payloads = vec![Some("{\"n\":1}".to_owned()), None, None];
                let mut block = Batch::new(&schema);
                let given_bytes = bytes(given, &rows);
                let rows_of = VectorBlock { part: 1, datatype: given, dim: 2, bytes: &given_bytes };
                block.push_block(&schema, &ids(3), rows_of, payloads.clone()).unwrap();
                let points = rows.iter().zip(ids(3)).zip(payloads).map(|((row, id), payload)| Point {
                    id,
                    vectors: vec![("a".to_owned(), row.to_vec())],
                    payload,
                });
                let single = Batch::of_points(&schema, &points.collect::<Vec<_>>()).unwrap();
                assert_eq!(block.vectors[0].bytes, single.vectors[0].bytes, "{distance:?} {stored:?} {given:?}");
                assert_eq!(format!("{block:?}"), format!("{single:?}"), "{distance:?} {stored:?} {given:?}");
            }
        }
    }
}

#[test]
fn a_block_with_a_bad_row_adds_nothing_and_names_the_row() {
    for (distance, stored, bad) in [
        (Distance::Dot, Numbers::F32, f32::NAN),
        (Distance::Cosine, Numbers::F32, f32::INFINITY),
        (Distance::Dot, Numbers::F16, 70_000.0),
        (Distance::Dot, Numbers::U8, 1.5),
    ] {
        let schema = schema(distance, stored);
        let mut batch = Batch::new(&schema);
        let good = bytes(Datatype::F32, &[[1.0, 2.0]]);
        batch.push_block(&schema, &ids(1), VectorBlock { part: 1, datatype: Datatype::F32, dim: 2, bytes: &good }, Vec::new()).unwrap();
        let before = format!("{batch:?}");
        let mixed = bytes(Datatype::F32, &[[1.0, 2.0], [3.0, bad], [bad, 1.0]]);
        let block = VectorBlock { part: 1, datatype: Datatype::F32, dim: 2, bytes: &mixed };
        let refused = batch.push_block(&schema, &ids(3), block, Vec::new()).unwrap_err();
        assert_eq!((refused.row, refused.error.kind), (1, ErrorKind::InvalidInput), "{distance:?} {stored:?}");
        assert_eq!(format!("{batch:?}"), before, "{distance:?} {stored:?}");
    }
}

#[test]
fn a_block_of_another_dimension_is_refused() {
    let schema = schema(Distance::Dot, Numbers::F32);
    let three = [0; 12];
    let block = VectorBlock { part: 1, datatype: Datatype::F32, dim: 3, bytes: &three };
    let refused = Batch::new(&schema).push_block(&schema, &ids(1), block, Vec::new()).unwrap_err();
    assert!(refused.error.message.contains("wrong dimension"), "{}", refused.error);
}

#[test]
fn an_id_that_stands_twice_is_found_in_any_order() {
    let schema = schema(Distance::Dot, Numbers::U8);
    let rows = [0; 6];
    for (numbers, repeated) in [([1, 2, 3], None), ([3, 2, 1], None), ([1, 1, 2], Some(1)), ([5, 2, 5], Some(2))] {
        let ids: Vec<PointId> = numbers.into_iter().map(PointId::Number).collect();
        let mut batch = Batch::new(&schema);
        batch.push_block(&schema, &ids, VectorBlock { part: 1, datatype: Datatype::U8, dim: 2, bytes: &rows }, Vec::new()).unwrap();
        assert_eq!(batch.repeated().map(|bad| bad.row), repeated, "{numbers:?}");
        assert_eq!(batch.check_ids().is_err(), repeated.is_some());
    }
}

#[test]
fn a_batch_laid_out_ahead_gives_the_same_record() {
    let schema = schema(Distance::Cosine, Numbers::F32);
    let point = |id: u64, payload: Option<&str>| Point {
        id: PointId::Number(id),
        vectors: vec![("a".to_owned(), vec![1.0, id as f32])],
        payload: payload.map(str::to_owned),
    };
    let batch = Batch::of_points(&schema, &[point(1, Some("{\"n\":1}")), point(2, None)]).unwrap();
    let mut ahead = batch.clone();
    ahead.lay_out().unwrap();
    ahead.lay_out().unwrap();
    assert_eq!(ahead.rows(), 2);
    assert_eq!(format!("{:?}", ahead.into_draft().unwrap()), format!("{:?}", batch.into_draft().unwrap()));
}

#[test]
fn a_batch_with_an_id_twice_is_not_laid_out() {
    let schema = schema(Distance::Dot, Numbers::F32);
    let twice = Point { id: PointId::Number(1), vectors: Vec::new(), payload: None };
    let mut batch = Batch::new(&schema);
    batch.push_point(&schema, &twice).unwrap();
    batch.push_point(&schema, &twice).unwrap();
    assert_eq!(batch.lay_out().unwrap_err().kind, ErrorKind::InvalidInput);
}
